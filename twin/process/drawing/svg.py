"""Draws a diagram as SVG, with load and waiting on it if there is a run to show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.process.bpmn.graph import GATEWAYS, Box, Diagram, Element, Kind, Points
from twin.process.drawing import symbols
from twin.process.drawing.labels import Floats, Label, Room, along, around, stretches_of
from twin.process.drawing.layout import LABEL, TASK, Placement, lay_out
from twin.process.drawing.text import FONTS, short_number, short_span, width_of, word, wrapped

Colour = Literal["load", "wait"]
_LOW, _HIGH, _IDLE = (0xEA, 0xF4, 0xEC), (0xE0, 0x5A, 0x47), "#f5f7fa"
_MIDDLE = (0xFB, 0xDB, 0x8B)
_NAME, _SMALL = 12.5, 10.5
_MARGIN = 28.0


@dataclass(frozen=True)
class Load:
    """What a run showed of a task or waiting node.

    Attributes:
        cases: visits, per replication.
        wait_s, service_s: means per visit, in s; NaN where nobody came.
        utilisation: of its pool, NaN where the pool has no limit.
    """

    cases: float
    wait_s: float
    service_s: float
    utilisation: float = math.nan


@dataclass(frozen=True)
class Overlay:
    """A run shown on a drawing.

    Attributes:
        loads: by element; flows: cases by flow; pools: utilisation by pool.
        colour: whether tasks are coloured by the utilisation of their pool or by mean wait.
        caption: what was run.
    """

    loads: Mapping[str, Load]
    flows: Mapping[str, float] = field(default_factory=dict)
    pools: Mapping[str, float] = field(default_factory=dict)
    colour: Colour = "load"
    caption: str = ""


def draw(
    diagram: Diagram,
    overlay: Overlay | None = None,
    *,
    language: str = "en",
    labels: Mapping[str, str] | None = None,
    relayout: bool = False,
) -> str:
    """The diagram as an SVG document.

    Args:
        diagram: what to draw; its own positions are used if it has one for every element.
        overlay: load and waiting of a run.
        language: en or zh, of the words beside the names.
        labels: texts on flows instead of their names, such as probabilities.
        relayout: place everything anew.
    """
    texts = {i: " ".join(filter(None, (f.name, (labels or {}).get(i, "")))) for i, f in diagram.flows.items()}
    placement = None if relayout else own_places(diagram)
    if placement is None:
        placement = lay_out(diagram, {i: width_of(text, _SMALL) for i, text in texts.items() if text})
    return _Picture(diagram, placement, overlay, language, texts).document()


def own_places(diagram: Diagram, *, enlarge: bool = True) -> Placement | None:
    """The places in the diagram's file, enlarged so that tasks have room for text; None if any is missing."""
    elements = diagram.elements.values()
    if not elements or any(e.id not in diagram.shapes for e in elements):
        return None
    if any(f.id not in diagram.edges for f in diagram.flows.values()):
        return None
    widths = sorted(diagram.shapes[e.id].width for e in diagram.of_kind(Kind.TASK)) or [TASK[0]]
    heights = sorted(diagram.shapes[e.id].height for e in diagram.of_kind(Kind.TASK)) or [TASK[1]]
    factor = max(TASK[0] / widths[len(widths) // 2], TASK[1] / heights[len(heights) // 2], 1.0) if enlarge else 1.0
    boxes = {i: _scaled(diagram.shapes[i], factor) for i in diagram.elements}
    lines = {i: tuple((x * factor, y * factor) for x, y in diagram.edges[i]) for i in diagram.flows}
    placement = Placement(boxes, lines)
    return None if _overlap(boxes, diagram) else placement


def _scaled(box: Box, factor: float) -> Box:
    return Box(box.x * factor, box.y * factor, box.width * factor, box.height * factor)


def _overlap(boxes: dict[str, Box], diagram: Diagram) -> bool:
    """Whether tasks lie on each other, as in files whose positions are worth nothing."""
    tasks = [boxes[e.id] for e in diagram.of_kind(Kind.TASK)]
    return any(
        a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
        for i, a in enumerate(tasks)
        for b in tasks[i + 1 :]
    )


class _Picture:
    def __init__(
        self, diagram: Diagram, placement: Placement, overlay: Overlay | None, language: str, labels: Mapping[str, str]
    ) -> None:
        self.diagram, self.boxes, self.lines = diagram, placement.boxes, placement.lines
        self.overlay, self.language, self.labels = overlay, language, labels
        waits = [x.wait_s for x in overlay.loads.values() if math.isfinite(x.wait_s)] if overlay else []
        self.most_wait = max(waits, default=0.0)
        self.most_flow = max(overlay.flows.values(), default=0.0) if overlay else 0.0
        self.texts = self._put_texts()

    def document(self) -> str:
        left, top, right, bottom = self._extent()
        legend = self._legend(left, bottom + 24)
        height = bottom - top + (_MARGIN if self.overlay is None else 24 + 58 + 18 * self._pool_rows(right - left))
        width = max(right - left, 420.0 if self.overlay else 120.0)
        view = " ".join(symbols.number(v) for v in (left, top, width, height))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{symbols.number(width)}" '
            f'height="{symbols.number(height)}" font-family="{escape(FONTS)}" fill="{symbols.INK}">'
        )
        name = self.diagram.name
        title = f"<title>{escape(name)}</title>" + symbols.text(
            left + 14, top + 22, name, 16, "start", font_weight="bold"
        )
        if self.overlay and self.overlay.caption:
            title += symbols.text(left + 14, top + 40, self.overlay.caption, 11, "start", fill=symbols.EDGE)
        page = f'<rect x="{symbols.number(left)}" y="{symbols.number(top)}" width="100%" height="100%" fill="#fff"/>'
        flows = "".join(self._flow(i) for i in self.diagram.flows)
        nodes = "".join(self._node(e) for e in self.diagram.elements.values())
        texts = "".join(self._text_of(i) for i in self.diagram.flows)
        return f"{head}{_ARROWS}{page}{title}{flows}{nodes}{texts}{legend}</svg>\n"

    def _extent(self) -> tuple[float, float, float, float]:
        corners = [(b.x, b.y) for b in self.boxes.values()]
        corners += [(b.x + b.width, b.y + b.height + 30) for b in self.boxes.values()]
        for box in (label.box for label in self.texts.values()):
            corners += [(box.x + _MARGIN, box.y + 12), (box.x + box.width - _MARGIN, box.y + box.height)]
        corners += [p for points in self.lines.values() for p in points]
        xs, ys = [x for x, _ in corners] or [0.0], [y for _, y in corners] or [0.0]
        return min(xs) - _MARGIN - 20, min(ys) - _MARGIN - 38, max(xs) + _MARGIN + 20, max(ys) + _MARGIN

    def _flow(self, identity: str) -> str:
        count = self.overlay.flows.get(identity) if self.overlay else None
        width = 1.4 if count is None or not self.most_flow else 1.0 + 5.0 * count / self.most_flow
        style = {"stroke": symbols.EDGE, "stroke_width": symbols.number(width), "stroke_linejoin": "round"}
        if count == 0:
            style["stroke_dasharray"] = "4 3"
        points = self._clipped(identity)
        label = self.labels[identity]
        told = f"<title>{escape(label)}</title>" if label else ""  # the whole of what may be cut short on the page
        return f'<g id="{escape(identity)}">{told}{symbols.line(points, marker_end="url(#arrow)", **style)}</g>'

    def _clipped(self, identity: str) -> Points:
        """The line, its end drawn back so that the arrow's tip and not its stroke touches the target."""
        points = list(self.lines[identity])
        (x, y), (x0, y0) = points[-1], points[-2]
        length = math.hypot(x - x0, y - y0)
        if length > 6:
            points[-1] = (x - 5 * (x - x0) / length, y - 5 * (y - y0) / length)
        return tuple(points)

    def _put_texts(self) -> dict[str, Label]:
        """Places for the names of events and gateways, then for the texts on flows; by element or flow."""
        room = Room(self.boxes.values(), self.lines.values())
        self._straight, self._owner = self._level_or_upright()
        found = {}
        for element in self.diagram.elements.values():
            if element.kind is not Kind.TASK and (lines := self._caption(element)):
                forms = [lines[:n] + lines[max(n, len(lines) - 1) :] for n in range(len(lines) - 1, 0, -1)]
                wishes = around(self.boxes[element.id], len(lines), _SMALL)
                found[element.id] = room.put(wishes, [lines, *forms, lines[:1]], _SMALL)
        for identity, points in self.lines.items():
            if self.labels[identity]:
                forms = [tuple(wrapped(self.labels[identity], w, _SMALL, 1)) for w in (LABEL, 80, 55)]
                wishes = along(points, _SMALL, width_of(forms[0][0], _SMALL), self._is_shared(identity))
                found[identity] = room.put(wishes, list(dict.fromkeys(forms)), _SMALL)
        return {key: label for key, label in found.items() if label is not None}

    def _level_or_upright(self) -> tuple[Floats, NDArray[np.str_]]:
        """Stretches that run level or upright: rows of least and most x and y, drawn out by one; and whose they are."""
        parts = {identity: stretches_of([points]) for identity, points in self.lines.items()}
        x0, y0, x1, y1 = np.concatenate([np.zeros((0, 4)), *parts.values()]).T
        owner = np.repeat(np.array(list(parts), np.str_), [len(part) for part in parts.values()])
        straight = (np.abs(x1 - x0) < 1) | (np.abs(y1 - y0) < 1)
        rows = np.stack(
            [np.minimum(x0, x1) - 1, np.maximum(x0, x1) + 1, np.minimum(y0, y1) - 1, np.maximum(y0, y1) + 1]
        )
        return rows[:, straight], owner[straight]

    def _is_shared(self, identity: str) -> Callable[[float, float], bool]:
        """Whether another way lies where this one does."""
        others = self._straight[:, self._owner != identity]

        def shared(x: float, y: float) -> bool:
            return bool(((others[0] <= x) & (x <= others[1]) & (others[2] <= y) & (y <= others[3])).any())

        return shared

    def _text_of(self, identity: str) -> str:
        """The text of an element or flow at its place."""
        label = self.texts.get(identity)
        if label is None:
            return ""
        halo = {"stroke": "#fff", "stroke_width": "3", "paint_order": "stroke", "fill": "#334e68"}
        return "".join(
            symbols.text(label.spot.x, label.spot.y + label.leading * i, line, label.size, label.spot.anchor, **halo)
            for i, line in enumerate(label.lines)
        )

    def _node(self, element: Element) -> str:
        box = self.boxes[element.id]
        inside = f"<title>{escape(element.label)}</title>"
        if element.kind is Kind.TASK:
            inside += symbols.task(element, box, self._fill(element)) + self._task_texts(element, box)
        else:
            symbol = symbols.gateway if element.kind in GATEWAYS else symbols.event
            fill = self._fill(element) if element.kind is Kind.CATCH else symbols.PAPER
            inside += symbol(element, box, fill) + self._text_of(element.id)
        return f'<g id="{escape(element.id)}" class="{element.kind}">{inside}</g>'

    def _fill(self, element: Element) -> str:
        if self.overlay is None:
            return "#eef4fb" if element.kind is Kind.TASK else symbols.PAPER
        load = self.overlay.loads.get(element.id)
        if load is None or not load.cases:
            return _IDLE
        if self.overlay.colour == "wait":
            return heat(load.wait_s / self.most_wait if self.most_wait else 0.0)
        return heat(load.utilisation) if math.isfinite(load.utilisation) else _IDLE

    def _task_texts(self, element: Element, box: Box) -> str:
        load = self.overlay.loads.get(element.id) if self.overlay else None
        small = self._numbers(load) if load else []
        hung = 16.0 if any(self.diagram.attached(element.id)) else 0.0
        high = box.height - hung - 6
        small = small[: max(int((high - 15) // 13), 0)]
        room = max(min(3 if small else 5, int((high - 13 * len(small)) // 15)), 1)
        icon = 44 if element.variant else 22
        names = wrapped(element.label, box.width - icon, _NAME, room)
        lane = [element.lane] if element.lane and not small and 15 * len(names) + 13 <= high else []
        total = len(names) * 15 + len(small) * 13 + len(lane) * 13
        y = box.y + (box.height - hung - total) / 2 + 12
        x = box.centre[0]
        parts = []
        for i, name in enumerate(names):
            parts.append(symbols.text(x, y + 15 * i, name, _NAME, font_weight="600"))
        y += 15 * len(names)
        for i, content in enumerate([*small, *lane]):
            shown = wrapped(content, box.width - 8, _SMALL, 1)[0]
            parts.append(symbols.text(x, y + 13 * i, shown, _SMALL, fill="#243b53"))
        return "".join(parts)

    def _numbers(self, load: Load) -> list[str]:
        if not load.cases:
            return [word("no_data", self.language)]
        lines = [f"{short_number(load.cases)} {word('cases', self.language)}"]
        if math.isfinite(load.utilisation):
            lines[0] += f" · {load.utilisation:.0%}"
        for key, value in (("wait", load.wait_s), ("service", load.service_s)):
            if math.isfinite(value):
                lines.append(f"{word(key, self.language)} {short_span(value, self.language)}")
        return lines

    def _caption(self, element: Element) -> tuple[str, ...]:
        """Name of an event or gateway, with cases and time where it has them."""
        if element.kind is Kind.BOUNDARY:
            return tuple(wrapped(element.name, 90, _SMALL, 1))
        lines = wrapped(element.name, 108, _SMALL, 3)
        load = self.overlay.loads.get(element.id) if self.overlay else None
        if load and load.cases and math.isfinite(load.service_s):
            lines.append(f"{short_number(load.cases)} · {short_span(load.service_s, self.language)}")
        return tuple(lines)

    def _pool_rows(self, width: float) -> int:
        return math.ceil(len(self.overlay.pools) / max(int(width // 230), 1)) if self.overlay else 0

    def _legend(self, left: float, top: float) -> str:
        """The scale of colours, what the width of lines means, and the pools."""
        if self.overlay is None:
            return ""
        x, bar, by_load = left + 14, 160.0, self.overlay.colour == "load"
        cells = 32
        parts = [
            f'<rect x="{symbols.number(x + i * bar / cells)}" y="{symbols.number(top + 14)}" '
            f'width="{symbols.number(bar / cells + 0.5)}" height="11" fill="{heat((i + 0.5) / cells)}"/>'
            for i in range(cells)
        ]
        high = "100%" if by_load else short_span(self.most_wait, self.language)
        title = word("utilisation" if by_load else "mean wait", self.language)
        parts.append(symbols.text(x, top + 9, title, 11, "start", font_weight="600"))
        parts.append(symbols.text(x, top + 37, "0", 10, "start"))
        parts.append(symbols.text(x + bar, top + 37, high, 10, "end"))
        if self.most_flow:
            widest = short_number(self.most_flow)
            parts.append(
                symbols.line(
                    ((x + bar + 26, top + 19), (x + bar + 66, top + 19)), stroke=symbols.EDGE, stroke_width="6"
                )
            )
            parts.append(symbols.text(x + bar + 72, top + 23, f"{word('flow', self.language)} ({widest})", 11, "start"))
        return f'<g class="legend">{"".join(parts)}{self._pools(x, top + 56)}</g>'

    def _pools(self, x: float, top: float) -> str:
        if self.overlay is None:
            return ""
        *_, right, _ = self._extent()
        columns = max(int((right - x) // 230), 1)
        parts = []
        for i, (name, load) in enumerate(self.overlay.pools.items()):
            at, y = x + 230 * (i % columns), top + 18 * (i // columns)
            fill = heat(load) if math.isfinite(load) else _IDLE
            place = f'x="{symbols.number(at)}" y="{symbols.number(y)}"'
            parts.append(f'<rect {place} width="11" height="11" rx="2" fill="{fill}" stroke="{symbols.EDGE}"/>')
            shown = f" {load:.0%}" if math.isfinite(load) else ""
            parts.append(symbols.text(at + 17, y + 10, wrapped(name, 150, 11, 1)[0] + shown, 11, "start"))
        return "".join(parts)


_ARROWS = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="5" refY="5" markerWidth="9" markerHeight="9" '
    f'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="{symbols.EDGE}"/>'
    "</marker></defs>"
)


def heat(share: float) -> str:
    """A colour from pale green over yellow to red for 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    a, b, t = (_LOW, _MIDDLE, share * 2) if share < 0.5 else (_MIDDLE, _HIGH, share * 2 - 1)
    return "#" + "".join(f"{round(x + (y - x) * t):02x}" for x, y in zip(a, b, strict=True))
