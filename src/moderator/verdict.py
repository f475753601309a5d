"""What a rule says of a picture; apart from the models, for the command line names it before it reads any."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a rule says of an image, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    def reaches(self, other: Verdict) -> bool:
        """Whether this verdict is at least as severe as `other`."""
        order = list(Verdict)
        return order.index(self) >= order.index(other)
