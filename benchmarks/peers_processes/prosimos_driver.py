"""Prosimos on the seven stages; runs in an environment of its own and imports nothing of the twin.

    python prosimos_driver.py CASES ROUNDS JSON

Prosimos has no patience, so nobody leaves. JSON holds the network's numbers. Printed is one JSON object: cases,
version, and of each round CPU seconds and the mean time in the system in hours (from its log) with its standard error.
The BPMN and JSON that Prosimos reads are written to a temporary folder.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from prosimos.simulation_engine import run_simulation

HOUR = 3600.0
ALWAYS = [{"from": "MONDAY", "to": "SUNDAY", "beginTime": "00:00:00", "endTime": "23:59:59.999999"}]
NAMESPACE = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def exponential(hours: float) -> dict:
    """An exponential distribution as Prosimos writes it: mean, smallest and largest value, in s."""
    return {
        "distribution_name": "expon",
        "distribution_params": [{"value": hours * HOUR}, {"value": 0.0}, {"value": 1e9}],
    }


def write_bpmn(path: Path, stages: int) -> None:
    """Stages in a row; a gateway after each but the first leads on or back, by way of a merge before each."""
    nodes = ['<startEvent id="start"/>', '<endEvent id="end"/>']
    flows = [("start", "merge1")]
    for i in range(1, stages + 1):
        nodes += [
            f'<exclusiveGateway id="merge{i}" gatewayDirection="Converging"/>',
            f'<task id="task{i}" name="s{i}"/>',
        ]
        flows.append((f"merge{i}", f"task{i}"))
        after = f"merge{i + 1}" if i < stages else "end"
        if i > 1:
            nodes.append(f'<exclusiveGateway id="split{i}" gatewayDirection="Diverging"/>')
            flows += [(f"task{i}", f"split{i}"), (f"split{i}", after), (f"split{i}", f"merge{i - 1}")]
        else:
            flows.append((f"task{i}", after))
    lines = [f'<sequenceFlow id="{a}_{b}" sourceRef="{a}" targetRef="{b}"/>' for a, b in flows]
    body = "".join([*nodes, *lines])
    path.write_text(f'<definitions xmlns="{NAMESPACE}"><process id="p">{body}</process></definitions>')


def write_parameters(path: Path, numbers: dict) -> None:
    """Resources, calendars, service times, routing and arrivals."""
    profiles, tasks, ways = [], [], []
    last = len(numbers["means"])
    for i, (mean, servers) in enumerate(zip(numbers["means"], numbers["servers"], strict=True), 1):
        people = [f"r{i}_{k}" for k in range(servers)]
        listed = [{"id": r, "name": r, "cost_per_hour": 0, "amount": 1, "calendar": "always"} for r in people]
        profiles.append({"id": f"pool{i}", "name": f"pool{i}", "resource_list": listed})
        tasks.append({"task_id": f"task{i}", "resources": [{"resource_id": r} | exponential(mean) for r in people]})
        if i > 1:
            on = f"split{i}_merge{i + 1}" if i < last else f"split{i}_end"
            paths = [(on, 1 - numbers["rework"]), (f"split{i}_merge{i - 1}", numbers["rework"])]
            shares = [{"path_id": p, "value": share} for p, share in paths]
            ways.append({"gateway_id": f"split{i}", "probabilities": shares})
    model = {
        "resource_profiles": profiles,
        "resource_calendars": [{"id": "always", "name": "always", "time_periods": ALWAYS}],
        "task_resource_distribution": tasks,
        "gateway_branching_probabilities": ways,
        "arrival_time_distribution": exponential(1 / numbers["rate"]),
        "arrival_time_calendar": ALWAYS,
    }
    path.write_text(json.dumps(model))


def sojourns(log: Path) -> list[float]:
    """Hours from a case's first enabling to its last end, in order of arrival."""
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    with log.open() as file:
        for row in csv.DictReader(file):
            case, enabled, end = row["case_id"], row["enable_time"], row["end_time"]
            enabled_at, end_at = datetime.fromisoformat(enabled), datetime.fromisoformat(end)
            first[case] = min(first.get(case, enabled_at), enabled_at)
            last[case] = max(last.get(case, end_at), end_at)
    return [(last[c] - first[c]).total_seconds() / HOUR for c in sorted(first, key=lambda c: first[c])]


def once(cases: int, seed: int, numbers: dict) -> dict:
    """CPU seconds of one run, and the mean from its log after the first tenth."""
    random.seed(seed)
    np.random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        bpmn, parameters, log = (Path(folder) / name for name in ("p.bpmn", "p.json", "log.csv"))
        write_bpmn(bpmn, len(numbers["means"]))
        write_parameters(parameters, numbers)
        begun = time.process_time()
        run_simulation(
            str(bpmn), str(parameters), cases, log_out_path=str(log), starting_at="2026-01-05T00:00:00+00:00"
        )
        seconds = time.process_time() - begun
        hours = np.asarray(sojourns(log)[cases // 10 :])
    means = [part.mean() for part in np.array_split(hours, 10)]
    return {"seconds": seconds, "mean": float(hours.mean()), "error": float(np.std(means, ddof=1) / len(means) ** 0.5)}


def main() -> None:
    cases, rounds, numbers = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    runs = [once(cases, seed, numbers) for seed in range(1, rounds + 1)]
    print(json.dumps({"customers": cases, "version": version("prosimos"), "runs": runs}))


if __name__ == "__main__":
    main()
