"""The command `twin rules`: tables, single orders, errors, both languages."""

from __future__ import annotations

import json

import pytest

from dashboards.cli import BAD_INPUT, CHECK_FAILED, OK, app, execute
from twin.matching.rules import Rulebook

ORDER = ["--check", "--exchange", "sse", "--board", "main", "--previous-close", "10.00", "--best-ask", "10.10"]


@pytest.fixture
def twin(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> tuple[int, str, str]:
        status = execute(app, "twin", ["rules", *arguments])
        return status, *capsys.readouterr()

    return run


def test_the_rules_of_a_date_come_with_their_sources(twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    status, out, _ = twin("2026-07-06", "--board", "main", "--exchange", "sse")
    assert status == OK
    for said in ("2026-07-06", "-10% / +10%", "M32", "15:05-15:30", "best five", "T+1", "official"):
        assert said in out
    assert "sse.star" not in out
    status, out, _ = twin("2026-07-06", "--board", "bse", "-l", "zh")
    assert status == OK
    assert "涨跌幅限制" in out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_record_can_be_put_in_words(language: str) -> None:
    from dashboards.cli_rules import value_text

    for record in Rulebook.load().records:
        if record.rule != "existence":
            assert value_text(record, language)


def test_json_gives_every_record_with_times_and_names(twin) -> None:
    status, out, _ = twin("2024-01-05", "--board", "fund", "--exchange", "szse", "--json")
    assert status == OK
    records = json.loads(out)
    assert all(r["source"] and r["confidence"] and r["from"] <= "2024-01-05" for r in records)
    sessions = next(r for r in records if r["rule"] == "sessions")
    assert sessions["value"]["close_call"] == ["14:57", "15:00"]
    kinds = next(r for r in records if r["rule"] == "order_kinds")
    assert "fok" in kinds["value"]["kinds"]


@pytest.mark.parametrize(
    ("date", "price", "status", "said"),
    [
        ("2023-04-07", "10.50", OK, "legal"),
        ("2023-04-10", "10.50", CHECK_FAILED, "10.30 at most"),
        ("2023-04-10", "10.30", OK, "legal"),
        ("2023-04-10", "10.305", CHECK_FAILED, "multiples of 0.01"),
        ("2023-04-07", "11.01", CHECK_FAILED, "limits 9.00 to 11.00"),
    ],
)
def test_an_order_is_legal_or_refused_with_the_reason(twin, date: str, price: str, status: int, said: str) -> None:
    code, out, _ = twin(date, *ORDER, "--price", price)
    assert code == status
    assert said in out
    assert status == OK or "since" in out


def test_a_verdict_for_machines_names_the_record(twin) -> None:
    status, out, _ = twin("2023-04-10", *ORDER, "--price", "10.50", "--json")
    verdict = json.loads(out)
    assert status == CHECK_FAILED
    assert (verdict["legal"], verdict["reason"], verdict["rule"]["rule"]) == (False, "CAGE", "cage")
    assert "10.30" in verdict["zh"]


def test_fund_units_become_tens(twin) -> None:
    fund = ["--check", "--exchange", "sse", "--board", "fund", "--previous-close", "4.000", "--price", "4.001"]
    assert twin("2024-01-05", *fund, "--quantity", "1000000")[0] == OK
    status, out, _ = twin("2024-01-05", *fund, "--quantity", "1000100")
    assert status == CHECK_FAILED
    assert "1,000,000" in out
    assert twin("2024-01-05", *fund, "--quantity", "105")[0] == BAD_INPUT


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2018-04-10", "--board", "star"], "2019-07-22"),
        (["1990-01-01"], "1996-12-16"),
        (["2018-13-10"], "YYYY-MM-DD"),
        (["2024-01-05", "--board", "nasdaq"], "chinext"),
        (["2024-01-05", "--board", "star", "--exchange", "szse"], "no board star"),
        (["2024-01-05", "--check", "--price", "10"], "--exchange and --board"),
        (["2024-01-05", *ORDER, "--price", "ten"], "10.05"),
        (["2024-01-05", *ORDER, "--price", "10", "--kind", "stop"], "best5_ioc"),
        (["2024-01-05", *ORDER, "--price", "10", "--at", "25:00"], "HH:MM"),
        (["2024-01-05", "--check", "--board", "star", "--price", "10"], "previous close"),
    ],
)
def test_a_mistake_is_one_clear_line(twin, arguments: list[str], said: str) -> None:
    status, _, err = twin(*arguments)
    assert status == BAD_INPUT
    assert said in err
    assert err.count("\n") == 1
