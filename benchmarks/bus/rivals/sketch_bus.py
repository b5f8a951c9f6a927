"""The guide's two classes written out plainly, as its reader would complete them.

What the guide gives is kept to the letter: one lock, held while bounded queues are awaited; every
subscription looked at for every update; the breaker asked and told by method. Only the methods it
names and leaves out are added.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

logger = logging.getLogger(__name__)

FAILURES_TO_OPEN = 5


class HighPerformanceSyncBus:
    """Section 1.2 of the guide."""

    def __init__(self) -> None:
        self.agent_states: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, Sequence[str]] = {}  # Who wants what updates
        self.update_queues: dict[str, asyncio.Queue[Any]] = {}  # Per-agent async queues
        self.lock = asyncio.Lock()

    async def register_agent(self, agent_id: str, interests: Sequence[str] | None = None) -> None:
        """Register agent with specific data interests."""
        self.subscriptions[agent_id] = interests or ["all"]
        self.update_queues[agent_id] = asyncio.Queue(maxsize=100)

    async def update_agent_state(self, agent_id: str, state_delta: Mapping[str, Any]) -> None:
        """Only update what changed (delta updates)."""
        async with self.lock:
            if agent_id not in self.agent_states:
                self.agent_states[agent_id] = {}

            # Merge delta instead of full state
            self.agent_states[agent_id].update(state_delta)

            # Only notify interested agents
            await self._notify_interested_agents(agent_id, state_delta)

    async def get_relevant_states(self, requesting_agent_id: str) -> dict[str, dict[str, Any]]:
        """Agent gets only states it cares about."""
        interests = self.subscriptions.get(requesting_agent_id, ["all"])
        relevant_states = {}

        for agent_id, state in self.agent_states.items():
            if self._is_relevant(interests, agent_id, state):
                relevant_states[agent_id] = state

        return relevant_states

    async def broadcast_market_update(self, market_state: Mapping[str, Any]) -> None:
        """Section 1.1: market data is not an agent's state, so it only goes to the queues."""
        async with self.lock:
            for queue in self.update_queues.values():
                await queue.put(("market", market_state))

    async def _notify_interested_agents(self, agent_id: str, state: Mapping[str, Any]) -> None:
        for reader, interests in self.subscriptions.items():
            if self._is_relevant(interests, agent_id, state):
                await self.update_queues[reader].put((agent_id, state))

    def _is_relevant(
        self, interests: Sequence[str], agent_id: str, state: Mapping[str, Any]
    ) -> bool:
        return "all" in interests or agent_id in interests


class ResilientSyncBus(HighPerformanceSyncBus):
    """Section 1.3 of the guide."""

    def __init__(self) -> None:
        super().__init__()
        self.agent_health: dict[str, dict[str, int]] = {}
        self.circuit_breakers: dict[str, bool] = {}

    async def update_agent_state(self, agent_id: str, state_delta: Mapping[str, Any]) -> None:
        # Check circuit breaker
        if self._is_circuit_open(agent_id):
            logger.warning("Agent %s circuit open, ignoring update", agent_id)
            return

        try:
            await super().update_agent_state(agent_id, state_delta)
            self._record_success(agent_id)
        except Exception as e:
            self._record_failure(agent_id, e)
            if self._should_open_circuit(agent_id):
                await self._isolate_agent(agent_id)

    async def _isolate_agent(self, agent_id: str) -> None:
        """Isolate failed agent without affecting others."""
        logger.error("Isolating failed agent: %s", agent_id)
        self.circuit_breakers[agent_id] = True

        # Remove from active agents
        self.agent_states.pop(agent_id, None)

        # Notify other agents (optional)
        await self._notify_agent_failure(agent_id)

        # Attempt restart after cooldown
        asyncio.create_task(self._attempt_restart(agent_id, delay=30))  # noqa: RUF006  # the guide's

    def _is_circuit_open(self, agent_id: str) -> bool:
        return self.circuit_breakers.get(agent_id, False)

    def _record_success(self, agent_id: str) -> None:
        self._health(agent_id)["failures_in_a_row"] = 0

    def _record_failure(self, agent_id: str, error: Exception) -> None:
        logger.warning("Agent %s failed: %s", agent_id, error)
        self._health(agent_id)["failures_in_a_row"] += 1

    def _should_open_circuit(self, agent_id: str) -> bool:
        return self._health(agent_id)["failures_in_a_row"] >= FAILURES_TO_OPEN

    def _health(self, agent_id: str) -> dict[str, int]:
        if agent_id not in self.agent_health:
            self.agent_health[agent_id] = {"failures_in_a_row": 0}
        return self.agent_health[agent_id]

    async def _notify_agent_failure(self, agent_id: str) -> None:
        await self._notify_interested_agents(agent_id, {"failed": True})

    async def _attempt_restart(self, agent_id: str, delay: float) -> None:
        await asyncio.sleep(delay)
        self.circuit_breakers[agent_id] = False
        self._record_success(agent_id)


class WholeSyncBus(ResilientSyncBus):
    """The guide hands the state itself to the question whether it is relevant.

    So an interest may also name what is in it, as "technical" or "sentiment" do there.
    """

    def _is_relevant(
        self, interests: Sequence[str], agent_id: str, state: Mapping[str, Any]
    ) -> bool:
        return any(interest in ("all", agent_id) or interest in state for interest in interests)
