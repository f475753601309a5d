"""Verification: whether one picture is an edited copy of another, by local features, geometry, texture and colour."""

from moderator.search.verify.verify import TOO_SMALL, Verification, verify
from moderator.search.verify.within import verify_within

__all__ = ["TOO_SMALL", "Verification", "verify", "verify_within"]
