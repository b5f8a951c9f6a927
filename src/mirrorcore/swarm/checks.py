"""Three checks a user can run on an own swarm and an own market.

*determinism*: the same inputs give the same run, under another hash seed and with blocks cut
otherwise. *lookahead*: cutting the future off changes nothing before the cut. *accounting*: the
books balance at every step and agree with a second, simple bookkeeping from the journal alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorcore.clock import VirtualClock, VirtualTimeLoop, iso
from mirrorcore.config import to_toml
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import CheckFailedError, DataError
from mirrorcore.journal import JournalReader, RunStatus
from mirrorcore.market.block import Ints, MarketBlock
from mirrorcore.market.intake import IntakeReport
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, Engine
from mirrorcore.swarm.pace import HistoryPace
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.recruiting import recruit
from mirrorcore.swarm.replay import Progress, replay_history
from mirrorcore.swarm.sources import open_source
from mirrorcore.trading.currencies import Rates
from mirrorcore.trading.units import Units


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdict of a check, in words and in figures."""

    name: str
    passed: bool
    lines: list[str]
    details: dict[str, Any] = field(default_factory=dict)


def check_determinism(
    config: RunConfig, *, without: Sequence[str] = (), progress: Progress | None = None
) -> CheckReport:
    """Run three times: plainly, with blocks of 997 ticks, and in another process and hash seed."""
    first, _ = digests_of(config, open_source(config), without=without, progress=progress)
    runs = {
        "blocks of 997 ticks": digests_of(
            config, open_source(config), without=without, rows=997, progress=progress
        )[0],
        "another process with another hash seed": _elsewhere(config, without),
    }
    lines, differing = [], {}
    for name, parts in runs.items():
        other = _differing(first, parts)
        differing[name] = other
        lines.append(f"{name}: " + (f"differs in {', '.join(other)}" if other else "identical"))
    return CheckReport(
        "determinism",
        not any(differing.values()),
        lines,
        {"parts": first, "differing": differing},
    )


def check_lookahead(
    config: RunConfig,
    *,
    without: Sequence[str] = (),
    cuts: int = 10,
    progress: Progress | None = None,
) -> CheckReport:
    """Cut the future off at random ticks and compare everything before each cut.

    Every other cut is where an agent that is called now and then has its turn: one that peeks a
    bar ahead shows there alone.
    """
    source = open_source(config)
    instants = _instants(source)
    if len(instants) < 2 * cuts:
        raise DataError(
            f"the market has {len(instants)} ticks, too few for {cuts} cuts",
            hint="use a longer history",
        )
    chosen = _cut_ticks(config, without, instants, cuts)
    marks = [int(instants[tick]) for tick in chosen]
    _, whole = digests_of(config, source, without=without, cuts=marks, progress=progress)
    lines, found = [], {}
    for tick, mark in zip(chosen.tolist(), marks, strict=True):
        shortened = Shortened(open_source(config), tick + 1)
        parts, _ = digests_of(config, shortened, without=without, progress=progress)
        other = _differing(whole.digests.at(mark), parts)
        found[iso(mark)] = other
        told = f"differs in {', '.join(other)}" if other else "nothing before it changes"
        lines.append(f"cut after tick {tick} ({iso(mark)}): {told}")
    cheats = sorted({name for names in found.values() for name in names})
    return CheckReport("lookahead", not cheats, lines, {"cuts": found, "differing": cheats})


def _cut_ticks(
    config: RunConfig, without: Sequence[str], instants: Ints, cuts: int
) -> npt.NDArray[np.intp]:
    """``cuts`` different ticks, rising: at random, and at random turns of each cadence in use."""
    rng = np.random.default_rng(config.seed)
    anywhere = rng.permutation(np.arange(1, len(instants) - 1)).tolist()
    cadences = sorted({m.cadence_ns for m in recruit(config, without) if m.cadence_ns > 0})
    turns = [
        rng.permutation(np.flatnonzero(np.diff(instants[:-1] // cadence)) + 1).tolist()
        for cadence in cadences
    ]
    chosen: list[int] = []
    for number in range(cuts):
        tick = anywhere.pop()
        if number % 2 and turns and turns[number // 2 % len(turns)]:
            tick = turns[number // 2 % len(turns)].pop()
        while tick in chosen:
            tick = anywhere.pop()
        chosen.append(tick)
    return np.sort(np.array(chosen))


def check_accounting(
    config: RunConfig, *, without: Sequence[str] = (), progress: Progress | None = None
) -> CheckReport:
    """Replay, then keep the books a second time from the journalled fills."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-check-") as folder:
        storage = config.storage.model_copy(update={"runs": Path(folder)})
        outcome = replay_history(
            config.model_copy(update={"storage": storage}), without=without, progress=progress
        )
        if outcome.results.identity.status != RunStatus.FINISHED:
            raise KeyboardInterrupt  # half a run proves nothing
        with JournalReader(outcome.path / "journal.sqlite") as reader:
            chain = reader.verify()
            fills = [entry.body for entry in reader.entries("fill")]
        results = outcome.results
    books = _second_books(fills, open_source(config), config)
    last, first = Fraction(results.equity[-1]), Fraction(results.initial_equity)
    close = Fraction(1, 10**9) * first
    pnl = sum((Fraction(trade.pnl) for trade in results.trades), Fraction(0))
    pnl += sum((Fraction(row.translation) for row in results.cash), Fraction(0))
    paid = {row.currency: row.fees for row in results.cash}
    paid = paid or {results.currency: results.costs.fees_paid}
    checks = {
        "the ledger's two sums agree after every fill, to the last unit": (
            results.accounting_residual == 0
        ),
        "a second bookkeeping from the journal ends at the same equity": (
            abs(books.equity - last) <= close
        ),
        "and at the same fees": all(
            abs(books.fees[currency] - Fraction(fees)) <= close for currency, fees in paid.items()
        ),
        "trades add up to the change of equity": abs(pnl - (last - first)) <= close,
        "the journal's hash chain holds": chain.holds,
        "no delivery on the bus is unaccounted for": not any(
            "unaccounted" in warning for warning in results.warnings
        ),
    }
    return CheckReport(
        "accounting",
        all(checks.values()),
        [f"{text}: {'yes' if holds else 'NO'}" for text, holds in checks.items()],
        {"fills": len(fills), "equity": float(last), "second_books": float(books.equity), **checks},
    )


@dataclass(frozen=True, slots=True)
class _Books:
    equity: Fraction
    fees: Mapping[str, Fraction]


def _second_books(
    fills: Sequence[Sequence[Any]], source: HistorySource, config: RunConfig
) -> _Books:
    """Cash and positions from the journalled fills alone, in fractions, currency by currency."""
    units = Units(source.instruments, config.account.currency)
    cash = dict.fromkeys(units.currencies, Fraction(0))
    fees = dict(cash)
    cash[units.currency] += Fraction(config.account.balance)
    held = [Fraction(0)] * len(source.symbols)
    unit = Fraction(1, 10**units.places)
    for _, _, symbol, _, _, lots, price, fee, _ in fills:
        instrument = source.instruments[symbol]
        quantity = int(lots) * Fraction(instrument.lot) * Fraction(instrument.multiplier)
        cash[instrument.settlement] -= quantity * price * Fraction(instrument.tick)
        cash[instrument.settlement] -= int(fee) * unit
        fees[instrument.settlement] += int(fee) * unit
        held[symbol] += quantity
    closes = [0.0] * len(source.symbols)
    for block in source.blocks():
        for symbol in range(len(closes)):
            known = block.close[block.present[:, symbol], symbol]
            closes[symbol] = float(known[-1]) if len(known) else closes[symbol]
    last = [0] * len(closes)
    for symbol, close in enumerate(closes):
        tick = Fraction(source.instruments[symbol].tick)
        last[symbol] = round(Fraction(close) / tick)
        cash[source.instruments[symbol].settlement] += held[symbol] * last[symbol] * tick
    rates = Rates(units).at(last)
    return _Books(
        sum(
            (cash[name] * Fraction(*rate) for name, rate in zip(cash, rates, strict=True) if rate),
            Fraction(0),
        ),
        fees,
    )


class Shortened:
    """A source that ends after so many ticks: the same history without its future."""

    def __init__(self, source: HistorySource, ticks: int) -> None:
        self._source = source
        self._ticks = ticks
        self.name = source.name
        self.symbols = source.symbols
        self.instruments = source.instruments
        self.bar_ns = source.bar_ns

    @property
    def verdicts(self) -> IntakeReport:
        return self._source.verdicts

    def blocks(
        self, start_tick: int = 0, max_rows: int = CHECKPOINT_TICKS
    ) -> Iterator[MarketBlock]:
        for block in self._source.blocks(start_tick, max_rows):
            left = self._ticks - block.index
            if left <= 0:
                return
            yield block.rows(0, min(len(block), left))

    def digest(self) -> str:
        return self._source.digest()

    def ticks_total(self) -> int | None:
        return self._ticks


def digests_of(
    config: RunConfig,
    source: HistorySource,
    *,
    without: Sequence[str] = (),
    rows: int = CHECKPOINT_TICKS,
    cuts: Sequence[int] = (),
    progress: Progress | None = None,
) -> tuple[dict[str, str], Swarm]:
    """Replay without journal or folder; the digests of everything up to the last tick."""
    swarm, _ = run_through(config, source, without=without, rows=rows, cuts=cuts, progress=progress)
    return swarm.digests.results(), swarm


def run_through(
    config: RunConfig,
    source: HistorySource,
    *,
    without: Sequence[str] = (),
    rows: int = CHECKPOINT_TICKS,
    cuts: Sequence[int] = (),
    progress: Progress | None = None,
) -> tuple[Swarm, Recorder]:
    """Replay without journal or folder, up to the last tick; the run is not closed."""
    swarm = assemble(config, source, "check", without=without, cuts=cuts)
    recorder = Recorder(swarm)
    engine = Engine(swarm.parts, [recorder])
    pace = HistoryPace(swarm.parts.bus, swarm.parts.clock)

    async def work() -> None:
        for block in source.blocks(max_rows=rows):
            if recorder.ticks == 0:
                swarm.parts.clock.advance_to(int(block.ts[0]) - source.bar_ns)
                engine.save_checkpoints()
            await engine.run(block, pace)
            source.verdicts.check()
            if progress is not None:
                progress(recorder.ticks, source.ticks_total())

    drive(VirtualTimeLoop(VirtualClock()), work())
    return swarm, recorder


def _elsewhere(config: RunConfig, without: Sequence[str]) -> dict[str, str]:
    """The digests as another process finds them, its hashes seeded otherwise."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-m", "mirrorcore.swarm.again", *without],
        input=to_toml(config),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CheckFailedError(
            f"the second process ended with {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    parts: dict[str, str] = json.loads(done.stdout)
    return parts


def _instants(source: HistorySource) -> Ints:
    return np.concatenate([block.ts for block in source.blocks()])


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
