"""Quantities as people write them ("25 min", "2500/s", "5e6 CNY", "12%", "16:30") and as the twin counts them.

Each quantity has a parser to base units (ns, events per second, fen, fraction) and a writer back to text; the two are
exact inverses, so a scenario written out and read again is the same scenario. The annotated types at the end carry both
into the Pydantic models.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DURATIONS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}
_RATES = {"ms": Decimal(1000), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3600)}
_NUMBER = r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_LARGEST = 1 << 62
"""Beyond this an integer quantity would not fit an int64 column with room to add."""


class UnitError(ValueError):
    """A value that is not of the quantity expected.

    Args:
        what: what is wrong with the value.
        hint: how it should be written.
    """

    def __init__(self, what: str, hint: str) -> None:
        self.what, self.hint = what, hint
        super().__init__(f"{what}. {hint}")


def _split(value: object, noun: str, hint: str) -> tuple[Decimal, str]:
    """Number and unit of a text; `noun` and `hint` speak in the error."""
    if isinstance(value, bool) or value is None or isinstance(value, (list, tuple, dict)):
        raise UnitError(f"not {noun}", hint)
    if isinstance(value, (int, float)):
        raise UnitError("the unit is missing", hint)
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise UnitError(f"not {noun}", hint)
    return Decimal(match[1].replace("_", "")), match[2]


def _refuse_negative(number: Decimal | float, noun: str, hint: str) -> None:
    if number < 0:
        raise UnitError(f"{noun} cannot be negative", hint)


def _whole(number: Decimal, what: str, hint: str) -> int:
    if number != number.to_integral_value():
        raise UnitError(what, hint)
    if number > _LARGEST:
        raise UnitError("too large", hint)
    return int(number)


def _trim(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(value: object) -> int:
    """Nanoseconds of a duration such as "25 min", "50 ms", "1.5 h"."""
    hint = 'Write it like "25 min", "8 s" or "50 ms" (ns, us, ms, s, min, h, d).'
    number, unit = _split(value, "a duration", hint)
    if not unit:
        raise UnitError("the unit is missing", hint)
    if unit not in _DURATIONS:
        raise UnitError(f"{unit!r} is not a unit of time", hint)
    _refuse_negative(number, "a duration", hint)
    return _whole(number * _DURATIONS[unit], "a duration is a whole number of nanoseconds", hint)


def duration_text(ns: int) -> str:
    """Text of a duration in the largest unit that writes it with at most three decimals."""
    for unit, size in reversed(_DURATIONS.items()):
        if ns >= size and ns * 1000 % size == 0:
            return f"{_trim(Decimal(ns * 1000 // size) / 1000)} {unit}"
    return f"{ns} {'ns' if ns else 's'}"


def rate(value: object) -> float:
    """Events per second of a rate such as "2500/s" or "90/min"."""
    hint = 'Write it like "2500/s" or "90/min" (/ms, /s, /min, /h).'
    number, unit = _split(value, "a rate", hint)
    if not unit:
        raise UnitError("the unit is missing", hint)
    if not unit.startswith("/") or unit[1:].strip() not in _RATES:
        raise UnitError(f"{unit!r} is not a unit of rate", hint)
    _refuse_negative(number, "a rate", hint)
    size = _RATES[unit[1:].strip()]
    return float(number * size if unit[1:].strip() == "ms" else number / size)


def rate_text(per_s: float) -> str:
    """Text of a rate in events per second."""
    return f"{_trim(Decimal(repr(per_s)))}/s"


def per_day(value: object) -> float:
    """Events per trading day of a rate such as "2200/day"."""
    hint = 'Write it like "2200/day".'
    number, unit = _split(value, "a daily rate", hint)
    if not unit:
        raise UnitError("the unit is missing", hint)
    if unit.replace(" ", "") not in {"/day", "/d"}:
        raise UnitError(f"{unit!r} is not a daily rate", hint)
    _refuse_negative(number, "a rate", hint)
    return float(number)


def per_day_text(number: float) -> str:
    """Text of a daily rate."""
    return f"{_trim(Decimal(repr(number)))}/day"


def money(value: object) -> int:
    """Fen of an amount such as "5e6 CNY" or "12.50 CNY"."""
    hint = 'Write it like "5e6 CNY" or "12.50 CNY".'
    number, unit = _split(value, "an amount of money", hint)
    if not unit:
        raise UnitError("the unit is missing", hint)
    if unit != "CNY":
        raise UnitError(f"{unit!r} is not a currency that the twin knows", hint)
    _refuse_negative(number, "the amount", hint)
    return _whole(number * 100, "an amount is a whole number of fen (0.01 CNY)", hint)


def money_text(fen: int) -> str:
    """Text of an amount in fen."""
    return f"{_trim(Decimal(fen) / 100)} CNY"


def _ratio(value: object, noun: str, hint: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        plain, unit = _split(value, noun, hint)
        if unit not in {"", "%"}:
            raise UnitError(f"{unit!r} does not belong to {noun}", hint)
        number = float(plain / 100 if unit else plain)
    if not abs(number) < float("inf"):
        raise UnitError(f"not {noun}", hint)
    return number


def fraction(value: object) -> float:
    """A share between 0 and 1, written 0.12 or "12%"."""
    hint = 'Write it like 0.12 or "12%", from 0 to 1.'
    number = _ratio(value, "a share", hint)
    _refuse_negative(number, "a share", hint)
    if number > 1:
        raise UnitError("a share cannot exceed 1 (100%)", hint)
    return number


def change(value: object) -> float:
    """A relative change, written "-4.46%" or -0.0446; it may be negative but loses less than everything."""
    hint = 'Write it like "-4.46%" or -0.0446.'
    number = _ratio(value, "a relative change", hint)
    if number <= -1:
        raise UnitError("a fall of 100% or more cannot happen", hint)
    return number


def time_of_day(value: object) -> int:
    """Nanoseconds since midnight of "HH:MM" or "HH:MM:SS"."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UnitError("not a time of day", 'Write it like "16:30".')
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * _DURATIONS["s"]


def time_text(ns: int) -> str:
    """HH:MM, or HH:MM:SS where the seconds matter."""
    s = ns // _DURATIONS["s"]
    return f"{s // 3600:02d}:{s // 60 % 60:02d}" + (f":{s % 60:02d}" if s % 60 else "")


def count(value: object) -> int:
    """A whole number of things, not negative."""
    hint = "Write a whole number, such as 300."
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise UnitError("not a whole number", hint)
    _refuse_negative(value, "a count", hint)
    if value > _LARGEST:
        raise UnitError("too large", hint)
    if value != int(value):
        raise UnitError("not a whole number", hint)
    return int(value)


def number(value: object) -> float:
    """A plain number without a unit, not negative."""
    hint = "Write a plain number, such as 1.5."
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise UnitError("not a number", hint)
    _refuse_negative(value, "this number", hint)
    return float(value)


def _or_unlimited(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if isinstance(value, str) and value.strip() == "unlimited":
            return None
        try:
            return parse(value)
        except UnitError as error:
            raise UnitError(error.what, f'{error.hint} "unlimited" is allowed too.') from error

    return read


def positive(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """The same parser, refusing zero too."""

    def read(value: object) -> Any:
        result = parse(value)
        if result == 0:
            raise UnitError("has to be greater than 0", "Zero would mean that nothing is ever done.")
        return result

    return read


def _or_unlimited_text(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: "unlimited" if value is None else write(value)


def _text_schema(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "examples": list(examples)})


_RATIO_SCHEMA = WithJsonSchema({"type": ["number", "string"], "examples": [0.12, "12%"]})

Duration = Annotated[int, BeforeValidator(duration), PlainSerializer(duration_text), _text_schema("25 min", "50 ms")]
"""Nanoseconds; written "25 min"."""
Rate = Annotated[float, BeforeValidator(rate), PlainSerializer(rate_text), _text_schema("2500/s")]
"""Events per second; written "2500/s"."""
PositiveRate = Annotated[float, BeforeValidator(positive(rate)), PlainSerializer(rate_text), _text_schema("2500/s")]
"""Events per second, above 0."""
Capacity = Annotated[
    float | None,
    BeforeValidator(_or_unlimited(positive(rate))),
    PlainSerializer(_or_unlimited_text(rate_text)),
    _text_schema("8000/s", "unlimited"),
]
"""Events per second above 0, or None for "unlimited"."""
PositiveDuration = Annotated[
    int, BeforeValidator(positive(duration)), PlainSerializer(duration_text), _text_schema("50 ms")
]
"""Nanoseconds, above 0."""
PerDay = Annotated[float, BeforeValidator(per_day), PlainSerializer(per_day_text), _text_schema("2200/day")]
"""Events per trading day; written "2200/day"."""
Money = Annotated[int, BeforeValidator(money), PlainSerializer(money_text), _text_schema("5e6 CNY")]
"""Fen (0.01 CNY); written "5e6 CNY"."""
Fraction = Annotated[float, BeforeValidator(fraction), _RATIO_SCHEMA]
"""A share from 0 to 1; written 0.12 or "12%"."""
Change = Annotated[float, BeforeValidator(change), _RATIO_SCHEMA]
"""A relative change above -1; written "-4.46%"."""
TimeOfDay = Annotated[int, BeforeValidator(time_of_day), PlainSerializer(time_text), _text_schema("16:30")]
"""Nanoseconds since midnight; written "16:30"."""
Count = Annotated[int, BeforeValidator(count), WithJsonSchema({"type": "integer", "minimum": 0})]
"""A whole number from 0."""
Number = Annotated[float, BeforeValidator(number), WithJsonSchema({"type": "number", "minimum": 0})]
"""A plain number from 0."""
Staff = Annotated[
    int | None,
    BeforeValidator(_or_unlimited(count)),
    PlainSerializer(_or_unlimited_text(int)),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 0, "examples": [60, "unlimited"]}),
]
"""A number of people, or None for "unlimited"."""


def require_sum_of_one(shares: dict[str, float]) -> None:
    """Raise UnitError unless the shares sum to 1 (within rounding of two-decimal shares)."""
    total = sum(shares.values())
    if abs(total - 1.0) > 1e-6:
        listed = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise UnitError(f"the shares sum to {total:g} ({listed})", "They have to sum to 1.")
