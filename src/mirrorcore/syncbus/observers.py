"""Who is told about life events. An observer can change nothing and break nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mirrorcore.clock import Clock
from mirrorcore.syncbus.faults import describe
from mirrorcore.syncbus.messages import BusEvent, EventKind, Stall

Observer = Callable[[BusEvent], object]


class Observers:
    """The observers of one bus and what went wrong in them."""

    __slots__ = ("_callbacks", "_clock", "failure_count", "failures")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._callbacks: list[Observer] = []
        self.failure_count = 0
        self.failures: deque[BusEvent] = deque(maxlen=64)

    def add(self, callback: Observer) -> None:
        self._callbacks.append(callback)

    def remove(self, callback: Observer) -> None:
        """Tell it no more; one that was never added is no error."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def emit(self, kind: EventKind, agent_id: str, detail: str = "") -> None:
        if not self._callbacks:
            return
        event = BusEvent(self._clock.now(), kind, agent_id, detail)
        for callback in tuple(self._callbacks):
            self.tell(callback, event)

    def tell(self, callback: Callable[[Any], object], told: BusEvent | Stall) -> None:
        """Call one observer; what it raises is recorded, the bus goes on."""
        try:
            callback(told)
        except Exception as error:
            self.failure_count += 1
            self.failures.append(
                BusEvent(
                    self._clock.now(), EventKind.OBSERVER_FAILURE, told.agent_id, describe(error)
                )
            )
