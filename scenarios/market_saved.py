"""A day of the whole exchange on disk: messages, tape and quotes of every instrument, a few instruments a file.

A folder knows which day it holds. A run that was killed goes on in it: files get their name only when they are whole,
and instruments whose files are there are not run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.calibration import background_parameters
from scenarios.market_day import Market, MarketDay, Shard, Totals, run_market
from twin.contracts import IntColumn, Messages, Tape
from twin.errors import DataError, ScenarioError

PLAN = "plan.json"


def save_market(
    plan: MarketDay, folder: Path, *, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> Totals:
    """Run the day and write everything to `folder`: totals.parquet, and messages, tape and quotes by group.

    Called again with the same plan and folder it does what is left.

    Raises:
        ScenarioError: the folder holds something else.
    """
    asked = _described(plan)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _require_same(folder, asked)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / PLAN, lambda file: file.write_text(json.dumps(asked, indent=1)))
    totals = run_market(plan, partial(_saved, folder), workers=workers, progress=progress)
    _write(folder / "totals.parquet", vars(totals))
    return totals


def _described(plan: MarketDay) -> Any:
    """The plan and the fitted parameters that it names, as JSON has them."""
    return json.loads(
        json.dumps(asdict(plan) | {"fitted": asdict(background_parameters(plan.parameters))}, default=str)
    )


def _require_same(folder: Path, asked: Any) -> None:
    file = folder / PLAN
    if not file.is_file():
        raise ScenarioError("the folder is not empty and holds no day of the exchange", str(folder), "Name a new one.")
    try:
        held = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise DataError(f"is damaged ({error})", str(file), "Delete the folder or name a new one.") from error
    differing = sorted(key for key in {*asked, *held} if asked.get(key) != held.get(key))
    if differing:
        what = f"the folder holds another day (differs in {', '.join(differing)})"
        raise ScenarioError(what, where=str(folder), hint="Name a new one, or ask for the same day to go on with it.")


def _saved(folder: Path, market: Market, rows: IntColumn) -> Totals:
    """Run a chunk and write what happened in it; the files are named after its first instrument, totals last."""
    import pyarrow.parquet as pq

    name = f"{int(rows[0]):05d}.parquet"
    done = folder / f"totals-{name}"
    if done.is_file():
        table = pq.read_table(done)
        return Totals(*(np.asarray(table[f.name]) for f in fields(Totals)))
    shard = Shard(market, rows, keep=True)
    days = list(shard.days())
    _write(folder / f"messages-{name}", vars(Messages.concat([day.messages for day in days])))
    _write(folder / f"tape-{name}", vars(Tape.concat([day.tape for day in days])))
    columns = ("bid", "ask", "bid_quantity", "ask_quantity")
    quotes = {c: np.concatenate([day.quotes[:, k] for day in days]) for k, c in enumerate(columns)}
    times = np.concatenate([day.times for day in days])
    who = np.repeat(rows, [len(day.times) for day in days])
    _write(folder / f"quotes-{name}", {"time": times, "instrument": who, **quotes})
    totals = shard.totals()
    _write(done, vars(totals))
    return totals


def _write(file: Path, columns: dict[str, IntColumn]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    _replace(file, lambda part: pq.write_table(pa.table(columns), part, compression="zstd"))


def _replace(file: Path, write: Callable[[Path], Any]) -> None:
    """Write under another name and rename, so that a file with its own name is whole."""
    part = file.with_suffix(".part")
    write(part)
    part.replace(file)
