"""Writes a run's journal: in batches for history, durably and in full for paper."""

from __future__ import annotations

import msgspec
import numpy as np

from mirrorcore.journal import Journal, JournalFullError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.conversion import records_from_row
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.recorder import Drained, Recorder
from mirrorcore.syncbus import BusEvent, Stall
from mirrorcore.trading.orders import Order


class Scribe:
    """Observes an engine; with ``full`` every decision and every record is journalled.

    A journal that cannot be written turns the gateway to REDUCING: what a restart could not know
    of must not be risked.
    """

    def __init__(self, swarm: Swarm, recorder: Recorder, journal: Journal, *, full: bool) -> None:
        self._swarm = swarm
        self._recorder = recorder
        self._journal = journal
        self._full = full
        self.lost = 0
        """Entries at the end of the run that the disk did not take."""
        self._last = np.zeros(len(swarm.context.symbols))
        self._last_ts = 0
        if full:
            swarm.parts.path.before_submit = self._commit_intent

    def block(self, record: BlockRecord) -> None:
        """Everything of one block, in the order in which it happened within each kind."""
        drained = self._recorder.block(record)
        block = record.block
        last = int(block.ts[-1])
        try:
            self._decisions(record)
            self._outcomes(drained)
            self._journal.append(
                "block",
                last,
                {
                    "first": block.index,
                    "ticks": len(block),
                    "decisions": self._recorder.block_digest,
                },
            )
            if self._full:
                self._journal.flush()
        except JournalFullError as error:
            self._full_disk(error, last)

    def checkpoint(self, tick: int, state: bytes) -> None:
        """The swarm as it is before ``tick``, and with it on disk all that happened so far."""
        ts = self._swarm.parts.clock.now()
        try:
            self._journal.append("checkpoint", ts, {"tick": tick, "state": state})
            self._journal.flush()
        except JournalFullError as error:
            self._full_disk(error, ts)

    def inputs(self, block: MarketBlock) -> None:
        """The records of a paper tick, before anything is decided on them."""
        source, ts = self._swarm.source, int(block.ts[0])
        records = records_from_row(
            block, 0, source.symbols, source=source.name, previous_ts=self._last_ts
        )
        self._last_ts = ts
        try:
            self._journal.append("input", ts, records)
        except JournalFullError as error:
            self._full_disk(error, ts)

    def admission(self, tick: int, phase: str, agents: object) -> None:
        """Late answers that were admitted at a tick."""
        self._note("admission", {"tick": tick, "phase": phase, "agents": agents})

    def stall(self, stall: Stall) -> None:
        """A call held the loop and is over: how far it had come is an input of the run."""
        self._note("stall", msgspec.to_builtins(stall))

    def life(self, event: BusEvent) -> None:
        """A life event of an agent."""
        self._note(
            "agent", {"kind": str(event.kind), "agent": event.agent_id, "detail": event.detail}
        )

    def finish(self, drained: Drained, fingerprint: str, parts: dict[str, str]) -> None:
        """The end of the run."""
        ts = self._swarm.parts.clock.now()
        try:
            self._outcomes(drained)
            self._journal.append("end", ts, {"fingerprint": fingerprint, "parts": parts})
            self._journal.close()
        except JournalFullError as error:
            self._full_disk(error, ts)
            self.lost = self._journal.waiting
            self._journal.abandon()

    def _note(self, kind: str, body: dict[str, object]) -> None:
        ts = self._swarm.parts.clock.now()
        try:
            self._journal.append(kind, ts, body)  # type: ignore[arg-type]
        except JournalFullError as error:
            self._full_disk(error, ts)

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
            self._journal.append("decision", int(record.block.ts[row]), body)

    def _outcomes(self, drained: Drained) -> None:
        for order in drained.orders:
            self._journal.append("order", order.updated, order.dump())
        for fill in drained.fills:
            self._journal.append("fill", fill.ts_avail, [fill.client_id, *fill.row()])
        for hit in drained.hits:
            self._journal.append("limit", hit.last_ts, hit)

    def _commit_intent(self, order: Order) -> bool:
        """Have the intent on disk before the venue is called; False if it cannot be."""
        try:
            self._journal.commit_before("order", order.ts, order.dump())
        except JournalFullError:
            return False
        return True

    def _full_disk(self, error: JournalFullError, ts: int) -> None:
        self._swarm.parts.path.gateway.reduce(f"the journal cannot be written: {error}", ts=ts)
