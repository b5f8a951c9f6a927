"""A versioned state: its current immutable mapping, its last 64 deltas, its readers.

Publishing stores the delta once and marks the edges of those who asked; nobody is waited for and
nothing is copied per reader. What a delta means for the state and for the history is worked out
when somebody looks, or when the ring comes round. A block of rows is the same thing ahead of time: row r becomes the
state when the clock reaches it, and until somebody looks that costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        "_deltas",
        "_dispatcher",
        "_history",
        "_latest",
        "_merged",
        "_recorded",
        "_state",
        "_times",
        "block",
        "edges",
        "history_cap",
        "index",
        "kind",
        "masked",
        "name",
        "owned",
        "schema",
        "stale",
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
        self.stale = False
        self.edges: list[Edge] = []
        self.masked: list[Edge] = []
        self.block: Block | None = None
        # Version v lies in slot (v - 1) & 63 of the ring; a row of a block that nobody looked at
        # has no delta there.
        self._deltas: list[dict[str, Any] | None] = []
        self._times: list[int] = []
        self._latest: Update | None = None
        self._state: dict[str, Any] = {}
        self._merged = 0  # the version that _state is
        self._recorded = 0  # the version up to which the history goes
        self._history: History | None = None
        self._dispatcher = dispatcher

    # -- publishing ---------------------------------------------------------------------------

    def publish(self, delta: dict[str, Any], t: int) -> int:
        """Apply a checked, private ``delta`` at instant ``t``; returns the new version."""
        if self.block is not None:
            self.settle()
            self._record_rows()
        slot = self.version & _SLOT
        self.version = version = self.version + 1
        self.t = t
        self.stale = False
        self._latest = None
        try:
            self._deltas[slot] = delta
            self._times[slot] = t
        except IndexError:
            self._deltas.append(delta)
            self._times.append(t)
        if slot == _SLOT or self.block is not None:
            self._record()
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

    def _merge(self) -> None:
        """Bring the state up to the version; whoever holds the one before keeps it."""
        _, deltas = self._known_after(self._merged)
        state = {**self._state}
        for delta in deltas:
            state.update(delta)
        self._state = state
        self._merged = self.version

    def _record(self) -> None:
        """Bring state and history up to the version, before the ring forgets."""
        if self._merged != self.version:
            self._merge()
        times, deltas = self._known_after(self._recorded)
        self._recorded = self.version
        if deltas:
            if self._history is None:
                self._history = History(self.history_cap)
            self._history.record(times, deltas)

    def _known_after(self, seen: int) -> tuple[list[int], list[dict[str, Any]]]:
        """Instants and deltas of the versions after ``seen``, as far as the ring has them."""
        version = self.version
        start, stop = seen & _SLOT, version & _SLOT
        if version - seen >= RING:
            start = stop
        if version == seen:
            return [], []
        times, deltas = self._times, self._deltas
        if start < stop:
            times, deltas = times[start:stop], deltas[start:stop]
        else:
            times, deltas = times[start:] + times[:stop], deltas[start:] + deltas[:stop]
        known = [delta for delta in deltas if delta is not None]
        if len(known) < len(deltas):
            times = [t for t, delta in zip(times, deltas, strict=True) if delta is not None]
        return times, known

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
        self._record()
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
        slot = self.version & _SLOT
        self.version += 1
        self._state = {**self._state, **delta}
        self._merged = self._recorded = self.version
        self.t = t
        self.stale = False
        self._latest = None
        self._deltas[slot] = delta
        self._times[slot] = t

    def _fill_ring(self, first_version: int) -> None:
        """Rows have no slots of their own: each carries the same fields as the run's last."""
        deltas = self._deltas
        missing = min(RING, self.version + 1) - len(deltas)
        deltas.extend([None] * missing)
        self._times.extend([0] * missing)
        for version in range(max(first_version, self.version - RING + 1), self.version + 1):
            deltas[(version - 1) & _SLOT] = None

    # -- reading ------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        """The current state, read-only; a later publish makes a new one."""
        if self.block is not None:
            self.settle()
        if self._merged != self.version:
            self._merge()
        return MappingProxyType(self._state)

    def latest(self) -> Update:
        """The newest delta as a reader gets it that missed nothing; made once for all of them."""
        update = self._latest
        if update is None:
            delta = self._deltas[(self.version - 1) & _SLOT]
            assert delta is not None, "the newest version always has its delta"
            update = Update(self.name, MappingProxyType(delta), self.version, 1, False, self.t)
            self._latest = update
        return update

    def state_view(self, now: int, edge: Edge | None = None) -> StateView:
        state = self.view()
        if edge is not None:
            state = edge.restrict(state)
        age = now - self.t if self.version else 0
        return StateView(self.name, state, self.version, self.t, self.stale, age)

    def merged_after(self, seen: int) -> dict[str, Any]:
        """What changed since version ``seen``, at most 64 back."""
        merged: dict[str, Any] = {}
        for delta in self._known_after(seen)[1]:
            merged.update(delta)
        return merged

    def deltas_after(self, seen: int) -> list[tuple[int, dict[str, Any], int]]:
        """(version, delta, instant) of what is known of the versions after ``seen``."""
        known = []
        for version in range(max(seen, self.version - RING) + 1, self.version + 1):
            slot = (version - 1) & _SLOT
            delta = self._deltas[slot]
            if delta is not None:
                known.append((version, delta, self._times[slot]))
        return known

    def instant_after(self, seen: int) -> int:
        """When version seen+1 was published, or the oldest after it that is still known."""
        self.settle()
        times, _ = self._known_after(seen)
        return times[0] if times else self.t

    def resume(
        self,
        version: int,
        t: int,
        state: dict[str, Any],
        deltas: Iterable[tuple[int, dict[str, Any], int]],
        *,
        stale: bool,
    ) -> None:
        """Go on from a state of before; ``deltas`` are those of its last that are known."""
        self.version, self.t, self._state, self.stale = version, t, state, stale
        self._merged = self._recorded = version
        self._deltas = [None] * min(RING, version)
        self._times = [0] * min(RING, version)
        for number, delta, instant in deltas:
            self._deltas[(number - 1) & _SLOT] = delta
            self._times[(number - 1) & _SLOT] = instant

    def past(
        self, fields: tuple[str, ...] | None, since: int | None, limit: int | None
    ) -> dict[str, Series]:
        """The history of some or all fields."""
        self.settle()
        self._record_rows()
        self._record()
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
