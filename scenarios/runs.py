"""Run folders: reading them, listing them, comparing two of them replication by replication.

A run folder holds `manifest.json` (scenario as run, hash, seed, replications, versions, machine, timings),
`measures.parquet` and `timeline.parquet`, all replications in order, and on request `orders` and `trades`. Folders
whose name begins with a dot are work in progress and are never read.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
MANIFEST = "manifest.json"
TABLES = ("measures", "timeline")
OPTIONAL_TABLES = ("orders", "trades")
_REQUIRED = ("format", "scenario", "hash", "seed", "replications", "versions", "machine", "timings", "info")
WHOLE_DAY = -1
"""`time_ns` of a measure of the whole day (twin/measures/tidy.py)."""
_LIST = "See `twin runs`."


@dataclass(frozen=True)
class Run:
    """A whole run on disk."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return str(self.manifest["scenario"]["name"])

    @property
    def replications(self) -> int:
        """How many replications it holds, numbered from 0."""
        return int(self.manifest["replications"])

    def table(self, name: str) -> pa.Table:
        """One of the run's tables, all replications in order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        try:
            return pq.read_table(path)
        except FileNotFoundError:
            raise RunError(f"the run has no table {name!r}", where=str(path), hint=_LIST) from None
        except (OSError, pa.ArrowInvalid) as error:
            raise RunError(
                f"cannot be read ({str(error).splitlines()[0]})", where=str(path), hint="Run again."
            ) from None


def run_folder_name(scenario: str, digest: str, seed: int) -> str:
    """Name of the folder of a scenario's run with a seed."""
    return f"{scenario}-{digest[:8]}-s{seed}"


def read_run(folder: Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: the folder is missing, foreign, half-written, or of another format.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise RunError("there is no such run folder", where=str(folder), hint=_LIST)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError("not a run folder (it has no manifest)", where=str(folder), hint=_LIST) from None
    except (OSError, ValueError) as error:
        raise RunError(f"the manifest cannot be read ({error})", where=str(path), hint="Run again.") from None
    missing = [key for key in _REQUIRED if not isinstance(manifest, dict) or key not in manifest]
    if missing:
        raise RunError(f"the manifest lacks {', '.join(missing)}", where=str(path), hint=_LIST)
    if manifest["format"] != FORMAT:
        raise RunError(f"format {manifest['format']} is not {FORMAT}", where=str(path), hint="Run again.")
    absent = [name for name in TABLES if not (folder / f"{name}.parquet").is_file()]
    if absent:
        raise RunError(f"the run folder lacks {', '.join(absent)}", where=str(folder), hint="Run again with --fresh.")
    return Run(folder, manifest)


def list_runs(out: Path) -> list[Run]:
    """All whole runs under a folder, by name; folders of other things are passed over."""
    runs = []
    for path in sorted(out.glob(f"*/{MANIFEST}")) if out.is_dir() else []:
        if path.parent.name.startswith("."):
            continue
        try:
            runs.append(read_run(path.parent))
        except RunError:
            continue
    return runs


@dataclass(frozen=True)
class Comparison:
    """One measure of a scenario beside its baseline; None where a side does not have it."""

    dimension: str
    measure: str
    segment: str
    scenario: float | None
    baseline: float | None
    difference: float | None
    half_width: float | None
    """Half of the 95% interval of the paired difference; None for a single replication."""
    verdict: str
    """A word of `twin.measures.statistics.Verdict`, or empty where there is no difference to judge."""
    replications: int


def compare(scenario: Run, baseline: Run | None) -> list[Comparison]:
    """Every measure of both runs, joined by replication (common random numbers make the pairs)."""
    ours, theirs = _values(scenario), _values(baseline) if baseline else {}
    keys = list(ours) + [key for key in theirs if key not in ours]
    return [_paired(key, ours.get(key, {}), theirs.get(key, {})) for key in keys]


def _values(run: Run) -> dict[tuple[str, str, str], dict[int, float]]:
    """(dimension, measure, segment) -> replication -> value of the whole day, in the order of the file."""
    table = run.table("measures").to_pydict()
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    names = ("dimension", "measure", "segment", "replication", "value")
    times = table.get("time_ns", [WHOLE_DAY] * len(table["value"]))
    for time_ns, *key, replication, value in zip(times, *(table[name] for name in names), strict=True):
        if time_ns == WHOLE_DAY:
            dimension, measure, segment = (str(part or "") for part in key)
            values.setdefault((dimension, measure, segment), {})[int(replication)] = float(value)
    return values


def _paired(key: tuple[str, str, str], ours: dict[int, float], theirs: dict[int, float]) -> Comparison:
    from twin.measures.scorecard import REGISTRY
    from twin.measures.statistics import Direction, paired_difference

    both = sorted(set(ours) & set(theirs))
    if not both:
        return Comparison(*key, _mean(ours), _mean(theirs), None, None, "", len(ours or theirs))
    mine, other = {k: ours[k] for k in both}, {k: theirs[k] for k in both}
    direction = REGISTRY[key[1]].direction if key[1] in REGISTRY else Direction.NEUTRAL
    result = paired_difference(list(other.values()), list(mine.values()), direction)
    estimate = result.estimate
    word = result.verdict.value
    return Comparison(*key, _mean(mine), _mean(other), estimate.mean, estimate.half_width, word, len(both))


def _mean(sample: dict[int, float]) -> float | None:
    return math.fsum(sample.values()) / len(sample) if sample else None
