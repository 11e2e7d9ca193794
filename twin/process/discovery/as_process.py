"""A discovered process as a process file: a graph with pools of staff that can be drawn, changed and run.

It holds less than the discovered process: the history that routes depend on is cut to a few activities, and what a
process file cannot say is left out. Each loss is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from twin.process.discovery.blocks import END, Block, Chain, chain_of
from twin.process.discovery.carried import Carried, Tilt, batches_of
from twin.process.discovery.model import DiscoveredProcess
from twin.process.discovery.pools import Staffing, staffing_of
from twin.process.discovery.week import arrivals_of
from twin.process.distributions import Distribution
from twin.process.eventlog.files import FORMS
from twin.process.model import ProcessModel
from twin.process.nodes import Batch, Branch, Choice, Delay, Fork, Join, Node, Task
from twin.process.nodes import End as EndNode
from twin.process.notes import note
from twin.process.parts import BySegment, Case

LEAST = 0.005
"""Ways taken less often at their point of decision are left out of the graph."""
_END = "end"


class Converted(NamedTuple):
    """A process file's model of a discovered process, and what it lacks."""

    model: ProcessModel
    notes: tuple[str, ...]


def as_process(process: DiscoveredProcess, *, history: int = 1, least: float = LEAST) -> Converted:
    """The model of a process file that comes nearest to a discovered process.

    Args:
        process: what was discovered.
        history: so many activities back, the next one depends on; more is nearer to the log and harder to read.
        least: ways rarer than this are left out where the end can be reached without them.

    Raises:
        CapacityError: the history makes too many states.
    """
    chain = chain_of(process, history, least)
    staffing = staffing_of(process)
    carried = Carried.of(process)
    batches, unbatched = batches_of(process)
    graph = _Graph(process, staffing, carried, batches)
    nodes = graph.draw(chain)
    model = ProcessModel(
        name=_title(process.source.name),
        start=graph.first,
        nodes=nodes,
        pools=staffing.pools,
        calendars=staffing.calendars,
        arrivals=arrivals_of(process.arrivals),
        attributes=carried.attributes,
        description=f"Discovered from {process.source.cases} cases; times of day are UTC, as in the log.",
    )
    lost = (*_losses(process, chain, history, least), *staffing.notes, *carried.notes, *unbatched)
    return Converted(model, tuple(dict.fromkeys(lost)))


def _title(name: str) -> str:
    """The name of a log without the ending of its file."""
    form = max((form for form in FORMS if name.lower().endswith(form)), key=len, default="")
    return name[: len(name) - len(form)] or "discovered"


@dataclass
class _Graph:
    """Nodes under construction.

    Attributes:
        process: what is drawn.
        staffing: who does what.
        carried: what case attributes steer.
        batches: of activities.
        first: where cases begin.
    """

    process: DiscoveredProcess
    staffing: Staffing
    carried: Carried
    batches: dict[str, Batch]
    nodes: dict[str, Node] = field(default_factory=dict)
    first: str = ""
    _names: dict[tuple[object, ...], str] = field(default_factory=dict)
    _ways: dict[Block, dict[Block, float]] = field(default_factory=dict)

    def draw(self, chain: Chain) -> dict[str, Node]:
        """All nodes of a chain of blocks."""
        k = len(self.process.activities)
        self._ways = chain.followers
        self.nodes[_END] = EndNode(kind="end")
        start = self._branches(chain.start, k)
        if len(start) == 1:
            self.first = start[0].to
        else:
            self.first = "begin"
            self.nodes["begin"] = Choice(kind="choice", next=start)
        for block in chain.followers:
            self._block(block)
        return self.nodes

    def _block(self, block: Block) -> None:
        """The tasks of a block and where they lead; side by side they meet in a join first."""
        ways = self._branches(self._ways[block], block.activities[-1])
        after: str | tuple[Branch, ...] = ways[0].to if len(ways) == 1 else ways
        if len(block.activities) > 1:
            join = self._name(("join", block), "together")
            self.nodes[join] = Join(kind="join", next=after)
            after = join
        for activity in block.activities:
            self.nodes[self._task(block, activity)] = self._work(activity, after)

    def _work(self, activity: int, after: str | tuple[Branch, ...]) -> Task:
        who = self.staffing
        return Task(
            kind="task",
            label=self.process.activities[activity],
            pool=who.pool_of[activity],
            skills=who.skills_of[activity],
            service=_plain(who.service[activity]),
            by_member=who.by_member[activity],
            priority=BySegment(default=who.priority[activity]),
            by_hour=who.by_hour[activity],
            scale=self.carried.scale(self.process.activities[activity]),
            batch=self.batches.get(self.process.activities[activity]),
            next=after,
        )

    def _branches(self, ways: dict[Block, float], before: int) -> tuple[Branch, ...]:
        """Branches to blocks, by way of the delays that lie before them, by what attributes change there."""
        k = len(self.process.activities)
        tilts = self.carried.tilts(self.process.activities[before] if before < k else "")
        found: dict[str, list[float]] = {}
        for block, share in ways.items():
            row = found.setdefault(self._entry(block, before), [0.0] * (1 + len(tilts)))
            for i, factor in enumerate((1.0, *(_tilted(tilt, block) for tilt in tilts))):
                row[i] += share * factor
        columns = [_shares(column) for column in zip(*found.values(), strict=True)]
        branches = []
        for i, to in enumerate(found):
            usual, *others = (column[i] for column in columns)
            cases = tuple(Case[float](when=tilt.when, value=p) for tilt, p in zip(tilts, others, strict=True))
            if usual > 0 or any(others):
                branches.append(Branch(to=to, probability=BySegment[float](default=usual, cases=cases)))
        return tuple(branches)

    def _entry(self, block: Block, before: int) -> str:
        """The node by which a block is entered from an activity."""
        if block == END:
            return _END
        if len(block.activities) == 1:
            return self._delayed(block, block.activities[0], before)
        key = ("fork", block, tuple(self._group(before, a) for a in block.activities))
        if key not in self._names:
            name = self._name(key, "side by side")
            ways = tuple(Branch(to=self._delayed(block, a, before)) for a in block.activities)
            self.nodes[name] = Fork(kind="fork", next=ways)
        return self._names[key]

    def _delayed(self, block: Block, activity: int, before: int) -> str:
        """The task itself, or the delay that lies before it."""
        task, group = self._task(block, activity), self._group(before, activity)
        if group < 0:
            return task
        key = ("wait", group, task)
        if key not in self._names:
            name = self._name(key, f"wait for {self.process.activities[activity]}")
            self.nodes[name] = Delay(kind="delay", duration=_plain(self.staffing.delays[group]), next=task)
        return self._names[key]

    def _group(self, before: int, activity: int) -> int:
        """The delay between two activities, -1 = none."""
        group = int(self.process.timing.wait_group[before * len(self.process.activities) + activity])
        return group if group in self.staffing.delays else -1

    def _task(self, block: Block, activity: int) -> str:
        return self._name(("task", block, activity), self.process.activities[activity])

    def _name(self, key: tuple[object, ...], wanted: str) -> str:
        """A name of its own for a node, near the wanted one."""
        if key not in self._names:
            plain = re.sub(r"\s+", " ", wanted).strip() or "activity"
            taken = set(self._names.values()) | {_END, "begin"}
            numbered = (plain if n == 1 else f"{plain} ({n})" for n in range(1, len(taken) + 2))
            self._names[key] = next(name for name in numbered if name not in taken)
        return self._names[key]


def _tilted(tilt: Tilt, block: Block) -> float:
    """The factor of a block; of several activities side by side, any of which may come first, the mean of theirs."""
    return float(np.mean([tilt.factor[a] for a in block.activities])) if block.activities else float(tilt.factor[-1])


def _shares(weights: tuple[float, ...]) -> list[float]:
    """Probabilities to six digits that sum to one; the largest takes what rounding leaves."""
    shares = [round(w / sum(weights), 6) for w in weights]
    largest = max(range(len(shares)), key=lambda i: shares[i])
    shares[largest] = 1.0 - sum(p for i, p in enumerate(shares) if i != largest)
    return shares


def _plain(law: Distribution) -> BySegment[Distribution]:
    return BySegment[Distribution](default=law)


def _losses(process: DiscoveredProcess, chain: Chain, history: int, least: float) -> Iterable[str]:
    """What the discovered process holds and its process file does not."""
    if process.routes.depth > history:
        yield note("short_history", n=history, all=process.routes.depth)
    if chain.rare:
        yield note("rare_ways", n=chain.rare, least=f"{least:.1%}", share=f"{chain.share:.2%}")
    if process.structure == "resampled":
        yield note("cases_drawn_apart")
    if process.structure == "timers":
        yield note("nobody_limited")
