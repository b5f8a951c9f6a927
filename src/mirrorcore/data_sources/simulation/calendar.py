"""What happens by the clock: the hour of day, and the weekly macro release."""

from __future__ import annotations

import numpy as np

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.data_sources.simulation.presets import Parameters
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.market.block import Bools, Floats, Ints

_WEEK = 7 * DAY
# 1970-01-01 was a Thursday: releases come on Fridays at 13:30 UTC.
_FIRST_RELEASE = DAY + 13 * HOUR + 30 * MINUTE
_BATCH = 64
_BUSIEST_HOUR = 15.0
_LARGEST_SURPRISE = 4.0


def season(open_ts: Ints, amplitude: float) -> Floats:
    """Log-volatility by the hour of day: busiest at 15:00 UTC, quietest at night.

    A daily and a half-daily wave, the shape Andersen and Bollerslev (1997) fit to intraday data.
    """
    angle = (open_ts % DAY - _BUSIEST_HOUR * HOUR) * (2.0 * np.pi / DAY)
    return np.asarray(amplitude * (np.cos(angle) + 0.3 * np.cos(2.0 * angle)))


class MacroReleases:
    """A weekly figure whose surprise moves the factor at once and drags it for hours.

    The release falls inside a bar: its move is part of that bar and its value is known at the
    bar's close, so only the drift that follows can be traded. Surprises are standard normal,
    clipped symmetrically.
    """

    def __init__(
        self, streams: Streams, parameters: Parameters, bar_ns: int, start_ns: int
    ) -> None:
        self._streams = streams
        self._parameters = parameters
        self._bar_ns = bar_ns
        self._start_ns = start_ns
        self._drift_bars = max(1, round(parameters.macro_drift_hours * HOUR / bar_ns))

    def _surprise(self, week: int) -> float:
        batch, row = divmod(week, _BATCH)
        draws = self._streams.generator(Stream.RELEASE, MARKET, batch).standard_normal(_BATCH)
        return float(np.clip(draws[row], -_LARGEST_SURPRISE, _LARGEST_SURPRISE))

    def update(self, index: int) -> tuple[Floats, Floats, Bools, Floats]:
        """Impact, drift (1, BLOCK each), whether a release fell in the bar, and its surprise.

        ``index`` is the number of the block's first bar.
        """
        impact = np.zeros(BLOCK)
        drift = np.zeros(BLOCK)
        released = np.zeros(BLOCK, dtype=np.bool_)
        value = np.full(BLOCK, np.nan)
        begin = self._start_ns + (index - self._drift_bars) * self._bar_ns
        week = max(0, -((_FIRST_RELEASE - begin) // _WEEK))
        while (at := self._bar_of(week) - index) < BLOCK:
            surprise = self._surprise(week)
            if at >= 0:
                impact[at] = self._parameters.macro_impact * surprise
                released[at] = True
                value[at] = surprise
            a, b = max(0, at + 1), max(0, at + 1 + self._drift_bars)
            drift[a:b] += self._parameters.macro_drift * surprise / self._drift_bars
            week += 1
        return impact[np.newaxis, :], drift[np.newaxis, :], released, value

    def _bar_of(self, week: int) -> int:
        return (_FIRST_RELEASE + week * _WEEK - self._start_ns) // self._bar_ns
