"""The part of the SQL store that lets a server narrow a search, so that few vectors leave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from moderator.contracts import Guess
from moderator.errors import StoreError
from moderator.models import ModelId
from moderator.stores import codes, indexes
from moderator.stores.cosine import Native, Plan, Planes, Vector
from moderator.stores.embeddings import Embeddings
from moderator.vectors import Matrix


class Nearest(Embeddings):
    """Which contents are worth reading: by the engine's own cosine where it has one, else by bit planes."""

    def likely(self, model: ModelId, queries: Matrix, count: int) -> Sequence[int] | None:
        ending = "ORDER BY {} DESC LIMIT {}"
        return self._contents(model, queries, lambda plan, query: ending.format(plan.similarity(query), count))

    def guess(self, model: ModelId, queries: Matrix, count: int) -> Guess | None:
        number = self._number(model)
        index = indexes.find(self._session, number) if number is not None and self._session.dialect.index else None
        if number is None or index is None:
            return None
        found = {one for query in queries for one in indexes.ask(self._session, number, index, query, count)}
        return Guess(sorted(found), index.recall, index.queries, index.made)

    def build_indexes(self) -> Mapping[str, str]:
        """Makes the vector index of every model anew, where the engine has such, and returns their recall in words by
        model. Raises: StoreError."""
        if not self._session.dialect.index:
            return {}
        models = self._session.rows("SELECT id, name, dimension FROM models ORDER BY id")
        made = {name: indexes.build(self._session, number, dimension) for number, name, dimension in models}
        return {name: Guess((), one.recall, one.queries, one.made).words for name, one in made.items() if one}

    def within(self, model: ModelId, queries: Matrix, threshold: float) -> Sequence[int] | None:
        return self._contents(model, queries, lambda plan, query: f"AND {plan.within(query, threshold)}")

    def _contents(
        self, model: ModelId, queries: Matrix, ending: Callable[[Plan, Vector], str]
    ) -> Sequence[int] | None:
        number = self._number(model)
        plan = None if number is None else self._plan(number)
        if number is None or plan is None:
            return None
        found = set(self._uncoded(plan, number))
        for query in queries:
            sql = f"SELECT content_id FROM {plan.table} WHERE model_id = {number:d} {ending(plan, query)}"
            found.update(row[0] for row in self._session.rows(sql))
        return sorted(found)

    def search_sql(self, model: ModelId, query: Vector, top: int) -> str | None:
        number = self._number(model)
        plan = None if number is None else self._plan(number)
        if number is None or plan is None:
            return None
        if self._uncoded(plan, number):
            raise StoreError(
                "some vectors of the store have no codes yet, and a statement that goes by codes would miss them",
                hint="`moderator db codes` writes them",
            )
        return plan.statement(number, query, top)

    def write_codes(self) -> int:
        """Writes the search codes of all vectors that lack them, where the engine needs any; returns how many."""
        return codes.complete(self._session, self._column("e.embedding")) if self._session.dialect.planes else 0

    def _plan(self, number: int) -> Plan | None:
        if self._has_cosine:
            return Native(self._session.dialect)
        seed = codes.seed(self._session, number) if self._session.dialect.planes else None
        return Planes(seed) if seed else None

    def _uncoded(self, plan: Plan, number: int) -> Sequence[int]:
        return codes.lacking(self._session, number) if isinstance(plan, Planes) else ()

    @cached_property
    def _has_cosine(self) -> bool:
        """Whether the engine has a cosine of its own: of MySQL only HeatWave has, which is found out by trying."""
        dialect = self._session.dialect
        if dialect.cosine and dialect.planes:
            one = dialect.cosine.format(column="STRING_TO_VECTOR('[1]')", text="[1]")
            try:
                self._session.rows(f"SELECT {one}")
            except StoreError:
                return False
        return bool(dialect.cosine)
