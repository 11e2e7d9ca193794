"""What a dated record of the exchanges' rules can say: one small model per rule."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializeAsAny,
    field_serializer,
    model_validator,
)

from twin.clock import at, clock_text
from twin.contracts import MessageKind
from twin.errors import ScenarioError
from twin.matching.rules.listing import MARKETS, Product, Stage, products_of, stages_of


class Confidence(StrEnum):
    """How well a record is founded."""

    OFFICIAL = "official"
    """The exchange's or regulator's text was quoted."""
    PRESS = "press"
    """A newspaper, broker or data vendor says so."""
    GENERAL = "general knowledge"
    """Widely known, no text seen."""


def _time(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError('write a time of day as "HH:MM"')  # noqa: TRY004 - Pydantic wants ValueError
    try:
        return at(value)
    except ScenarioError as error:
        raise ValueError(error.what) from error


def _ordered(window: tuple[int, int]) -> tuple[int, int]:
    if window[0] >= window[1]:
        raise ValueError("a window ends after it starts")
    return window


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Time = Annotated[int, BeforeValidator(_time), PlainSerializer(lambda t: clock_text(t)[:5], str, "json")]
"""Nanoseconds since midnight, written HH:MM."""
Window = Annotated[tuple[Time, Time], AfterValidator(_ordered)]
Shares = Annotated[int, Field(ge=1)]
PerCent = Annotated[int, Field(ge=0)]


class Value(BaseModel):
    """Base of all values."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Existence(Value):
    """That a board, or a status on it, exists."""


class NewListing(Value):
    """For how many trading days a stock that lists now counts as new."""

    days: int = Field(ge=0)


class PriceLimit(Value):
    """Daily limits in per cent of the previous close (first day: issue price); none where nothing is given."""

    down: PerCent | None = None
    up: PerCent | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.down is None) != (self.up is None):
            raise ValueError("give both limits or none")
        return self

    @property
    def free(self) -> bool:
        """Whether there is no limit."""
        return self.up is None


class LimitRounding(Value):
    """Limits are rounded half-up; they stay `at_least` ticks off a previous close of at most `up_to` ticks."""

    at_least: int = Field(ge=0)
    up_to: int | None = None


class Tick(Value):
    """Smallest step of a price, in thousandths of CNY."""

    mils: Literal[1, 10]


class Quantity(Value):
    """Sizes of one order, in shares or units of a fund."""

    smallest: Shares
    step: Shares
    largest_limit: Shares
    largest_market: Shares


class Cage(Value):
    """How far from the reference a limit order of continuous trading may lie; no cage without `per_cent`."""

    per_cent: PerCent | None = None
    ticks: int = Field(default=0, ge=0)
    parks: bool = False
    """An order outside waits until the cage reaches it; otherwise it is refused."""


class FreeBand(Value):
    """Where orders may lie in stocks without price limit, in per cent of the previous close and of the last trade."""

    open_low: PerCent | None = None
    open_high: PerCent | None = None
    later: PerCent | None = None
    """Distance from the last trade in later calls, halts and, where there is no cage, continuous trading."""


class OrderKinds(Value):
    """Kinds of orders that continuous trading takes."""

    kinds: tuple[MessageKind, ...]
    protective_limit: bool = False
    """A market order must name the worst price that it accepts."""

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("kinds"), list):
            named = {name.lower(): kind for name, kind in KIND_NAMES.items()}
            unknown = [kind for kind in data["kinds"] if kind not in named]
            if unknown:
                raise ValueError(f"{unknown[0]!r} is not an order kind ({', '.join(named)})")
            return {**data, "kinds": tuple(named[kind] for kind in data["kinds"])}
        return data

    @field_serializer("kinds", when_used="json")
    def _kind_names(self, kinds: tuple[MessageKind, ...]) -> list[str]:
        return [name for name, kind in KIND_NAMES.items() if kind in kinds]


KIND_NAMES = {
    "limit": MessageKind.NEW_LIMIT,
    "best5_ioc": MessageKind.NEW_MARKET,
    "best5_limit": MessageKind.NEW_BEST5_LIMIT,
    "own_best": MessageKind.NEW_OWN_BEST,
    "counter_best": MessageKind.NEW_COUNTER_BEST,
    "sweep": MessageKind.NEW_SWEEP,
    "fok": MessageKind.NEW_FOK,
    "fixed_price": MessageKind.NEW_FIXED_PRICE,
}


class Sessions(Value):
    """The trading day; without `close_call` continuous trading runs to the close."""

    open_call: Window
    continuous: tuple[Window, ...]
    close_call: Window | None = None


class Windows(Value):
    """Times of day."""

    windows: tuple[Window, ...]


class Acceptance(Value):
    """When orders are taken; `held` are the windows in which they are taken but wait for the next session."""

    windows: tuple[Window, ...]
    held: tuple[Window, ...] = ()


class Auction(Value):
    """What decides between several prices of equal volume in a call (domain M21, M22)."""

    tie_break: Literal["unmatched_then_middle", "difference_then_nearest"]


class ClosingPrice(Value):
    """How the closing price comes about, and how where that gives none."""

    method: Literal["closing_call", "last_minute_vwap", "last_trade"]
    otherwise: Literal["last_minute_vwap", "last_trade"]


class Halt(Value):
    """Halts of stocks without price limit, in per cent off the day's open; none without `first`."""

    first: PerCent | None = None
    second: PerCent | None = None
    minutes: int = Field(default=0, ge=0)
    until: Time = 0
    """A halt ends at this time at the latest."""
    second_to_end: bool = False
    """The second halt lasts to `until`, however early it begins."""


class AfterHours(Value):
    """Trading at the close after the close; none without `trading`."""

    entry: tuple[Window, ...] = ()
    trading: Window | None = None
    largest: int = 0


class Settlement(Value):
    """Trading days until what was bought may be sold."""

    days: int = Field(ge=0, le=1)


class CircuitBreaker(Value):
    """Index circuit breaker (domain M60, M61)."""

    index: str
    first: PerCent
    minutes: int
    close_from: Time
    """From here on the first threshold ends the day."""
    second: PerCent
    """Ends the day at any time."""
    entry_to_close: Literal["orders_and_cancels", "cancels"]
    """What the exchange takes in a halt that lasts to the close; in one that ends, both."""


VALUES: dict[str, type[Value]] = {
    "existence": Existence,
    "new_listing": NewListing,
    "price_limit": PriceLimit,
    "limit_rounding": LimitRounding,
    "tick": Tick,
    "quantity": Quantity,
    "cage": Cage,
    "free_band": FreeBand,
    "order_kinds": OrderKinds,
    "sessions": Sessions,
    "no_cancel": Windows,
    "acceptance": Acceptance,
    "auction": Auction,
    "closing_price": ClosingPrice,
    "halt": Halt,
    "after_hours": AfterHours,
    "settlement": Settlement,
    "circuit_breaker": CircuitBreaker,
}
"""Every rule and the form of its value."""
EXCEPTIONAL = ("existence", "circuit_breaker")
"""Rules that need not hold on every day."""


class Record(Value):
    """One rule of some markets from a day to a day, both included, with its source."""

    rule: str
    markets: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    """Names of MARKETS."""
    status: Annotated[tuple[Stage, ...], BeforeValidator(_listed)] = tuple(Stage)
    products: tuple[Product, ...] = tuple(Product)
    first: dt.date = Field(alias="from")
    last: dt.date | None = Field(default=None, alias="to")
    value: SerializeAsAny[Value]
    source: str = Field(min_length=1)
    confidence: Confidence
    oracle: str | None = None
    """The record of the public data set marina-rules that says the same."""

    @field_serializer("products", when_used="json")
    def _product_names(self, products: tuple[Product, ...]) -> list[str]:
        return [product.name.lower() for product in products]

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a record is a mapping of keys")  # noqa: TRY004 - Pydantic wants ValueError
        form = VALUES.get(data.get("rule", ""))
        if form is None:
            raise ValueError(f"{data.get('rule')!r} is not a rule ({', '.join(VALUES)})")
        names = {product.name.lower(): product for product in Product}
        given = _listed(data.get("products", list(names)))
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a product ({', '.join(names)})")
        products = [names[name] for name in given]
        return {**data, "products": products, "value": form.model_validate(data.get("value", {}))}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        unknown = [name for name in self.markets if name not in MARKETS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not a market ({', '.join(MARKETS)})")
        if self.last is not None and self.last < self.first:
            raise ValueError(f"it ends on {self.last}, before it begins on {self.first}")
        return self

    @property
    def name(self) -> str:
        """Rule, markets, statuses and first day; for messages."""
        some = "" if len(self.status) == len(Stage) else f" {'+'.join(self.status)}"
        return f"{self.rule} of {'+'.join(self.markets)}{some} from {self.first}"

    def holds(self, day: dt.date) -> bool:
        """Whether the record is in force on a day."""
        return self.first <= day and (self.last is None or day <= self.last)

    def cells(self) -> list[tuple[str, Stage, Product]]:
        """Every market, stage and product that the record speaks of."""
        return [
            (market, stage, product)
            for market in self.markets
            for stage in stages_of(market)
            if stage in self.status
            for product in products_of(market)
            if product in self.products
        ]
