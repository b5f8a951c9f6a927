"""How calls end: what a handler returned or raised, at once or after it has waited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from threading import get_ident
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Clock, stamp_ns
from mirrorcore.syncbus.faults import (
    AgentBlocked,
    RequestFailed,
    Undeliverable,
    describe,
    honest,
    unless_operator,
)
from mirrorcore.syncbus.mailbox import Envelope
from mirrorcore.syncbus.supervision import LifeState
from mirrorcore.syncbus.task import HandlerTask

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher

_NEVER = 1 << 62


class Outcomes:
    """Judges each call of ``dispatcher`` once it has ended, and runs what waits until it does.

    Whoever answers a message is answered here, a failure goes to the supervisor.
    """

    __slots__ = ("_clock", "_dispatcher")

    def __init__(self, dispatcher: Dispatcher, clock: Clock) -> None:
        self._dispatcher = dispatcher
        self._clock = clock

    def raised(self, agent: Agent, error: BaseException) -> None:
        """A call of ``agent`` has failed with ``error``."""
        # Only the operator ends the process; an agent that exits has failed.
        unless_operator(error)
        error = honest(error)
        if isinstance(error, AgentBlocked) and isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__
        self._dispatcher.supervisor.failed(agent, error)

    def returned(
        self, agent: Agent, result: Any, envelope: Envelope | None, *, side: bool = False
    ) -> None:
        """A handler returned something: an awaitable to run, or its plain answer."""
        if type(result) is CoroutineType:
            self.begin(agent, result, envelope, side=side)
        elif result is None:
            self._done(agent, envelope, None, None)
        else:
            self._returned_something(agent, result, envelope, side=side)

    def _returned_something(
        self, agent: Agent, result: Any, envelope: Envelope | None, *, side: bool
    ) -> None:
        """Whether it can be awaited is answered by the agent's own code."""
        window = self._dispatcher.window
        window.agent = agent
        try:
            try:
                waits = agent.context.copy().run(hasattr, result, "__await__")
            finally:
                window.agent = None
        except BaseException as error:
            window.agent = None
            self._done(agent, envelope, error, None)
            return
        if waits:
            self.begin(agent, _await(result), envelope, side=side)
        else:
            self._done(agent, envelope, None, result)

    def begin(self, agent: Agent, coro: Any, envelope: Envelope | None, *, side: bool) -> None:
        """Run a coroutine to its first wait; keep it as a task if it gets that far."""
        loop = self._dispatcher.serving_loop()
        if loop is None:
            self._run_without_loop(agent, coro, envelope)
            return
        task = agent.spare
        agent.spare = None
        if task is None or task.loop is not loop:
            task = HandlerTask(agent, self._dispatcher, loop)
        task.tag = None
        if task.start(coro, wanted=envelope is not None):
            error, value = task.error, task.value
            if task.reusable():
                agent.spare = task
            self._done(agent, envelope, error, value)
            return
        task.tag = (agent, envelope, side)
        task.deadline = self._clock.now() + agent.policy.deadline_ns
        task.started = stamp_ns()
        if side:
            agent.side_tasks.append(task)
        else:
            agent.busy = task
            agent.mailbox.close_gate()
        self._dispatcher.watched[agent.agent_id] = agent
        self._dispatcher.supervisor.schedule_sweep()

    def engage(self, agent: Agent, coro: Coroutine[Any, Any, None]) -> None:
        """Keep ``agent`` busy with ``coro``, a call that no deadline of the bus ends."""
        agent.mailbox.calls += 1
        self.begin(agent, coro, None, side=False)
        if agent.busy is not None:
            agent.busy.deadline = _NEVER

    def _run_without_loop(self, agent: Agent, coro: Any, envelope: Envelope | None) -> None:
        context = agent.context.copy()
        window = self._dispatcher.window
        window.agent = agent
        try:
            try:
                context.run(coro.send, None)
            finally:
                window.agent = None
        except StopIteration as stop:
            self._done(agent, envelope, None, stop.value)
        except BaseException as error:
            window.agent = None
            self._done(agent, envelope, error, None)
        else:
            waits = RuntimeError("the handler waits, but no event loop is running")
            try:
                coro.close()
            except BaseException as error:
                unless_operator(error)
                waits.add_note(describe(error))
            self._done(agent, envelope, waits, None)

    def around(self, task: HandlerTask, step: Callable[[], None]) -> None:
        """A task goes on: its agent acts, unless it was given up."""
        agent: Agent = task.tag[0]
        outer, self._dispatcher.current = self._dispatcher.current, agent
        token = agent.token
        if task.zombie:
            agent.token = None
        else:
            agent.staging = self._dispatcher.manual
        try:
            step()
        finally:
            self._dispatcher.current = outer
            agent.staging = False
            if task.zombie:
                agent.token = token
            elif agent.fault is not None:
                task.fault, agent.fault = agent.fault, None
        self._dispatcher.nudge()

    def follow(self, agent: Agent, callback: Callable[[Any], object], task: HandlerTask) -> None:
        """A done-callback of a handler: watched like any code of its agent, and its errors told.

        The call it belonged to has been judged before.
        """
        window = self._dispatcher.window
        window.thread_id = get_ident()
        window.agent = agent
        try:
            try:
                callback(task)
            finally:
                window.agent = None
        except BaseException as error:
            window.agent = None
            unless_operator(error)
            self._dispatcher.supervisor.tell(agent, f"after a call: {describe(honest(error))}")

    def finished(self, task: HandlerTask) -> None:
        """A task has come to its end; it counts now, or where ticks admit it, then."""
        agent: Agent = task.tag[0]
        if task.zombie:
            agent.zombies -= 1
        elif self._dispatcher.manual:
            agent.outcomes.append(task)
            self._dispatcher.completions.append(agent)
        else:
            self.conclude(agent, task)
        self._dispatcher.tell_quiet()

    def conclude(self, agent: Agent, task: HandlerTask) -> None:
        """Account for a task that has finished, and let its agent be called again."""
        _, envelope, side = task.tag
        if side:
            agent.side_tasks.remove(task)
        else:
            agent.busy = None
            agent.mailbox.waited = not self._dispatcher.manual
        if not agent.waiting:
            self._dispatcher.watched.pop(agent.agent_id, None)
        agent.took(stamp_ns() - task.started)
        error = task.error
        fault = task.fault or agent.fault
        # Its gate was closed while it waited, and is opened below: a flood closed it once more.
        agent.fault = None
        if error is None:
            error = fault
        try:
            self._done(agent, envelope, error, task.value)
        finally:
            self._dispatcher.supervisor.refresh_gate(agent)

    def _done(
        self, agent: Agent, envelope: Envelope | None, error: BaseException | None, value: Any
    ) -> None:
        error = None if error is None else honest(error)
        if isinstance(error, Undeliverable) and envelope is not None:
            # Nobody but its sender is to blame for a message that cannot get where it is read.
            self._dispatcher.supervisor.bury(agent, envelope, error.message, RequestFailed)
            return
        if error is not None:
            if envelope is not None:
                self.answer_failure(agent, envelope, error)
            self.raised(agent, error)
            return
        if envelope is not None:
            agent.lossless_handled += 1
            if envelope.reply is not None and not envelope.reply.done():
                envelope.reply.set_result(value)
        if agent.state is LifeState.PROBING:
            self._dispatcher.supervisor.succeeded(agent)

    def answer_failure(self, agent: Agent, envelope: Envelope, error: BaseException) -> None:
        """Whoever asked hears that the call failed."""
        agent.lossless_failed += 1
        if envelope.reply is not None and not envelope.reply.done():
            envelope.reply.set_exception(
                RequestFailed(f"agent {agent.agent_id!r} raised {describe(error)}")
            )


async def _await(awaitable: Awaitable[Any]) -> Any:
    """Whatever can be awaited, as a coroutine."""
    return await awaitable
