"""Where units of exchange-traded funds are created and redeemed in kind.

Whoever delivers a fund's basket and pays its cash part receives a creation unit; redemption is the reverse. The shares
delivered lie with the fund's custodian.
"""

from __future__ import annotations

import numpy as np

from twin.baskets import Baskets
from twin.contracts import IntColumn
from twin.errors import ConservationError
from twin.ledger import Ledger


class PrimaryMarket:
    """Creations and redemptions of a day, after trading.

    Assumes: they settle at once and cost nothing; shares bought today may be delivered, units bought today redeemed, as
    the exchanges allow. Does not model: cash substitutes, the funds' daily limits.

    Args:
        baskets: of the listed funds.
        ledger: the accounts' cash and shares.

    Attributes:
        created: net creation units per fund.
        cash: fen that accounts received, by account. shares: that all accounts received, by instrument.
    """

    def __init__(self, baskets: Baskets, ledger: Ledger) -> None:
        self.baskets, self._ledger = baskets, ledger
        self.created: IntColumn = np.zeros(len(baskets.fund), np.int64)
        self.cash: IntColumn = np.zeros(len(ledger), np.int64)
        self.shares: IntColumn = np.zeros(baskets.shares.shape[1], np.int64)

    @property
    def custody(self) -> IntColumn:
        """Shares that the custodians received, by instrument."""
        return np.asarray(self.created @ self.baskets.shares)

    def most(self, account: int, row: int, units: int) -> int:
        """Of the wanted creations (negative: redemptions) those that an account can deliver and pay for."""
        sign, b = (1 if units > 0 else -1), self.baskets
        needed = b.shares[row] if sign > 0 else self._units_of(row)
        possible = abs(units)
        for i in np.flatnonzero(needed).tolist():
            sellable, _, bought = self._ledger.position(account, i)
            possible = min(possible, (sellable + bought) // int(needed[i]))
        if sign > 0 and b.cash[row] > 0:
            possible = min(possible, max(int(self._ledger.cash[account]), 0) // int(b.cash[row]))
        return sign * possible

    def create(self, account: int, row: int, units: int) -> None:
        """Create units of a fund for an account; negative units are redeemed.

        Raises:
            ConservationError: the account has not got what it would deliver.
        """
        b = self.baskets
        change = units * (self._units_of(row) - b.shares[row])
        cash = -units * int(b.cash[row])
        if self.most(account, row, units) != units:
            raise ConservationError(f"{units} creation units without the basket", where=f"account {account}")
        for i in np.flatnonzero(change).tolist():
            self._ledger.move(account, i, int(change[i]))
        self._ledger.cash[account] += cash
        self.cash[account] += cash
        self.shares += change
        self.created[row] += units

    def _units_of(self, row: int) -> IntColumn:
        """A creation unit as a column of instruments."""
        column = np.zeros(self.baskets.shares.shape[1], np.int64)
        column[self.baskets.fund[row]] = self.baskets.unit[row]
        return column
