"""A job of the dashboard on the stand-in day: `python standin_job.py FOLDER` instead of the real one."""

from __future__ import annotations

import sys
from pathlib import Path

from scenarios.experiments import runner

if __name__ == "__main__":
    runner.run_all.__kwdefaults__["simulate"] = "standin_day:simulate_day"
    from dashboards.jobs import work

    work(Path(sys.argv[1]))
