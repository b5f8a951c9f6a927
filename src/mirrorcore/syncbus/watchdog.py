"""Watches from a thread of its own that no agent keeps the event loop to itself.

What Python allows: a loop in Python code is ended by an exception thrown into it; code in C is
not, it can be named alone. How it is known that one and the same stretch of an agent's code still
runs: the window is *armed*, its class exchanged for one that notices the next write. As long as
nobody has written, nothing but that stretch has run; it costs nothing until a look, and then one
slow write.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.clock import MILLISECOND, SECOND, stamp_ns
from mirrorcore.syncbus.faults import AgentBlocked, describe
from mirrorcore.syncbus.interrupt import Interrupter, Starvation, agents_part, lines_of
from mirrorcore.syncbus.messages import Ending, Stall
from mirrorcore.syncbus.window import Window

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.supervisor import Supervisor

StallCallback = Callable[[Stall], object]
_STUBBORN = 5
"""An agent that has caught what ends it so often will go on catching it."""

_CERTAIN = 500 * MILLISECOND
"""A thread that could not look for so long, while the watched one worked, was kept from looking;
a shorter time it may have had to wait for a processor."""

_SLOT: Any = Window.__dict__["agent"]


class WatchdogPolicy(msgspec.Struct, frozen=True):
    """How the watchdog looks and strikes; all of it wall time.

    It looks every ``poll_ns``. A call that holds the loop for longer than ``deadline_ns`` (the
    agent's own deadline where that is None) is struck, again every ``again_ns`` while it goes on,
    ``strikes`` times at most; one that no strike reaches for ``native_ns`` is in C code.
    """

    poll_ns: int = 20 * MILLISECOND
    deadline_ns: int | None = None
    again_ns: int = 50 * MILLISECOND
    native_ns: int = 100 * MILLISECOND
    strikes: int = 40


class Stretch:
    """Agent code that has run without a break since ``since``."""

    __slots__ = (
        "agent", "call", "landed", "late", "lines", "named", "native", "since", "starved",
        "strikes", "struck",
    )  # fmt: skip

    def __init__(self, since: int) -> None:
        self.since = since
        self.agent: Agent | None = None
        self.call = 0
        self.late = False
        self.native = False
        self.starved = 0
        self.named = False
        self.lines: tuple[str, ...] = ()
        self.strikes = 0
        self.struck = 0
        self.landed = 0

    def ending(self, policy: WatchdogPolicy, now: int) -> Ending | None:
        """What has become of it so far; None while that is open."""
        if self.native:
            return Ending.NATIVE
        if self.landed:
            return Ending.STUBBORN if self.landed >= _STUBBORN else None
        if self.struck and now - self.struck > policy.native_ns:
            return Ending.NATIVE
        return None


class Watchdog:
    """The watching thread of one bus; it watches the thread that dispatches.

    ``on_stall`` is told of each stall from the watching thread, as soon as it is known whether the
    call can be ended: it must be quick and may touch nothing of the bus. With ``only``, pairs of
    agent and number of the call, every other call may take as long as it likes.
    """

    def __init__(
        self,
        window: Window,
        supervisor: Supervisor,
        policy: WatchdogPolicy | None = None,
        on_stall: StallCallback | None = None,
        only: Collection[tuple[str, int]] | None = None,
    ) -> None:
        self.policy = WatchdogPolicy() if policy is None else policy
        self.stretch: Stretch | None = None
        self.failures: deque[str] = deque(maxlen=64)
        self._window = window
        self._supervisor = weakref.ref(supervisor)
        self._on_stall = on_stall
        self._only = only
        self._told: deque[Stall] = deque()
        self._trap = _trap(self)
        self._interrupter = Interrupter()
        self._belong_here()
        # Held until the end. An Event's wait is Python code, too slow to see what just returned.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread = threading.Thread(target=self._watch, name="mirrorcore-watchdog", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _belong_here(self) -> None:
        """The calling thread is the one to watch."""
        self._home = self.thread_id = threading.get_ident()
        self._watched = threading.current_thread()
        self._starvation = Starvation()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Returns when the thread has ended, or after a second."""
        self.ask_to_stop()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        self.stretch = None
        if type(self._window) is self._trap:
            self._window.__class__ = Window

    def ask_to_stop(self) -> None:
        """The same without waiting, for whoever must not wait."""
        if self._running.locked():
            self._running.release()

    # -- in the watching thread -------------------------------------------------------------------

    def _watch(self) -> None:
        # A tracer's own code between check and throw would undo the care taken there.
        sys.settrace(None)
        sys.setprofile(None)
        pause = self.policy.poll_ns
        ended = self._running.acquire
        while not ended(timeout=pause / SECOND):
            starved, lost = self._starvation.overslept(pause)
            stretch = self.stretch
            if stretch is not None:
                # The process was put aside meanwhile: that is not the agent's time.
                stretch.since += lost
            pause = self._look(starved)
            self._tell()
            if not self._watched.is_alive():
                return
        self._tell()

    def _look(self, starved: int) -> int:
        """Look once; ``starved`` ns were lost to code that does not let go of the interpreter.

        Returns the pause until the next look, ns.
        """
        now = stamp_ns()
        stretch = self.stretch
        if stretch is None:
            if self._window.agent is None:
                return self.policy.poll_ns
            stretch = self._arm(now)
        agent = stretch.agent
        if agent is None or self.stretch is not stretch or self._exempt(stretch, agent):
            return self.policy.poll_ns
        if starved:
            # Whatever was called in C has just returned: this is where.
            stretch.starved, stretch.native = starved, True
            self._take_lines(stretch)
        left = stretch.since + self._deadline(agent) - now
        if left > 0:
            return min(self.policy.poll_ns, left)
        return self._judge(stretch, agent, now)

    def _arm(self, since: int) -> Stretch:
        stretch = Stretch(since)
        self.stretch = stretch
        self._window.__class__ = self._trap
        # Read after arming: whoever is seen now is there until somebody writes.
        self.thread_id = self._window.thread_id
        agent = self._window.agent
        if agent is not None:
            stretch.call = agent.mailbox.calls
            stretch.agent = agent
        return stretch

    def _judge(self, stretch: Stretch, agent: Agent, now: int) -> int:
        """A stretch is beyond its deadline: name it, strike it."""
        policy = self.policy
        opener = self._take_lines(stretch)
        if opener is None or self.stretch is not stretch:
            return policy.poll_ns
        stretch.late = True
        reached = True
        due = not stretch.struck or now - stretch.struck >= policy.again_ns * stretch.strikes
        if due and stretch.strikes < policy.strikes and self._interrupter.possible:
            thrown = AgentBlocked.thrown(stretch, agent.agent_id, now - stretch.since)
            reached = self._interrupter.strike(self, stretch, opener, thrown)
            if reached:
                stretch.strikes += 1
                stretch.struck = stretch.struck or now
        ending = stretch.ending(policy, now) if self._interrupter.possible else Ending.NAMED
        stretch.native = stretch.native or ending is Ending.NATIVE
        if ending is not None and not stretch.named:
            stretch.named = True
            self._told.append(_stall(stretch, agent, ending, now))
        return policy.poll_ns if reached else MILLISECOND

    def _deadline(self, agent: Agent) -> int:
        own = agent.policy.deadline_ns
        return (self.policy.deadline_ns or own) + max(0, agent.ahead - 1) * own

    def _exempt(self, stretch: Stretch, agent: Agent) -> bool:
        return self._only is not None and (agent.agent_id, stretch.call) not in self._only

    def _take_lines(self, stretch: Stretch) -> FrameType | None:
        """Note where the agent is; returns the frame of the bus that called it."""
        stack = self._interrupter.stack(self.thread_id)
        depth = agents_part(stack)
        if depth > 0:
            stretch.lines = lines_of(stack[:depth])
        return stack[depth] if depth >= 0 else None

    def _tell(self) -> None:
        while self._told:
            stall = self._told.popleft()
            if self._on_stall is None:
                continue
            try:
                self._on_stall(stall)
            except Exception as error:  # kept for whoever asks; watching goes on
                self.failures.append(describe(error))

    # -- in the thread that dispatches ------------------------------------------------------------

    def close(self, stretch: Stretch) -> None:
        """The stretch is over: somebody else's code runs, or the bus's own."""
        if threading.get_ident() != self._home:
            self._belong_here()
        agent = stretch.agent
        if agent is None or not (stretch.late or stretch.starved):
            return
        now = stamp_ns()
        ending = stretch.ending(self.policy, now)
        if ending is None:
            ending = Ending.PYTHON if stretch.landed else Ending.NAMED
        stall = _stall(stretch, agent, ending, now)
        starved = stretch.starved >= self._deadline(agent)
        if (stretch.late or starved) and not stretch.named:
            self._told.append(stall)
        supervisor = self._supervisor()
        if supervisor is None or agent.ahead:
            return  # what is done ahead is on nobody's account: it follows in its turn
        if stretch.late or (starved and stretch.starved > _CERTAIN):
            supervisor.stalled(agent, stall)
        else:
            # Whether it took too long is for the dispatcher's own clock to say.
            agent.stall = stall


def _stall(stretch: Stretch, agent: Agent, ending: Ending, now: int) -> Stall:
    mailbox = agent.mailbox
    return Stall(
        agent_id=agent.agent_id,
        call=stretch.call,
        seconds=(now - stretch.since + (0 if stretch.late else stretch.starved)) / SECOND,
        ended=ending,
        strikes=stretch.landed,
        publishes=mailbox.burst if mailbox.burst_call == stretch.call else 0,
        sends=mailbox.sends if mailbox.sends_call == stretch.call else 0,
        later=agent.busy is not None or bool(agent.side_tasks),
        raised=isinstance(sys.exc_info()[1], AgentBlocked),
        stack=stretch.lines,
    )


def _trap(watchdog: Watchdog) -> type[Window]:
    """The class of an armed window: the first write puts everything back and ends the stretch.

    An exception that was thrown and has not arrived yet arrives at the latest on entry to
    ``touched``, before the write: whoever writes has to expect it there.
    """

    def touched(window: Window, agent: Agent | None) -> None:
        # No call before this, so that nothing is thrown any more once the entry is passed.
        stretch, watchdog.stretch = watchdog.stretch, None
        window.__class__ = Window
        _SLOT.__set__(window, agent)
        if stretch is not None:
            watchdog.close(stretch)

    return type("ArmedWindow", (Window,), {"__slots__": (), "agent": property(_get, touched)})


def _get(window: Window) -> Any:
    return _SLOT.__get__(window)
