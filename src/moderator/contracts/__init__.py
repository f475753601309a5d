"""The extension points: `Detector`, `Embedder`, `Store`, `Reporter`, and what they are handed.

A plugin subclasses one of these and returns the class from the hook of `moderator.hookspecs`.
"""

from moderator.contracts.catalogue import CatalogueOptions
from moderator.contracts.detector import Detector, Options, Search
from moderator.contracts.embedder import Embedder
from moderator.contracts.records import (
    Entry,
    Found,
    Generation,
    Guess,
    HashBlock,
    Known,
    Role,
    Scope,
    UprightBlock,
    VectorBlock,
    Vectors,
)
from moderator.contracts.reporter import Progress, Reporter
from moderator.contracts.store import Store
from moderator.fingerprint import Fingerprint

__all__ = [
    "CatalogueOptions",
    "Detector",
    "Embedder",
    "Entry",
    "Fingerprint",
    "Found",
    "Generation",
    "Guess",
    "HashBlock",
    "Known",
    "Options",
    "Progress",
    "Reporter",
    "Role",
    "Scope",
    "Search",
    "Store",
    "UprightBlock",
    "VectorBlock",
    "Vectors",
]
