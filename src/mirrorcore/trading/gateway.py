"""The gate every order passes, and the stop that closes it.

Three states, as NautilusTrader's trading state has them: ACTIVE lets everything through, REDUCING
only what brings a position nearer to zero, HALTED nothing but the stop controller's reductions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from mirrorcore.errors import RefusedError
from mirrorcore.recent import Recent
from mirrorcore.trading.orders import IllegalStepError

_CHANGES = 500


class GatewayState(Enum):
    """What may pass."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Trigger(Enum):
    """What moves the gateway."""

    REDUCE = "reduce"
    STOP = "stop"
    RESUME = "resume"


ACTIVE, REDUCING, HALTED = GatewayState.ACTIVE, GatewayState.REDUCING, GatewayState.HALTED

NEXT_STATE: dict[tuple[GatewayState, Trigger], GatewayState] = {
    (ACTIVE, Trigger.REDUCE): REDUCING,
    (ACTIVE, Trigger.STOP): HALTED,
    (REDUCING, Trigger.REDUCE): REDUCING,
    (REDUCING, Trigger.STOP): HALTED,
    (REDUCING, Trigger.RESUME): ACTIVE,
    # A weaker cause never opens what a stronger one closed.
    (HALTED, Trigger.REDUCE): HALTED,
    (HALTED, Trigger.STOP): HALTED,
    (HALTED, Trigger.RESUME): ACTIVE,
}


class GatewayChange(msgspec.Struct, frozen=True):
    """The state became another one."""

    ts: int
    trigger: str
    before: str
    after: str
    reason: str


class StopAuthority:
    """Whoever holds it may reduce positions while the gateway is halted; it can do nothing else."""

    __slots__ = ()


class Gateway:
    """Holds the state; the order path asks it before every order.

    Attributes
    ----------
    state, reason: now in force, and why.
    latched: the reason of a stop that was given but not yet carried out; None where there is none.
    restricted: the same of a cause to let only reductions pass.
    changes: the newest changes of state, for screens and report.
    on_close: called after the state became stricter (the order path withdraws working orders
        there). The state is already set, so a listener that raises cannot leave the gate open.
    """

    __slots__ = (
        "_authority",
        "_claimed",
        "changes",
        "latched",
        "on_close",
        "reason",
        "restricted",
        "state",
    )

    def __init__(self) -> None:
        self.state = ACTIVE
        self.reason = ""
        self.latched: str | None = None
        self.restricted: str | None = None
        self.changes: Recent[GatewayChange] = Recent(_CHANGES)
        self.on_close: list[Callable[[int], None]] = []
        self._authority = StopAuthority()
        self._claimed = False

    def claim_stop_authority(self) -> StopAuthority:
        """The one authority over a halted gateway, handed out once; then RefusedError."""
        if self._claimed:
            raise RefusedError(
                "the stop authority has been handed out already",
                hint="there is one stop controller in a run",
            )
        self._claimed = True
        return self._authority

    def latch(self, reason: str) -> None:
        """Close from any thread and within any call: one assignment, which every order looks at.

        Whoever sees it first carries the stop out; nothing else takes it away, also no resume that
        was asked for before.
        """
        if self.latched is None:
            self.latched = reason

    def restrict(self, reason: str) -> None:
        """Let only reductions pass from the next look on, from within any call of the loop."""
        if self.restricted is None:
            self.restricted = reason

    def stop(self, reason: str, *, ts: int) -> None:
        """Close to every agent at once; when this returns no agent's order can pass."""
        self._move(Trigger.STOP, reason, ts)

    def reduce(self, reason: str, *, ts: int) -> None:
        """From now on only reductions pass; a halted gateway stays halted."""
        self._move(Trigger.REDUCE, reason, ts)

    def resume(self, reason: str, *, ts: int, confirmed: bool = False) -> None:
        """Open again. RefusedError without confirmation, IllegalStepError if it is open."""
        if not confirmed:
            raise RefusedError(
                f"resuming from {self.state.name} ({self.reason}) loosens the gateway",
                hint="repeat it with a confirmation",
            )
        self._move(Trigger.RESUME, reason, ts)

    def _move(self, trigger: Trigger, reason: str, ts: int) -> None:
        before = self.state
        after = NEXT_STATE.get((before, trigger))
        if after is None:
            raise IllegalStepError(f"gateway: {trigger.name} in {before.name} is not a step")
        self.state = after
        if trigger is Trigger.STOP:
            self.latched = None
        elif trigger is Trigger.REDUCE:
            self.restricted = None
        if after is before:
            return
        self.reason = "" if after is ACTIVE else reason
        self.changes.append(GatewayChange(ts, trigger.value, before.value, after.value, reason))
        if after is not ACTIVE:
            for listener in self.on_close:
                listener(ts)

    def admits_reduction(
        self, lots: int, exposure: int, authority: StopAuthority | None = None
    ) -> bool:
        """Whether an order that claims to reduce may go out; what adds risk needs ACTIVE.

        The claim is checked against ``exposure``, the position and what working orders will make
        of it, not believed.
        """
        reduces = lots != 0 and (lots > 0) != (exposure > 0) and abs(lots) <= abs(exposure)
        closed = self.state is HALTED or self.latched is not None
        return reduces and (not closed or authority is self._authority)

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`; the authority stays with whoever holds it."""
        return {"state": self.state.value, "reason": self.reason}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self.state = GatewayState(state["state"])
        self.reason = state["reason"]
