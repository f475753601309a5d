"""Finds stored contents near others by the vectors of one model, in the cheapest way that loses none.

Few vectors are streamed from the store and compared exactly. Of many, codes (`moderator.search.codes`), kept in the
local index, first tell which contents may be near enough at all, and those alone are read from the store and compared
exactly: scores, scopes and thresholds are the store's own in either case. Where most of the store is asked, the codes
are compared with one another once (`moderator.search.pairs`); that may take clusters, which is measured and said.
A server tells by itself what may be closest to one picture (`Store.likely`, `Store.within`): that needs no index.

Where the policy allows it, a server's vector index is asked, which may miss some (`Store.guess`). Of a scan it is asked
for pairs of pictures alone, never for references, and what it finds of a sample is measured and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from moderator.contracts import Scope, Store, VectorBlock
from moderator.errors import StoreError
from moderator.models import ModelId
from moderator.policy import SearchSpec
from moderator.search import codes, exact, index, kept, pairs
from moderator.search.codes import Codes
from moderator.search.kept import Kept, Question
from moderator.search.pairs import Partners, Recall
from moderator.vectors import Ids, Matrix

INDEXED = 20_000
"""From so many vectors on an index is kept; fewer are read from the store in a fraction of a second."""
HALF = 0.5
"""Where more than this part of the codes may be near, or are asked, a closer look at each is no saving."""
GUESSED = 100
"""Most contents that a vector index is asked for with one vector: it takes longer the more it looks for."""
SAMPLE = 50
"""Subjects that are compared with everything, to measure what a vector index finds: recall to .02 or so."""
LIKELY = 4
"""How many times the contents that are wanted are compared exactly at first, where a server narrows the search."""

SINCE = "; what was added since was compared with everything"
"""Is said of clusters where some rows were not looked for by them."""

Narrow = Callable[[VectorBlock], Ids | None]
"""Which contents may be near some of a block; None for any."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which contents are searched: those of a scope, or `among` them those that it returns of some (of all: None).

    `parts` are compared too, with whole pictures, and each view of a subject has the closest of its own.
    """

    scope: Scope
    among: Callable[[Sequence[int] | None], Sequence[int]] | None = None
    parts: bool = True

    @property
    def everything(self) -> bool:
        """Whether all stored pictures are asked."""
        return self.scope == "images" and self.among is None


def check(store: Store, spec: SearchSpec) -> None:
    """Raises: StoreError where the policy wants what the store cannot do."""
    if spec.approximate and not store.approximates:
        raise StoreError(
            f"the policy says `search: {{approximate: true}}`, and the store {store.url} has no vector index to ask",
            hint="leave it out: the search is exact then; or use a MariaDB, OceanBase or TiDB store",
        )


class Near:
    """Answers for one store, and opens each model's codes once."""

    def __init__(self, store: Store, spec: SearchSpec, note: index.Note = lambda _text: None) -> None:
        check(store, spec)
        self._store = store
        self._spec = spec
        self._note = note
        self._codes: dict[ModelId, Codes | None] = {}

    def above(
        self, model: ModelId, subjects: Sequence[int], asked: Asked, threshold: float, cap: int
    ) -> Iterator[exact.Hits]:
        """Yields every pair (subject, content that is asked) at or above `threshold`, as `exact.above` does, with at
        most `cap` of the closest for each subject, or with `asked.parts` for each view of one. A subject's pair with
        itself may be left out."""
        narrow = None
        if self._spec.approximate and asked.everything:
            narrow = self._guessing(model, subjects, asked, threshold, cap)
        if narrow is None:
            subjects, narrow = self._narrowing(model, subjects, asked, threshold)
        queries = self._store.vectors(model, "images", subjects) if len(subjects) else ()
        for block in exact.grouped(queries, codes.QUERIES):
            yield from self._exactly(model, block, asked, threshold, cap, narrow)

    def ready(self, model: ModelId) -> None:
        """Opens the codes of a model now, so that the first question is as quick as any."""
        self._known(model)

    def closest(self, model: ModelId, vectors: Matrix, scope: Scope, top: int) -> list[tuple[float, int]]:
        """Returns the `top` contents of `scope` closest to a query of one view or more, float32 `[n, dimension]`, as
        (cosine, content), the closest first."""
        query = VectorBlock(np.zeros(len(vectors), np.int64), [""] * len(vectors), vectors)
        if self._spec.approximate and (guess := self._store.guess(model, vectors, LIKELY * top)) is not None:
            self._note(f"some of the closest may be missing: a vector index was asked ({guess.words})")
            return self._ranked_among(model, query, scope, top, guess.contents)
        if (likely := self._store.likely(model, vectors, LIKELY * top)) is not None:
            return self._closest_in_store(model, query, scope, top, likely)
        known = self._known(model)
        best: list[tuple[float, int]] = []
        for threshold in [-1.0] if known is None else _thresholds(query, known, top):
            narrow = None if known is None or threshold <= -1.0 else _reaching(known, threshold)
            best = _ranked(self._exactly(model, query, Asked(scope), threshold, top, narrow), top)
            if len(best) >= top:
                break
        return best

    def _closest_in_store(
        self, model: ModelId, query: VectorBlock, scope: Scope, top: int, likely: Sequence[int]
    ) -> list[tuple[float, int]]:
        """Compares what looks closest exactly, and then what the store says may reach the last of the best of that."""
        best = self._ranked_among(model, query, scope, top, likely)
        only = self._store.within(model, query.matrix, best[-1][0]) if len(best) == top else None
        return self._ranked_among(model, query, scope, top, only)

    def _ranked_among(
        self, model: ModelId, query: VectorBlock, scope: Scope, top: int, only: Sequence[int] | None
    ) -> list[tuple[float, int]]:
        narrow = None if only is None else lambda _block: np.array(only, dtype=np.int64)
        return _ranked(self._exactly(model, query, Asked(scope), -1.0, top, narrow), top)

    def _exactly(
        self, model: ModelId, block: VectorBlock, asked: Asked, threshold: float, cap: int, narrow: Narrow | None
    ) -> Iterator[exact.Hits]:
        """Compares a block with what may be near some of it."""
        near = None if narrow is None else narrow(block)
        only = None if near is None else near.tolist()
        if asked.among is not None and (only is None or only):
            only = asked.among(only)
        if only is None or len(only):
            stored = partial(self._store.vectors, model, asked.scope, only)
            yield from exact.above([block], stored, threshold, cap, parts=asked.parts, by_view=asked.parts)

    def _narrowing(
        self, model: ModelId, subjects: Sequence[int], asked: Asked, threshold: float
    ) -> tuple[Sequence[int], Narrow | None]:
        """Returns the subjects that may be near something else, and what may be near some of them."""
        if (partners := self._partners(model, subjects, asked, threshold)) is not None:
            return partners.among(subjects), lambda block: partners.of(np.unique(block.contents))
        known = self._known(model)
        return subjects, None if known is None else _reaching(known, threshold)

    def _guessing(
        self, model: ModelId, subjects: Sequence[int], asked: Asked, threshold: float, cap: int
    ) -> Narrow | None:
        """What the server's vector index finds, once a sample has told how much that is; None where it has none."""
        sample = subjects[:: max(1, len(subjects) // SAMPLE)][:SAMPLE]
        queries = list(self._store.vectors(model, "images", sample))

        def narrow(block: VectorBlock) -> Ids | None:
            guess = self._store.guess(model, block.matrix, min(cap, GUESSED))
            return None if guess is None else np.array(guess.contents, dtype=np.int64)

        if not queries or narrow(queries[0]) is None:
            self._note(
                f"no vector index of {self._store.url} fits its vectors as they are, so all were compared; "
                "`moderator db index` makes it"
            )
            return None
        pairs, guessed = (
            _pairs(hits for one in queries for hits in self._exactly(model, one, asked, threshold, cap, narrowed))
            for narrowed in (None, narrow)
        )
        found = pairs & guessed
        recall = f" (recall {len(found) / len(pairs):.3f})" if pairs else ""
        self._note(
            f"pairs at {threshold:g} were looked for by the server's vector index, which may miss some: of "
            f"{len(sample):,} pictures compared with everything it found {len(found):,} of {len(pairs):,} pairs{recall}"
            "; without `search: {approximate: true}` the search is exact"
        )
        return narrow

    def _partners(
        self, model: ModelId, subjects: Sequence[int], asked: Asked, threshold: float
    ) -> Partners | None:
        """All pairs, where most of the store is asked about all of it; None for too many."""
        known = self._known(model) if asked.everything else None
        if known is None or len(subjects) <= HALF * len(np.unique(known.contents)):
            return None
        how = f"{threshold!r} {self._spec.pairs}"
        question = Question(str(model), how, len(known), lambda rows: codes.digest(known[:rows]))
        found = kept.read(self._store.url, question) if known.version else None
        if found is None:
            partners, told = self._looked_for(known, threshold)
        else:
            partners, told = _with_added(found, known, threshold)
        if known.version and partners is not None and (found is None or found.rows < len(known)):
            kept.write(self._store.url, question, partners.hits, told)
        if told:
            self._note(told)
        return partners

    def _looked_for(self, known: Codes, threshold: float) -> tuple[Partners | None, str]:
        """Returns all pairs, or None for too many, and what is to be said of them."""
        if self._spec.pairs == "exact" or len(known) <= pairs.FEW:
            return pairs.every(known, threshold), ""
        found = pairs.clustered(known, threshold)
        if isinstance(found, Recall):
            told = f"at {threshold:g} clusters would find {found}: each two vectors were compared"
            return pairs.every(known, threshold), told
        if found is None:
            return None, ""
        return found, (
            f"pairs at {threshold:g} were looked for in clusters, not among each two of {len(known):,} vectors: "
            f"they find {found.recall}; `search: {{pairs: exact}}` in the policy compares each two"
        )

    def _known(self, model: ModelId) -> Codes | None:
        """The codes of a model; None where its vectors are few."""
        if model not in self._codes:
            generation = self._store.generation(model)
            many = generation is not None and generation.sequence >= INDEXED
            self._codes[model] = self._opened(model) if many else None
        return self._codes[model]

    def _opened(self, model: ModelId) -> Codes | None:
        if self._spec.index:
            return index.mirror(self._store, model, self._note)
        return index.gathered(self._store, model)


def _with_added(found: Kept, known: Codes, threshold: float) -> tuple[Partners | None, str]:
    """Returns the pairs that are kept and those that rows added since are in, and what is to be said of them."""
    partners = Partners(found.hits.contents, found.hits.others, None)
    if found.rows == len(known):
        return partners, found.told
    more = pairs.added(known, found.rows, threshold)
    told = found.told if not found.told or found.told.endswith(SINCE) else found.told + SINCE
    return (None if more is None else partners.with_more(more)), told


def _pairs(found: Iterable[exact.Hits]) -> set[tuple[int, int]]:
    """The pairs of two contents."""
    both = (pair for hits in found for pair in zip(hits.contents.tolist(), hits.others.tolist(), strict=True))
    return {pair for pair in both if pair[0] != pair[1]}


def _ranked(found: Iterable[exact.Hits], top: int) -> list[tuple[float, int]]:
    """The `top` closest of what the views of one query found, as (cosine, content)."""
    best: dict[int, float] = {}
    for hits in found:
        for score, content in zip(hits.scores.tolist(), hits.others.tolist(), strict=True):
            best[content] = max(score, best.get(content, -1.0))
    return sorted(((score, content) for content, score in best.items()), key=lambda one: (-one[0], one[1]))[:top]


def _reaching(known: Codes, threshold: float) -> Narrow:
    def near(block: VectorBlock) -> Ids | None:
        mask = codes.reach(codes.encode(block.contents, block.matrix), known, threshold)
        return None if mask.mean() > HALF else np.unique(known.contents[mask])

    return near


def _thresholds(query: VectorBlock, known: Codes, top: int) -> Iterator[float]:
    """Yields falling thresholds, each of which more codes reach: some of them may be out of scope."""
    cosines = codes.likeness(codes.encode(query.contents, query.matrix), known)
    count = 4 * top
    while count < len(cosines):
        yield float(np.partition(cosines, -count)[-count])
        count *= 16
    yield -1.0
