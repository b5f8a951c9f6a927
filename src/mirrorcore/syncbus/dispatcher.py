"""The one place that calls agents.

Order: signals first, between any two calls; then the agents in the order in which they became
ready, a few calls each; within an agent messages before state. Sync handlers are called
directly, async ones started in place, and kept as tasks only if they wait. There is no set, no
wall clock and no randomness in what is called when.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from threading import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Clock, VirtualClock, stamp_ns
from mirrorcore.syncbus.edge import Edge
from mirrorcore.syncbus.faults import (
    AgentBlocked,
    BusError,
    Expired,
    FloodError,
    RequestFailed,
)
from mirrorcore.syncbus.mailbox import Envelope, Mailbox
from mirrorcore.syncbus.messages import Update
from mirrorcore.syncbus.outcomes import Outcomes
from mirrorcore.syncbus.policy import BusPolicy
from mirrorcore.syncbus.supervision import LifeState
from mirrorcore.syncbus.window import Window

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.source import StateSource
    from mirrorcore.syncbus.storm import StormWatch
    from mirrorcore.syncbus.supervisor import Supervisor


_DEEPEST = 32
"""Eager calls within each other; beyond, the interpreter's stack might end within the bus."""


class Dispatcher:
    """Calls agents until nothing is ready, or a turn's worth per turn of the event loop.

    Closing the window may raise: what a watchdog threw at the agent arrives there at the latest.
    So it is closed in a ``finally`` whose errors are the agent's too, and there once more.

    ``armed`` says that somebody will dispatch: a publisher need not see to it. ``row`` is the row
    of the loaded blocks that the clock has reached, -1 before the first.
    """

    __slots__ = (
        "_clock",
        "_context",
        "_loop",
        "_policy",
        "_running",
        "_serving",
        "_stamp",
        "_wall_deadlines",
        "_within",
        "armed",
        "block_sources",
        "completions",
        "critical",
        "current",
        "manual",
        "on_quiet",
        "outcomes",
        "push_blocks",
        "ready",
        "row",
        "storm",
        "supervisor",
        "watched",
        "window",
        "witness",
    )

    supervisor: Supervisor
    storm: StormWatch

    def __init__(self, clock: Clock, policy: BusPolicy, *, manual: bool) -> None:
        self._clock = clock
        # Not the context of the agent whose publish happens to come first.
        self._context = copy_context()
        self._policy = policy
        self._wall_deadlines = not isinstance(clock, VirtualClock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False
        self._serving: asyncio.AbstractEventLoop | None = None
        self._stamp = 0
        self.manual = manual
        self.armed = manual
        self.ready: deque[Mailbox] = deque()
        self.critical: deque[Agent] = deque()
        self.current: Agent | None = None
        self.window = Window()
        self.outcomes = Outcomes(self, clock)
        self._within: list[Agent | None] = []  # who published, from call to call within it
        self.completions: list[Agent] = []
        self.watched: dict[str, Agent] = {}
        self.on_quiet: list[asyncio.Future[None]] = []
        self.witness: Callable[[str, int, Any], None] | None = None
        self.row = -1
        self.block_sources: dict[str, StateSource] = {}
        self.push_blocks: dict[str, StateSource] = {}

    # -- when to run --------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return bool(self.ready or self.critical)

    @property
    def expects_turn(self) -> bool:
        """Whether agents wait, and this event loop is about to come round for them."""
        return self._loop is not None and bool(self.ready)

    def arm(self) -> None:
        """Work has appeared: have the running event loop, if there is one, come round for it."""
        loop = _get_running_loop()
        if loop is not None and not self.armed:
            self.armed = True
            self._loop = loop
            loop.call_soon(self._loop_turn, context=self._context)

    def announce(self, agents: Sequence[Agent]) -> None:
        """A signal waits for each of ``agents``: who is being called now is interrupted for it."""
        self.critical.extend(agents)
        if agents and self.current is not None:
            self.current.mailbox.urgent = True

    def serving_loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that is being served, or runs here; None where none does."""
        return self._serving if self._running else _get_running_loop()

    def nudge(self) -> None:
        """Like :meth:`arm`, for callers that do not know whether there is work."""
        if self._loop is not None and self._loop.is_closed():
            self._loop, self.armed = None, self.manual
        if self.busy and not self.armed:
            self.arm()

    def settle(self) -> int:
        """Call whoever is ready until nobody is; returns the number of calls made."""
        if self._running or self.current is not None:
            return 0
        return self.run(self._until_quiet)

    def run(self, work: Callable[[], int]) -> int:
        """Do ``work`` as the dispatcher: what it makes ready waits until it is done."""
        if self._running or self.current is not None:
            raise BusError("an agent's handler cannot drive the bus that called it")
        self._running = True
        self._serving = _get_running_loop()
        self.window.thread_id = get_ident()
        armed, self.armed = self.armed, True
        try:
            return work()
        finally:
            self._running = False
            self._serving = None
            self.current = None
            self.armed = armed
            self.nudge()

    def watch_block(self, source: StateSource) -> None:
        """``source`` has a block loaded, or a reader more while it has."""
        if source.block is None:
            return
        self.block_sources[source.name] = source
        if any(edge.mailbox.pushes for edge in source.readers):
            self.push_blocks[source.name] = source

    def forget_block(self, source: StateSource) -> None:
        self.block_sources.pop(source.name, None)
        self.push_blocks.pop(source.name, None)

    def completions_block(self) -> bool:
        """Whether somebody waits for an admission, so that waiting longer cannot help it."""
        return any(agent.staged and not agent.outcomes for agent in self.completions)

    def _loop_turn(self) -> None:
        self._loop = None
        self.armed = self.manual
        if not self._running:
            self.run(lambda: self._serve(self._policy.turn))

    def _until_quiet(self) -> int:
        calls = 0
        storm = self.storm
        acquitted = storm.acquitted
        while self.busy:
            calls += self._serve(storm.stretch())
            if storm.acquitted > acquitted + 2:
                raise BusError(
                    "the bus does not come to rest, and no agent's calls bring about its own",
                    hint="an observer or the assembly publishes whenever it is told something",
                )
        return calls

    def _serve(self, budget: int) -> int:
        """Up to ``budget`` calls and the turn under way."""
        storm = self.storm
        turn = self._turn if storm.trace is None else partial(storm.turn, dispatch=self._turn)
        calls = self._call_ready(budget, turn)
        storm.note(calls, busy=self.busy)
        return calls

    def _call_ready(self, budget: int, turn: Callable[[Mailbox], int]) -> int:
        calls = 0
        ready, critical = self.ready, self.critical
        self._stamp = stamp_ns()
        while calls < budget:
            if critical:
                self.serve_critical()
                self._stamp = stamp_ns()
            if not ready:
                break
            mailbox = ready.popleft()
            if mailbox.waited:
                mailbox.waited = False
                if ready:
                    ready.append(mailbox)
                    continue
            if not mailbox.gated:
                calls += mailbox.context.run(turn, mailbox)
        return calls

    # -- calling agents -----------------------------------------------------------------------

    def _turn(self, mailbox: Mailbox) -> int:  # noqa: PLR0912, PLR0915  # the hot path
        """Some calls of one agent: its messages, then its dirty edges, oldest first.

        The whole turn runs in the agent's own context: entering it for each call would cost each.
        """
        agent: Agent = mailbox.agent
        first = mailbox.calls
        turn = mailbox.turn
        window = self.window
        edges: Iterator[Edge] | None = None
        self.current = agent
        try:
            open_ = True
            if mailbox.urgent:
                open_ = self._urgent(agent, first + turn) and mailbox.calls - first < turn
            pending = mailbox.pending
            handler = mailbox.on_update
            if pending and open_ and handler is not None:
                if len(pending) <= turn:
                    mailbox.pending = []
                else:
                    pending, mailbox.pending = pending[:turn], pending[turn:]
                edges = iter(pending)
                for edge in edges:
                    edge.queued = False
                    source = edge.source
                    version = source.version
                    if version - edge.seen == 1 and edge.plain:
                        edge.seen = version
                        edge.delivered += 1
                        update: Any = source.newest
                        if update is None:  # as source.latest() makes it, for all readers
                            fields = MappingProxyType(source.delta)
                            update = Update(source.name, fields, version, 1, False, source.t)
                            source.newest = update
                    else:
                        update = edge.take()
                        if update is None:
                            continue
                    mailbox.calls += 1
                    window.agent = agent
                    try:
                        try:
                            result = handler(update)
                        finally:
                            window.agent = None
                    except BaseException as error:
                        window.agent = None
                        self.outcomes.raised(agent, error)
                    else:
                        if result is not None:
                            self.outcomes.returned(agent, result, None)
                        elif mailbox.probing:
                            self.supervisor.succeeded(agent)
                    if mailbox.urgent and not self._urgent(agent, first + turn):
                        break
                else:
                    edges = None
        finally:
            self.current = None
            if edges is not None:
                mailbox.put_back(edges)
            calls = mailbox.calls - first
            if calls:
                # A turn begins where the one before ended.
                now = stamp_ns()
                took = now - self._stamp
                self._stamp = now
                bucket = (took // calls).bit_length()
                if bucket == mailbox.bucket:
                    mailbox.in_bucket += calls
                else:
                    agent.fill(bucket, calls)
                if took > mailbox.brisk_ns:
                    self._slow_turn(mailbox, took, calls)
            if mailbox.urgent and agent.fault is not None:
                self._faulted(agent, agent.fault)
            if mailbox.gated or mailbox.inbox or mailbox.pending:
                mailbox.rest()
            else:
                mailbox.held = mailbox.on_update is None
        return calls

    def _urgent(self, agent: Agent, until: int) -> bool:
        """What goes before the next state: signals of anybody, the own gate, the own messages.

        False where the agent may not be called any more.
        """
        mailbox = agent.mailbox
        while True:
            if agent.fault is not None:
                self._faulted(agent, agent.fault)
            if self.critical:
                self.serve_critical(agent)
                self.current = agent
            if mailbox.gated:
                return False
            if not mailbox.inbox:
                mailbox.urgent = False
                return True
            if mailbox.calls >= until:
                return True
            self._deliver(agent, mailbox.inbox.popleft())

    def tick(self, agents: Sequence[Agent], view: Any) -> int:
        """Call ``on_tick(view)`` of each of ``agents`` that may be called; how many there are."""
        self._stamp = stamp_ns()
        for agent in agents:
            if self.critical:
                self.serve_critical()
                self._stamp = stamp_ns()
            handler = agent.handlers.on_tick
            if handler is None:
                continue
            if agent.mailbox.gated:
                agent.skipped += 1
            else:
                self._call(agent, handler, view)
        return len(agents)

    def _call(self, agent: Agent, handler: Callable[[Any], Any], view: Any) -> None:
        """One call outside the lanes; it begins where the one before ended."""
        self.current = agent
        mailbox = agent.mailbox
        mailbox.calls += 1
        window = self.window
        window.agent = agent
        try:
            try:
                result = mailbox.context.run(handler, view)
            finally:
                window.agent = None
        except BaseException as error:
            window.agent = None
            self.outcomes.raised(agent, error)
        else:
            if result is not None:
                self.outcomes.returned(agent, result, None)
            elif agent.state is LifeState.PROBING:
                self.supervisor.succeeded(agent)
        finally:
            self.current = None
            now = stamp_ns()
            took = now - self._stamp
            self._stamp = now
            bucket = took.bit_length()
            if bucket == mailbox.bucket:
                mailbox.in_bucket += 1
            else:
                agent.fill(bucket, 1)
            if took > mailbox.brisk_ns and took > agent.policy.deadline_ns:
                self._overran(agent)
            if agent.fault is not None:
                self._faulted(agent, agent.fault)

    def call_within(self, edge: Edge) -> bool:
        """Deliver to ``edge`` within the publish under way; False where its agent has to wait.

        That is one which may not be called now, or whose own call led here, or too deep inside.
        Nobody is called in a context that it is in already.
        """
        mailbox = edge.mailbox
        agent: Agent = mailbox.agent
        outer = self.current
        handler = mailbox.on_update
        if handler is None or mailbox.gated or agent is outer or agent in self._within:
            return False
        if len(self._within) >= _DEEPEST:
            return False
        update = edge.take()
        if update is None:
            return True
        window = self.window
        whose, self.current = window.agent, agent
        if outer is None and not self._running:
            window.thread_id = get_ident()
        self._within.append(outer)
        mailbox.calls += 1
        window.agent = agent
        try:
            try:
                result = agent.context.run(handler, update)
            finally:
                window.agent = None
        except BaseException as error:
            window.agent = None
            self.outcomes.raised(agent, error)
        else:
            if result is not None:
                self.outcomes.returned(agent, result, None)
            elif agent.state is LifeState.PROBING:
                self.supervisor.succeeded(agent)
        finally:
            self._within.pop()
            self.current = outer
            if self.critical and outer is not None:
                outer.mailbox.urgent = True  # a signal was given in here: it interrupts all of them
            if agent.fault is not None:
                self._faulted(agent, agent.fault)
            window.agent = whose
        return True

    def guarded(self, agent: Agent, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """One call whose result the caller wants: (ok, result)."""
        mailbox = agent.mailbox
        if mailbox.gated:
            agent.skipped += 1
            return False, None
        outer, self.current = self.current, agent
        # Within a call it may be its own, which is in its context already.
        context = agent.context if outer is None else agent.context.copy()
        mailbox.calls += 1
        window = self.window
        window.thread_id = get_ident()
        started = stamp_ns()
        window.agent = agent
        try:
            try:
                result = context.run(function, *args)
            finally:
                window.agent = None
        except BaseException as error:
            window.agent = None
            self.outcomes.raised(agent, error)
            return False, None
        finally:
            self.current = outer
            agent.took(stamp_ns() - started)
            fault = agent.fault
            if fault is not None:
                self._faulted(agent, fault)
        if fault is not None:
            return False, None
        if agent.state is LifeState.PROBING:
            self.supervisor.succeeded(agent)
        return True, result

    def ahead(
        self, agent: Agent, rows: int, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """Agent code that is run ahead of its turn, for ``rows`` calls at once."""
        window = self.window
        context = agent.context.copy()
        agent.ahead = rows
        window.thread_id = get_ident()
        window.agent = agent
        try:
            try:
                return context.run(function, *args)
            finally:
                window.agent = None
        except AgentBlocked:
            window.agent = None
            raise
        finally:
            agent.ahead = 0

    def serve_signals(self) -> None:
        """Deliver what waits on critical lanes: while a tick pauses that alone, else all there is
        to do."""
        if self._running and self.current is None:
            self.serve_critical()
        else:
            self.settle()

    def serve_critical(self, inside: Agent | None = None) -> None:
        """Deliver every signal that waits, oldest first; ``inside`` is in its context already."""
        critical, window = self.critical, self.window
        began = stamp_ns()
        while critical:
            agent = critical.popleft()
            mailbox = agent.mailbox
            assert mailbox.signals is not None, "each is announced with its signal"
            signal = mailbox.signals.popleft()
            handler = agent.handlers.on_signal
            if handler is None or agent.down:
                continue
            self.current = agent
            mailbox.calls += 1
            window.agent = agent
            try:
                try:
                    if agent is inside:
                        result = handler(signal)
                    else:
                        result = mailbox.context.run(handler, signal)
                finally:
                    window.agent = None
            except BaseException as error:
                window.agent = None
                self.outcomes.raised(agent, error)
            else:
                if result is not None:
                    self.outcomes.returned(agent, result, None, side=True)
                elif mailbox.probing:
                    self.supervisor.succeeded(agent)
            # A call begins where the one before ended.
            ended = stamp_ns()
            took = ended - began
            began = ended
            agent.took(took)
            self._stamp += took  # not the time of the agent whose turn was interrupted
            if took > agent.policy.deadline_ns:
                self._overran(agent)
            if agent.fault is not None:
                self._faulted(agent, agent.fault)
                began = stamp_ns()
        self.current = None

    def _deliver(self, agent: Agent, envelope: Envelope) -> None:
        now = self._clock.now()
        if envelope.expires is not None and envelope.expires <= now:
            self.supervisor.bury(agent, envelope, "expired in the inbox", Expired)
            return
        handler = agent.handlers.on_message
        if handler is None:
            self.supervisor.bury(agent, envelope, "the agent takes no messages", RequestFailed)
            return
        agent.mailbox.calls += 1
        agent.sender = envelope.sender
        self.window.agent = agent
        try:
            try:
                result = handler(envelope.message)
            finally:
                self.window.agent = None
        except BaseException as error:
            self.window.agent = None
            self.outcomes.answer_failure(agent, envelope, error)
            self.outcomes.raised(agent, error)
        else:
            self.outcomes.returned(agent, result, envelope)

    # -- what goes beyond -------------------------------------------------------------------------

    def tell_quiet(self) -> None:
        """Wake those who wait for tasks to end."""
        waiters, self.on_quiet = self.on_quiet, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _slow_turn(self, mailbox: Mailbox, took: int, calls: int) -> None:
        """A turn took more than 1/16 of the deadline: from now on one call a turn, to be exact."""
        if not self._wall_deadlines:
            return
        deadline = mailbox.agent.policy.deadline_ns
        mailbox.turn = 1
        if took > deadline and (calls == 1 or took > 2 * deadline):
            self._overran(mailbox.agent)

    def _overran(self, agent: Agent) -> None:
        """A sync handler held the loop beyond its deadline; judged at the tick boundary."""
        if self._wall_deadlines and not agent.down:
            agent.overrun = True
            self.watched[agent.agent_id] = agent
            self.supervisor.schedule_sweep()

    def flood(self, agent: Agent, what: str, limit: int) -> None:
        """``agent`` goes beyond what one call may do: nothing more of it until it is judged."""
        agent.refused += 1
        agent.mailbox.gated = True
        error = FloodError(f"agent {agent.agent_id!r} {what} more than {limit} times in one call")
        self.fault(agent, error)
        raise error

    def fault(self, agent: Agent, error: Exception) -> None:
        """``agent`` does what it must not: its call has failed, also where it hides the error."""
        if self.current is agent:
            agent.fault = error
            agent.mailbox.urgent = True

    def _faulted(self, agent: Agent, error: Exception) -> None:
        """The call that did it has ended without saying so."""
        self.supervisor.failed(agent, error)
