"""A recorded run, opened so that stretches of it can be run again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any

from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import DataError
from mirrorcore.journal import JournalError, JournalReader, RunInfo
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import Record
from mirrorcore.swarm.control.actions import Command
from mirrorcore.swarm.engine import CHECKPOINT_TICKS
from mirrorcore.swarm.environment import package_versions, processor_class
from mirrorcore.swarm.identity import agent_files
from mirrorcore.swarm.rerun import begun_at, commands_of, halts_of, recorded_config
from mirrorcore.swarm.sources import recorded_source
from mirrorcore.trading.units import Units


@dataclass(frozen=True, slots=True)
class BlockNote:
    """A journalled block: ticks ``first`` .. ``stop`` (excluded), instant of the last of them, and
    the hash of all its decisions."""

    first: int
    stop: int
    ts: int
    decisions: str


class Recorded:
    """Identity, journal and source of a recorded run.

    Raises
    ------
    JournalError: the journal was changed after it was written, or is none.
    DataError: the market is not there, or not of the same symbols and bars.
    """

    def __init__(self, info: RunInfo) -> None:
        self.info = info
        self.identity: Mapping[str, Any] = info.identity
        self.reader = JournalReader(info.journal)
        try:
            self._check_chain()
            self.config: RunConfig = recorded_config(info, info.path.parent)
            self.source: HistorySource = recorded_source(info, self.config)
            self._check_market()
        except BaseException:
            self.reader.close()
            raise
        self.without: Sequence[str] = tuple(self.identity["without"])
        self.delay = int(self.identity.get("delay_ticks", 0))
        self.first = int(self.identity.get("start_tick", 0))
        self.by_records = "start_tick" in self.identity
        """Whether the journal has every record it was run on: paper, and its repetitions."""

    def __enter__(self) -> Recorded:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.reader.close()

    def _check_chain(self) -> None:
        verdict = self.reader.verify(self.identity.get("journal_head"))
        if not verdict.holds:
            raise JournalError(
                f"the journal of run {self.info.id} is not what was written: {verdict.reason}",
                hint="nothing in it can be relied on; restore it from a copy, or run again",
            )

    def _check_market(self) -> None:
        symbols, bar_ns = tuple(self.identity["symbols"]), self.identity["bar_ns"]
        if self.source.symbols != symbols or self.source.bar_ns != bar_ns:
            raise DataError(
                f"the market of run {self.info.id} has changed: it was {', '.join(symbols)}, "
                f"it is {', '.join(self.source.symbols)}",
                hint="a run can be repeated on the same data only",
            )

    @cached_property
    def units(self) -> Units:
        """The steps the run counted in."""
        return Units(self.source.instruments, self.config.account.currency)

    @cached_property
    def notes(self) -> list[BlockNote]:
        """The journalled blocks, in order."""
        found = []
        for entry in self.reader.entries("block"):
            body = entry.body
            stop = body["first"] + body["ticks"]
            found.append(BlockNote(body["first"], stop, entry.ts, body["decisions"]))
        return found

    def note_at(self, tick: int) -> BlockNote | None:
        """The block that has this tick; None beyond what is journalled."""
        at = bisect_left(self.notes, tick + 1, key=lambda note: note.stop)
        return self.notes[at] if at < len(self.notes) and self.notes[at].first <= tick else None

    def note_of(self, ts: int) -> BlockNote | None:
        """The first block that ends at or after this instant."""
        at = bisect_left(self.notes, ts, key=lambda note: note.ts)
        return self.notes[at] if at < len(self.notes) else None

    @property
    def tail(self) -> BlockNote:
        """What was under way when the journal ended: a block without a hash to compare with."""
        first = self.notes[-1].stop if self.notes else self.first
        return BlockNote(first, first + CHECKPOINT_TICKS, 2**63 - 1, "")

    def checkpoint_before(self, note: BlockNote) -> tuple[int, bytes] | None:
        """The newest checkpoint from which a block can be reached: its tick, and the state."""
        entry = self.reader.last("checkpoint", until=note.ts - 1)
        if entry is None:
            return None
        body = entry.body
        return (body["tick"], body["state"]) if body["tick"] <= note.first else None

    def began(self, first: MarketBlock) -> int:
        """The instant at which the run began, one bar before its ``first`` block of history."""
        told = begun_at(self.reader, self.source.bar_ns) if self.by_records else None
        return int(first.ts[0]) - self.source.bar_ns if told is None else told

    def blocks(self, start: int) -> Iterator[MarketBlock]:
        """The market of the run from tick ``start`` on."""
        if not self.by_records:
            yield from self.source.blocks(start_tick=start, max_rows=CHECKPOINT_TICKS)
            return
        assembler = TickAssembler(
            self.source.symbols, index=self.first, units=self.identity.get("units")
        )
        for _, records in self.reader.bodies("input", list[Record]):
            block = assembler.block(records)
            if block.index >= start:
                yield block

    def admissions(self) -> dict[tuple[int, str], tuple[str, ...]]:
        """Which late answers counted when, where that was recorded."""
        return {
            (entry.body["tick"], entry.body["phase"]): tuple(entry.body["agents"])
            for entry in self.reader.entries("admission")
        }

    def commands(self) -> list[Command]:
        """What operators did while it went on."""
        return commands_of(self.reader)

    def halted_at(self, tick: int) -> dict[int, str]:
        """Symbols that took no new risk at a tick, with the cause."""
        told = [at for at in self._halts if at <= tick]
        return self._halts[max(told)] if told else {}

    @cached_property
    def _halts(self) -> dict[int, dict[int, str]]:
        return halts_of(self.reader)

    @cached_property
    def changes(self) -> tuple[str, ...]:
        """What is not as it was when the run was made, of all it depends on."""
        found = []
        expected, digest = self.identity["inputs"].get(self.source.name), self.source.digest()
        if digest != expected:
            found.append(f"the market: digest {digest[:16]}, recorded was {str(expected)[:16]}")
        files = agent_files(self.config)
        for name, before in self.identity["inputs"].items():
            if name.startswith("agent ") and files.get(name) != before:
                found.append(f"the file of {name}")
        versions = package_versions()
        for name, before in self.identity["versions"].items():
            if versions.get(name) != before:
                found.append(f"{name}: {versions.get(name)}, recorded was {before}")
        if processor_class() != self.identity["processor"]:
            was = self.identity["processor"]
            found.append(f"the class of processor: {processor_class()}, recorded was {was}")
        return tuple(found)
