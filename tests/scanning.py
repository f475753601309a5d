"""What tests of whole scans share: a registry with the fake embedder, policies, and pictures of four colours."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

import moderator_duplicates
import moderator_lookalike
import moderator_prohibited
from moderator import Embedder, builtin, hookimpl
from moderator.policy import Policy, parse_policy
from moderator.registry import Registry
from moderator.testing import FakeEmbedder

POLICY = """
version: 1
embedders:
  fake: {type: fake, model: quarters}
reference_sets:
  banned: {label: banned pictures}
rules:
  - {id: copies, detector: duplicates, threshold: 0.95, verdict: review}
  - {id: banned, detector: prohibited, threshold: 0.95, verdict: block}
  - {id: alike, detector: lookalike, threshold: 0.7, verdict: review}
"""
Colours = tuple[str, str, str, str]


class Fakes:
    """The plugin that registers the fake embedder."""

    @hookimpl
    def register_embedders(self) -> Iterable[type[Embedder]]:
        return [FakeEmbedder]


def fake_registry(*more: object) -> Registry:
    """Returns a registry of moderator's own plugins, the fake embedder, and `more`."""
    registry = Registry()
    registry.register(builtin, "builtin", "0")
    for module in (moderator_duplicates, moderator_lookalike, moderator_prohibited):
        registry.register(module, module.__name__.removeprefix("moderator_"), "0")
    registry.register(Fakes(), "fakes", "0")
    for number, plugin in enumerate(more):
        registry.register(plugin, f"more-{number}", "9")
    return registry


def fake_policy(folder: Path, document: str = POLICY) -> Policy:
    """Returns a policy whose store is in `folder`."""
    policy = parse_policy(document.encode(), "test", fake_registry().vocabulary())
    return policy.model_copy(update={"store": f"sqlite:///{folder / 'store.db'}"})


def picture(path: Path, colours: Colours = ("red", "green", "blue", "white"), size: int = 32) -> Path:
    """Saves a PNG whose four quarters have these colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (size, size))
    half = size // 2
    for place, colour in enumerate(colours):
        image.paste(colour, ((place % 2) * half, (place // 2) * half, (place % 2 + 1) * half, (place // 2 + 1) * half))
    image.save(path)
    return path
