"""The rest of the market: parameters of the orders that reach the exchange through other brokers, and its activity.

Orders arrive as a self-exciting process in business time, the recorded intraday profile times the market's activity.
They are placed around the best prices with the recorded shares, sizes and patience. What ties the price to the news:
orders lean to the value (logit `tilt` per natural spread between value and mid), an order that trades towards a far
value grows and may pay up to it, and activity rises with the move of the whole market. Marketable orders come in
metaorders of Pareto length (Lillo, Mike and Farmer 2005), each of which moves what the others believe the value to be;
so does the net volume that anybody else takes, for nobody sees who sends (Kyle 1985)
(scenarios/calibration/background.yaml; the flow itself: agents/market_flow.py).

Does not model: order modification, icebergs, traders who watch several instruments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.kernels import flow_layout as layout
from twin.clock import SECOND, SESSIONS, at
from twin.errors import ScenarioError

BACKGROUND_BASE = 1 << 26
"""First order handle of the background flow (as in `twin.matching.engine`)."""

PATIENCE_WINDOWS = ((at("09:15"), at("09:20")), (at("09:30"), at("11:30")), (at("13:00"), at("14:57")))
"""Windows in which patience elapses: the exchange accepts cancels (domain M02)."""

_MOST_ACTIVITY, _LEAST_ACTIVITY = 5.0, 0.4


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
        tail_share: share of the orders of no usual size (not of one lot) that is as large as a Pareto law of
            `tail_exponent` says, which ends at `tail_reach` times the least of them.
        heed: what others' trades tell, relative to a metaorder of the market of as many shares.
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
    tail_share: float = 0.0
    tail_exponent: float = 2.0
    tail_reach: float = 100.0
    heed: float = 0.0
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
            or not 0 <= self.tail_share < 1
            or not (self.tail_exponent > 1 and self.tail_reach > 1)
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
            tail_share=sizes["tail_share"],
            tail_exponent=sizes["tail_exponent"],
            tail_reach=sizes["tail_reach"],
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

    @property
    def tail_from(self) -> float:
        """Standard normal quantile at which the tail of the sizes begins."""
        return NormalDist().inv_cdf(1.0 - self.tail_share) if self.tail_share > 0 else math.inf

    def mean_size(self, price: ArrayLike, lot: ArrayLike) -> NDArray[np.float64]:
        """Shares of the mean order at a price in ticks of 0.01 CNY, before rounding and limits."""
        lots, sd, start = np.asarray(lot, np.float64), self.log_value_sd, self.tail_from
        multiple = math.exp(0.5 * sd * sd) * NormalDist().cdf(start - sd)
        if self.tail_share > 0:
            a, reach = self.tail_exponent, self.tail_reach
            mean = a / (a - 1.0) * (1.0 - reach ** (1.0 - a)) / (1.0 - reach**-a)
            multiple += self.tail_share * math.exp(sd * start) * mean
        usual = math.exp(self.log_value) * 100.0 / np.asarray(price, np.float64) + lots
        return self.spike_share * lots + (1.0 - self.spike_share) * multiple * usual

    def numbers(self) -> NDArray[np.float64]:
        """The vector that the kernel reads."""
        vector = np.zeros(layout.NUMBERS)
        named = {
            layout.WIDE: self.wide,
            layout.UNIT_SLOPE: self.unit_slope,
            layout.BEHIND_SCALE: self.behind_scale,
            layout.BEHIND_EXPONENT: self.behind_exponent,
            layout.THROUGH_SHARE: self.through_share,
            layout.THROUGH_SCALE: self.through_scale,
            layout.THROUGH_EXPONENT: self.through_exponent,
            layout.LOG_VALUE: self.log_value,
            layout.LOG_VALUE_SD: self.log_value_sd,
            layout.SPIKE_SHARE: self.spike_share,
            layout.ROUND_SHARE: self.round_share,
            layout.WILLING_SHARE: self.willing_share,
            layout.LOG_PATIENCE: self.log_patience,
            layout.LOG_PATIENCE_SD: self.log_patience_sd,
            layout.RUN_EXPONENT: self.run_exponent,
            layout.SIGN_LOGIT: 2 * math.atanh(self.follow),
            layout.TILT: self.tilt,
            layout.TILT_PASSIVE: self.tilt_passive,
            layout.INFORMED_FROM: self.informed_from,
            layout.INFORMED_SLOPE: self.informed_slope,
            layout.SELECTIVE: self.selective,
            layout.BRANCHING: self.branching,
            layout.FAST_SHARE: self.fast_share,
            layout.FAST_DECAY: self.fast_decay,
            layout.SLOW_DECAY: self.slow_decay,
            layout.SIGNAL: self.signal,
            layout.SIGNAL_DECAY: self.signal_decay,
            layout.INSIDE_POWER: self.inside_power,
            layout.TAIL_FROM: self.tail_from,
            layout.TAIL_SHARE: self.tail_share,
            layout.TAIL_EXPONENT: self.tail_exponent,
            layout.TAIL_END: self.tail_reach**-self.tail_exponent,
            layout.HEED: self.heed,
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

    def at_edges(self, edges: ArrayLike) -> NDArray[np.float64]:
        """Share of the day's orders before each instant (ns since midnight)."""
        return np.asarray(np.interp(np.asarray(edges, np.float64), self._times, self._shares), np.float64)

    def between(self, t0: int, t1: int) -> float:
        """Share of the day's orders in [t0, t1)."""
        low, high = np.interp((t0, t1), self._times, self._shares)
        return float(high - low)


def news_pace(parameters: BackgroundParameters, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much news each interval of the day brings, relative to others: as orders do. `starts`: ns, up to 15:00."""
    return np.diff(Profile(parameters.profile).at_edges(np.append(starts, at("15:00"))))


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
