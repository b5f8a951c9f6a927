"""What a child is told of the states its agent may read: with each call, what has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from mirrorcore.syncbus.edge_stream import StreamEdge
from mirrorcore.syncbus.faults import StateError
from mirrorcore.syncbus.messages import Gap, StateView, Update
from mirrorcore.syncbus.process_frames import pickled
from mirrorcore.syncbus.process_handle import News

if TYPE_CHECKING:
    from mirrorcore.clock import Clock
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.edge import Edge
    from mirrorcore.syncbus.source import StateSource


class Mirror:
    """Remembers what one child has been told. Only declared interests and the own state go over.

    ``on_unreadable(agent_id, detail)`` is told of what others publish and cannot travel.
    """

    __slots__ = ("_agent", "_clock", "_names", "_on_unreadable", "_sources", "_told")

    def __init__(
        self,
        agent: Agent,
        clock: Clock,
        sources: dict[str, StateSource],
        on_unreadable: Callable[[str, str], None],
    ) -> None:
        self._agent = agent
        self._clock = clock
        self._sources = sources
        self._on_unreadable = on_unreadable
        self._told: dict[str, tuple[int, bool]] = {}
        self._names = (0, 0)

    def news(self, updates: Sequence[Update | Gap]) -> News:
        """All that is other than at the call before, with the ``updates`` the agent may collect."""
        edges = self._agent.mailbox.edges
        own = self._agent.source
        now = self._clock.now()
        states = [self._view(own, None, now)] if self._is_new(own) else []
        for edge in edges.values():
            if edge.source is not own and self._is_new(edge.source):
                states.append(self._view(edge.source, edge, now))
        gone = [name for name in self._told if name not in edges and name != own.name]
        for name in gone:
            del self._told[name]
        told = [
            (update.source, not isinstance(edges[update.source], StreamEdge), self.readable(update))
            for update in updates
        ]
        return News(now, tuple(states), tuple(gone), tuple(told), self._new_names())

    def readable(self, told: Update | Gap | StateView) -> bytes:
        """A pickle without the fields that cannot travel, each of which is told of.

        What one agent publishes must not be the failure of another.
        """
        try:
            return pickled(told)
        except StateError:
            assert not isinstance(told, Gap)
        fields = {}
        for field, value in (told.fields if isinstance(told, Update) else told.state).items():
            try:
                pickled(value)
            except StateError as error:
                detail = f"{told.source}.{field} is left out: {error.message}"
                self._on_unreadable(self._agent.agent_id, detail)
            else:
                fields[field] = value
        name = "fields" if isinstance(told, Update) else "state"
        return pickled(msgspec.structs.replace(told, **{name: fields}))

    def _view(
        self, source: StateSource, edge: Edge | None, now: int
    ) -> tuple[str, int, int, bytes]:
        view = source.state_view(now, edge)
        return source.name, source.index, view.version, self.readable(view)

    def _is_new(self, source: StateSource) -> bool:
        mark = (source.current_version(), source.stale)
        if self._told.get(source.name) == mark:
            return False
        self._told[source.name] = mark
        return True

    def _new_names(self) -> frozenset[str] | None:
        """All sources there are, if others than before."""
        sources = self._sources
        # Indices are given once, in rising order: a source more, less or in another's place shows.
        mark = (len(sources), sources[next(reversed(sources))].index)
        if mark == self._names:
            return None
        self._names = mark
        return frozenset(sources)
