"""All features on consecutive rows of the time grid: shared filters, then one formula each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.features import catalogue as names
from mirrorcore.market.features.filters import (
    Ema,
    History,
    State,
    decay_of,
    ema_weight,
    window_moments,
    window_sums,
)
from mirrorcore.market.features.indicators.bands import band_score
from mirrorcore.market.features.indicators.jump_share import jump_share
from mirrorcore.market.features.indicators.returns import log_return
from mirrorcore.market.features.indicators.rsi import relative_strength
from mirrorcore.market.features.indicators.true_range import true_range
from mirrorcore.market.features.indicators.volatility import range_variance, volatility_ratio
from mirrorcore.market.features.indicators.volume import volume_score
from mirrorcore.market.features.rows import Rows

_SATURATED = -40.0
"""Below this exponent 1 - e^x is exactly 1 in float64."""


@dataclass(frozen=True, slots=True)
class _Prices:
    """Rows with their holes filled: close carried, range 0. 0 before a symbol's first bar.

    ``unit`` and ``previous`` are safe to divide by: 1 and the close itself before the first bar.
    """

    close: Floats
    unit: Floats
    previous: Floats
    high: Floats
    low: Floats


class FeatureBank:
    """The features of S symbols, row after row of the grid.

    Parameters
    ----------
    symbols : S.
    bar_ns : length of an interval.
    phase : number of the first row on the absolute grid.
    """

    def __init__(self, symbols: int, bar_ns: int, phase: int) -> None:
        self.symbols = symbols
        self._features = names.features(bar_ns)
        self._needed = max(feature.warm_up for feature in self._features)
        fast, slow = names.volatility_half_lives(bar_ns)
        wilder = 1.0 - 1.0 / names.WILDER
        self._wilder = wilder
        self._fast, self._slow = decay_of(half_life_bars=fast), decay_of(half_life_bars=slow)
        spans = (names.MACD_FAST, names.MACD_SLOW, names.EMA_LONG)
        decays = [decay_of(span=n) for n in spans]
        decays += [wilder, wilder, wilder, self._fast, self._slow, self._slow]
        self._averages = Ema(
            columns=symbols * len(decays), decay=np.repeat(decays, symbols), phase=phase
        )
        self._signal = Ema(columns=symbols, span=names.MACD_SIGNAL, phase=phase)
        self._closes = History(max(names.MOMENTUM), symbols)
        self._returns = History(names.JUMP_WINDOW, symbols)
        self._volumes = History(names.VOLUME_WINDOW - 1, symbols)
        self._traded = History(names.VOLUME_WINDOW - 1, symbols)
        self._close: Floats = np.zeros(symbols)
        self._bars: Ints = np.zeros(symbols, dtype=np.int64)
        self._age: Ints = np.zeros(symbols, dtype=np.int64)

    def advance(self, rows: Rows, commit: int) -> dict[str, Floats]:
        """Every feature on every row, (R, S) by name; the first ``commit`` rows are kept."""
        born = bool(self._close.all())
        complete = bool(rows.present.all())
        bars, age = self._counts(rows.present, complete, born, commit)
        prices = self._filled(rows, complete, born, commit)
        found = {"close": prices.close}
        found["return_1"] = log_return(prices.unit, prices.previous)
        self._averaged(found, prices, age, bars, commit)
        self._windowed(found, prices, commit)
        found["volume_z"] = self._volume(rows, commit)
        if int(bars[0].min()) < self._needed:
            for feature in self._features:
                column = found[feature.name]
                if column is prices.close:
                    column = found[feature.name] = column.copy()
                column[bars < feature.warm_up] = np.nan
        return found

    def _counts(self, present: Bools, complete: bool, born: bool, commit: int) -> tuple[Ints, Ints]:
        """Own bars so far and rows since the first of them, including this row."""
        steps = np.arange(1, len(present) + 1)[:, np.newaxis]
        bars = steps + self._bars if complete else np.cumsum(present, axis=0) + self._bars
        age = steps + self._age if born else np.cumsum(bars > 0, axis=0) + self._age
        if commit:
            self._bars, self._age = bars[commit - 1].copy(), age[commit - 1].copy()
        return bars, age

    def _filled(self, rows: Rows, complete: bool, born: bool, commit: int) -> _Prices:
        carried = np.concatenate((self._close[np.newaxis], rows.close))
        high, low = rows.high, rows.low
        if not complete:
            steps = np.arange(1, len(rows.close) + 1)[:, np.newaxis]
            last = np.maximum.accumulate(np.where(rows.present, steps, 0), axis=0)
            carried[1:] = np.take_along_axis(carried, last, axis=0)
        close, previous = carried[1:], carried[:-1]
        self._close = carried[commit].copy()
        unit = close if born else np.where(close > 0.0, close, 1.0)
        if not born:
            previous = np.where(previous > 0.0, previous, unit)
        if not complete:
            high = np.where(rows.present, high, unit)
            low = np.where(rows.present, low, unit)
        return _Prices(close, unit, previous, high, low)

    def _averaged(
        self, found: dict[str, Floats], prices: _Prices, age: Ints, bars: Ints, commit: int
    ) -> None:
        """Everything that is an exponential average, in one scan."""
        s = self.symbols
        x = np.empty((len(age), 9 * s))
        x[:, : 3 * s].reshape(-1, 3, s)[:] = prices.close[:, np.newaxis]
        move = prices.unit - prices.previous
        np.maximum(move, 0.0, out=x[:, 3 * s : 4 * s])
        np.subtract(x[:, 3 * s : 4 * s], move, out=x[:, 4 * s : 5 * s])
        x[:, 5 * s : 6 * s] = true_range(prices.high, prices.low, prices.previous)
        squared = found["return_1"] * found["return_1"]
        x[:, 6 * s : 8 * s].reshape(-1, 2, s)[:] = squared[:, np.newaxis]
        x[:, 8 * s :] = range_variance(prices.high, prices.low)
        y = self._averages(x, begin=self._begin(age), commit=commit)
        fast, slow, long, gain, loss, atr, quick, steady, spread = (
            y[:, k * s : (k + 1) * s] for k in range(9)
        )
        found[f"ema_{names.MACD_FAST}"], found[f"ema_{names.MACD_SLOW}"] = fast, slow
        found[f"ema_{names.EMA_LONG}"] = long
        found["macd"] = fast - slow
        found["macd_signal"] = self._signal(found["macd"], commit=commit)
        found["macd_hist"] = found["macd"] - found["macd_signal"]
        found[f"rsi_{names.WILDER}"] = relative_strength(gain, loss)
        found[f"atr_{names.WILDER}"] = _unbiased(atr, self._wilder, age)
        found["vol_fast"] = np.sqrt(_unbiased(quick, self._fast, age - 1))
        found["vol_slow"] = np.sqrt(_unbiased(steady, self._slow, age - 1))
        found["range_vol"] = np.sqrt(_unbiased(spread, self._slow, age))
        found["vol_ratio"] = volatility_ratio(found["vol_fast"], found["vol_slow"])

    def _begin(self, age: Ints) -> Bools | None:
        """Where a price average starts with the price itself: at each symbol's first bar."""
        if int(age[0].min()) > 1:
            return None
        begin = np.zeros((len(age), 9 * self.symbols), dtype=np.bool_)
        begin[:, : 3 * self.symbols].reshape(-1, 3, self.symbols)[:] = (age == 1)[:, np.newaxis]
        return begin

    def _windowed(self, found: dict[str, Floats], prices: _Prices, commit: int) -> None:
        """Everything that looks at a fixed number of rows."""
        closes = self._closes.joined(prices.close, commit=commit)
        past = self._closes.rows
        for n in names.MOMENTUM:
            earlier = closes[past - n : len(closes) - n]
            safe = np.where(earlier > 0.0, earlier, prices.unit)
            found[f"momentum_{n}"] = log_return(prices.unit, safe)
        windows = (names.BOLLINGER, names.Z_WINDOW)
        recent = closes[past - names.Z_WINDOW + 1 :]
        moments = window_moments(recent, 1.0, windows)
        rows = len(prices.close)
        for name, n in zip(("bollinger_z", f"z_{names.Z_WINDOW}"), windows, strict=True):
            moment = moments[n]
            end = len(moment.mean)
            found[name] = band_score(prices.close, moment.rows(end - rows, end))
        size = np.abs(self._returns.joined(found["return_1"], commit=commit))
        neighbours = window_sums(size[1:] * size[:-1], names.JUMP_WINDOW)
        np.multiply(size, size, out=size)
        found["jump_share"] = jump_share(window_sums(size[1:], names.JUMP_WINDOW), neighbours)

    def _volume(self, rows: Rows, commit: int) -> Floats:
        traded = rows.volume > 0.0
        logs = np.log(np.where(traded, rows.volume, 1.0))
        known = self._traded.joined(traded.astype(np.float64), commit=commit)
        past = self._volumes.joined(logs, commit=commit)
        window = window_moments(past, known, (names.VOLUME_WINDOW,))[names.VOLUME_WINDOW]
        return volume_score(logs, traded, window)

    def clear(self, columns: Bools) -> None:
        """Let the symbols (S,) that are True begin anew."""
        self._averages.clear(np.tile(columns, 9))
        self._signal.clear(columns)
        for history in (self._closes, self._returns, self._volumes, self._traded):
            history.clear(columns)
        self._close[columns] = 0.0
        self._bars[columns] = 0
        self._age[columns] = 0

    def checkpoint(self) -> State:
        return {
            "averages": self._averages.checkpoint(),
            "signal": self._signal.checkpoint(),
            "closes": self._closes.checkpoint(),
            "returns": self._returns.checkpoint(),
            "volumes": self._volumes.checkpoint(),
            "traded": self._traded.checkpoint(),
            "close": self._close.copy(),
            "bars": self._bars.copy(),
            "age": self._age.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._averages.restore(state["averages"])
        self._signal.restore(state["signal"])
        self._closes.restore(state["closes"])
        self._returns.restore(state["returns"])
        self._volumes.restore(state["volumes"])
        self._traded.restore(state["traded"])
        self._close = np.array(state["close"], dtype=np.float64)
        self._bars = np.array(state["bars"], dtype=np.int64)
        self._age = np.array(state["age"], dtype=np.int64)


def _unbiased(average: Floats, decay: float, rows: Ints) -> Floats:
    """An average started at zero, divided by the weight its ``rows`` rows have so far."""
    if int(rows[0].min()) * float(np.log(decay)) < _SATURATED:
        return average
    corrected: Floats = average / ema_weight(decay, np.maximum(rows, 1))
    return corrected
