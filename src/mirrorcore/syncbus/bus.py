"""SyncBus: how agents share their states.

The guide's names (``register_agent`` ... ``broadcast_command``) and the fuller interface over the
same parts: sources and edges, three lanes, one dispatcher, one supervisor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mirrorcore.clock import SECOND, Clock, LiveClock, VirtualClock
from mirrorcore.syncbus.agent import Agent, Handler, Handlers
from mirrorcore.syncbus.breaker import BreakerState
from mirrorcore.syncbus.continuation import (
    agent_memory,
    at_rest,
    restore_agent,
    restore_source,
    source_memory,
)
from mirrorcore.syncbus.dispatcher import Dispatcher
from mirrorcore.syncbus.faults import (
    BusError,
    RegistrationError,
    UnknownAgentError,
)
from mirrorcore.syncbus.handle import AgentHandle, SourceHandle
from mirrorcore.syncbus.health import health, latency_quantile
from mirrorcore.syncbus.history import Series
from mirrorcore.syncbus.mailbox import Envelope
from mirrorcore.syncbus.messages import (
    ALL,
    AgentStatistics,
    Command,
    DeadLetter,
    EventKind,
    Health,
    Interest,
    Reply,
    StateView,
)
from mirrorcore.syncbus.observers import Observer, Observers
from mirrorcore.syncbus.policy import AgentPolicy, BusPolicy
from mirrorcore.syncbus.post import PostOffice
from mirrorcore.syncbus.process import Isolation
from mirrorcore.syncbus.process_factory import ProcessFactory
from mirrorcore.syncbus.registry import Registry
from mirrorcore.syncbus.schema import Schema, check_schema, freeze
from mirrorcore.syncbus.supervision import LifeState
from mirrorcore.syncbus.supervisor import Supervisor

_LIFE_COMMANDS = ("pause", "resume", "restart", "isolate")
_CRITICAL_COMMANDS = ("emergency_stop", "stop")


class SyncBus:
    """The state plane of one swarm; one event loop, one thread.

    Parameters
    ----------
    clock: the bus's time; the machine's own where none is given.
    seed: of the back-off jitter; each agent draws from its own stream.
    admission: ``"immediate"`` applies what a waiting handler does when it does it; ``"tick"``
        holds it back until :meth:`admit`, and nothing runs but what the driver of ticks asks for.
    processes: whether agents registered with ``isolation="process"`` get one, or run in the loop
        like any other; by default not on a virtual clock, where a run is to be repeated.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        seed: int = 0,
        policy: BusPolicy | None = None,
        admission: Literal["immediate", "tick"] = "immediate",
        on_escalation: Callable[[str], object] | None = None,
        processes: bool | None = None,
    ) -> None:
        if admission not in ("immediate", "tick"):
            raise RegistrationError(f"admission was {admission!r}, is 'immediate' or 'tick'")
        self.clock: Clock = LiveClock() if clock is None else clock
        self.policy = BusPolicy() if policy is None else policy
        self.admission = admission
        self._observers = Observers(self.clock)
        self._dispatcher = Dispatcher(self.clock, self.policy, manual=admission == "tick")
        self._registry = Registry(self._dispatcher, self.policy)
        self._supervisor = Supervisor(
            self.clock, self._dispatcher, self._observers, self.policy, seed, self._new_handle
        )
        self._supervisor.on_escalation = on_escalation
        self._dispatcher.supervisor = self._supervisor
        self._agents = self._supervisor.agents
        self._post = PostOffice(
            self.clock,
            self._dispatcher,
            self._supervisor,
            self._observers,
            self.policy,
            self._registry.sources.__contains__,
        )
        self.isolation = Isolation(
            self.clock,
            self._dispatcher,
            self._supervisor,
            self._registry.sources,
            real=not isinstance(self.clock, VirtualClock) if processes is None else processes,
        )
        self._tickers: list[Agent] = []
        self._incarnations: dict[str, int] = {}

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
        elsewhere = self._isolated(agent_id, isolation, factory, process)
        if isinstance(factory, str):
            factory = ProcessFactory(factory).here() if isolation == "loop" else None
        if agent_id in self._agents:
            raise RegistrationError(f"an agent {agent_id!r} is already registered")
        interest_list = tuple(Interest.of(interest) for interest in interests)
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
        if on_tick is not None or agent.factory is not None:
            self._tickers.append(agent)
        self._observers.emit(EventKind.REGISTERED, agent_id, f"kind {kind}")
        self._dispatcher.nudge()
        return handle

    @staticmethod
    def _isolated(
        agent_id: str,
        isolation: str,
        factory: Callable[..., Any] | str | None,
        process: ProcessFactory | None,
    ) -> ProcessFactory | None:
        """How the agent is made in a process; None for one of the loop."""
        if isolation == "loop":
            return None
        if isolation != "process":
            raise RegistrationError(f"isolation was {isolation!r}, is 'loop' or 'process'")
        if process is not None:
            return process
        if factory is None:
            raise RegistrationError(
                f"agent {agent_id!r} is to run in a process, and has no factory",
                hint='give factory="package.module:attribute"',
            )
        return ProcessFactory(factory)

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
        self._incarnations[agent_id] = agent.incarnation
        if agent in self._tickers:
            self._tickers.remove(agent)

    def unresolved_interests(self) -> list[tuple[str, str]]:
        """(agent, interest) for every interest that no source answers to so far."""
        return self._registry.unresolved(self._agents.values())

    @property
    def agent_ids(self) -> list[str]:
        return list(self._agents)

    def _new_handle(self, agent: Agent) -> AgentHandle:
        return AgentHandle(agent, self.clock, self._dispatcher, self._post)

    # -- running ------------------------------------------------------------------------------

    def tick(self, view: Any, due: Sequence[str] | None = None) -> None:
        """Call ``on_tick(view)`` of the agents that are due, then everybody until quiet.

        All that have an ``on_tick``, or those named, in order of registration. An agent that is
        paused, down or still waiting is not called; that counts as skipped.
        """
        agents = self._tickers
        if due is not None:
            agents = sorted(map(self._agent, due), key=lambda agent: agent.index)
        self._dispatcher.run(lambda: self._tick(view, agents))
        self._dispatcher.settle()

    def _tick(self, view: Any, agents: Sequence[Agent]) -> int:
        dispatcher = self._dispatcher
        for agent in agents:
            if dispatcher.critical:
                dispatcher.serve_critical()
            handler = agent.handlers.on_tick
            if handler is None:
                continue
            if agent.mailbox.gated:
                agent.skipped += 1
            else:
                dispatcher.call(agent, handler, view)
        return len(agents)

    def settle(self) -> int:
        """Run ready work until there is none; returns the number of calls."""
        return self._dispatcher.settle()

    def sweep(self, *, unadmitted: bool = False) -> None:
        """Deadlines, retries and restarts whose time has come; at the boundary of ticks.

        With ``unadmitted``, for whoever repeats a record, an answer that the record does not admit
        counts as not given.
        """
        self._supervisor.sweep(unadmitted=unadmitted)
        self._dispatcher.nudge()

    def guarded(self, agent_id: str, function: Callable[..., Any], *args: Any) -> tuple[bool, Any]:
        """Call ``function(*args)`` on the agent's account: (True, result) or (False, None)."""
        ok, result = self._dispatcher.guarded(self._agent(agent_id), function, args)
        self._dispatcher.nudge()
        return ok, result

    def ready_ahead(self, agent_id: str) -> bool:
        """Whether the agent may be evaluated for a whole block at once: it runs and nothing is
        on probation."""
        agent = self._agent(agent_id)
        return agent.callable and agent.breaker.state is BreakerState.CLOSED

    def credit(self, agent_id: str, calls: int) -> None:
        """Count successful calls made ahead of time, a block's rows, as if made one by one."""
        self._agent(agent_id).mailbox.calls += calls

    @property
    def suspended(self) -> bool:
        """Whether a handler of some agent waits for something."""
        watched = self._dispatcher.watched
        return bool(watched) and any(a.waiting > len(a.outcomes) for a in watched.values())

    @property
    def unconcluded(self) -> bool:
        """Whether some handler has not been concluded: it waits, or waits to be admitted."""
        watched = self._dispatcher.watched
        return bool(watched) and any(agent.waiting for agent in watched.values())

    async def wait_quiet(self, until_ns: int) -> None:
        """Wait until no handler waits any more, or until bus time ``until_ns``.

        On a virtual clock this is what moves it; handlers whose deadline passes are expired.
        """
        while True:
            self.settle()
            self.sweep()
            self.settle()
            now = self.clock.now()
            if not self.suspended or now >= until_ns or self._dispatcher.completions_block():
                return
            deadline = self._supervisor.next_deadline()
            await self._pause_until(min(until_ns, until_ns if deadline is None else deadline))

    async def _pause_until(self, instant: int) -> None:
        """Until ``instant`` by the bus clock, or until a task ends."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._dispatcher.on_quiet.append(woken)
        virtual = isinstance(self.clock, VirtualClock)
        # A virtual loop's float time is a few ns off at worst: stop short and step exactly.
        seconds = max(0, instant - self.clock.now() - (100 if virtual else 0)) / SECOND
        timer = loop.call_later(seconds / getattr(self.clock, "speed", 1.0), _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()
            if woken in self._dispatcher.on_quiet:
                self._dispatcher.on_quiet.remove(woken)
        if isinstance(self.clock, VirtualClock) and 0 < instant - self.clock.now() <= 200:
            self.clock.advance_to(instant)

    def admit(self, agent_ids: Sequence[str] | None = None) -> list[str]:
        """Apply what waiting handlers have done meanwhile (``admission="tick"``).

        All of it, in order of completion, or exactly that of ``agent_ids`` in that order, as a
        recorded run has it; BusError where one of them has nothing to admit. Returns the ids.
        """
        completions = self._dispatcher.completions
        if agent_ids is None:
            admitted = [agent for agent in completions if agent.staged or agent.outcomes]
            completions.clear()
        else:
            admitted = [self._agent(agent_id) for agent_id in agent_ids]
            left = list(completions)
            # All or none: whoever repeats a record asks again until everybody has come so far.
            for agent in admitted:
                if agent not in left:
                    raise BusError(
                        f"the record admits {agent.agent_id!r} here, but it has not completed "
                        "anything",
                        hint="the run diverges from its record before this point",
                    )
                left.remove(agent)
            completions[:] = left
        for agent in admitted:
            self._admit(agent)
        return [agent.agent_id for agent in admitted]

    def _admit(self, agent: Agent) -> None:
        effects, agent.staged = agent.staged, []
        for effect in effects:
            effect()
        outcomes, agent.outcomes = agent.outcomes, []
        for task in outcomes:
            self._dispatcher.conclude(agent, task)

    def expire(self, agent_id: str) -> None:
        """Time the agent out now, as a recorded run says."""
        self._supervisor.expire(self._agent(agent_id))

    # -- blocks -------------------------------------------------------------------------------

    def reach(self, row: int) -> None:
        """The clock has reached row ``row`` of all loaded blocks."""
        dispatcher = self._dispatcher
        if row < dispatcher.row:
            raise BusError(f"row {row} was already passed, the bus is at row {dispatcher.row}")
        dispatcher.row = row
        for source in dispatcher.push_blocks.values():
            source.mark_reached()

    def end_block(self) -> None:
        """Make the rows reached part of plain state; rows not reached are dropped."""
        dispatcher = self._dispatcher
        for source in dispatcher.block_sources.values():
            source.unload()
        dispatcher.block_sources.clear()
        dispatcher.push_blocks.clear()
        dispatcher.row = -1
        dispatcher.nudge()

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

    def status(self, agent_id: str) -> LifeState:
        return self._agent(agent_id).status

    def pause(self, agent_id: str) -> None:
        """Call it no more, but for signals, until :meth:`resume`; nothing of its inbox is lost."""
        self._supervisor.pause(self._agent(agent_id))

    def resume(self, agent_id: str) -> None:
        self._supervisor.resume(self._agent(agent_id))
        self._dispatcher.nudge()

    def isolate(self, agent_id: str) -> None:
        """Take it out by command: no retry until :meth:`restart`."""
        agent = self._agent(agent_id)
        if not agent.down:
            self._supervisor.isolate(agent, "by command", manual=True)

    def restart(self, agent_id: str) -> bool:
        """A new incarnation by command, with a clean sheet; False where its factory fails."""
        done = self._supervisor.restart(self._agent(agent_id), manual=True)
        self._dispatcher.nudge()
        return done

    def on_event(self, callback: Observer) -> None:
        """Tell ``callback`` of every life event; what it raises is recorded and goes no further."""
        self._observers.add(callback)

    def on_publish(self, witness: Callable[[str, int, Mapping[str, Any]], None]) -> None:
        """Tell ``witness(source, t, delta)`` of every delta as it takes effect.

        One witness, the run's digest; rows of blocks are known to whoever loads them.
        """
        self._dispatcher.witness = witness

    # -- messages -----------------------------------------------------------------------------

    def send(self, target: str, message: Any, *, sender: str = "") -> None:
        """A lossless message from the assembly; raises LaneFull, AgentDown, UnknownAgentError."""
        self._post.post(Envelope(sender, target, message))

    def signal(self, target: str, signal: Any) -> list[str]:
        """Put ``signal`` on the critical lane of one agent or of ALL; returns who will get it.

        It runs before any other pending call, also of paused agents.
        """
        agents = list(self._agents.values()) if target == ALL else [self._agent(target)]
        reached = []
        for agent in agents:
            if agent.handlers.on_signal is None or agent.down:
                continue
            agent.mailbox.signal(signal)
            self._dispatcher.announce(agent)
            reached.append(agent.agent_id)
        self._dispatcher.nudge()
        return reached

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Messages no incarnation will handle, oldest first; the last 1,024."""
        return list(self._supervisor.dead_letters)

    # -- what there is to see -----------------------------------------------------------------

    def read(self, source_id: str) -> StateView:
        """The state of a source, for observers."""
        return self._registry.source(source_id).state_view(self.clock.now())

    def health(self, agent_id: str) -> Health:
        agent = self._agent(agent_id)
        now = self.clock.now()
        oldest = [
            instant
            for edge in agent.mailbox.edges.values()
            if agent.mailbox.pushes and (instant := edge.oldest_pending()) is not None
        ]
        return health(
            agent.success_rate.after(agent.mailbox.calls),
            latency_quantile(agent.latency, 0.99),
            agent.policy.deadline_ns,
            now - min(oldest, default=now),
            agent.breaker.state,
            agent.window.share(now),
        )

    def statistics(self, agent_id: str) -> AgentStatistics:
        agent = self._agent(agent_id)
        edges = agent.mailbox.edges.values()
        calls = agent.mailbox.calls
        return AgentStatistics(
            state=str(agent.status),
            incarnation=agent.incarnation,
            calls=calls,
            successes=calls - agent.failures - agent.waiting,
            failures=agent.failures,
            waiting=agent.waiting,
            skipped=agent.skipped,
            expired=agent.expired,
            restarts=agent.restarts,
            zombies=agent.zombies,
            version=agent.source.current_version(),
            refused=agent.refused,
            published=sum(edge.published for edge in edges),
            delivered=sum(edge.delivered for edge in edges),
            conflated=sum(edge.conflated for edge in edges),
            pending=sum(edge.pending for edge in edges),
            rejected=sum(edge.turned_away for edge in edges),
            resyncs=sum(edge.resyncs for edge in edges),
            edges=len(edges),
            accepted=agent.lossless_accepted,
            handled=agent.lossless_handled,
            failed=agent.lossless_failed,
            dead_lettered=agent.lossless_dead,
            inbox=agent.mailbox.inbox_length,
        )

    def accounting_residual(self) -> int:
        """Deltas and messages that no counter explains; anything but 0 is a defect."""
        total = 0
        for agent in self._agents.values():
            total += sum(abs(edge.residual()) for edge in agent.mailbox.edges.values())
            total += abs(agent.lossless_residual())
        return total

    @property
    def history_bytes(self) -> int:
        return sum(source.history_bytes for source in self._registry.sources.values())

    def history(
        self,
        source_id: str,
        fields: Sequence[str] | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> dict[str, Series]:
        """The past of a source by field, oldest first, as read-only views."""
        names = None if fields is None else tuple(fields)
        return self._registry.source(source_id).past(names, since, limit)

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
        for _ in range(3):
            await asyncio.sleep(0)
        self._supervisor.end_zombies()
        await self.isolation.aclose()

    # -- parts --------------------------------------------------------------------------------

    def _agent(self, agent_id: str) -> Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            raise UnknownAgentError(
                f"no agent {agent_id!r} is registered",
                hint=f"known are: {', '.join(list(self._agents)[:12]) or 'none'}",
            )
        return agent


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


HighPerformanceSyncBus = SyncBus
ResilientSyncBus = SyncBus
