"""`twin realism` from the command line to the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboards.cli import BAD_INPUT, app, execute
from dashboards.realism.words import word_list
from dashboards.report.style import chinese_font

SMALL = ("realism", "--instrument", "20:3000", "--days", "1", "--impact-days", "0")
CHINESE = re.compile("[一-鿿]")


def run(*arguments: str) -> int:
    return execute(app, "twin", list(arguments))


@pytest.mark.slow
def test_against_the_literature_it_prints_a_table_and_writes_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SMALL, "--out", str(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert "Tail exponent of 10-s returns" in out
    assert re.search(r"\d+ facts hold", out)
    assert "simulating" in err
    page = (tmp_path / "realism.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(list((tmp_path / "pictures").glob("*.png"))) == 10
    assert "http://" not in page
    assert "nan" not in page.lower().replace("finance", "")
    for picture in (tmp_path / "pictures").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 150_000


def test_for_machines_and_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMALL, "--language", "zh", "--json", "--no-page", "--out", str(tmp_path)) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["against"] == "published"
    facts = {fact["fact"]: fact for fact in result["facts"]}
    assert facts["one_lot"]["simulated"]["low"] <= facts["one_lot"]["simulated"]["value"]
    assert facts["tail_exponent"]["published"] == [2, 5]
    assert "bootstrap" in facts["gap_shape"]["simulated"]["interval"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_metaorder_experiment_is_drawn_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMALL[:-1], "3", "--json", "--language", "zh", "--out", str(tmp_path)) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["impact"]) == 5
    assert "metaorder" in {fact["fact"] for fact in result["facts"]}
    assert (tmp_path / "pictures" / "metaorder.png").is_file()
    page = Path(result["page"]).read_text(encoding="utf-8")
    assert "模拟" in page
    if chinese_font():
        assert "自相关" in page


@pytest.mark.slow
@pytest.mark.data
def test_against_a_recorded_day(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data / "market" / "sse_l2_605580_20230711"
    assert run("realism", "--against", str(folder), "--days", "1", "--impact-days", "0", "--no-page") == 0
    out = capsys.readouterr().out
    assert "26,883 orders a day" in out
    assert "sse_l2_605580_20230711" in out
    assert "± 30%" in out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--against", "/nowhere"),
        ("--instrument", "nothing"),
        ("--impact-days", "2"),
        ("--days", "0"),
        ("--language", "fr"),
    ],
)
def test_a_wrong_argument_is_one_line(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("realism", *wrong) == BAD_INPUT
    err = capsys.readouterr().err.strip().splitlines()
    assert err[-1].startswith("error: ") or err[-1].startswith("错误")
    assert "Traceback" not in "".join(err)


def test_every_text_is_in_both_languages() -> None:
    for key, (english, chinese) in word_list().items():
        assert english, key
        assert chinese == "–" or CHINESE.search(chinese), key
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", chinese) or sorted(
            re.findall(r"\{\w+\}", english)
        ) == sorted(re.findall(r"\{\w+\}", chinese)), key
