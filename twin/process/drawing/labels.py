"""Places for texts beside nodes and lines: free of nodes, of other texts and, as far as can be, of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twin.process.bpmn.graph import Box, Points
from twin.process.drawing.text import width_of

Floats = NDArray[np.float64]
ASCENT, DESCENT = 0.8, 0.2
"""Height of letters above and below the line that they stand on, in sizes of the font."""
_CROSSED, _SHARED, _STEP = 12.0, 30.0, 0.01
"""Costs: of each line that runs through a text, of standing on a line of several ways, of a later wish."""

_STILL = 1e-9


@dataclass(frozen=True)
class Spot:
    """Where a text stands: x of its anchor (start, middle or end) and the baseline of its first line."""

    x: float
    y: float
    anchor: str = "middle"


@dataclass(frozen=True)
class Label:
    """A text that has its place."""

    lines: tuple[str, ...]
    spot: Spot
    size: float
    leading: float

    @property
    def box(self) -> Box:
        """The rectangle that it covers."""
        wide = max(width_of(line, self.size) for line in self.lines)
        left = self.spot.x - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.spot.anchor]
        high = (ASCENT + DESCENT) * self.size + self.leading * (len(self.lines) - 1)
        return Box(left, self.spot.y - ASCENT * self.size, wide, high)


class Room:
    """What is taken on a drawing.

    Args:
        taken: rectangles of nodes and texts that stand already.
        lines: lines of the drawing by the way that they belong to.
    """

    def __init__(self, taken: Iterable[Box], lines: Iterable[Points]) -> None:
        self.taken = list(taken)
        self._stretches = stretches_of(lines)

    def put(self, wishes: Iterable[tuple[Spot, float]], forms: Sequence[tuple[str, ...]], size: float) -> Label | None:
        """The cheapest free place for a text, which is then taken; None if there is none.

        Args:
            wishes: places with what they cost beside lines that run through them, the first wish the dearest.
            forms: the text, and shorter forms of it that are tried where the longer has no place.
            size: of the font.
        """
        wishes = list(wishes)
        for lines in forms:
            best, least = None, math.inf
            for n, (spot, cost) in enumerate(wishes):
                cost += n * _STEP
                label = Label(lines, spot, size, size + 1.5)
                if cost < least and self.is_free(label.box):
                    cost += _CROSSED * self._crossed(label.box)
                    if cost < least:
                        best, least = label, cost
            if best is not None:
                self.taken.append(best.box)
                return best
        return None

    def is_free(self, box: Box) -> bool:
        """Whether nothing stands there."""
        return not any(
            a.x < box.x + box.width and box.x < a.x + a.width and a.y < box.y + box.height and box.y < a.y + a.height
            for a in self.taken
        )

    def _crossed(self, box: Box) -> int:
        """How many stretches of lines run through a rectangle or nearly so, as lines may be thick."""
        box = Box(box.x - 2, box.y - 1, box.width + 4, box.height + 2)
        return int(np.count_nonzero(_meets(self._stretches, box)))


def stretches_of(lines: Iterable[Points]) -> Floats:
    """The straight stretches of lines, a row each: x and y of its beginning and of its end."""
    rows = [(*a, *b) for points in lines for a, b in pairwise(points)]
    return np.array(rows, np.float64).reshape(-1, 4)


def _meets(stretches: Floats, box: Box) -> NDArray[np.bool_]:
    """Which stretches and a rectangle meet (a stretch is cut to the rectangle's sides, one after another)."""
    low, high = np.zeros(len(stretches)), np.ones(len(stretches))
    meets = np.ones(len(stretches), bool)
    for k, near, far in ((0, box.x, box.x + box.width), (1, box.y, box.y + box.height)):
        begin, along = stretches[:, k], stretches[:, k + 2] - stretches[:, k]
        still = np.abs(along) < _STILL
        meets &= ~still | ((near < begin) & (begin < far))
        step = np.where(still, 1.0, along)
        first, last = (near - begin) / step, (far - begin) / step
        low = np.where(still, low, np.maximum(low, np.minimum(first, last)))
        high = np.where(still, high, np.minimum(high, np.maximum(first, last)))
    return meets & (low < high)


def around(box: Box, lines: int, size: float) -> Iterator[tuple[Spot, float]]:
    """Wishes for the name of an event or gateway: below, above, then beside its corners."""
    leading = size + 1.5
    x, below = box.centre[0], box.y + box.height + size + 2.5
    above = box.y - 4 - leading * (lines - 1)
    left, right = box.x - 3, box.x + box.width + 3
    yield Spot(x, below), 0.0
    yield Spot(x, above), 2.0
    for y in (below - size, above + size):
        yield Spot(right - 8, y, "start"), 4.0
        yield Spot(left + 8, y, "end"), 4.0
    for k in (1, 2, 3, 5, 8):
        for side, anchor in ((right - 8, "start"), (left + 8, "end"), (x, "middle")):
            yield Spot(side, below + k * 0.6 * leading, anchor), 6.0
            yield Spot(side, above - k * 0.6 * leading, anchor), 6.0


def along(
    points: Points, size: float, wide: float, shared: Callable[[float, float], bool]
) -> Iterator[tuple[Spot, float]]:
    """Wishes for the text of a way: on its level stretches, near the source first; then beside the upright ones.

    Args:
        points: of the way.
        size: of the font.
        wide: width of the text.
        shared: whether other ways pass a point, where the text would not say which way it belongs to.
    """
    stretches = list(pairwise(points))
    for n, (a, b) in enumerate(stretches):
        length = math.hypot(b[0] - a[0], b[1] - a[1])
        if length < 1:
            continue
        far = 3.0 * min(n, 4)
        level = abs(b[0] - a[0]) > 2 * abs(b[1] - a[1])
        half = wide / 2 + 7
        reach = max(length - 2 * half, 0.0)
        tight = 8.0 if level and length < wide else 0.0
        for k in (0.0, 0.25, 0.5, 0.75, 1.0):
            at = half + k * reach if level and length > 2 * half else length * (0.5 if level else 0.15 + 0.7 * k)
            x, y = a[0] + (b[0] - a[0]) * at / length, a[1] + (b[1] - a[1]) * at / length
            cost = far + tight + 4 * k + (_SHARED if shared(x, y) else 0.0)
            if level:
                yield Spot(x, y - 5), cost
                yield Spot(x, y + 5 + ASCENT * size), cost + 2
            else:
                yield Spot(x + 6, y + 0.3 * size, "start"), cost + 5
                yield Spot(x - 6, y + 0.3 * size, "end"), cost + 6
