"""What is wrong with a process model beyond its form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twin.contracts import Segment
from twin.errors import ScenarioError
from twin.process.nodes import Choice, End, Fork, InclusiveJoin, InclusiveSplit, Join, Race, Task
from twin.process.parts import SEGMENT_NAMES, BySegment, Part, Path, When

if TYPE_CHECKING:
    from twin.process.model import ProcessModel

Problem = tuple[Path, str, str]
_INSTANT = (Choice, Fork, Join, InclusiveSplit, InclusiveJoin)


def _unknown(what: str, name: str, known: Any) -> tuple[str, str]:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known) or 'none'}."
    return f"there is no {what} {name!r}", hint


def targets(name: str, node: Any) -> Iterator[tuple[Path, str]]:
    """Every node that a node refers to, with the path of the reference."""
    if isinstance(node, End):
        return
    base: Path = ("nodes", name)
    if isinstance(node.next, str):
        yield (*base, "next"), node.next
    else:
        for i, branch in enumerate(node.next):
            yield (*base, "next", i, "to"), branch.to
    if isinstance(node, InclusiveSplit) and node.otherwise is not None:
        yield (*base, "otherwise"), node.otherwise
    if isinstance(node, Task):
        yield from _task_targets(base, node)


def _task_targets(base: Path, node: Task) -> Iterator[tuple[Path, str]]:
    if node.on_abandon is not None:
        yield (*base, "on_abandon"), node.on_abandon
    if node.rework is not None:
        yield (*base, "rework", "to"), node.rework.to
        if node.rework.otherwise is not None:
            yield (*base, "rework", "otherwise"), node.rework.otherwise
    for i, event in enumerate(node.boundary):
        yield (*base, "boundary", i, "to"), event.to
    if node.queue_limit is not None and node.queue_limit.to is not None:
        yield (*base, "queue_limit", "to"), node.queue_limit.to


def _way_problems(name: str, node: Any) -> Iterator[Problem]:
    """Wrong probabilities and conditions of the ways out of a node."""
    base: Path = ("nodes", name)
    if not node.branches:
        yield (*base, "next"), f"node {name!r} leads nowhere", "Give `next`, or make it an end."
        return
    if isinstance(node, Race):
        if not any(set(b.probability.values()) == {1.0} for b in node.next):
            yield (*base, "next"), "the case may wait for ever", "One branch must be sure to come."
        return
    if isinstance(node, Fork):
        for i, branch in enumerate(node.branches):
            if branch.when is not None or "probability" in branch.model_fields_set:
                hint = "For branches taken or not, use an inclusive_split."
                yield (*base, "next", i), "a fork goes all its ways, without probability or condition", hint
        return
    if isinstance(node, InclusiveSplit):
        return
    drawn = [b for b in node.branches if b.when is None]
    if not drawn:
        yield (*base, "next"), "nothing is said for cases in which no condition holds", "Give a branch without `when`."
        return
    holds = [frozenset[When](), *(frozenset([c.when]) for b in drawn for c in b.probability.cases)]
    for segment in Segment:
        for truth in holds:
            total = sum(b.probability.of(segment, truth) for b in drawn)
            if abs(total - 1) > 1e-9:
                what = f"the probabilities sum to {total:g} for {segment.name.lower()}"
                yield (*base, "next"), what, "They must sum to 1."
                return


def _task_problems(name: str, node: Task, model: ProcessModel) -> Iterator[Problem]:
    base: Path = ("nodes", name)
    if node.rework is not None and (node.rework.limit is None) != (node.rework.otherwise is None):
        yield (*base, "rework"), "limit and otherwise belong together", "Give both or neither."
    pool = model.pools.get(node.pool)
    if pool is None:
        yield ((*base, "pool"), *_unknown("pool", node.pool, model.pools))
        return
    members = {n: m for m in pool.members for n in m.names}
    for key, wanted in (("members", node.members), ("by_member", tuple(node.by_member))):
        for member in wanted:
            if member not in members:
                yield ((*base, key), *_unknown(f"member of {node.pool!r}", member, members))
    if node.skills or node.members:
        able = [m for n, m in members.items() if set(node.skills) <= set(m.skills)]
        if node.members:
            able = [m for m in able if set(m.names) & set(node.members)]
        if not able:
            known = sorted({s for m in pool.members for s in m.skills})
            hint = f"Skills there: {', '.join(known) or 'none'}."
            yield (*base, "skills"), f"no member of {node.pool!r} can do {name!r}", hint


def _calendar_uses(model: ProcessModel) -> Iterator[tuple[Path, str | None]]:
    for name, pool in model.pools.items():
        yield ("pools", name, "calendar"), pool.calendar
        for i, member in enumerate(pool.members):
            yield ("pools", name, "members", i, "calendar"), member.calendar
    for name, node in model.nodes.items():
        yield ("nodes", name, "calendar"), getattr(node, "calendar", None)
        if isinstance(node, Race):
            for i, branch in enumerate(node.next):
                yield ("nodes", name, "next", i, "calendar"), branch.calendar
        if isinstance(node, Task):
            for i, event in enumerate(node.boundary):
                yield ("nodes", name, "boundary", i, "calendar"), event.calendar
    for name, deadline in model.deadlines.items():
        yield ("deadlines", name, "calendar"), deadline.calendar
    if model.arrivals is not None:
        yield ("arrivals", "calendar"), model.arrivals.calendar


def attribute_uses(part: Any, path: Path, but: type[Part] | None = None) -> Iterator[tuple[Path, When]]:
    """Every condition in a part of a model, with its path; not those in parts of a type, if it is given."""
    if isinstance(part, When):
        yield path, part
    elif isinstance(part, Part):
        if but is None or not isinstance(part, but):
            for key, field in type(part).model_fields.items():
                yield from attribute_uses(getattr(part, key), (*path, field.alias or key), but)
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from attribute_uses(value, (*path, key), but)
    elif isinstance(part, tuple):
        for i, value in enumerate(part):
            yield from attribute_uses(value, (*path, i), but)


def _attribute_problems(model: ProcessModel) -> Iterator[Problem]:
    known = ["segment", *model.attributes]
    if "segment" in model.attributes:
        yield ("attributes", "segment"), "'segment' is the kind of client, which every case has", "Choose another name."
    for path, when in attribute_uses(model.nodes, ("nodes",)):
        for leaf in when.leaves():
            yield from _leaf_problems(model, leaf, path, known)
    for name, node in model.nodes.items():
        numeric: list[tuple[Path, str]] = [
            (("nodes", name, "scale"), s.attribute) for s in getattr(node, "scale", ()) if s.attribute is not None
        ]
        if isinstance(node, Task) and node.repeat is not None and node.repeat.count.attribute is not None:
            numeric.append((("nodes", name, "repeat", "count"), node.repeat.count.attribute))
        for place, attribute in numeric:
            if attribute not in model.attributes:
                yield (place, *_unknown("attribute", attribute, model.attributes))
            elif model.attributes[attribute].names:
                yield place, f"attribute {attribute!r} is not a number", "Use `cases` with `when` for categories."


def _leaf_problems(model: ProcessModel, leaf: When, path: Path, known: list[str]) -> Iterator[Problem]:
    name = str(leaf.attribute)
    if name not in known:
        yield (path, *_unknown("attribute", name, known))
        return
    categories = SEGMENT_NAMES if name == "segment" else model.attributes[name].names
    asked = (*(leaf.is_in or ()), *(leaf.not_in or ()))
    for category in asked if categories else ():
        if category not in categories:
            yield (path, *_unknown(f"category of {name!r}", category, categories))
    if asked and not categories:
        yield path, f"attribute {name!r} is a number", "Use at_least, above, at_most or below."
    limits = (leaf.at_least, leaf.above, leaf.at_most, leaf.below)
    if categories and any(v is not None for v in limits):
        yield path, f"attribute {name!r} is not a number", "Use `in` or `not_in`."


def _timeless_cycle(model: ProcessModel) -> str | None:
    """A gateway from which tokens may never come away through gateways alone, without any time passing.

    A way back is no fault by itself (an optional step that may be repeated is drawn so): a choice can be left if one of
    its branches certainly has a positive probability and leads to something that can be left; another gateway, if that
    holds of all its ways, as its tokens go all of them.
    """
    ways = {name: node for name, node in model.nodes.items() if isinstance(node, _INSTANT)}
    left = set(model.nodes) - set(ways)
    while True:
        more = [name for name, node in ways.items() if name not in left and _can_be_left(name, node, left)]
        if not more:
            return next((name for name in ways if name not in left), None)
        left.update(more)


def _can_be_left(name: str, node: Any, left: set[str]) -> bool:
    """Whether tokens come away from a gateway, given which nodes they come away from."""
    if isinstance(node, Choice):
        return any(b.to in left and b.when is None and min(b.probability.values()) > 0 for b in node.branches)
    return all(to in left for _, to in targets(name, node))


def _named_nodes(model: ProcessModel) -> Iterator[tuple[Path, str | None]]:
    yield ("start",), model.start
    yield ("milestone",), model.milestone
    for name, deadline in model.deadlines.items():
        yield ("deadlines", name, "from"), deadline.begins
        yield ("deadlines", name, "until"), deadline.until
        yield ("deadlines", name, "to"), deadline.to
    for name, node in model.nodes.items():
        yield from targets(name, node)


def problems(model: ProcessModel) -> Iterator[Problem]:
    """What is wrong with a model beyond its form: (path of keys, what, hint)."""
    for path, named in _named_nodes(model):
        if named is not None and named not in model.nodes:
            yield (path, *_unknown("node", named, model.nodes))
    for name, node in model.nodes.items():
        if not isinstance(node, End):
            yield from _way_problems(name, node)
        if isinstance(node, Task):
            yield from _task_problems(name, node, model)
    for path, calendar in _calendar_uses(model):
        if calendar is not None and calendar not in model.calendars:
            yield (path, *_unknown("calendar", calendar, model.calendars))
    yield from _attribute_problems(model)
    loop = _timeless_cycle(model)
    if loop is not None:
        kind = "choice" if isinstance(model.nodes[loop], Choice) else "gateway"
        yield ("nodes", loop), f"{kind} {loop!r} leads back to itself in no time", "Put a task or a delay in between."


def require_sound(model: ProcessModel) -> None:
    """Raise ScenarioError for the first thing that is wrong with a model."""
    for path, what, hint in problems(model):
        raise ScenarioError(what, where=f"process {model.name!r}, {'.'.join(map(str, path))}", hint=hint)


def values_by_case(model: ProcessModel) -> Iterator[BySegment[Any]]:
    """Every value in the nodes that may depend on the case."""
    yield from _values(model.nodes)
    yield from _values(model.deadlines)
    if model.case_patience is not None:
        yield from _values(model.case_patience)


def _values(part: Any) -> Iterator[BySegment[Any]]:
    if isinstance(part, BySegment):
        yield part
    elif isinstance(part, Part):
        for key in type(part).model_fields:
            yield from _values(getattr(part, key))
    elif isinstance(part, dict | tuple):
        for value in part.values() if isinstance(part, dict) else part:
            yield from _values(value)
