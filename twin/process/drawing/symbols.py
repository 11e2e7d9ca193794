"""BPMN symbols as SVG: tasks, gateways, events, their markers and icons."""

from __future__ import annotations

import math
from html import escape

from twin.process.bpmn.graph import Box, Element, Kind

INK, PAPER, EDGE = "#1f2933", "#ffffff", "#52606d"


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def text(x: float, y: float, content: str, size: float, anchor: str = "middle", **style: str) -> str:
    """A line of text with its baseline at y."""
    extra = "".join(f' {k.replace("_", "-")}="{escape(v)}"' for k, v in style.items())
    place = f'x="{number(x)}" y="{number(y)}" font-size="{number(size)}" text-anchor="{anchor}"'
    return f"<text {place}{extra}>{escape(content)}</text>"


def line(points: tuple[tuple[float, float], ...], **style: str) -> str:
    """A line through points."""
    extra = "".join(f' {k.replace("_", "-")}="{escape(v)}"' for k, v in style.items())
    path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polyline points="{path}" fill="none"{extra}/>'


def circle(x: float, y: float, r: float, **style: str) -> str:
    """A circle."""
    extra = "".join(f' {k.replace("_", "-")}="{escape(v)}"' for k, v in style.items())
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}"{extra}/>'


def _path(d: str, width: float = 1.4, fill: str = "none") -> str:
    return f'<path d="{d}" fill="{fill}" stroke="{INK}" stroke-width="{number(width)}" stroke-linejoin="round"/>'


def task(element: Element, box: Box, fill: str) -> str:
    """The rectangle of a task with its icon and marker."""
    width = "3" if element.variant == "call" else "1.4"
    place = f'x="{number(box.x)}" y="{number(box.y)}" width="{number(box.width)}" height="{number(box.height)}"'
    parts = [f'<rect {place} rx="9" fill="{fill}" stroke="{INK}" stroke-width="{width}"/>']
    parts.append(_task_icon(element.variant, box.x + 6, box.y + 6))
    if element.repetition is not None:
        parts.append(_repetition(box, parallel=element.repetition.parallel))
    return "".join(parts)


def _task_icon(variant: str, x: float, y: float) -> str:
    match variant:
        case "user" | "manual":
            head = circle(x + 6, y + 4, 3.2, fill="none", stroke=INK, stroke_width="1.2")
            return head + _path(f"M{number(x)} {number(y + 14)}q0-6 6-6t6 6z", 1.2)
        case "service" | "script" | "rule":
            teeth = "".join(
                f"M{number(x + 6 + 4.2 * math.cos(a))} {number(y + 7 + 4.2 * math.sin(a))}"
                f"L{number(x + 6 + 6.6 * math.cos(a))} {number(y + 7 + 6.6 * math.sin(a))}"
                for a in (k * math.pi / 4 for k in range(8))
            )
            return circle(x + 6, y + 7, 4.2, fill="none", stroke=INK, stroke_width="1.2") + _path(teeth, 1.8)
        case "send" | "receive":
            return _envelope(x + 7, y + 7, 14, filled=variant == "send")
    return ""


def _envelope(x: float, y: float, width: float, *, filled: bool) -> str:
    w, h = width / 2, width / 3
    fill, stroke = (INK, PAPER) if filled else (PAPER, INK)
    box = f"M{number(x - w)} {number(y - h)}h{number(2 * w)}v{number(2 * h)}h{number(-2 * w)}z"
    flap = f"M{number(x - w)} {number(y - h)}l{number(w)} {number(h)}l{number(w)} {number(-h)}"
    return f'<path d="{box}" fill="{fill}" stroke="{INK}"/><path d="{flap}" fill="none" stroke="{stroke}"/>'


def _repetition(box: Box, *, parallel: bool) -> str:
    x, y = box.x + box.width / 2, box.y + box.height - 5
    if parallel:
        return _path("".join(f"M{number(x + k)} {number(y)}v-8" for k in (-4, 0, 4)), 2)
    return _path("".join(f"M{number(x - 5)} {number(y - k)}h10" for k in (0, 4, 8)), 2)


def gateway(element: Element, box: Box, fill: str = PAPER) -> str:
    """The diamond of a gateway with its sign."""
    (x, y), r = box.centre, min(box.width, box.height) / 2
    top, left = f"M{number(x)} {number(y - box.height / 2)}", number(box.width / 2)
    half = number(box.height / 2)
    outline = f"{top}l{left} {half}l-{left} {half}l-{left} -{half}z"
    parts = [f'<path d="{outline}" fill="{fill}" stroke="{INK}" stroke-width="1.6"/>']
    k = r * 0.36
    match element.kind:
        case Kind.PARALLEL:
            bars = f"M{number(x - k)} {number(y)}h{number(2 * k)}M{number(x)} {number(y - k)}v{number(2 * k)}"
            parts.append(_path(bars, 3))
        case Kind.INCLUSIVE:
            parts.append(circle(x, y, k * 1.1, fill="none", stroke=INK, stroke_width="2.6"))
        case Kind.EVENT_BASED:
            parts.append(circle(x, y, k * 1.45, fill="none", stroke=INK, stroke_width="1"))
            corners = [(x + k * math.sin(2 * math.pi * i / 5), y - k * math.cos(2 * math.pi * i / 5)) for i in range(5)]
            parts.append(_path("M" + "L".join(f"{number(a)} {number(b)}" for a, b in corners) + "z", 1.2))
        case _:
            m = k * 0.8
            cross = f"M{number(x - m)} {number(y - m)}l{number(2 * m)} {number(2 * m)}m0 {number(-2 * m)}"
            parts.append(_path(f"{cross}l{number(-2 * m)} {number(2 * m)}", 3))
    return "".join(parts)


def event(element: Element, box: Box, fill: str = PAPER) -> str:
    """The circle of an event: thin for a start, thick for an end, double between, dashed if it does not interrupt."""
    (x, y), r = box.centre, min(box.width, box.height) / 2
    dashed = {} if element.interrupting else {"stroke_dasharray": "3 2"}
    width = {Kind.START: "1.6", Kind.END: "3.6"}.get(element.kind, "1.3")
    parts = [circle(x, y, r, fill=fill, stroke=INK, stroke_width=width, **dashed)]
    if element.kind in (Kind.CATCH, Kind.THROW, Kind.BOUNDARY):
        parts.append(circle(x, y, r - 3, fill="none", stroke=INK, stroke_width="1.1", **dashed))
    parts.append(_trigger(element, x, y, r * 0.52))
    return "".join(parts)


def _trigger(element: Element, x: float, y: float, r: float) -> str:
    filled = element.kind in (Kind.END, Kind.THROW)
    match element.variant:
        case "timer":
            ticks = "".join(
                f"M{number(x + 0.75 * r * math.sin(a))} {number(y - 0.75 * r * math.cos(a))}"
                f"L{number(x + r * math.sin(a))} {number(y - r * math.cos(a))}"
                for a in (k * math.pi / 6 for k in range(12))
            )
            hands = f"M{number(x)} {number(y - 0.7 * r)}V{number(y)}L{number(x + 0.5 * r)} {number(y + 0.15 * r)}"
            return circle(x, y, r, fill="none", stroke=INK, stroke_width="1") + _path(ticks, 0.8) + _path(hands, 1.2)
        case "message":
            return _envelope(x, y, 1.8 * r, filled=filled)
        case "terminate":
            return circle(x, y, 1.15 * r, fill=INK)
        case "error":
            bolt = (
                f"M{number(x - r)} {number(y + r)}l{number(0.6 * r)} {number(-1.8 * r)}l{number(0.7 * r)} {number(r)}"
            )
            return _path(f"{bolt}l{number(0.7 * r)} {number(-1.2 * r)}", 1.6)
        case "signal" | "escalation" | "conditional":
            peak = f"M{number(x)} {number(y - r)}L{number(x + 0.9 * r)} {number(y + 0.7 * r)}H{number(x - 0.9 * r)}z"
            return _path(peak, 1.2, INK if filled else "none")
    return ""
