"""An agent in a process of its own as the bus sees it: async handlers that forward the call.

One call is under way at a time, beside signals, and nothing is written between its question and its
answer but the bus's word on a message the agent sends. So nothing can build up in front of a slow
child: the bus's own mailbox conflates. What the child did comes back with its answers and is done
here through the agent's handle, which checks every value and counts every act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import SECOND, VirtualTimeLoop
from mirrorcore.errors import UsageError
from mirrorcore.syncbus.agent import Handlers
from mirrorcore.syncbus.faults import (
    AgentLost,
    AgentRaised,
    BusError,
    FloodError,
    StateError,
    Undeliverable,
    describe,
)
from mirrorcore.syncbus.messages import Gap, Update
from mirrorcore.syncbus.process_exchange import Exchange
from mirrorcore.syncbus.process_factory import ProcessFactory
from mirrorcore.syncbus.process_frames import FrameError, pack, pickled
from mirrorcore.syncbus.process_handle import Answer, Call, Hello
from mirrorcore.syncbus.process_link import Link, LinkState
from mirrorcore.syncbus.process_mirror import Mirror

if TYPE_CHECKING:
    from mirrorcore.clock import Clock
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.handle import AgentHandle
    from mirrorcore.syncbus.process_reaper import Reaper
    from mirrorcore.syncbus.source import StateSource

_TEXT = 4_096


class Host:
    """One child of one incarnation.

    ``on_idle_loss`` is told when the child ends while no call is under way, ``on_unreadable`` of
    what others publish and cannot travel.
    """

    def __init__(
        self,
        agent: Agent,
        handle: AgentHandle,
        factory: ProcessFactory,
        checkpoint: bytes | None,
        clock: Clock,
        sources: dict[str, StateSource],
        on_idle_loss: Callable[[Host, AgentLost], None],
        on_unreadable: Callable[[str, str], None],
    ) -> None:
        self.agent = agent
        self.policy = factory.policy
        self.begun = False
        self.link: Link | None = None
        self.lost: AgentLost | None = None
        self._handle = handle
        self._checkpoint = checkpoint
        self._travelling = factory.elsewhere()
        self._outgoing = factory.outgoing
        self._mirror = Mirror(agent, clock, sources, on_unreadable)
        self._on_idle_loss = on_idle_loss
        self._calls = 0
        self._exchanges: dict[int, Exchange] = {}

    @property
    def starting(self) -> bool:
        return self.link is not None and self.link.state is LinkState.STARTING

    @property
    def settled(self) -> bool:
        """Whether it is known what came of its start."""
        if self.lost is not None or self.agent.down:
            return True
        waiting = (LinkState.STARTING, LinkState.ENDING)
        return self.link is not None and self.link.state not in waiting

    @property
    def awaited(self) -> bool:
        """Whether nothing goes on before the child has said something."""
        if self.link is None or not self.link.alive:
            return False
        return any(exchange.waits for exchange in self._exchanges.values())

    @property
    def output(self) -> str:
        return "" if self.link is None else self.link.output

    # -- its life -----------------------------------------------------------------------------

    async def start(self, reaper: Reaper) -> list[str]:
        """Start the child and wait until the agent is built; the names of its handlers.

        Raises AgentLost with what went wrong in there.
        """
        loop = asyncio.get_running_loop()
        exchange = self._exchanges[0] = self._exchange()
        try:
            self.link = Link(self.policy, loop, reaper, self._heard, self._ended)
        except OSError as error:
            del self._exchanges[0]
            raise self._loss(f"its process cannot be started: {error}") from error
        timer = None
        if not isinstance(loop, VirtualTimeLoop):
            seconds = self.policy.start_ns / SECOND
            timer = loop.call_later(seconds, self._too_slow, seconds)
        try:
            self.link.send(pack(self._hello()))
            _, _, effects, *told = await self._answer(exchange)
            self._apply(effects)
        except AgentLost:
            raise
        except Exception as error:  # what its factory did was refused
            self.link.close()
            raise self._loss(describe(error)) from error
        finally:
            self._exchanges.pop(0, None)
            if timer is not None:
                timer.cancel()
        names = told[0] if told else None
        known = Handlers.__struct_fields__
        if not isinstance(names, list) or not all(name in known for name in names):
            raise self._broken("a list of handlers that are none")
        return names

    def close(self) -> None:
        """End the child; whoever waits for it is not told, because its agent is down."""
        if self.link is not None:
            self.link.close()

    def handlers(self, names: list[str]) -> Handlers:
        """Async handlers in the place of those the child has."""
        return Handlers(**{name: self._forward(name) for name in names})

    def _forward(self, name: str) -> Callable[[Any], Any]:
        async def forward(argument: Any) -> Any:
            return await self._call(name, argument)

        return forward

    # -- a call -------------------------------------------------------------------------------

    async def _call(self, name: str, argument: Any) -> Any:
        if self.lost is not None:
            # Later, as every outcome of a process: with admission by ticks it is recorded.
            await asyncio.sleep(0)
            raise AgentLost(self.lost.message, hint=self.lost.hint)
        link = self.link
        assert link is not None
        if self._outgoing is not None:
            argument = self._outgoing(name, argument)
        body = self._body(name, argument)
        self._calls += 1
        number = self._calls
        exchange = self._exchanges[number] = self._exchange()
        # One with ``on_update`` is told of what changes by its calls.
        updates = () if self.agent.mailbox.pushes else self._handle.collect()
        sender = self._handle.sender if name == "on_message" else ""
        link.send(pack(Call(number, name, body, sender, self._mirror.news(updates))))
        try:
            return await self._converse(exchange)
        finally:
            del self._exchanges[number]

    def _body(self, name: str, argument: Any) -> bytes:
        """The argument as it travels. What others make of it must not be this agent's failure."""
        if isinstance(argument, Update | Gap):
            return self._mirror.readable(argument)
        try:
            return pickled(argument)
        except StateError as error:
            if name == "on_message":
                raise Undeliverable(error.message, hint=error.hint) from error
            raise

    def _exchange(self) -> Exchange:
        most = self.agent.policy.max_publishes_per_call
        return Exchange(most, self.policy.blob_bytes)

    async def _converse(self, exchange: Exchange) -> Any:
        """Until the handler has returned or raised."""
        while True:
            kind, number, effects, *rest = await self._answer(exchange)
            self._apply(effects)
            match kind, rest:
                case "effects", []:
                    continue
                case "send", [str(target), message, int() | None as ttl_ns]:
                    self._send(number, target, message, ttl_ns)
                case "request", [str(target), message, int() | None as timeout_ns]:
                    await self._request(number, target, message, timeout_ns)
                case "done", [bool(flooded), value]:
                    self._check_flood(flooded)
                    return value
                case "raised", [bool(flooded), str(text), str(trace)]:
                    self._check_flood(flooded)
                    error = AgentRaised(text[:200])
                    error.add_note(trace[:_TEXT])
                    raise error
                case _:
                    raise self._broken(f"a frame {str(kind)[:40]!r} that has no place here")

    async def _answer(self, exchange: Exchange) -> Any:
        frame = await exchange.next()
        if isinstance(frame, AgentLost):
            raise frame
        return frame

    def _apply(self, effects: Any) -> None:
        """Do what the agent did, through the handle of its incarnation."""
        if not isinstance(effects, list):
            raise self._broken("effects that are none")
        for effect in effects:
            match effect:
                case ["publish", dict(delta)]:
                    self._handle.publish(delta)
                case ["deny", str(text)]:
                    self._handle.deny(AgentRaised(text[:200]))
                case ["save", bytes(checkpoint)]:
                    self._handle.save(checkpoint)
                case _:
                    raise self._broken("an effect that there is not")

    def _send(self, number: int, target: str, message: Any, ttl_ns: int | None) -> None:
        try:
            self._handle.send(target, message, ttl_ns=ttl_ns)
        except (BusError, UsageError) as error:
            self._reply(_refusal(number, error))
        else:
            self._reply(Answer(number))

    async def _request(
        self, number: int, target: str, message: Any, timeout_ns: int | None
    ) -> None:
        try:
            value = await self._handle.request(target, message, timeout_ns=timeout_ns)
            answer = pack(Answer(number, value))
        except (BusError, UsageError) as error:
            self._reply(_refusal(number, error))
        else:
            assert self.link is not None
            self.link.send(answer)

    def _reply(self, answer: Answer) -> None:
        assert self.link is not None
        self.link.send(pack(answer))

    def _check_flood(self, flooded: bool) -> None:
        if flooded:
            agent = self.agent
            raise FloodError(
                f"agent {agent.agent_id!r} published or sent more than "
                f"{agent.policy.max_publishes_per_call} times in one call"
            )

    # -- what the child is told ---------------------------------------------------------------

    def _hello(self) -> Hello:
        agent = self.agent
        schema = agent.source.schema
        return Hello(
            agent_id=agent.agent_id,
            incarnation=agent.incarnation,
            factory=self._travelling[0],
            arguments=self._travelling[1],
            checkpoint=self._checkpoint,
            schema=None if schema is None else dict(schema),
            interests=agent.interests,
            publishes=agent.policy.max_publishes_per_call,
            policy=self.policy,
            news=self._mirror.news(()),
        )

    # -- what the child says ------------------------------------------------------------------

    def _heard(self, body: list[Any], size: int) -> None:
        """A frame has arrived; FrameError where nobody has asked for it."""
        link = self.link
        assert link is not None
        match body:
            case ["ready", 0, list(), list()] if link.state is LinkState.STARTING:
                exchange = self._exchanges.get(0)
                link.ready()
            case ["refused", 0, list(), str(text), str(hint)] if link.state is LinkState.STARTING:
                self._refused(text, hint)
                return
            case ["send" | "request", int(), list(), _, _, _]:
                # A message is of the newest call that is not a signal's: one at a time.
                exchange = next(iter(self._exchanges.values()), None)
            case ["effects" | "done" | "raised", int(number), list(), *_]:
                exchange = self._exchanges.get(number)
            case _:
                raise FrameError("a frame that has no place here")
        if exchange is None or link.state is LinkState.STARTING:
            raise FrameError("a frame that nobody waits for")
        exchange.count(size)
        exchange.put(body)

    def _refused(self, text: str, hint: str) -> None:
        error = AgentLost(
            f"agent {self.agent.agent_id!r} cannot be built in its process: {text[:_TEXT]}",
            hint=hint[:_TEXT],
        )
        assert self.link is not None
        self.lost = error
        self.link.close()
        if 0 in self._exchanges:
            self._exchanges[0].put(error)

    def _too_slow(self, seconds: float) -> None:
        assert self.link is not None
        if self.starting:
            self.link.lose(f"it was not built within {seconds:g} s")

    def _ended(self, reason: str) -> None:
        """The child is gone: whoever waits is told, or else the bus."""
        error = self._loss(reason)
        exchanges = list(self._exchanges.values())
        for exchange in exchanges:
            exchange.put(error)
        if not exchanges:
            self._on_idle_loss(self, error)

    def _loss(self, reason: str) -> AgentLost:
        self.lost = AgentLost(f"the process of agent {self.agent.agent_id!r} is lost: {reason}")
        return self.lost

    def _broken(self, what: str) -> AgentLost:
        """The child breaks the rules within a frame that can be read."""
        error = self._loss(f"it wrote {what}")
        if self.link is not None:
            self.link.close()
        return error


def _refusal(number: int, error: BusError | UsageError) -> Answer:
    return Answer(number, None, type(error).__name__, error.message, error.hint)
