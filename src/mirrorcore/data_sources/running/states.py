"""The life of a running source as a table of permitted steps."""

from __future__ import annotations

from enum import StrEnum

from mirrorcore.errors import MirrorCoreError


class RunnerState(StrEnum):
    """Where a running source is in its life."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    BACKING_OFF = "backing_off"
    OPEN = "open"
    """The circuit breaker keeps it from trying for a while."""
    STOPPED = "stopped"
    FAILED = "failed"
    """For good: trying again cannot help."""


ENDED = (RunnerState.STOPPED, RunnerState.FAILED)
_LOST = (RunnerState.BACKING_OFF, RunnerState.OPEN, *ENDED)
_STEPS: dict[RunnerState, tuple[RunnerState, ...]] = {
    RunnerState.CONNECTING: (RunnerState.LIVE, RunnerState.STALE, *_LOST),
    RunnerState.LIVE: (RunnerState.STALE, *_LOST),
    RunnerState.STALE: (RunnerState.LIVE, *_LOST),
    RunnerState.BACKING_OFF: (RunnerState.CONNECTING, *ENDED),
    RunnerState.OPEN: (RunnerState.CONNECTING, *ENDED),
    RunnerState.STOPPED: (RunnerState.CONNECTING,),
    RunnerState.FAILED: (),
}


class RunnerStepError(MirrorCoreError):
    """A step that is not in the table: a defect of ours."""


def step(name: str, state: RunnerState, to: RunnerState) -> RunnerState:
    """``to`` if the table has that step; RunnerStepError otherwise."""
    if to not in _STEPS[state]:
        raise RunnerStepError(f"source {name!r} is {state} and cannot become {to}")
    return to
