"""A simulated stock beside a recorded day or the literature: every fact, with intervals, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scenarios.realism.battery import Battery
from scenarios.realism.day import StockDay, recorded_day
from scenarios.realism.facts import Fact, Holds, read_facts
from scenarios.realism.impact import ImpactStudy, impact_study
from scenarios.realism.lobster import lobster_day
from scenarios.realism.simulate import Stock, simulate_day
from twin.matching.feeds.lobster import find_pair
from twin.matching.sse_l2 import read_day
from twin.measures.resampling import Measured, nothing, over_days

Progress = Callable[[str, float], None]
"""Called with the stage (`read`, `simulate`, `measure`, `impact`) and the fraction of it that is done."""


@dataclass(frozen=True)
class Finding:
    """One fact of one study: what was simulated, what was recorded (if anything), and the verdicts."""

    fact: Fact
    simulated: Measured
    recorded: Measured | None
    published: Holds
    """The simulated statistic against the literature's range."""
    recorded_published: Holds
    """The recorded statistic against the same range: a real day need not show every fact either."""
    against: Holds
    """The simulated statistic against the recorded day."""

    @property
    def verdict(self) -> Holds:
        """Against the recorded day where there is a tolerance for it, else against the literature."""
        return self.published if self.against is Holds.UNKNOWN else self.against


@dataclass(frozen=True)
class Study:
    """What was compared and what came of it."""

    stock: Stock
    simulated: list[Battery]
    recorded: Battery | None
    impact: ImpactStudy | None
    findings: list[Finding]

    def count(self, verdict: Holds) -> int:
        """Facts with this verdict."""
        return sum(finding.verdict is verdict for finding in self.findings)


def read_recorded(path: Path) -> StockDay:
    """A recorded day: a folder of `twin.matching.sse_l2`'s form, or a LOBSTER folder, zip or message file.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if path.exists() and find_pair(path) is not None:
        return lobster_day(path)
    return recorded_day(read_day(path))


def run_study(
    stock: Stock,
    recorded: StockDay | None,
    *,
    days: int = 1,
    seed: int = 1,
    impact_days: int = 8,
    replications: int = 200,
    progress: Progress | None = None,
) -> Study:
    """Simulate, measure, compare.

    Args:
        stock: what to simulate.
        recorded: the real day to compare with, or None for the literature only.
        days: simulated days; from two on the intervals are those of the mean over days.
        seed: of the simulation.
        impact_days: days of the metaorder experiment, 0 to leave it out.
        replications: bootstrap samples.
        progress: told how far the work is.
    """
    tell = progress or (lambda _stage, _fraction: None)
    simulated = []
    for i in range(days):
        day = simulate_day(stock, seed, i, partial(_part, tell, i, days))
        simulated.append(Battery(day, replications))
    tell("simulate", 1.0)
    batteries = [*simulated, *([Battery(recorded, replications)] if recorded else [])]
    for i, battery in enumerate(batteries):
        tell("measure", i / len(batteries))
        _ = battery.statistics
    tell("measure", 1.0)
    study = None
    if impact_days:
        study = impact_study(stock, seed, replications=impact_days, progress=lambda part: tell("impact", part))
    found = _findings(simulated, batteries[-1] if recorded else None, study)
    return Study(stock, simulated, batteries[-1] if recorded else None, study, found)


def _part(tell: Progress, done: int, days: int, fraction: float) -> None:
    tell("simulate", (done + fraction) / days)


def _findings(simulated: list[Battery], recorded: Battery | None, impact: ImpactStudy | None) -> list[Finding]:
    findings = []
    for fact in read_facts():
        if fact.group == "impact":
            if impact is None:
                continue
            ours, real = (impact.exponent if fact.key == "metaorder" else impact.level), None
        else:
            ours = over_days([battery.statistics.get(fact.key, nothing()) for battery in simulated])
            real = recorded.statistics.get(fact.key, nothing()) if recorded else None
        findings.append(
            Finding(
                fact,
                ours,
                real,
                fact.published(ours),
                fact.published(real) if real else Holds.UNKNOWN,
                fact.against(ours, real) if real else Holds.UNKNOWN,
            )
        )
    return findings
