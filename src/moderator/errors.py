"""Every exception of moderator.

    ModeratorError
    ├── InputError                 exit 2: yours to mend
    │   ├── ArgumentError          what was typed
    │   ├── PolicyError            the policy document, with every problem's place
    │   └── PluginError            a plugin that cannot be used as asked
    ├── EnvironmentFault           exit 3: the machine's to mend
    │   ├── ModelError             weights that cannot be had or loaded
    │   ├── StoreError             a database that cannot be opened, read or written
    │   │   └── PasswordWanted     one that asks for a password where none is known
    │   └── OutputError            a report that cannot be written
    └── VectorError                exit 4: a vector that must not be stored or compared
        └── ModelMismatch          two vectors of different models

    UnreadableImage                one picture that cannot be judged; a scan reports it and goes on

Each message is one sentence of what is wrong and where; `hint` says what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from moderator.wording import counted


class ModeratorError(Exception):
    """An error that ends the command with `exit_code` and is shown without a traceback."""

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(ModeratorError):
    """Something the user gave cannot be used."""

    exit_code = 2


class ArgumentError(InputError):
    """An argument or option that cannot be used."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in a policy document: where it is, what is wrong, how to mend it."""

    place: str
    message: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        line = f"line {self.line}, " if self.line else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{line}{self.place or 'document'}: {self.message}{hint}"


class PolicyError(InputError):
    """A policy document that cannot be used, with all of its problems."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        head = f"{source}: {counted(len(problems), 'problem')}"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in problems)]))
        self.source = source
        self.problems = tuple(problems)


class PluginError(InputError):
    """A plugin that is missing, broken, or claims a name another plugin owns."""


class EnvironmentFault(ModeratorError):
    """The machine lacks something: a model, a database, room on a disk."""

    exit_code = 3


class ModelError(EnvironmentFault):
    """Model weights that cannot be found, loaded or trusted."""


class StoreError(EnvironmentFault):
    """A store that cannot be opened, read or written."""


class PasswordWanted(StoreError):
    """A database server asks for a password, and none is known."""


class OutputError(EnvironmentFault):
    """A report that cannot be written where it was asked for."""


class VectorError(ModeratorError):
    """A vector that must not be stored or compared: NaN, zero, or of the wrong length."""


class ModelMismatch(VectorError):
    """Two vectors of different model ids, which must never be compared."""


class UnreadableImage(Exception):
    """One picture that cannot be judged: `code` for machines, the message for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableImage], tuple[str, str]]:
        # By default it would be made again from its message alone, where a cluster's node sends it.
        return type(self), (self.code, self.reason)


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """Returns a hint that names the nearest known word, or all of them."""
    if near := difflib.get_close_matches(wrong, known, n=1):
        return f"did you mean `{near[0]}`?"
    return f"known here: {', '.join(sorted(known))}" if known else ""
