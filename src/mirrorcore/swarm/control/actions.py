"""What an operator can do to a run. Each action is plain data, as it stands in the journal."""

from __future__ import annotations

from typing import Literal

import msgspec

StopLevel = Literal["cancel", "flatten"]
"""``cancel`` withdraws working orders and leaves positions; ``flatten`` closes those as well."""

LifeCommand = Literal["pause", "resume", "restart", "isolate", "reset_breaker"]


class Life(msgspec.Struct, frozen=True, tag_field="action", tag="life"):
    """Something about the lives of ``agents``."""

    command: LifeCommand
    agents: tuple[str, ...]


class AdjustRisk(msgspec.Struct, frozen=True, tag_field="action", tag="adjust_risk"):
    """Another value for one hard limit."""

    name: str
    value: float


class Rebalance(msgspec.Struct, frozen=True, tag_field="action", tag="rebalance_weights"):
    """What the learned weights of these voters are multiplied with from now on."""

    factors: dict[str, float]


class Exit(msgspec.Struct, frozen=True, tag_field="action", tag="exit"):
    """Close the positions of these symbols and take no new risk in them until entries resume."""

    symbols: tuple[str, ...]


class CancelOrder(msgspec.Struct, frozen=True, tag_field="action", tag="cancel_order"):
    """Withdraw one working order."""

    client_id: str


class PauseEntries(msgspec.Struct, frozen=True, tag_field="action", tag="pause_entries"):
    """No symbol takes new risk; positions may shrink."""


class ResumeEntries(msgspec.Struct, frozen=True, tag_field="action", tag="resume_entries"):
    """Lift the locks of :class:`PauseEntries` and :class:`Exit`."""


class Stop(msgspec.Struct, frozen=True, tag_field="action", tag="emergency_stop"):
    """Close the order gateway to every agent; ``number`` is what the agents acknowledge."""

    level: StopLevel
    reason: str
    number: int


class ResumeTrading(msgspec.Struct, frozen=True, tag_field="action", tag="resume_trading"):
    """Open the gateway again."""

    reason: str


class Reduce(msgspec.Struct, frozen=True, tag_field="action", tag="reduce"):
    """The swarm's own doing: the journal could not be written, so only reductions pass.

    ``unrecorded``: it was an order's intent that could not be.
    """

    reason: str
    unrecorded: bool = False


Action = (
    Life
    | AdjustRisk
    | Rebalance
    | Exit
    | CancelOrder
    | PauseEntries
    | ResumeEntries
    | Stop
    | ResumeTrading
    | Reduce
)


class By(msgspec.Struct, frozen=True):
    """Who asked: a name, or the role where no name is known.

    ``origin`` is the door it came through, ``address`` from where.
    """

    name: str
    role: str = "operator"
    origin: str = "python"
    address: str = ""

    def __str__(self) -> str:
        return self.name if self.origin in (self.name, "python") else f"{self.name} ({self.origin})"

    def told(self) -> By:
        """The same as a journal can hold it."""
        return By(told(self.name), told(self.role), told(self.origin), told(self.address))


class Command(msgspec.Struct, frozen=True):
    """An action as it was carried out: before tick ``tick``; a journal entry of kind ``command``.

    ``within`` is, of what closed the gateway in the middle of the tick before, the look at which it
    was found there (:mod:`~mirrorcore.trading.looks`). ``pause`` is, of a stop that was carried out
    in the middle of tick ``tick`` itself, the pause between two agents' turns
    (:attr:`~mirrorcore.swarm.engine.Engine.between`).
    """

    tick: int
    action: Action
    by: By
    reason: str = ""
    within: int | None = None
    pause: int | None = None


def told(text: str) -> str:
    """``text`` as every record can hold it: halves of surrogate pairs have no bytes in UTF-8."""
    return text.encode("utf-8", "replace").decode()


def described(action: Action) -> str:
    """One line for a log."""
    match action:
        case Life(command, agents):
            shown = ", ".join(agents[:5]) + (f" and {len(agents) - 5} more" if agents[5:] else "")
            return f"{command} {shown}"
        case AdjustRisk(name, value):
            return f"adjust_risk {name} = {value:g}"
        case Rebalance(factors):
            return f"rebalance_weights of {len(factors)} voters"
        case Exit(symbols):
            return f"exit {', '.join(symbols)}"
        case CancelOrder(client_id):
            return f"cancel_order {client_id}"
        case PauseEntries():
            return "pause_entries"
        case ResumeEntries():
            return "resume_entries"
        case Stop(level, reason):
            return f"emergency_stop {level}: {reason}"
        case ResumeTrading(reason):
            return f"resume_trading: {reason}"
        case Reduce(reason):
            return f"reducing: {reason}"
