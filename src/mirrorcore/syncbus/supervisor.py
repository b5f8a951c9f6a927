"""What happens to agents that fail: isolation, restart, failure for good, recovery."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections import deque
from collections.abc import Callable, Mapping
from threading import get_ident
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import SECOND, Clock, VirtualClock, iso
from mirrorcore.syncbus.agent import Agent, Handlers
from mirrorcore.syncbus.faults import (
    AgentBlocked,
    AgentDown,
    AgentLost,
    BusError,
    Expired,
    FloodError,
    describe,
    honest,
    unless_operator,
)
from mirrorcore.syncbus.messages import DeadLetter, Ending, EventKind, Stall
from mirrorcore.syncbus.supervision import LifeState, step

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.mailbox import Envelope
    from mirrorcore.syncbus.observers import Observers
    from mirrorcore.syncbus.policy import BusPolicy
    from mirrorcore.syncbus.task import HandlerTask


class Supervisor:
    """The life of every agent of one bus. Decides by the bus clock alone."""

    __slots__ = (
        "__weakref__",
        "_clock",
        "_dispatcher",
        "_looked_at",
        "_make_handle",
        "_policy",
        "_sweep_timer",
        "_sweeping",
        "agents",
        "dead_letters",
        "observers",
        "on_escalation",
        "on_stall",
        "relocate",
        "seed",
        "zombies",
    )

    def __init__(
        self,
        clock: Clock,
        dispatcher: Dispatcher,
        observers: Observers,
        policy: BusPolicy,
        seed: int,
        make_handle: Callable[[Agent], Any],
    ) -> None:
        self._clock = clock
        self._dispatcher = dispatcher
        self._policy = policy
        self.seed = seed
        self._make_handle = make_handle
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.AbstractEventLoop | None = None
        self._looked_at = 0
        self.observers = observers
        self.agents: dict[str, Agent] = {}
        self.dead_letters: deque[DeadLetter] = deque(maxlen=policy.dead_letters)
        self.on_escalation: Callable[[str], object] | None = None
        self.on_stall: Callable[[Stall], object] | None = None
        self.relocate: Callable[[Agent], bool] | None = None
        """Asked before the restart of an agent that blocked in native code: True where it has
        seen to it that the agent's factory puts it elsewhere."""
        self.zombies: list[HandlerTask] = []

    # -- outcomes of calls --------------------------------------------------------------------

    def failed(self, agent: Agent, error: BaseException) -> None:
        """A call of ``agent`` failed."""
        if isinstance(error, AgentBlocked):
            agent.fault = None
            self.expire(agent)
            return
        kind = EventKind.FLOOD if isinstance(error, FloodError) else EventKind.FAILURE
        self._count_failure(agent, kind, describe(error))
        if agent.fault is not None:
            agent.fault = None
            agent.mailbox.gated = not agent.callable or agent.busy is not None
        if agent.down:
            return
        opened = agent.breaker.failed(agent.mailbox.calls, self._clock.now())
        if opened or isinstance(error, AgentLost):
            # Without its process it can do nothing more: only a restart gives it another.
            self.isolate(agent, describe(error))

    def tell(self, agent: Agent, detail: str) -> None:
        """Code of ``agent`` has failed that was no call of the bus."""
        self._event(EventKind.FAILURE, agent, detail)

    def succeeded(self, agent: Agent) -> None:
        """A call on probation has completed; what came of it may have ended the probation."""
        if agent.state is LifeState.PROBING and agent.breaker.succeeded():
            agent.state = step(agent.agent_id, agent.state, LifeState.RUNNING)
            self._event(EventKind.BREAKER, agent, "half_open -> closed")
            self._event(EventKind.RECOVERED, agent, f"incarnation {agent.incarnation}")

    def expire(self, agent: Agent) -> None:
        """A handler of ``agent`` is beyond its deadline: a hang opens the breaker at once."""
        detail = f"beyond its deadline of {agent.policy.deadline_ns / SECOND:g} s"
        stall, agent.stall = agent.stall, None
        if stall is not None and stall.call == agent.mailbox.calls:
            detail = self._blocked(agent, stall)
        agent.expired += 1
        agent.overrun = False
        self._count_failure(agent, EventKind.EXPIRED, detail)
        if agent.down:
            self._abandon(agent)
            return
        agent.breaker.failed(agent.mailbox.calls, self._clock.now())
        self.isolate(agent, detail)

    def stalled(self, agent: Agent, stall: Stall) -> None:
        """A call of ``agent`` has held the loop and is over; judged like a handler that hangs."""
        if self.on_stall is not None:
            self.observers.tell(self.on_stall, stall)
        agent.stall = stall
        if not agent.down:
            agent.overrun = True
            self._dispatcher.watched[agent.agent_id] = agent
            self.schedule_sweep()

    def _blocked(self, agent: Agent, stall: Stall) -> str:
        """Account for a stall; returns what to say about it."""
        agent.blocked += 1
        agent.native = stall.ended is Ending.NATIVE
        self._event(EventKind.BLOCKED, agent, stall.describe())
        return f"held the loop for {stall.seconds:.3g} s"

    def size(self) -> int:
        """Agents and edges, and one: what a round in which everybody is called once is made of."""
        return 1 + sum(1 + len(agent.mailbox.edges) for agent in self.agents.values())

    def break_storm(self, loop: list[Agent]) -> None:
        """The agents of ``loop``, in the order of its news, keep each other going: fail them."""
        alive = [agent for agent in loop if not agent.down]
        if not alive:
            return
        way = " -> ".join(agent.agent_id for agent in [*loop, loop[0]])
        self._event(EventKind.STORM, loop[0], way)
        for agent in alive:
            error = FloodError(f"agent {agent.agent_id!r} keeps the feedback loop {way} alive")
            self._count_failure(agent, EventKind.FLOOD, describe(error))
            agent.breaker.failed(agent.mailbox.calls, self._clock.now())
            self.isolate(agent, describe(error))

    # -- the steps of a life ------------------------------------------------------------------

    def isolate(self, agent: Agent, reason: str, *, manual: bool = False) -> None:
        """Keep calls away; its last state stays readable and is marked stale."""
        agent.state = step(agent.agent_id, agent.state, LifeState.ISOLATED)
        was = agent.breaker.state
        rng = None if manual else agent.generator(self.seed)
        agent.breaker.open(self._clock.now(), rng)
        self._shut(agent)
        retry = agent.breaker.retry_at
        if retry is not None:
            self._dispatcher.watched[agent.agent_id] = agent
            self.schedule_sweep()
        again = "by command only" if retry is None else f"retry at {iso(retry)}"
        self._event(EventKind.BREAKER, agent, f"{was} -> open")
        self._event(EventKind.ISOLATED, agent, f"{reason}; {again}")

    def hold(self, agent: Agent) -> None:
        """Keep one that is isolated out for good: its next try is struck off."""
        agent.breaker.hold()
        self._dispatcher.watched.pop(agent.agent_id, None)
        self._event(EventKind.ISOLATED, agent, "by command; by command only")

    def restart(self, agent: Agent, *, manual: bool = False) -> bool:
        """A new incarnation from the last checkpoint, on probation; False if that failed."""
        now = self._clock.now()
        if manual:
            agent.window.forget()
            if not agent.down:
                self.isolate(agent, "restart by command", manual=True)
            elif agent.state is LifeState.FAILED:
                agent.state = step(agent.agent_id, agent.state, LifeState.ISOLATED)
                for edge in agent.mailbox.edges.values():
                    edge.reopen()
        elif not agent.window.allow(now):
            self.fail(agent, "restarts too often")
            return False
        self._dispatcher.watched.pop(agent.agent_id, None)
        agent.incarnation += 1
        agent.restarts += 1
        agent.state = step(agent.agent_id, agent.state, LifeState.PROBING)
        agent.breaker.half_open()
        self._event(EventKind.BREAKER, agent, "open -> half_open")
        self._event(EventKind.RESTART, agent, f"incarnation {agent.incarnation}")
        if agent.native and self.relocate is not None and self.relocate(agent):
            self._event(EventKind.RELOCATED, agent, "it blocked in code that cannot be ended")
        agent.native = False
        return self._rebuild(agent)

    def reset_breaker(self, agent: Agent) -> bool:
        """Forget its failures by command; one that is down is tried again at once.

        False where that try failed.
        """
        agent.breaker.forget()
        agent.window.forget()
        return self.restart(agent, manual=True) if agent.down else True

    def fail(self, agent: Agent, reason: str) -> None:
        """Down for good, until an operator restarts it; its group is told."""
        agent.state = step(agent.agent_id, agent.state, LifeState.FAILED)
        self._shut(agent)
        self._dispatcher.watched.pop(agent.agent_id, None)
        agent.mailbox.clear_marks()
        for edge in agent.mailbox.edges.values():
            edge.close()
        self._bury_inbox(agent, "the agent has failed")
        self._event(EventKind.FAILED, agent, reason)
        self._event(EventKind.ESCALATION, agent, "essential" if agent.essential else "ordinary")
        if agent.essential and self.on_escalation is not None:
            self.on_escalation(agent.agent_id)

    def remove(self, agent: Agent) -> None:
        agent.state = step(agent.agent_id, agent.state, LifeState.REMOVED)
        self._shut(agent)
        self._dispatcher.watched.pop(agent.agent_id, None)
        agent.mailbox.clear_marks()
        self._bury_inbox(agent, "the agent was removed")
        del self.agents[agent.agent_id]
        self._event(EventKind.REMOVED, agent, f"incarnation {agent.incarnation}")

    def refresh_gate(self, agent: Agent) -> None:
        """Open or close the mailbox as the agent's life says."""
        if not agent.callable or agent.busy is not None:
            agent.mailbox.close_gate()
        elif agent.mailbox.gated:
            agent.mailbox.open_gate()

    def pause(self, agent: Agent) -> None:
        if not agent.paused:
            agent.paused = True
            self.refresh_gate(agent)
            agent.mailbox.leave_queue()
            self._event(EventKind.PAUSED, agent, "")

    def resume(self, agent: Agent) -> None:
        if agent.paused:
            agent.paused = False
            self.refresh_gate(agent)
            self._event(EventKind.RESUMED, agent, "")

    # -- time ---------------------------------------------------------------------------------

    def sweep(self, *, unadmitted: bool = False) -> None:
        """Deadlines that have passed, retries whose time has come; in order of registration.

        With ``unadmitted`` an answer that is there and was not admitted counts as not given: where
        a record admits, the agent may have been quicker than when it was recorded.
        """
        watched = self._dispatcher.watched
        if not watched:
            return
        now = self._clock.now()
        self._forgive(now)
        for agent in sorted(watched.values(), key=_index):
            if agent.agent_id not in watched:
                continue
            retry = agent.breaker.retry_at
            if unadmitted and any(now >= task.deadline for task in agent.outcomes):
                self.expire(agent)
            elif agent.overrun or self._deadline_passed(agent, now):
                if not agent.waiting:
                    watched.pop(agent.agent_id)
                self.expire(agent)
            elif retry is not None and now >= retry:
                self.restart(agent)

    def next_deadline(self) -> int | None:
        """The earliest deadline of a handler that waits; None when none does."""
        watched = self._dispatcher.watched.values()
        return min((task.deadline for agent in watched for task in _running(agent)), default=None)

    def schedule_sweep(self) -> None:
        """Live, and without ticks that sweep, a timer does it while there is something to watch."""
        loop = _get_running_loop()
        if self._sweep_timer is not None and (loop is None or loop is self._sweeping):
            return
        if loop is None or self._dispatcher.manual or isinstance(self._clock, VirtualClock):
            return
        self.cancel_timer()  # one of another event loop, which may be closed
        self._sweeping = loop
        self._looked_at = self._clock.now()
        self._sweep_timer = loop.call_later(self._policy.sweep_ns / SECOND, self._timed_sweep)

    def _forgive(self, now: int) -> None:
        """Nobody could go on while somebody else held the loop: that time counts for no one.

        How long it was is how late this look comes.
        """
        late = now - self._looked_at - self._policy.sweep_ns
        self._looked_at = now
        if self._sweep_timer is None or late <= 0:
            return
        for agent in self._dispatcher.watched.values():
            for task in _running(agent):
                begun = task.deadline - agent.policy.deadline_ns
                task.deadline += max(0, min(late, now - begun))

    def cancel_timer(self) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None

    def end_zombies(self) -> None:
        """Close what ignored its cancellation; a coroutine that refuses even that is let go."""
        for task in self.zombies:
            if not task.done():
                try:
                    task.end()
                except BaseException as error:  # what it raises as it ends is the last of it
                    unless_operator(error)
                    self.observers.emit(EventKind.FAILURE, task.get_name(), describe(error))
        self.zombies.clear()

    def _timed_sweep(self) -> None:
        try:
            self.sweep()
        finally:
            self._sweep_timer = None
        self._dispatcher.nudge()
        if self._dispatcher.watched:
            self.schedule_sweep()

    @staticmethod
    def _deadline_passed(agent: Agent, now: int) -> bool:
        return any(now >= task.deadline for task in _running(agent))

    # -- parts --------------------------------------------------------------------------------

    def _rebuild(self, agent: Agent) -> bool:
        """Hand the new incarnation its handle and let its factory make the callbacks."""
        agent.begin_anew()
        if agent.factory is None:
            agent.token = agent.handle.token
        else:
            agent.handle = self._make_handle(agent)
            agent.token = agent.handle.token
            context = agent.context
            outer, self._dispatcher.current = self._dispatcher.current, agent
            agent.mailbox.calls += 1
            window = self._dispatcher.window
            window.thread_id = get_ident()
            window.agent = agent
            try:
                try:
                    made = context.run(agent.factory, agent.handle, agent.checkpoint)
                finally:
                    window.agent = None
                agent.handlers = _handlers(agent, made)
            except BaseException as error:  # a factory that fails is a failed restart
                window.agent = None
                unless_operator(error)
                self.failed(agent, honest(error))
                if not agent.down:
                    self.isolate(agent, describe(error))
                return False
            finally:
                window.agent = None
                self._dispatcher.current = outer
            agent.mailbox.on_update = agent.handlers.on_update
        for edge in agent.mailbox.edges.values():
            edge.renew()
            self._dispatcher.watch_block(edge.source)
            if edge.resync:
                agent.mailbox.mark(edge)
        self.refresh_gate(agent)
        return True

    def _shut(self, agent: Agent) -> None:
        agent.token = None
        agent.source.unload()
        agent.source.stale = True
        agent.overrun = False
        self._dispatcher.forget_block(agent.source)
        agent.mailbox.close_gate()
        agent.mailbox.leave_queue()
        if agent.host is not None:
            agent.host.close()
        self._abandon(agent)

    def _abandon(self, agent: Agent) -> None:
        """Cancel what still runs; what does not end by that acts for nobody any more."""
        tasks = _running(agent)
        for task in agent.outcomes:
            self._give_up(agent, task)
        for task in tasks:
            if task.done():
                continue
            self._give_up(agent, task)
            task.zombie = True
            agent.zombies += 1
            self.zombies.append(task)
            task.cancel()
        self.zombies = [task for task in self.zombies if not task.done()]
        agent.busy = None
        agent.side_tasks.clear()
        agent.outcomes.clear()
        agent.staged.clear()
        agent.staged_publishes = 0
        if agent.breaker.retry_at is None:
            self._dispatcher.watched.pop(agent.agent_id, None)
        self._dispatcher.tell_quiet()

    def _give_up(self, agent: Agent, task: HandlerTask) -> None:
        envelope: Envelope | None = task.tag[1]
        if envelope is None:
            return
        agent.lossless_failed += 1
        if envelope.reply is not None and not envelope.reply.done():
            envelope.reply.set_exception(Expired(f"agent {agent.agent_id!r} did not finish it"))

    def bury(
        self, agent: Agent, envelope: Envelope, reason: str, error: type[BusError] = AgentDown
    ) -> None:
        """A message nobody will handle: recorded, and its sender told."""
        agent.lossless_dead += 1
        self.dead_letters.append(
            DeadLetter(
                self._clock.now(), envelope.sender, envelope.target, envelope.message, reason
            )
        )
        if envelope.reply is not None and not envelope.reply.done():
            envelope.reply.set_exception(error(f"message to {agent.agent_id!r}: {reason}"))
        self._event(EventKind.DEAD_LETTER, agent, f"from {envelope.sender or 'the bus'}: {reason}")

    def _bury_inbox(self, agent: Agent, reason: str) -> None:
        inbox = agent.mailbox.inbox
        while inbox:
            self.bury(agent, inbox.popleft(), reason)

    def _count_failure(self, agent: Agent, kind: EventKind, detail: str) -> None:
        agent.failures += 1
        agent.success_rate.failed(agent.mailbox.calls)
        self._event(kind, agent, detail)

    def _event(self, kind: EventKind, agent: Agent, detail: str) -> None:
        self.observers.emit(kind, agent.agent_id, detail)


def _handlers(agent: Agent, made: Any) -> Handlers:
    """What a factory returned: Handlers, a mapping of them, or None for the same as before."""
    if made is None:
        return agent.handlers
    if isinstance(made, Handlers):
        return made
    if isinstance(made, Mapping):
        return Handlers(**made)
    raise BusError(
        f"the factory of {agent.agent_id!r} returned a {type(made).__name__}",
        hint="return Handlers(...), a mapping of its names, or None to keep the callbacks",
    )


def _running(agent: Agent) -> list[HandlerTask]:
    tasks = [*agent.side_tasks]
    if agent.busy is not None:
        tasks.insert(0, agent.busy)
    return [task for task in tasks if not task.done()]


def _index(agent: Agent) -> int:
    return agent.index
