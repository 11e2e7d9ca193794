"""The worked example of docs/institutions.md runs as it stands there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from small_market import join, stocks, view

from agents.institutions import KINDS
from scenarios.institutions import FOLDER, read_kinds
from twin.clock import SECOND, at

DOC = Path(__file__).parent.parent / "docs" / "institutions.md"


def test_the_example_is_an_institution(tmp_path: Path) -> None:
    source = DOC.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    file = tmp_path / "dip_buyer.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("dip_buyer", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["dip_buyer"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        assert KINDS["dip_buyers"] is module.DipBuyer
        buyer = join(module.DipBuyer, stocks(1000, 2000), names=2)
        low = np.array([940, 1960])
        for k in range(2):
            intents = buyer.step(view(at("10:00") + 60 * k * SECOND, low - 1, low + 1))
            bought = [(o.instrument, o.side, o.price, o.quantity) for o in intents.orders]
            assert bought == ([(0, 1, 941, 1000)] if k == 0 else [])
            buyer.on_submitted(range(len(bought)))
    finally:
        KINDS.pop("dip_buyers", None)
        del sys.modules["dip_buyer"]
    keys = read_kinds(tmp_path)["DipBuyer"]
    assert keys.section == "dip_buyers"
    assert keys.own["dip"][1].default == 0.05
    assert keys.own["review"][1].default == 60 * SECOND


def test_the_table_names_every_file_and_no_other() -> None:
    table = {
        part
        for line in DOC.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
        for part in line.split("`")
    }
    named = {part for part in table if part.endswith(".py")}
    assert named == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py", "base.py", "settings.py"}
