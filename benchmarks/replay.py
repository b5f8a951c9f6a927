"""How fast a replay is, and where its time goes: ``python -m benchmarks.replay [--quick]``.

The full standard roster at its declared cadences, the journal on, every decision made each bar and
hashed: what `mirrorcore backtest` does, all of it counted, from opening the source to the results
on disk. The figure is symbol-bars per second of process CPU time, best and median of five rounds,
for simulated markets of 1, 3, 8 and 100 symbols, and for the real folders where they are there.
The shares come from one more replay with clocks at the borders of the stages.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import DATA, Spread, calibration, machine, report, table
from benchmarks.stages import StageClock
from mirrorcore.clock import Stopwatch
from mirrorcore.config import RunConfig, load_config
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.run import RunOutcome

AT_LEAST, AIM = 50_000, 200_000
"""Symbol-bars per CPU second at eight symbols, design section 9."""

YEAR_BARS = 105_120
WIDTHS = {1: YEAR_BARS // 2, 3: YEAR_BARS // 2, 8: YEAR_BARS, 100: 12_288}
"""Symbols -> ticks of one round: long enough that learning and trading are in full swing."""

FOLDERS = ("crypto_5m", "crypto_1m")


@dataclass(frozen=True, slots=True)
class Rounds:
    """Several replays of one market."""

    market: str
    symbols: int
    ticks: int
    symbol_bars: int
    fills: int
    rate: Spread
    cpu_s: Spread
    shares: dict[str, float]
    fingerprints: tuple[str, ...]
    residual: str

    def summary(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "symbols": self.symbols,
            "ticks": self.ticks,
            "symbol_bars": self.symbol_bars,
            "fills": self.fills,
            "symbol_bars_per_cpu_s": self.rate.rounded(0),
            "ticks_per_cpu_s_best": round(self.ticks / self.cpu_s.best),
            "us_per_tick_best": round(self.cpu_s.best / self.ticks * 1e6, 1),
            "shares": self.shares,
            "same_fingerprint": len(set(self.fingerprints)) == 1,
            "fingerprint": self.fingerprints[0],
            "accounting_residual": self.residual,
        }


def config_of(runs: str | Path, settings: Sequence[tuple[str, object]]) -> RunConfig:
    """A configuration as the command line would make it, its runs in ``runs``."""
    return load_config(None, {}, [("storage.runs", str(runs)), *settings]).config


def timed_replay(settings: Sequence[tuple[str, object]]) -> tuple[RunOutcome, float]:
    """One replay in a throw-away folder, with its CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-replay-") as runs:
        config = config_of(runs, settings)
        watch = Stopwatch()
        outcome = replay_history(config)
        return outcome, watch.cpu_ns() / 1e9


def simulated(symbols: int, bars: int) -> list[tuple[str, object]]:
    return [("market.symbols", symbols), ("market.bars", bars)]


def recorded(folder: Path) -> list[tuple[str, object]]:
    return [("market.source", "recorded"), ("market.directory", str(folder))]


def measure(market: str, settings: Sequence[tuple[str, object]], rounds: int) -> Rounds:
    """``rounds`` plain replays, then one with clocks in it."""
    seconds, marks = [], []
    for _ in range(rounds):
        outcome, spent = timed_replay(settings)
        seconds.append(spent)
        marks.append(outcome.fingerprint)
    with StageClock() as stages:
        watched, _ = timed_replay(settings)
    identity = outcome.results.identity
    return Rounds(
        market=market,
        symbols=len(identity.symbols),
        ticks=identity.ticks,
        symbol_bars=identity.symbol_bars,
        fills=outcome.results.fills,
        rate=Spread.of([identity.symbol_bars / s for s in seconds], higher_is_better=True),
        cpu_s=Spread.of(seconds),
        shares=stages.shares(),
        # The one with clocks in it must be the same run: watching changes nothing.
        fingerprints=(*marks, watched.fingerprint),
        residual=str(outcome.results.accounting_residual),
    )


def run(*, quick: bool = False, rounds: int = 5, folders: bool = True) -> dict[str, Any]:
    """All markets; ``quick`` takes a few thousand ticks of each simulated one, twice."""
    before = calibration()
    found: list[Rounds] = []
    if quick:
        for symbols in (1, 8):
            found.append(measure("simulated", simulated(symbols, 4500), 1))
    else:
        for symbols, bars in WIDTHS.items():
            found.append(measure("simulated", simulated(symbols, bars), rounds))
        for name in FOLDERS if folders else ():
            if (DATA / name).is_dir():
                found.append(measure(name, recorded(DATA / name), 1 if "1m" in name else rounds))
    return {
        "benchmark": "replay",
        "at_least_8": AT_LEAST,
        "at_least_3": AT_LEAST // 2,
        "aim_8": AIM,
        "machine": machine(),
        "calibration": {"before": before, "after": calibration()},
        "markets": [rounds_of.summary() for rounds_of in found],
    }


_HEADER = ("market", "symbols", "symbol-bars", "best/s", "median/s", "ticks/s", "us/tick", "fills")


def show(found: dict[str, Any]) -> None:
    """Two tables: speeds, and shares by stage."""
    markets = found["markets"]
    rows = []
    for m in markets:
        rate = m["symbol_bars_per_cpu_s"]
        rows.append(
            [
                m["market"],
                m["symbols"],
                f"{m['symbol_bars']:,}",
                f"{rate['best']:,.0f}",
                f"{rate['median']:,.0f}",
                f"{m['ticks_per_cpu_s_best']:,}",
                m["us_per_tick_best"],
                f"{m['fills']:,}",
            ]
        )
    print(table(_HEADER, rows))
    stages = sorted({stage for m in markets for stage in m["shares"]})
    print()
    print(
        table(
            ["share of the time", *(f"{m['market'][:9]} {m['symbols']}" for m in markets)],
            [[s, *(f"{m['shares'].get(s, 0.0):.1%}" for m in markets)] for s in stages],
        )
    )
    print(f"calibration: {found['calibration']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a smoke run")
    parser.add_argument("--rounds", type=int, default=5, help="replays behind each figure")
    arguments = parser.parse_args()
    found = run(quick=arguments.quick, rounds=arguments.rounds)
    show(found)
    report(found)


if __name__ == "__main__":
    main()
