"""How the colours of two aligned pictures differ, once one change for the whole picture has been taken off.

An edit changes all colours in one way (`change.py`). Where a thing is recoloured, no such change explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter

import numpy as np

from moderator.search.verify import outline
from moderator.search.verify.background import without_background
from moderator.search.verify.cells import LUMA, Values, amid, by_block, most, spread
from moderator.search.verify.change import Explained, explained, unchanged
from moderator.search.verify.features import opencv
from moderator.search.verify.filters import filtered
from moderator.search.verify.geometry import Mask
from moderator.search.verify.outline import LEVELS
from moderator.search.verify.photometry import AGREES, Blocks, largest

PARTS = 4
"""Largest patches that are looked at one by one."""
ALIKE = 1.0
"""Mean difference, in levels, below which two pictures are of the same colours, and no change is sought."""
EXPLAINED = 1.5
"""Mean difference that a smooth change may leave and explains all, so that no other filter is sought."""
MEANT = 0.3
"""How much another filter may leave open, and is meant."""
PATCH = 100.0
"""Blocks of a patch that weigh, where directions are compared, as if nothing were explained."""
MOST = 24.0
"""Levels at which a block's difference is counted at most: a sticker's is no measure of the rest."""

FEWEST = 6
"""Fewest blocks whose colours tell anything."""
MOVED = 0.1, 0.25
"""Shares of the blocks that move least, by whose levels an edit of the whole is told from one thing's other colour."""
BEHIND = 0.5
"""How many times as much as a smooth change of all a thing may leave that stands before another background."""

Way = tuple[Values, Values, Values]
"""The colours that a change may have led to, what of them is clipped, and those before it."""
DOUBT = attrgetter("doubt")
"""What ways of explaining are ordered by."""


@dataclass(frozen=True, slots=True)
class Colour:
    """What one change of colours for the whole picture leaves unexplained.

    Shares are of the blocks that agree in texture (`agreeing`) or are plain in both pictures (`plain`), as far as the
    change does not clip them.

    Attributes:
        luma, plain_luma: share of blocks whose brightness differs.
        shading: how uneven the light is, the logarithm of the lightest by the darkest of it.
        chroma, plain_chroma: share of blocks whose colour differs, whatever their brightness.
        left: mean difference of colour, in levels.
        recoloured: the largest connected patch of agreeing blocks that differ in colour or brightness, as a share.
        part: blocks of the largest connected patch, agreeing or plain, that differ so and keep their outline: what is
            laid over a picture brings an outline of its own, a recoloured thing does not.
        part_left: the mean difference of colour there, in levels.
        missing: cells of the one colour of either picture that the other shows next to nowhere there. What is laid over
            a picture hides all colours alike and brings one of its own; of a recoloured thing both colours are missing.
        bare: share of the edge of that patch that one of the pictures does not show: what is laid over a picture, or
            seen through, ends anywhere, a recoloured thing mostly where the thing does in both.
        thing: blocks of the largest patch, each less that share of its own edge.
        cast: by how much the gains of the channels differ, as a standard deviation of their logarithms.
        saturation, gamma: of the change.
        contrast: the mean colour of blocks after the change, in levels from grey: how much there was to compare.
        unexplained: what is left as a share of that, a sticker or a text not counted at its full difference.
        moved, mostly: levels by which all but a tenth, and all but a quarter, of the blocks differ as they are, without
            any change. An edit of the whole moves nearly all colours; what stands around a recoloured thing is as it
            was.
        misfit: mean difference of the channel that differs most, in levels of 255, each block's `MOST` at most, in the
            direction in which it is less, of all blocks that both pictures show. It is no sign of a pair: it tells
            which of several originals fits best.
        words: what was done beside a smooth change, for a person; empty where nothing was.
        among: bool `[rows, columns]`, the blocks that were compared: all seen, or those of a thing before another
            background.
    """

    luma: float
    plain_luma: float
    shading: float
    chroma: float
    plain_chroma: float
    left: float
    recoloured: float
    part: float
    part_left: float
    missing: float
    bare: float
    thing: float
    cast: float
    saturation: float
    gamma: float
    contrast: float
    unexplained: float
    moved: float
    mostly: float
    misfit: float
    words: str = ""
    among: Mask | None = field(default=None, compare=False)


Patch = tuple[Mask, float]
"""Blocks that lie together, and how many they count for."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A change that was tried.

    Attributes:
        told: what it leaves.
        patches: the largest patches that are left.
        compared: the blocks that it was held against.
        words: what it did beside a smooth change, for a person.
    """

    told: Colour
    fit: Explained
    patches: list[Patch]
    compared: Blocks
    words: str = ""

    @property
    def doubt(self) -> float:
        """How much it leaves open: a patch that keeps its outline says more than a mean."""
        return self.told.unexplained + self.told.part / PATCH

    @property
    def misfit(self) -> float:
        """The same as `told.misfit`, of all blocks that both show: a thing may differ so that its texture does not
        agree, as a yellow one on white does from a red one."""
        return _misfit(self.fit.left[self.compared.seen])


UNKNOWN = Colour(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, MOST)
"""Of pictures that overlap in too few blocks to tell."""


def colour(compared: Blocks) -> Colour:
    """Fits one change of colours to the blocks that agree or are plain in both pictures, and measures what is left.

    Either picture may have been made of the other, and an edit brings back neither colours nor clipped levels: the
    direction is told that leaves less unexplained. Where both have the same colours as they are, no change is sought;
    where a smooth one leaves something open, the filters that none explains are tried too.
    """
    asked = compared.asked
    if asked.sum() < FEWEST:
        return UNKNOWN
    ours, our_ends, theirs, their_ends = (
        one.astype(np.float64) for one in (compared.ours, compared.our_ends, compared.theirs, compared.their_ends)
    )
    ways: list[Way] = [(ours, our_ends, theirs), (theirs, their_ends, ours)]
    as_they_are = [_tried(unchanged(*way), compared) for way in ways]
    plainest = min(as_they_are, key=lambda one: one.told.left)
    if plainest.told.misfit < ALIKE:
        return _completed(plainest, plainest.misfit)
    at = amid(ours, theirs, asked)

    def smooth(way: Way, words: str = "") -> Tried:
        return _tried(explained(*way, asked, compared.agrees, at), compared, words)

    every = [smooth(way) for way in ways]
    best = min(every, key=DOUBT)
    shown, meant = spread(compared.seen, ours), list[Tried]()
    if best.told.misfit > EXPLAINED:
        meant += (one for one in map(_before_another, ways, as_they_are) if one and one.doubt < _least(best, BEHIND))
        for seen, ends, before in ways:
            for one in filtered(seen, before, shown, at):
                way = seen, ends, one.colours
                other = _tried(unchanged(*way), compared, one.words) if one.alone else smooth(way, one.words)
                if other.doubt < _least(best, one.leaves):
                    meant.append(other)
    chosen = min(meant, key=DOUBT, default=best)
    return _completed(chosen, min(one.misfit for one in (*every, *meant)))


def _before_another(way: Way, as_it_is: Tried) -> Tried | None:
    """Returns what no change leaves of a thing that stands before another background; None where that is the same."""
    thing = without_background(as_it_is.compared, as_it_is.fit.left)
    if thing is None or thing.asked.sum() < FEWEST:
        return None
    return _tried(unchanged(*way), thing, "one before another background")


def _least(best: Tried, leaves: float) -> float:
    """Returns how much a filter must leave less of than, to be meant, that may leave so many times as much as the best
    smooth change."""
    return min(leaves * best.doubt, MEANT)


def _completed(best: Tried, misfit: float) -> Colour:
    """Adds to what a change leaves what is asked of the best one alone, and the least misfit of all that were tried."""
    compared = best.compared
    edge, bare = outline.edge(best.fit, compared)
    edged = [(size, outline.bare_share(patch, edge, bare)) for patch, size in best.patches]
    ours, theirs = (by_block(one, compared.seen.shape)[compared.asked] for one in (compared.ours, compared.theirs))
    moved, mostly = np.quantile(most(np.abs(ours - theirs)), MOVED).tolist()
    return replace(
        best.told,
        missing=outline.missing(best.fit, compared.seen),
        bare=max(edged, default=(0.0, 0.0))[1],
        thing=max((size * (1 - share) for size, share in edged), default=0.0),
        moved=moved,
        mostly=mostly,
        misfit=misfit,
        words=best.words,
        among=compared.seen,
    )


def _tried(fit: Explained, compared: Blocks, words: str = "") -> Tried:
    """Measures what a change of one picture's colours into the other's leaves, of the asked blocks."""
    asked = compared.asked
    agrees = compared.agrees[asked]
    change, light = fit.change, fit.light[asked]
    seen, expected = (by_block(cells, asked.shape)[asked] for cells in (fit.seen, fit.expected))
    apart, kept = fit.left[asked], by_block(fit.kept, asked.shape)[asked] >= 0.5
    told = kept.sum(axis=1) >= 2
    after = expected + apart
    # Colour is compared at the brightness of each block: that is told by itself.
    scale = ((after * expected).sum(axis=1) / np.maximum((expected**2).sum(axis=1), 1.0)).clip(0.4, 1.6)
    left = np.linalg.norm((after - expected * scale[:, None]) * kept, axis=1)
    luma = np.abs(apart @ LUMA) > 1.5 * LEVELS
    off = left > LEVELS
    odd = off | luma
    textured, plain = told & agrees, told & ~agrees
    patches = _patches(_spread(asked, odd & told), compared)
    part, blocks = max(patches, key=lambda one: one[1], default=(np.zeros_like(asked), 0.0))
    measured = Colour(
        luma=_share(luma, textured),
        plain_luma=_share(luma, plain),
        shading=float(np.log(light.max() / light.min())),
        chroma=_share(off, textured),
        plain_chroma=_share(off, plain),
        left=_mean(left, told),
        recoloured=float(largest(_spread(asked, odd & textured))[asked].mean()),
        part=blocks,
        part_left=_mean(left, part[asked]),
        missing=0.0,
        bare=0.0,
        thing=0.0,
        cast=float(np.log(change.gains).std()),
        saturation=change.saturation,
        gamma=change.gamma,
        contrast=float(_chroma(seen).mean()),
        unexplained=_mean(left.clip(max=2 * LEVELS), told) / max(_mean(_chroma(seen), told), LEVELS),
        moved=0.0,
        mostly=0.0,
        misfit=_misfit(apart),
    )
    return Tried(measured, fit, patches, compared, words)


def _misfit(left: Values) -> float:
    return float(most(np.abs(left)).clip(max=MOST).mean())


def _chroma(colours: Values) -> Values:
    """Returns how far colours are from grey, in levels."""
    away: Values = np.linalg.norm(colours - (colours @ LUMA)[:, None], axis=1)
    return away


def _mean(values: Values, among: Mask) -> float:
    return float(values[among].mean()) if among.any() else 0.0


def _share(told: Mask, among: Mask) -> float:
    return int(np.count_nonzero(told & among)) / max(1, int(np.count_nonzero(among)))


def _spread(asked: Mask, values: Mask) -> Mask:
    """Returns values of the asked blocks as a mask over all blocks."""
    spread = np.zeros(asked.shape, dtype=np.bool_)
    spread[asked] = values
    return spread


def _patches(odd: Mask, compared: Blocks) -> list[Patch]:
    """Returns the largest patches of odd blocks, and how many blocks each has: plain ones count by the share of the
    blocks around the patch that are clear in both pictures and correlate, were it with light and dark exchanged."""
    cv2 = opencv()
    agrees = compared.agrees
    outline = compared.seen & compared.clear & (np.abs(compared.correlation) >= AGREES)
    _, labels, found, _ = cv2.connectedComponentsWithStats(odd.astype(np.uint8), connectivity=8)
    patches = []
    for label in 1 + np.argsort(-found[1:, cv2.CC_STAT_AREA])[:PARTS]:
        patch = labels == label
        around = cv2.dilate(patch.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_) & ~patch
        agreeing = int((patch & agrees).sum())
        patches.append((patch, agreeing + _share(outline, around) * (int(patch.sum()) - agreeing)))
    return patches
