"""What is measured of a method's scores: thresholds frozen on one half of the pictures, all else told of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.collection import COPY, RELATIONS, UNSURE, Collection, Flags, Numbers

PRECISIONS = (0.999, 0.99)

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One method's scores `[queries, references]`: higher is closer, minus infinity where it has nothing to say.

    Attributes:
        default: the threshold that the method comes with; None where it has none.
        seconds: how long it took over all; 0 where that tells nothing.
    """

    name: str
    scores: Scores
    default: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class At:
    """What a method finds at one threshold, on the half that set none.

    Attributes:
        threshold: None where no threshold had the precision asked.
        recall: the share of edited copies whose original is found.
        low: the lower end of its 95% interval (Wilson), copies of one picture taken as independent.
        plain: the same share among the plain edits.
        telling: both shares where the original is not too plain to recognise, in this order.
        precision: the share of found pairs that are right; None where nothing is found.
        false: wrong pairs by what they are, and `compared` how many pairs of each there are.
    """

    threshold: float | None
    recall: float
    low: float
    plain: float
    telling: tuple[float, float]
    precision: float | None
    false: Mapping[str, int]
    compared: Mapping[str, int]
    by_edit: Mapping[str, float]

    @property
    def per_million(self) -> float:
        """Wrong pairs in a million comparisons."""
        return 1e6 * sum(self.false.values()) / max(1, sum(self.compared.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """One method: at its own threshold and at frozen ones, by the precision asked."""

    method: str
    average_precision: float
    seconds: float
    default: At | None
    frozen: Mapping[str, At]


class Judge:
    """Holds the truth of a collection, split by family, and tells figures of scores."""

    def __init__(self, collection: Collection) -> None:
        queries, references = collection.judged()
        self._tuned, self._judged = np.ix_(~queries, ~references), np.ix_(queries, references)
        self._relations = collection.relations()
        self._unsure = self._relations == UNSURE
        self._edits = np.array([one.edit for one in collection.queries])[queries]
        self._plain = list(collection.plain)
        self._telling = ~collection.flat[references]

    def row(self, method: Scored) -> Row:
        """Returns a method's figures; what is unsure counts for nothing."""
        method = replace(method, scores=np.where(self._unsure, -np.inf, method.scores))
        tuned, right = method.scores[self._tuned], self._relations[self._tuned] == COPY
        frozen = {f"{wanted}": self.at(method, threshold(tuned, right, wanted)) for wanted in PRECISIONS}
        judged, truth = method.scores[self._judged], self._relations[self._judged] == COPY
        default = None if method.default is None else self.at(method, method.default)
        return Row(method.name, average_precision(judged, truth), method.seconds, default, frozen)

    def at(self, method: Scored, least: float) -> At:
        """Returns what is found from a score on; infinity finds nothing."""
        found, relations = method.scores[self._judged] >= least, self._relations[self._judged]
        truth = relations == COPY
        there = truth.any(axis=1)
        own = (found & truth).any(axis=1)[there]
        edits = self._edits[there]
        simple, telling = np.isin(edits, self._plain), (truth & self._telling).any(axis=1)[there]
        kept = int(found.sum())
        return At(
            threshold=least if np.isfinite(least) else None,
            recall=float(own.mean()),
            low=_low(int(own.sum()), len(own)),
            plain=_mean(own[simple]),
            telling=(_mean(own[telling]), _mean(own[telling & simple])),
            precision=float((found & truth).sum() / kept) if kept else None,
            false=_counted(relations, found),
            compared=_counted(relations, np.ones_like(found)),
            by_edit={edit: float(own[edits == edit].mean()) for edit in sorted(set(edits))},
        )

    def trade_off(self, method: Scored) -> list[tuple[float, float]]:
        """Returns the share of copies that is missed by wrong pairs in a million comparisons, for plots of it: where
        none is wrong, half a pair is told; rising by a factor of two."""
        scores, relations = method.scores[self._judged], self._relations[self._judged]
        truth, wrong = relations == COPY, (relations != COPY) & (relations != UNSURE)
        best = np.where(truth, scores, -np.inf).max(axis=1)[truth.any(axis=1)]
        against = np.sort(scores[wrong])[::-1]
        points = []
        for count in [0, *(2**power for power in range(20))]:
            if count >= len(against):
                break
            missed = float((best <= against[count]).mean())
            points.append((1e6 * max(count, 0.5) / len(against), max(missed, 0.5 / len(best))))
            if not np.isfinite(against[count]):
                break
        return points


def _counted(relations: Numbers, chosen: Flags) -> Mapping[str, int]:
    return {
        name: int(((relations == relation) & chosen).sum())
        for relation, name in enumerate(RELATIONS)
        if relation not in (COPY, UNSURE)
    }


def _mean(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _low(hits: int, of: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(hits, of).proportion_ci(0.95, method="wilson").low)


def threshold(scores: Scores, truth: Flags, precision: float) -> float:
    """Returns the lowest threshold at which at least this share of what is found is right; infinity without one."""
    order = np.argsort(-scores, axis=None, kind="stable")
    order = order[np.isfinite(scores.ravel()[order])]
    ranked = scores.ravel()[order]
    share = np.cumsum(truth.ravel()[order]) / np.arange(1, len(order) + 1)
    # Pairs of one score are found together or not at all.
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.empty(0, dtype=bool)
    good = np.flatnonzero(last & (share >= precision))
    return float(ranked[good[-1]]) if len(good) else np.inf


def average_precision(scores: Scores, truth: Flags) -> float:
    """Returns the micro average precision over all pairs at once (DISC21: arXiv:2106.09672)."""
    order = np.argsort(-scores, axis=None, kind="stable")
    order = order[np.isfinite(scores.ravel()[order])]
    right = truth.ravel()[order]
    found = np.cumsum(right) / np.arange(1, len(order) + 1)
    return float(found[right].sum() / max(1, int(truth.sum())))


def hardest(
    method: Scored, collection: Collection, count: int
) -> tuple[Sequence[tuple[int, int, float]], Sequence[tuple[int, int, float]]]:
    """Returns the highest false and the lowest true pairs as (query, reference, score), at most `count` of each."""
    relations = collection.relations()

    def pairs(chosen: Flags, sign: float) -> list[tuple[int, int, float]]:
        rows, columns = np.nonzero(chosen)
        order = np.argsort(sign * method.scores[rows, columns], kind="stable")[:count]
        return [(int(rows[at]), int(columns[at]), float(method.scores[rows[at], columns[at]])) for at in order]

    negative = (relations != COPY) & (relations != UNSURE)
    return pairs(negative & np.isfinite(method.scores), -1.0), pairs(relations == COPY, 1.0)
