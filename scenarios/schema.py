"""The scenario file as Pydantic models: what the world does, who the clients are, what the broker has.

Unknown keys are refused, values carry units (scenarios/units.py), and every field says where its default comes from:
"row N" is a row of the domain notes' table of baseline parameters, a code such as O21 one of their facts, "assumed" a
modelling choice without evidence. In Python the values are base units (ns, events per second, fen, fractions); None
means "unlimited".
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from scenarios.broker import (
    Churn,
    Clearing,
    Compliance,
    Costs,
    Onboarding,
    OrderPath,
    Section,
    ServiceDesk,
)
from scenarios.institutions import Institutions
from scenarios.units import (
    Change,
    Count,
    Duration,
    Fraction,
    Money,
    Number,
    PositiveDuration,
    TimeOfDay,
    UnitError,
    duration,
    money,
    require_sum_of_one,
)

__all__ = ["ClientSegment", "Clients", "Index", "Scenario", "Text", "World"]

MAX_SEED = (1 << 64) - 1


def _signed(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise UnitError("not a number", "Write a plain number, such as 0.5.")
    return float(value)


def _day(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise UnitError("not a date", "Write it like 2026-09-15.") from None


Signed = Annotated[float, BeforeValidator(_signed)]
Day = Annotated[dt.date, BeforeValidator(_day), PlainSerializer(dt.date.isoformat)]


class Text(Section):
    """A text in the two languages of the twin."""

    en: str = Field("", description="English.")
    zh: str = Field("", description="Chinese.")


class Index(Section):
    """Path of the whole-market index relative to its previous close; it is the world's, the broker cannot move it."""

    open: Change = Field(0.0016, description="First value (2026-07-08, a day nearest the medians of a year).")
    high: Change = Field(0.0065, description="Highest value of the day (2026-07-08).")
    low: Change = Field(-0.0056, description="Lowest value of the day (2026-07-08).")
    close: Change = Field(-0.0049, description="Last value (2026-07-08).")
    volatility_day: Fraction = Field(
        0.0072, description="Standard deviation of the day's return, from its range by Parkinson (1980) (2026-07-08)."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < max(self.open, self.close, self.low):
            raise UnitError(f"high ({self.high:.2%}) lies below another value of the day", "It is the highest value.")
        if self.low > min(self.open, self.close):
            raise UnitError(f"low ({self.low:.2%}) lies above another value of the day", "It is the lowest value.")
        return self


class Boards(Section):
    """What is listed: main, ChiNext and STAR share the stocks of Shanghai and Shenzhen, the others come besides."""

    main: Fraction = Field(
        0.62, description="Main boards (1,700 in Shanghai and 1,500 in Shenzhen of 5,150 stocks, end of 2024)."
    )
    chinext: Fraction = Field(0.26, description="ChiNext (1,370 of 5,150 stocks, end of 2024).")
    star: Fraction = Field(0.12, description="STAR (580 of 5,150 stocks, end of 2024).")
    bse: Fraction = Field(0.05, description="Beijing, of all stocks (270 of 5,400, end of 2024 to 2026).")
    funds: Fraction = Field(
        0.03, description="Stock funds (ETFs), of all instruments; of 1,100 in the market most hardly trade (assumed)."
    )
    st: Fraction = Field(0.035, description="Risk warning (ST), of main-board stocks (100 to 150 of 3,200).")
    new: Fraction = Field(
        0.0004, description="Stocks in their first five days, of all stocks (110 new ones a year; 5 of 243 days)."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        require_sum_of_one({"main": self.main, "chinext": self.chinext, "star": self.star})
        return self


class Background(Section):
    """The rest of the market: orders that reach the exchange through other brokers."""

    orders_per_instrument_day: Count = Field(
        27_000, description="Messages of one instrument on an ordinary day (recorded Shanghai days; row 25)."
    )
    parameters: str = Field("background.yaml", description="Fitted parameters, a file of scenarios/calibration.")


class _Span(Section):
    """Something that lasts from a time of day to another."""

    start: TimeOfDay = Field(description="When it begins.")
    end: TimeOfDay = Field(description="When it is over.")

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise UnitError("it ends before it begins", "Give an end later than the start.")
        return self


class Suspended(_Span):
    """Instruments that the exchange suspends: orders are refused, until a call lets trading go on."""

    share: Fraction = Field(0.0, description="Share of all instruments, drawn at random; 1 = the whole market.")
    instruments: tuple[Count, ...] = Field((), description="Or which ones, counted from 0.")


class Freeze(_Span):
    """Quotes stand still: clients go on seeing the last ones before it."""

    exchange: Literal["all", "sse", "szse", "bse"] = Field("all", description="Whose quotes.")


class MarketData(Section):
    """Quotes as the broker's clients get them; the market itself and everybody else see the true ones."""

    delay: Duration = Field(0, description="Age of the quotes that clients see, all day (none but the 3 s of M07).")
    frozen: tuple[Freeze, ...] = Field((), description="When quotes stand still (never on an ordinary day).")


class World(Section):
    """What the market does; nothing here belongs to the broker."""

    index: Index = Field(Index(), description="Path of the whole-market index on this day.")
    instruments: Annotated[Count, Field(ge=1, le=6000)] = Field(
        300, description="Simulated instruments, a sample of the market (assumed)."
    )
    boards: Boards = Field(Boards(), description="Boards of the instruments.")
    background: Background = Field(Background(), description="Orders of the rest of the market.")
    institutions: Institutions = Field(Institutions(), description="Institutions of this broker.")
    circuit_breaker: Literal["by date", "on", "off"] = Field(
        "by date", description="Index circuit breaker: as the exchanges had it on the date (M60), or in spite of it."
    )
    suspended: tuple[Suspended, ...] = Field(
        (), description="Instruments that the exchange suspends (none on an ordinary day)."
    )
    market_data: MarketData = Field(MarketData(), description="Quotes as the clients get them.")


class Mix(Section):
    """Shares of the kinds of client."""

    retail: Fraction = Field(0.68, description="Retail (row 35).")
    gen_z: Fraction = Field(0.30, description="Born 1995 to 2009 (row 35).")
    hnw: Fraction = Field(0.02, description="High net worth (row 35, institutions set apart).")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        require_sum_of_one({"retail": self.retail, "gen_z": self.gen_z, "hnw": self.hnw})
        return self


class ClientSegment(Section):
    """Clients of one kind on an ordinary day."""

    active_share: Fraction = Field(0.12, description="Clients who log in on a day (row 29, upper half of its range).")
    orders_per_active: Number = Field(
        9.0, description="Mean orders of an active client; with active_share it gives the orders of row 31."
    )
    activity_cv: Number = Field(1.5, description="Spread of that mean between clients (assumed).")
    limit_share: Fraction = Field(0.95, description="Limit orders among orders (row 40).")
    cancel_willing_share: Fraction = Field(
        0.784, description="Orders whose owner cancels if they stand long enough (fitted: background.yaml, patience)."
    )
    cancel_after: Duration = Field(
        duration("266 s"), description="Median time until that cancel (fitted, log-normal with the spread below)."
    )
    cancel_sigma: Number = Field(2.85, description="Spread of the logarithm of that time (fitted).")
    assets_median: Money = Field(
        money("90000 CNY"), description="Median total assets of those who may log in (rows 36, 37)."
    )
    assets_sigma: Number = Field(1.8, description="Spread of the logarithm of total assets (row 36).")
    invested: Fraction = Field(0.7, description="Share of assets held in shares (assumed).")
    order_value_median: Money = Field(money("6000 CNY"), description="Median value of an order (row 38).")
    order_value_sigma: Number = Field(1.1, description="Spread of the logarithm of that value (row 43).")
    top10_share: Fraction = Field(0.24, description="Buy orders that go to the ten names of the moment (row 46, B53).")
    trend: Signed = Field(2.0, description="Buying after rises, per unit of index return (B11; assumed).")
    panic: Signed = Field(0.35, description="Rise of the share of sell orders at full fear (assumed).")
    risk_classes: tuple[Fraction, Fraction, Fraction, Fraction, Fraction] = Field(
        (0.08, 0.17, 0.38, 0.27, 0.10), description="Shares of the risk classes C1 to C5 (row 60)."
    )
    mismatch_rate: Fraction = Field(0.06, description="Orders tried without the permission they need (row 63).")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        require_sum_of_one({f"risk_classes.{i}": share for i, share in enumerate(self.risk_classes)})
        return self


class Attention(Section):
    """How a move of the index draws clients in; the news reach all of them, whatever the broker does."""

    elasticity: Number = Field(
        0.12,
        description="Growth of clients' log activity per 1% of the index's move: 0.074 fitted for all volume "
        "(scenarios/calibration/index.yaml), over individuals' 0.6 of turnover (row 33; only they react: assumed).",
    )
    half_life: PositiveDuration = Field(duration("45 min"), description="Half-life of the memory of a move (assumed).")
    typical: Fraction = Field(0.006, description="Size of the move at which a day is ordinary (median of a year).")


class Login(Section):
    """When clients open the app."""

    first_5min_share: Fraction = Field(0.30, description="Day's log-ins that fall into 09:30-09:35 (row 30).")


class Retry(Section):
    """What clients do when nothing answers."""

    patience: PositiveDuration = Field(duration("10 s"), description="Wait before a client looks again (I51; assumed).")
    probability: Fraction = Field(0.6, description="Clients who try again each time (rows 81 and 102; assumed).")
    looks: Fraction = Field(0.5, description="Looks at an acknowledged order that ask the system (assumed).")
    backoff: Annotated[Number, Field(ge=1)] = Field(3.0, description="Growth of the wait with each look (assumed).")


class Call(Section):
    """Who calls the service desk."""

    per_1000_active: Number = Field(
        5.0, description="Calls of an ordinary day per 1,000 active clients (row 77: 3 to 20)."
    )
    when_stuck: Fraction = Field(0.05, description="Calls per order that got no answer in time (assumed).")
    when_refused: Fraction = Field(0.002, description="Calls per refused order (assumed).")
    when_login_fails: Fraction = Field(0.05, description="Calls per client who gives up logging in (assumed).")


_GEN_Z = ClientSegment.model_validate(
    {
        "orders_per_active": 12.0,
        "activity_cv": 1.6,
        "assets_median": "40000 CNY",
        "assets_sigma": 1.6,
        "invested": 0.75,
        "order_value_median": "3500 CNY",
        "top10_share": 0.35,
        "trend": 3.0,
        "panic": 0.45,
        "risk_classes": [0.05, 0.12, 0.33, 0.33, 0.17],
        "mismatch_rate": 0.08,
    }
)
_HNW = ClientSegment.model_validate(
    {
        "active_share": 0.25,
        "orders_per_active": 18.0,
        "activity_cv": 1.2,
        "limit_share": 0.97,
        "assets_median": "2e6 CNY",
        "assets_sigma": 0.8,
        "invested": 0.6,
        "order_value_median": "80000 CNY",
        "order_value_sigma": 1.2,
        "top10_share": 0.15,
        "trend": 1.0,
        "panic": 0.2,
        "risk_classes": [0.03, 0.10, 0.32, 0.35, 0.20],
        "mismatch_rate": 0.04,
    }
)


class Clients(Section):
    """The broker's clients."""

    count: Annotated[Count, Field(le=200_000_000)] = Field(5_000_000, description="How many (row 28).")
    mix: Mix = Field(Mix(), description="Shares of the kinds of client.")
    retail: ClientSegment = Field(ClientSegment(), description="Retail clients.")
    gen_z: ClientSegment = Field(_GEN_Z, description="Young clients: more orders, fewer assets, the same few names.")
    hnw: ClientSegment = Field(_HNW, description="High-net-worth clients.")
    attention: Attention = Field(Attention(), description="How the index draws clients in.")
    login: Login = Field(Login(), description="When clients open the app.")
    retry: Retry = Field(Retry(), description="What clients do when nothing answers.")
    call: Call = Field(Call(), description="Who calls the service desk.")


class Scenario(Section):
    """One trading day of one broker in one world."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = Field(
        description="Name of the scenario, in lower case with hyphens."
    )
    title: Text = Field(Text(), description="One line.")
    story: Text = Field(Text(), description="One paragraph: what happens and why.")
    extends: str | None = Field(None, description="Name of a scenario that this one changes.")
    date: Day = Field(dt.date(2026, 9, 15), description="A trading day in Shanghai; it selects rules and calendar.")
    seed: Annotated[Count, Field(le=MAX_SEED)] = Field(20_260_915, description="Seed of all random numbers.")
    world: World = Field(World(), description="What the market does.")
    clients: Clients = Field(Clients(), description="The broker's clients.")
    order_path: OrderPath = Field(OrderPath(), description="Stations of an order inside the broker.")
    onboarding: Onboarding = Field(Onboarding(), description="Account opening.")
    service_desk: ServiceDesk = Field(ServiceDesk(), description="The desk that answers calls.")
    clearing: Clearing = Field(Clearing(), description="The end-of-day batch.")
    compliance: Compliance = Field(Compliance(), description="Rules that the broker watches.")
    churn: Churn = Field(Churn(), description="Clients who leave.")
    costs: Costs = Field(Costs(), description="What the broker pays.")

    def canonical(self) -> dict[str, Any]:
        """Everything that acts on results, as text with units: without seed, names and prose."""
        return self.model_dump(mode="json", exclude={"name", "title", "story", "extends", "seed"})


def json_schema() -> dict[str, Any]:
    """JSON Schema of the scenario file, with defaults as they are written in it."""
    schema = Scenario.model_json_schema()
    defaults = Scenario(name="x")
    sections: list[Section] = [defaults]
    for section in sections:
        sections += [part for _, part in section if isinstance(part, Section)]
        name = type(section).__name__
        target = schema if section is defaults else schema["$defs"][name]
        written = type(section).model_construct().model_dump(mode="json", warnings=False)
        for field, entry in target["properties"].items():
            if "default" in entry:
                entry["default"] = written[field]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
