"""The tick: in which order a swarm does what, the same in replay and in paper.

1. time passes until the tick; late answers are admitted, deadlines and back-offs looked at
2. the rows of the block agents reach their tick
3. orders of earlier ticks meet this tick's bars; fills are booked, the book is marked
4. agents that may vote are called; then votes are fused, targets sized, forecasts scored
5. minds and desk are called, at their cadence
6. the gate's share of the targets goes down the order path
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mirrorcore.agents.reading import number
from mirrorcore.clock import VirtualClock
from mirrorcore.market.block import Floats, Ints, MarketBlock
from mirrorcore.market.categories import sealed
from mirrorcore.market.features.engine import FeatureEngine
from mirrorcore.swarm.analysis import Analysis, Stage
from mirrorcore.swarm.gate import GateFollower
from mirrorcore.swarm.members import Form, Member, TickView
from mirrorcore.swarm.views import Views
from mirrorcore.swarm.votes import read_vote
from mirrorcore.syncbus import BusEvent, SyncBus
from mirrorcore.trading.limits import freshness
from mirrorcore.trading.path import OrderPath
from mirrorcore.trading.venue import SimulatedVenue

EXIT = "exit"
"""The cause of a lock under which a symbol's position is closed as well."""

CHECKPOINT_TICKS = 4096
"""Agents are checkpointed at tick numbers that are multiples of this, however blocks are cut."""


class Pace(Protocol):
    """How time passes between ticks, and which late answers count when."""

    async def reach(self, tick: int, ts: int) -> None:
        """Let time pass until the tick and admit what agents finished meanwhile."""

    async def quiet(self, tick: int, phase: str) -> None:
        """Within the tick: wait for agents that are still thinking, but not for ever."""


@dataclass(slots=True)
class BlockRecord:
    """What happened in a block, for whoever writes it down; observers change nothing."""

    block: MarketBlock
    stage: Stage
    prices: list[list[int]]
    moves: list[bool] | None = None
    """Whether the targets of a row differ from those of the row before, where known ahead."""
    equity: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    moods: list[tuple[float, float]] = field(default_factory=list)
    held: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """Positions in lots whenever they changed: (row, lots by symbol)."""
    worst_residual: int = 0
    """Largest difference between the two sums of the ledger seen after a fill; 0 if it balances."""


class Observer(Protocol):
    """Reads what happened; it is called with each finished block."""

    def block(self, record: BlockRecord) -> object: ...


@dataclass(slots=True)
class Parts:
    """Everything an engine drives, made by the assembly."""

    bus: SyncBus
    clock: VirtualClock
    features: FeatureEngine
    analysis: Analysis
    path: OrderPath
    venue: SimulatedVenue
    gate: GateFollower
    views: Views
    members: Sequence[Member]
    voters: list[str]
    stale_ns: int
    gate_agent: str | None
    fear_agent: str | None
    ego_agent: str | None


class Engine:
    """Runs blocks of market through a swarm."""

    def __init__(self, parts: Parts, observers: Sequence[Observer] = (), *, delay: int = 0) -> None:
        """``delay``: ticks after which a decision reaches the order path; 0 is at once."""
        self._parts = parts
        self._bus = parts.bus
        parts.bus.on_event(self._on_event)
        self._path = parts.path
        self._observers = tuple(observers)
        self._voices = [
            m for m in parts.members if m.form is not Form.BLOCK and m.votes is not False
        ]
        self._others = [m for m in parts.members if m.form is not Form.BLOCK and m.votes is False]
        symbols = len(parts.path.ledger.units)
        self._last_price: Ints = np.zeros(symbols, dtype=np.int64)
        self._last_seen: Ints = np.zeros(symbols, dtype=np.int64)
        self._positions: tuple[int, ...] = (0,) * symbols
        self._mood = (0.0, 0.5)
        self._peak = parts.path.ledger.initial
        self._wanted = [0.0] * symbols
        self._target_row: Floats = np.zeros(symbols)
        self._share = -1.0
        self._late: deque[list[float]] = deque([[0.0] * symbols] * delay)
        self.halted: dict[int, str] = {}
        """Symbols that take no new risk, with the cause; whoever drives the engine keeps it."""
        self.locks: dict[int, str] = {}
        """Symbols an operator has locked: ``paused`` takes no new risk, ``exit`` is closed too."""
        self.flattening = False
        """Whether every position is closed, tick by tick, although the gateway is halted."""
        self.half_done = False
        """Whether a block has been begun and not finished: whoever breaks in leaves it so."""
        self._authority = parts.path.gateway.claim_stop_authority()
        self.between: Callable[[int], object] | None = None
        """Called now and then between the turns of two agents within a tick, with the number of
        this pause within the tick: a stop does not wait until all have had their turn."""
        self._pauses = 0
        self.warmed: MarketBlock | None = None
        """The last block of the warm-up, for whoever shows what came before the run."""
        self.learned: tuple[Floats, Floats] | None = None
        """Scores and paper results of the voters when the run began, from the warm-up."""

    def observe(self, observer: Observer) -> None:
        """One more that is called with each finished block, after the others."""
        self._observers = (*self._observers, observer)

    def warm(self, block: MarketBlock) -> None:
        """History before the run begins: features and votes learn from it, nothing is traded."""
        parts = self._parts
        market = sealed(parts.features.update(block))
        parts.clock.advance_to(int(block.ts[0]))
        stage = parts.analysis.begin(market)
        by_row = stage.bar_by_bar or not stage.decided_ahead
        for row in range(len(block)) if by_row else ():
            parts.clock.advance_to(int(block.ts[row]))
            parts.bus.sweep()
            parts.bus.reach(row)
            parts.analysis.step_analysts(stage, row)
            parts.analysis.conclude(stage, row)
        parts.analysis.score(stage)
        parts.clock.advance_to(int(block.ts[-1]))
        parts.bus.reach(len(block) - 1)
        parts.bus.end_block()
        self.warmed = block
        self._mark(block)
        if stage.conclusions.scores:
            self.learned = (stage.conclusions.scores[-1], stage.conclusions.voter_pnl[-1])

    def _on_event(self, event: BusEvent) -> None:
        if event.agent_id == self._parts.gate_agent:
            self._parts.gate.stir()

    def _mark(self, block: MarketBlock) -> tuple[list[list[int]], list[list[bool]]]:
        """Prices in ticks and freshness of each symbol, by row."""
        ticks = self._path.ledger.units.ticks(block.close, self._last_price)
        self._last_price = ticks[-1].copy()
        fresh, self._last_seen = freshness(
            block.ts, block.present, self._last_seen, self._parts.stale_ns
        )
        return ticks.tolist(), fresh.tolist()

    async def run(self, block: MarketBlock, pace: Pace) -> None:
        """One block, tick by tick; cut where agents are checkpointed."""
        self.half_done = True
        first, rows = 0, len(block)
        while first < rows:
            left = CHECKPOINT_TICKS - (block.index + first) % CHECKPOINT_TICKS
            stop = min(rows, first + left)
            await self._run(block.rows(first, stop) if stop - first < rows else block, pace)
            first = stop
        self.half_done = False

    async def _run(self, block: MarketBlock, pace: Pace) -> None:
        parts = self._parts
        market = sealed(parts.features.update(block))
        stage = parts.analysis.begin(market)
        prices, fresh_rows = self._mark(block)
        record = BlockRecord(block, stage, prices)
        if stage.decided_ahead:
            record.moves = _moves(stage.conclusions.targets)
        parts.views.begin(stage, prices)
        due_rows = self._due_rows(block)
        for row, ts in enumerate(block.ts.tolist()):
            await pace.reach(block.index + row, ts)
            self._pauses = 0
            self._open(record, row, ts)
            due = due_rows.get(row)
            if due or stage.bar_by_bar or not stage.decided_ahead:
                await self._think(record, row, ts, due or ((), ()), pace)
            self._decide(record, row, ts, fresh_rows[row])
        parts.analysis.score(stage)
        parts.bus.end_block()
        if (block.index + len(block)) % CHECKPOINT_TICKS == 0:
            self.save_checkpoints()
        for observer in self._observers:
            observer.block(record)

    def _open(self, record: BlockRecord, row: int, ts: int) -> None:
        """Rows arrive, orders fill, the book is marked."""
        self._bus.reach(row)
        path = self._path
        if path.venue.working:
            block = record.block
            fills = self._parts.venue.match(
                ts, block.open_ts[row], block.present[row], block.open[row], block.volume[row]
            )
            path.book(ts, fills)
            if fills:
                self._positions = tuple(path.ledger.positions)
                record.held.append((row, self._positions))
                self._parts.views.filled(fills)
                residual = abs(path.ledger.residual(record.prices[row]))
                record.worst_residual = max(record.worst_residual, residual)
        equity = path.ledger.equity(record.prices[row])
        record.equity.append(equity)
        self._peak = max(self._peak, equity)

    async def _think(
        self,
        record: BlockRecord,
        row: int,
        ts: int,
        due: tuple[Sequence[str], Sequence[str]],
        pace: Pace,
    ) -> None:
        """Call the agents whose time has come, those that may vote first."""
        parts, stage = self._parts, record.stage
        voices, others = due
        parts.analysis.step_analysts(stage, row)
        if voices:
            await self._call(record, row, ts, voices, pace, "voices")
        # Also where nobody is due: an answer may have come late.
        self._collect_votes(stage)
        parts.analysis.conclude(stage, row)
        if others:
            await self._call(record, row, ts, others, pace, "others")
            self._read_minds()

    async def _call(
        self,
        record: BlockRecord,
        row: int,
        ts: int,
        due: Sequence[str],
        pace: Pace,
        phase: str,
    ) -> None:
        parts = self._parts
        if parts.views.wanted("performance", due):
            parts.analysis.score(record.stage)
        performance, execution = parts.views.publish(row, record.equity[-1], self._peak, due)
        tick = record.block.index + row
        view = TickView(tick, ts, row, record.stage.market, performance, execution)
        self._bus.tick(view, due, self._pause)
        if self._bus.unconcluded:
            await pace.quiet(tick, phase)

    def _pause(self) -> None:
        pause, self._pauses = self._pauses, self._pauses + 1
        if self.between is not None:
            self.between(pause)

    def _collect_votes(self, stage: Stage) -> None:
        """Take over the votes of agents that speak tick by tick; a first vote makes a voter."""
        analysis = self._parts.analysis
        context = self._parts.views.context
        for member in self._voices:
            assert member.handle is not None
            view = member.handle.read(member.agent_id)
            if view is None or view.version == member.seen_version:
                continue
            member.seen_version = view.version
            vote = read_vote(view.state, context.symbols)
            if vote is None:
                continue
            if member.agent_id not in context.voters:
                if not np.isfinite(vote).any():
                    continue
                self._parts.voters.append(member.agent_id)
                analysis.admit(stage, member.agent_id, member.cadence_ns, member.horizon_ns)
            analysis.cast(member.agent_id, view.t, vote)

    def _read_minds(self) -> None:
        fear = self._state_of(self._parts.fear_agent, "fear", self._mood[0])
        confidence = self._state_of(self._parts.ego_agent, "confidence", self._mood[1])
        self._mood = (fear, confidence)

    def _state_of(self, agent_id: str | None, name: str, default: float) -> float:
        if agent_id is None:
            return default
        value = number(self._bus.read(agent_id).state, name)
        return default if math.isnan(value) else value

    def _decide(self, record: BlockRecord, row: int, ts: int, fresh: Sequence[bool]) -> None:
        """The gate's share of the targets becomes orders, as far as limits and gateway allow."""
        gate = self._parts.gate
        if gate.asks(ts):
            agent = self._parts.gate_agent
            gate.follow(None if agent is None else self._bus.read(agent))
        if gate.share != self._share or self._moved(record, row):
            self._share = gate.share
            self._target_row = record.stage.conclusions.targets[row]
            self._wanted = (self._target_row * gate.share).tolist()
        wanted = self._wanted
        if self._late:
            self._late.append(wanted)
            wanted = self._late.popleft()
        if gate.silent:
            wanted = self._not_growing(wanted, record.prices[row])
        halted = self.halted
        if self.locks:
            halted = {**halted, **self.locks}
            wanted = [0.0 if self.locks.get(s) == EXIT else w for s, w in enumerate(wanted)]
        self._path.step(ts, wanted, record.prices[row], record.equity[-1], fresh, halted or None)
        if self.flattening:
            self._path.flatten(ts, record.prices[row], self._authority)
        record.shares.append(gate.share)
        record.moods.append(self._mood)

    def _moved(self, record: BlockRecord, row: int) -> bool:
        """Whether the ungated targets are others than those last followed."""
        if record.moves is not None and row > 0:
            return record.moves[row]
        return not np.array_equal(record.stage.conclusions.targets[row], self._target_row)

    def _not_growing(self, wanted: list[float], prices: list[int]) -> list[float]:
        """The gate is silent: a position may shrink, not grow or change sides."""
        held = self._path.ledger.weights(prices)
        return [
            max(0.0, min(target, now)) if now > 0 else min(0.0, max(target, now))
            for target, now in zip(wanted, held, strict=True)
        ]

    def _due_rows(self, block: MarketBlock) -> dict[int, tuple[list[str], list[str]]]:
        """Which agents are called at which row: (those that may vote, the others)."""
        due: dict[int, tuple[list[str], list[str]]] = {}
        for side, members in enumerate((self._voices, self._others)):
            for member in members:
                for row in _turns(member, block.ts):
                    due.setdefault(row, ([], []))[side].append(member.agent_id)
        return due

    def checkpoint(self) -> dict[str, Any]:
        """The engine's own fields for :meth:`restore`, between two blocks."""
        return {
            "last_price": self._last_price,
            "last_seen": self._last_seen,
            "positions": [str(lots) for lots in self._positions],
            "mood": list(self._mood),
            "peak": str(self._peak),
            "wanted": self._wanted,
            "target_row": self._target_row,
            "share": self._share,
            "late": list(self._late),
            "locks": [list(lock) for lock in self.locks.items()],
            "flattening": self.flattening,
            "learned": None if self.learned is None else list(self.learned),
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._last_price, self._last_seen = memory["last_price"], memory["last_seen"]
        self._positions = tuple(int(lots) for lots in memory["positions"])
        self._mood = (memory["mood"][0], memory["mood"][1])
        self._peak = int(memory["peak"])
        self._wanted, self._target_row = memory["wanted"], memory["target_row"]
        self._share = memory["share"]
        self._late = deque(memory["late"])
        self.locks = dict(memory["locks"])
        self.flattening = memory["flattening"]
        learned = memory["learned"]
        self.learned = None if learned is None else (learned[0], learned[1])

    def save_checkpoints(self) -> None:
        """Have every agent give the bus what a restart continues from."""
        for member in self._parts.members:
            # Also one that has moved to a process saves itself, where it is.
            member.away = member.away or self._bus.isolation.has(member.agent_id)
            try:
                member.save()
            except Exception as error:
                self._bus.guarded(member.agent_id, _blame, error)


def _blame(error: Exception) -> None:
    """Fail on the account of the agent in whose own code this happened."""
    raise error


def _moves(targets: Floats) -> list[bool]:
    changed = np.ones(len(targets), dtype=bool)
    changed[1:] = np.logical_or.reduce(targets[1:] != targets[:-1], axis=1)
    moves: list[bool] = changed.tolist()
    return moves


def _turns(member: Member, ts: Ints) -> Any:
    """The rows at which a new interval of the member's cadence begins."""
    if member.cadence_ns <= 0:
        return range(len(ts))
    numbers = ts // member.cadence_ns
    before = np.concatenate([[member.last_due], numbers[:-1]])
    member.last_due = int(numbers[-1])
    return np.flatnonzero(numbers != before).tolist()
