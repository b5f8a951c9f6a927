"""Agents in processes of their own: who has one, when it begins and ends, who may be moved to one.

To the bus such an agent is an ordinary one whose handlers are async, so deadline, breaker,
back-off, restart, accounting and admission hold for it as for any. What differs is here: building
it takes a while and is a call of its own, a child that is lost isolates its agent at once, and an
agent that is down has no process.
"""

from __future__ import annotations

import asyncio
import select
from asyncio import _get_running_loop
from functools import partial
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Clock, VirtualTimeLoop
from mirrorcore.syncbus.agent import Handlers
from mirrorcore.syncbus.faults import AgentLost, BusError, RegistrationError, StateError
from mirrorcore.syncbus.messages import EventKind
from mirrorcore.syncbus.process_factory import ProcessFactory
from mirrorcore.syncbus.process_host import Host
from mirrorcore.syncbus.process_reaper import Reaper

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.source import StateSource
    from mirrorcore.syncbus.supervisor import Supervisor

_STEP = 0.002
_IDLE = 0.05
_END = 5.0
"""Seconds that children which were killed are waited for."""


class Isolation:
    """The processes of one bus; unless they are ``real``, such agents run in the loop."""

    def __init__(
        self,
        clock: Clock,
        dispatcher: Dispatcher,
        supervisor: Supervisor,
        sources: dict[str, StateSource],
        *,
        real: bool,
    ) -> None:
        self.real = real
        self._clock = clock
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._sources = sources
        self._reaper = Reaper()
        self._movable: dict[str, ProcessFactory] = {}

    # -- registration -------------------------------------------------------------------------

    def note(self, agent: Agent, factory: ProcessFactory | None) -> None:
        """How ``agent``, which runs in the loop, would be made in a process."""
        self._movable.pop(agent.agent_id, None)
        if factory is not None:
            self._movable[agent.agent_id] = factory

    def enlist(self, agent: Agent, factory: ProcessFactory) -> None:
        """Give a new agent its process, or its handlers where there are to be no processes."""
        if not self.real:
            agent.factory = factory.here()
            made = agent.factory(agent.handle, None)
            self._receive(agent, made if isinstance(made, Handlers) else Handlers(**made))
            return
        if not hasattr(select, "poll"):
            raise RegistrationError(
                "this platform has no sockets an agent's process could speak through",
                hint='register the agent with isolation="loop"',
            )
        agent.factory = partial(self._launch, agent, factory)
        agent.factory(agent.handle, None)

    def _launch(
        self, agent: Agent, factory: ProcessFactory, handle: Any, checkpoint: bytes | None
    ) -> Handlers:
        """A child for a new incarnation; its handlers are known when it says it is ready."""
        agent.host = host = Host(
            agent,
            handle,
            factory,
            checkpoint,
            self._clock,
            self._sources,
            self._lost,
            self._unreadable,
        )
        agent.mailbox.close_gate()
        if _get_running_loop() is not None:
            self._begin(host)
        return Handlers()

    def _begin(self, host: Host) -> None:
        host.begun = True
        self._dispatcher.outcomes.engage(host.agent, self._start(host))

    async def _start(self, host: Host) -> None:
        # Never at once: a start that fails is an outcome like any other, whoever asked for it.
        await asyncio.sleep(0)
        names = await host.start(self._reaper)
        agent = host.agent
        receive = partial(self._receive, agent, host.handlers(names))
        if agent.staging:
            agent.staged.append(receive)
        else:
            receive()

    @staticmethod
    def _receive(agent: Agent, handlers: Handlers) -> None:
        agent.handlers = handlers
        agent.mailbox.on_update = handlers.on_update
        if not agent.mailbox.gated:
            agent.mailbox.rest()

    # -- lives --------------------------------------------------------------------------------

    def _lost(self, host: Host, error: AgentLost) -> None:
        """A child has ended between two calls."""
        agent = host.agent
        if agent.host is not host or agent.down or self._dispatcher.manual:
            # With admission by ticks its next call tells, so that this is recorded as well.
            return
        agent.mailbox.calls += 1
        self._supervisor.failed(agent, error)
        self._dispatcher.nudge()

    def _unreadable(self, agent_id: str, detail: str) -> None:
        self._supervisor.observers.emit(EventKind.UNREADABLE, agent_id, detail)

    def relocate(self, agent: Agent) -> bool:
        """Have the next incarnation of an agent of the loop run in a process of its own.

        False where it cannot, with the reason in an event.
        """
        try:
            factory = self._elsewhere(agent)
        except BusError as error:
            self._supervisor.observers.emit(
                EventKind.NOT_RELOCATED, agent.agent_id, f"stays in the loop: {error.message}"
            )
            return False
        agent.factory = partial(self._launch, agent, factory)
        return True

    def _elsewhere(self, agent: Agent) -> ProcessFactory:
        if not self.real:
            raise BusError("this bus has no processes")
        if any(interest.mode == "eager" for interest in agent.interests):
            raise BusError("it is called within the publishes of others")
        factory = self._movable.get(agent.agent_id)
        if factory is None:
            if agent.factory is None:
                raise BusError("it was registered without a factory")
            factory = ProcessFactory(agent.factory)
        try:
            factory.elsewhere()
        except (RegistrationError, StateError) as error:
            raise BusError(error.message, hint=error.hint) from error
        return factory

    # -- waiting and ending -------------------------------------------------------------------

    def _hosts(self) -> list[Host]:
        return [agent.host for agent in self._supervisor.agents.values() if agent.host is not None]

    async def started(self) -> None:
        """Begin whoever was registered before there was a loop, and wait until all are built.

        BusError names every agent that could not be.
        """
        for host in self._hosts():
            if not host.begun:
                self._begin(host)
        await asyncio.sleep(0)
        while any(not host.settled for host in self._hosts()):
            await self.breathe()
        failed = [host.lost for host in self._hosts() if host.lost is not None]
        if failed:
            hints = dict.fromkeys(error.hint for error in failed if error.hint)
            raise BusError("; ".join(error.message for error in failed), hint="; ".join(hints))

    async def breathe(self) -> None:
        """A moment for the children; on virtual time, which does not wait, a real one."""
        if isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
            self.idle()
        await asyncio.sleep(_STEP)

    def idle(self, seconds: float = _IDLE) -> bool:
        """Wait, really, until a child that owes an answer says something; False if none does."""
        poll = select.poll()
        awaited = [host.link.descriptor for host in self._hosts() if host.awaited and host.link]
        for descriptor in awaited:
            poll.register(descriptor, select.POLLIN)
        if awaited:
            poll.poll(seconds * 1_000)
        return bool(awaited)

    def has(self, agent_id: str) -> bool:
        """Whether the agent has, or had last, a process of its own."""
        agent = self._supervisor.agents.get(agent_id)
        return agent is not None and agent.host is not None

    def output(self, agent_id: str) -> str:
        """The last of what the agent's process printed, 16 KiB at most; empty without one."""
        agent = self._supervisor.agents.get(agent_id)
        return "" if agent is None or agent.host is None else agent.host.output

    def close(self) -> None:
        """End every child, whatever its agent is doing; the lives of the agents do not change."""
        for host in self._hosts():
            host.close()
        self._reaper.wait(_END)

    async def aclose(self) -> None:
        """Wait until every child that was ended is gone."""
        await self._reaper.empty(_END)
