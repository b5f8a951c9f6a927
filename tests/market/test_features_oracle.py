"""Features against TA-Lib where it has them, and against a plain loop for all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import talib
from feature_markets import BAR, FEATURES, every, market, run

from mirrorcore.market.block import MarketBlock
from mirrorcore.market.features.catalogue import volatility_half_lives

SETTLED = 2200
"""Bars after which no average remembers how it was started (96-bar EMA: e^-45)."""


@pytest.fixture(scope="module")
def dense() -> MarketBlock:
    return market(3000, 2, seed=11)


@pytest.fixture(scope="module")
def found(dense: MarketBlock) -> dict[str, np.ndarray]:
    return run(dense, every(dense, 700))


@pytest.mark.parametrize("column", [0, 1])
def test_technical_features_equal_talib(
    dense: MarketBlock, found: dict[str, np.ndarray], column: int
) -> None:
    high, low, close = (
        np.ascontiguousarray(c[:, column]) for c in (dense.high, dense.low, dense.close)
    )
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    upper, middle, _ = talib.BBANDS(close, 20, 1.0, 1.0)
    expected = {
        "ema_12": talib.EMA(close, 12),
        "ema_26": talib.EMA(close, 26),
        "ema_96": talib.EMA(close, 96),
        "macd": macd,
        "macd_signal": signal,
        "macd_hist": histogram,
        "rsi_14": talib.RSI(close, 14),
        "atr_14": talib.ATR(high, low, close, 14),
        "bollinger_z": (close - middle) / (upper - middle),
        "z_96": (close - talib.SMA(close, 96)) / talib.STDDEV(close, 96),
        "momentum_72": np.log1p(talib.ROC(close, 72) / 100),
    }
    for name, values in expected.items():
        ours = found[name][SETTLED:, column]
        assert np.allclose(ours, values[SETTLED:], rtol=1e-8, atol=1e-9), name


def by_hand(block: MarketBlock, column: int) -> dict[str, list[float]]:
    """Each feature as its definition reads, one bar interval after the other, on the grid."""
    grid = block.ts // BAR
    bars = {int(g): t for t, g in enumerate(grid) if block.present[t, column]}
    first, n_bars = min(bars), 0
    closes: list[float] = []
    returns: list[float] = []
    logs: list[float | None] = []
    gain = loss = atr = quick = steady = spread = signal = 0.0
    ema = {12: 0.0, 26: 0.0, 96: 0.0}
    fast, slow = (2 ** (-1 / bars) for bars in volatility_half_lives(BAR))
    rows: dict[int, dict[str, float]] = {}
    for g in range(first, int(grid[-1]) + 1):
        t = bars.get(g)
        n_bars += t is not None
        close = float(block.close[t, column]) if t is not None else closes[-1]
        high = float(block.high[t, column]) if t is not None else close
        low = float(block.low[t, column]) if t is not None else close
        volume = float(block.volume[t, column]) if t is not None else 0.0
        before = closes[-1] if closes else close
        step = math.log(close / before)
        closes.append(close)
        returns.append(step)
        logs.append(math.log(volume) if volume > 0 else None)
        for n, average in ema.items():
            ema[n] = close if len(closes) == 1 else average + (close - average) * 2 / (n + 1)
        gain += (max(close - before, 0) - gain) / 14
        loss += (max(before - close, 0) - loss) / 14
        atr += (max(high, before) - min(low, before) - atr) / 14
        quick += (step**2 - quick) * (1 - fast)
        steady += (step**2 - steady) * (1 - slow)
        spread += (math.log(high / low) ** 2 / (4 * math.log(2)) - spread) * (1 - slow)
        macd = ema[12] - ema[26]
        signal += (macd - signal) / 5
        age = len(closes)
        row = {"close": close, "return_1": step, "macd": macd, "macd_signal": signal}
        row |= {f"ema_{n}": average for n, average in ema.items()}
        row["macd_hist"] = macd - signal
        row["rsi_14"] = 100 * gain / (gain + loss) if gain + loss else 50.0
        row["atr_14"] = atr / (1 - (13 / 14) ** age)
        for name, n in (("bollinger_z", 20), ("z_96", 96)):
            window = np.array(closes[-n:])
            row[name] = (close - window.mean()) / window.std() if np.ptp(window) else 0.0
        traded = [value for value in logs[-288:] if value is not None]
        varied = len(traded) > 1 and np.std(traded) > 0
        score = 0.0 if not varied else -5.0
        if varied and logs[-1] is not None:
            score = float(np.clip((logs[-1] - np.mean(traded)) / np.std(traded), -5, 5))
        row["volume_z"] = score
        for n in (12, 72, 288):
            row[f"momentum_{n}"] = math.log(close / closes[-n - 1]) if age > n else math.nan
        weight_fast, weight_slow = (1 - b ** max(age - 1, 1) for b in (fast, slow))
        row["vol_fast"] = math.sqrt(quick / weight_fast)
        row["vol_slow"] = math.sqrt(steady / weight_slow)
        row["vol_ratio"] = row["vol_fast"] / row["vol_slow"] if steady else 1.0
        row["range_vol"] = math.sqrt(spread / (1 - slow**age))
        r = np.array(returns[-97:])
        realised = float((r[-96:] ** 2).sum())
        neighbours = float(np.abs(r[1:] * r[:-1]).sum())
        row["jump_share"] = max(0.0, 1 - math.pi / 2 * neighbours / realised) if realised else 0.0
        rows[g] = {f.name: row[f.name] if n_bars >= f.warm_up else math.nan for f in FEATURES}
    unknown = dict.fromkeys(rows[first], math.nan)
    return {name: [rows.get(int(g), unknown)[name] for g in grid] for name in unknown}


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_every_feature_equals_its_definition(holes: float) -> None:
    present = np.random.default_rng(8).random((700, 2)) >= holes
    present[:150, 1] = False
    block = market(700, 2, seed=7, present=present)
    found = run(block, every(block, 256))
    for column in range(2):
        for name, values in by_hand(block, column).items():
            ours = found[name][:, column]
            assert np.allclose(ours, values, rtol=1e-9, atol=1e-11, equal_nan=True), name


def test_a_market_that_stands_still_has_no_volatility_and_no_opinion() -> None:
    block = market(400, 1)
    still = np.full((400, 1), 0.1)
    block = MarketBlock(0, block.ts, block.present, block.open_ts, *[still] * 5, block.flags)
    last = {name: float(column[-1, 0]) for name, column in run(block).items()}
    neutral = dict.fromkeys(last, 0.0) | {"vol_ratio": 1.0, "rsi_14": 50.0, "close": 0.1}
    neutral |= {"ema_12": 0.1, "ema_26": 0.1, "ema_96": 0.1}
    assert last == pytest.approx(neutral, abs=1e-15)
