"""Verification of candidate pairs of contents: each pair once, its features read when first needed, the result kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from moderator.contracts import Progress, Store
from moderator.intake.pool import SpareWorkers
from moderator.local import HELD, LocalFeatures, Views
from moderator.models import VERIFIED, Evidence, Kind
from moderator.parts import box_of
from moderator.policy import Limits, Policy, Verify
from moderator.search.verify import TOO_SMALL, Verification, verify_within
from moderator.search.verify.features import Features
from moderator.search.verify.within import Boxes
from moderator.verified import KeptVerifications, Pair, ViewPair

WHOLE: ViewPair = ("whole", "whole")
Told = Mapping[Pair, Verification | None]
"""What was verified of pairs; None where a file is gone and nothing is stored of it."""
Done = Callable[[int], None]
"""Is told of how many more pairs are verified."""
Chance = TypeVar("Chance", float, npt.NDArray[np.float64])
CHUNK = 64
"""Pairs whose features are read together, and which are kept together."""
VARIANT = 0.5
"""Least probability of a variant: among pairs that are no copies, the likelier of two."""
LIKELIER = 100.0
"""By how much the odds of one picture, in whatever colours, rise when the perceptual hash says so too, which
verification does not see. Of pairs that lie close enough to be verified it holds for half of the copies, and for none
of 20,000 of different pictures; a recoloured thing leaves it as it leaves the rest, so of colours it says nothing."""


class Verifier:
    """Verifies pairs of one store's contents by a policy's `verify` section; a context manager."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        chosen: Verify,
        progress: Progress | None = None,
        spare: SpareWorkers | None = None,
    ) -> None:
        self.chosen = chosen
        self.features = LocalFeatures(store, limits, thumbnails=chosen.keep == "thumbnails", spare=spare)
        self._progress = progress or Progress()
        self._kept = KeptVerifications(store)
        self._unkept: dict[tuple[Pair, ViewPair], Verification | None] = {}

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *exc: object) -> None:
        self.features.__exit__(*exc)

    def stage(self, count: int | None) -> AbstractContextManager[Done]:
        """Shows how far `count` pairs are verified; None: as many as are asked for."""
        return self._progress.stage("Verifying candidates", count)

    @property
    def unverified(self) -> int:
        """How many pairs could not be verified, as a file is gone and no local features of it are stored."""
        return len({pair for (pair, _), one in self._unkept.items() if one is None})

    def verify(self, pairs: Mapping[Pair, ViewPair], done: Done) -> Told:
        """Returns what verification says of each pair; what an earlier one said of both pictures' bytes is said again.

        What is told is kept some pairs at a time, so that a scan that is ended goes on from there.

        Args:
            pairs: the view of each side that is closest to the other, by pair.
        """
        told = {pair: self._unkept[pair, views] for pair, views in pairs.items() if (pair, views) in self._unkept}
        told |= self._kept.of({pair: views for pair, views in pairs.items() if pair not in told})
        done(len(told))
        missing = in_company([pair for pair in pairs if pair not in told])
        for start in range(0, len(missing), CHUNK):
            some = missing[start : start + CHUNK]
            labels: dict[int, set[str]] = {}
            for content, label in (side for pair in some for side in zip(pair, pairs[pair], strict=True)):
                labels.setdefault(content, set()).add(label)
            views = self.features.of(labels)
            sides = {pair: _sides(pair, pairs[pair], views) for pair in some}
            asked = [(*sides[pair], _boxes(pairs[pair])) for pair in some]
            news = dict(zip(some, self.features.map(_told, asked), strict=True))
            # What was told without the pixels of one is told better when its file is back.
            whole = {pair: one for pair, one in news.items() if one is not None and _whole(sides[pair])}
            self._kept.keep(whole, pairs)
            self._unkept.update({(pair, pairs[pair]): one for pair, one in news.items() if pair not in whole})
            told |= news
            done(len(some))
        return told


def in_company(pairs: Sequence[Pair]) -> list[Pair]:
    """Returns the pairs in an order in which each content's come close together, so that its features are made once.
    Where those of all are held anyway it is theirs: loading scipy takes longer than a scan in which nothing is new.

    The contents are numbered so that no pair is wide (Cuthill and McKee, 1969).
    """
    contents, places = np.unique(np.array(pairs, dtype=np.int64), return_inverse=True)
    if len(contents) <= HELD:
        return list(pairs)

    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    first, second = places.reshape(-1, 2).T
    both = np.concatenate([first, second]), np.concatenate([second, first])
    graph = coo_array((np.ones(2 * len(pairs), np.int8), both), shape=(len(contents), len(contents)))
    rank = np.empty(len(contents), np.int64)
    rank[reverse_cuthill_mckee(graph.tocsr(), symmetric_mode=True)] = np.arange(len(contents))
    wide = np.sort(np.stack([rank[first], rank[second]]), axis=0)
    return [pairs[place] for place in np.lexsort(wide)]


@contextmanager
def verifying(
    store: Store, policy: Policy, progress: Progress | None = None, spare: SpareWorkers | None = None
) -> Iterator[Verifier | None]:
    """Gives a verifier where the policy asks for one; it takes `spare` decoding workers before it starts any."""
    if policy.verify is None:
        yield None
    else:
        with Verifier(store, policy.limits, policy.verify, progress, spare) as verifier:
            yield verifier


def evidence(told: Verification | None, chosen: Verify, rungs: Sequence[Evidence] = ()) -> Evidence:
    """Returns what a verification says as a rung of the ladder; None: neither file nor stored features are there.

    Args:
        rungs: those tried before; where the perceptual hash holds, one picture is `LIKELIER`, and it decides of what is
            `TOO_SMALL`.
    """
    asked = chosen.probability
    if told is None:
        note = "not verified: a file is gone or unreadable, and no local features of it are stored"
        return Evidence(VERIFIED, Kind.EDITED_COPY, None, asked, note)
    hashed = any(rung.signal == "pdq" and rung.holds for rung in rungs)
    if hashed and told == TOO_SMALL:
        return Evidence(VERIFIED, Kind.EDITED_COPY, None, asked, f"not verified: {told.note}")
    copy, variant = _likelier(told) if hashed else (told.copy, told.variant)
    if copy < asked and variant >= VARIANT:
        note = f"the same picture in other colours, {told.note}"
        return Evidence(VERIFIED, Kind.VARIANT, variant, VARIANT, note, told.region, told.misfit)
    if copy < asked <= copy + variant:
        note = f"the same picture, edited ({copy:.3f}) or in other colours, {told.note}"
        return Evidence(VERIFIED, Kind.VARIANT, copy + variant, asked, note, told.region, told.misfit)
    note = f"{told.note}; likelier by the perceptual hash" if copy > told.copy else told.note
    return Evidence(VERIFIED, Kind.EDITED_COPY, copy, asked, note, told.region, told.misfit)


def _likelier(told: Verification) -> tuple[float, float]:
    """Returns the probabilities of a copy and of a variant when the perceptual hash holds too."""
    if told.region is None or not told.same:
        return told.copy, told.variant
    times = likelier(told.same) / told.same
    return times * told.copy, times * told.variant


def likelier(same: Chance) -> Chance:
    """Returns the probability of one picture, in whatever colours, when the perceptual hash holds too."""
    return LIKELIER * same / (LIKELIER * same + 1 - same)


def _sides(pair: Pair, views: ViewPair, known: Mapping[int, Views]) -> tuple[Features | None, Features | None]:
    first, second = (_view(known.get(content), view) for content, view in zip(pair, views, strict=True))
    return first, second


def _boxes(views: ViewPair) -> Boxes:
    return box_of(views[0]), box_of(views[1])


def _view(views: Views | None, label: str) -> Features | None:
    return (views.get(label) or next(iter(views.values()))) if views else None


def _whole(sides: Sequence[Features | None]) -> bool:
    return all(side is not None and side.pixels is not None and not side.thumbnail for side in sides)


def _told(asked: tuple[Features | None, Features | None, Boxes]) -> Verification | None:
    first, second, boxes = asked
    if first is None or second is None or (first.pixels is None and second.pixels is None):
        return None
    return verify_within(first, second, boxes)


def identical(evidence: Sequence[Evidence]) -> bool:
    """Whether the rung of bytes or of pixels holds: nothing is left to verify."""
    return any(rung.holds and rung.signal in ("bytes", "pixels") for rung in evidence)


def with_verified(evidence: Sequence[Evidence], verified: Evidence) -> tuple[Evidence, ...]:
    """Returns the rungs with that of verification in its place, after the hashes, and none that was there before.

    Where it finds no copy, it stands before the perceptual hash, and neither that nor a cosine says copy any more: what
    they find alike is a variant or a lookalike.
    """
    hashes = [rung for rung in evidence if rung.signal in ("bytes", "pixels")]
    others = [rung for rung in evidence if rung.signal not in ("bytes", "pixels", VERIFIED)]
    if verified.refutes:
        kind = Kind.VARIANT if verified.holds else Kind.LOOKALIKE
        return (*hashes, verified, *(replace(rung, kind=kind) for rung in others))
    pdq = [rung for rung in others if rung.signal == "pdq"]
    return (*hashes, *pdq, verified, *(rung for rung in others if rung.signal != "pdq"))
