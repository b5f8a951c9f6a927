"""The bus but for the guide's names: registration, lives, messages, continuation, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mirrorcore.clock import SECOND
from mirrorcore.syncbus.agent import Agent, Handler, Handlers
from mirrorcore.syncbus.continuation import (
    agent_memory,
    at_rest,
    restore_agent,
    restore_source,
    source_memory,
)
from mirrorcore.syncbus.faults import (
    BusError,
    RegistrationError,
)
from mirrorcore.syncbus.handle import AgentHandle, SourceHandle
from mirrorcore.syncbus.inspection import Inspection
from mirrorcore.syncbus.mailbox import Envelope
from mirrorcore.syncbus.messages import (
    ALL,
    EventKind,
    Interest,
)
from mirrorcore.syncbus.policy import AgentPolicy
from mirrorcore.syncbus.process_factory import ProcessFactory, process_of
from mirrorcore.syncbus.registry import check_interests
from mirrorcore.syncbus.schema import Schema, check_schema
from mirrorcore.syncbus.supervision import LifeState
from mirrorcore.syncbus.ticks import Ticks


class BusCore(Ticks, Inspection):
    """Who takes part, and what is done with them."""

    # -- registration -------------------------------------------------------------------------

    def register(
        self,
        agent_id: str,
        *,
        kind: str = "agent",
        interests: Sequence[str | tuple[str, Any] | Interest] = (),
        on_tick: Handler | None = None,
        on_update: Handler | None = None,
        on_message: Handler | None = None,
        on_signal: Handler | None = None,
        schema: Schema | None = None,
        policy: AgentPolicy | None = None,
        factory: Callable[..., Any] | str | None = None,
        essential: bool = False,
        isolation: Literal["loop", "process"] = "loop",
        process: ProcessFactory | None = None,
    ) -> AgentHandle:
        """Register an agent and return what it acts through.

        ``on_tick(view)``, ``on_update(Update)``, ``on_message(message)`` and ``on_signal(signal)``
        may be sync or async. Without ``on_update`` the agent reads with ``handle.collect()``.
        ``factory(handle, checkpoint)`` is called at a restart and returns ``Handlers``, a mapping
        of their names, or None to keep the present ones. RegistrationError where the id is taken
        or collides with a kind.

        With ``isolation="process"`` the agent runs in a process of its own: its handlers are those
        that the factory, a callable that can be imported or ``"package.module:attribute"``, makes
        there. ``process`` says more about that process; for an agent of the loop it says how one
        is made should it ever have to move.
        """
        elsewhere = process_of(agent_id, isolation, factory, process)
        if isinstance(factory, str):
            factory = ProcessFactory(factory).here() if elsewhere is None else None
        if agent_id in self._agents:
            raise RegistrationError(f"an agent {agent_id!r} is already registered")
        interest_list = check_interests(agent_id, interests, on_update)
        source = self._registry.open(agent_id, kind, check_schema(agent_id, schema), owned=True)
        incarnation = self._incarnations.get(agent_id, 0) + 1
        agent = Agent(
            agent_id,
            kind,
            source.index,
            incarnation,
            source,
            self._dispatcher.ready,
            Handlers(on_tick, on_update, on_message, on_signal),
            interest_list,
            AgentPolicy() if policy is None else policy,
            factory,
            essential,
            self.policy.agent_turn,
        )
        agent.handle = handle = self._new_handle(agent)
        agent.token = handle.token
        self._incarnations[agent_id] = incarnation
        self._agents[agent_id] = agent
        self._registry.join(agent)
        self.isolation.note(agent, process)
        if elsewhere is not None:
            try:
                self.isolation.enlist(agent, elsewhere)
            except BaseException:
                self.remove(agent_id)
                raise
        if on_tick is not None or agent.factory is not None or process is not None:
            self._tickers.append(agent)
        self._observers.emit(EventKind.REGISTERED, agent_id, f"kind {kind}")
        self._dispatcher.nudge()
        return handle

    def open_source(self, name: str, *, kind: str, schema: Schema | None = None) -> SourceHandle:
        """A state that belongs to the assembly, not to an agent (performance, execution)."""
        source = self._registry.open(name, kind, check_schema(name, schema), owned=False)
        self._dispatcher.nudge()
        return SourceHandle(source, self.clock)

    def remove(self, agent_id: str) -> None:
        """Forget an agent: its messages become dead letters, its readers lose the source."""
        agent = self._agent(agent_id)
        self._supervisor.remove(agent)
        self._registry.leave(agent)
        self._registry.close(agent.source)
        self._incarnations[agent_id] = agent.incarnation
        if agent in self._tickers:
            self._tickers.remove(agent)

    # -- continuation -------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any] | None:
        """Plain state for :meth:`restore`; None while something is under way that it cannot hold:
        an agent that waits, a message, a block."""
        if not at_rest(self._dispatcher, self._agents.values()):
            return None
        return {
            "sources": {
                name: source_memory(source) for name, source in self._registry.sources.items()
            },
            "agents": {name: agent_memory(agent) for name, agent in self._agents.items()},
            "watched": list(self._dispatcher.watched),
        }

    def restore(self, memory: Mapping[str, Any]) -> dict[str, AgentHandle]:
        """Continue from :meth:`checkpoint` with the same agents and sources registered anew.

        Nobody is told anything. Returns the handle of each agent's present incarnation.
        """
        sources, agents = self._registry.sources, self._agents
        if list(memory["sources"]) != list(sources) or list(memory["agents"]) != list(agents):
            raise BusError(
                f"the checkpoint is of {', '.join(memory['agents'])}, registered are "
                f"{', '.join(agents)}",
                hint="register the same agents in the same order before restoring",
            )
        for name, source in sources.items():
            restore_source(source, memory["sources"][name])
        for name, agent in agents.items():
            restore_agent(agent, memory["agents"][name], self._supervisor.seed)
            agent.handle = handle = self._new_handle(agent)
            agent.token = None if agent.down else handle.token
            self._incarnations[name] = agent.incarnation
        self._dispatcher.watched.update({name: agents[name] for name in memory["watched"]})
        return {name: agent.handle for name, agent in agents.items()}

    # -- lives --------------------------------------------------------------------------------

    def pause(self, agent_id: str) -> None:
        """Call it no more, but for signals, until :meth:`resume`; nothing of its inbox is lost."""
        self._supervisor.pause(self._agent(agent_id))

    def resume(self, agent_id: str) -> None:
        self._supervisor.resume(self._agent(agent_id))
        self._dispatcher.nudge()

    def isolate(self, agent_id: str) -> None:
        """Take it out by command: no retry until :meth:`restart`, also of one that was down."""
        agent = self._agent(agent_id)
        if not agent.down:
            self._supervisor.isolate(agent, "by command", manual=True)
        elif agent.state is LifeState.ISOLATED and not agent.held_out:
            self._supervisor.hold(agent)

    def restart(self, agent_id: str) -> bool:
        """A new incarnation by command, with a clean sheet; False where its factory fails."""
        done = self._supervisor.restart(self._agent(agent_id), manual=True)
        self._dispatcher.nudge()
        return done

    def reset_breaker(self, agent_id: str) -> bool:
        """Forget an agent's failures; one that is down is tried again, False where that fails."""
        done = self._supervisor.reset_breaker(self._agent(agent_id))
        self._dispatcher.nudge()
        return done

    # -- messages -----------------------------------------------------------------------------

    def send(self, target: str, message: Any, *, sender: str = "") -> None:
        """A lossless message from the assembly; raises LaneFull, AgentDown, UnknownAgentError."""
        self._post.post(Envelope(sender, target, message))

    def signal(self, target: str, signal: Any) -> list[str]:
        """Put ``signal`` on the critical lane of one agent or of ALL; returns who will get it.

        It runs before any other pending call, also of paused agents.
        """
        agents = list(self._agents.values()) if target == ALL else [self._agent(target)]
        reached = [
            agent for agent in agents if agent.handlers.on_signal is not None and not agent.down
        ]
        for agent in reached:
            agent.mailbox.signal(signal)
        self._dispatcher.announce(reached)
        self._dispatcher.nudge()
        return [agent.agent_id for agent in reached]

    async def started(self) -> None:
        """Wait until every agent with a process of its own is built; BusError names who cannot be.

        Agents registered before an event loop was running get their process here.
        """
        await self.isolation.started()

    # -- the end ------------------------------------------------------------------------------

    async def drain(self, timeout_ns: int = 5 * SECOND) -> None:
        """Until nothing is ready and nobody waits; at most ``timeout_ns`` by the bus clock."""
        until = self.clock.now() + timeout_ns
        await self.wait_quiet(until)

    async def aclose(self, timeout_ns: int = SECOND) -> None:
        """Take no more messages, finish what is under way, then cancel what is left."""
        self._post.closed = True
        await self.drain(timeout_ns)
        for agent_id in list(self._agents):
            self.remove(agent_id)
        self._supervisor.cancel_timer()
        self.stop_watchdog()
        for _ in range(3):
            await asyncio.sleep(0)
        self._supervisor.end_zombies()
        await self.isolation.aclose()
