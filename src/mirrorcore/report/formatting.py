"""Values as text, the same on every screen: one rule a unit, never ``nan`` or ``inf``."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from mirrorcore.clock import DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND
from mirrorcore.report.bootstrap import Interval
from mirrorcore.report.catalogue import METRICS
from mirrorcore.report.evaluation import Measure

ABSENT = "n/a"


def percent(value: float, *, signed: bool = False) -> str:
    """A fraction as percent, two decimals."""
    return _finite(value, f"{100 * value:{'+' if signed else ''},.2f} %")


def ratio(value: float) -> str:
    """Two decimals."""
    return _finite(value, f"{value:,.2f}")


def probability(value: float) -> str:
    """Three decimals; one too small for them as an upper bound."""
    return "< 0.001" if 0 <= value < 0.0005 else _finite(value, f"{value:.3f}")


def correlation(value: float) -> str:
    """Three decimals and always a sign: of forecasts it is never far from 0."""
    return _finite(value, f"{value:+.3f}")


def count(value: float) -> str:
    """A whole number with separators."""
    return _finite(value, f"{value:,.0f}")


def money_places(initial_equity: float) -> int:
    """Decimals for all money of a run, so that columns align: cents of an account of hundreds or
    more, finer steps of one that is counted in coins."""
    if initial_equity >= 100:
        return 2
    return 4 if initial_equity >= 10 else 8


def money(value: float, places: int, *, signed: bool = False) -> str:
    """``places`` decimals."""
    sign = "+" if signed and value > 0 else ""
    return _finite(value, f"{sign}{value:,.{places}f}")


def quantity(value: float) -> str:
    """Six significant digits, never in powers of ten where it can be read without."""
    if not math.isfinite(value):
        return ABSENT
    if value != 0 and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.6g}"
    digits = 6 if value == 0 else max(0, 5 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(nanoseconds: float) -> str:
    """The two largest units that matter: ``3 d 4 h``, ``45 min``, ``12.5 s``."""
    if not math.isfinite(nanoseconds):
        return ABSENT
    if 0 < abs(nanoseconds) < MILLISECOND:
        return f"{nanoseconds / MICROSECOND:.3g} µs"
    if abs(nanoseconds) < MINUTE:
        return f"{nanoseconds / SECOND:.3g} s"
    for unit, name, below, smaller in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", SECOND, "s"),
    ):
        if abs(nanoseconds) >= unit:
            parts = round(abs(nanoseconds) / below)
            large, small = divmod(parts, unit // below)
            sign = "-" if nanoseconds < 0 else ""
            return f"{sign}{large:,} {name}" + (f" {small} {smaller}" if small else "")
    raise AssertionError("a duration of a minute or more has a unit")


def instant(nanoseconds: int) -> str:
    """Date and time in UTC, to the minute."""
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).strftime("%Y-%m-%d %H:%M")


def value_text(name: str, value: float, places: int) -> str:
    """The value of the metric ``name`` by its unit, without the currency; money to ``places``."""
    unit = METRICS[name].unit
    if unit == "fraction":
        return percent(value, signed=name in _SIGNED)
    if unit == "money":
        return money(value, places)
    if unit == "count":
        return count(value)
    if unit == "duration":
        return duration(value)
    if unit == "probability":
        return probability(value)
    if unit == "correlation":
        return correlation(value)
    if unit == "memory":
        return _finite(value, f"{value:,.0f} MB")
    if unit == "rate":
        return count(value)
    return f"{ratio(value)} ×" if unit == "times" else ratio(value)


def measure_text(name: str, measure: Measure | None, places: int = 2) -> str:
    """The value of a metric, or ``n/a``."""
    if measure is None or measure.value is None:
        return ABSENT
    return value_text(name, measure.value, places)


def interval_text(name: str, interval: Interval | None) -> str:
    """``low to high`` in the metric's unit, or ``n/a``."""
    if interval is None:
        return ABSENT
    return f"{value_text(name, interval.low, 2)} to {value_text(name, interval.high, 2)}"


def printable(text: str) -> str:
    """``text`` on one line and without control characters, so that no name can steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


_SIGNED = frozenset({"total_return", "cagr", "benchmark_return", "alpha", "best_day", "worst_day"})


def _finite(value: float, text: str) -> str:
    return text if math.isfinite(value) else ABSENT
