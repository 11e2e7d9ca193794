"""The dashboard on the stand-in day: `streamlit run tests/standin_app.py`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from dashboards import jobs  # noqa: E402

jobs.WORK = (str(HERE / "standin_job.py"),)
runpy.run_path(str(HERE.parent / "dashboards" / "app.py"), run_name="__main__")
