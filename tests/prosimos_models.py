"""Small models in the form of Prosimos, one for each thing that its fields can mean; also run by Prosimos itself.

In an environment with prosimos 2.1.0 (and pandas below 3),
    python tests/prosimos_models.py OUT.json RUNS [NAME|FILE.bpmn]...
runs them there and writes a table: means over cases, with standard errors over runs. In the environment of the house,
    python tests/prosimos_models.py --compare OUT.json RUNS [NAME|FILE.bpmn]...
prints the same means beside it.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

ALWAYS = [("MONDAY", "SUNDAY", "00:00:00", "23:59:59.999999")]
OFFICE = [("MONDAY", "FRIDAY", "09:00:00", "12:00:00"), ("MONDAY", "FRIDAY", "13:00:00", "17:00:00")]
FAR = 1e9


def dist(name, *values):
    return {"distribution_name": name, "distribution_params": [{"value": v} for v in values]}


def periods(rows):
    keys = ("from", "to", "beginTime", "endTime")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def bpmn(nodes, flows):
    """A diagram from {id: tag} and {id: (source, target)}; a tag may be followed by an event definition."""
    lines = []
    for identity, tag in nodes.items():
        kind, _, inner = tag.partition(":")
        body = f"<{inner}EventDefinition/>" if inner else ""
        lines.append(f'    <{kind} id="{identity}" name="{identity}">{body}</{kind}>')
    for identity, (source, target) in flows.items():
        lines.append(f'    <sequenceFlow id="{identity}" sourceRef="{source}" targetRef="{target}"/>')
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">',
            '  <process id="p">',
            *lines,
            "  </process>",
            "</definitions>",
        ]
    )


def chain(*nodes):
    """Flows through nodes one after another."""
    return {f"{a}_{b}": (a, b) for a, b in pairwise(nodes)}


def parameters(tasks, staff, gap, *, hours=None, arrivals=None, gateways=None, **more):
    """A document: tasks {task: {resource: law}}, staff {resource: number}, hours {resource: periods}."""
    hours = hours or {}
    calendars = {name: hours.get(name, ALWAYS) for name in staff}
    return {
        "resource_profiles": [
            {
                "id": "profile",
                "name": "Staff",
                "resource_list": [
                    {"id": r, "name": r, "amount": n, "cost_per_hour": 36, "calendar": f"{r}_hours"}
                    for r, n in staff.items()
                ],
            }
        ],
        "resource_calendars": [
            {"id": f"{r}_hours", "name": f"{r} hours", "time_periods": periods(rows)} for r, rows in calendars.items()
        ],
        "task_resource_distribution": [
            {"task_id": t, "resources": [{"resource_id": r, **law} for r, law in laws.items()]}
            for t, laws in tasks.items()
        ],
        "gateway_branching_probabilities": [
            {"gateway_id": g, "probabilities": [{"path_id": p, "value": v} for p, v in shares.items()]}
            for g, shares in (gateways or {}).items()
        ],
        "arrival_time_distribution": gap,
        "arrival_time_calendar": periods(arrivals or ALWAYS),
        **more,
    }


def _one_task(**arguments):
    nodes = {"start": "startEvent", "A": "task", "end": "endEvent"}
    return bpmn(nodes, chain("start", "A", "end")), parameters(**arguments)


def queue():
    """Two servers, exponential times: an M/M/2 queue."""
    return _one_task(tasks={"A": {"r": dist("expon", 600, 0, FAR)}}, staff={"r": 2}, gap=dist("expon", 400, 0, FAR))


def office():
    """Hours with a break: work pauses, arrivals are postponed."""
    law = dist("norm", 1800, 600, 600, 4000)
    hours, gap = {"r": OFFICE}, dist("expon", 1500, 0, FAR)
    return _one_task(tasks={"A": {"r": law}}, staff={"r": 2}, gap=gap, hours=hours, arrivals=OFFICE)


def part_time():
    """Three people with hours of their own: a case waits for whoever was free first, at work or not."""
    laws = dict.fromkeys(("daily", "mornings", "mondays"), dist("expon", 1800, 0, FAR))
    hours = {"daily": OFFICE, "mornings": [("MONDAY", "FRIDAY", "08:00:00", "10:00:00")]}
    hours["mondays"] = [("MONDAY", "MONDAY", "13:00:00", "18:00:00")]
    staff, gap = dict.fromkeys(laws, 1), dist("expon", 4000, 0, FAR)
    return _one_task(tasks={"A": laws}, staff=staff, gap=gap, hours=hours, arrivals=OFFICE)


def rare():
    """Gaps longer than a working day: they run on at night."""
    law, gap = dist("fix", 3600), dist("uniform", 30_000, 90_000)
    return _one_task(tasks={"A": {"r": law}}, staff={"r": 5}, gap=gap, hours={"r": OFFICE}, arrivals=OFFICE)


def differing():
    """Two people with laws of their own."""
    laws = {"quick": dist("gamma", 300, 40_000, 0, FAR), "slow": dist("lognorm", 900, 250_000, 100, 3000)}
    return _one_task(tasks={"A": laws}, staff={"quick": 1, "slow": 1}, gap=dist("expon", 400, 0, FAR))


def shifted():
    """Every law with limits that bind, in a row."""
    laws = {
        "E": dist("expon", 600, 200, 900),
        "N": dist("norm", 100, 300, 50, 500),
        "L": dist("lognorm", 400, 160_000, 100, 800),
        "G": dist("gamma", 400, 90_000, 200, 700),
        "U": dist("uniform", 100, 300),
        "F": dist("fix", 77),
    }
    nodes = {"start": "startEvent", **dict.fromkeys(laws, "task"), "end": "endEvent"}
    tasks = {t: {"r": law} for t, law in laws.items()}
    return bpmn(nodes, chain(*nodes)), parameters(tasks, {"r": 200}, dist("fix", 100))


def gateways():
    """Exclusive, parallel and inclusive gateways."""
    nodes = {"start": "startEvent", "x": "exclusiveGateway", "B": "task", "C": "task", "m": "exclusiveGateway"}
    nodes |= {"a": "parallelGateway", "D": "task", "E": "task", "j": "parallelGateway", "o": "inclusiveGateway"}
    nodes |= {"F": "task", "G": "task", "H": "task", "k": "inclusiveGateway", "end": "endEvent"}
    flows = chain("start", "x", "B", "m", "a", "D", "j", "o", "F", "k", "end")
    flows |= chain("x", "C", "m") | chain("a", "E", "j") | chain("o", "G", "k") | chain("o", "H", "k")
    lengths = {"B": 100, "C": 500, "D": 300, "E": 200, "F": 1000, "G": 400, "H": 50}
    tasks = {t: {"r": dist("expon", s, 0, FAR)} for t, s in lengths.items()}
    shares = {"x": {"x_B": 0.3, "x_C": 0.7}, "o": {"o_F": 0.5, "o_G": 0.3, "o_H": 0.2}}
    return bpmn(nodes, flows), parameters(tasks, {"r": 500}, dist("fix", 100), gateways=shares)


def rework():
    """One person, two tasks, and a way back."""
    nodes = {"start": "startEvent", "m": "exclusiveGateway", "A": "task", "B": "task", "x": "exclusiveGateway"}
    nodes["end"] = "endEvent"
    flows = chain("start", "m", "A", "B", "x", "end") | {"x_m": ("x", "m")}
    tasks = {"A": {"r": dist("expon", 200, 0, FAR)}, "B": {"r": dist("uniform", 100, 300)}}
    shares = {"x": {"x_end": 0.75, "x_m": 0.25}}
    return bpmn(nodes, flows), parameters(tasks, {"r": 1}, dist("expon", 800, 0, FAR), gateways=shares)


def timer():
    """A waiting event between two tasks."""
    nodes = {"start": "startEvent", "A": "task", "wait": "intermediateCatchEvent:timer", "B": "task", "end": "endEvent"}
    tasks = {t: {"r": dist("fix", 60)} for t in "AB"}
    events = [{"event_id": "wait", **dist("lognorm", 3600, 3600.0**2, 0, FAR)}]
    return bpmn(nodes, chain(*nodes)), parameters(tasks, {"r": 50}, dist("fix", 300), event_distribution=events)


def _batched(kind, rules, scale):
    sizes = [{"key": "1", "value": 0.0}, {"key": "2", "value": 1.0}]
    batch = {"task_id": "A", "type": kind, "size_distrib": sizes, "duration_distrib": scale, "firing_rules": rules}
    law, gap = dist("fix", 600), dist("expon", 300, 0, FAR)
    return _one_task(tasks={"A": {"r": law}}, staff={"r": 20}, gap=gap, batch_processing=[batch])


def batch_in_a_row():
    """Three at a time, one after another, each in half its time."""
    rule = [[{"attribute": "size", "comparison": "=", "value": 3}]]
    return _batched("Sequential", rule, [{"key": "3", "value": 0.5}])


def batch_at_once():
    """Four at a time, all together in the time of two."""
    rule = [[{"attribute": "size", "comparison": "=", "value": 4}]]
    return _batched("Parallel", rule, [{"key": "4", "value": 0.5}])


_ALL = (queue, office, part_time, rare, differing, shifted, gateways, rework, timer, batch_in_a_row, batch_at_once)
MODELS = {f.__name__: f for f in _ALL}
CASES = 600


def write(name, folder):
    """Write a model's two files and return their paths."""
    diagram, document = MODELS[name]()
    paths = Path(folder) / f"{name}.bpmn", Path(folder) / f"{name}.json"
    paths[0].write_text(diagram, encoding="utf-8")
    paths[1].write_text(json.dumps(document), encoding="utf-8")
    return paths


def _run(diagram, document, log):
    """Means over the cases of one run by Prosimos: cycle, wait and service in s, activities per case, gap in s."""
    import pandas as pd
    from prosimos.simulation_engine import run_simulation

    start = "2026-01-05T09:00:00.000000+00:00"
    run_simulation(str(diagram), str(document), CASES, log_out_path=str(log), starting_at=start)
    rows = pd.read_csv(log)
    for key in ("enable_time", "start_time", "end_time"):
        rows[key] = pd.to_datetime(rows[key], format="mixed", utc=True)
    cases = rows.groupby("case_id")
    cycle = (cases.end_time.max() - cases.enable_time.min()).dt.total_seconds()
    wait = (rows.start_time - rows.enable_time).dt.total_seconds()
    service = (rows.end_time - rows.start_time).dt.total_seconds()
    first = cases.enable_time.min()
    gap = (first.max() - first.min()).total_seconds() / (CASES - 1)
    return cycle.mean(), wait.mean(), service.mean(), len(rows) / CASES, gap


def _main(out, runs, names):
    import tempfile

    import numpy as np

    table = {}
    keys = ("cycle_s", "wait_s", "service_s", "activities", "gap_s")
    for name in names or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            own = name not in MODELS
            paths = (Path(name), Path(name).with_suffix(".json")) if own else write(name, folder)
            means = [_run(*paths, Path(folder) / "log.csv") for _ in range(runs)]
        table[Path(name).stem] = {"runs": runs} | {
            k: [round(float(m), 4), round(float(s), 4)]
            for k, m, s in zip(keys, np.mean(means, 0), np.std(means, 0, ddof=1) / np.sqrt(runs), strict=True)
        }
        sys.stderr.write(f"{name} {table[Path(name).stem]}\n")
        found = {"prosimos": "2.1.0", "cases": CASES, "models": table}
        Path(out).write_text(json.dumps(found, indent=1))


def own(name, folder, runs, given_to=None):
    """What `_run` measures of a model's activities, by this house: means and standard errors over replications.

    `given_to` is another rule for who gets a case than the one that Prosimos has.
    """
    import numpy as np

    from twin.process.prosimos.read import read_prosimos
    from twin.process.simulation import Plan, simulate

    paths = write(name, folder) if name in MODELS else (Path(name), Path(name).with_suffix(".json"))
    model = read_prosimos(*paths).model
    if given_to is not None:
        pools = {n: pool.model_copy(update={"given_to": given_to}) for n, pool in model.pools.items()}
        model = model.model_copy(update={"pools": pools})
    tasks = [n for n, node in model.nodes.items() if node.kind == "task"]
    rows = []
    for found in simulate(model, Plan(cases=CASES, replications=runs)).statistics:
        nodes = [found.nodes[n] for n in tasks]
        done = sum(n.completions for n in nodes)
        rows.append((found.cases.mean_sojourn_s, sum(n.wait_served for n in nodes) / done / 1e9, done / CASES))
    errors = np.std(rows, 0, ddof=1) / np.sqrt(runs)
    keys = ("cycle_s", "wait_s", "activities")
    return {k: (float(m), float(s)) for k, m, s in zip(keys, np.mean(rows, 0), errors, strict=True)}


def compare(reference, runs, names):
    """Print rows of a table: model, then each measure by Prosimos and by this house with 95% intervals."""
    import tempfile

    table = json.loads(Path(reference).read_text())
    sys.stdout.write("| model | cycle time, s | | waiting per activity, s | | activities per case | |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n| | Prosimos | twin | Prosimos | twin | Prosimos | twin |\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or table["models"]:
            known, found = table["models"][Path(name).stem], own(name, folder, runs)
            cells = [f"{m:,.4g} ± {1.96 * s:.2g}" for k in found for m, s in (known[k], found[k])]
            sys.stdout.write(f"| {Path(name).stem} | {' | '.join(cells)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        _main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
