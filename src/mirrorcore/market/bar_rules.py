"""The rules of the bar validator, each over columns, none with memory of its own.

A rule that needs the past gets it as arrays: the bar accepted before each row. So one definition
serves a file of a year and a live batch of one bar. Comparisons use only elementwise +, -, ×, ÷
and sqrt, which round the same in any block size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mirrorcore import clock
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.intake import Case
from mirrorcore.market.records import Flag
from mirrorcore.market.timeframe import EARLIEST, LATEST

Cases = npt.NDArray[np.int8]

USUAL_WINDOW = 256
"""Accepted bars over which the usual move and volume are measured."""
USUAL_STEP = 64
"""The usual is measured anew every so many accepted bars: it depends on the symbol's own accepted
bars alone, not on how they were cut into blocks."""
OUTLIER_SCALES = 30.0
OUTLIER_LEAST = 0.01
"""A move is an outlier beyond 30 robust standard deviations and 1 %; about one in a thousand
minutes of crypto, none of the usual. Robust: 1.4826 × the median absolute move."""
VOLUME_SCALES = 100.0
NORMAL_MAD = 1.4826
"""Median absolute deviation to standard deviation of a normal (Hampel 1974)."""
_SHIFT_SLACK = 1.25
_GRACE = 5 * clock.MINUTE
_POWERS = 10.0 ** np.arange(1, 9)


def plain_faults(
    columns: BarColumns,
    *,
    bar_ns: int,
    negative_prices: bool,
    tolerance_ns: int,
    bounds: tuple[float, float] | None = None,
) -> Cases:
    """The fault a bar shows by itself, Case.NONE where there is none; the first rule wins."""
    cases = np.zeros(len(columns), np.int8)
    o, h, low, c, v = (
        columns.open,
        columns.high,
        columns.low,
        columns.close,
        columns.volume,
    )

    def mark(where: Bools, case: Case) -> None:
        if where.any():
            cases[where & (cases == Case.NONE)] = case

    mark((columns.flags & Flag.PROVISIONAL) != 0, Case.PROVISIONAL)
    mark((columns.open_ts < EARLIEST) | (columns.open_ts >= LATEST), Case.TIME_RANGE)
    # A sum is finite only if its parts are; an overflow of finite parts is no price either.
    with np.errstate(invalid="ignore", over="ignore"):
        mark(~np.isfinite(o + h + low + c + v), Case.NOT_FINITE)
    if not negative_prices:
        mark((o <= 0) | (h <= 0) | (low <= 0) | (c <= 0), Case.PRICE_NOT_POSITIVE)
    mark(v < 0, Case.NEGATIVE_VOLUME)
    mark((h < np.maximum(o, c)) | (low > np.minimum(o, c)), Case.HIGH_LOW)
    if bounds is not None:
        mark((low < bounds[0]) | (h > bounds[1]), Case.OUT_OF_RANGE)
    mark(columns.open_ts > columns.ts_recv + tolerance_ns, Case.FUTURE)
    mark(columns.ts_avail < columns.open_ts + bar_ns, Case.LOOK_AHEAD)
    return cases


def shifted(previous: Floats, price: Floats) -> npt.NDArray[np.int8]:
    """k where price is 10^k × previous within 25 %, 1 <= abs(k) <= 8; else 0."""
    power = np.zeros(len(price), np.int8)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = price / previous
        back = previous / price
    for found, sign in ((ratio, 1), (back, -1)):
        for row in np.flatnonzero((found >= 10 / _SHIFT_SLACK) & (previous > 0) & (price > 0)):
            near = (found[row] >= _POWERS / _SHIFT_SLACK) & (found[row] <= _POWERS * _SHIFT_SLACK)
            if near.any():
                power[row] = sign * (1 + int(np.argmax(near)))
    return power


SHIFT_FROM = 10 / _SHIFT_SLACK
"""A smaller ratio of two prices is no shift of the decimal point."""


def near_power_of_ten(ratio: float) -> bool:
    """Whether a ratio is 10^k within 25 %, 1 <= k <= 8; the same as ``shifted`` for one number."""
    power = 10.0
    for _ in range(8):
        if power / _SHIFT_SLACK <= ratio <= power * _SHIFT_SLACK:
            return True
        power *= 10.0
    return False


def suspects(
    previous_ts: Ints, previous_close: Floats, columns: BarColumns, *, bar_ns: int
) -> Bools:
    """Rows that do not simply follow the bar before them, and need a closer look."""
    decimal = shifted(previous_close, columns.close)
    early: Bools = columns.open_ts < previous_ts + bar_ns
    whole: Bools = (decimal != 0) & (decimal == shifted(previous_close, columns.open))
    return np.logical_or(early, whole)


def usual(values: Floats, boundaries: Ints, *, spread: bool) -> tuple[Floats, Floats]:
    """Median of the window that ends at each boundary and, if asked for, its absolute deviation.

    Parameters
    ----------
    values: (n,) oldest first.
    boundaries: (b,) rising positions in ``values``; a window is the USUAL_WINDOW values before
        its boundary, or all there are.
    spread: whether to measure the median absolute deviation too; NaN otherwise.
    """
    middle, deviation = np.empty(len(boundaries)), np.full(len(boundaries), np.nan)
    full = boundaries >= USUAL_WINDOW
    if full.any():
        windows = sliding_window_view(values, USUAL_WINDOW)[boundaries[full] - USUAL_WINDOW]
        middle[full] = np.median(windows, axis=1)
        if spread:
            deviation[full] = np.median(np.abs(windows - middle[full][:, None]), axis=1)
    for i in np.flatnonzero(~full):
        window = values[: boundaries[i]]
        middle[i] = np.median(window)
        if spread:
            deviation[i] = np.median(np.abs(window - middle[i]))
    return middle, deviation


def moves(previous_close: Floats, close: Floats) -> Floats:
    """Size of the move from close to close as a fraction; NaN where the first is not positive."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(previous_close > 0, np.abs(close / previous_close - 1.0), np.nan)


def outliers(previous_close: Floats, columns: BarColumns, steps: Floats, scale: Floats) -> Bools:
    """Bars that reach far from the last close, wicks included.

    ``steps`` is the distance in bars (the usual move grows with its square root), ``scale`` the
    usual move of one bar, NaN while that is unknown.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = np.maximum(columns.high / previous_close, previous_close / columns.low) - 1.0
    known = (previous_close > 0) & (columns.low > 0)
    limit = np.maximum(OUTLIER_SCALES * scale * np.sqrt(steps), OUTLIER_LEAST)
    return known & ~np.isnan(scale) & (reach > limit)


def closed_weekend(start: Ints, end: Ints) -> Bools:
    """Whether [start, end) lies within Friday 20:00 to Sunday 24:00 UTC."""
    hour = (start // clock.HOUR + 72) % 168
    length = end - start
    since = hour - (4 * 24 + 20)
    return (since >= 0) & (length <= (168 - hour) * clock.HOUR)


def market_closed(times: Ints) -> Bools:
    """Whether an instant lies surely within the weekend of a market that trades 24/5.

    That is Friday 22:00 to Sunday 20:00 UTC, five minutes later each: New York closes and opens at
    17:00, which is 21:00 or 22:00 UTC, and some venues open a little early.
    """
    hour = ((times - _GRACE) // clock.HOUR + 72) % 168  # 1970-01-01 was a Thursday
    closed: Bools = (hour >= 4 * 24 + 22) & (hour < 6 * 24 + 20)
    return closed


def market_closed_at(instant: int) -> bool:
    """The same for one instant."""
    hour = ((instant - _GRACE) // clock.HOUR + 72) % 168
    return 4 * 24 + 22 <= hour < 6 * 24 + 20
