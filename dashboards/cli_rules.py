"""The command `twin rules`: the trading rules of a date with their sources, and whether one order is legal."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dashboards.rules_words import say as _say
from twin.errors import ScenarioError

if TYPE_CHECKING:
    from twin.matching.rules import DayRules, Listing, Record
    from twin.matching.rules.orders import Order, Verdict

T = TypeVar("T")
REFUSED = 1


def rules(
    date: Annotated[str | None, typer.Argument(help="Day, YYYY-MM-DD (default: today) · 日期")] = None,
    exchange: Annotated[str | None, typer.Option(help="sse, szse or bse · 交易所")] = None,
    board: Annotated[str | None, typer.Option(help="main, chinext, star, bse or fund · 板块")] = None,
    check: Annotated[bool, typer.Option("--check", help="Ask about one order instead · 检查一笔申报")] = False,
    side: Annotated[str, typer.Option(help="buy or sell · 买卖方向")] = "buy",
    price: Annotated[str, typer.Option(help="Limit price in CNY · 申报价格")] = "0",
    quantity: Annotated[int, typer.Option(help="Shares or fund units · 申报数量")] = 100,
    previous_close: Annotated[str, typer.Option(help="CNY; on a first day the issue price · 前收盘价")] = "0",
    kind: Annotated[str, typer.Option(help="limit, best5_ioc, best5_limit, ... · 申报方式")] = "limit",
    at: Annotated[str, typer.Option(help="Time of day · 申报时间")] = "10:00",
    status: Annotated[str, typer.Option(help="normal, st or delisting · 状态")] = "normal",
    days: Annotated[
        int, typer.Option(min=0, help="Trading days since listing or delisting began · 上市后交易日数")
    ] = 1000,
    product: Annotated[str | None, typer.Option(help="stock, fund, fund_growth, ... · 品种")] = None,
    best_bid: Annotated[str, typer.Option(help="CNY · 最高买价")] = "0",
    best_ask: Annotated[str, typer.Option(help="CNY · 最低卖价")] = "0",
    last: Annotated[str, typer.Option(help="Last trade, CNY · 最近成交价")] = "0",
    holding: Annotated[int | None, typer.Option(min=0, help="What a seller owns · 卖方持有数量")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="en or zh · 输出语言")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Output for machines · 输出 JSON")] = False,
) -> None:
    """Show the trading rules of a date with their sources, or check one order · 查询某日交易规则及依据.

    Example: twin rules 2023-04-10 --check --exchange sse --board main --price 10.50 --previous-close 10 --best-ask 10.1
    """
    from twin.matching.rules import Rulebook

    day_rules = Rulebook.load().on(_day(date))
    markets = _markets(exchange, board)
    if not check:
        _show(day_rules, markets, language, json=json)
        return
    if len(markets) != 1:
        raise ScenarioError(
            f"an order goes to one board, not to {', '.join(markets)}",
            where="--check",
            hint="Give --exchange and --board.",
        )
    prices = {
        "price": price,
        "previous_close": previous_close,
        "best_bid": best_bid,
        "best_ask": best_ask,
        "last": last,
    }
    asked = {"side": side, "kind": kind, "at": at, "status": status, "product": product}
    verdict = _check(day_rules, markets[0], prices, asked, {"quantity": quantity, "days": days, "holding": holding})
    _tell(verdict, language, json=json)
    if not verdict.legal:
        raise typer.Exit(REFUSED)


def _day(text: str | None) -> dt.date:
    if text is None:
        return dt.date.today()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ScenarioError(f"{text!r} is not a date", where="DATE", hint="Write YYYY-MM-DD.") from error


def _choice(text: str, options: dict[str, T], flag: str) -> T:
    if text.lower() not in options:
        raise ScenarioError(f"{text!r} is unknown", where=flag, hint=f"Give {', '.join(options)}.")
    return options[text.lower()]


def _markets(exchange: str | None, board: str | None) -> list[str]:
    """Names of the markets asked for."""
    from twin.contracts import Board, Exchange
    from twin.matching.rules.listing import MARKETS

    wanted_exchange = (
        None if exchange is None else _choice(exchange, {e.name.lower(): e for e in Exchange}, "--exchange")
    )
    wanted_board = None if board is None else _choice(board, {b.name.lower(): b for b in Board}, "--board")
    found = [
        name
        for name, (e, b) in MARKETS.items()
        if (wanted_exchange is None or e == wanted_exchange) and (wanted_board is None or b == wanted_board)
    ]
    if not found:
        raise ScenarioError(
            f"{exchange} has no board {board}", where="--board", hint=f"There are {', '.join(MARKETS)}."
        )
    return found


# -- the rules of a day ----------------------------------------------------------------------------------------------


def _show(day_rules: DayRules, markets: list[str], language: str, *, json: bool) -> None:
    from dashboards import console
    from twin.matching.rules.listing import MARKETS

    held = [r for r in day_rules.book.records if r.holds(day_rules.day)]
    if len(markets) == 1:
        day_rules.cell(*MARKETS[markets[0]])  # a board before its time is an error of its own
    chosen = [r for r in held if r.rule != "existence" and set(r.markets) & set(markets)]
    if not json:
        chosen = [r for r in chosen if not _says_nothing(r)]
    if not chosen:
        raise ScenarioError(f"there are no rules on record for {day_rules.day}", hint="They begin on 1996-12-16.")
    if json:
        console.out_json([r.model_dump(mode="json", by_alias=True) for r in chosen])
        return
    console.out(_say("title", language, date=day_rules.day))
    headings = [_say(k, language) for k in ("rule", "market", "status", "value", "since", "source", "confidence")]
    rows = [_row(r, [m for m in r.markets if m in markets], language) for r in chosen]
    console.print_table(console.simple_table(headings, rows))


def _row(record: Record, markets: list[str], language: str) -> tuple[str, ...]:
    from twin.matching.rules import Product, Stage

    status = "" if len(record.status) == len(Stage) else ", ".join(_say(s, language) for s in record.status)
    if len(record.products) < len(Product):
        status = ", ".join(p.name.lower() for p in record.products)
    return (
        _say(record.rule, language),
        ", ".join(markets),
        status,
        value_text(record, language),
        str(record.first),
        record.source,
        _say(record.confidence, language),
    )


def _says_nothing(record: Record) -> bool:
    """Whether a record only says that a rule for stocks without price limit does not apply to the others."""
    return record.rule in ("free_band", "halt") and not record.value.model_dump(exclude_defaults=True)


def value_text(record: Record, language: str) -> str:
    """What a record says, in words."""
    value = record.value.model_dump(mode="json")
    say: dict[str, Any] = {
        "new_listing": _days,
        "price_limit": _limits,
        "limit_rounding": _rounding,
        "tick": lambda v, _: f"{v['mils'] / 1000:g} CNY",
        "quantity": _sizes,
        "cage": _cage,
        "free_band": _band,
        "order_kinds": _kinds,
        "sessions": _sessions,
        "no_cancel": lambda v, _: _windows(v["windows"]),
        "acceptance": _acceptance,
        "auction": lambda v, language: _say(v["tie_break"], language),
        "closing_price": _closing,
        "halt": _halt,
        "after_hours": _after,
        "settlement": lambda v, _: f"T+{v['days']}",
        "circuit_breaker": lambda v, language: _say("breaker", language, **v),
    }
    return str(say[record.rule](value, language))


def _days(v: dict[str, Any], language: str) -> str:
    return _say("days", language, n=v["days"])


def _limits(v: dict[str, Any], language: str) -> str:
    return _say("none", language) if v["up"] is None else _say("limits", language, **v)


def _rounding(v: dict[str, Any], language: str) -> str:
    text = _say("half_up", language)
    if v["at_least"]:
        text += _say("floor", language, n=v["at_least"])
    return text + (_say("floor_to", language, n=v["up_to"]) if v["up_to"] else "")


def _sizes(v: dict[str, Any], language: str) -> str:
    sizes = {"smallest": v["smallest"], "step": v["step"], "limit": v["largest_limit"], "market": v["largest_market"]}
    return _say("sizes", language, **sizes)


def _cage(v: dict[str, Any], language: str) -> str:
    if v["per_cent"] is None:
        return _say("none", language)
    ticks = _say("or_ticks", language, n=v["ticks"]) if v["ticks"] else ""
    return _say("cage_is", language, n=v["per_cent"]) + ticks + _say("parks" if v["parks"] else "refuses", language)


def _band(v: dict[str, Any], language: str) -> str:
    parts = []
    if v["open_high"] is not None:
        parts.append(_say("opening", language, low=v["open_low"] or 0, high=v["open_high"]))
    if v["later"] is not None:
        parts.append(_say("later", language, n=v["later"]))
    return "; ".join(parts) or _say("none", language)


def _kinds(v: dict[str, Any], language: str) -> str:
    return ", ".join(_say(k, language) for k in v["kinds"]) + (
        _say("protective", language) if v["protective_limit"] else ""
    )


def _windows(windows: list[list[str]]) -> str:
    return ", ".join(f"{start}-{end}" for start, end in windows)


def _sessions(v: dict[str, Any], language: str) -> str:
    parts = {"open_call": [v["open_call"]], "continuous": v["continuous"]}
    if v["close_call"]:
        parts["close_call"] = [v["close_call"]]
    return "; ".join(f"{_say(name, language)} {_windows(windows)}" for name, windows in parts.items())


def _acceptance(v: dict[str, Any], language: str) -> str:
    held = f"; {_say('held', language)} {_windows(v['held'])}" if v["held"] else ""
    return _windows(v["windows"]) + held


def _closing(v: dict[str, Any], language: str) -> str:
    return _say("otherwise", language, a=_say(v["method"], language), b=_say(v["otherwise"], language))


def _halt(v: dict[str, Any], language: str) -> str:
    if v["first"] is None:
        return _say("none", language)
    return _say("halts", language, **v) + (_say("to_end", language) if v["second_to_end"] else "")


def _after(v: dict[str, Any], language: str) -> str:
    if v["trading"] is None:
        return _say("none", language)
    trading, entry = _windows([v["trading"]]), _windows(v["entry"])
    return _say("after", language, trading=trading, entry=entry, largest=v["largest"])


# -- one order -------------------------------------------------------------------------------------------------------


def _check(
    day_rules: DayRules,
    market: str,
    prices: dict[str, str],
    asked: dict[str, str | None],
    counts: dict[str, int | None],
) -> Verdict:
    from twin.contracts import Board
    from twin.matching.rules.listing import MARKETS
    from twin.matching.rules.orders import explain, off_tick

    exchange, board = MARKETS[market]
    ticks = {name: _ticks(text, day_rules.tick_mils(exchange, board), name) for name, text in prices.items()}
    if ticks["previous_close"] in (None, 0):
        raise ScenarioError(
            "the order's limits need a previous close", where="--previous-close", hint="Give it in CNY."
        )
    per = 10 if board == Board.FUND else 1
    if any((n or 0) % per for n in (counts["quantity"], counts["holding"])):
        raise ScenarioError("units of funds are counted in tens", where="--quantity", hint="Give a multiple of 10.")
    listing = _listing(exchange, board, ticks["previous_close"] or 0, asked, counts["days"] or 0)
    order = _order(ticks, asked, {k: None if n is None else n // per for k, n in counts.items()})
    if ticks["price"] is None:
        return off_tick(day_rules, listing, order)
    return explain(day_rules, listing, order)


def _ticks(text: str, mils: int, name: str) -> int | None:
    """A price in ticks; None where it is no multiple of the tick."""
    try:
        ticks = Decimal(text) * 1000 / mils
    except InvalidOperation as error:
        flag = f"--{name.replace('_', '-')}"
        raise ScenarioError(f"{text!r} is not a price", where=flag, hint="Give CNY, for instance 10.05.") from error
    return int(ticks) if ticks == ticks.to_integral_value() else None


def _listing(exchange: int, board: int, reference: int, asked: dict[str, str | None], days: int) -> Listing:
    import numpy as np

    from twin.contracts import Board
    from twin.matching.rules import Listing, Product, Status

    status = _choice(asked["status"] or "", {s.name.lower(): s for s in Status}, "--status")
    default = Product.FUND if board == Board.FUND else Product.STOCK
    product = default
    if asked["product"] is not None:
        product = _choice(asked["product"], {p.name.lower(): p for p in Product}, "--product")
    return Listing(*(np.array([x], np.int64) for x in (exchange, board, status, product, days, reference)))


def _order(ticks: dict[str, int | None], asked: dict[str, str | None], counts: dict[str, int | None]) -> Order:
    from twin.clock import at
    from twin.contracts import Side
    from twin.matching.rules.orders import Order
    from twin.matching.rules.values import KIND_NAMES

    return Order(
        side=_choice(asked["side"] or "", {s.name.lower(): s for s in Side}, "--side"),
        kind=_choice(asked["kind"] or "", KIND_NAMES, "--kind"),
        price=ticks["price"] or 0,
        quantity=counts["quantity"] or 0,
        time=at(asked["at"] or ""),
        best_bid=ticks["best_bid"] or 0,
        best_ask=ticks["best_ask"] or 0,
        last=ticks["last"] or 0,
        holding=counts["holding"],
    )


def _tell(verdict: Verdict, language: str, *, json: bool) -> None:
    from dashboards import console

    record = verdict.record
    if json:
        facts = {"legal": verdict.legal, "waits": verdict.waits, "reason": verdict.reason.name}
        facts |= {"en": verdict.english, "zh": verdict.chinese}
        console.out_json(facts | {"rule": record.model_dump(mode="json", by_alias=True) if record else None})
        return
    console.out(_say("legal" if verdict.legal else "refused", language, why=verdict.text(language)))
    if record:
        confidence = _say(record.confidence, language)
        console.out(_say("by", language, source=record.source, confidence=confidence, since=record.first))
