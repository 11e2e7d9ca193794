"""The registry of measures: what each is called, in which unit, and which way is better."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import MappingProxyType

from twin.errors import RunError
from twin.measures.statistics import Direction

DIMENSIONS: tuple[str, ...] = ("client_experience", "operating_efficiency", "compliance")
_LOW, _HIGH, _NEUTRAL = Direction.LOWER, Direction.HIGHER, Direction.NEUTRAL


@dataclass(frozen=True)
class Measure:
    """One measure of the scorecard.

    Args:
        name: key in tables.
        dimension: one of `DIMENSIONS`.
        unit: of the value; empty for a plain number.
        direction: which way is better.
        label_en: English name.
        label_zh: Chinese name.
        format: Python format of the value, for instance ``,.0f`` or ``.1%``.
        is_headline: whether it belongs to the short scorecard.
        segments: what its segments are; empty if it has none.
    """

    name: str
    dimension: str
    unit: str
    direction: Direction
    label_en: str
    label_zh: str
    format: str
    is_headline: bool = False
    segments: str = ""

    def label(self, language: str) -> str:
        """Name in a language, ``en`` or ``zh``."""
        return self.label_zh if language == "zh" else self.label_en

    def text(self, value: float) -> str:
        """The value with its unit."""
        number = format(value, self.format)
        return number if not self.unit or self.format.endswith("%") else f"{number} {self.unit}"


_Row = tuple[str, str, Direction, str, str, str, bool, str]
_CLIENT: tuple[_Row, ...] = (
    ("orders_submitted", "orders", _NEUTRAL, "Orders submitted", "委托笔数", ",.0f", True, "client segment"),
    ("order_latency_p50", "ms", _LOW, "Order latency, median", "委托时延中位数", ",.1f", True, ""),
    ("order_latency_p99", "ms", _LOW, "Order latency, 99th percentile", "委托时延 99 分位", ",.1f", True, ""),
    ("order_latency_p999", "ms", _LOW, "Order latency, 99.9th percentile", "委托时延 99.9 分位", ",.1f", True, ""),
    ("order_refused_share", "share", _LOW, "Orders refused", "委托被拒比例", ".2%", True, "reason"),
    ("order_stuck_count", "orders", _LOW, "Orders stuck", "滞留委托数", ",.0f", False, ""),
    ("order_stuck_share", "share", _LOW, "Orders stuck, share", "滞留委托比例", ".3%", True, ""),
    ("login_wait_p99", "s", _LOW, "Login wait, 99th percentile", "登录等待 99 分位", ",.2f", True, ""),
    ("logins", "logins", _NEUTRAL, "Logins", "登录次数", ",.0f", False, ""),
    ("fill_share", "share", _HIGH, "Order quantity filled", "委托成交比例", ".1%", False, "client segment"),
    ("onboarding_applications", "applications", _NEUTRAL, "Account applications", "开户申请数", ",.0f", False, ""),
    ("onboarding_time_mean", "min", _LOW, "Account opening, mean time", "开户平均用时", ",.1f", True, ""),
    ("onboarding_abandoned_share", "share", _LOW, "Account opening, abandoned", "开户放弃率", ".1%", True, ""),
    (
        "onboarding_entered",
        "applications",
        _NEUTRAL,
        "Applicants entering a step",
        "进入开户步骤人数",
        ",.0f",
        False,
        "step",
    ),
    ("onboarding_lost", "applications", _LOW, "Applicants lost in a step", "开户步骤流失人数", ",.0f", False, "step"),
    ("service_calls", "calls", _NEUTRAL, "Service calls", "客服来电数", ",.0f", False, ""),
    ("service_wait_mean", "s", _LOW, "Service wait, mean", "客服平均等待", ",.1f", True, ""),
    ("service_wait_p90", "s", _LOW, "Service wait, 90th percentile", "客服等待 90 分位", ",.1f", False, ""),
    ("service_abandoned_share", "share", _LOW, "Service calls abandoned", "客服放弃率", ".1%", True, ""),
    ("service_level_20s", "share", _HIGH, "Calls answered within 20 s", "20 秒接通率", ".1%", False, ""),
    ("complaints", "tickets", _LOW, "Complaints expected", "预计投诉数", ",.1f", False, ""),
    (
        "churn_expected_month",
        "clients",
        _LOW,
        "Clients expected to leave in a month",
        "预计月流失客户",
        ",.0f",
        False,
        "client segment",
    ),
    (
        "churn_hazard_month",
        "per 1,000 clients",
        _LOW,
        "Churn hazard, monthly",
        "月流失风险",
        ",.2f",
        True,
        "client segment",
    ),
)
_EFFICIENCY: tuple[_Row, ...] = (
    ("utilisation", "share", _NEUTRAL, "Utilisation", "利用率", ".1%", False, "station or pool"),
    ("peak_orders_per_s", "orders/s", _NEUTRAL, "Peak order rate", "委托峰值", ",.0f", True, ""),
    ("core_queue_max", "orders", _LOW, "Core counter, longest queue", "核心柜台最长队列", ",.0f", True, ""),
    ("staff_hours", "h", _LOW, "Staff hours", "人工工时", ",.1f", False, "pool"),
    ("cost_day", "CNY", _LOW, "Cost of the day", "当日成本", ",.0f", True, "kind of cost"),
    ("revenue_day", "CNY", _HIGH, "Commission earned", "当日佣金收入", ",.0f", True, ""),
    ("batch_finish", "h of day", _LOW, "End-of-day batch finished", "日终批处理完成时刻", ".2f", True, ""),
    ("batch_breaks", "breaks", _LOW, "Breaks in the batch", "对账差错数", ",.0f", False, ""),
    ("records_cleared", "records", _NEUTRAL, "Records cleared", "清算记录数", ",.0f", False, ""),
)
_COMPLIANCE: tuple[_Row, ...] = (
    ("unsuitable_blocked", "orders", _NEUTRAL, "Unsuitable orders blocked", "拦截的不适当委托", ",.0f", True, ""),
    ("unsuitable_passed", "orders", _LOW, "Unsuitable orders passed", "漏过的不适当委托", ",.0f", True, ""),
    ("late_checks", "checks", _LOW, "Checks that came late", "延迟的检查", ",.0f", True, ""),
    ("next_open_late", "min", _LOW, "Next open late by", "次日开市延误", ",.1f", True, ""),
    ("accounts_late", "accounts", _LOW, "Accounts blocked at the next open", "次日开市受限账户", ",.0f", False, ""),
    ("reconciliation_differences", "accounts", _LOW, "Reconciliation differences", "对账不平账户", ",.0f", False, ""),
    ("cash_out_of_balance", "fen", _LOW, "Cash out of balance", "资金不平", ",.0f", False, ""),
)


def _register() -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for dimension, rows in zip(DIMENSIONS, (_CLIENT, _EFFICIENCY, _COMPLIANCE), strict=True):
        for name, unit, direction, english, chinese, form, headline, segments in rows:
            found[name] = Measure(name, dimension, unit, direction, english, chinese, form, headline, segments)
    return found


REGISTRY: MappingProxyType[str, Measure] = MappingProxyType(_register())
"""All measures by name, in the order in which they are shown."""


def measure(name: str) -> Measure:
    """The measure of a name.

    Raises:
        RunError: it is not registered; names the nearest that is.
    """
    found = REGISTRY.get(name)
    if found is None:
        near = difflib.get_close_matches(name, REGISTRY, n=1, cutoff=0.4)
        raise RunError(
            f"measure {name!r} is not in the scorecard", hint=f"Did you mean {near[0]!r}?" if near else "Register it."
        )
    return found


def headline() -> tuple[Measure, ...]:
    """The measures of the short scorecard."""
    return tuple(m for m in REGISTRY.values() if m.is_headline)
