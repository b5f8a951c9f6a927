"""What explains a finding away: an operator's command, a restart, what agents declare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mirrorcore.emergence.finding import Finding
from mirrorcore.market.block import Bools
from mirrorcore.swarm.control.actions import Command, Life, Rebalance, described
from mirrorcore.syncbus import BusEvent, EventKind

AFTERMATH = 64
"""Ticks after a command for which what an agent does is the command's doing."""
_MOST = 10_000
_LIVES = (EventKind.RESTART, EventKind.ISOLATED, EventKind.FAILED, EventKind.RELOCATED)


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that was done to agents, by tick or by instant; ``agents`` None is the fusion."""

    at: int
    agents: tuple[str, ...] | None
    text: str


class Causes:
    """Everything that was done to agents from outside, in order."""

    def __init__(self) -> None:
        self._commands: list[Cause] = []
        self._lives: list[Cause] = []

    def command(self, command: Command) -> list[tuple[int, str, float]]:
        """Take note of a command; (tick, agent, until which tick) for each agent it touches."""
        action, text = command.action, f"{described(command.action)} by {command.by}"
        if isinstance(action, Life):
            self._note(self._commands, Cause(command.tick, action.agents, text))
            lasting = action.command in ("pause", "isolate")
            until = math.inf if lasting else float(command.tick + AFTERMATH)
            return [(command.tick, agent, until) for agent in action.agents]
        if isinstance(action, Rebalance):
            self._note(self._commands, Cause(command.tick, None, text))
        return []

    def life(self, event: BusEvent) -> None:
        """Take note of a life event, if it is one that changes what an agent does."""
        if event.kind in _LIVES:
            self._note(self._lives, Cause(event.t, (event.agent_id,), f"{event.kind}"))

    def _note(self, into: list[Cause], cause: Cause) -> None:
        into.append(cause)
        if len(into) > _MOST:
            del into[: _MOST // 2]

    def of(
        self,
        finding: Finding,
        agents: Sequence[str],
        ticks: tuple[int, int],
        instants: tuple[int, int],
        linked: Bools,
    ) -> str:
        """Why a finding is none, in words; empty where nothing explains it.

        ``ticks`` and ``instants`` are those of the finding's window. A command counts that touched
        as many of its agents as the claim needs: two of those that act together, one otherwise.
        """
        if finding.type == "coordination" and _declared(finding.agents, linked):
            return "declared: these agents read each other, or say that they act together"
        needed = min(len(agents), 2 if finding.type == "coordination" else 1)
        for causes, (first, last) in (
            (self._commands, (ticks[0] - AFTERMATH, ticks[1])),
            (self._lives, instants),
        ):
            for cause in reversed(causes[:]):
                if not first <= cause.at <= last:
                    continue
                if cause.agents is None:
                    touched = finding.type == "collective"
                else:
                    touched = bool(agents) and sum(a in cause.agents for a in agents) >= needed
                if touched:
                    return f"at the same time: {cause.text}"
        return ""


def _declared(agents: Sequence[int], linked: Bools) -> bool:
    """Whether what they declare links all of them, directly or through others of them."""
    if len(agents) < 2:
        return False
    reached, border = [agents[0]], [agents[0]]
    while border:
        one = border.pop()
        for other in agents:
            if other not in reached and (linked[one, other] or linked[other, one]):
                reached.append(other)
                border.append(other)
    return len(reached) == len(agents)
