"""What the bus raises; each error has one meaning and names the agent it concerns."""

from __future__ import annotations

from typing import Any

from mirrorcore.errors import MirrorCoreError, UsageError


class BusError(MirrorCoreError):
    """Anything the bus refuses."""


class RegistrationError(UsageError):
    """An agent, source or interest cannot be registered as asked."""


class UnknownAgentError(UsageError):
    """No agent or source of that name is registered."""


class IllegalStepError(BusError):
    """A life-cycle or breaker step that the state table does not have."""


class StateError(BusError):
    """A published delta is not valid; the state is unchanged."""


class UndeclaredReadError(BusError):
    """An agent reads a source it has not declared an interest in."""


class FloodError(BusError):
    """One call published or sent more than its policy allows, or keeps a feedback loop alive."""


class LaneFull(BusError):  # noqa: N818  # a condition the sender handles, not a defect
    """The receiver's lossless lane is at its bound; nothing was sent."""


class AgentDown(BusError):  # noqa: N818
    """The receiver (or the publisher itself) is isolated, failed or removed."""


class Expired(BusError):  # noqa: N818
    """The receiver did not handle the message before its time was up."""


class RequestFailed(BusError):  # noqa: N818
    """The receiver's handler raised while it answered a request."""


class AgentBlocked(BaseException):
    """Thrown into an agent's code that holds the event loop beyond its deadline.

    Not an Exception: a handler that goes on after every error must not go on after this one.
    """

    told = "the call has held the event loop beyond its deadline"
    stretch: Any = None

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or (self.told,)))
        if self.stretch is not None:
            self.stretch.landed += 1

    @classmethod
    def thrown(cls, stretch: Any, agent_id: str, ns: int) -> type[AgentBlocked]:
        """A class to throw: the interpreter makes the instance where it arrives."""
        told = f"agent {agent_id!r} has held the event loop for {ns / 1e9:.3g} s"
        return type("AgentBlocked", (cls,), {"told": told, "stretch": stretch})


class AgentRaised(BusError):  # noqa: N818  # what an agent in its own process raised
    """A handler in a process of its own raised; type and text are its message."""


class Undeliverable(BusError):  # noqa: N818  # the sender's to handle
    """A message cannot travel to the process of its receiver."""


class AgentLost(BusError):  # noqa: N818
    """The process of an agent has ended, broke the rules of its pipe, or could not begin."""


def unless_operator(error: BaseException) -> None:
    """Raise ``error`` again where it is the operator's, who alone ends the process."""
    if issubclass(type(error), KeyboardInterrupt):
        raise error


def honest(error: BaseException) -> BaseException:
    """``error``, or one in its place if it does not say truly what it is: that may raise."""
    try:
        if error.__class__ is type(error):
            return error
    except BaseException as second:
        unless_operator(second)
    return RuntimeError(f"{type(error).__name__}, which lies about its class")


def describe(error: BaseException) -> str:
    """Type and message of ``error``, at most 200 characters, whatever its ``__str__`` does."""
    try:
        text = str.__str__(str(error))[:1000]
    except BaseException as second:  # a hostile __str__ is the agent's, not ours
        unless_operator(second)
        text = f"its message raises {type(second).__name__}"
    first_line = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first_line}"[:200] if first_line else type(error).__name__
