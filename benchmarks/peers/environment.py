"""Environments of their own for the other order books, which do not all fit the twin's.

They are made on demand in the user's cache folder, one for each Python that a peer needs, and are kept; delete
`~/.cache/broker-twin/peers` to make them anew. What each holds is pinned in `requirements.txt`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_INSTALL_TIMEOUT = 600


def cache_folder() -> Path:
    """Folder of the peers' environments."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "broker-twin" / "peers"


def find_python(release: str) -> Path | None:
    """An interpreter of a release such as 3.13: on the path or among pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = shutil.which(f"python{release}")
    candidates = sorted(root.glob(f"versions/{release}.*/bin/python3")) + ([Path(found)] if found else [])
    for path in candidates:
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.returncode == 0 and asked.stdout.strip() == release:
            return path
    return None


def pins(requirements: Path = REQUIREMENTS) -> dict[str, str]:
    """Requirement of each distribution in a file, by its name without extras."""
    lines = [line.split("#")[0].strip() for line in requirements.read_text().splitlines()]
    return {re.split(r"[\[=]", line)[0]: line for line in lines if line}


@dataclass
class Environment:
    """A virtual environment of a Python release and a file of requirements; `problems` says what is missing and why."""

    release: str
    requirements: Path = REQUIREMENTS
    python: Path | None = None
    problems: dict[str, str] = field(default_factory=dict)

    def prepare(self, names: list[str]) -> None:
        """Make the environment if need be and install what is missing, one by one, so that one may fail alone."""
        base = find_python(self.release)
        if base is None:
            self.problems = dict.fromkeys(names, f"needs Python {self.release}, which is not here")
            return
        digest = hashlib.sha256(self.requirements.read_bytes()).hexdigest()[:8]
        folder = cache_folder() / f"{self.release}-{digest}"
        self.python = folder / "bin" / "python"
        if not self.python.exists():
            subprocess.run([base, "-m", "venv", folder], check=True, capture_output=True)
        wanted = pins(self.requirements)
        for name in [*(["numpy"] if "numpy" in wanted else []), *names]:
            self._install(name, wanted[name], folder / f"{name}.installed")

    def _install(self, name: str, requirement: str, stamp: Path) -> None:
        if stamp.exists():
            return
        command = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            done = subprocess.run([*command, requirement], capture_output=True, text=True, timeout=_INSTALL_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.problems[name] = f"pip took more than {_INSTALL_TIMEOUT} s"
            return
        if done.returncode:
            self.problems[name] = _reason(done.stderr)
        else:
            stamp.touch()


def _reason(output: str) -> str:
    """The last line of pip's complaint that says something."""
    errors = [line.strip() for line in output.splitlines() if line.strip().lower().startswith("error")]
    return f"does not install: {errors[-1] if errors else output.strip()[-200:]}"
