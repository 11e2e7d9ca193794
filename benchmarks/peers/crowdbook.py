"""The fastest other simulator of agents on an order book that was found: crowdbook, C++, one core.

A market of a thousand zero-intelligence traders and ten market makers; a request is a new order, a cancel or a modify.
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import Row, missing, row
from benchmarks.peers.environment import Environment

NAME = "crowdbook-engine"
RELEASE = "3.13"
SECONDS = 200
"""Simulated."""
ROUNDS = 3

MARKET = """
seed = 7
duration = "{seconds}s"
reference_price = 10000

[[agents]]
type = "market_maker"
name = "maker"
count = 10
risk_aversion = 0.005
volatility = 3.0
intensity = 1.0
quote_size = 10
max_inventory = 200
requote_interval = "50ms"
latency = {{ to_exchange = "20us", from_exchange = "20us" }}
account = {{ max_position = 220, max_order_quantity = 10 }}

[[agents]]
type = "zero_intelligence"
name = "noise"
count = 1000
limit_rate = 2.0
market_rate = 0.5
cancel_rate = 0.2
max_offset = 10
latency = {{ to_exchange = "300us", from_exchange = "300us", jitter = "100us" }}
account = {{ max_position = 1000, max_order_quantity = 10 }}
"""


def rows(first: float | None, seconds: int = SECONDS) -> list[Row]:
    """One row; `first` is the rate of ours. Its CPU time is measured without a log, its requests are counted apart."""
    name = "agents and matching, crowdbook, 1,010 agents"
    environment = Environment(RELEASE)
    environment.prepare([NAME])
    if environment.python is None or NAME in environment.problems:
        return [missing(name, environment.problems[NAME])]
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "market.toml"
        scenario.write_text(MARKET.format(seconds=seconds))
        command = [environment.python.with_name("crowdbook"), "run", scenario]
        try:
            cpu = [_cpu_seconds(command) for _ in range(ROUNDS)]
            log = _output([*command, "--log", "/dev/stdout", "--log-only", "new,cancel,modify"])
        except subprocess.CalledProcessError as error:
            return [missing(name, f"fails: {error.stderr.strip()[-200:]}")]
    requests = len(re.findall(r"^\d+,(?:new|cancel|modify),", log, re.MULTILINE))
    return [row(name, requests, cpu, first, f"C++, {seconds} s of one book")]


def _cpu_seconds(command: list[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _output(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _output(command: list[str | Path]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
