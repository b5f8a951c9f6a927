"""How the gate of the mind reaches the book.

ArchCtrl says how much of the ungated targets may be held, 0..1. Small moves of the gate are not
followed, they would only pay costs. A gate that has gone silent fails closed: no position may grow
until it speaks again.
"""

from __future__ import annotations

import math
from typing import Any

from mirrorcore.agents.reading import number
from mirrorcore.syncbus import StateView

DEAD_BAND = 0.05
_NEVER = 2**63 - 1


class GateFollower:
    """Turns the gate's states into the share of the targets that is held.

    Parameters
    ----------
    watched: whether there is a gate in the swarm; without one the share is always 1.
    patience_ns: age of the gate's state after which it counts as silent.
    every_tick: whether it is read at every tick, because nobody announces what it says.
    """

    def __init__(self, *, watched: bool, patience_ns: int, every_tick: bool = False) -> None:
        self._watched = watched
        self._every_tick = every_tick
        self._patience_ns = patience_ns
        self.share = 0.0 if watched else 1.0
        self.silent = watched
        self._news = watched
        self._until = 0

    def stir(self) -> None:
        """Something has happened that the gate may have had a say in."""
        self._news = self._watched

    def asks(self, ts: int) -> bool:
        """Whether the gate has to be read at ``ts``: there is news, or what it said grows old."""
        return self._news or self._every_tick or ts > self._until

    def follow(self, view: StateView | None) -> bool:
        """Read the gate; True when the share or its silence has changed."""
        if not self._watched:
            self._until = _NEVER
            return False
        self._news = False
        wanted = self._said(view)
        # What was said for good, or never, needs no looking at before there is news.
        self._until = _NEVER if view is None or math.isnan(wanted) else view.t + self._patience_ns
        changed = math.isnan(wanted) != self.silent
        self.silent = math.isnan(wanted)
        if self.silent:
            return changed
        closing = wanted == 0.0 and self.share != 0.0
        if closing or abs(wanted - self.share) > DEAD_BAND or (changed and wanted != self.share):
            self.share = wanted
            return True
        return changed

    def _said(self, view: StateView | None) -> float:
        """What the gate says now; NaN where that is nothing, too old, or no share."""
        if view is None or not view.version or view.stale or view.age > self._patience_ns:
            return math.nan
        wanted = number(view.state, "gate")
        return wanted if 0.0 <= wanted <= 1.0 else math.nan

    def checkpoint(self) -> dict[str, Any]:
        return {"share": self.share, "silent": self.silent}

    def restore(self, memory: dict[str, Any]) -> None:
        self.share, self.silent = memory["share"], memory["silent"]
        self.stir()
