"""The one thread-safe door to a running swarm.

Whoever asks gets a future. What is asked is done in the swarm's own loop between two ticks: at once
while it waits for the next, after the tick it is in the middle of otherwise. A stop closes the
order gateway before :meth:`Control.stop` returns, whatever the swarm is doing, and reaches the
agents between the turns of two of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from mirrorcore.clock import Stopwatch
from mirrorcore.journal import JournalFullError
from mirrorcore.recent import Recent
from mirrorcore.swarm.control.actions import (
    Action,
    By,
    Command,
    ResumeTrading,
    Stop,
    StopLevel,
    described,
    told,
)
from mirrorcore.swarm.control.alerts import Alerts
from mirrorcore.swarm.control.effects import Effects
from mirrorcore.swarm.control.requests import (
    Carried,
    Done,
    NotRecordedError,
    Record,
    Request,
    begun,
    certain,
    refuse,
)
from mirrorcore.trading.gateway import HALTED

if TYPE_CHECKING:
    from mirrorcore.swarm.run import Run

T = TypeVar("T")

ACKNOWLEDGE_S = 1.0
"""How long a stop waits for agents of other processes before it names them as missing."""
_STEP_S = 0.001
_AUDITS = 500
_NOTES = 500


class Note(NamedTuple):
    """``kind`` is ``command`` or ``annotation``, ``ts`` market time in ns."""

    ts: int
    kind: str
    who: str
    text: str


class Control:
    """What may be asked of a run while it goes on; safe from any thread."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._effects = Effects(run.swarm, run.engine)
        run.engine.between = self._between
        self._waiting: deque[Request] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._stops = count(1)
        self._ended = False
        # A latch and its request are one: whoever sees the first finds the second. Re-entrant, as
        # a signal may come while the main thread holds it.
        self._accepting = threading.RLock()
        self.tick = 0
        """The tick that comes next."""
        self.alerts = Alerts()
        self.notes: Recent[Note] = Recent(_NOTES)
        """What operators did and wrote last, for the event log."""
        self.audits: deque[dict[str, Any]] = deque(maxlen=_AUDITS)
        """The newest audit entries, as they stand in the journal, each with its number ``seq``."""
        self.stopped_by: By | None = None
        """Whose stop halted the gateway, None while none is in force. A second moves nothing."""
        self.on_change: list[Callable[[], object]] = []
        """Called in the loop after something was carried out."""

    # -- asking, from any thread

    def stop(
        self, level: StopLevel, reason: str, by: By, record: Record | None = None
    ) -> Future[Done]:
        """Stop all trading. When this returns no order of any agent passes any more.

        ``record`` makes the body of an audit entry from what came of it, written at once.
        """
        gateway = self._run.swarm.parts.path.gateway
        reason, by = told(reason), by.told()
        why = reason or f"emergency stop by {by}"
        asked = Stopwatch()
        with self._accepting:
            gateway.latch(why)
            closed = asked.wall_ns()
            action = Stop(level, why, next(self._stops))
            request = Request(certain(), asked, action=action, by=by, reason=reason)
            request.record = record
            request.closed_ns = closed
            self._waiting.append(request)
        return self._wake(request)

    def act(
        self, action: Action, by: By, reason: str = "", record: Record | None = None
    ) -> Future[Done]:
        """Have an action carried out; the future raises MirrorCoreError where it cannot be."""
        if isinstance(action, Stop):
            return self.stop(action.level, reason or action.reason, by, record)
        if isinstance(action, ResumeTrading):
            action = ResumeTrading(told(action.reason))
        reason, by = told(reason), by.told()
        request = Request(Future(), Stopwatch(), action=action, by=by, reason=reason)
        request.record = record
        return self._put(request)

    def ask(self, question: Callable[[Run], T]) -> Future[T]:
        """What ``question(run)`` answers between two ticks. It must change nothing."""
        return cast("Future[T]", self._put(Request(Future(), Stopwatch(), question=question)))

    def audit(self, body: dict[str, Any]) -> Future[int | None]:
        """One ``audit`` entry in the journal's chain; its number, None where the disk is full."""
        return self._put(Request(certain(), Stopwatch(), audit=body))

    def _put(self, request: Request) -> Future[Any]:
        self._waiting.append(request)
        if not request.future.running():
            request.future.add_done_callback(lambda _: self._forget(request))
        return self._wake(request)

    def _forget(self, request: Request) -> None:
        """What was taken back does not pile up before a swarm that is held up."""
        if request.future.cancelled():
            with contextlib.suppress(ValueError):  # it has just been taken up
                self._waiting.remove(request)

    def _next(self) -> Request | None:
        try:
            return self._waiting.popleft()
        except IndexError:  # none, or another thread was quicker
            return None

    def _wake(self, request: Request) -> Future[Any]:
        if self._ended:
            self._refuse_all()
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the run has ended
                loop.call_soon_threadsafe(woken.set)
        return request.future

    # -- carrying out, in the swarm's loop

    async def idle(self, seconds: float, stop: asyncio.Event) -> bool:
        """Wait for ``seconds`` or ``stop`` and carry out meanwhile what is asked; True where the
        time has passed."""
        woken = self._bind()
        watch = Stopwatch()
        while True:
            woken.clear()
            await self.carry_out()
            left = seconds - watch.wall_ns() / 1e9
            if stop.is_set():
                return False
            if left <= 0:
                return True
            await _first_of(left, woken, stop)

    async def woken(self) -> None:
        """Until something is asked."""
        await self._bind().wait()

    def _bind(self) -> asyncio.Event:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._woken is None:
            self._woken, self._loop = asyncio.Event(), loop
            if self._waiting:
                self._woken.set()
        return self._woken

    async def carry_out(self) -> None:
        """Do everything that has been asked so far, in its order."""
        if self._woken is not None:
            self._woken.clear()
        changed = False
        with self._accepting:
            pass  # a stop that the last tick has found is among what waits, or comes after it
        while (request := self._next()) is not None:
            if not begun(request.future):
                continue
            try:
                if request.action is not None:
                    changed = True
                    carried = request.carried or self._apply(request, request.action)
                    await self._acknowledged(carried)
                    self._conclude(request, carried)
                elif request.question is not None:
                    request.future.set_result(request.question(self._run))
                elif request.audit is not None:
                    request.future.set_result(self._audit(request.audit))
            except Exception as error:  # told to whoever asked; the run goes on
                request.future.set_exception(error)
        if changed:
            self.changed()

    def _audit(self, body: dict[str, Any]) -> int | None:
        seq = self._run.scribe.audit(body)
        self.audits.append({"seq": seq, **body})
        return seq

    def remark(self, body: dict[str, Any]) -> int:
        """An ``audit`` entry of what is a record and nothing else; on disk when this returns, in
        the swarm's loop. NotRecordedError."""
        try:
            seq = self._run.scribe.remark(body)
        except JournalFullError as error:
            raise NotRecordedError(error) from error
        self.audits.append({"seq": seq, **body})
        return seq

    def note(self, ts: int, kind: str, who: str, text: str) -> None:
        """Put something an operator did or wrote into the event log; in the swarm's loop."""
        self.notes.append(Note(ts, kind, who, text))

    def changed_from_outside(self) -> None:
        """Tell the onlookers from another thread, when the swarm comes to it."""
        self.ask(lambda _: self.changed())

    def changed(self) -> None:
        """Tell those who show the swarm that there is something new; they can break nothing."""
        for callback in self.on_change:
            try:
                callback()
            except Exception as error:  # whoever looks on has failed, the swarm has not
                self.warn(f"an onlooker failed: {type(error).__name__}: {error}")

    def warn(self, text: str) -> None:
        """Have the report say so, once; from any thread."""
        self._run.warnings.append(text)

    def _between(self, pause: int) -> None:
        """In a pause of a tick: carry out a stop that was given since the last one.

        Unless something else was asked for before it, which has to be done before it.
        """
        if self._run.swarm.parts.path.gateway.latched is None:
            return
        with self._accepting:
            pass  # the stop that was given is among what waits
        asked = (request for request in tuple(self._waiting) if request.action is not None)
        request = next(asked, None)
        if request is None or request.carried or not isinstance(request.action, Stop):
            return
        self._waiting.remove(request)
        try:
            carried = request.carried = self._apply(request, request.action, pause)
            if self._heard(carried):
                self._conclude(request, carried)
            else:
                self._waiting.appendleft(request)  # somebody takes longer than a pause
        except Exception as error:  # told to whoever asked; the run goes on
            request.future.set_exception(error)

    def _apply(self, request: Request, action: Action, pause: int | None = None) -> Carried:
        within = None
        if isinstance(action, Stop) and pause is None:
            # Where in the last tick a stop was found, if it was in the middle of it.
            within = self._run.swarm.parts.path.looks.stopped_at
        command = Command(self.tick, action, request.by, request.reason, within, pause)
        try:
            seq: int | None = self._run.scribe.command(command)
        except Exception as error:
            full = isinstance(error, JournalFullError)
            if not isinstance(action, Stop):
                raise (NotRecordedError(error) if full else error) from error
            seq = None  # whatever ails the record, a stop is a stop
            if full:
                self._run.scribe.command_later(command)
        open_before = self._run.swarm.parts.path.gateway.state is not HALTED
        effect = self._effects.apply(action)
        if isinstance(action, Stop) and open_before:
            self.stopped_by = request.by
        elif isinstance(action, ResumeTrading):
            self.stopped_by = None
        return Carried(action, self.tick, seq, effect)

    def _conclude(self, request: Request, carried: Carried) -> None:
        """Tell whoever asked, the record and the log of events."""
        effect = carried.effect
        done = Done(
            carried.tick,
            carried.seq,
            effect.acked,
            effect.missing,
            effect.result,
            request.asked.wall_ns() / 1e6,
            None if request.closed_ns is None else request.closed_ns / 1e6,
        )
        now = self._run.swarm.parts.clock.now()
        self.alerts.command(now, carried.action, request.by)
        self.note(now, "command", str(request.by), described(carried.action))
        if request.record is not None:
            done.audit_seq = self._audit(request.record(done))
        request.future.set_result(done)

    def _heard(self, carried: Carried) -> bool:
        """Whether nobody has to acknowledge it any more; who has is in its effect then."""
        action = carried.action
        return not isinstance(action, Stop) or self._effects.acknowledgements(
            action, carried.effect
        )

    async def _acknowledged(self, carried: Carried) -> None:
        watch = Stopwatch()
        while not self._heard(carried):
            if watch.wall_ns() / 1e9 > ACKNOWLEDGE_S:
                return
            await asyncio.sleep(_STEP_S)

    # -- the end

    def close(self) -> None:
        """The run is over: whoever still waits is told, and whoever asks from now on."""
        while (request := self._next()) is not None:
            if request.audit is None:
                refuse(request)
                continue
            try:  # what was done before the end is still written down
                request.future.set_result(self._audit(request.audit))
            except Exception as error:
                request.future.set_exception(error)
        self._ended = True
        self._refuse_all()

    def _refuse_all(self) -> None:
        while (request := self._next()) is not None:
            refuse(request)


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    """Until one of the events is set, at most ``seconds``."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    timeout = None if seconds == float("inf") else seconds
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
