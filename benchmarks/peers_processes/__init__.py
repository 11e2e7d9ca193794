"""Process simulators that have an environment of their own: Cimba and Prosimos."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.networks import RATE, REWORK, STAGE_MEANS, STAGE_RATE, STAGE_SERVERS
from benchmarks.peers.environment import Environment

_HERE = Path(__file__).parent
_TIMEOUT = 240


class PeerError(Exception):
    """Why a peer gives no figure."""


@dataclass
class Peer:
    """A distribution, the Python that it needs and the driver that runs it."""

    name: str
    release: str
    environment: Environment | None = None

    def prepare(self) -> None:
        """Make its environment, once; raises PeerError if that cannot be done."""
        if self.environment is None:
            self.environment = Environment(self.release, _HERE / f"requirements_{self.name}.txt")
            self.environment.prepare([self.name])
        if self.environment.problems or self.environment.python is None:
            raise PeerError(self.environment.problems.get(self.name, "no environment"))

    def ask(self, *arguments: object) -> dict[str, Any]:
        """What the driver prints: customers, version and `runs` with seconds, mean and error.

        Raises:
            PeerError: if the peer cannot be installed, fails or takes too long.
        """
        self.prepare()
        assert self.environment is not None
        assert self.environment.python is not None
        command = [self.environment.python, _HERE / f"{self.name}_driver.py", *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"took more than {_TIMEOUT} s") from error
        if done.returncode:
            raise PeerError(f"fails: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def numbers(patience: float | None) -> str:
    """The seven stages as the drivers read them."""
    network = {"rate": STAGE_RATE, "patience": patience, "rework": REWORK}
    return json.dumps(network | {"means": STAGE_MEANS, "servers": STAGE_SERVERS})


QUEUE = json.dumps({"rate": RATE})
