"""How the colours of two aligned pictures differ, once one change for the whole picture has been taken off.

An edit changes all colours in one way (`change.py`). Where a thing is recoloured, no such change explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from moderator.search.verify.cells import CHROMA, LUMA, Values, amid, at_ends, beyond_clipping, by_block, spread
from moderator.search.verify.change import Explained, explained, unchanged
from moderator.search.verify.features import opencv
from moderator.search.verify.filters import filtered
from moderator.search.verify.geometry import Mask
from moderator.search.verify.photometry import AGREES, Blocks, largest

TONE, HUE = 64.0, 28.0
"""Steps of brightness and of its differences, in levels, by which cells are sorted into colours."""
SHOWN = 0.25
"""Share of the cells of a colour from which on it is shown: text, stickers and captions leave something of it."""
LEVELS = 12.0
"""Levels by which a block may differ from what the change for the whole picture explains."""
PARTS = 4
"""Largest patches that are looked at one by one."""
ALIKE = 1.0
"""Mean difference, in levels, below which two pictures are of the same colours, and no change is sought."""
EXPLAINED = 1.5
"""Mean difference that a smooth change may leave and explains all, so that no other filter is sought."""
AMONG = 0.7
"""Share of the blocks around an edge that agree or are plain, for it to be asked: where a picture meets what it is set
into, one of the two always has an edge."""
MEANT = 0.3
"""How much another filter may leave open, and is meant."""
PATCH = 100.0
"""Blocks of a patch that weigh, where directions are compared, as if nothing were explained."""
JUMP = 16.0
"""Levels between neighbouring cells from which a difference has an edge there."""
FAINT, FAINT_SHARE = 10.0, 0.25
"""Levels between those cells, and the share of that edge, below which a picture shows none itself."""
MOST = 24.0
"""Levels at which a block's difference is counted at most: a sticker's is no measure of the rest."""

Way = tuple[Values, Values, Values]
"""The colours that a change may have led to, what of them is clipped, and those before it."""


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
        misfit: mean difference of the channel that differs most, in levels of 255, each block's `MOST` at most, in the
            direction in which it is less. It is no sign of a pair: it tells which of several originals fits best.
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
    misfit: float


Patch = tuple[Mask, float]
"""Blocks that lie together, and how many they count for."""
Tried = tuple[Colour, Explained, list[Patch]]
"""What a change leaves, the change, and the largest patches that are left."""
UNKNOWN = Colour(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, MOST)
"""Of pictures that overlap in too few blocks to tell."""


def colour(compared: Blocks) -> Colour:
    """Fits one change of colours to the blocks that agree or are plain in both pictures, and measures what is left.

    Either picture may have been made of the other, and an edit brings back neither colours nor clipped levels: the
    direction is told that leaves less unexplained. Where both have the same colours as they are, no change is sought;
    where a smooth one leaves something open, the filters that none explains are tried too.
    """
    asked = compared.seen & (compared.agrees | ~compared.textured)
    if asked.sum() < 6:
        return UNKNOWN
    ours, our_ends, theirs, their_ends = (
        one.astype(np.float64) for one in (compared.ours, compared.our_ends, compared.theirs, compared.their_ends)
    )
    ways: list[Way] = [(ours, our_ends, theirs), (theirs, their_ends, ours)]

    def tried(fit: Explained) -> Tried:
        return _told(fit, asked, compared)

    told, fit, patches = min((tried(unchanged(*way)) for way in ways), key=lambda one: one[0].left)
    if told.misfit < ALIKE:
        return _completed((told, fit, patches), asked, compared)
    at = amid(ours, theirs, asked)

    def smooth(way: Way) -> Tried:
        return tried(explained(*way, asked, compared.agrees, at))

    every = [smooth(way) for way in ways]
    best = min(every, key=_doubt)
    shown, meant = spread(compared.seen, ours), list[Tried]()
    for seen, ends, before in ways if best[0].misfit > EXPLAINED else ():
        for one in filtered(seen, before, shown, at):
            way = seen, ends, one.colours
            other = tried(unchanged(*way)) if one.alone else smooth(way)
            if _doubt(other) < min(one.leaves * _doubt(best), MEANT):
                meant.append(other)
    told, fit, patches = min(meant, key=_doubt, default=best)
    misfit = min(one.misfit for one, *_ in (*every, *meant))
    return _completed((replace(told, misfit=misfit), fit, patches), asked, compared)


def _completed(best: Tried, asked: Mask, compared: Blocks) -> Colour:
    """Adds to what a change leaves what is asked of the best one alone."""
    told, fit, patches = best
    edge, bare = _edge(fit, asked, compared)
    edged = [(size, _bare(patch, edge, bare)) for patch, size in patches]
    return replace(
        told,
        missing=_missing(fit, compared.seen),
        bare=max(edged, default=(0.0, 0.0))[1],
        thing=max((size * (1 - share) for size, share in edged), default=0.0),
    )


def _doubt(tried: Tried) -> float:
    """Returns how much a direction leaves open: a patch that keeps its outline says more than a mean."""
    told, *_ = tried
    return told.unexplained + told.part / PATCH


def _told(fit: Explained, asked: Mask, compared: Blocks) -> Tried:
    """Measures what a change of one picture's colours into the other's leaves, of the asked blocks."""
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
        misfit=float(np.abs(apart).max(axis=1).clip(max=MOST).mean()),
    )
    return measured, fit, patches


def _missing(fit: Explained, seen: Mask) -> float:
    """Returns how many cells the colour has that is missing most; the lesser of the two pictures' numbers."""
    cells = spread(seen, fit.seen)
    shown, expected = fit.seen[cells], fit.expected[cells]
    left = beyond_clipping(shown - expected, at_ends(shown))
    same = (np.abs(left @ LUMA) < 2 * LEVELS) & (np.linalg.norm(left @ CHROMA.T, axis=1) < LEVELS)
    return min(_unshown(one, same) for one in (expected, shown))


def _edge(fit: Explained, asked: Mask, compared: Blocks) -> tuple[Values, Mask]:
    """Returns how strong the edges are between cells that differ and cells that do not, in levels above `JUMP`, and
    where one of the pictures shows none. Within what is seen through, the picture's own edges differ, and are not
    asked; nor is the border of what both pictures show."""
    cv2, around = opencv(), np.ones((3, 3), np.uint8)
    left = beyond_clipping(fit.seen - fit.expected, at_ends(fit.seen)).astype(np.float32)
    odd = cv2.medianBlur((np.abs(left).max(axis=2) > LEVELS).astype(np.uint8), 3)
    among = cv2.blur(asked.astype(np.float32), (5, 5), borderType=cv2.BORDER_CONSTANT) >= AMONG
    edge = cv2.morphologyEx(odd, cv2.MORPH_GRADIENT, around) & spread(among, odd)
    jump, *shown = (
        cv2.morphologyEx(one, cv2.MORPH_GRADIENT, around).max(axis=2) for one in (left, compared.ours, compared.theirs)
    )
    return (jump - JUMP).clip(min=0) * edge, np.minimum(*shown) < np.maximum(FAINT, FAINT_SHARE * jump)


def _bare(patch: Mask, edge: Values, bare: Mask) -> float:
    """Returns the share of a patch's edge that is bare, strong edges counting for more; 0 where it has none."""
    near = opencv().dilate(patch.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    strength = edge * spread(near, edge)
    return float(strength[bare].sum() / max(strength.sum(), 1.0))


def _unshown(colours: Values, same: Mask) -> float:
    """Returns the cells of the colour that is least shown in the same place, less those that are; colours are sorted by
    steps, and again by steps that begin half of one later, as one may lie across an edge of two."""
    steps = np.column_stack([colours @ LUMA / TONE, (colours @ CHROMA.T + 128.0) / HUE])
    across = int(256 / HUE) + 2
    most = 0.0
    for shift in (0.0, 0.5):
        tone, blue, red = np.floor(steps + shift).astype(np.int64).T
        number = (tone * across + blue) * across + red
        found, shown = np.bincount(number), np.bincount(number, weights=same)
        most = max(most, float((found * (1 - shown / np.maximum(found, 1) / SHOWN)).max()))
    return most


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
