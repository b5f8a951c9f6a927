"""What live records cost on their way in: ``python -m benchmarks.feed [--quick]``.

Messages of three trade streams of one venue, as its socket sends them, are decoded by msgspec,
validated and merged by (``ts_avail``, source, ``seq``): over columns, in batches of several sizes,
and record by record. CPU time of one core by stage, best of several rounds. Prints a table, then
one line of JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
import numpy as np

from benchmarks.measure import calibration, cpu_seconds, report, table
from mirrorcore.clock import MILLISECOND
from mirrorcore.data_sources.binance_wire import BinanceWire
from mirrorcore.market.intake import Action
from mirrorcore.market.merge import merge_records
from mirrorcore.market.records import Trade
from mirrorcore.market.trade_columns import TradeColumns
from mirrorcore.market.trade_merge import merge_trades
from mirrorcore.market.validator import MarketDataProcessor

AT_LEAST = 200_000
"""Records per CPU second."""
BATCHES = (64, 512, 4096)
STREAMS = (("BTCUSDT", 60_000.0, 2), ("ETHUSDT", 2_600.0, 2), ("SOLUSDT", 150.0, 3))
_START_MS = 1_723_161_600_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages of one stream and when each was received, ns."""

    bodies: Sequence[bytes]
    receipts: Sequence[int]


def stream(symbol: str, price: float, digits: int, *, count: int, seed: int) -> Stream:
    """A random walk of trades in the venue's own form, from a fixed seed."""
    rng = np.random.default_rng(seed)
    prices = price * np.exp(np.cumsum(1e-5 * rng.standard_normal(count)))
    sizes = rng.lognormal(-4, 1.5, count)
    times = _START_MS + np.cumsum(rng.integers(0, 40, count))
    delays = rng.integers(2, 30, count)
    encode = msgspec.json.encode
    bodies, receipts = [], []
    for i in range(count):
        data = {
            "e": "trade",
            "E": int(times[i]) + 1,
            "s": symbol,
            "t": 1_000_000 + i,
            "p": f"{prices[i]:.{digits}f}",
            "q": f"{sizes[i] + 1e-5:.5f}",
            "T": int(times[i]),
            "m": bool(i % 3),
            "M": True,
        }
        bodies.append(encode({"stream": f"{symbol.lower()}@trade", "data": data}))
        receipts.append(int(times[i] + delays[i]) * MILLISECOND)
    return Stream(bodies, np.maximum.accumulate(receipts).tolist())


class Columns:
    """Batches over columns: the way for recordings and busy venues."""

    def __init__(self, streams: Sequence[Stream], size: int) -> None:
        self.streams, self.size = streams, size
        self.decoded: list[list[tuple[str, TradeColumns]]] = []
        self.accepted: list[list[TradeColumns]] = []
        self.merged = 0
        self.processor = MarketDataProcessor(contiguous=("bench",))

    def decode(self) -> None:
        wire = BinanceWire("bench")
        for start in range(0, len(self.streams[0].bodies), self.size):
            at = slice(start, start + self.size)
            self.decoded.append(
                [
                    found
                    for one in self.streams
                    for found in wire.decode_trades(one.bodies[at], one.receipts[at]).items()
                ]
            )

    def validate(self) -> None:
        for batch in self.decoded:
            accepted = []
            for symbol, trades in batch:
                verdict = self.processor.judge_trades("bench", symbol, trades)
                good = verdict.accepted
                accepted.append(trades if good.all() else trades.take(good))
            self.accepted.append(accepted)

    def merge(self) -> None:
        for batch in self.accepted:
            self.merged += len(merge_trades(batch)[1])


class Records:
    """One record after the other: the way of a quiet venue, every message a batch of its own."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.streams = streams
        self.decoded: list[list[Trade]] = []
        self.accepted: list[list[Trade]] = []
        self.merged = 0
        self.processor = MarketDataProcessor(contiguous=("bench",))

    def decode(self) -> None:
        wire = BinanceWire("bench")
        for one in self.streams:
            pairs = zip(one.bodies, one.receipts, strict=True)
            found = (wire.decode(body, receipt).record for body, receipt in pairs)
            self.decoded.append([record for record in found if isinstance(record, Trade)])

    def validate(self) -> None:
        for trades in self.decoded:
            judged = (self.processor.validate(trade) for trade in trades)
            usable = (record for batch in judged for record in batch)
            self.accepted.append([record for record in usable if isinstance(record, Trade)])

    def merge(self) -> None:
        self.merged = sum(1 for _ in merge_records(self.accepted))


def measure(make: Callable[[], Columns | Records], rounds: int) -> dict[str, float | int]:
    """Best CPU time of each stage in us a record, and records per CPU second of the best round."""
    best: dict[str, float] = {}
    quickest = float("inf")
    for _ in range(rounds):
        way = make()
        stages = (("decode", way.decode), ("validate", way.validate), ("merge", way.merge))
        spent = {name: cpu_seconds(work) for name, work in stages}
        quickest = min(quickest, sum(spent.values()))
        best = {name: min(best.get(name, t), t) for name, t in spent.items()}
    count = sum(len(one.bodies) for one in way.streams)
    refused = way.processor.report.total(Action.REJECT) + way.processor.report.total(Action.DROP)
    if way.merged != count or refused:
        raise SystemExit(f"{count} clean messages, {refused} refused, {way.merged} merged")
    return {
        **{f"{name}_us": round(t / count * 1e6, 3) for name, t in best.items()},
        "records": count,
        "records_per_cpu_s": round(count / quickest),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    rounds = 1 if quick else 5
    each = 4_096 if quick else 40_960
    streams = [stream(*one, count=each, seed=i) for i, one in enumerate(STREAMS)]
    few = [Stream(one.bodies[: each // 8], one.receipts[: each // 8]) for one in streams]
    unit = calibration()["addition_ns"]
    results = {
        **{
            f"columns of {size}": measure(partial(Columns, streams, size), rounds)
            for size in BATCHES
        },
        "record by record": measure(partial(Records, few), rounds),
    }
    print(f"addition in cache: {unit:.3f} ns per element")
    stages = ("decode_us", "validate_us", "merge_us", "records_per_cpu_s")
    print(
        table(
            ("way", *stages),
            [
                (name, *(f"{row[s]:,.0f}" if s == stages[-1] else f"{row[s]:.2f}" for s in stages))
                for name, row in results.items()
            ],
        )
    )
    most = max(row["records_per_cpu_s"] for name, row in results.items() if "columns" in name)
    print(f"at least {AT_LEAST:,} records per CPU second: {'yes' if most >= AT_LEAST else 'NO'}")
    report(
        {
            "benchmark": "feed",
            "addition_ns": unit,
            "at_least": AT_LEAST,
            "met": most >= AT_LEAST,
            "results": results,
        }
    )


if __name__ == "__main__":
    main()
