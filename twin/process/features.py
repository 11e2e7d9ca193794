"""Which parts of a process need several tokens per case, or staff who are told apart."""

from __future__ import annotations

from collections.abc import Iterator

from twin.process.model import ProcessModel
from twin.process.nodes import Choice, Delay, End, Task, Window
from twin.process.staff import Pool

_PLAIN_NODES = (Task, Choice, Delay, Window, End)


def general_features(model: ProcessModel) -> list[str]:
    """What the network kernel for one token per case cannot do, as 'place: feature'; empty if it can do all."""
    found = [f"deadlines.{name}: deadline" for name in model.deadlines]
    found += [f"pools.{name}: {what}" for name, pool in model.pools.items() for what in _pool_features(pool)]
    for name, node in model.nodes.items():
        if not isinstance(node, _PLAIN_NODES):
            found.append(f"nodes.{name}: {node.kind}")
        elif isinstance(node, Task):
            found += [f"nodes.{name}: {what}" for what in _task_features(node)]
        elif isinstance(node, Delay) and (node.calendar or node.scale):
            found.append(f"nodes.{name}: {'calendar' if node.calendar else 'scale'}")
    return found


def _pool_features(pool: Pool) -> Iterator[str]:
    if pool.individuals:
        yield "members"
    if pool.preempt:
        yield "preempt"
    if pool.queue == "oldest_case":
        yield "queue"
    if pool.at_end_of_shift == "pause":
        yield "at_end_of_shift"


def _task_features(task: Task) -> Iterator[str]:
    for key in ("retry", "skills", "members", "by_member", "scale", "by_hour", "boundary", "repeat", "batch"):
        if getattr(task, key):
            yield key
    if task.queue_limit is not None:
        yield "queue_limit"
