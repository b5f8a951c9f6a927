"""The lossless lane: bounded, first in first out, exactly once or an error to the sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import SECOND, Clock
from mirrorcore.syncbus.faults import (
    AgentDown,
    BusError,
    Expired,
    LaneFull,
    UnknownAgentError,
)
from mirrorcore.syncbus.mailbox import Envelope
from mirrorcore.syncbus.messages import DeadLetter

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.observers import Observers
    from mirrorcore.syncbus.policy import BusPolicy
    from mirrorcore.syncbus.supervisor import Supervisor


class PostOffice:
    """Takes messages in and answers for each of them."""

    __slots__ = (
        "_clock",
        "_dispatcher",
        "_policy",
        "_supervisor",
        "closed",
        "knows",
        "observers",
        "witness",
    )

    def __init__(
        self,
        clock: Clock,
        dispatcher: Dispatcher,
        supervisor: Supervisor,
        observers: Observers,
        policy: BusPolicy,
        knows: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._policy = policy
        self.observers = observers
        self.knows = knows
        self.closed = False
        self.witness: Callable[[str, str, int], None] | None = None

    def post(self, envelope: Envelope) -> None:
        """Accept the envelope, or raise LaneFull, AgentDown or UnknownAgentError."""
        agent = self.receiver(envelope.target)
        mailbox = agent.mailbox
        if mailbox.inbox_length >= agent.policy.inbox:
            raise LaneFull(
                f"the lossless lane of {agent.agent_id!r} holds {agent.policy.inbox} messages",
                hint="send again when it has caught up",
            )
        agent.lossless_accepted += 1
        mailbox.put(envelope)
        if self.witness is not None:
            self.witness(envelope.sender, envelope.target, self._clock.now())
        if self._dispatcher.storm.trace is not None:
            self._dispatcher.storm.posted(agent)
        if not self._dispatcher.armed:
            self._dispatcher.nudge()

    def post_staged(self, envelope: Envelope) -> None:
        """Post what was sent before it was admitted: its sender cannot be told any more."""
        try:
            self.post(envelope)
        except (BusError, UnknownAgentError) as error:
            self._supervisor.dead_letters.append(
                DeadLetter(
                    self._clock.now(),
                    envelope.sender,
                    envelope.target,
                    envelope.message,
                    error.message,
                )
            )

    def receiver(self, agent_id: str) -> Agent:
        agent = self._supervisor.agents.get(agent_id)
        if agent is None:
            raise UnknownAgentError(f"no agent {agent_id!r} is registered")
        if self.closed or agent.down:
            why = "the bus is closed" if self.closed else f"it is {agent.status}"
            raise AgentDown(f"agent {agent_id!r} takes no messages: {why}")
        return agent

    async def request(
        self, sender: Agent | None, target: str, message: Any, timeout_ns: int | None
    ) -> Any:
        """Post and wait for the answer."""
        timeout_ns = int(self._policy.command_timeout_ns if timeout_ns is None else timeout_ns)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        expires = self._clock.now() + timeout_ns
        name = "" if sender is None else sender.agent_id
        envelope = Envelope(name, target, message, reply, expires)
        if sender is not None and sender.staging:
            self.receiver(target)
            sender.staged.append(lambda: self._post_request(envelope))
            self._dispatcher.completions.append(sender)
            self._dispatcher.tell_quiet()
        else:
            self.post(envelope)
        try:
            async with asyncio.timeout(timeout_ns / SECOND):
                return await reply
        except TimeoutError:
            seconds = timeout_ns / SECOND
            raise Expired(f"agent {target!r} did not answer within {seconds:g} s") from None

    def _post_request(self, envelope: Envelope) -> None:
        reply = envelope.reply
        try:
            self.post(envelope)
        except (BusError, UnknownAgentError) as error:
            if reply is not None and not reply.done():
                reply.set_exception(error)
