"""What every rival can do: agents come and go, sources publish, everybody is told a tick."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, ClassVar

Handler = Callable[[Any], Any]
Delta = dict[str, float]

STOP = "stop"
"""The field of a message that says so, where there is no better way."""


class Rival(ABC):
    """One way to bring what one agent says to those who want to know.

    Agents are numbered; each is a source as well, and ``interests`` are numbers of sources, which
    may come later. A handler gets one message, whatever the rival makes of a delta; ``fields``
    says what was published. With ``waits`` all handlers are coroutine functions.

    Attributes
    ----------
    label: its name in the tables.
    distribution: what has to be installed for it, empty where nothing has.
    takes_coroutines: whether it calls handlers that wait.
    conflates: whether deltas of one source may reach a handler merged into one.
    lacks: what an agent of a swarm would miss, in one sentence.
    """

    label: ClassVar[str]
    distribution: ClassVar[str] = ""
    takes_coroutines: ClassVar[bool] = True
    conflates: ClassVar[bool] = False
    lacks: ClassVar[str]

    def __init__(self, *, waits: bool = False) -> None:
        self.waits = waits

    async def open(self) -> None:  # noqa: B027  # most have nothing to open
        """Begin, within the running loop, before any agent is added."""

    async def close(self) -> None:  # noqa: B027  # most have nothing to close
        """End whatever still runs."""

    @abstractmethod
    def add(self, agent: int, handler: Handler, interests: Sequence[int]) -> None:
        """An agent that wants the deltas of ``interests`` and every tick."""

    @abstractmethod
    def remove(self, agent: int) -> None:
        """Forget an agent."""

    @abstractmethod
    async def publish(self, source: int, delta: Delta) -> None:
        """``source`` says what has changed in its state."""

    @abstractmethod
    async def broadcast(self, tick: Delta) -> None:
        """One message to every agent."""

    async def drain(self) -> None:  # noqa: B027  # who calls directly has nothing left to do
        """Until everything published so far was handled."""

    async def burst(self, sources: Sequence[int], each: int, value: float) -> None:
        """Every source publishes ``each`` times before the loop runs; then :meth:`drain`."""
        for _ in range(each):
            for source in sources:
                await self.publish(source, {"level": value, "trend": value})
        await self.drain()

    def fields(self, message: Any) -> Mapping[str, Any]:
        """The fields of a message as its handler got it."""
        found: Mapping[str, Any] = message
        return found

    async def stop(self) -> None:
        """Tell every agent to stop, by the quickest way there is; back when it is on its way."""
        await self.broadcast({STOP: 1.0})

    def is_stop(self, message: Any) -> bool:
        """Whether a message is that of :meth:`stop`."""
        return STOP in self.fields(message)

    def pending(self, agent: int) -> int | None:
        """Calls that wait for ``agent``; None where the rival keeps nothing for it."""
        return None

    @classmethod
    def version(cls) -> str | None:
        """Of what has to be installed; None where it is not there."""
        if not cls.distribution:
            return ""
        try:
            return metadata.version(cls.distribution)
        except metadata.PackageNotFoundError:
            return None
