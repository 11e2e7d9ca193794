from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.contracts import Side
from twin.errors import CapacityError, ConservationError
from twin.kernels import ledger as kernel
from twin.ledger import FeeRates, Ledger

checked = settings(derandomize=True, max_examples=200, deadline=None)
RATES = FeeRates()
N_ACCOUNTS, N_INSTRUMENTS = 3, 5


def fee(side: int, value: int) -> int:
    """Fees from the text of the rules, with decimals."""

    def part(rate: str) -> int:
        return int((Decimal(value) * Decimal(rate)).quantize(Decimal(1), ROUND_HALF_UP))

    if value == 0:
        return 0
    return max(500, part("0.00023")) + part("0.00001") + (part("0.0005") if side < 0 else 0)


@checked
@given(st.sampled_from([Side.BUY, Side.SELL]), st.integers(0, 10**13))
def test_fees_equal_decimals(side: Side, value: int) -> None:
    assert RATES.of(side, value) == fee(side, value)


def test_minimum_commission_binds_below_break_even() -> None:
    assert RATES.of(Side.BUY, 1_000_000) == 500 + 10
    assert RATES.of(Side.SELL, 1_000_000) == 500 + 10 + 500
    assert RATES.of(Side.BUY, 10_000_000) == 2_300 + 100


@dataclass
class Order:
    """An order of the reference."""

    account: int
    instrument: int
    side: int
    price: int
    quantity: int
    fills: list[tuple[int, int]] = field(default_factory=list)

    @property
    def filled(self) -> int:
        return sum(n for _, n in self.fills)

    @property
    def value(self) -> int:
        return sum(p * n for p, n in self.fills)


class Reference:
    """The ledger with dictionaries: what is frozen is worked out anew from the open orders."""

    def __init__(self) -> None:
        self.cash = dict.fromkeys(range(N_ACCOUNTS), 0)
        self.fees = dict.fromkeys(range(N_ACCOUNTS), 0)
        self.owned: dict[tuple[int, int], int] = {}
        self.bought: dict[tuple[int, int], int] = {}
        self.open: list[Order] = []

    def frozen_cash(self, account: int) -> int:
        total = 0
        for o in self.open:
            if o.account == account and o.side > 0:
                rest = o.price * (o.quantity - o.filled)
                total += rest + fee(1, o.value + rest) - fee(1, o.value)
        return total

    def frozen_shares(self, account: int, instrument: int) -> int:
        mine = [o for o in self.open if (o.account, o.instrument, o.side) == (account, instrument, -1)]
        return sum(o.quantity - o.filled for o in mine)

    def place(self, o: Order) -> bool:
        if o.side > 0:
            whole = o.price * o.quantity
            free = self.cash[o.account] - self.frozen_cash(o.account)
            allowed = free >= whole + fee(1, whole)
        else:
            key = (o.account, o.instrument)
            allowed = self.owned.get(key, 0) - self.frozen_shares(*key) >= o.quantity
        if allowed:
            self.open.append(o)
        return allowed

    def fill(self, o: Order, price: int, shares: int) -> None:
        charge = fee(o.side, o.value + price * shares) - fee(o.side, o.value)
        o.fills.append((price, shares))
        self.cash[o.account] -= o.side * price * shares + charge
        self.fees[o.account] += charge
        key = (o.account, o.instrument)
        book = self.bought if o.side > 0 else self.owned
        book[key] = book.get(key, 0) + o.side * shares


steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "fill", "fill", "end"]),
        st.integers(0, N_ACCOUNTS - 1),
        st.integers(0, N_INSTRUMENTS - 1),
        st.integers(1, 3_000),
        st.integers(1, 900),
    ),
    max_size=60,
)


def opened() -> tuple[Ledger, Reference]:
    """Three accounts: one with no slot at all, one with one, one with three."""
    ledger, reference = Ledger(N_ACCOUNTS, 200), Reference()
    for account, cash in enumerate((1_000_000, 50_000, 3_000_000)):
        ledger.cash[account] = reference.cash[account] = cash
    holdings = {(1, 2): 700, (2, 0): 500, (2, 4): 1_300}
    reference.owned.update(holdings)
    ledger.open_slots(np.array([1, 2]), np.array([1, 3]), np.array([2, 0, 4, -1]), np.array([700, 500, 1_300, 0]))
    return ledger, reference


@checked
@given(steps)
def test_ledger_equals_reference_in_any_order_of_events(events: list[tuple[str, int, int, int, int]]) -> None:
    ledger, reference = opened()
    before, flow, shares_flow = ledger.totals(N_INSTRUMENTS), 0, np.zeros(N_INSTRUMENTS, np.int64)
    rates = RATES.array()
    for what, account, instrument, price, quantity in events:
        if what in ("buy", "sell"):
            o = Order(account, instrument, 1 if what == "buy" else -1, price, quantity)
            if what == "buy":
                held = kernel.cash_held(rates, price, quantity, 0, 0)
                allowed = kernel.freeze_cash(ledger.accounts, account, held)
            else:
                allowed = kernel.freeze_shares(ledger.accounts, ledger.slots, account, instrument, quantity)
            assert allowed == reference.place(o)
        elif reference.open:
            o = reference.open[(account + instrument + quantity) % len(reference.open)]
            common = (rates, o.account, o.instrument, o.side, o.price, o.quantity, o.filled, o.value)
            if what == "fill":
                shares = 1 + quantity % (o.quantity - o.filled)
                at = max(1, o.price - price % 50) if o.side > 0 else o.price + price % 50
                assert kernel.post_fill(ledger.accounts, ledger.slots, ledger.top, *common, at, shares)
                reference.fill(o, at, shares)
                flow -= o.side * at * shares
                shares_flow[o.instrument] += o.side * shares
            if what == "end" or o.filled == o.quantity:
                if what == "end":
                    kernel.release_rest(ledger.accounts, ledger.slots, *common)
                reference.open.remove(o)
        for a in range(N_ACCOUNTS):
            assert int(ledger.frozen[a]) == reference.frozen_cash(a)
            assert int(ledger.cash[a]) == reference.cash[a] - reference.frozen_cash(a)
            assert int(ledger.fees[a]) == reference.fees[a]
            for i in range(N_INSTRUMENTS):
                frozen = reference.frozen_shares(a, i)
                bought = reference.bought.get((a, i), 0)
                assert ledger.position(a, i) == (reference.owned.get((a, i), 0) - frozen, frozen, bought)
        after = ledger.totals(N_INSTRUMENTS)
        assert after.money == before.money + flow
        assert (after.shares == before.shares + shares_flow).all()


@checked
@given(st.integers(1, 3_000), st.integers(1, 1_000), st.lists(st.tuples(st.integers(0, 99), st.integers(1, 400))))
def test_buy_with_exactly_enough_cash_never_overdraws(price: int, quantity: int, fills: list[tuple[int, int]]) -> None:
    ledger, rates = Ledger(1, 10), RATES.array()
    ledger.cash[0] = held = kernel.cash_held(rates, price, quantity, 0, 0)
    assert kernel.freeze_cash(ledger.accounts, 0, held)
    filled = value = 0
    for cheaper, shares in fills:
        n, p = min(shares, quantity - filled), max(1, price - cheaper)
        if n:
            kernel.post_fill(
                ledger.accounts, ledger.slots, ledger.top, rates, 0, 0, 1, price, quantity, filled, value, p, n
            )
            filled, value = filled + n, value + p * n
            assert ledger.cash[0] >= 0
            assert ledger.frozen[0] >= 0
    kernel.release_rest(ledger.accounts, ledger.slots, rates, 0, 0, 1, price, quantity, filled, value)
    assert (int(ledger.cash[0]), int(ledger.frozen[0])) == (held - value - fee(1, value), 0)


def test_shares_bought_today_cannot_be_sold_until_tomorrow() -> None:
    ledger, rates = Ledger(1, 4), RATES.array()
    ledger.cash[0] = 10**9
    assert kernel.freeze_cash(ledger.accounts, 0, kernel.cash_held(rates, 100, 200, 0, 0))
    assert kernel.post_fill(ledger.accounts, ledger.slots, ledger.top, rates, 0, 7, 1, 100, 200, 0, 0, 100, 200)
    assert ledger.position(0, 7) == (0, 0, 200)
    assert not kernel.freeze_shares(ledger.accounts, ledger.slots, 0, 7, 100)
    ledger.roll_over()
    assert ledger.position(0, 7) == (200, 0, 0)
    assert kernel.freeze_shares(ledger.accounts, ledger.slots, 0, 7, 200)


def test_sold_out_position_gives_its_slot_back() -> None:
    ledger, rates = Ledger(1, 4), RATES.array()
    ledger.open_slots(np.array([0]), np.array([1]), np.array([3]), np.array([100]))
    assert kernel.freeze_shares(ledger.accounts, ledger.slots, 0, 3, 100)
    kernel.post_fill(ledger.accounts, ledger.slots, ledger.top, rates, 0, 3, -1, 50, 100, 0, 0, 55, 100)
    assert ledger.position(0, 3) == (0, 0, 0)
    assert kernel.take_slot(ledger.accounts, ledger.slots, ledger.top, 0, 9) == 0
    assert int(ledger.cash[0]) == 5_500 - fee(-1, 5_500)


def test_account_moves_to_a_block_twice_as_large_and_a_full_pool_is_told() -> None:
    ledger = Ledger(2, 10)
    ledger.open_slots(np.array([0, 1]), np.array([2, 1]), np.array([0, 1, 0]), np.array([10, 20, 30]))
    assert kernel.take_slot(ledger.accounts, ledger.slots, ledger.top, 0, 2) == 5
    assert (int(ledger.slot_start[0]), int(ledger.slot_count[0])) == (3, 4)
    assert [ledger.position(0, i)[0] for i in range(3)] == [10, 20, 0]
    assert ledger.totals(3).shares.tolist() == [40, 20, 0]
    assert kernel.take_slot(ledger.accounts, ledger.slots, ledger.top, 1, 1) == 8
    assert kernel.take_slot(ledger.accounts, ledger.slots, ledger.top, 1, 2) == kernel.POOL_FULL
    assert [ledger.position(1, i)[0] for i in range(3)] == [30, 0, 0]
    with pytest.raises(CapacityError, match="all 10 position slots are taken"):
        Ledger(5, 10).open_slots(np.arange(5), np.full(5, 3), np.full(15, -1), np.zeros(15))


def test_slots_are_opened_once_and_in_matching_numbers() -> None:
    ledger = Ledger(2, 10)
    ledger.open_slots(np.array([0]), np.array([1]), np.array([0]), np.array([10]))
    with pytest.raises(ValueError, match="already has slots"):
        ledger.open_slots(np.array([0]), np.array([1]), np.array([0]), np.array([10]))
    with pytest.raises(ValueError, match="differ in length"):
        ledger.open_slots(np.array([1]), np.array([2]), np.array([0]), np.array([10]))


def test_what_is_frozen_after_the_day_is_an_error() -> None:
    ledger = Ledger(1, 1)
    ledger.require_nothing_held()
    ledger.frozen[0] = 3
    with pytest.raises(ConservationError, match="3 fen and 0 shares are frozen"):
        ledger.require_nothing_held()
