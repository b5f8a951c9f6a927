"""Alarms about voters that lost their skill, and how long the fusion went on trusting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats, Ints

_ALARM = 1.0


@dataclass(slots=True)
class Alarm:
    """``voter`` by position, at ``ts``; ``weight`` it had then, None while no tick has shown it;
    ``halved`` when the weight had at most half that size, None if it never had."""

    voter: int
    ts: int
    weight: float | None = None
    halved: int | None = None


class Alarms:
    """Notes each rise of the self-awareness agent's drift to an alarm, and follows the weights.

    Parameters
    ----------
    source: id of the agent that watches the voters; None where there is none.
    """

    def __init__(self, source: str | None) -> None:
        self.source = source
        self.raised: list[Alarm] = []
        self._drift: Floats = np.zeros(0)

    def heard(self, ts: int, delta: Mapping[str, Any]) -> None:
        """What the watching agent published."""
        drift = delta.get("drift")
        if not isinstance(drift, np.ndarray) or drift.ndim != 1:
            return
        before = np.pad(self._drift[: len(drift)], (0, max(0, len(drift) - len(self._drift))))
        for voter in np.flatnonzero((drift >= _ALARM) & (before < _ALARM)).tolist():
            self.raised.append(Alarm(voter, ts))
        self._drift = drift.copy()

    def follow(self, ts: Ints, weights: Sequence[Floats]) -> None:
        """The weights of the voters at each tick of a block."""
        if not len(weights):
            return
        for alarm in self.raised:
            if alarm.halved is None:
                _follow(alarm, ts, weights)


def _follow(alarm: Alarm, ts: Ints, weights: Sequence[Floats]) -> None:
    first = int(np.searchsorted(ts, alarm.ts))
    # A voter that has just joined gets its weight with the next tick.
    sizes = np.array([abs(row[alarm.voter]) for row in weights[first:] if alarm.voter < len(row)])
    if not sizes.size:
        return
    first = len(weights) - len(sizes)
    if alarm.weight is None:
        alarm.weight = float(sizes[0])
    fallen = np.flatnonzero(sizes <= 0.5 * alarm.weight)
    if alarm.weight > 0 and fallen.size:
        alarm.halved = int(ts[first + fallen[0]])
