"""What the broker's accounts own: cash in fen and shares by instrument, with what orders hold of both.

Rules: a buy holds its price times quantity and the fees to come, a sell holds shares that were owned overnight (T+1,
domain row M41); sale proceeds can be used at once; fees accrue with each fill and are collected in clearing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.contracts import Board, Side
from twin.errors import CapacityError, ConservationError
from twin.kernels import ledger as kernel

ACCOUNT = np.dtype(
    [
        ("cash", np.int64),
        ("frozen", np.int64),
        ("fees", np.int64),
        ("slot_start", np.int64),
        ("slot_count", np.int32),
    ],
    align=True,
)
SLOT = np.dtype(
    [("instrument", np.int32), ("sellable", np.int64), ("frozen_shares", np.int64), ("bought", np.int64)], align=True
)


@dataclass(frozen=True)
class FeeRates:
    """Fees of an order, in integers (domain rows M70 to M74).

    Args:
        commission_ppm: commission, millionths of the value.
        commission_min_fen: least commission of an order with a fill, in fen.
        stamp_ppm: stamp duty on sells, millionths.
        transfer_ppm: transfer fee on both sides, millionths.
    """

    commission_ppm: int = 230
    commission_min_fen: int = 500
    stamp_ppm: int = 500
    transfer_ppm: int = 10

    def array(self) -> NDArray[np.int64]:
        """The rates as kernels take them."""
        return np.array([self.commission_ppm, self.commission_min_fen, self.stamp_ppm, self.transfer_ppm], np.int64)

    def table(self, board: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rates of every instrument, one row each: funds bear no stamp duty and no transfer fee.

        The exemption is general knowledge, as for `twin.clearing.fees.order_fees`.
        """
        rates = np.tile(self.array(), (len(board), 1))
        rates[board == Board.FUND, 2:] = 0
        return rates

    def of(self, side: Side, value: int) -> int:
        """Fees in fen of an order whose fills are worth `value` fen."""
        return int(kernel.fee_of(self.array(), int(side), value))


@dataclass(frozen=True)
class LedgerTotals:
    """Sums over all accounts: fen, and shares by instrument (sellable, frozen and bought today together)."""

    cash: int
    frozen: int
    fees: int
    shares: NDArray[np.int64]

    @property
    def money(self) -> int:
        """All fen: available, frozen and fees not yet collected."""
        return self.cash + self.frozen + self.fees


class Ledger:
    """Cash and positions of every account, as columns that kernels read and write.

    By account: `cash` (available), `frozen`, `fees` (accrued today) in fen; `slot_start` (-1 until opened) and
    `slot_count`. By position slot: `instrument` (-1 = empty), `sellable`, `frozen_shares`, `bought` (today). The
    columns are fields of two record arrays, so that a row's fields lie together in memory. Slots of an account are
    neighbours; memory of slots that were never given out is not touched.

    Args:
        accounts: number of accounts.
        slots: number of position slots there may be at most.
    """

    def __init__(self, accounts: int, slots: int) -> None:
        self.accounts: NDArray[Any] = np.zeros(accounts, ACCOUNT)
        self.accounts["slot_start"] = -1
        self.slots: NDArray[Any] = np.empty(slots, SLOT)
        self.top: NDArray[np.int64] = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self.accounts)

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name in (ACCOUNT.names or ()):
            return self.accounts[name]
        if name in (SLOT.names or ()):
            return self.slots[name]
        raise AttributeError(f"the ledger has no column {name!r}")

    @property
    def slots_used(self) -> int:
        """Slots given out so far, those left behind by accounts that moved included."""
        return int(self.top[0])

    def open_slots(
        self,
        accounts: NDArray[np.int64],
        counts: NDArray[np.int64],
        instruments: NDArray[np.int64],
        shares: NDArray[np.int64],
    ) -> None:
        """Give accounts their position slots, filled with shares that may be sold today.

        Args:
            accounts: accounts without slots.
            counts: slots of each.
            instruments: the accounts' slots one after the other (sum of `counts`); -1 leaves one empty.
            shares: sellable shares in each.
        """
        accounts, counts, instruments, shares = (
            np.ascontiguousarray(column, np.int64) for column in (accounts, counts, instruments, shares)
        )
        if not len(accounts) == len(counts) or not len(instruments) == len(shares) == int(counts.sum()):
            raise ValueError("accounts and counts, or instruments, shares and the sum of counts, differ in length")
        if bool((self.slot_start[accounts] >= 0).any()):
            raise ValueError("an account already has slots")
        if not kernel.give_slots(self.accounts, self.slots, self.top, accounts, counts, instruments, shares):
            raise self.full()

    def full(self) -> CapacityError:
        """The error to raise when a kernel finds no slot."""
        slots = len(self.slots)
        return CapacityError(f"all {slots} position slots are taken", where="ledger", hint="Allow for more slots.")

    def position(self, account: int, instrument: int) -> tuple[int, int, int]:
        """Sellable, frozen and bought shares of one account in one instrument."""
        slot = int(kernel.find_slot(self.accounts, self.slots, account, instrument))
        if slot < 0:
            return 0, 0, 0
        return int(self.sellable[slot]), int(self.frozen_shares[slot]), int(self.bought[slot])

    def move(self, account: int, instrument: int, shares: int) -> None:
        """Book shares into an account (they may be sold at once) or, negative, out of it, other than by trading.

        Raises:
            ConservationError: the account has fewer free shares.
        """
        if shares >= 0:
            slot = int(kernel.take_slot(self.accounts, self.slots, self.top, account, instrument))
            if slot == kernel.POOL_FULL:
                raise self.full()
            self.sellable[slot] += shares
            return
        sellable, _, bought = self.position(account, instrument)
        if sellable + bought < -shares:
            raise ConservationError(
                f"{-shares} shares leave, {sellable + bought} are there", where=f"account {account}"
            )
        slot = int(kernel.find_slot(self.accounts, self.slots, account, instrument))
        first = min(bought, -shares)
        self.bought[slot] -= first
        self.sellable[slot] -= -shares - first
        kernel.free_if_empty(self.slots, slot)

    def totals(self, instruments: int) -> LedgerTotals:
        """Sums over all accounts.

        Args:
            instruments: number of instruments.
        """
        shares = np.zeros(instruments, np.int64)
        kernel.share_totals(self.slots, self.slots_used, shares)
        return LedgerTotals(int(self.cash.sum()), int(self.frozen.sum()), int(self.fees.sum()), shares)

    def require_nothing_held(self) -> None:
        """Raise ConservationError if any cash or share is still frozen (after the end of the day none may be)."""
        cash, shares = int(self.frozen.sum()), int(self.frozen_shares[: self.slots_used].sum())
        if cash or shares:
            raise ConservationError(f"{cash} fen and {shares} shares are frozen though no order is open")

    def roll_over(self) -> None:
        """Overnight: shares bought today become sellable."""
        kernel.release_bought(self.slots, self.slots_used)
