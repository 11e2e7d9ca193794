"""The ledger of a run on disk: what is finished, and how a run becomes whole.

Work goes on in `<out>/.partial/<run>/`: a replication is written to a temporary name and renamed to `rep=K` when it is
whole; when all are there the run folder is assembled beside them and renamed to `<out>/<run>`. A kill at any instant
leaves either the old run or the new one, and whole replications that the next start goes on from.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import twin
from scenarios.loader import scenario_hash
from scenarios.runs import FORMAT, MANIFEST, OPTIONAL_TABLES, TABLES, Run, read_run, run_folder_name
from scenarios.schema import Scenario
from twin.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("numpy", "scipy", "numba", "mesa", "simpy", "pydantic", "pyarrow", "exchange-calendars")
INFO = "info.json"


def code_fingerprint() -> str:
    """SHA-256 of the code and parameter files that results depend on; a run made by other code is not reused."""
    digest = hashlib.sha256()
    for pattern in ("twin/**/*.py", "agents/**/*.py", "scenarios/**/*.py", "scenarios/*/*.yaml"):
        for path in sorted(_ROOT.glob(pattern)):
            if path.parent.name != "catalogue":
                digest.update(f"{path.relative_to(_ROOT).as_posix()}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Ledger:
    """One run's place on disk.

    Args:
        out: folder of all runs.
        scenario: the scenario as run.
        seed: seed of the run.
        code: fingerprint of code and parameters.
    """

    out: Path
    scenario: Scenario
    seed: int
    code: str

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return run_folder_name(self.scenario.name, scenario_hash(self.scenario), self.seed)

    @property
    def folder(self) -> Path:
        """The run folder, there when the run is whole."""
        return self.out / self.name

    @property
    def work(self) -> Path:
        """Folder of the work in progress."""
        return self.out / ".partial" / self.name

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against other processes; a killed holder lets go by itself."""
        try:
            self.work.parent.mkdir(parents=True, exist_ok=True)
            lock = (self.work.parent / f"{self.name}.lock").open("w")
        except OSError as error:
            raise RunError(f"cannot be written ({error.strerror})", where=str(self.out), hint="Choose --out.") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                hint = "Wait for the other command, or choose another --out."
                raise RunError("another command is making this run", where=str(self.folder), hint=hint) from None
            yield

    def prepare(self, *, fresh: bool) -> None:
        """Clear what cannot be used: leftovers of a kill, work of other code, and everything if `fresh`."""
        whole, old = self.work / "whole", self.work / "old"
        if not self.folder.exists() and (whole / MANIFEST).is_file():
            whole.rename(self.folder)
        elif not self.folder.exists() and (old / MANIFEST).is_file():
            old.rename(self.folder)
        if fresh:
            shutil.rmtree(self.work, ignore_errors=True)
        for path in self.work.glob("*"):
            if path.name.startswith("rep=") and self._usable(path):
                continue
            shutil.rmtree(path, ignore_errors=True)

    def _usable(self, path: Path) -> bool:
        try:
            return bool(json.loads((path / INFO).read_text(encoding="utf-8"))["code"] == self.code)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def whole(self) -> Run | None:
        """The whole run, if there is one made by the same code.

        Raises:
            RunError: the folder exists but is not a run: it is not ours to replace.
        """
        if not self.folder.exists():
            return None
        run = read_run(self.folder)
        return run if run.manifest.get("code") == self.code else None

    def finished(self, replications: int) -> list[int]:
        """Replications below a number that need not be run again."""
        run = self.whole()
        done = run.replications if run else 0
        return [k for k in range(replications) if k < done or (self.work / f"rep={k}").is_dir()]

    def write_replication(self, replication: int, result: Any, wall_s: float) -> None:
        """Write one replication under a temporary name, then rename it."""
        import pyarrow.parquet as pq

        part = self.work / f"part={replication}-{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in (*TABLES, *OPTIONAL_TABLES):
            table = getattr(result, name, None)
            if table is not None:
                pq.write_table(_numbered(table, replication), part / f"{name}.parquet", compression="zstd")
        note = {"code": self.code, "wall_s": round(wall_s, 3), "info": result.info}
        (part / INFO).write_text(json.dumps(note, default=_plain), encoding="utf-8")
        target = self.work / f"rep={replication}"
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)

    def finish(self, replications: int) -> Run:
        """Assemble the run folder from its replications and put it in place."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        old_run = self.whole()
        whole, old = self.work / "whole", self.work / "old"
        whole.mkdir(parents=True)
        present = [
            n
            for n in OPTIONAL_TABLES
            if all((self.work / f"rep={k}/{n}.parquet").is_file() for k in range(replications))
        ]
        for name in (*TABLES, *present):
            tables = [self._table(name, k, old_run) for k in range(replications)]
            pq.write_table(pa.concat_tables(tables).unify_dictionaries(), whole / f"{name}.parquet", compression="zstd")
        notes = [self._note(k, old_run) for k in range(replications)]
        manifest = self._manifest(replications, notes)
        text = json.dumps(manifest, ensure_ascii=False, indent=1, default=_plain)
        (whole / "manifest.part").write_text(text, encoding="utf-8")
        (whole / "manifest.part").rename(whole / MANIFEST)
        if self.folder.exists():
            self.folder.rename(old)
        whole.rename(self.folder)
        shutil.rmtree(self.work)
        return read_run(self.folder)

    def _table(self, name: str, replication: int, old: Run | None) -> pa.Table:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        path = self.work / f"rep={replication}" / f"{name}.parquet"
        if path.is_file():
            return pq.read_table(path, partitioning=None)
        if old is None:
            raise RunError(f"replication {replication} has no {name}", where=str(self.work), hint="Run with --fresh.")
        table = old.table(name)
        return table.filter(pc.equal(table["replication"], replication))

    def _note(self, replication: int, old: Run | None) -> dict[str, Any]:
        path = self.work / f"rep={replication}" / INFO
        if path.is_file() or old is None:
            note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return note
        timings, info = old.manifest["timings"], old.manifest["info"]
        return {"wall_s": timings["replications_s"][replication], "info": info[replication]}

    def _manifest(self, replications: int, notes: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "scenario": self.scenario.model_dump(mode="json", exclude={"extends"}),
            "hash": scenario_hash(self.scenario),
            "seed": self.seed,
            "replications": replications,
            "code": self.code,
            "versions": _versions(),
            "machine": {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()},
            "timings": {
                "wall_s": round(sum(note["wall_s"] for note in notes), 3),
                "replications_s": [note["wall_s"] for note in notes],
            },
            "info": [note["info"] for note in notes],
        }


def _versions() -> dict[str, str]:
    versions = {"broker-twin": twin.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def _numbered(table: pa.Table, replication: int) -> pa.Table:
    """The table with the replication as its first column."""
    import numpy as np
    import pyarrow as pa

    column = pa.array(np.full(table.num_rows, replication, np.int32))
    if "replication" in table.column_names:
        table = table.drop_columns(["replication"])
    return table.add_column(0, "replication", column)


def _plain(value: Any) -> Any:
    """JSON for NumPy scalars and arrays in a replication's notes."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
