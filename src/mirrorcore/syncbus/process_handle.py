"""What an agent in a process of its own holds of the bus: the same face as :class:`AgentHandle`.

It reads from a mirror of the states the agent declared an interest in, as they were when the call
began. A round trip for each read would let an agent busy the bus at will, and what it saw would
depend on how fast it is; so the bus sends what has changed along with each call. What it publishes
and saves leaves with the answer, in order; a message it sends waits for the bus's word, because
its sender is promised an error where nobody will handle it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.syncbus.faults import FloodError, StateError, UndeclaredReadError, describe
from mirrorcore.syncbus.messages import Gap, Interest, StateView, Update
from mirrorcore.syncbus.process_frames import unpack
from mirrorcore.syncbus.process_pending import Pending
from mirrorcore.syncbus.schema import Schema, freeze_delta

if TYPE_CHECKING:
    from mirrorcore.syncbus.process_limits import ProcessPolicy


class News(msgspec.Struct, frozen=True):
    """What has changed since the call before: states, sources that are gone, names there are.

    ``states`` are (source, order, version, pickled view) of every declared source that changed;
    ``updates`` (source, merged, pickled update), what ``collect`` would have given. They are
    pickled one by one and read when the agent asks for them: a state that cannot be had here is
    the affair of who reads it. ``names`` are all sources of the bus, None if they are as before.
    """

    now: int
    states: tuple[tuple[str, int, int, bytes], ...]
    gone: tuple[str, ...]
    updates: tuple[tuple[str, bool, bytes], ...]
    names: frozenset[str] | None


class Hello(msgspec.Struct, frozen=True):
    """The first frame to a child: who it is. ``factory`` is a pickle, or
    ``module:attribute``; ``arguments`` a pickle of its keyword arguments."""

    agent_id: str
    incarnation: int
    factory: str | bytes
    arguments: bytes
    checkpoint: bytes | None
    schema: Mapping[str, Any] | None
    interests: tuple[Interest, ...]
    publishes: int
    policy: ProcessPolicy
    news: News


class Call(msgspec.Struct, frozen=True):
    """One call of a handler. ``pickled`` is its argument, apart, so that its faults are its own."""

    number: int
    handler: str
    pickled: bytes
    sender: str
    news: News


class Answer(msgspec.Struct, frozen=True):
    """The bus's word on a message sent or a request made: a value, or an error by name."""

    number: int
    value: Any = None
    error: str = ""
    text: str = ""
    hint: str = ""


class CallClock:
    """Read-only: the bus's time when the call began."""

    __slots__ = ("_now",)

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        return self._now


class ProcessHandle:
    """One incarnation of one agent, seen from within its own process."""

    def __init__(
        self,
        hello: Hello,
        clock: CallClock,
        send: Callable[[str, Any, int | None], None],
        request: Callable[[str, Any, int | None], Any],
        stirred: Callable[[], None],
    ) -> None:
        self.agent_id = hello.agent_id
        self.incarnation = hello.incarnation
        self.checkpoint = hello.checkpoint
        self.clock = clock
        self.sender = ""
        self.effects: list[Any] = []
        self.flooded = False
        self._hello = hello
        self._schema: Schema | None = hello.schema
        self._send = send
        self._request = request
        self._stirred = stirred
        self._burst = self._sends = 0
        self._order: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._mirror: dict[str, StateView | bytes] = {}
        self._pending: dict[str, Pending] = {}
        self._names: frozenset[str] = frozenset()

    # -- as AgentHandle -----------------------------------------------------------------------

    def publish(self, delta: Mapping[str, Any]) -> int:
        """Change the own state by ``delta`` when the call ends or waits; the version it will have.

        Raises StateError and FloodError as in the bus's own process.
        """
        self._burst += 1
        if self._burst > self._hello.publishes:
            raise self._flood("published")
        try:
            frozen = freeze_delta(self.agent_id, delta, self._schema)
        except StateError as error:
            self.deny(error)
            raise
        own = self._view(self.agent_id)
        state = MappingProxyType({**own.state, **frozen})
        version, now = own.version + 1, self.clock.now()
        self._versions[self.agent_id] = version
        self._mirror[self.agent_id] = StateView(own.source, state, version, now, own.stale, 0)
        self._effect("publish", frozen)
        return version

    def collect(self) -> list[Update | Gap]:
        """What changed since the last look, as of the beginning of the call; as in the loop."""
        pending, self._pending = self._pending, {}
        names = sorted(pending, key=self._order.__getitem__)
        return [update for name in names for update in pending[name].taken()]

    def acknowledge(self) -> None:
        """Mark every change as seen."""
        self._pending.clear()

    def read(self, source_id: str) -> StateView | None:
        """The state of one declared source, or the own, as it was when the call began."""
        if source_id in self._mirror:
            view = self._view(source_id)
            age = self.clock.now() - view.t if view.version else 0
            return msgspec.structs.replace(view, age=age)
        if source_id in self._names:
            raise UndeclaredReadError(
                f"agent {self.agent_id!r} reads {source_id!r} without a declared interest",
                hint=f"add {source_id!r} or its kind to the agent's interests",
            )
        return None

    def relevant_states(self) -> dict[str, Mapping[str, Any]]:
        """The states of all declared sources that have published, read-only."""
        own_too = any(interest.name == self.agent_id for interest in self._hello.interests)
        return {
            name: self._view(name).state
            for name in sorted(self._mirror, key=self._order.__getitem__)
            if self._versions[name] and (own_too or name != self.agent_id)
        }

    def send(self, target: str, message: Any, *, ttl_ns: int | None = None) -> None:
        """Put ``message`` on the lossless lane of ``target``; raises what the bus raises."""
        self._may_send()
        self._send(target, message, ttl_ns)

    async def request(self, target: str, message: Any, *, timeout_ns: int | None = None) -> Any:
        """Send ``message`` and wait for what the receiver's ``on_message`` returns."""
        self._may_send()
        return await self._request(target, message, timeout_ns)

    def save(self, checkpoint: bytes) -> None:
        """Keep ``checkpoint`` for the next incarnation."""
        if not isinstance(checkpoint, bytes):
            raise StateError(f"a checkpoint is bytes, was a {type(checkpoint).__name__}")
        self.checkpoint = checkpoint
        self._effect("save", checkpoint)

    def deny(self, error: Exception) -> None:
        """The agent reached for what is not its own: its call has failed, whatever it returns."""
        self._effect("deny", describe(error))

    # -- for the worker -----------------------------------------------------------------------

    def begin(self, call: Call) -> None:
        """A call begins: its time, its sender, its counts, and what has changed."""
        self.sender = call.sender
        self._burst = self._sends = 0
        self.flooded = False
        self.hear(call.news)

    def hear(self, news: News) -> None:
        """Take over what has changed."""
        self.clock._now = news.now
        for name in news.gone:
            self._mirror.pop(name, None)
            self._pending.pop(name, None)
        for name, order, version, view in news.states:
            self._order[name] = order
            self._versions[name] = version
            self._mirror[name] = view
        for name, merged, update in news.updates:
            if name not in self._pending:
                self._pending[name] = Pending(merged=merged)
            self._pending[name].add(update)
        if news.names is not None:
            self._names = news.names

    def taken(self) -> list[Any]:
        """What was done since it was asked for last."""
        effects, self.effects = self.effects, []
        return effects

    def _view(self, name: str) -> StateView:
        """A state of the mirror, read when it is looked at for the first time."""
        view = self._mirror[name]
        if isinstance(view, bytes):
            view = self._mirror[name] = unpack(view)
        assert isinstance(view, StateView)
        return view

    def _effect(self, kind: str, value: Any) -> None:
        if not self.effects:
            self._stirred()
        self.effects.append([kind, value])

    def _may_send(self) -> None:
        self._sends += 1
        if self._sends > self._hello.publishes:
            raise self._flood("sent")

    def _flood(self, what: str) -> FloodError:
        self.flooded = True
        return FloodError(
            f"agent {self.agent_id!r} {what} more than {self._hello.publishes} times in one call"
        )
