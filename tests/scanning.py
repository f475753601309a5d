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
SCAN = """
import sys
from pathlib import Path
from tests.scanning import fake_policy, fake_registry
from moderator import scan
policy = fake_policy(Path()).model_copy(update={"store": sys.argv[1]})
scan(policy, sys.argv[2:], registry=fake_registry())
"""
"""A program that scans, on the fake embedder: the store's URL, then what to scan."""
DUMP = (
    "SELECT i.path, c.sha256, c.pixels, c.state, e.view, {} FROM images i "
    "JOIN contents c ON c.id = i.content_id LEFT JOIN embeddings e ON e.content_id = c.id ORDER BY 1, 5"
)
"""Everything a store holds of pictures, without the numbers it gave them; `{}` is the vector's column."""
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


def many_pictures(folder: Path, count: int) -> Path:
    """Saves pictures of which no two have the same bytes, and returns their folder."""
    colours = ("red", "green", "blue", "white", "black", "yellow")
    for number in range(count):
        first, second, third, fourth = (colours[(number // 6**place) % 6] for place in range(4))
        picture(folder / f"{number:03}.png", (first, second, third, fourth), size=32 + 2 * (number % 5))
    return folder


def picture(path: Path, colours: Colours = ("red", "green", "blue", "white"), size: int = 32) -> Path:
    """Saves a PNG whose four quarters have these colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (size, size))
    half = size // 2
    for place, colour in enumerate(colours):
        image.paste(colour, ((place % 2) * half, (place // 2) * half, (place % 2 + 1) * half, (place // 2 + 1) * half))
    image.save(path)
    return path
