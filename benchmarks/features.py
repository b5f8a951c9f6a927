"""What features cost per symbol-bar: ``python -m benchmarks.features [--quick]``.

For each number of symbols and block size: CPU nanoseconds per symbol-bar, best of three, and for
blocks of one the CPU milliseconds per tick. Beside it stands a calibration of this machine in this
minute (one addition of arrays in the cache, per element), as absolute figures swing with it.
Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from benchmarks.measure import calibration
from mirrorcore.clock import MINUTE
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.features import FeatureEngine

BAR = 5 * MINUTE
AT_MOST = 2_000
"""CPU nanoseconds a symbol-bar for 100 symbols in blocks of 512, all features."""
SYMBOLS = (1, 5, 8, 50, 100)
BLOCKS = (1, 512, 4096)


def random_walk(ticks: int, symbols: int) -> MarketBlock:
    """A market without holes, from a fixed seed."""
    rng = np.random.default_rng(1)
    shape = (ticks, symbols)
    close = 100 * np.exp(np.cumsum(1e-3 * rng.standard_normal(shape), axis=0))
    opened = np.concatenate((close[:1], close[:-1]))
    ts = (np.arange(ticks, dtype=np.int64) + 5_000_000) * BAR
    return MarketBlock(
        index=0,
        ts=ts,
        present=np.ones(shape, dtype=np.bool_),
        open_ts=np.broadcast_to((ts - BAR)[:, np.newaxis], shape),
        open=opened,
        high=np.maximum(opened, close) * (1 + 5e-4 * rng.random(shape)),
        low=np.minimum(opened, close) * (1 - 5e-4 * rng.random(shape)),
        close=close,
        volume=np.exp(rng.standard_normal(shape)),
        flags=np.zeros(shape, dtype=np.int64),
    )


def cpu_ns(market: MarketBlock, warm: int, size: int) -> int:
    """CPU time of all ticks after the first ``warm``, in blocks of ``size``."""
    engine = FeatureEngine(market.present.shape[1], BAR)
    engine.update(market.rows(0, warm))
    started = time.process_time_ns()
    for start in range(warm, len(market), size):
        engine.update(market.rows(start, min(start + size, len(market))))
    return time.process_time_ns() - started


def measure(symbols: int, size: int, *, quick: bool) -> dict[str, float | int]:
    warm = 400
    blocks = {1: 150, 512: 8, 4096: 2} if quick else {1: 600, 512: 32, 4096: 8}
    ticks = size * blocks[size]
    market = random_walk(warm + ticks, symbols)
    best = min(cpu_ns(market, warm, size) for _ in range(1 if quick else 3))
    return {
        "symbols": symbols,
        "block": size,
        "ns_per_symbol_bar": round(best / (ticks * symbols), 1),
        "ms_per_block": round(best / blocks[size] / 1e6, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    unit = calibration()["addition_ns"]
    print(f"addition in cache: {unit:.3f} ns per element")
    print(f"{'symbols':>8} {'block':>6} {'ns/symbol-bar':>14} {'ms/block':>9}")
    results = []
    for symbols in SYMBOLS:
        for size in BLOCKS:
            row = measure(symbols, size, quick=quick)
            results.append(row)
            print(
                f"{symbols:>8} {size:>6} {row['ns_per_symbol_bar']:>14,.0f}"
                f" {row['ms_per_block']:>9.3f}"
            )
    told = next(r for r in results if (r["symbols"], r["block"]) == (100, 512))
    met = told["ns_per_symbol_bar"] <= AT_MOST
    print(f"100 symbols in blocks of 512, at most {AT_MOST:,} ns: {'yes' if met else 'NO'}")
    print(
        json.dumps(
            {
                "benchmark": "features",
                "numpy": np.__version__,
                "addition_ns": unit,
                "at_most_ns": AT_MOST,
                "met": met,
                "results": results,
            }
        )
    )


if __name__ == "__main__":
    main()
