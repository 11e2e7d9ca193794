"""The dated records: sourced, without gap or overlap, and in agreement with a public data set of official quotes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from twin.clock import clock_text
from twin.errors import DataError
from twin.matching.rules import Confidence, Rulebook
from twin.matching.rules.book import parse_records
from twin.matching.rules.listing import MARKETS, Product, Stage, products_of, stages_of
from twin.matching.rules.values import (
    EXCEPTIONAL,
    VALUES,
    LimitRounding,
    NewListing,
    PriceLimit,
    Record,
    Sessions,
    Settlement,
    Tick,
)

FIRST, LAST = dt.date(2005, 1, 1), dt.date(2026, 12, 31)
CELLS = [(m, s, p) for m in MARKETS for s in stages_of(m) for p in products_of(m)]


@pytest.fixture(scope="module")
def book() -> Rulebook:
    return Rulebook.load()


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The files of records."""
    folder = files("twin.matching.rules") / "records"
    return {entry.name: (folder / entry.name).read_text(encoding="utf-8") for entry in folder.iterdir()}


@pytest.fixture(scope="module")
def parsed(texts: dict[str, str]) -> dict[str, list[Record]]:
    return {name: parse_records(text, name) for name, text in texts.items()}


def load_with(parsed: dict[str, list[Record]], name: str, text: str) -> Rulebook:
    """The rulebook with the text of one file exchanged."""
    return Rulebook([r for n in sorted(parsed) for r in (parse_records(text, n) if n == name else parsed[n])])


def test_every_record_has_a_source_and_a_confidence(book: Rulebook) -> None:
    for record in book.records:
        assert len(record.source.strip()) >= 3, record.name
        assert record.confidence in Confidence
        if record.oracle:
            assert record.confidence != Confidence.GENERAL, record.name
    assert {record.rule for record in book.records} == set(VALUES)


def test_every_day_from_2005_to_2026_has_exactly_one_record_per_rule(book: Rulebook) -> None:
    days = (LAST - FIRST).days + 1

    def index(day: dt.date | None) -> int:
        return days if day is None else min(max((day - FIRST).days, 0), days)

    checked = 0
    for rule in VALUES:
        for cell in CELLS:
            if rule in EXCEPTIONAL:
                continue
            steps = np.zeros(days + 1, np.int64)
            for record in book.history(rule, cell):
                steps[index(record.first)] += 1
                steps[index(record.last + dt.timedelta(days=1) if record.last else None)] -= 1
            start = book.start(cell)
            assert start is not None, cell
            held = np.cumsum(steps[:-1])[index(start) :]
            assert (held == 1).all(), (rule, cell, FIRST + dt.timedelta(days=int(np.argmax(held != 1))))
            checked += len(held)
    assert checked > 2_000_000


def test_the_files_make_up_the_packaged_book(book: Rulebook, parsed: dict[str, list[Record]]) -> None:
    assert Rulebook([r for name in sorted(parsed) for r in parsed[name]]).records == book.records
    assert len(book.records) > 200


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # the 5 % of ST stocks runs on beside the 10 %
        ("from: 1998-04-22, to: 2026-07-05,", "from: 1998-04-22,", "price_limit of .* both hold on 2026-07-06"),
        # it ends too early
        ("from: 1998-04-22, to: 2026-07-05,", "from: 1998-04-22, to: 2026-07-03,", "no record holds on 2026-07-04"),
        ("from: 1998-04-22, to: 2026-07-05,", "from: 1998-04-22, to: 1998-04-21,", "before it begins"),
        ("value: {down: 5, up: 5}", "value: {down: 5}", "both limits or none"),
        ("value: {down: 5, up: 5}", "value: {below: 5}", "below"),
        ("rule: price_limit, markets: bse", "rule: price_limit, markets: bsx", "'bsx' is not a market"),
        ("rule: price_limit, markets: bse", "rule: price_limits, markets: bse", "'price_limits' is not a rule"),
        ("kinds: [limit, own_best", "kinds: [limit, own_bset", "'own_bset' is not an order kind"),
        ("products: fund_commodity", "products: fund_comodity", "'fund_comodity' is not a product"),
        ('until: "14:57"', 'until: "25:57"', "not a time of day"),
        ('["14:57", "15:00"]', '["15:00", "14:57"]', "ends after it starts"),
        ("confidence: press", "confidence: hearsay", "hearsay|confidence"),
        ("records:", "recrods:", "list `records`"),
        ("rule: tick,", "rule: tick, {", "not YAML"),
    ],
)
def test_a_flawed_record_is_a_loading_error_that_names_it(
    texts: dict[str, str], parsed: dict[str, list[Record]], old: str, new: str, said: str
) -> None:
    name = next(name for name, text in sorted(texts.items()) if old in text)
    with pytest.raises(DataError, match=said):
        load_with(parsed, name, texts[name].replace(old, new, 1))


def test_a_missing_record_names_the_rule_and_the_day(texts: dict[str, str], parsed: dict[str, list[Record]]) -> None:
    text = texts["4_day.yaml"]
    start = text.index("  - {rule: auction, markets: bse")
    end = text.index("  - {rule:", start + 1)
    with pytest.raises(DataError, match="auction of bse, normal, stock: no record holds on 2021-11-15"):
        load_with(parsed, "4_day.yaml", text[:start] + text[end:])


def test_a_book_without_records_for_a_board_is_not_taken() -> None:
    text = """
records:
  - {rule: existence, markets: bse, from: 2021-11-15, source: opening, confidence: official}
  - {rule: new_listing, markets: bse, from: 2021-11-16, value: {days: 1}, source: rules, confidence: official}
"""
    with pytest.raises(DataError, match="new_listing of bse, normal, stock: no record holds on 2021-11-15"):
        Rulebook.parse(text)


# -- against marina-rules (data CC0), where it is installed ----------------------------------------------------------

_EXCHANGE_CODES = {"sse": "XSHG", "szse": "XSHE", "bse": "BJSE"}


def _dates_lie_within(record: Record, oracle: Any, theirs: dict[str, Any]) -> bool:
    """Whether the other record, with those that continue it, holds on every day of ours."""
    last = oracle.effective_to
    while last is not None:
        same = oracle.market, oracle.scope, oracle.rule, oracle.value
        after = [
            r for r in theirs.values() if r.effective_from == last and (r.market, r.scope, r.rule, r.value) == same
        ]
        if not after:
            break
        last = after[0].effective_to
    mine = record.last.isoformat() if record.last else "9999-12-31"
    return bool(oracle.effective_from <= record.first.isoformat() and (last is None or mine < last))


def _says_the_same(record: Record, said: Any) -> bool:
    match record.value:
        case PriceLimit() as limit:
            if limit.free or said == "unlimited":
                return limit.free and said == "unlimited"
            both = said if isinstance(said, dict) else {"up": said, "down": said}
            mine = Decimal(limit.up or 0) / 100, Decimal(limit.down or 0) / 100
            return mine == (Decimal(str(both["up"])), Decimal(str(both["down"])))
        case Sessions() as day:
            at = [clock_text(t)[:5] for window in (day.open_call, *day.continuous) for t in window]
            close = [clock_text(t)[:5] for t in day.close_call] if day.close_call else None
            theirs = [*said["open_call"], *(t for window in said["continuous"] for t in window)]
            return at == theirs and close == said["close_call"]
        case Settlement() as settlement:
            return settlement.days == said
        case Tick() as tick:
            return Decimal(tick.mils) / 1000 == Decimal(str(said))
        case LimitRounding() as rounding:
            if isinstance(said, dict):
                below = {"prev_close_lt": -1, "prev_close_lte": 0}
                (key, price), *_ = said.items()
                return rounding.at_least == 1 and rounding.up_to == round(100 * price) + below[key]
            return (rounding.at_least, said) in {(1, True), (0, "half_up_2dp")}
        case NewListing():
            return said == "unlimited"
    return record.rule == "existence"


def test_records_agree_with_the_public_data_set(book: Rulebook) -> None:
    marina = pytest.importorskip("marina_rules", reason="needs the package marina-rules")
    theirs = {record.id: record for record in marina.records()}
    checked = 0
    for record in book.records:
        if record.oracle is None:
            continue
        oracle = theirs[record.oracle]
        assert _says_the_same(record, oracle.value), (record.name, oracle.value)
        if record.rule not in ("existence", "new_listing"):
            unlisted = {"cn.limit.rounding.1996-12-16", "cn.limit.etf.1996-12-16"}
            recorded = record.first.year >= 2006 and record.oracle not in unlisted
            assert not recorded or _dates_lie_within(record, oracle, theirs), (record.name, oracle.id)
            for market in record.markets:
                assert _EXCHANGE_CODES[market.split(".")[0]] in oracle.market.split("+"), (record.name, oracle.id)
        checked += 1
    assert checked >= 60


@pytest.mark.parametrize(
    ("market", "stage", "scope"),
    [
        ("sse.main", Stage.NORMAL, "main_board"),
        ("szse.main", Stage.ST, "st_main"),
        ("szse.chinext", Stage.NORMAL, "chinext"),
        ("szse.chinext", Stage.ST, "st_chinext"),
        ("sse.star", Stage.NORMAL, "star"),
        ("sse.main", Stage.DELISTING, "delisting"),
    ],
)
def test_limit_prices_agree_with_the_public_data_set(book: Rulebook, market: str, stage: Stage, scope: str) -> None:
    marina = pytest.importorskip("marina_rules", reason="needs the package marina-rules")
    from twin.matching.rules.prices import limit_prices

    code = _EXCHANGE_CODES[market.split(".")[0]]
    closes = np.concatenate([np.arange(2, 40), np.arange(200, 3000, 7)])
    for date in ("2014-03-03", "2018-08-20", "2020-08-24", "2022-03-01", "2023-04-10", "2026-07-03", "2026-07-06"):
        day, cell = dt.date.fromisoformat(date), (market, stage, Product.STOCK)
        start = book.start(cell)
        if start is None or day < start:
            continue
        limit, rounding = (
            next(r.value for r in book.history(rule, cell) if r.holds(day))
            for rule in ("price_limit", "limit_rounding")
        )
        floor = np.where(closes <= (rounding.up_to or closes.max()), rounding.at_least, 0)
        down, up = limit_prices(closes, limit.down, up_percent=limit.up, at_least=floor)
        for close, low, high in zip(closes.tolist(), down.tolist(), up.tolist(), strict=True):
            theirs = marina.limit_price(close / 100, scope, date, code)
            assert (high, low) == tuple(round(100 * x) for x in theirs), (date, close)
