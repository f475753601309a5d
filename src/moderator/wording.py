"""Words that every message puts together alike."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number and its noun: `1 picture`, `2,000 pictures`, `3 false matches`."""
    ending = "es" if noun.endswith(("ch", "sh", "s", "x")) else "s"
    return f"{number:,} {noun}{ending * (number != 1)}"


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says, or its type where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def plainly(message: str) -> str:
    """Returns what pydantic says of a value without what it puts before the words of ours or of an enumeration."""
    return message.replace("Value error, ", "")
