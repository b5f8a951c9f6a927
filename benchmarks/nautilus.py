"""Replay beside NautilusTrader, the same bars in one run: ``python -m benchmarks.nautilus``.

Needs the extra ``bench``. On its side: one strategy that follows two averages and places no orders,
alone or with 100 actors that receive every bar and do nothing with it, logging off. On ours: the
full roster, fusion, orders, ledger, digests and journal. So the work is not alike, and the larger
part of it is ours; the ratio says what a user waits for. CPU time, the sides take turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import Decimal
from importlib import metadata
from typing import Any

from benchmarks.measure import Spread, calibration, machine, report, table
from benchmarks.replay import simulated, timed_replay
from mirrorcore.clock import Stopwatch
from mirrorcore.data_sources.simulated import SimulatedSource

SYMBOLS = 8
AT_LEAST = {"100 actors": 4.0, "one strategy": 0.0}
AIM = {"100 actors": 15.0, "one strategy": 2.0}


def version() -> str:
    """Of the NautilusTrader that is installed; SystemExit says how to have one."""
    try:
        return metadata.version("nautilus_trader")
    except metadata.PackageNotFoundError:
        raise SystemExit(
            "NautilusTrader is not installed here: pip install 'mirrorcore-x[bench]'"
        ) from None


class Rival:
    """The same bars, as NautilusTrader wants them."""

    def __init__(self, bars: int) -> None:
        from nautilus_trader.model.currencies import USDT
        from nautilus_trader.model.data import Bar, BarType
        from nautilus_trader.model.enums import CurrencyType
        from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
        from nautilus_trader.model.instruments import CurrencyPair
        from nautilus_trader.model.objects import Currency, Price, Quantity

        source = SimulatedSource("default", seed=42, symbols=SYMBOLS, bars=bars)
        self.venue = Venue("SIM")
        self.instruments = []
        self.bar_types = []
        for symbol in source.symbols:
            base = Currency(symbol.split("/")[0], 8, 0, symbol, CurrencyType.CRYPTO)
            identity = InstrumentId(Symbol(symbol.replace("/", "")), self.venue)
            self.instruments.append(
                CurrencyPair(
                    instrument_id=identity,
                    raw_symbol=identity.symbol,
                    base_currency=base,
                    quote_currency=USDT,
                    price_precision=8,
                    size_precision=4,
                    price_increment=Price(1e-8, 8),
                    size_increment=Quantity(1e-4, 4),
                    ts_event=0,
                    ts_init=0,
                    margin_init=Decimal(0),
                    margin_maint=Decimal(0),
                    maker_fee=Decimal(0),
                    taker_fee=Decimal(0),
                )
            )
            self.bar_types.append(BarType.from_str(f"{identity}-5-MINUTE-LAST-EXTERNAL"))
        self.bars = [
            Bar(
                self.bar_types[s],
                *(Price(float(column[t, s]), 8) for column in (b.open, b.high, b.low, b.close)),
                Quantity(max(float(b.volume[t, s]), 1e-4), 4),
                int(b.ts[t]),
                int(b.ts[t]),
            )
            for b in source.blocks()
            for t in range(len(b))
            for s in range(SYMBOLS)
        ]

    def seconds(self, actors: int) -> float:
        """CPU seconds of one backtest, from the start of its loop to its end."""
        from nautilus_trader.backtest.config import BacktestEngineConfig
        from nautilus_trader.backtest.engine import BacktestEngine
        from nautilus_trader.config import LoggingConfig
        from nautilus_trader.model.currencies import USDT
        from nautilus_trader.model.enums import AccountType, OmsType
        from nautilus_trader.model.objects import Money

        engine = BacktestEngine(
            BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
        )
        engine.add_venue(
            venue=self.venue,
            oms_type=OmsType.NETTING,
            account_type=AccountType.MARGIN,
            base_currency=None,
            starting_balances=[Money(1_000_000, USDT)],
        )
        for instrument in self.instruments:
            engine.add_instrument(instrument)
        engine.add_data(self.bars)
        strategy, counters = self._players(actors)
        engine.add_strategy(strategy)
        for counter in counters:
            engine.add_actor(counter)
        watch = Stopwatch()
        engine.run()
        spent = watch.cpu_ns() / 1e9
        calls = [player.calls for player in (strategy, *counters)]
        engine.dispose()
        if calls != [len(self.bars)] * (actors + 1):
            raise SystemExit(f"not every bar reached every actor: {calls[:5]} ...")
        return spent

    def _players(self, actors: int) -> tuple[Any, list[Any]]:
        from nautilus_trader.common.actor import Actor
        from nautilus_trader.common.config import ActorConfig
        from nautilus_trader.indicators.averages import ExponentialMovingAverage
        from nautilus_trader.trading.config import StrategyConfig
        from nautilus_trader.trading.strategy import Strategy

        bar_types = self.bar_types

        class Counter(Actor):  # type: ignore[misc]  # the package has no types
            calls = 0

            def on_start(self) -> None:
                for bar_type in bar_types:
                    self.subscribe_bars(bar_type)

            def on_bar(self, bar: Any) -> None:
                self.calls += 1

        class Averages(Strategy):  # type: ignore[misc]
            calls = 0

            def on_start(self) -> None:
                self.long = 0
                self.pairs = {}
                for bar_type in bar_types:
                    pair = ExponentialMovingAverage(10), ExponentialMovingAverage(20)
                    self.pairs[bar_type] = pair
                    for average in pair:
                        self.register_indicator_for_bars(bar_type, average)
                    self.subscribe_bars(bar_type)

            def on_bar(self, bar: Any) -> None:
                self.calls += 1
                fast, slow = self.pairs[bar.bar_type]
                if fast.value > slow.value:
                    self.long += 1

        counters = [Counter(ActorConfig(component_id=f"COUNTER-{i:03}")) for i in range(actors)]
        return Averages(StrategyConfig(strategy_id="AVERAGES-001")), counters


def _rounds(bars: int, rounds: int) -> Iterator[dict[str, float]]:
    """Symbol-bars per CPU second of each side, in turns."""
    rival = Rival(bars)
    timed_replay(simulated(SYMBOLS, 300))  # everything imported on our side too
    for _ in range(rounds):
        outcome, ours = timed_replay(simulated(SYMBOLS, bars))
        if outcome.results.identity.symbol_bars != len(rival.bars):
            raise SystemExit("the two sides did not replay the same number of bars")
        yield {
            "ours": len(rival.bars) / ours,
            "100 actors": len(rival.bars) / rival.seconds(100),
            "one strategy": len(rival.bars) / rival.seconds(0),
        }


def run(*, bars: int = 12_000, rounds: int = 3) -> dict[str, Any]:
    """Rates of both sides and the ratios within each round."""
    rival = version()
    found = list(_rounds(bars, rounds))
    ratios = {name: Spread.of([r["ours"] / r[name] for r in found]) for name in AT_LEAST}
    return {
        "benchmark": "nautilus",
        "nautilus_trader": rival,
        "symbols": SYMBOLS,
        "symbol_bars": SYMBOLS * bars,
        "machine": machine(),
        "calibration": calibration(),
        "symbol_bars_per_cpu_s": {
            name: Spread.of([r[name] for r in found], higher_is_better=True).rounded(0)
            for name in ("ours", *AT_LEAST)
        },
        "ratio_median": {name: round(spread.median, 2) for name, spread in ratios.items()},
        "at_least": AT_LEAST,
        "aim": AIM,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of few bars")
    found = run(bars=1500, rounds=1) if parser.parse_args().quick else run()
    rates, ratios = found["symbol_bars_per_cpu_s"], found["ratio_median"]
    print(
        table(
            ["symbol-bars per CPU second", "best", "median", "ours is ... times as fast"],
            [
                [name, f"{rate['best']:,.0f}", f"{rate['median']:,.0f}", ratios.get(name, "")]
                for name, rate in rates.items()
            ],
        )
    )
    report(found)


if __name__ == "__main__":
    main()
