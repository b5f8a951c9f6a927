"""Which features there are, how long each warms up, and how it answers a change of price unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.records import Category

Unit = Literal["price", "pure"]

MACD_FAST, MACD_SLOW, MACD_SIGNAL, EMA_LONG = 12, 26, 9, 96
WILDER = 14
BOLLINGER, Z_WINDOW, JUMP_WINDOW, VOLUME_WINDOW = 20, 96, 96, 288
MOMENTUM = (12, 72, 288)


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the engine.

    ``warm_up`` is the number of own bars a symbol must have had; before that the value is NaN.
    ``unit`` is ``price`` if it scales with the price, else ``pure``.
    """

    category: Category
    name: str
    warm_up: int
    unit: Unit


def volatility_half_lives(bar_ns: int) -> tuple[float, float]:
    """Half-lives of fast and slow volatility in bars: an hour and a day.

    Coarse bars hold too few of them in an hour: never under one bar, and slow stays at least 24
    times as slow as a bar.
    """
    return max(HOUR / bar_ns, 1.0), max(DAY / bar_ns, 24.0)


def silence_limit(bar_ns: int) -> int:
    """Bar intervals without a bar after which a symbol begins anew.

    16 half-lives of the slow volatility and twice the longest window: what was known before has
    decayed to nothing by then.
    """
    slow = volatility_half_lives(bar_ns)[1]
    return max(math.ceil(16 * slow), 2 * VOLUME_WINDOW)


def features(bar_ns: int) -> tuple[Feature, ...]:
    """All features of the engine for bars of ``bar_ns``, in the order of their columns."""
    fast, slow = (math.ceil(bars) + 1 for bars in volatility_half_lives(bar_ns))
    return (
        Feature("technical", "close", 1, "price"),
        Feature("technical", "return_1", 2, "pure"),
        Feature("technical", f"ema_{MACD_FAST}", MACD_FAST, "price"),
        Feature("technical", f"ema_{MACD_SLOW}", MACD_SLOW, "price"),
        Feature("technical", f"ema_{EMA_LONG}", EMA_LONG, "price"),
        Feature("technical", "macd", MACD_SLOW, "price"),
        Feature("technical", "macd_signal", MACD_SLOW + MACD_SIGNAL - 1, "price"),
        Feature("technical", "macd_hist", MACD_SLOW + MACD_SIGNAL - 1, "price"),
        Feature("technical", f"rsi_{WILDER}", WILDER + 1, "pure"),
        Feature("technical", "bollinger_z", BOLLINGER, "pure"),
        Feature("technical", f"atr_{WILDER}", WILDER, "price"),
        Feature("technical", f"z_{Z_WINDOW}", Z_WINDOW, "pure"),
        Feature("technical", "volume_z", VOLUME_WINDOW, "pure"),
        *(Feature("technical", f"momentum_{n}", n + 1, "pure") for n in MOMENTUM),
        Feature("risk", "vol_fast", fast, "pure"),
        Feature("risk", "vol_slow", slow, "pure"),
        Feature("risk", "vol_ratio", slow, "pure"),
        Feature("risk", "jump_share", JUMP_WINDOW + 1, "pure"),
        Feature("risk", "range_vol", slow, "pure"),
    )
