"""A replay holds a piece of the recording at a time: its peak of memory does not grow with the recording."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import feed_writers as writers
import pytest

SMALL, LARGE = 200_000, 800_000
BOUND = {"mbo": 90, "sse-l2": 110}
"""MB by which the peak may grow from SMALL to LARGE: resting orders and the allocator's slack."""
ROOT = Path(__file__).resolve().parents[1]
# Not getrusage, whose maximum a process inherits from the one that started it.
PEAK = """
def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
"""
STREAMED = """
import sys
from pathlib import Path
from twin.matching.replay import replay
report = replay(Path(sys.argv[1]))
assert report.ok, report.first_difference
print(report.messages, peak())
"""
HELD = """
import sys
from pathlib import Path
from twin.matching.feeds import open_feed
import numpy as np
chunks = list(open_feed(Path(sys.argv[1])).chunks())
times, *day = [np.concatenate(column) for column in zip(*(vars(chunk.rows).values() for chunk in chunks))]
print(len(times), peak())
"""


def peak(code: str, path: Path) -> tuple[int, int]:
    """Rows and peak resident memory (MB) of a process that runs the code on a recording."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PEAK + code, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=600)
    assert result.returncode == 0, result.stderr
    rows, megabytes = result.stdout.split()
    return int(rows), int(megabytes)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["mbo", "sse-l2"])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, format: str) -> None:
    peaks, held = [], []
    for n in (2_000, SMALL, LARGE):  # the first compiles the kernels, which takes more memory than a replay
        run = writers.simulate(n, seed=2, reduce=format == "mbo")
        if format == "mbo":
            path = writers.write_mbo(run, tmp_path / f"{n}.csv")
        else:
            path = writers.write_sse(run, tmp_path / f"{n}_20230207")
        peaks.append(peak(STREAMED, path))
        held.append(peak(HELD, path))
    del peaks[0], held[0]
    assert peaks[1][0] > 3 * peaks[0][0] > SMALL
    assert peaks[1][1] - peaks[0][1] < BOUND[format], peaks
    assert held[1][1] - held[0][1] > BOUND[format], held  # the bound would tell
    assert peaks[1][1] < 2_000
