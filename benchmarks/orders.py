"""What an order costs from wish to journal, and what a quiet tick costs.

``python -m benchmarks.orders [--quick]`` prints a table and one line of JSON. CPU time of one
core, best and median of several rounds. An order life is: a directive, netting into targets,
limits and sizing, gateway, venue, fill at the next open, ledger and trades, and the rows appended
to a hash-chained SQLite journal in batches.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np

from mirrorcore.clock import MINUTE, Stopwatch
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading import (
    CostModel,
    Directive,
    Gateway,
    Ledger,
    LimitConfig,
    Limits,
    OrderPath,
    SimulatedVenue,
    net_targets,
)

SYMBOLS = 8
BAR = 5 * MINUTE
BATCH = 2_048
AT_LEAST, AIM = 30.0, 10.0


class Journal:
    """Rows gathered into batches; each batch is one SQLite row that hashes the one before."""

    def __init__(self, folder: str) -> None:
        self._db = sqlite3.connect(str(Path(folder) / "journal.sqlite"), isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # As a replay writes: a power cut may lose the last batches, which a replay makes again.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE batch (body BLOB, hash BLOB)")
        self._rows: list[tuple[int | str, ...]] = []
        self._chain = b""

    def append(self, rows: list[tuple[int | str, ...]]) -> None:
        self._rows += rows
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        body = msgspec.msgpack.encode(self._rows)
        self._chain = hashlib.sha256(self._chain + body).digest()
        self._db.execute("INSERT INTO batch VALUES (?, ?)", (body, self._chain))
        self._rows.clear()

    def close(self) -> None:
        self.flush()
        self._db.close()


class Desk:
    """Eight symbols at constant prices; every tick wants other weights, so every symbol trades."""

    def __init__(self) -> None:
        listed = [
            Instrument(
                symbol=f"{'ABCDEFGH'[i]}/USDT",
                base="ABCDEFGH"[i],
                quote="USDT",
                settlement="USDT",
                tick=Decimal("0.01"),
                lot=Decimal("0.0001"),
                described=True,
            )
            for i in range(SYMBOLS)
        ]
        costs = CostModel(10.0, 5.0)
        self.ledger = Ledger(listed, Decimal(1_000_000))
        self.venue = SimulatedVenue(listed, costs, 0.1)
        # Who trades everything each bar loses the costs of it; the loss limits would end that.
        limits = Limits(
            LimitConfig(
                gross=1.5,
                net=1.0,
                per_symbol=0.4,
                daily_loss=1.0,
                drawdown=1.0,
                order_rate=100_000,
                price_collar=0.05,
                stale_bars=3.0,
            )
        )
        self.path = OrderPath("benchmark", self.ledger, self.venue, limits, Gateway())
        self.marks = [10_000 + 100 * i for i in range(SYMBOLS)]
        self.opens = [mark / 100 for mark in self.marks]
        self.volume = [1e9] * SYMBOLS
        self.present = [True] * SYMBOLS
        self.ts = 0

    def life(self, weights: list[float], journal: Journal) -> int:
        """One tick in which all symbols are ordered, filled at once and journalled."""
        directives = [
            Directive(symbol, weight, 0.6, 12 * BAR, ("benchmark",))
            for symbol, weight in enumerate(weights)
        ]
        targets = net_targets(directives, SYMBOLS)
        equity = self.ledger.equity(self.marks)
        sent = self.path.step(self.ts, targets, self.marks, equity, self.present)
        opened = [self.ts] * SYMBOLS
        self.ts += BAR
        fills = self.venue.match(self.ts, opened, self.present, self.opens, self.volume)
        self.path.book(self.ts, fills)
        orders, fills, _ = self.path.drain()
        journal.append([order.row() for order in orders] + [fill.row() for fill in fills])
        return len(sent)


def order_life(rounds: int, ticks: int) -> list[float]:
    """µs of CPU per order, one figure a round."""
    rng = np.random.default_rng(7)
    plan = rng.uniform(0.02, 0.05, size=(ticks, SYMBOLS))
    figures = []
    for _ in range(rounds):
        desk = Desk()
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(folder)
            rows = plan.tolist()
            watch = Stopwatch()
            orders = sum(desk.life(row, journal) for row in rows)
            journal.flush()
            figures.append(watch.cpu_ns() / 1000 / orders)
            journal.close()
        if desk.ledger.residual(desk.marks):
            raise SystemExit("the ledger does not balance")
    return figures


def quiet_tick(rounds: int, ticks: int) -> dict[str, list[float]]:
    """µs of CPU of what the engine calls every tick although nothing trades."""
    desk = Desk()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(folder)
        weights = [0.05] * SYMBOLS
        desk.life(weights, journal)
        journal.close()
    marks, present = desk.marks, desk.present
    floats = [float(mark) for mark in marks]
    equity = desk.ledger.equity(marks)
    ts = desk.ts
    same = list(weights)
    other = [[0.05 + 1e-6 * (k % 2)] * SYMBOLS for k in range(2)]

    def moving() -> None:
        desk.path.step(ts, other[0], marks, equity, present)
        other.reverse()

    calls: dict[str, Callable[[], object]] = {
        "step, same targets": lambda: desk.path.step(ts, same, marks, equity, present),
        "step, targets move within the band": moving,
        "match, nothing working": lambda: desk.venue.match(ts, marks, present, floats, floats),
        "equity, exact": lambda: desk.ledger.equity(marks),
        "mark, float": lambda: desk.ledger.mark(floats),
    }
    result: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            watch = Stopwatch()
            for _ in range(ticks):
                call()
            result[name].append(watch.cpu_ns() / 1000 / ticks)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds instead of a minute")
    quick = parser.parse_args().quick
    rounds, ticks = (3, 500) if quick else (9, 5_000)
    figures = {"order life": order_life(rounds, ticks), **quiet_tick(rounds, 10 * ticks)}
    print(f"{'µs of CPU, 8 symbols':38} {'best':>8} {'median':>8}")
    for name, values in figures.items():
        print(f"{name:38} {min(values):8.2f} {statistics.median(values):8.2f}")
    print(
        json.dumps(
            {
                "benchmark": "orders",
                "symbols": SYMBOLS,
                "at_least_us": AT_LEAST,
                "aim_us": AIM,
                "best_us": {name: round(min(v), 3) for name, v in figures.items()},
                "median_us": {name: round(statistics.median(v), 3) for name, v in figures.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
