"""What a bus is made of; the layers above it are what can be done with it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from typing import Literal

from mirrorcore.clock import Clock, LiveClock, VirtualClock
from mirrorcore.syncbus.agent import Agent
from mirrorcore.syncbus.dispatcher import Dispatcher
from mirrorcore.syncbus.faults import (
    RegistrationError,
    UnknownAgentError,
)
from mirrorcore.syncbus.handle import AgentHandle
from mirrorcore.syncbus.messages import Stall
from mirrorcore.syncbus.observers import Observers
from mirrorcore.syncbus.policy import BusPolicy
from mirrorcore.syncbus.post import PostOffice
from mirrorcore.syncbus.process import Isolation
from mirrorcore.syncbus.registry import Registry
from mirrorcore.syncbus.storm import StormWatch
from mirrorcore.syncbus.supervisor import Supervisor
from mirrorcore.syncbus.watchdog import StallCallback, Watchdog, WatchdogPolicy


class BusParts:
    """The parts of one bus, put together.

    Parameters
    ----------
    clock: the bus's time; the machine's own where none is given.
    seed: of the back-off jitter; each agent draws from its own stream.
    admission: ``"immediate"`` applies what a waiting handler does when it does it; ``"tick"``
        holds it back until :meth:`admit`, and nothing runs but what the driver of ticks asks for.
    watchdog: whether a thread watches that no agent keeps the loop.
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
        watchdog: bool = False,
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
        self._dispatcher.storm = StormWatch(
            self._dispatcher, self._supervisor, self._registry.sources, self.policy
        )
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
        self._supervisor.relocate = self.isolation.relocate
        self._tickers: list[Agent] = []
        self._watches = 0
        self._incarnations: dict[str, int] = {}
        self._watchdog: Watchdog | None = None
        if watchdog:
            self.start_watchdog()

    def _new_handle(self, agent: Agent) -> AgentHandle:
        return AgentHandle(agent, self.clock, self._dispatcher, self._post)

    @property
    def agent_ids(self) -> list[str]:
        return list(self._agents)

    def _agent(self, agent_id: str) -> Agent:
        agent = self._agents.get(agent_id)
        if agent is None:
            raise UnknownAgentError(
                f"no agent {agent_id!r} is registered",
                hint=f"known are: {', '.join(list(self._agents)[:12]) or 'none'}",
            )
        return agent

    # -- agents that keep the loop ------------------------------------------------------------

    def start_watchdog(
        self,
        policy: WatchdogPolicy | None = None,
        on_stall: StallCallback | None = None,
        only: Collection[tuple[str, int]] | None = None,
    ) -> Watchdog:
        """Have a thread name, and where Python allows it end, calls that keep the loop too long.

        To be called in the thread in which the bus will run. ``on_stall`` is told from the
        watching thread, at once; :meth:`on_stall` in the bus's own, when it runs again. It ends
        with :meth:`stop_watchdog`, with ``aclose``, with the thread it watches, or when nobody
        holds the bus any more. With ``only``, pairs of agent and number of the call, whoever
        repeats a record has no other call ended than the record has.
        """
        self.stop_watchdog()
        dog = Watchdog(self._dispatcher.window, self._supervisor, policy, on_stall, only)
        self._watchdog = dog
        self._watchdog_ends = weakref.finalize(self, dog.ask_to_stop)
        dog.start()
        return dog

    def stop_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog_ends.detach()
            self._watchdog = None

    def on_stall(self, callback: Callable[[Stall], object] | None) -> None:
        """Tell ``callback`` of each call that held the loop, as it ends; one callback, a record."""
        self._supervisor.on_stall = callback

    def stalled(self, agent_id: str, stall: Stall) -> None:
        """A call has held the loop, as a recorded run says."""
        self._supervisor.stalled(self._agent(agent_id), stall)

    def call_number(self, agent_id: str) -> int:
        """The number of the agent's call under way, or of its last."""
        return self._agent(agent_id).mailbox.calls
