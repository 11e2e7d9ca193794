"""The rest of the market: the orders that reach the exchange through other brokers.

Orders arrive as a Poisson process with the recorded intraday profile and are placed around the best quotes of the last
tick with the recorded shares, sizes and patience (scenarios/calibration/background.yaml). Three mechanisms tie the
price to the news: the side of an order leans to the value (logit `tilt` per natural spread between value and mid), an
order that trades towards a far value grows and may pay up to it, and activity rises with the move of the whole market.

Assumes: all quantities are independent given quotes and value, except that marketable orders come in metaorders of
Pareto length (Lillo, Mike and Farmer 2005). Does not model: reaction within a tick, order modification, icebergs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.kernels import background as kernel
from agents.kernels import flow
from agents.sampling import alias_table
from twin.clock import SECOND, SESSIONS, Phase, at
from twin.contracts import Instruments, Messages, Quotes, Tape
from twin.errors import CapacityError, ConservationError, ScenarioError
from twin.randomness import Streams
from twin.world import largest_orders

BACKGROUND_BASE = 1 << 26
"""First order handle of the background flow (as in `twin.matching.engine`)."""

PATIENCE_WINDOWS = ((at("09:15"), at("09:20")), (at("09:30"), at("11:30")), (at("13:00"), at("14:57")))
"""Windows in which patience elapses: the exchange accepts cancels (domain M02)."""

_MAX_SLOTS = 1 << 25
_MOST_ACTIVITY, _LEAST_ACTIVITY = 5.0, 0.4
_NOBODY = Messages.empty()


def patience_time(t_ns: int) -> int:
    """Nanoseconds of the cancel windows that have passed at an instant."""
    return sum(min(max(t_ns - start, 0), end - start) for start, end in PATIENCE_WINDOWS)


@dataclass(frozen=True)
class BackgroundParameters:
    """Numbers of the background flow; see background.yaml for source, method and goodness of fit of each.

    Attributes:
        profile: start of a bin (ns since midnight) -> share of the day's new orders until the next start.
        placement: 3 x 4 shares: spread of one tick, normal, wide x marketable, inside, at best, behind.
        open_call, close_call: quantiles, at equal steps from 0 to 1, of the distance from the value in a call auction
            as a share of the value; positive = the sender's waiting side.
        orders_per_day: new orders of the mean instrument on a day with a typical index move.
        attention_elasticity: log activity per 1 % of index move; attention_typical: the move (%) with activity 1.
    """

    profile: Mapping[int, float]
    placement: NDArray[np.float64]
    open_call: NDArray[np.float64]
    close_call: NDArray[np.float64]
    orders_per_day: float
    wide: float
    unit_slope: float
    behind_scale: float
    behind_exponent: float
    through_share: float
    through_scale: float
    through_exponent: float
    log_value: float
    log_value_sd: float
    spike_share: float
    round_share: float
    willing_share: float
    log_patience: float
    log_patience_sd: float
    run_exponent: float
    follow: float
    tilt: float
    tilt_passive: float
    informed_from: float
    informed_slope: float
    attention_half_life_s: float
    selective: float = 0.0
    branching: float = 0.0
    fast_share: float = 0.5
    fast_decay: float = 1.0
    slow_decay: float = 0.01
    signal: float = 0.0
    signal_decay: float = 0.001
    inside_power: float = 1.0
    attention_elasticity: float = 0.0
    attention_typical: float = 0.0

    def __post_init__(self) -> None:
        bad = [f.name for f in fields(self) if isinstance(v := getattr(self, f.name), float) and not math.isfinite(v)]
        if (
            bad
            or not 0 <= self.follow < 1
            or not 0 <= self.branching < 1
            or not 0 <= self.fast_share <= 1
            or not min(self.fast_decay, self.slow_decay) > 0
            or self.placement.shape != (3, 4)
            or self.placement.min() < 0
            or len(self.open_call) < 2
            or len(self.close_call) < 2
        ):
            raise ScenarioError(f"unusable background parameters {bad or ''}", where="background.yaml")

    @classmethod
    def from_fit(cls, fit: Mapping[str, Any], *, elasticity: float = 0.0, typical: float = 0.0) -> BackgroundParameters:
        """Parameters from the content of background.yaml and of index.yaml (elasticity, typical move in per cent)."""
        try:
            return cls._from_fit(fit, elasticity, typical)
        except (KeyError, TypeError, ValueError) as error:
            raise ScenarioError(
                f"background parameter {error} is missing or unreadable",
                where="background.yaml",
                hint="Write the file with scenarios.calibration.fit_market.",
            ) from error

    @classmethod
    def _from_fit(cls, fit: Mapping[str, Any], elasticity: float, typical: float) -> BackgroundParameters:
        def pooled(section: str) -> dict[str, float]:
            return {str(key): float(value) for key, value in fit[section]["pooled"].items()}

        place = pooled("placement")
        rows = [
            [place[f"{spread}_{where}"] for where in ("marketable", "inside", "best")]
            for spread in ("one_tick", "normal", "wide")
        ]
        placement = np.array([[*row, max(0.0, 1.0 - sum(row))] for row in rows])
        calls = [0.01 * np.array(list(pooled(name).values())) for name in ("open_call", "close_call")]
        behind, through, sizes, patience = (pooled(name) for name in ("behind", "through", "sizes", "patience"))
        signs, excitement = pooled("signs"), pooled("excitement")
        return cls(
            profile={at(key): share for key, share in pooled("profile").items()},
            placement=placement,
            open_call=calls[0],
            close_call=calls[1],
            wide=float(fit["wide"]),
            unit_slope=pooled("unit")["slope"],
            behind_scale=behind["scale"],
            behind_exponent=behind["exponent"],
            through_share=through["share"],
            through_scale=through["scale"],
            through_exponent=through["exponent"],
            log_value=sizes["log_value"],
            log_value_sd=sizes["log_value_sd"],
            spike_share=sizes["spike_share"],
            round_share=sizes["round_share"],
            willing_share=patience["willing_share"],
            log_patience=patience["log_seconds"],
            log_patience_sd=patience["log_seconds_sd"],
            run_exponent=signs["run_exponent"],
            follow=signs["follow"],
            selective=pooled("selective")["share"],
            inside_power=pooled("inside")["power"],
            branching=excitement["branching"],
            fast_share=excitement["fast_share"],
            fast_decay=excitement["fast_decay"],
            slow_decay=excitement["slow_decay"],
            attention_elasticity=elasticity,
            attention_typical=typical,
            **{name: float(value) for name, value in fit["simulated"]["values"].items()},
            **{name: float(entry["value"]) for name, entry in fit["assumed"].items()},
        )

    def numbers(self) -> NDArray[np.float64]:
        """The vector that the kernel reads."""
        vector = np.zeros(flow.NUMBERS)
        named = {
            flow.WIDE: self.wide,
            flow.UNIT_SLOPE: self.unit_slope,
            flow.BEHIND_SCALE: self.behind_scale,
            flow.BEHIND_EXPONENT: self.behind_exponent,
            flow.THROUGH_SHARE: self.through_share,
            flow.THROUGH_SCALE: self.through_scale,
            flow.THROUGH_EXPONENT: self.through_exponent,
            flow.LOG_VALUE: self.log_value,
            flow.LOG_VALUE_SD: self.log_value_sd,
            flow.SPIKE_SHARE: self.spike_share,
            flow.ROUND_SHARE: self.round_share,
            flow.WILLING_SHARE: self.willing_share,
            flow.LOG_PATIENCE: self.log_patience,
            flow.LOG_PATIENCE_SD: self.log_patience_sd,
            flow.RUN_EXPONENT: self.run_exponent,
            flow.SIGN_LOGIT: 2 * math.atanh(self.follow),
            flow.TILT: self.tilt,
            flow.TILT_PASSIVE: self.tilt_passive,
            flow.INFORMED_FROM: self.informed_from,
            flow.INFORMED_SLOPE: self.informed_slope,
            flow.SELECTIVE: self.selective,
            flow.BRANCHING: self.branching,
            flow.FAST_SHARE: self.fast_share,
            flow.FAST_DECAY: self.fast_decay,
            flow.SLOW_DECAY: self.slow_decay,
            flow.SIGNAL: self.signal,
            flow.SIGNAL_DECAY: self.signal_decay,
            flow.INSIDE_POWER: self.inside_power,
        }
        vector[list(named)] = list(named.values())
        return vector


class Profile:
    """Cumulated share of the day's orders as a function of time."""

    def __init__(self, bins: Mapping[int, float]) -> None:
        starts = sorted(bins)
        times, shares = [0], [0.0]
        for start, following in zip(starts, [*starts[1:], at("15:00")], strict=True):
            session_end = next(s.end for s in SESSIONS if s.start <= start < s.end)
            times += [start, min(following, session_end)]
            shares += [shares[-1], shares[-1] + bins[start]]
        self._times = np.array(times, np.float64)
        self._shares = np.array(shares) / shares[-1]

    def at_edges(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the day's orders before each instant (ns since midnight)."""
        return np.interp(edges, self._times, self._shares)

    def between(self, t0: int, t1: int) -> float:
        """Share of the day's orders in [t0, t1)."""
        low, high = np.interp((t0, t1), self._times, self._shares)
        return float(high - low)


class Attention:
    """How busy the market is: activity grows with the largest recent move of the index (per cent, decaying)."""

    def __init__(self, parameters: BackgroundParameters) -> None:
        self._parameters = parameters
        self._largest, self._at = 0.0, 0

    def factor(self, t_ns: int, move: float) -> float:
        """Factor on the arrival rate now; call with increasing times.

        Args:
            t_ns: ns since midnight.
            move: return of the index on its previous close (-0.03 = three per cent down).
        """
        p = self._parameters
        elapsed_s = max(t_ns - self._at, 0) / SECOND
        self._largest = max(100 * abs(math.log1p(move)), self._largest * 0.5 ** (elapsed_s / p.attention_half_life_s))
        self._at = t_ns
        factor = math.exp(p.attention_elasticity * (self._largest - p.attention_typical))
        return min(max(factor, _LEAST_ACTIVITY), _MOST_ACTIVITY)


class BackgroundFlow:
    """Orders and cancels of the rest of the market; its order handles are `BACKGROUND_BASE` + slot.

    Args:
        parameters: see `BackgroundParameters`.
        order_weight: daily orders of each instrument relative to the mean (`InstrumentTraits.order_weight`).

    Attributes:
        shares: net shares bought today, per instrument; cash: net cash received, fen (both from the tape).
        orders, cancels: messages emitted so far.
    """

    def __init__(
        self,
        parameters: BackgroundParameters,
        instruments: Instruments,
        order_weight: NDArray[np.float64],
        streams: Streams,
        *,
        slots: int = 1 << 18,
    ) -> None:
        n = len(instruments)
        self.parameters = parameters
        self._streams = streams
        self._profile = Profile(parameters.profile)
        self._orders_day = parameters.orders_per_day * float(order_weight.sum())
        self._alias = alias_table(np.asarray(order_weight, np.float64))
        self._close = instruments.previous_close.astype(np.float64)
        self._limits = np.array([instruments.limit_down, instruments.limit_up], np.int64)
        self._sizes = np.array([instruments.lot, largest_orders(instruments)], np.int64)
        self._numbers = parameters.numbers()
        self._calls = {
            Phase.OPEN_CALL: parameters.open_call,
            Phase.CONTINUOUS: parameters.open_call,
            Phase.CLOSE_CALL: parameters.close_call,
        }
        self._quotes = np.zeros((2, n), np.int64)

        self._counters = np.zeros(kernel.COUNTERS, np.int64)
        self._hazard = np.array([-math.log(0.5), 0.0])
        self._slots = np.zeros((slots, kernel.SLOT_WORDS), np.int32)
        self._stack = np.arange(slots - 1, -1, -1, dtype=np.int32)
        self._counters[kernel.FREE] = slots
        buckets = patience_time(at("15:00")) // kernel.BUCKET_NS + 2
        self._heads = np.full(buckets, -1, np.int32)
        self._runs = np.zeros((2, n), np.int64)
        self._rows = np.zeros((1 << 13, 6), np.int64)
        self._cancel_rows = np.zeros((2, 1 << 12), np.int64)
        self._attention, self._attention_at = 0.0, 0
        self.shares = np.zeros(n, np.int64)
        self._cash = np.zeros(1, np.int64)
        self.orders = self.cancels = 0

    @property
    def cash(self) -> int:
        """Net cash received today in fen; negative when the background bought more than it sold."""
        return int(self._cash[0])

    @property
    def live(self) -> int:
        """Orders that are at the exchange."""
        return int(self._counters[kernel.LIVE])

    def activity(self, t_ns: int, fundamental: NDArray[np.float64]) -> float:
        """Factor on the arrival rate: it grows with the largest recent move of the market (per cent, decaying)."""
        p = self.parameters
        move = 100 * abs(float(np.mean(np.log(fundamental / self._close))))
        elapsed_s = max(t_ns - self._attention_at, 0) / SECOND
        self._attention = max(move, self._attention * 0.5 ** (elapsed_s / p.attention_half_life_s))
        self._attention_at = t_ns
        factor = math.exp(p.attention_elasticity * (self._attention - p.attention_typical))
        return min(max(factor, _LEAST_ACTIVITY), _MOST_ACTIVITY)

    def step(
        self,
        t0: int,
        t1: int,
        phase: Phase,
        quotes: Quotes,
        fundamental: NDArray[np.float64],
        others: Messages = _NOBODY,
    ) -> Messages:
        """Orders and cancels of [t0, t1) together with the messages of others, sorted by time.

        Args:
            t0: start, ns since midnight.
            t1: end; the interval lies within one phase and on one side of 09:20.
            phase: nothing is sent outside calls and continuous trading.
            quotes: what the market saw last.
            fundamental: value of every instrument in ticks.
            others: messages to merge in, sorted by time; at equal times they go first.
        """
        if phase not in self._calls:
            return others
        self._quotes[0], self._quotes[1] = quotes.bid, quotes.ask
        rate = self._orders_day * self._profile.between(t0, t1) / (t1 - t0) * self.activity(t0, fundamental)
        patience = patience_time(t0), patience_time(t1)
        mode = kernel.CONTINUOUS if phase == Phase.CONTINUOUS else kernel.CALL
        self._counters[kernel.NEW] = self._counters[kernel.CANCELS] = 0
        self._hazard[1] = 0.0
        while True:
            code = kernel.generate(
                self._streams.key, self._streams.replication, BACKGROUND_BASE, t0, t1, rate, mode, *patience,
                int(patience[1] > patience[0]), self._quotes, fundamental, self._limits, self._sizes, *self._alias,
                self.parameters.placement, self._numbers, self._calls[phase], self._counters, self._hazard,
                self._slots, self._stack, self._heads, self._runs, self._rows, self._cancel_rows,
            )  # fmt: skip
            if code == kernel.DONE:
                break
            self._grow(code)
        new, cancels = int(self._counters[kernel.NEW]), int(self._counters[kernel.CANCELS])
        self.orders += new
        self.cancels += cancels
        out = np.empty((7, new + cancels + len(others)), np.int64)
        kernel.merge(
            BACKGROUND_BASE, self._counters, self._slots, self._rows, self._cancel_rows, *vars(others).values(), out
        )
        return Messages(*out)

    def _grow(self, code: int) -> None:
        """Double what is full."""
        if code == kernel.ROWS_FULL:
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._cancel_rows = np.concatenate([self._cancel_rows, np.zeros_like(self._cancel_rows)], axis=1)
            return
        slots = len(self._slots)
        if 2 * slots > _MAX_SLOTS:
            raise CapacityError(f"{slots} orders of the background rest at once", hint="Lower orders_per_day.")
        self._slots = np.concatenate([self._slots, np.zeros_like(self._slots)])
        self._stack = np.concatenate([np.arange(2 * slots - 1, slots - 1, -1, dtype=np.int32), self._stack])
        self._counters[kernel.FREE] = slots

    def absorb(self, tape: Tape) -> None:
        """Book what the exchange reported: fills, cancels, refusals, expiries of the background's own orders.

        Raises:
            ConservationError: the tape fills more of an order than is left of it.
        """
        row = kernel.follow(
            BACKGROUND_BASE, tape.kind, tape.instrument, tape.side, tape.price, tape.quantity, tape.order,
            tape.counter, self._counters, self._slots, self._stack, self.shares, self._cash,
        )  # fmt: skip
        if row >= 0:
            raise ConservationError(
                f"{int(tape.quantity[row])} shares filled, more than is left of order {int(tape.order[row])} or "
                f"{int(tape.counter[row])}",
                where=f"tape row {row}",
            )
