"""What is asked of a run, from the call that asks until its answer; and what that answer is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Stopwatch
from mirrorcore.errors import MirrorCoreError
from mirrorcore.swarm.control.actions import Action, By
from mirrorcore.swarm.control.effects import Effect

if TYPE_CHECKING:
    from mirrorcore.swarm.run import Run


class RunEndedError(MirrorCoreError):
    """The run is over, or ends before it comes to what was asked."""


class NotRecordedError(MirrorCoreError):
    """The journal cannot be written, so what was asked is not done."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"the journal cannot be written, so nothing is changed: {error}",
            hint="make room on the disk; an emergency stop works all the same",
        )


@dataclass(slots=True)
class Done:
    """What became of an action.

    Attributes
    ----------
    tick: it took effect before this tick. seq: its entry in the journal.
    acked, missing: the agents that did it or acknowledged it, and the others with the reason.
    ms: from the call until it was done. closed_ms: of a stop, until the gateway was closed.
    """

    tick: int
    seq: int | None
    acked: list[str]
    missing: dict[str, str]
    result: dict[str, Any]
    ms: float
    closed_ms: float | None = None
    audit_seq: int | None = None


Record = Callable[[Done], dict[str, Any]]
"""Makes the body of an audit entry from what came of an action."""


@dataclass(slots=True)
class Carried:
    """An action that has been carried out; who has to acknowledge it may not have done so yet."""

    action: Action
    tick: int
    seq: int | None
    effect: Effect


@dataclass(slots=True, eq=False)
class Request:
    """One thing that is asked: an action, a question, or an entry in the audit."""

    future: Future[Any]
    asked: Stopwatch
    action: Action | None = None
    question: Callable[[Run], Any] | None = None
    audit: dict[str, Any] | None = None
    by: By = field(default_factory=lambda: By("nobody"))
    reason: str = ""
    closed_ns: int | None = None
    record: Record | None = None
    carried: Carried | None = None


def certain() -> Future[Any]:
    """A future that nobody can cancel: that who asked went away, or grew tired of waiting, takes no
    stop back and keeps no entry out of the record."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def begun(future: Future[Any]) -> bool:
    """Take a request up; False where it was taken back before."""
    return future.running() or future.set_running_or_notify_cancel()


def refuse(request: Request) -> None:
    if begun(request.future):
        request.future.set_exception(
            RunEndedError("the run has ended", hint="'mirrorcore runs' lists the runs")
        )
