"""A process in any form: a file of the house, one in scenarios/processes, a discovered process, or a BPMN diagram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twin.errors import DataError
from twin.process.bpmn.frommodel import condition_text, to_diagram
from twin.process.bpmn.graph import Diagram
from twin.process.model import ProcessModel
from twin.process.parts import When

BPMN = (".bpmn", ".bpmn2", ".bpmn20.xml", ".xml")
YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Loaded:
    """A process, its drawing, and how they belong together.

    Attributes:
        nodes: node of the model of each element of the diagram that has one.
        shares: probabilities of flows.
        notes: what was assumed or left out.
        parameters: file of the parameters, if there is one.
        conditions: of flows that have one.
    """

    model: ProcessModel
    diagram: Diagram
    nodes: Mapping[str, str]
    shares: Mapping[str, float]
    notes: tuple[str, ...] = field(default=())
    parameters: Path | None = None
    conditions: Mapping[str, When] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """Conditions and probabilities as texts on flows; the one way that is left if none holds needs no text."""
        flows = self.diagram.flows
        tested = {flows[f].source for f in self.conditions}
        shown = {f: s for f, s in self.shares.items() if flows[f].source not in tested or 0 < s < 1}
        texts = {flow: f"{share:.1%}".replace(".0%", "%") for flow, share in shown.items()}
        return texts | {flow: condition_text(when) for flow, when in self.conditions.items()}


def is_bpmn(path: Path) -> bool:
    """Whether a name is that of a BPMN diagram."""
    return path.name.lower().endswith(BPMN)


def load(file: Path, parameters: Path | None = None, pool: str | None = None, history: int = 1) -> Loaded:
    """A process from a file; a BPMN diagram takes the JSON beside it if none is named.

    Args:
        file: a file, or the name of a process of the house.
        parameters: of a BPMN diagram.
        pool: which pool of a diagram.
        history: of a discovered process: how many activities back the next one depends on.

    Raises:
        DataError: the file has no known form.
        ScenarioError: the process cannot be used.
    """
    if is_bpmn(file):
        return _from_bpmn(file, parameters, pool)
    if parameters is not None:
        raise DataError("only a BPMN diagram takes parameters", where=str(file), hint="Leave the JSON out.")
    if file.suffix.lower() not in YAML and file.exists():
        raise DataError("not the name of a process", where=str(file), hint=f"Names end in {', '.join(YAML + BPMN)}.")
    from scenarios.offices import process_model

    notes: tuple[str, ...] = ()
    if _is_discovered(file):
        from twin.process.discovery.as_process import as_process
        from twin.process.discovery.model import load_process

        model, notes = as_process(load_process(file), history=history)
    else:
        model = process_model(str(file))
    exported = to_diagram(model)
    return Loaded(model, exported.diagram, exported.nodes, exported.shares, notes=notes, conditions=exported.conditions)


def _is_discovered(file: Path) -> bool:
    """Whether a file is what `twin discover` writes: its first key says so."""
    if not file.is_file():
        return False
    with file.open("rb") as lines:
        return lines.readline().strip() == b"kind: discovered"


def _from_bpmn(file: Path, parameters: Path | None, pool: str | None) -> Loaded:
    from twin.process.bpmn.reader import read_bpmn
    from twin.process.bpmn.tomodel import to_model
    from twin.process.prosimos.read import read_prosimos

    beside = file.with_suffix(".json")
    if parameters is None and beside.is_file():
        parameters = beside
    found = to_model(read_bpmn(file, pool)) if parameters is None else read_prosimos(file, parameters, pool)
    return Loaded(found.model, found.diagram, found.nodes, found.shares, found.notes, parameters, found.conditions)
