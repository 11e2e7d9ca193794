"""Lines of a drawing: tracks for upright stretches, places kept apart, needless points left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from twin.process.bpmn.graph import Points


class Tracks:
    """Which upright stretch lies on which track of which channel."""

    def __init__(self) -> None:
        self._taken: dict[int, list[list[tuple[float, float, str]]]] = defaultdict(list)
        self._track: dict[tuple[str, str], int] = {}

    def add(self, channel: int, key: tuple[str, str], low: float, high: float, upright: bool, source: str) -> None:
        """Put a stretch on the first track where it meets none, but those from the same source."""
        self._track[key] = 0
        if not upright:
            return
        rows = self._taken[channel]
        apart = (all(s == source or high + 6 < lo or hi + 6 < low for lo, hi, s in row) for row in rows)
        i = next((i for i, free in enumerate(apart) if free), len(rows))
        if i == len(rows):
            rows.append([])
        rows[i].append((low, high, source))
        self._track[key] = i

    def of(self, key: tuple[str, str]) -> int:
        """Track of a stretch."""
        return self._track[key]

    def count(self, channel: int) -> int:
        """How many tracks a channel needs beyond the first."""
        return max(len(self._taken[channel]) - 1, 0)


def separated(wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Places nearest to those wanted (weighted least squares) that keep their order and the gaps between them.

    Args:
        wanted: places, in order.
        gaps: least distance of each to the next, one fewer.
        weights: of each place.
    """
    shift = [0.0]
    for gap in gaps:
        shift.append(shift[-1] + gap)
    blocks: list[tuple[float, float, int]] = []
    for y, s, w in zip(wanted, shift, weights, strict=True):
        blocks.append((y - s, w, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, v, n), (b, w2, m) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * v + b * w2) / (v + w2), v + w2, n + m)]
    flat = [y for y, _, n in blocks for _ in range(n)]
    return [y + s for y, s in zip(flat, shift, strict=True)]


def straightened(points: Sequence[tuple[float, float]]) -> Points:
    """A line without points that it does not need."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < 0.01 and abs(kept[-1][1] - point[1]) < 0.01:
            continue
        if len(kept) > 1 and _in_line(kept[-2], kept[-1], point):
            kept[-1] = point
            continue
        kept.append(point)
    return tuple(kept)


def _in_line(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return any(abs(a[k] - b[k]) < 0.01 and abs(b[k] - c[k]) < 0.01 for k in (0, 1))
