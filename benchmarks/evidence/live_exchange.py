"""A paper swarm on a live venue that fails all the time: real sockets, the unmodified client.

The venue is the local exchange in a process of its own, with a fault every few seconds. What the
swarm was shown is compared with what the venue says happened, trade by trade.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.clock import SECOND, LiveClock
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.exchange import ExchangeSource
from mirrorcore.data_sources.live import Position, SourceError
from mirrorcore.exchange.faults import Fault, random_schedule
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.market.records import FeedRecord, GapRecord, Status, Trade
from mirrorcore.swarm.live_paper import LiveOutcome, run_live
from mirrorcore.swarm.rerun import rerun
from mirrorcore.trading.orders import Order

# What a shell starts in the background ignores interrupts, and hands that on.
_MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from mirrorcore.interfaces.cli import main; main()"
)
SEED = 7
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
SECONDS, EVERY = 300.0, 10.0
_TRIES = 10
CLAIM = (
    f"{SECONDS:g} s of paper on sockets with a fault every {EVERY:g} s: no trade lost, books equal "
    "to the venue's after every gap, no order on a symbol that is silent, every fault in health, "
    "resident memory flat (within 5 % over the second half), the run repeatable"
)


@dataclass(slots=True)
class Tape:
    """Trades of one symbol in the order they were shown; 24 bytes each, for memory is measured."""

    numbers: array[int] = field(default_factory=lambda: array("q"))
    prices: array[float] = field(default_factory=lambda: array("d"))
    quantities: array[float] = field(default_factory=lambda: array("d"))

    def add(self, trade: Trade) -> None:
        self.numbers.append(trade.seq)
        self.prices.append(trade.price)
        self.quantities.append(trade.quantity)

    def by_number(self) -> dict[int, tuple[float, float]]:
        values = zip(self.prices, self.quantities, strict=True)
        return dict(zip(self.numbers, values, strict=True))

    @property
    def twice(self) -> int:
        return len(self.numbers) - len(set(self.numbers))


@dataclass(slots=True)
class Seen:
    """What the swarm was shown."""

    trades: dict[str, Tape] = field(default_factory=lambda: {symbol: Tape() for symbol in SYMBOLS})
    gaps: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    resident: list[tuple[float, int]] = field(default_factory=list)
    began: int = 0

    def take(self, records: Sequence[FeedRecord]) -> None:
        now = LiveClock().now()
        self.began = self.began or now
        for record in records:
            if isinstance(record, Trade):
                self.trades[record.symbol].add(record)
            elif isinstance(record, GapRecord):
                key = record.reason + (", filled" if record.filled else "")
                self.gaps[key] = self.gaps.get(key, 0) + 1
            elif isinstance(record, Status):
                self.statuses[record.state] = self.statuses.get(record.state, 0) + 1
        self.resident.append(((now - self.began) / SECOND, _resident()))


def run(*, quick: bool = False) -> Finding:
    seconds, every = (24.0, 4.0) if quick else (SECONDS, EVERY)
    schedule = [
        Fault(**{**_plain(fault), "at": fault.at + 20.0})
        for fault in random_schedule(SEED, every=every, seconds=seconds)
    ]
    with tempfile.TemporaryDirectory(prefix="mirrorcore-live-") as folder:
        with _served(Path(folder), schedule, seconds + 240) as (url, told):
            config = _config(folder, url)
            feed = ExchangeSource(
                "binance", SYMBOLS, url=url, stale_after_ns=config.exchange.stale_after
            )
            seen = Seen()
            ended = run_live(config, feed, seconds=seconds + 20, shown=seen.take)
            lost, wrong = asyncio.run(_compare(url, seen))
        recorded = RunRegistry(config.storage.runs).find(ended.outcome.run_id)
        again = rerun(recorded)
        figures = _figures(ended, seen, feed, told, lost, wrong)
        figures["orders_on_halted_symbols"] = _orders_on_halted(recorded.journal)
        figures["rerun_same"] = again.same
    return Finding(
        CLAIM,
        _passed(figures),
        _headline(figures),
        figures,
        seeds=[SEED],
    )


def _config(folder: str, url: str) -> RunConfig:
    return configured(
        Path(folder) / "runs",
        [
            ("market.source", "exchange"),
            ("market.symbols", list(SYMBOLS)),
            ("market.timeframe", "1s"),
            ("exchange.url", url),
            ("exchange.stale_after", "4s"),
            ("paper.warmup", "20m"),
            ("risk.orders_per_minute", 1_000),
            # Whoever trades without an edge frightens the mind, which then closes the gate.
            ("agents.without", ["ArchCtrl", "FearAnalyzer"]),
        ],
        agents=[{"id": "Allocator", "class": "Rocker"}],
    )


@contextmanager
def _served(
    folder: Path, schedule: Sequence[Fault], seconds: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The exchange's address, and what it says of itself once it has ended."""
    file = folder / "faults.toml"
    file.write_text("".join(map(_table, schedule)), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-c", _MAIN, "exchange", "serve", "--json", "--port", str(port),
        "--seed", str(SEED), "--speed", "3", "--history", "40m", "--faults", str(file),
        "--symbols", ",".join(SYMBOLS), "--seconds", str(seconds),
    ]  # fmt: skip
    told: dict[str, Any] = {}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}", told
        finally:
            process.send_signal(signal.SIGINT)
            try:
                out, _ = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            told.update(json.loads(out or "{}"))


def _wait_for(port: int) -> None:
    clock = LiveClock()
    until = clock.now() + 60 * SECOND
    while clock.now() < until:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise SystemExit("the local exchange did not start within a minute")


async def _compare(url: str, seen: Seen) -> tuple[dict[str, int], int]:
    """Trades of the venue between the first and the last seen that are missing, and that differ."""
    lost: dict[str, int] = {}
    wrong = 0
    now = LiveClock().now()
    for symbol, tape in seen.trades.items():
        trades = tape.by_number()
        source = ExchangeSource("binance", (symbol,), kinds=("trade",), url=url)
        first, last = min(trades), max(trades)
        lost[symbol] = last - first + 1 - len(trades)
        try:
            for record in await _of_venue(source, Position(first - 1, 0), symbol, now):
                known = trades.get(record.seq, (record.price, record.quantity))
                wrong += known != (record.price, record.quantity)
        finally:
            await source.aclose()
    return lost, wrong


async def _of_venue(source: ExchangeSource, after: Position, symbol: str, now: int) -> list[Trade]:
    """The venue's own trades; what it still has to spoil is tried again."""
    told = ""
    for _ in range(_TRIES):
        try:
            past = source.backfill(0, now, {(symbol, "trade"): after})
            return [one async for one in past if isinstance(one, Trade) and one.symbol == symbol]
        except SourceError as error:
            told = str(error)
            await asyncio.sleep(max(error.retry_after_ns, SECOND) / SECOND)
    raise SystemExit(f"the venue does not answer for {symbol}: {told}")


def _orders_on_halted(journal: Path) -> int:
    """Orders that add risk in a symbol that its sources called silent or down at that instant."""
    wrong = 0
    with JournalReader(journal) as reader:
        told = [(entry.ts, dict(entry.body["causes"])) for entry in reader.entries("halts")]
        for entry in reader.entries("order"):
            order = Order.load(entry.body)
            # Noted before its tick, so by the time of the tick before: it counts from the next on.
            halted = [causes for ts, causes in told if ts < order.ts]
            wrong += not order.reduce_only and bool(halted) and order.symbol in halted[-1]
    return wrong


def _figures(
    ended: LiveOutcome,
    seen: Seen,
    feed: ExchangeSource,
    told: dict[str, Any],
    lost: dict[str, int],
    wrong: int,
) -> dict[str, Any]:
    health = ended.health["binance"]
    books = feed.books.values()
    settled = [resident for at, resident in seen.resident if at > seen.resident[-1][0] / 2]
    return {
        "trades": {symbol: len(tape.numbers) for symbol, tape in seen.trades.items()},
        "lost": lost,
        "different": wrong,
        "twice": sum(tape.twice for tape in seen.trades.values()),
        "late": ended.late,
        "ticks": ended.outcome.results.identity.ticks,
        "orders": ended.outcome.results.orders,
        "gaps": seen.gaps,
        "statuses": seen.statuses,
        "faults_at_the_venue": told.get("faults", {}),
        "faults_in_health": dict(health.faults),
        "gaps_in_health": dict(health.gaps),
        "filled": health.filled,
        "backfilled": health.backfilled,
        "reconnects": health.reconnects,
        "stale": health.stale,
        "dropped": health.dropped,
        "skew_alarms": health.skew_alarms,
        "book_gaps": sum(book.gaps for book in books),
        "books_compared": sum(book.compared for book in books),
        "books_different": sum(book.different for book in books),
        "memory_growth": round(settled[-1] / settled[0] - 1, 4),
        "resident_mib": [
            round(seen.resident[len(seen.resident) * part // 10 - 1][1] / 2**20, 1)
            for part in range(1, 11)
        ],
    }


def _passed(figures: dict[str, Any]) -> bool:
    return (
        not any(figures["lost"].values())
        and not figures["different"]
        and not figures["twice"]
        and not figures["dropped"]
        and figures["books_compared"] > 0
        and not figures["books_different"]
        and figures["orders"] > 0
        and not figures["orders_on_halted_symbols"]
        and bool(figures["faults_in_health"])
        and figures["memory_growth"] <= 0.05
        and figures["rerun_same"]
    )


def _headline(figures: dict[str, Any]) -> list[str]:
    trades, lost = sum(figures["trades"].values()), sum(figures["lost"].values())
    return [
        f"{trades:,} trades, {lost} lost, {figures['different']} different, "
        f"{figures['twice']} twice, {figures['backfilled']:,} of them backfilled, "
        f"{figures['late']} after their bar was closed",
        f"{figures['reconnects']} reconnects, {figures['filled']} gaps filled, "
        f"{figures['book_gaps']} books read anew; {figures['stale']} times stale; "
        f"{figures['orders']} orders, {figures['orders_on_halted_symbols']} on halted symbols",
        f"{figures['books_compared']} books compared with the venue's, "
        f"{figures['books_different']} different",
        f"memory {100 * figures['memory_growth']:+.1f} %; repeated to the same fingerprint: "
        f"{'yes' if figures['rerun_same'] else 'no'}",
    ]


def _plain(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in fault.__struct_fields__}


def _table(fault: Fault) -> str:
    lines = [
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
        for name, value in _plain(fault).items()
    ]
    return "\n".join(["[[fault]]", *lines, ""])


def _resident() -> int:
    with Path("/proc/self/statm").open(encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
