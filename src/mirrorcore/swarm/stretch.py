"""Stretches of a recorded run, run again from the checkpoint before them with recording on.

A tick somebody asks about becomes a block of its own: blocks may be cut anywhere without changing a
bit, and after a block of one tick every agent's state, the votes, the oracle's pulls and the order
path are those of that tick. All journalled blocks on the way are hashed and compared.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.market.block import MarketBlock
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.checkpoint import restore
from mirrorcore.swarm.control.effects import RecordedCommands
from mirrorcore.swarm.digests import Digest
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.engine import BlockRecord, Engine, Pace
from mirrorcore.swarm.pace import HistoryPace, RecordedPace
from mirrorcore.swarm.paper import warm_up
from mirrorcore.swarm.reads import Reads
from mirrorcore.swarm.recorded import BlockNote, Recorded
from mirrorcore.swarm.stalls import (
    HISTORY_DEADLINE_NS,
    PAPER_DEADLINE_NS,
    forget_random,
    obey,
    stalls_of,
    watching,
)
from mirrorcore.trading.orders import Order

Look = Callable[[Swarm, BlockRecord, Sequence["Cut"], Sequence[Order]], None]
"""Told of each tick that was asked for, as a block of one, right after it was decided, with the
limits that bound and the orders that ended within it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A limit that bound at a tick; ``symbol`` None is the whole book."""

    ts: int
    limit: str
    symbol: int | None
    asked: float
    allowed: float


@dataclass(slots=True)
class Again:
    """What running again has shown.

    Attributes
    ----------
    begun: the ticks at which it began; None is the start of the run.
    ticks: how many were run.
    hashes: each journalled block that was run as a whole, with the hash found.
    orders: those that came to their end meanwhile.
    """

    begun: list[int | None] = field(default_factory=list)
    ticks: int = 0
    hashes: list[tuple[BlockNote, str]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def differing(self) -> list[BlockNote]:
        return [note for note, found in self.hashes if found != note.decisions]


@dataclass(slots=True)
class _Stretch:
    start: tuple[int, bytes] | None
    stop: int


def run_again(
    recorded: Recorded,
    notes: Collection[BlockNote],
    wanted: Callable[[MarketBlock], list[int]],
    look: Look,
    *,
    from_start: bool = False,
) -> Again:
    """Run the blocks ``notes`` again and look at some of their ticks.

    Parameters
    ----------
    wanted: the rows of a block to be looked at, in any order.
    from_start: leave the checkpoints alone.
    """
    again = Again()
    for stretch in _stretches(recorded, notes, from_start=from_start):
        _run(recorded, stretch, wanted, look, again)
    return again


def _stretches(
    recorded: Recorded, notes: Collection[BlockNote], *, from_start: bool
) -> list[_Stretch]:
    """The least there is to run: a stretch goes on where the next checkpoint is no nearer."""
    found: list[_Stretch] = []
    for note in sorted(notes, key=lambda note: note.first):
        start = None if from_start else recorded.checkpoint_before(note)
        if found and (start is None or start[0] <= found[-1].stop):
            found[-1].stop = max(found[-1].stop, note.stop)
        else:
            found.append(_Stretch(start, note.stop))
    return found


class _Tape:
    """Observes an engine as the run's own recorder did: hashes, and what left the order path."""

    def __init__(self, recorded: Recorded, swarm: Swarm, again: Again) -> None:
        self._recorded, self._swarm, self._again = recorded, swarm, again
        self._digest = Digest()
        self._begun = -1
        self.cuts: list[Cut] = []
        self.ended: list[Order] = []
        self.last: BlockRecord | None = None
        swarm.parts.path.limits.hits.on_note = self._note

    def _note(self, ts: int, limit: str, symbol: int | None, asked: float, allowed: float) -> None:
        self.cuts.append(Cut(ts, limit, symbol, asked, allowed))

    def block(self, record: BlockRecord) -> None:
        self.last = record
        parts, block = self._swarm.parts, record.block
        orders, _, _ = parts.path.drain()
        parts.views.finished([order.status for order in orders])
        self.ended = orders
        self._again.orders += orders
        self._again.ticks += len(block)
        shares = np.array(record.shares)
        wanted = record.stage.conclusions.targets * shares[:, None]
        table = [block.ts.view(np.float64)[:, None], shares[:, None], wanted]
        note = self._recorded.note_at(block.index)
        if note is None:
            return
        if block.index == note.first:
            self._digest, self._begun = Digest(), note.first
        self._digest.add_rows(block.ts, np.concatenate(table, axis=1))
        if block.index + len(block) == note.stop and self._begun == note.first:
            self._again.hashes.append((note, self._digest.hexdigest()))


def _run(
    recorded: Recorded,
    stretch: _Stretch,
    wanted: Callable[[MarketBlock], list[int]],
    look: Look,
    again: Again,
) -> None:
    source = recorded.source
    swarm = assemble(
        recorded.config,
        source,
        recorded.info.id,
        without=recorded.without,
        # Where the record says when answers came, they have to come as they did.
        processes=recorded.by_records,
    )
    tape = _Tape(recorded, swarm, again)
    engine = Engine(swarm.parts, [tape], delay=recorded.delay)
    pace = _pace(recorded, swarm)
    stalls = stalls_of(recorded.reader)
    obey(swarm, stalls)
    swarm.parts.bus.on_stall(partial(forget_random, swarm, recorded.config.seed))
    start = recorded.first if stretch.start is None else stretch.start[0]
    again.begun.append(None if stretch.start is None else start)

    async def work() -> None:
        if stretch.start is not None:
            restore(swarm, engine, stretch.start[1])
        else:
            warm_up(engine, source, recorded.first)
        await swarm.parts.bus.started()
        for member in swarm.members:
            member.reads = Reads()
        begun = stretch.start is not None
        operator = RecordedCommands(swarm, engine, recorded.commands())
        for block in recorded.blocks(start):
            if block.index >= stretch.stop:
                return
            if not begun:
                swarm.parts.clock.advance_to(recorded.began(block))
                engine.save_checkpoints()
                begun = True
            rows = wanted(block)
            for piece in _pieces(recorded, block, stretch.stop, rows):
                tape.cuts.clear()
                engine.halted = recorded.halted_at(piece.index)
                operator.before(piece.index)
                await engine.run(piece, pace)
                if piece.index - block.index in rows:
                    assert tape.last is not None
                    look(swarm, tape.last, tuple(tape.cuts), tape.ended)

    deadline = PAPER_DEADLINE_NS if recorded.by_records else HISTORY_DEADLINE_NS
    try:
        with watching(swarm, deadline, None, stalls):
            drive(VirtualTimeLoop(VirtualClock()), work())
    finally:
        swarm.parts.bus.isolation.close()


def _pace(recorded: Recorded, swarm: Swarm) -> Pace:
    bus, clock = swarm.parts.bus, swarm.parts.clock
    if recorded.by_records:
        return RecordedPace(bus, clock, recorded.admissions())
    return HistoryPace(bus, clock)


def _pieces(
    recorded: Recorded, block: MarketBlock, stop: int, rows: Sequence[int]
) -> Iterator[MarketBlock]:
    """The block cut where a journalled one begins, around each row wanted, and at ``stop``."""
    end = min(len(block), stop - block.index)
    cuts = [0, end, *rows, *(row + 1 for row in rows)]
    notes = recorded.notes
    at = bisect_left(notes, block.index, key=lambda note: note.first)
    while at < len(notes) and notes[at].first < block.index + end:
        cuts.append(notes[at].first - block.index)
        at += 1
    edges = [edge for edge in dict.fromkeys(sorted(cuts)) if 0 <= edge <= end]
    for first, last in pairwise(edges):
        yield block.rows(first, last)
