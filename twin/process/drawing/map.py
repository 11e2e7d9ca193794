"""Draws what an event log holds as a map: activities, the ways between them, how often and how long cases rest."""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise
from typing import Literal

from twin.process.bpmn.graph import Box
from twin.process.drawing import symbols
from twin.process.drawing.flows import BEGIN, FINISH, Activity, FlowMap, Way
from twin.process.drawing.layers import Places, place
from twin.process.drawing.layers import Way as Line
from twin.process.drawing.text import FONTS, short_number, short_span, width_of, word, wrapped

Waits = Literal["median", "mean"]
_NAME, _SMALL, _TEXT = 12.5, 10.5, 10.0
_WIDE, _ROUND = 190.0, 15.0
_PALE, _DEEP = (0xF1, 0xF6, 0xFB), (0x8F, 0xB8, 0xDE)
_COOL, _HOT = (0x8A, 0x97, 0xA6), (0xC7, 0x36, 0x2B)
_MARGIN = 24.0


def draw_map(found: FlowMap, *, title: str = "", language: str = "en", waits: Waits = "median") -> str:
    """A map as an SVG document.

    Args:
        found: what the log holds.
        title: above the drawing.
        language: en or zh, of the words beside the names.
        waits: which waits stand on the ways; colours go by their sum.
    """
    return _Map(found, title, language, waits).document()


class _Map:
    def __init__(self, found: FlowMap, title: str, language: str, waits: Waits) -> None:
        self.found, self.title, self.language, self.waits = found, title, language, waits
        self.most = max((a.count for a in found.activities), default=1)
        self.most_way = max((w.count for w in found.ways), default=1)
        self.waiting = [w.count * w.mean_s if math.isfinite(w.mean_s) else 0.0 for w in found.ways]
        self.most_waiting = max(self.waiting, default=0.0)
        self.names = [wrapped(a.name, _WIDE - 20, _NAME, 3) for a in found.activities]
        self.details = [self._details(a) for a in found.activities]
        self.texts = [self._way_text(w) for w in found.ways]
        self.places = self._placed()

    def _details(self, activity: Activity) -> list[str]:
        """What stands below the name of an activity."""
        lines = [f"{activity.count:,}"]
        if activity.cases < activity.count:
            lines[0] += " · " + word("in cases", self.language).format(n=f"{activity.cases:,}")
        span = activity.median_s if self.waits == "median" else activity.mean_s
        if math.isfinite(span):
            lines.append(f"{word(self.waits, self.language)} {short_span(span, self.language)}")
        if activity.people > 1:
            words = {"n": f"{activity.people:,}", "share": f"{activity.busiest:.0%}"}
            lines.append(word("people", self.language).format(**words))
        return lines

    def _way_text(self, way: Way) -> str:
        wait = way.median_s if self.waits == "median" else way.mean_s
        count = short_number(way.count)
        return f"{count} · {short_span(wait, self.language)}" if wait > 0 else count

    def _node(self, number: int) -> int:
        """Number of an activity, the beginning or the end in the layout."""
        n = len(self.found.activities)
        return {BEGIN: n, FINISH: n + 1}.get(number, number)

    def _placed(self) -> Places:
        sizes = []
        for names, details in zip(self.names, self.details, strict=True):
            widest = max([width_of(t, _NAME) * 1.06 for t in names] + [width_of(t, _SMALL) for t in details])
            sizes.append((max(widest + 20, 90.0), 15.0 * len(names) + 13.0 * len(details) + 12))
        sizes += [(2 * _ROUND, 2 * _ROUND)] * 2
        lines = [
            Line(
                self._node(w.source),
                self._node(w.target),
                w.count / self.most_way,
                (width_of(t, _TEXT) + 4, _TEXT + 4),
            )
            for w, t in zip(self.found.ways, self.texts, strict=True)
        ]
        inner = sorted(range(len(self.names)), key=lambda i: (self.found.activities[i].place, i))
        return place(sizes, lines, [self._node(BEGIN), *inner, self._node(FINISH)])

    def document(self) -> str:
        left, top, right, bottom = self._extent()
        width = max(right - left, 480.0)
        foot = self._legend(left + _MARGIN, bottom + 12)
        view = " ".join(symbols.number(v) for v in (left, top, width, bottom + 62 - top))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{symbols.number(width)}" '
            f'height="{symbols.number(bottom + 62 - top)}" font-family="{escape(FONTS)}" fill="{symbols.INK}">'
        )
        page = f'<rect x="{symbols.number(left)}" y="{symbols.number(top)}" width="100%" height="100%" fill="#fff"/>'
        shown = wrapped(self.title, width - 2 * _MARGIN, 16, 1)
        title = "".join(symbols.text(left + _MARGIN, top + 26, t, 16, "start", font_weight="bold") for t in shown)
        said = f"<title>{escape(self.title)}</title>" if self.title else ""
        for i, line in enumerate(wrapped(self._caption(), width - 2 * _MARGIN, 11, 3)):
            title += symbols.text(left + _MARGIN, top + 44 + 15 * i, line, 11, "start", fill=symbols.EDGE)
        ways = "".join(self._way(i) for i in reversed(range(len(self.found.ways))))  # the commonest uppermost
        nodes = "".join(self._box(i) for i in range(len(self.names))) + self._bounds()
        texts = "".join(self._text(i) for i in range(len(self.texts)))
        return f"{head}{said}{_DEFINITIONS}{page}{title}{ways}{nodes}{texts}{foot}</svg>\n"

    def _caption(self) -> str:
        found = self.found
        words = {
            "cases": f"{found.cases:,}",
            "activities": str(len(found.activities)),
            "of": str(found.all_activities),
            "work": f"{found.work:.1%}",
            "ways": str(sum(w.source >= 0 and w.target >= 0 for w in found.ways)),
            "all": str(found.all_ways),
            "steps": f"{found.steps:.1%}",
        }
        return word("map caption", self.language).format(**words)

    def _extent(self) -> tuple[float, float, float, float]:
        boxes = [*self.places.boxes, *self.places.texts]
        xs = [x for b in boxes for x in (b.x, b.x + b.width)] + [x for line in self.places.lines for x, _ in line]
        ys = [y for b in boxes for y in (b.y, b.y + b.height)]
        return min(xs) - _MARGIN, min(ys) - 92, max(xs) + _MARGIN, max(ys) + _MARGIN / 2

    def _way(self, i: int) -> str:
        way, line = self.found.ways[i], self.places.lines[i]
        share = self.waiting[i] / self.most_waiting if self.most_waiting else 0.0
        width = 1.0 + 6.0 * math.sqrt(way.count / self.most_way)
        bound = way.source < 0 or way.target < 0
        colour = _mix(_COOL, _HOT, share)
        dash = ' stroke-dasharray="5 3"' if bound else ""
        path = f'<path d="{_loop(line) if way.source == way.target else _curve(line)}" fill="none" stroke="{colour}"'
        drawn = f'{path} stroke-width="{symbols.number(width)}"{dash} marker-end="url(#tip)"/>'
        return f'<g id="w{i}"><title>{escape(self._told(way))}</title>{drawn}</g>'

    def _told(self, way: Way) -> str:
        """The whole of what is known of a way, shown where the pointer rests on it."""
        bounds = {BEGIN: word("begin", self.language), FINISH: word("finish", self.language)}
        names = [bounds.get(k) or self.found.activities[k].name for k in (way.source, way.target)]
        text = f"{names[0]} → {names[1]}: {way.count:,}"
        for key, value in (("median", way.median_s), ("mean", way.mean_s)):
            if math.isfinite(value):
                text += f", {word('wait', self.language)} {word(key, self.language)} {short_span(value, self.language)}"
        return text

    def _text(self, i: int) -> str:
        box: Box = self.places.texts[i]
        halo = {"stroke": "#fff", "stroke_width": "3", "paint_order": "stroke", "fill": "#334e68"}
        return symbols.text(box.x + 2, box.y + _TEXT, self.texts[i], _TEXT, "start", **halo)

    def _box(self, i: int) -> str:
        activity, box = self.found.activities[i], self.places.boxes[i]
        fill = _mix(_PALE, _DEEP, activity.count / self.most)
        place_ = f'x="{symbols.number(box.x)}" y="{symbols.number(box.y)}" width="{symbols.number(box.width)}"'
        rect = f'<rect {place_} height="{symbols.number(box.height)}" rx="8" fill="{fill}" stroke="{symbols.EDGE}"/>'
        x, y = box.centre[0], box.y + 17
        parts = [symbols.text(x, y + 15 * k, t, _NAME, font_weight="600") for k, t in enumerate(self.names[i])]
        y += 15 * len(self.names[i]) - 1
        parts += [symbols.text(x, y + 13 * k, t, _SMALL, fill="#243b53") for k, t in enumerate(self.details[i])]
        return f'<g id="a{i}" class="task"><title>{escape(activity.name)}</title>{rect}{"".join(parts)}</g>'

    def _bounds(self) -> str:
        """The circles where cases come from and go to, as those of a process diagram."""
        parts = []
        for key, number, width in (("begin", BEGIN, "1.6"), ("finish", FINISH, "3.6")):
            x, y = self.places.boxes[self._node(number)].centre
            circle = symbols.circle(x, y, _ROUND - 2, fill="#fff", stroke=symbols.INK, stroke_width=width)
            name = word(key, self.language)
            label = symbols.text(x, y - _ROUND - 4 if number == BEGIN else y + _ROUND + 12, name, _SMALL)
            parts.append(f'<g id="{key}" class="{key}"><title>{name}</title>{circle}{label}</g>')
        return "".join(parts)

    def _legend(self, x: float, y: float) -> str:
        parts = []
        for k in range(24):
            place_ = f'x="{symbols.number(x + 5 * k)}" y="{symbols.number(y + 14)}"'
            parts.append(f'<rect {place_} width="5.5" height="6" fill="{_mix(_COOL, _HOT, (k + 0.5) / 24)}"/>')
        total = sum(self.waiting)
        most = f"{self.most_waiting / total:.0%}" if total else "0%"
        words = word("map colours", self.language).format(most=most)
        for k, text in enumerate(
            (words, word("map texts", self.language).format(kind=word(self.waits, self.language)))
        ):
            parts.append(symbols.text(x + (130 if not k else 0), y + 20 + 18 * k, text, 11, "start"))
        return f'<g class="legend">{"".join(parts)}</g>'


def _curve(line: list[tuple[float, float]]) -> str:
    """A smooth line that is upright at each of its points, ending short of its tip."""
    down = line[-1][1] > line[0][1]
    x, y = line[-1]
    points = [*line[:-1], (x, y - 6 if down else y + 6)]
    n = symbols.number
    path = f"M{n(points[0][0])} {n(points[0][1])}"
    for (a, b), (c, d) in pairwise(points):
        if abs(a - c) < 0.05:
            path += f"V{n(d)}"
        else:
            middle = (b + d) / 2
            path += f"C{n(a)} {n(middle)} {n(c)} {n(middle)} {n(c)} {n(d)}"
    return path


def _loop(line: list[tuple[float, float]]) -> str:
    (x, y), (_, z) = line
    n = symbols.number
    return f"M{n(x)} {n(y)}C{n(x + 30)} {n(y - 8)} {n(x + 30)} {n(z + 8)} {n(x + 6)} {n(z)}"


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], share: float) -> str:
    share = min(max(share, 0.0), 1.0)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))


_DEFINITIONS = (
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="4" refY="5" markerWidth="10" markerHeight="10" '
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="#52606d"/></marker></defs>'
)
