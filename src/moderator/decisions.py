"""Reviewers' decisions: two contents, named by file, by reference or by hash, are a match or are not. A text of a
reference set stands for a content too.

A decision is keyed to the bytes of both, so it outlives moves, rescans and changes of model; it ends with its date.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from moderator.contracts import Store
from moderator.errors import ArgumentError
from moderator.intake.decode import intake_id
from moderator.intake.sniff import format_of
from moderator.models import Decision, Verdict
from moderator.policy import Policy
from moderator.search import prompts

MATCH, NO_MATCH = Verdict.BLOCK, Verdict.ALLOW
"""How a reviewer's word is kept in a decision's verdict."""


@dataclass(frozen=True, slots=True)
class Named:
    """A decision and what is known by its two digests: a path, a reference by set and entry, or the digest.

    Attributes:
        files: where each of the two was last read, a reference's files too: they are read, and never shown.
    """

    decision: Decision
    first: str
    second: str
    files: tuple[Sequence[str], Sequence[str]]

    @property
    def words(self) -> str:
        return "no match" if self.decision.verdict is NO_MATCH else "match"


def decide(store: Store, policy: Policy, first: str, second: str, decision: Decision) -> Decision:
    """Keeps what a reviewer decided on two pictures and returns it with their digests.

    Args:
        policy: says which texts there are.
        first: a file, a reference as SET#ENTRY, a text as SET#TEXT, or a SHA-256 of 64 hexadecimal digits.
        second: likewise.
        decision: verdict, reason, owner and expiry; its digests are filled in here.

    Raises:
        ArgumentError: one of the two cannot be told, both are one content, or the expiry is no day to come.
    """
    digests = digest_of(store, first, policy), digest_of(store, second, policy)
    if digests[0] == digests[1]:
        raise ArgumentError(
            "the two hold the same bytes, and identical files always match",
            hint="a picture that is fine belongs in a reference set with `allow: true`",
        )
    made = replace(decision, sha256=digests[0], match_sha256=digests[1], expires=_end_of(decision.expires))
    store.decide(made)
    return made


def withdraw(store: Store, policy: Policy, first: str, second: str) -> None:
    """Removes the decision on two pictures, named as for `decide`. Raises: ArgumentError when there is none."""
    if not store.withdraw(digest_of(store, first, policy), digest_of(store, second, policy)):
        raise ArgumentError("there is no decision on these two", hint="`moderator decisions list` shows all")


def listed(store: Store, policy: Policy) -> Sequence[Named]:
    """Returns every decision that has not expired, with names. A file of a reference is never named."""
    decisions = store.decisions()
    digests = list(dict.fromkeys(bytes.fromhex(one) for pair in decisions for one in _digests(pair)))
    contents = store.contents(digests, intake_id(policy.limits))
    images, kept = (store.images(list(contents.values()), role) for role in ("picture", "reference"))
    texts = {digest: named for named, digest in _texts(policy).items()}
    references: dict[int, str] = {}
    for reference in store.references():
        references.setdefault(reference.content, f"{reference.set}#{reference.entry}")

    def name(digest: str) -> str:
        content = contents.get(bytes.fromhex(digest), 0)
        paths = [image.path for image in images.get(content, ())]
        return texts.get(digest) or references.get(content) or next(iter(paths), digest)

    def files(digest: str) -> Sequence[str]:
        content = contents.get(bytes.fromhex(digest), 0)
        return [image.path for one in (images, kept) for image in one.get(content, ())]

    def named(one: Decision) -> Named:
        first, second = _digests(one)
        return Named(one, name(first), name(second), (files(first), files(second)))

    return [named(one) for one in decisions]


def _digests(decision: Decision) -> tuple[str, str]:
    return decision.sha256, decision.match_sha256


def _texts(policy: Policy) -> dict[str, str]:
    """The digest of each text of a policy's reference sets, by SET#TEXT."""
    return {f"{one.set}#{one.label}": prompts.digest(one) for one in prompts.prompts_of(policy.reference_sets)}


def digest_of(store: Store, named: str, policy: Policy) -> str:
    """Returns the SHA-256 that a picture's file, a reference (SET#ENTRY), a text (SET#TEXT) or 64 hexadecimal digits
    stand for.

    Raises:
        ArgumentError: it is none of these, cannot be read, or is no picture.
    """
    try:
        if format_of(Path(named)) is None:
            raise ArgumentError(f"{named} is no picture")
        return sha256_of(Path(named))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ArgumentError(f"cannot read {named}: {error.strerror}") from error
    if re.fullmatch(r"[0-9a-fA-F]{64}", named):
        return named.lower()
    if (digest := _texts(policy).get(named)) is not None:
        return digest
    set_name, _, entry = named.rpartition("#")
    contents = [one.content for one in store.references([set_name] if set_name else []) if str(one.entry) == entry]
    if not set_name or not contents:
        raise ArgumentError(
            f"no such file or reference: {named}",
            hint="name a file, a reference as SET#ENTRY (`moderator references list SET`), a text of the policy as "
            "SET#TEXT, or a SHA-256",
        )
    return next(block.fingerprints[0].sha256.hex() for block in store.hashes("references", contents[:1]))


def sha256_of(file: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal digits. Raises: OSError."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _end_of(day: str | None) -> str | None:
    """Returns the last second (UTC) of a day given as YYYY-MM-DD."""
    if day is None:
        return None
    try:
        last = date.fromisoformat(day)
    except ValueError as error:
        raise ArgumentError(f"`{day}` is no date", hint="write it as YYYY-MM-DD") from error
    if last < datetime.now(UTC).date():
        raise ArgumentError(f"{day} is past: the decision would hold for nothing")
    return f"{last.isoformat()}T23:59:59+00:00"
