"""A Ray cluster: its nodes decode and embed, the caller alone writes the store.

One task decodes the files of a batch and leaves their pixels on its node, another embeds them, and only fingerprints
and vectors come back. What is lost with a node Ray makes again from the paths; since the caller writes each batch once,
in order, nothing is lost or doubled. Nodes see the pictures and models under the same paths.

Ray pickles what goes between its nodes, so a cluster must be closed to strangers:
https://docs.ray.io/en/latest/ray-security/index.html
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from moderator.contracts import Embedder, Found
from moderator.errors import EnvironmentFault, ModelError, ModeratorError, UnreadableImage, VectorError
from moderator.intake.decode import Decoded, intake_id
from moderator.intake.pool import DecoderPool
from moderator.models import ModelId, Preprocessing
from moderator.policy import EmbedderSpec, Limits
from moderator.runners.embedding import embed_wanted
from moderator.runners.runner import Batch, Embedded, Outcome, Runner, Wanted, batch_size

RETRIES = 5
"""How often a batch is begun anew when its node or process dies, before the scan ends."""
REACH_SECONDS = 5.0
"""How long a cluster may take to accept a connection; Ray itself would try for minutes, then end the process."""
SAME = "each node needs the same moderator, Pillow, plugins and models as this machine"


@dataclass(frozen=True, slots=True)
class Work:
    """What a node has to know. Embedders are made there: their class, their declaration as JSON, their model id."""

    limits: str
    intake: str
    embedders: tuple[tuple[type[Embedder], str, ModelId], ...]
    preparations: tuple[Preprocessing, ...]


class RayRunner(Runner):
    """Decodes and embeds on a Ray cluster, one processor a task.

    Args:
        address: `HOST:PORT` of the cluster this machine is a node of, or `ray://HOST:PORT`; without it that of
            RAY_ADDRESS, else Ray is started on this machine. The process stays connected until it ends.

    Raises:
        EnvironmentFault: Ray is not installed, or the cluster does not answer.
    """

    def __init__(self, embedders: Sequence[Embedder], limits: Limits, address: str | None = None) -> None:
        self._ray = connect(address)
        self.depth = max(2, int(self._ray.cluster_resources().get("CPU", 0)))
        self._size = batch_size(embedders)
        self._work = Work(
            limits.model_dump_json(),
            intake_id(limits),
            tuple((type(one), one.spec.model_dump_json(), one.model) for one in embedders),
            tuple(one.preprocessing for one in embedders),
        )
        spread = {"num_cpus": 1, "max_retries": RETRIES, "scheduling_strategy": "SPREAD"}
        self._decode = self._ray.remote(num_returns=2, **spread)(decode_files)
        # Where the pixels are is the best place to embed them, so these are not spread.
        self._embed = self._ray.remote(num_cpus=1, max_retries=RETRIES)(embed_pixels)

    @contextmanager
    def read(self, files: Iterable[Found]) -> Iterator[Iterator[Batch]]:
        # What is under way when this is left runs out unheeded, `depth` batches at most, or ends with this process:
        # cancelling a task that is just done makes Ray 2.60 abort the process ("complete task that was not pending").
        yield self._batches(iter(files))

    def _batches(self, files: Iterator[Found]) -> Iterator[Batch]:
        decoding: deque[Sequence[Any]] = deque()
        while some := list(islice(files, self._size)):
            decoding.append(self._decode.remote(self._work, some))
            if len(decoding) > self.depth:
                yield self._batch(*decoding.popleft())
        while decoding:
            yield self._batch(*decoding.popleft())

    def _batch(self, reference: Any, pixels: Any) -> Batch:
        outcomes: Sequence[Outcome] = self._get(reference)
        for found, outcome in outcomes:
            if isinstance(outcome, UnreadableImage) and outcome.code == "unreadable" and _readable(found.path):
                raise EnvironmentFault(
                    f"a node of the cluster cannot read {found.name}, which this machine can: {outcome.reason}",
                    hint="mount the pictures under the same path on every node",
                )
        return Batch(outcomes, pixels)

    def embed(self, batch: Batch, wanted: Wanted) -> Callable[[], Embedded]:
        digests = set[bytes]().union(*wanted)
        if not digests:
            return lambda: {}
        reference = self._embed.remote(self._work, batch.pixels, [set(some) for some in wanted])

        def result() -> Embedded:
            made: Embedded = self._get(reference)
            # A batch that is decoded again after a node has died may meet other bytes.
            changed = VectorError("its file changed while it was read")
            return {**made, **dict.fromkeys(digests - made.keys(), changed)}

        return result

    def _get(self, reference: Any) -> Any:
        """Waits for a task's result. Raises: what moderator raised in the task, or EnvironmentFault."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, ModeratorError):
                raise error.cause from None
            raise EnvironmentFault(f"a node of the cluster failed: {_last_line(error)}", hint=SAME) from error
        except errors.RayError as error:
            said = f"the cluster lost a batch {RETRIES + 1} times: {_first_line(error)}"
            raise EnvironmentFault(said, hint="what was written is kept; scan again to go on from there") from error


def connect(address: str | None) -> Any:
    """Returns the module `ray`, connected. Raises: EnvironmentFault."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # pixels nobody asks for fail with the outcomes that are
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a warning of what later versions do
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault("Ray is not installed", hint="pip install 'moderator[ray]'") from error
    if ray.is_initialized():
        return ray
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _reach(address)
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (Exception, SystemExit) as error:
        raise _unreachable(address, _first_line(error)) from error
    return ray


def _reach(address: str) -> None:
    """Raises: EnvironmentFault where nothing listens at `[ray://]HOST:PORT`."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon:
        return  # `local` and `auto` are Ray's own words
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _unreachable(address, _first_line(error)) from error


def _unreachable(address: str, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"no Ray cluster can be used at {address}: {reason}",
        hint="start one with `ray start --head --port 6379`, join it on each machine with `ray start --address`",
    )


def _readable(path: str) -> bool:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:  # noqa: PTH123 - links are not followed
            stream.read()
    except OSError:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _last_line(error: BaseException) -> str:
    """Returns the last line of a traceback, which says what is wrong."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]


# What runs on the nodes


def decode_files(work: Work, files: Sequence[Found]) -> tuple[Sequence[Outcome], Sequence[Decoded]]:
    """Decodes a batch: its outcomes without pixels, which go to the caller, and what was decoded, with them."""
    pool = _pool(work)
    try:
        outcomes = list(pool.decode(files))
    except Exception:  # it may have left half an answer in its worker's socket
        pool.__exit__()
        _pool.cache_clear()
        raise
    bare = [(found, replace(one, views=()) if isinstance(one, Decoded) else one) for found, one in outcomes]
    return bare, [one for _, one in outcomes if isinstance(one, Decoded)]


def embed_pixels(work: Work, decoded: Sequence[Decoded], wanted: Wanted) -> Embedded:
    """Embeds what a batch lacks. Raises: ModelError."""
    return embed_wanted([_embedder(*one) for one in work.embedders], decoded, wanted)


@cache
def _pool(work: Work) -> DecoderPool:
    """Returns this process's decoding worker, which outlives a task and ends with the process."""
    limits = Limits.model_validate_json(work.limits)
    if intake_id(limits) != work.intake:
        raise EnvironmentFault("a node of the cluster decodes with another version than this machine", hint=SAME)
    return DecoderPool(limits, work.preparations, workers=1)


@cache
def _embedder(kind: type[Embedder], spec: str, model: ModelId) -> Embedder:
    """Returns this process's embedder. Raises: ModelError where it has other weights than the caller's."""
    made = kind(EmbedderSpec.model_validate_json(spec))
    if made.model != model:
        raise ModelError(f"a node of the cluster has {made.model}, this machine {model}", hint=SAME)
    return made
