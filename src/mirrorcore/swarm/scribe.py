"""Writes a run's journal: in batches for history, durably and in full for paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from mirrorcore.journal import Journal, JournalFullError, Kind
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.conversion import records_from_row
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.control.actions import By, Command, Reduce
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.recorder import Drained, Recorder
from mirrorcore.syncbus import BusEvent, Stall
from mirrorcore.trading.gateway import ACTIVE, Trigger
from mirrorcore.trading.orders import Order

_SWARM = By("swarm", "operator", "journal")
"""Who turns the gateway where the journal cannot be written."""


class Scribe:
    """Observes an engine; with ``full`` every decision and every record is journalled.

    A journal that cannot be written turns the gateway to REDUCING: what a restart could not know
    of must not be risked. When that was is an entry as well, written with what waits for the disk,
    so that the run can be repeated.
    """

    def __init__(self, swarm: Swarm, recorder: Recorder, journal: Journal, *, full: bool) -> None:
        self._swarm = swarm
        self._path = swarm.parts.path
        self._recorder = recorder
        self._journal = journal
        self._full = full
        self.lost = 0
        """Entries at the end of the run that the disk did not take."""
        self.troubled_at: int | None = None
        """When the journal first kept the run from taking risk, ns; None where it never did."""
        self.on_command: list[Callable[[Command], object]] = []
        """Told of each command before it is carried out, in a run and in its repetition."""
        self._last = np.zeros(len(swarm.context.symbols))
        self._last_ts = 0
        self._next = 0
        """The tick that comes next, or is being decided."""
        self._deciding = False
        """Whether it is being decided, where one tick is a block."""
        self._ending = False
        if full:
            swarm.parts.path.before_submit = self._commit_intent

    def begin(self, tick: int) -> None:
        """The run begins now, and this is its first tick."""
        self._next = tick
        if self._full:
            self._note("begin", {"tick": tick})

    def block(self, record: BlockRecord) -> None:
        """Everything of one block, in the order in which it happened within each kind."""
        drained = self._recorder.block(record)
        block = record.block
        last = int(block.ts[-1])
        self._deciding, self._next = False, block.index + len(block)
        for one in self._path.looks.found:
            if one.trigger is Trigger.REDUCE:
                self._reduced(Reduce(one.reason, one.unrecorded), within=one.look)
        self._restrict()
        self._decisions(record)
        self._outcomes(drained)
        digest = self._recorder.block_digest
        body = {"first": block.index, "ticks": len(block), "decisions": digest}
        self._put("block", last, body)
        if self._full:
            self._flush()

    def checkpoint(self, tick: int, state: bytes) -> None:
        """The swarm as it is before ``tick``, and with it on disk all that happened so far."""
        self._note("checkpoint", {"tick": tick, "state": state})
        self._flush()

    def inputs(self, block: MarketBlock) -> None:
        """The records of a paper tick, before anything is decided on them."""
        source, ts = self._swarm.source, int(block.ts[0])
        records = records_from_row(
            block, 0, source.symbols, source=source.name, previous_ts=self._last_ts
        )
        self._last_ts = ts
        self._put("input", ts, records)
        self._deciding = True

    def admission(self, tick: int, phase: str, agents: object) -> None:
        """Late answers that were admitted at a tick."""
        self._note("admission", {"tick": tick, "phase": phase, "agents": agents})

    def halts(self, tick: int, causes: Mapping[int, str]) -> None:
        """From this tick on these symbols, by number, take no new risk: what their sources said."""
        self._note("halts", {"tick": tick, "causes": list(causes.items())})

    def stall(self, stall: Stall) -> None:
        """A call held the loop and is over: how far it had come is an input of the run."""
        self._note("stall", msgspec.to_builtins(stall))

    def command(self, command: Command) -> int:
        """What an operator is about to do, on disk before it is done. JournalFullError."""
        for told in self.on_command:
            told(command)
        return self._journal.commit_before("command", self._now, msgspec.to_builtins(command))

    def command_later(self, command: Command) -> None:
        """A stop that :meth:`command` could not write is carried out all the same, and written as
        soon as there is room."""
        self._note("command", msgspec.to_builtins(command))

    def audit(self, body: Mapping[str, object]) -> int | None:
        """Who asked for what and what became of it; None where the disk is full."""
        return self._note("audit", body)

    def remark(self, body: Mapping[str, object]) -> int:
        """The same of what is a record and nothing else, on disk before it is done.
        JournalFullError."""
        return self._journal.commit_before("audit", self._now, body)

    def finding(self, ts: int, body: Mapping[str, object]) -> int | None:
        """What nobody coded; None where the disk is full."""
        return self._put("finding", ts, body)

    def life(self, event: BusEvent) -> None:
        """A life event of an agent."""
        self._note(
            "agent", {"kind": str(event.kind), "agent": event.agent_id, "detail": event.detail}
        )

    def finish(self, drained: Drained, fingerprint: str, parts: dict[str, str]) -> None:
        """The end of the run."""
        self._ending = True
        self._outcomes(drained)
        self._note("end", {"fingerprint": fingerprint, "parts": parts})
        try:
            self._journal.close()
        except JournalFullError:
            self.lost = self._journal.waiting
            self._journal.abandon()

    @property
    def _now(self) -> int:
        return self._swarm.parts.clock.now()

    def _note(self, kind: Kind, body: object) -> int | None:
        return self._put(kind, self._now, body)

    def _put(self, kind: Kind, ts: int, body: object) -> int | None:
        """Its number; None where the disk is full. It waits then, and is written with what comes
        later."""
        try:
            return self._journal.append(kind, ts, body)
        except JournalFullError as error:
            self._full_disk(error)
            return None

    def _flush(self) -> None:
        try:
            self._journal.flush()
        except JournalFullError as error:
            self._full_disk(error)

    def _decisions(self, record: BlockRecord) -> None:
        """Targets that changed; with ``full`` the targets of every tick."""
        wanted = record.stage.conclusions.targets * np.array(record.shares)[:, None]
        before = np.concatenate([self._last[None, :], wanted[:-1]])
        changed = (
            range(len(wanted)) if self._full else np.flatnonzero((wanted != before).any(axis=1))
        )
        self._last = wanted[-1].copy()
        first = record.block.index
        for row in changed:
            body = [first + int(row), record.shares[row], wanted[row].tolist()]
            self._put("decision", int(record.block.ts[row]), body)

    def _outcomes(self, drained: Drained) -> None:
        for order in drained.orders:
            self._put("order", order.updated, order.dump())
        for fill in drained.fills:
            self._put("fill", fill.ts_avail, [fill.client_id, *fill.row()])
        for hit in drained.hits:
            self._put("limit", hit.last_ts, hit)

    def _commit_intent(self, order: Order) -> bool:
        """Have the intent on disk before the venue is called; False if it cannot be."""
        try:
            self._journal.commit_before("order", order.ts, order.dump())
        except JournalFullError:
            self._troubled()
            return False
        return True

    def _full_disk(self, error: JournalFullError) -> None:
        """No new risk from here on: at the next look of a tick that is being decided, at once
        between two."""
        gateway, reason = self._path.gateway, f"the journal cannot be written: {error}"
        if gateway.state is not ACTIVE or self._ending:
            return
        self._troubled()
        gateway.restrict(reason)
        if not self._deciding:
            self._restrict()

    def _restrict(self) -> None:
        """Between two ticks: what no look of the last one has found."""
        reason = self._path.gateway.restricted
        if reason is not None:
            self._path.gateway.reduce(reason, ts=self._now)
            self._reduced(Reduce(reason))

    def _reduced(self, action: Reduce, within: int | None = None) -> None:
        command = Command(self._next, action, _SWARM, action.reason, within)
        for told in self.on_command:
            told(command)
        self.command_later(command)

    def _troubled(self) -> None:
        if self.troubled_at is None:
            self.troubled_at = self._now
