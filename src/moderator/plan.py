"""What to do about copies, as a shell script that a person reads and starts: nothing is done here.

The script does nothing either until it is given `--yes`, and hashes both files again before each step, so that nothing
is lost where files changed after the scan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moderator.models import Finding, Image, Kind, Report


class Action(StrEnum):
    """What the script does with each copy."""

    LIST = "list"
    HARDLINK = "hardlink"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Step:
    """One copy and the picture that is kept in its place."""

    copy: Image
    keeper: Image


WHOLE = 0.6
"""Least share of a copy that the picture kept shows too: a text or a frame may be lost with it, other pictures not."""


def steps(report: Report, kinds: Collection[Kind], *, identical: bool = False, partly: bool = False) -> list[Step]:
    """Returns one step for each copy of this scan whose match is of `kinds`; `identical` narrows to equal bytes, and
    `partly` takes those too that show more than the picture kept, such as a collage.

    A file that one step keeps is no other's copy, and the other way round: where rules disagree, both files stay.
    """
    kept: set[str] = set()
    moved: dict[str, Step] = {}
    for finding in report.findings:
        keeper = finding.group.keeper if finding.group else None
        copy = finding.image
        if keeper is None or finding.match != keeper or finding.kind not in kinds:
            continue
        if identical and copy.sha256 != keeper.sha256:
            continue
        if _one_file(copy.file, keeper.file) or not (partly or _shared(finding) >= WHOLE):
            continue
        if copy.file not in kept and copy.file not in moved and keeper.file not in moved:
            kept.add(keeper.file)
            moved[copy.file] = Step(copy, keeper)
    return list(moved.values())


def elsewhere(report: Report, kinds: Collection[Kind]) -> int:
    """Returns of how many copies the picture of this scan is the one to keep: they were stored by an earlier scan, and
    are left alone."""
    from moderator.models import Image

    left: set[str] = set()
    for finding in report.findings:
        keeps = finding.group is not None and finding.image == finding.group.keeper and finding.kind in kinds
        if keeps and isinstance(finding.match, Image) and not finding.match.scanned:
            left.add(finding.match.file)
    return len(left)


def _one_file(copy: str, keeper: str) -> bool:
    with suppress(OSError):
        return Path(copy).samefile(keeper)
    return False


def _shared(finding: Finding) -> float:
    """Returns the share of the copy that the picture kept shows too."""
    regions = (rung.region for rung in finding.evidence if rung.region is not None)
    return next((region.image_coverage for region in regions), 1.0)


def script(report: Report, action: Action, steps: Iterable[Step], folder: str = "") -> str:
    """Returns a POSIX shell script for the steps; `folder` is where `move` puts the copies, under their whole path."""
    lines = [_HEAD.replace("REPORT", f"{_plain(report.policy)}, {report.started}"), _BODIES[action]]
    lines += [f"folder={_quoted(folder)}"] if action is Action.MOVE else []
    lines += _calls(steps)
    return "\n".join([*lines, _TAIL, ""])


def _calls(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        files = f"{_quoted(step.keeper.file)} {_quoted(step.copy.file)}"
        yield f"step {step.keeper.sha256} {step.copy.sha256} {files}"


def _quoted(path: str) -> str:
    r"""Returns a path for the script's `printf %b`: what is not plainly printable stands as \0ooo, byte by byte."""
    parts = (
        character if character.isprintable() and character not in "'\\" else _octal(character) for character in path
    )
    return f"'{''.join(parts)}'"


def _octal(character: str) -> str:
    return "".join(f"\\0{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


_HEAD = """\
#!/bin/sh
# Written by moderator (REPORT).
# Started as it is, it tells what it would do. With --yes it does it.
# Each step hashes both files again; one whose files have changed is passed over and counted.
set -u
LC_ALL=C
export LC_ALL
yes=no
[ "${1-}" = --yes ] && yes=yes
done=0
passed=0

decoded() { # sets $path to the bytes that $1 stands for
  path=$(printf '%b.' "$1")
  path=${path%.}
}

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi <"$1" | cut -c 1-64
}

holds() { # whether the regular file $2 has the SHA-256 $1
  [ -f "$2" ] && [ ! -L "$2" ] && [ "$(digest "$2")" = "$1" ]
}

step() { # $1 and $2: SHA-256 of the picture kept and of the copy; $3 and $4: their files
  decoded "$3"; keeper=$path
  decoded "$4"; copy=$path
  if ! holds "$1" "$keeper"; then pass "the picture to keep has changed or is gone: $3"
  elif ! holds "$2" "$copy"; then pass "the copy has changed or is gone: $4"
  elif [ "$keeper" -ef "$copy" ]; then already "$4"
  else act "$3" "$4"; fi
}

already() { pass "already one file: $1"; }

pass() { passed=$((passed + 1)); printf 'passed over: %s\\n' "$1" >&2; }
"""

_BODIES = {
    Action.LIST: """\
yes=yes # to list is all there is to do
act() { printf '%s is a copy of %s\\n' "$2" "$1"; done=$((done + 1)); }
""",
    Action.HARDLINK: """\
already() { printf 'already one file: %s\\n' "$1"; }

# A link takes the place of the copy in one step (rename), so the name is never without a file.
act() {
  if [ $yes = no ]; then printf 'would link %s to %s\\n' "$2" "$1"; done=$((done + 1)); return; fi
  link=$(mktemp -d "${copy%/*}/.moderator-XXXXXX") || { pass "cannot write beside $2"; return; }
  if ln "$keeper" "$link/link" && mv -f "$link/link" "$copy"; then
    printf 'linked %s to %s\\n' "$2" "$1"; done=$((done + 1))
  else pass "cannot link $2 (another disk?)"; rm -f "$link/link"; fi
  rmdir "$link"
}
""",
    Action.MOVE: """\
act() {
  decoded "$folder"; target=$path$copy
  if [ $yes = no ]; then printf 'would move %s (kept: %s)\\n' "$2" "$1"; done=$((done + 1)); return; fi
  if [ -e "$target" ] || [ -L "$target" ]; then pass "something is already at $folder$2"; return; fi
  if mkdir -p "${target%/*}" && mv "$copy" "$target"; then printf 'moved %s (kept: %s)\\n' "$2" "$1"; done=$((done + 1))
  else pass "cannot move $2"; fi
}
""",
}

_TAIL = """
if [ $yes = yes ]; then printf '%s done, %s passed over\\n' "$done" "$passed"
else printf '%s to do, %s passed over; nothing was done: give --yes\\n' "$done" "$passed"; fi
[ "$passed" = 0 ]"""
