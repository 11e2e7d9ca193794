"""A process diagram as a plain graph: what reading BPMN yields, what writing and drawing take.

Sub-processes are flattened and the gateways that BPMN leaves unsaid are made explicit, so that a task has one way out,
and only gateways split or join.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """What an element of a diagram does with a token."""

    START = "start"
    END = "end"
    TASK = "task"
    EXCLUSIVE = "exclusive"
    PARALLEL = "parallel"
    INCLUSIVE = "inclusive"
    EVENT_BASED = "event_based"
    CATCH = "catch"
    """Waits for an event: a timer, a message, a signal or a condition."""
    THROW = "throw"
    """Happens at once."""
    BOUNDARY = "boundary"
    """Waits for an event while its task lasts."""


GATEWAYS = frozenset({Kind.EXCLUSIVE, Kind.PARALLEL, Kind.INCLUSIVE, Kind.EVENT_BASED})


@dataclass(frozen=True)
class Box:
    """A rectangle of a drawing, in its units; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle."""
        return self.x + self.width / 2, self.y + self.height / 2


Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Repetition:
    """Several instances of a task for one token.

    Attributes:
        parallel: all at once, or one after another.
        count: how many; None = the diagram does not say.
    """

    parallel: bool
    count: int | None = None


@dataclass(frozen=True)
class Element:
    """A node of the graph.

    Attributes:
        id: unique in the diagram.
        kind: what it does.
        name: label; may be empty.
        variant: of a task its kind in BPMN ("user", "service", ...; "" = none); of an event its trigger ("timer",
            "message", "terminate", ...; "" = none).
        duration: of a timer, in ns; None = the diagram does not give one.
        attached: of a boundary event, the id of its task.
        interrupting: of a boundary event, whether it ends the work on its task.
        repetition: of a multi-instance task.
        default: of a gateway, the flow taken if no condition holds.
        lane: name of the lane or pool it lies in; "" = none.
        line: where it stands in its file; 0 = nowhere.
    """

    id: str
    kind: Kind
    name: str = ""
    variant: str = ""
    duration: int | None = None
    attached: str = ""
    interrupting: bool = True
    repetition: Repetition | None = None
    default: str = ""
    lane: str = ""
    line: int = 0

    @property
    def label(self) -> str:
        """What to call it."""
        return self.name or self.id


@dataclass(frozen=True)
class Flow:
    """A way from one element to another."""

    id: str
    source: str
    target: str
    name: str = ""
    condition: str = ""
    line: int = 0


@dataclass(frozen=True)
class Diagram:
    """A process as a graph, with the positions that its file gives.

    Attributes:
        name: of the process.
        elements, flows: by id, in the order of the file.
        shapes: rectangles of elements; edges: points of flows. Empty where the file has no drawing.
        notes: what reading had to assume or leave out, one sentence each.
        file: where it was read from.
    """

    name: str
    elements: dict[str, Element]
    flows: dict[str, Flow]
    shapes: dict[str, Box] = field(default_factory=dict)
    edges: dict[str, Points] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    file: str = ""

    def leaving(self, element: str) -> list[Flow]:
        """Flows out of an element."""
        return [f for f in self.flows.values() if f.source == element]

    def entering(self, element: str) -> list[Flow]:
        """Flows into an element."""
        return [f for f in self.flows.values() if f.target == element]

    def of_kind(self, *kinds: Kind) -> Iterator[Element]:
        """Elements of some kinds."""
        return (e for e in self.elements.values() if e.kind in kinds)

    def attached(self, task: str) -> list[Element]:
        """Boundary events of a task."""
        return [e for e in self.of_kind(Kind.BOUNDARY) if e.attached == task]

    def where(self, element: str) -> str:
        """Place of an element for an error."""
        line = self.elements[element].line
        return f"{self.file}:{line}" if line else self.file

    def noting(self, *notes: str) -> Diagram:
        """The same with further notes."""
        return replace(self, notes=(*self.notes, *notes))
