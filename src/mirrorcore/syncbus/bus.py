"""SyncBus: how agents share their states.

The guide's names (``register_agent`` ... ``broadcast_command``) over the fuller interface of the
layers below: ``core`` (who takes part), ``ticks`` (driving it), ``inspection`` (looking at it),
``parts`` (what it is made of: sources and edges, three lanes, one dispatcher, one supervisor).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.syncbus.agent import Agent, Handler
from mirrorcore.syncbus.core import BusCore
from mirrorcore.syncbus.faults import (
    BusError,
    UnknownAgentError,
)
from mirrorcore.syncbus.handle import AgentHandle
from mirrorcore.syncbus.history import Series
from mirrorcore.syncbus.messages import (
    ALL,
    Command,
    EventKind,
    Interest,
    Reply,
)
from mirrorcore.syncbus.schema import freeze

_LIFE_COMMANDS = ("pause", "resume", "restart", "isolate")
_CRITICAL_COMMANDS = ("emergency_stop", "stop")


class SyncBus(BusCore):
    """The state plane of one swarm; one event loop, one thread.

    Parameters
    ----------
    clock: the bus's time; the machine's own where none is given.
    seed: of the back-off jitter; each agent draws from its own stream.
    admission: ``"immediate"`` applies what a waiting handler does when it does it; ``"tick"``
        holds it back until :meth:`admit`, and nothing runs but what the driver of ticks asks for.
    watchdog: whether a thread watches that no agent keeps the loop, see :meth:`start_watchdog`.
    processes: whether agents registered with ``isolation="process"`` get one, or run in the loop
        like any other; by default not on a virtual clock, where a run is to be repeated.
    """

    # -- the guide's names --------------------------------------------------------------------

    async def register_agent(
        self,
        agent_id: str,
        interests: Sequence[str | tuple[str, Any] | Interest] | None = None,
        handler: Handler | None = None,
    ) -> AgentHandle:
        """Register an agent; without interests it is interested in all."""
        return self.register(agent_id, interests=interests or (ALL,), on_update=handler)

    async def update_agent_state(self, agent_id: str, delta: Mapping[str, Any]) -> int | None:
        """Publish for an agent; one not yet known is registered without callbacks.

        An update for an agent that is down is recorded and ignored, as the guide has it (None).
        """
        agent = self._agents.get(agent_id)
        handle = self.register(agent_id) if agent is None else agent.handle
        if agent is not None and agent.down:
            agent.refused += 1
            self._observers.emit(EventKind.REJECTED_PUBLISH, agent_id, f"it is {agent.status}")
            return None
        version: int = handle.publish(delta)
        return version

    async def get_relevant_states(self, agent_id: str) -> dict[str, Mapping[str, Any]]:
        """The states the agent has declared an interest in, read-only."""
        edges = self._agent(agent_id).mailbox.edges.values()
        return {
            edge.source.name: edge.restrict(edge.source.view())
            for edge in sorted(edges, key=lambda edge: edge.source.index)
            if edge.source.current_version()
        }

    async def get_all_states(self) -> dict[str, Mapping[str, Any]]:
        """The state of every agent, read-only."""
        return {name: agent.source.view() for name, agent in self._agents.items()}

    async def get_historical_states(
        self,
        agent_id: str | None = None,
        fields: Sequence[str] | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> dict[str, dict[str, Series]]:
        """The past of one or every agent: {agent: {field: Series}}, views without a copy."""
        names = list(self._agents) if agent_id is None else [agent_id]
        return {name: self.history(name, fields, since, limit) for name in names}

    async def broadcast_market_update(self, market_state: Any) -> None:
        """One tick: market state to every agent with an ``on_tick``. It enters no agent's state."""
        self.sweep()
        self.tick(market_state)

    async def send_command(
        self, agent_id: str, command: str, params: Mapping[str, Any] | None = None
    ) -> Reply:
        """Command one agent and wait for its own answer.

        ``pause``, ``resume``, ``restart`` and ``isolate`` are carried out by the bus; anything
        else goes to ``on_message`` as a :class:`Command`. Whatever goes wrong is in the reply.
        """
        agent = self._agent(agent_id)
        if command in _LIFE_COMMANDS:
            return self._life_command(agent, command)
        order = self._command(command, params)
        if command in _CRITICAL_COMMANDS:
            reached = self.signal(agent_id, order)
            self.settle()
            error = "" if reached else "the agent takes no signals"
            return Reply(agent_id, bool(reached), error=error)
        try:
            answer = asyncio.ensure_future(self._post.request(None, agent_id, order, None))
            await asyncio.sleep(0)
            self.settle()
            return Reply(agent_id, True, await answer)
        except (BusError, UnknownAgentError) as error:
            return Reply(agent_id, False, error=error.message)

    async def broadcast_command(
        self, command: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Reply]:
        """Command every agent; stops travel on the critical lane."""
        if command in _CRITICAL_COMMANDS:
            reached = self.signal(ALL, self._command(command, params))
            self.settle()
            return {
                name: Reply(name, name in reached, error="" if name in reached else "no on_signal")
                for name in self._agents
            }
        replies = await asyncio.gather(
            *(self.send_command(name, command, params) for name in list(self._agents))
        )
        return {reply.agent_id: reply for reply in replies}

    def _life_command(self, agent: Agent, command: str) -> Reply:
        try:
            done = getattr(self, command)(agent.agent_id)
        except BusError as error:
            return Reply(agent.agent_id, False, error=error.message)
        ok = done is not False
        return Reply(agent.agent_id, ok, str(agent.status), "" if ok else "the restart failed")

    def _command(self, name: str, params: Mapping[str, Any] | None) -> Command:
        return Command(name, freeze("the operator", name, params or {}), self.clock.now())


HighPerformanceSyncBus = SyncBus
ResilientSyncBus = SyncBus
