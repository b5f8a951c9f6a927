"""Driving a bus: ticks, waiting for quiet, admitting what was done meanwhile, blocks of rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.syncbus.agent import Agent
from mirrorcore.syncbus.breaker import BreakerState
from mirrorcore.syncbus.faults import (
    BusError,
)
from mirrorcore.syncbus.parts import BusParts

_PAUSE_TURNS = 16
"""Agents called between two pauses of a tick: a thousand of them have sixty."""

Between = Callable[[], object]


class Ticks(BusParts):
    """What the driver of a swarm calls, tick by tick."""

    def tick(
        self, view: Any, due: Sequence[str] | None = None, between: Between | None = None
    ) -> None:
        """Call ``on_tick(view)`` of the agents that are due, then everybody until quiet.

        All that have an ``on_tick``, or those named, in order of registration. An agent that is
        paused, down or still waiting is not called; that counts as skipped. ``between`` is called
        before the first turn and every 16th after it: what cannot wait for the end of the tick.
        """
        agents = self._tickers
        if due is not None:
            agents = sorted(map(self._agent, due), key=lambda agent: agent.index)
        self._dispatcher.run(lambda: self._tick(view, agents, between))
        self._dispatcher.settle()

    def _tick(self, view: Any, agents: Sequence[Agent], between: Between | None) -> int:
        if between is None:
            return self._dispatcher.tick(agents, view)
        for first in range(0, len(agents), _PAUSE_TURNS):
            between()
            self._dispatcher.tick(agents[first : first + _PAUSE_TURNS], view)
        return len(agents)

    def settle(self) -> int:
        """Run ready work until there is none; returns the number of calls."""
        return self._dispatcher.settle()

    def serve_signals(self) -> None:
        """Deliver every signal that waits; as :meth:`settle`, but also in a pause of a tick."""
        self._dispatcher.serve_signals()

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

    def ahead(self, agent_id: str, rows: int, function: Callable[..., Any], *args: Any) -> Any:
        """Call ``function(*args)``, the agent's own code, ahead of its turn and of any account.

        What it raises is the caller's. ``rows`` is how many calls it stands for: so many deadlines
        it has.
        """
        return self._dispatcher.ahead(self._agent(agent_id), rows, function, args)

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
        effects, agent.staged, agent.staged_publishes = agent.staged, [], 0
        for effect in effects:
            effect()
        outcomes, agent.outcomes = agent.outcomes, []
        for task in outcomes:
            self._dispatcher.outcomes.conclude(agent, task)

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


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
