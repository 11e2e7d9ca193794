"""How the control room writes numbers: one place for reports, pictures and pages."""

from __future__ import annotations

import math
import re

from dashboards.report.words import say

SHARES = ("share", "ratio", "fraction")
CLOCK = ("h of day",)
"""Units of a time of day: hours since midnight of the trading day."""
_PLAIN = {
    *("", "count", "orders", "logins", "applications", "calls", "tickets"),
    *("clients", "breaks", "records", "checks", "accounts"),
}
"""Units that a measure's name already says."""
_IN_MS = {"ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6}


def number(value: float, language: str = "en") -> str:
    """A number with three significant figures; millions as M, in Chinese ten thousands as 万; '–' when there is none.

    >>> number(1234567.0), number(1234567.0, "zh"), number(12345.0), number(0.01234), number(0.0)
    ('1.23 M', '123万', '12,345', '0.0123', '0')
    """
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    for limit, unit, word in _LARGE[language == "zh"]:
        if size >= limit:
            return f"{_figures(value / unit)}{word}"
    return _figures(value)


_LARGE = (
    ((1e9, 1e9, " bn"), (1e6, 1e6, " M")),
    ((1e8, 1e8, "亿"), (1e5, 1e4, "万")),
)


def _figures(value: float) -> str:
    size = abs(value)
    if size == 0:
        return "0"
    if size < 1e-6:
        return f"{value:.1e}"
    if size < 1e-3:
        return f"{float(f'{value:.2g}'):.7f}".rstrip("0")
    if size >= 999.5:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(size)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float, language: str = "en") -> str:
    """A count for an axis: 12k and 3M, or in ten thousands and hundred millions in Chinese.

    >>> short(12_000), short(12_000, "zh"), short(250)
    ('12k', '1.2万', '250')
    """
    if language == "en" and 1e4 <= abs(value) < 1e6:
        return f"{_figures(value / 1e3)}k"
    if language == "zh" and 1e4 <= abs(value) < 1e5:
        return f"{_figures(value / 1e4)}万"
    return number(value, language).replace(" ", "")


def duration(ms: float, language: str = "en") -> str:
    """A time in the unit that suits it.

    >>> duration(0.25), duration(61.0), duration(12_037.0), duration(120_000.0)
    ('250 µs', '61 ms', '12 s', '2 min')
    """
    if ms == 0:
        return f"0 {say('s', language)}"
    for limit, unit in ((3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")):
        if abs(ms) >= limit:
            return f"{_figures(ms / limit)} {say(unit, language)}"
    return f"{_figures(1000 * ms)} {say('µs', language)}"


def amount(value: float, unit: str, language: str = "en") -> str:
    """A value with its unit as people say it: shares in per cent, hours of the day as a time, spans in a fit unit.

    >>> amount(0.123, "share"), amount(22.5, "h of day"), amount(1250.0, "ms"), amount(2.1e7, "CNY")
    ('12.3 %', '22:30', '1.25 s', '21 M CNY')
    """
    if not math.isfinite(value):
        return "–"
    if unit in SHARES:
        return "< 0.01 %" if 0 < value < 1e-4 else f"{number(100 * value, language)} %"
    if unit in CLOCK:
        return hour(value)
    if unit in _IN_MS:
        return duration(value * _IN_MS[unit], language)
    word, text = "" if unit in _PLAIN else say(unit, language), number(value, language)
    return f"{text}{'' if text[-1:] in '万亿' else ' '}{word}".strip()


def change(value: float, unit: str, language: str = "en") -> str:
    """A difference with its sign and unit; shares in percentage points, clock times in hours."""
    if not math.isfinite(value):
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else ""
    size = abs(value)
    if unit in SHARES:
        return f"{sign}{number(100 * size, language)} {say('points', language)}"
    if unit in CLOCK:
        return f"{sign}{duration(size * 3_600_000, language)}"
    return sign + amount(size, unit, language)


def span(low: float, high: float, unit: str, language: str = "en", *, signed: bool = True) -> str:
    """An interval from low to high; a unit that both share is said once.

    >>> span(8.4e6, 8.8e6, "orders"), span(-0.01, 0.02, "share"), span(1.5, 2.0, "per 1,000 clients")
    ('+8.4 … +8.8 M', '−1 … +2 points', '+1.5 … +2 per 1,000')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    write = change if signed else amount
    first, last = write(low, unit, language), write(high, unit, language)
    tails = [_FIGURES.sub("", text) for text in (first, last)]
    if unit not in CLOCK and tails[0] == tails[1]:
        first = first.removesuffix(tails[0])
    return f"{first} … {last}"


_FIGURES = re.compile(r"^[+−-]?[0-9.,]+(e[+-]?[0-9]+)?")


def hour(value: float) -> str:
    """Hours since midnight as HH:MM; '+1d ' leads when it falls on the next day."""
    days, minutes = divmod(round(value * 60), 24 * 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"+{days}d {text}" if days else text


def factor(before: float, after: float) -> str:
    """How many times as much, or by how many per cent; empty where that means nothing."""
    if before <= 0 or after < 0 or not (math.isfinite(before) and math.isfinite(after)):
        return ""
    ratio = after / before
    if ratio >= 2:
        return f"× {number(float(f'{ratio:.2g}'))}"
    if abs(ratio - 1) < 5e-4:
        return ""
    return f"{'+' if ratio >= 1 else '−'}{_figures(float(f'{abs(100 * (ratio - 1)):.2g}'))} %"


def setting(value: object, *, plain: bool = False) -> str:
    """A scenario's value as text, lists and mappings compactly; `plain` leaves whole numbers without separators."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if plain else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {setting(item, plain=plain)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(setting(item, plain=plain) for item in value)
    return str(value)
