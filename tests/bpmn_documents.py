"""BPMN documents for tests: written by hand, and made at random as block-structured processes."""

from __future__ import annotations

from hypothesis import strategies as st

HEAD = (
    '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" '
    'targetNamespace="t">'
)


def document(body, *, around=""):
    """A document whose process has the given XML inside; lines are kept."""
    return f'<?xml version="1.0"?>\n{HEAD}{around}<process id="p" name="P">\n{body}\n</process></definitions>'.encode()


def flows(*pairs):
    return "\n".join(
        f'<sequenceFlow id="f{i}" sourceRef="{p.split(">")[0]}" targetRef="{p.split(">")[1]}"/>'
        for i, p in enumerate(pairs)
    )


class Blocks:
    """A block-structured process under construction: elements, flows, and what it should mean."""

    def __init__(self):
        self.lines, self.flows, self.n = [], [], 0

    def new(self, tag, inner=""):
        self.n += 1
        identity = f"e{self.n}"
        name = f"N{self.n}"
        self.lines.append(f'<{tag} id="{identity}" name="{name}">{inner}</{tag}>')
        return identity

    def flow(self, source, target):
        self.flows.append(f'<sequenceFlow id="s{len(self.flows)}" sourceRef="{source}" targetRef="{target}"/>')

    def add(self, block, source):
        """Append a block after an element and return its last element."""
        kind, parts = block
        if kind in ("task", "userTask", "serviceTask"):
            here = self.new(kind)
            self.flow(source, here)
            return here
        if kind == "timer":
            event = "<timerEventDefinition><timeDuration>PT5M</timeDuration></timerEventDefinition>"
            here = self.new("intermediateCatchEvent", event)
            self.flow(source, here)
            return here
        if kind == "sequence":
            for part in parts:
                source = self.add(part, source)
            return source
        if kind == "loop":
            join, split = self.new("exclusiveGateway"), None
            self.flow(source, join)
            last = self.add(parts[0], join)
            split = self.new("exclusiveGateway")
            self.flow(last, split)
            self.flow(split, join)
            return split
        split, join = self.new(kind), self.new(kind)
        self.flow(source, split)
        for part in parts:
            self.flow(self.add(part, split), join)
        return join

    def text(self, block):
        start = self.new("startEvent")
        last = self.add(block, start)
        end = self.new("endEvent")
        self.flow(last, end)
        return document("\n".join([*self.lines, *self.flows]))


leaf = st.sampled_from([("task", ()), ("userTask", ()), ("serviceTask", ()), ("timer", ())])


def _branching(inner):
    gateway = st.sampled_from(["exclusiveGateway", "parallelGateway", "inclusiveGateway"])
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.tuples(st.just("sequence"), several),
        st.tuples(gateway, several),
        st.tuples(st.just("loop"), st.lists(inner, min_size=1, max_size=1)),
    )


blocks = st.recursive(leaf, _branching, max_leaves=12)
