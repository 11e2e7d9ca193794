"""The compiled book beside other order books on the same flows, one core, each with the shares it trades checked.

A peer that cannot be installed, fails, takes too long or trades something else is a row that says so.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.flows import SHAPES, random_flow, recorded_days, recorded_flow
from benchmarks.measure import Row, missing, row
from benchmarks.one_book import drive
from benchmarks.peers.environment import Environment
from twin.contracts import Messages

DRIVERS = Path(__file__).with_name("drivers.py")
MESSAGES = 1_000_000
_TIMEOUT = 300


@dataclass(frozen=True)
class Peer:
    """A distribution, the Python that it needs, what it is, and how many messages it is given."""

    name: str
    release: str
    language: str
    messages: int = MESSAGES
    rounds: int = 3


PEERS = (
    Peer("limit-order-book", "3.13", "C++"),
    Peer("bourse", "3.11", "Rust", 500_000),
    Peer("matching-engine", "3.13", "Python", 200_000),
    Peer("lightmatchingengine", "3.13", "Python", 200_000),
    Peer("cython-orderbook", "3.13", "Cython", 200_000),
    Peer("orderly-chaos", "3.13", "C++ by ctypes", 200_000),
    Peer("pyorderbook", "3.13", "Python", 100_000),
    Peer("fastlob", "3.13", "Python", 50_000),
    Peer("order-matching", "3.13", "Python", 3_000, 1),
    Peer("pams", "3.13", "Python", 3_000, 1),
)


def run(n: int = MESSAGES) -> list[Row]:
    """Rows of ours and of every peer, on the random flows and on one recorded day."""
    environments = {release: Environment(release) for release in sorted({peer.release for peer in PEERS})}
    for release, environment in environments.items():
        environment.prepare([peer.name for peer in PEERS if peer.release == release])
    rows: list[Row] = []
    drive(random_flow(1_000, target=50, spread=20))  # compile
    for name, (resting, spread) in SHAPES.items():
        rows += _group(f"{name} book", random_flow(n, target=resting, spread=spread), environments)
    days = recorded_days()
    if not days:
        rows.append(missing("recorded day", "the recordings are not here (set TWIN_SHARED_DATA)"))
    for day in days[:1]:
        rows += _group(f"recorded day {day.name.split('_')[2]}", recorded_flow(day), environments)
    return rows


def _group(name: str, messages: Messages, environments: dict[str, Environment]) -> list[Row]:
    """Ours is measured before the first peer and after each, so that both see the same machine."""
    ours = [drive(messages).seconds for _ in range(3)]
    measured: list[tuple[Peer, int, list[float], str]] = []
    problems: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for peer in PEERS:
            part = messages.take(slice(0, peer.messages))
            try:
                seconds, version = _measure(peer, part, Path(folder), environments[peer.release])
            except _PeerError as error:
                problems.append(missing(f"{name}, {peer.name}", str(error)))
            else:
                measured.append((peer, len(part), seconds, version))
            ours += [drive(messages).seconds for _ in range(2)]
    first = len(messages) / statistics.median(ours)
    rows = [row(f"{name}, ours with the full tape", len(messages), ours, first, "Numba, batches of 10,000")]
    for peer, work, seconds, version in measured:
        rows.append(row(f"{name}, {peer.name} {version}", work, seconds, first, peer.language))
    return rows + problems


class _PeerError(Exception):
    """Why a peer gives no figure."""


def _measure(peer: Peer, messages: Messages, folder: Path, environment: Environment) -> tuple[list[float], str]:
    """CPU seconds of each round, and the version; the shares traded must be ours."""
    if peer.name in environment.problems or environment.python is None:
        raise _PeerError(environment.problems.get(peer.name, "no environment"))
    flow = folder / "flow.npy"
    columns = (messages.kind, messages.side, messages.price, messages.quantity, messages.order)
    np.save(flow, np.stack(columns, axis=1))
    command = [environment.python, DRIVERS, peer.name, flow, str(peer.rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise _PeerError(f"took more than {_TIMEOUT} s for {len(messages):,} messages") from error
    if done.returncode:
        raise _PeerError(f"fails: {done.stderr.strip().splitlines()[-1]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    traded = drive(messages).traded
    if answer["traded"] != traded:
        raise _PeerError(f"trades {answer['traded']:,} shares where {traded:,} are right")
    return answer["seconds"], answer["version"]
