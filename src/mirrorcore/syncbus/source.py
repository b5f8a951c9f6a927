"""A versioned state: its current immutable mapping, its last 64 deltas, its readers.

Publishing stores the delta once and marks the edges of those who asked; nobody is waited for and
nothing is copied per reader. A block of rows is the same thing ahead of time: row r becomes the
state when the clock reaches it, and until somebody looks that costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirrorcore.syncbus.edge import RING, Edge
from mirrorcore.syncbus.faults import StateError
from mirrorcore.syncbus.history import History, Series
from mirrorcore.syncbus.messages import StateView, Update
from mirrorcore.syncbus.schema import Schema, freeze_block

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher

_SLOT = RING - 1
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Block:
    """Rows loaded ahead; those up to ``settled`` are already part of the source."""

    __slots__ = ("arrays", "recorded", "rows", "settled", "ts")

    def __init__(self, arrays: dict[str, Any], ts: npt.NDArray[np.int64], rows: int) -> None:
        self.arrays = arrays
        self.ts = ts
        self.rows = rows
        self.settled = 0
        self.recorded = 0

    def row(self, index: int) -> dict[str, Any]:
        """The delta that row ``index`` publishes."""
        return {
            name: array[index] if array.ndim == 2 else array[index].item()
            for name, array in self.arrays.items()
        }


class StateSource:
    """One owner's state. ``kind`` and ``name`` are what interests refer to."""

    __slots__ = (
        "_dispatcher",
        "_history",
        "_ring",
        "block",
        "edges",
        "history_cap",
        "index",
        "kind",
        "latest",
        "masked",
        "name",
        "owned",
        "schema",
        "stale",
        "state",
        "t",
        "version",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        index: int,
        dispatcher: Dispatcher,
        schema: Schema | None,
        history_cap: int,
        *,
        owned: bool,
    ) -> None:
        self.name = name
        self.kind = kind
        self.index = index
        self.schema = schema
        self.owned = owned
        self.history_cap = history_cap
        self.version = 0
        self.t = 0
        self.state: dict[str, Any] = {}
        self.stale = False
        self.latest = Update(name, _NOTHING, 0, 0, False, 0)
        self.edges: list[Edge] = []
        self.masked: list[Edge] = []
        self.block: Block | None = None
        self._ring: list[Update | None] = []
        self._history: History | None = None
        self._dispatcher = dispatcher

    # -- publishing ---------------------------------------------------------------------------

    def publish(self, delta: dict[str, Any], t: int) -> int:
        """Apply a checked, private ``delta`` at instant ``t``; returns the new version."""
        if self.block is not None:
            self.settle()
            self._record_rows()
        self.version = version = self.version + 1
        self.state = {**self.state, **delta}
        self.t = t
        self.stale = False
        self.latest = update = Update(self.name, MappingProxyType(delta), version, 1, False, t)
        try:
            self._ring[(version - 1) & _SLOT] = update
        except IndexError:
            self._ring.append(update)
        if self._history is None:
            self._history = History(self.history_cap)
        self._history.append(t, delta)
        dispatcher = self._dispatcher
        if dispatcher.witness is not None:
            dispatcher.witness(self.name, t, delta)
        ready = dispatcher.ready
        for edge in self.edges:
            if not edge.queued:
                edge.queued = True
                mailbox = edge.mailbox
                mailbox.pending.append(edge)
                if not mailbox.held:
                    mailbox.held = True
                    ready.append(mailbox)
        if self.masked:
            self._mark_masked(delta, version)
        if ready and not dispatcher.armed:
            dispatcher.arm()
        return version

    def _mark_masked(self, delta: Mapping[str, Any], version: int) -> None:
        for edge in self.masked:
            mask = edge.mask
            if mask is None or not mask.isdisjoint(delta):
                edge.matched += 1
                edge.mailbox.mark(edge)
            elif edge.matched == edge.taken and not edge.resync:
                edge.seen = version

    # -- blocks -------------------------------------------------------------------------------

    def load(self, arrays: Mapping[str, Any], ts: npt.NDArray[np.int64], rows: int) -> None:
        """Hold ``rows`` rows ready; StateError when they are not valid, nothing is changed."""
        if self.block is not None:
            raise StateError(f"agent {self.name!r} already has a block loaded")
        if ts.shape != (rows,):
            raise StateError(
                f"agent {self.name!r}: the block's ts has shape {ts.shape}, must be ({rows},)"
            )
        frozen = freeze_block(self.name, arrays, rows, self.schema)
        block = Block(frozen, np.ascontiguousarray(ts, np.int64), rows)
        # Loaded late, by an agent that came back: rows already past were never its own.
        block.settled = block.recorded = min(rows, self._dispatcher.row + 1)
        self.block = block

    def unload(self) -> None:
        """Keep the rows reached, drop those to come."""
        self.settle()
        if self.block is not None:
            self._record_rows()
            self.block = None
            # Readers that pull find rows through the block; without it they need their mark.
            self._mark_behind(pulling=True)

    def current_version(self) -> int:
        """The version, rows reached but not yet looked at included."""
        block = self.block
        return self.version if block is None else self.version + self._unsettled(block)

    def settle(self) -> None:
        """Make the rows reached since the last look part of the state: O(fields), not O(rows)."""
        block = self.block
        if block is None:
            return
        new = self._unsettled(block)
        if not new:
            return
        stop = block.settled + new
        first_version = self.version + 1
        for edge in self.masked:
            matches = self._row_matches(edge, new)
            if matches:
                edge.matched += matches
            elif edge.matched == edge.taken and not edge.resync:
                edge.seen = self.version + new
        block.settled = stop
        delta = block.row(stop - 1)
        self.version += new - 1
        self._fill_ring(first_version)
        self._store_row(delta, int(block.ts[stop - 1]))

    def mark_reached(self) -> None:
        """Rows were reached: mark the edges of those who are called for updates."""
        self.settle()
        self._mark_behind(pulling=False)
        if self._dispatcher.ready and not self._dispatcher.armed:
            self._dispatcher.arm()

    def reaches(self, edge: Edge) -> bool:
        """Whether a reader that pulls will find this edge without its being marked."""
        return self.block is not None and not edge.mailbox.pushes

    def unsettled_matches(self, edge: Edge) -> int:
        """Rows reached and not yet settled that touch the fields of ``edge``."""
        block = self.block
        return 0 if block is None else self._row_matches(edge, self._unsettled(block))

    def _unsettled(self, block: Block) -> int:
        return min(self._dispatcher.row + 1, block.rows) - block.settled

    def _mark_behind(self, *, pulling: bool) -> None:
        for edges in (self.edges, self.masked):
            for edge in edges:
                if edge.mailbox.pushes is not pulling and edge.behind:
                    edge.mailbox.mark(edge)

    def _row_matches(self, edge: Edge, rows: int) -> int:
        block = self.block
        if block is None or edge.mask is None or edge.mask.isdisjoint(block.arrays):
            return 0
        return rows

    def _store_row(self, delta: dict[str, Any], t: int) -> None:
        self.version = version = self.version + 1
        self.state = {**self.state, **delta}
        self.t = t
        self.stale = False
        self.latest = Update(self.name, MappingProxyType(delta), version, 1, False, t)
        self._ring[(version - 1) & _SLOT] = self.latest

    def _fill_ring(self, first_version: int) -> None:
        """Rows have no slots of their own: each carries the same fields as the run's last."""
        ring = self._ring
        ring.extend([None] * (min(RING, self.version + 1) - len(ring)))
        for version in range(max(first_version, self.version - RING + 1), self.version + 1):
            ring[(version - 1) & _SLOT] = None

    # -- reading ------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        """The current state, read-only; a later publish makes a new one."""
        self.settle()
        return MappingProxyType(self.state)

    def state_view(self, now: int, edge: Edge | None = None) -> StateView:
        state = self.view()
        if edge is not None:
            state = edge.restrict(state)
        age = now - self.t if self.version else 0
        return StateView(self.name, state, self.version, self.t, self.stale, age)

    def deltas_after(self, seen: int) -> Iterator[Update]:
        """The deltas of versions seen+1 .. version; at most 64 back."""
        ring = self._ring
        for version in range(seen + 1, self.version + 1):
            update = ring[(version - 1) & _SLOT]
            if update is not None:
                yield update

    def instant_after(self, seen: int) -> int:
        """When version seen+1 was published, or the oldest after it that is still known."""
        self.settle()
        first = max(seen, self.version - RING)
        return next((update.t for update in self.deltas_after(first)), self.t)

    def resume(
        self, version: int, t: int, state: dict[str, Any], deltas: list[Update], *, stale: bool
    ) -> None:
        """Go on from a state of before; ``deltas`` are those of its last that are known."""
        self.version, self.t, self.state, self.stale = version, t, state, stale
        self._ring = [None] * min(RING, version)
        for update in deltas:
            self._ring[(update.version - 1) & _SLOT] = update
            self.latest = update

    def past(
        self, fields: tuple[str, ...] | None, since: int | None, limit: int | None
    ) -> dict[str, Series]:
        """The history of some or all fields."""
        self.settle()
        self._record_rows()
        history = self._history
        return {} if history is None else history.read(fields, since, limit)

    @property
    def history_bytes(self) -> int:
        return 0 if self._history is None else self._history.nbytes

    def cap_history(self, cap_bytes: int) -> None:
        self.history_cap = min(self.history_cap, cap_bytes)
        if self._history is not None:
            self._history.shrink_to(cap_bytes)

    def _record_rows(self) -> None:
        """Move the rows settled so far to the history, all at once."""
        block = self.block
        if block is None or block.recorded == block.settled:
            return
        if self._history is None:
            self._history = History(self.history_cap)
        rows = slice(block.recorded, block.settled)
        self._history.extend(
            block.ts[rows], {name: array[rows] for name, array in block.arrays.items()}
        )
        block.recorded = block.settled

    # -- edges --------------------------------------------------------------------------------

    def attach(self, edge: Edge) -> None:
        (self.edges if edge.mask is None else self.masked).append(edge)

    def detach(self, edge: Edge) -> None:
        (self.edges if edge.mask is None else self.masked).remove(edge)
