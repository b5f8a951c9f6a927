"""Ends the calls of one agent where a recorded run says they were ended.

A call that had done nothing is not made, it fails as it did. One that had published or sent is
made, and ended by the same exception as soon as it has done as much again. One whose agent caught
the exception, or that came back by itself, is made in full: a watchdog has to end it as then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mirrorcore.syncbus import AgentBlocked, AgentHandle, Stall, SyncBus

if TYPE_CHECKING:
    from mirrorcore.swarm.members import Member


class Obedience:
    """The recorded stalls of one agent, by number of the call."""

    def __init__(self, bus: SyncBus, stalls: Mapping[int, Stall]) -> None:
        self._bus = bus
        self._stalls = stalls

    def call(self, member: Member, function: Callable[[], Any]) -> Any:
        """Make a call, or as much of it as the record has."""
        stall = self._stalls.get(self._bus.call_number(member.agent_id))
        if stall is None or stall.later:
            return function()
        if not stall.raised:
            result = function()
            self._bus.stalled(member.agent_id, stall)
            return result
        end = self._end(member, stall)
        with _limited(member, stall, end) as limit:
            if not limit.left:
                raise end()
            function()
        raise end()  # this time it would have come back

    async def steps(self, member: Member, function: Callable[[], Awaitable[Any]]) -> None:
        """The same for a call that may wait."""
        stall = self._stalls.get(self._bus.call_number(member.agent_id))
        if stall is None:
            await function()
        elif not stall.raised:
            await function()
            self._bus.stalled(member.agent_id, stall)
        elif stall.later:
            end = self._end(member, stall)
            with _limited(member, stall, end) as limit:
                limit.ends = False
                await _Steps(function(), limit)
            raise end()
        else:
            end = self._end(member, stall)
            with _limited(member, stall, end) as limit:
                if not limit.left:
                    raise end()
                await function()
            raise end()

    def ahead(self, member: Member, rows: int) -> None:
        """Fail a call for ``rows`` rows ahead if the call of any of them was ended."""
        number = self._bus.call_number(member.agent_id)
        if any(self._ended(call) for call in range(number + 1, number + rows + 1)):
            raise AgentBlocked(f"agent {member.agent_id!r} held the loop, says the record")

    def _ended(self, call: int) -> bool:
        stall = self._stalls.get(call)
        return stall is not None and stall.raised

    def _end(self, member: Member, stall: Stall) -> Callable[[], AgentBlocked]:
        told = False

        def end() -> AgentBlocked:
            nonlocal told
            if not told:
                told = True
                self._bus.stalled(member.agent_id, stall)
            return AgentBlocked(f"agent {member.agent_id!r} held the loop, says the record")

        return end


class _Limit:
    """What a call may still do; while ``ends``, it is ended as soon as that is nothing."""

    def __init__(self, left: int, end: Callable[[], AgentBlocked]) -> None:
        self.left = left
        self.ends = True
        self.end = end

    def spend(self, act: Callable[[], Any]) -> Any:
        if not self.left:
            raise self.end()
        self.left -= 1
        try:
            return act()
        finally:
            if self.ends and not self.left:
                raise self.end()


@contextmanager
def _limited(member: Member, stall: Stall, end: Callable[[], AgentBlocked]) -> Iterator[_Limit]:
    """Count what the member does through its handle."""
    limit = _Limit(stall.publishes + stall.sends, end)
    handle = member.handle
    assert handle is not None
    kind: type[AgentHandle] = type(handle)

    class Limited(AgentHandle):
        __slots__ = ()

        def publish(self, delta: Mapping[str, Any]) -> int:
            done: int = limit.spend(lambda: AgentHandle.publish(self, delta))
            return done

        def send(self, target: str, message: Any, *, ttl_ns: int | None = None) -> None:
            limit.spend(lambda: AgentHandle.send(self, target, message, ttl_ns=ttl_ns))

        def save(self, checkpoint: bytes) -> None:
            limit.spend(lambda: AgentHandle.save(self, checkpoint))

        async def request(self, target: str, message: Any, *, timeout_ns: int | None = None) -> Any:
            asked = limit.spend(
                lambda: AgentHandle.request(self, target, message, timeout_ns=timeout_ns)
            )
            return await asked

    handle.__class__ = Limited
    try:
        yield limit
    finally:
        handle.__class__ = kind


class _Steps:
    """Awaits a call step by step; after the first, it is ended once it has done its all."""

    def __init__(self, call: Awaitable[Any], limit: _Limit) -> None:
        self._call = call
        self._limit = limit

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self._call.__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                awaited = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as stop:
                return stop.value
            self._limit.ends = True
            try:
                value, error = (yield awaited), None
            except BaseException as thrown:  # whatever it is belongs to the call
                value, error = None, thrown
            if error is None and not self._limit.left:
                steps.close()
                raise self._limit.end()
