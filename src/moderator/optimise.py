"""Makes the int8 form of a policy's CLIP, proved on the user's own pictures or on the demonstration's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from moderator import demo
from moderator.embedders.clip import ClipEmbedder
from moderator.embedders.towers import Towers
from moderator.errors import ArgumentError
from moderator.intake.decode import Decoded, prepare
from moderator.intake.pool import DecoderPool
from moderator.intake.walk import walk
from moderator.models import Preprocessing
from moderator.policy import EmbedderSpec, Policy
from moderator.registry import Registry

MOST = 512
"""Pictures that the proof looks at, at most."""
CROPS = 12
"""Pieces of each photograph of the demonstration, where no pictures are named."""

Prepared = npt.NDArray[np.uint8]


def optimise(policy: Policy, registry: Registry, name: str, sources: Sequence[str]) -> Towers:
    """Writes the int8 towers of the policy's embedder `name` where `precision: int8` finds them.

    Args:
        sources: pictures for the proof, as `moderator scan` takes them; the demonstration's where there are none.

    Raises:
        ArgumentError: the embedder is no CLIP, or no picture can be read.
        ModelError: it cannot be exported, or loses too much.
    """
    spec: EmbedderSpec = policy.embedders[name]
    embedder = registry.make_embedder(spec.model_copy(update={"precision": "fp32"}))
    if not isinstance(embedder, ClipEmbedder):
        raise ArgumentError(f"the embedder `{name}` is of the type `{spec.type}`; only `clip` is optimised")
    wanted = embedder.preprocessing
    pictures = list(_read(policy, wanted, sources) if sources else _demonstration(wanted))
    if not pictures:
        raise ArgumentError("no picture could be read for the proof", hint="name pictures like those you scan")
    return embedder.optimise(pictures)


def _read(policy: Policy, wanted: Preprocessing, sources: Sequence[str]) -> Iterator[Prepared]:
    files = [item[0] for item in walk(sources, exclude=policy.exclude) if isinstance(item, tuple)]
    step = max(1, -(-len(files) // MOST))  # spread over all of them
    with DecoderPool(policy.limits, [wanted]) as pool:
        for _, outcome in pool.decode(files[::step]):
            if isinstance(outcome, Decoded) and outcome.views:
                yield outcome.views[0].prepared[0]


def _demonstration(wanted: Preprocessing) -> Iterator[Prepared]:
    random = np.random.default_rng(7)
    for name in (*demo.SHOP, *demo.BANNED):
        photograph = demo.photograph(name)
        for _ in range(CROPS):
            width, height = (int(side * random.uniform(0.3, 0.9)) for side in photograph.size)
            left, top = int(random.integers(photograph.width - width)), int(random.integers(photograph.height - height))
            yield prepare(photograph.crop((left, top, left + width, top + height)), wanted)
