"""Small seeded markets for the tests of features, and ways to run an engine over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mirrorcore.clock import MINUTE
from mirrorcore.market.block import Bools, Floats, Ints, MarketBlock
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.features import FeatureEngine, features

BAR = 5 * MINUTE
FIRST_ROW = 5_000_003
FEATURES = features(BAR)


def market(
    ticks: int,
    symbols: int,
    *,
    seed: int = 0,
    holes: float = 0.0,
    present: Bools | None = None,
    ts: Ints | None = None,
) -> MarketBlock:
    """A random walk with fat tails. ``holes`` is the share of bars that are missing."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(1e-3 * rng.standard_t(5, (ticks, symbols)), axis=0))
    opened = np.concatenate((close[:1], close[:-1]))
    stretch = 1 + 5e-4 * np.abs(rng.normal(size=(2, ticks, symbols)))
    high = np.maximum(opened, close) * stretch[0]
    low = np.minimum(opened, close) / stretch[1]
    volume = np.exp(rng.normal(size=(ticks, symbols)))
    drawn = rng.random((ticks, symbols)) >= holes
    shown = drawn if present is None else present
    instants = (FIRST_ROW + np.arange(ticks)) * BAR if ts is None else ts

    def where(column: Floats) -> Floats:
        return np.where(shown, column, np.nan)

    return MarketBlock(
        index=0,
        ts=instants,
        present=shown,
        open_ts=np.where(shown, (instants - BAR)[:, np.newaxis], 0),
        open=where(opened),
        high=where(high),
        low=where(low),
        close=where(close),
        volume=where(volume),
        flags=np.zeros((ticks, symbols), dtype=np.int64),
    )


def scaled(block: MarketBlock, price: float = 1.0, volume: float = 1.0) -> MarketBlock:
    return replace(
        block,
        open=block.open * price,
        high=block.high * price,
        low=block.low * price,
        close=block.close * price,
        volume=block.volume * volume,
    )


def only(block: MarketBlock, ticks: Bools | slice, columns: list[int]) -> MarketBlock:
    """Some ticks and symbols of a block, as a market of their own."""
    return MarketBlock(
        index=0,
        ts=block.ts[ticks],
        present=block.present[ticks][:, columns],
        open_ts=block.open_ts[ticks][:, columns],
        open=block.open[ticks][:, columns],
        high=block.high[ticks][:, columns],
        low=block.low[ticks][:, columns],
        close=block.close[ticks][:, columns],
        volume=block.volume[ticks][:, columns],
        flags=block.flags[ticks][:, columns],
    )


def columns(blocks: Iterable[CategorizedBlock]) -> dict[str, Floats]:
    """The features of consecutive blocks by name, (T, S)."""
    parts = list(blocks)
    return {
        feature.name: np.concatenate(
            [part.values[feature.category][feature.name] for part in parts]
        )
        for feature in FEATURES
    }


def pieces(block: MarketBlock, cuts: Iterable[int]) -> list[MarketBlock]:
    edges = [0, *cuts, len(block)]
    return [block.rows(a, b) for a, b in pairwise(edges) if a < b]


def run(block: MarketBlock, cuts: Iterable[int] = ()) -> dict[str, Floats]:
    """The features of a market by name, computed by a new engine in blocks cut at ``cuts``."""
    engine = FeatureEngine(block.present.shape[1], BAR)
    return columns([engine.update(piece) for piece in pieces(block, cuts)])


def every(block: MarketBlock, size: int) -> range:
    return range(size, len(block), size)


def differing(one: dict[str, Floats], other: dict[str, Floats]) -> list[str]:
    """The features that differ in any bit but the kind of a NaN."""
    return [name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)]
