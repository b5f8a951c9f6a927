"""A versioned state: its current immutable mapping, its last 64 deltas, its readers.

Publishing stores the delta once and marks the edges of those who asked; nobody is waited for and
nothing is copied per reader. What a delta means for the state is worked out when somebody looks,
and for the history many deltas at a time. A block of rows is the same thing ahead of time:
row r becomes the state when the clock reaches it, and until somebody looks that costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirrorcore.syncbus.edge import RING, CountingEdge, Edge
from mirrorcore.syncbus.edge_eager import EagerEdge
from mirrorcore.syncbus.faults import StateError
from mirrorcore.syncbus.history import History, Series
from mirrorcore.syncbus.messages import StateView, Update
from mirrorcore.syncbus.schema import Schema, freeze_block, freeze_delta

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher


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
        "_alike_from",
        "_dispatcher",
        "_history",
        "_merged",
        "_older",
        "_state",
        "_unmerged",
        "block",
        "counting",
        "delta",
        "eager",
        "edges",
        "history_cap",
        "index",
        "kind",
        "name",
        "newest",
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
        self.counting: list[CountingEdge] = []  # those that have to be shown each delta
        self.eager: list[EagerEdge] = []  # those that are called at once
        self.block: Block | None = None
        self.delta: dict[str, Any] = {}
        self._alike_from = 0  # since this version all deltas have the same fields
        self._merged: Update | None = None  # what a reader got that had missed several
        # (delta, instant) of the versions before the newest, as far back as some reader has not
        # seen them; no more than 64 count. A row of a block that nobody looked at is None there.
        self._older: list[tuple[dict[str, Any] | None, int]] = []
        self.newest: Update | None = None
        self._state: dict[str, Any] = {}
        self._unmerged = False  # the last deltas, all of the same fields, are not in it yet
        self._history: History | None = None
        self._dispatcher = dispatcher

    # -- publishing ---------------------------------------------------------------------------

    def publish(  # noqa: PLR0912  # the hot path
        self, delta: Mapping[str, Any], t: int, checked: bool = False
    ) -> int:
        """Make ``delta`` the newest at instant ``t`` and mark who reads it; the new version.

        It is checked and copied before, StateError where it is not valid, unless it is a copy that
        has been ``checked``.
        """
        history = self._history
        quick = False
        if (
            history is not None
            and self.schema is None
            and self.block is None
            and type(delta) is dict
            and len(delta) == history.width
        ):
            # Most of what is published: the fields of the last time, finite numbers.
            try:
                values = history.values(delta)
            except KeyError:
                values = (None,)
            for value in values:
                if type(value) is not float or value - value != 0.0:
                    break
            else:
                # A key may be equal to one of last time and yet be the publisher's own object.
                for name in delta:
                    if type(name) is not str:
                        break
                else:
                    quick = True
                    history.staged += values
                    times = history.times
                    times.append(t)
                    if len(times) >= history.rows:
                        history.flush()
                    self._unmerged = True
        if quick:
            fields: Any = delta.copy()  # type: ignore[attr-defined]
            lagging = False
        else:
            fields = delta if checked else freeze_delta(self.name, delta, self.schema)
            lagging = self._take_in(fields, t)
        self.version = version = self.version + 1
        last, last_t = self.delta, self.t
        self.delta = fields
        self.t = t
        self.stale = False
        self.newest = None
        dispatcher = self._dispatcher
        if dispatcher.witness is not None:
            dispatcher.witness(self.name, t, fields)
        ready = dispatcher.ready
        for edge in self.edges:
            if edge.queued:
                lagging = True
            else:
                edge.queued = True
                mailbox = edge.mailbox
                mailbox.pending.append(edge)
                if not mailbox.held:
                    mailbox.held = True
                    ready.append(mailbox)
        if lagging or self.counting or self.eager:
            self._show(last, last_t)
        elif self._older:
            self._older = []
        if ready and not dispatcher.armed:
            dispatcher.arm()
        return version

    def _take_in(self, delta: dict[str, Any], t: int) -> bool:
        """Make a checked ``delta`` part of history and state; whether readers may be behind."""
        lagging = self.block is not None
        if lagging:
            self.settle()
            self._record_rows()
        history = self._history
        if history is None:
            history = self._history = History(self.history_cap)
        if history.append(t, delta):
            self._unmerged = True
        else:
            self._merge(delta)
            self._alike_from = self.version + 1
        return lagging

    def _show(self, last: dict[str, Any], last_t: int) -> None:
        """The newest delta, to those whom a mark does not do for; ``last`` is that before it."""
        self._remember(last, last_t)
        for counting in self.counting:
            counting.note(self.delta, self.version)
        # Last, for whoever is called now may publish in turn.
        for eager in tuple(self.eager):
            eager.call()

    def _remember(self, delta: dict[str, Any] | None, t: int) -> None:
        """Somebody has not seen it yet."""
        self._older.append((delta, t))
        if len(self._older) >= 2 * RING:
            del self._older[:-RING]

    def _merge(self, delta: Mapping[str, Any]) -> None:
        """Make ``delta`` part of the state; whoever holds the one before keeps it."""
        self._state = {**self._whole(), **delta}

    def _whole(self) -> dict[str, Any]:
        """The state without what is being published."""
        if self._unmerged:
            self._state = {**self._state, **self.delta}
            self._unmerged = False
        return self._state

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
        return self.version if block is None else self.version + self.unsettled(block)

    def settle(self) -> None:
        """Make the rows reached since the last look part of the state: O(fields), not O(rows)."""
        block = self.block
        if block is None:
            return
        new = self.unsettled(block)
        if not new:
            return
        stop = block.settled + new
        block.settled = stop
        delta = block.row(stop - 1)
        self._merge(delta)
        self._alike_from = self.version + new
        self._remember(self.delta, self.t)
        # Rows before the last have no delta of their own: each carries the same fields as it.
        self._older.extend([(None, 0)] * min(new - 1, RING))
        self.delta = delta
        self.version += new
        self.t = int(block.ts[stop - 1])
        self.stale = False
        self.newest = None
        for edge in self.counting:
            edge.note_rows(block, stop - new, stop)

    def mark_reached(self) -> None:
        """Rows were reached: mark the edges of those who are called for updates."""
        self.settle()
        self._mark_behind(pulling=False)
        if self._dispatcher.ready and not self._dispatcher.armed:
            self._dispatcher.arm()

    def reaches(self, edge: Edge) -> bool:
        """Whether a reader that pulls will find this edge without its being marked."""
        return self.block is not None and not edge.mailbox.pushes

    def unsettled(self, block: Block) -> int:
        """Rows of ``block`` that were reached and have not yet become versions."""
        return min(self._dispatcher.row + 1, block.rows) - block.settled

    def _mark_behind(self, *, pulling: bool) -> None:
        for edge in self.readers:
            if edge.mailbox.pushes is not pulling and edge.behind:
                edge.mailbox.mark(edge)

    # -- reading ------------------------------------------------------------------------------

    def view(self) -> Mapping[str, Any]:
        """The current state, read-only; a later publish makes a new one."""
        if self.block is not None:
            self.settle()
        return MappingProxyType(self._whole())

    def changed_since(self, seen: int) -> Mapping[str, Any] | None:
        """At least the fields that changed after version ``seen``, as they are now; None where
        nothing did. The mapping is this source's own."""
        if self.block is not None:
            self.settle()
        if self.version == seen:
            return None
        if self.version and seen + 1 >= self._alike_from:
            return self.delta
        return self._whole()

    def latest(self) -> Update:
        """The newest delta as a reader gets it that missed nothing; made once for all of them."""
        update = self.newest
        if update is None:
            fields = MappingProxyType(self.delta)
            update = self.newest = Update(self.name, fields, self.version, 1, False, self.t)
        return update

    def state_view(self, now: int, edge: Edge | None = None) -> StateView:
        state = self.view()
        if edge is not None:
            state = edge.restrict(state)
        age = now - self.t if self.version else 0
        return StateView(self.name, state, self.version, self.t, self.stale, age)

    def merged(self, seen: int) -> Update:
        """The merge of what changed since version ``seen``, at most 64 back; made once for all."""
        gap = self.version - seen
        merged = self._merged
        if merged is None or merged.version != self.version or merged.gap != gap:
            fields = MappingProxyType(self._merged_fields(seen))
            merged = Update(self.name, fields, self.version, gap, False, self.t)
            self._merged = merged
        return merged

    def _merged_fields(self, seen: int) -> dict[str, Any]:
        if seen + 1 >= self._alike_from:
            return self.delta
        merged: dict[str, Any] = {}
        for delta, _ in self._older[seen + 1 - self.version :]:
            if delta is not None:
                merged.update(delta)
        merged.update(self.delta)
        return merged

    def deltas_after(self, seen: int) -> list[tuple[int, dict[str, Any], int]]:
        """(version, delta, instant) of what is known of the versions after ``seen``."""
        missed = min(self.version - seen, RING, len(self._older) + 1)
        if missed < 1:
            return []
        known = [
            (self.version - back, delta, t)
            for back in range(missed - 1, 0, -1)
            for delta, t in (self._older[-back],)
            if delta is not None
        ]
        return [*known, (self.version, self.delta, self.t)]

    def instant_after(self, seen: int) -> int:
        """When version seen+1 was published, or the oldest after it that is still known."""
        self.settle()
        known = self.deltas_after(seen)
        return known[0][2] if known else self.t

    def resume(
        self,
        version: int,
        t: int,
        state: dict[str, Any],
        deltas: Sequence[tuple[int, dict[str, Any], int]],
        *,
        stale: bool,
    ) -> None:
        """Go on from a state of before; ``deltas`` are those of its last that are known."""
        self.version, self.t, self._state, self.stale = version, t, state, stale
        self._alike_from = version  # which fields those before it have is not known
        if deltas:
            *older, (_, self.delta, _) = deltas
            self._older = [(None, 0)] * (version - deltas[0][0])
            for number, delta, instant in older:
                self._older[number - version] = (delta, instant)

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
        self._list_of(edge).append(edge)

    def detach(self, edge: Edge) -> None:
        self._list_of(edge).remove(edge)

    def _list_of(self, edge: Edge) -> list[Any]:
        if isinstance(edge, EagerEdge):
            return self.eager
        return self.counting if isinstance(edge, CountingEdge) else self.edges

    @property
    def readers(self) -> tuple[Edge, ...]:
        return (*self.edges, *self.counting, *self.eager)
