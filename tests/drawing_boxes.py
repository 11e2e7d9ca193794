"""What lies where in an SVG drawing, and what lies on what."""

from __future__ import annotations

import re
from itertools import combinations

from lxml import etree

from twin.process.drawing.text import width_of

SVG = "{http://www.w3.org/2000/svg}"


def text_boxes(root):
    """(content, box, id of the group) of every text; a box is left, top, right, bottom."""
    found = []
    for text in root.iter(f"{SVG}text"):
        x, y, size = (float(text.get(k)) for k in ("x", "y", "font-size"))
        content = "".join(text.itertext())
        wide = width_of(content, size)
        left = x - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor")]
        group = text.getparent().get("id")
        found.append((content, (left, y - 0.8 * size, left + wide, y + 0.2 * size), group))
    return found


def node_boxes(root):
    """Box of every node by its id: of a task its rectangle, of an event its circle, of a gateway its diamond."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") in (None, "legend"):
            continue
        shape = next(c for c in group if c.tag != f"{SVG}title")
        if shape.tag == f"{SVG}rect":
            x, y, w, h = (float(shape.get(k)) for k in ("x", "y", "width", "height"))
            found[group.get("id")] = (x, y, x + w, y + h)
        elif shape.tag == f"{SVG}circle":
            x, y, r = (float(shape.get(k)) for k in ("cx", "cy", "r"))
            found[group.get("id")] = (x - r, y - r, x + r, y + r)
        else:
            x, y, right, half = map(float, re.findall(r"-?[\d.]+", shape.get("d"))[:4])
            found[group.get("id")] = (x - right, y, x + right, y + 2 * half)
    return found


def touch(a, b, slack=0.5):
    """Whether two boxes overlap by more than half a unit."""
    return min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack


def overlaps(svg):
    """Pairs of texts that lie on each other, and of texts and nodes; a text may lie in its own task."""
    root = etree.fromstring(svg.encode())
    texts, nodes = text_boxes(root), node_boxes(root)
    found = [(a, b) for (a, p, _), (b, q, _) in combinations(texts, 2) if touch(p, q)]
    for content, box, group in texts:
        for name, node in nodes.items():
            inside = name == group and node[0] <= box[0] and box[2] <= node[2] and node[1] <= box[1]
            if not (inside and box[3] <= node[3]) and touch(box, node):
                found.append((content, name))
    return found
