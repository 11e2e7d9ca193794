"""Whether the exchange takes one order, and if not, why, in words and with the record that says so.

The matching kernels decide about orders in bulk from `OrderRules`; this says the same for one order, for people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from twin.clock import Phase, at, clock_text
from twin.contracts import Board, MessageKind, Reason, Side
from twin.matching.rules.day import PPM_OF_PER_CENT, UNITS_PER_QUANTITY, DayRules
from twin.matching.rules.listing import Listing, Stage
from twin.matching.rules.prices import cage_bound, half_up, per_cent_of
from twin.matching.rules.values import (
    AfterHours,
    Cage,
    FreeBand,
    OrderKinds,
    PriceLimit,
    Quantity,
    Record,
)

MILLION = 1_000_000


@dataclass(frozen=True)
class Order:
    """An order as the exchange sees it, with what its book shows at that moment; prices in ticks, 0 = none.

    Quantities are shares, for funds tens of units (twin.contracts). `holding` is what a seller owns (None: not known).
    """

    side: Side
    price: int
    quantity: int
    kind: MessageKind = MessageKind.NEW_LIMIT
    time: int = at("10:00")
    best_bid: int = 0
    best_ask: int = 0
    last: int = 0
    holding: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What the exchange says to an order: `reason` is NONE if it is legal; `waits` if it rests outside the cage."""

    reason: Reason
    english: str
    chinese: str
    record: Record | None = None
    waits: bool = False

    @property
    def legal(self) -> bool:
        """Whether the order is taken."""
        return self.reason == Reason.NONE

    def text(self, language: str) -> str:
        """The words in `en` or `zh`."""
        return self.chinese if language == "zh" else self.english


_WORDS: dict[str, tuple[Reason, str, str]] = {
    "closed": (Reason.CLOSED, "no orders are taken at {time}", "{time} 不接受申报"),
    "no_kind": (Reason.ORDER_KIND, "this kind of order is not taken here", "该证券不接受此种申报方式"),
    "not_continuous": (
        Reason.ORDER_KIND,
        "market orders are taken in continuous trading only",
        "市价申报仅适用于连续竞价期间",
    ),
    "no_after_hours": (
        Reason.ORDER_KIND,
        "there is no fixed-price trading after hours",
        "该证券不适用盘后固定价格交易",
    ),
    "no_entry": (
        Reason.CLOSED,
        "fixed-price orders are not taken at {time}",
        "{time} 不接受盘后固定价格申报",
    ),
    "small": (Reason.LOT, "an order is for at least {smallest}", "单笔申报数量不得低于 {smallest}"),
    "step": (
        Reason.LOT,
        "a buy of {quantity} is not {smallest} plus a multiple of {step}",
        "买入数量 {quantity} 不是 {smallest} 起按 {step} 递增",
    ),
    "residue": (
        Reason.LOT,
        "what is left of a lot is sold in one order",
        "不足一手的余额应当一次性申报卖出",
    ),
    "positive": (Reason.LOT, "an order is for at least 1", "申报数量至少为 1"),
    "large": (Reason.SIZE, "an order is for at most {largest}", "单笔申报数量不得超过 {largest}"),
    "limit": (
        Reason.PRICE_LIMIT,
        "the price lies outside the day's limits {low} to {high}",
        "申报价格超出当日涨跌幅限制 {low} 至 {high}",
    ),
    "band": (
        Reason.PRICE_LIMIT,
        "without price limit, the price must lie within {low} to {high} now",
        "无涨跌幅限制证券的有效申报价格范围为 {low} 至 {high}",
    ),
    "cage_buy": (
        Reason.CAGE,
        "in continuous trading a buy may be at {high} at most",
        "连续竞价阶段买入申报价格不得高于 {high}",
    ),
    "cage_sell": (
        Reason.CAGE,
        "in continuous trading a sell must be at {low} at least",
        "连续竞价阶段卖出申报价格不得低于 {low}",
    ),
    "off_tick": (
        Reason.PRICE_LIMIT,
        "prices are multiples of {tick}",
        "申报价格最小变动单位为 {tick}",
    ),
    "legal": (Reason.NONE, "the exchange takes the order", "交易所接受该申报"),
    "waits": (
        Reason.NONE,
        "the exchange takes the order; it waits at the host until the cage reaches its price",
        "交易所接受该申报；价格超出有效竞价范围，暂存于交易主机",
    ),
}


def explain(rules: DayRules, listing: Listing, order: Order) -> Verdict:
    """Whether the exchange takes an order in the one instrument of `listing`, at `order.time`.

    Checked in this order: time, kind, size, daily limits, band of stocks without limit, price cage. What the broker
    checks (cash, holdings but for the odd residue, suitability) is not looked at.
    """
    return _Check(rules, listing, order).verdict()


def off_tick(rules: DayRules, listing: Listing, order: Order) -> Verdict:
    """The refusal of a price that is no multiple of the tick, which an order in ticks cannot have."""
    check = _Check(rules, listing, order)
    return check.say("off_tick", "tick", tick=check.price(1))


class _Check:
    def __init__(self, rules: DayRules, listing: Listing, order: Order) -> None:
        self.rules, self.order, self.listing = rules, order, listing
        self.stage = rules.stages(listing)[0]
        self.exchange, self.board = int(listing.exchange[0]), int(listing.board[0])
        self.product, self.reference = int(listing.product[0]), int(listing.reference[0])
        self.phase = next(
            s.phase for s in rules.sessions(self.exchange, self.board, self.product) if s.start <= order.time < s.end
        )

    def record(self, rule: str) -> Record:
        return self.rules.record(rule, self.exchange, self.board, self.product, self.stage)

    def price(self, ticks: int) -> str:
        mils = self.rules.tick_mils(self.exchange, self.board)
        return f"{ticks * mils / 1000:.{2 if mils == 10 else 3}f}"

    def shares(self, quantity: int) -> str:
        return f"{quantity * (UNITS_PER_QUANTITY if self.board == Board.FUND else 1):,}"

    def say(self, key: str, rule: str, **values: object) -> Verdict:
        reason, english, chinese = _WORDS[key]
        record = self.record(rule) if rule else None
        return Verdict(reason, english.format(**values), chinese.format(**values), record)

    def verdict(self) -> Verdict:
        return self._time() or self._size() or self._price() or self.say("legal", "")

    def _time(self) -> Verdict | None:
        order, time = self.order, clock_text(self.order.time)
        if order.kind == MessageKind.NEW_FIXED_PRICE:
            after = self.record("after_hours").value
            assert isinstance(after, AfterHours)
            if after.trading is None:
                return self.say("no_after_hours", "after_hours")
            inside = any(start <= order.time < end for start, end in after.entry)
            return None if inside else self.say("no_entry", "after_hours", time=time)
        windows = self.rules.acceptance(self.exchange, self.board, self.product).windows
        if not any(start <= order.time < end for start, end in windows):
            return self.say("closed", "acceptance", time=time)
        kinds = self.record("order_kinds").value
        assert isinstance(kinds, OrderKinds)
        if order.kind not in kinds.kinds:
            return self.say("no_kind", "order_kinds")
        if order.kind != MessageKind.NEW_LIMIT and self.phase != Phase.CONTINUOUS:
            return self.say("not_continuous", "order_kinds")
        return None

    def _size(self) -> Verdict | None:
        order, size = self.order, self.record("quantity").value
        assert isinstance(size, Quantity)
        per = UNITS_PER_QUANTITY if self.board == Board.FUND else 1
        smallest, step = size.smallest // per, max(size.step // per, 1)
        if order.quantity < 1:
            return self.say("positive", "quantity")
        if order.side == Side.BUY:
            if order.quantity < smallest:
                return self.say("small", "quantity", smallest=self.shares(smallest))
            if (order.quantity - smallest) % step:
                amounts = {"quantity": order.quantity, "smallest": smallest, "step": step}
                return self.say("step", "quantity", **{k: self.shares(v) for k, v in amounts.items()})
        elif order.holding is not None and not self._whole(order.quantity, order.holding, smallest, step):
            return self.say("residue", "quantity")
        return self._largest(size, per)

    @staticmethod
    def _whole(quantity: int, holding: int, smallest: int, step: int) -> bool:
        """Whether a sale leaves no broken lot and sells a residue as a whole."""
        if step > 1:
            return quantity % step in (0, holding % step)
        return quantity >= smallest or quantity == holding

    def _largest(self, size: Quantity, per: int) -> Verdict | None:
        largest, rule = size.largest_market, "quantity"
        if self.order.kind == MessageKind.NEW_LIMIT:
            largest = size.largest_limit
        elif self.order.kind == MessageKind.NEW_FIXED_PRICE:
            after = self.record("after_hours").value
            assert isinstance(after, AfterHours)
            largest, rule = after.largest, "after_hours"
        if self.order.quantity > largest // per:
            return self.say("large", rule, largest=self.shares(largest // per))
        return None

    def _price(self) -> Verdict | None:
        order = self.order
        if order.kind not in (MessageKind.NEW_LIMIT, MessageKind.NEW_FIXED_PRICE):
            return None
        down, up = (int(column[0]) for column in self.rules.limits(self.listing))
        limit = self.record("price_limit").value
        assert isinstance(limit, PriceLimit)
        if not limit.free and not down <= order.price <= up:
            return self.say("limit", "price_limit", low=self.price(down), high=self.price(up))
        if order.kind == MessageKind.NEW_FIXED_PRICE:
            return None
        return self._band() or (self._cage() if self.phase == Phase.CONTINUOUS else None)

    def _band(self) -> Verdict | None:
        if self.stage not in (Stage.NEW, Stage.DELISTING_FIRST):
            return None
        band = self.record("free_band").value
        assert isinstance(band, FreeBand)
        cage = self.record("cage").value
        caged = isinstance(cage, Cage) and cage.per_cent is not None
        low, high = 0, 0
        if self.phase == Phase.OPEN_CALL:
            low, high = (int(per_cent_of(self.listing.reference, p or 0)[0]) for p in (band.open_low, band.open_high))
        elif band.later is not None and not (caged and self.phase == Phase.CONTINUOUS):
            last, ppm = self.order.last or self.reference, band.later * PPM_OF_PER_CENT
            low, high = min(half_up(last, MILLION - ppm), last - 1), max(half_up(last, MILLION + ppm), last + 1)
        if (high and self.order.price > high) or self.order.price < low:
            return self.say("band", "free_band", low=self.price(max(low, 1)), high=self.price(high))
        return None

    def _cage(self) -> Verdict | None:
        cage, order = self.record("cage").value, self.order
        assert isinstance(cage, Cage)
        if cage.per_cent is None:
            return None
        ask, bid = order.best_ask, order.best_bid
        reference = (ask or bid if order.side == Side.BUY else bid or ask) or order.last or self.reference
        bound = cage_bound(reference, order.side, cage.per_cent * PPM_OF_PER_CENT, max(cage.ticks, 1))
        if (order.price - bound) * order.side <= 0:
            return None
        if cage.parks:
            return replace(self.say("waits", "cage"), waits=True)
        key = "cage_buy" if order.side == Side.BUY else "cage_sell"
        return self.say(key, "cage", low=self.price(bound), high=self.price(bound))
