"""The guide's rules of thumb, one a detector, fed and scored in the same way.

The guide leaves some of its helpers open (when actions are "synchronised", how far behaviours lie
apart); what stands here is the plainest reading. Each rule says so once and is then quiet: one
alarm settles a run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.emergence.worlds.world import Array


class _Rule(ABC):
    """Keeps what it needs of the past; alarms once."""

    memory = 1

    def __init__(self, static: Mapping[str, Any]) -> None:
        self._static = static
        self._past: deque[Mapping[str, Any]] = deque(maxlen=self.memory)
        self._tick = -1
        self._done = False

    def update(self, tick: Mapping[str, Any]) -> Sequence[object]:
        self._tick += 1
        self._past.append(tick)
        if self._done or not self._alarm(tick):
            return ()
        self._done = True
        return (self,)

    @abstractmethod
    def _alarm(self, tick: Mapping[str, Any]) -> bool: ...

    def _column(self, key: str) -> Array:
        return np.array([tick[key] for tick in self._past])


class SameAction(_Rule):
    """Seven of ten agents take the same action at one tick."""

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        actions = np.asarray(tick["actions"])
        return bool(max((actions == side).mean() for side in (-1, 1)) >= 0.7)


class MostlyOneTask(_Rule):
    """A third of the agents spend more than half of the last 100 ticks on one task."""

    memory = 100

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        if self._tick < 100 or self._tick % 25:
            return False
        tasks = self._column("tasks")
        most = [np.bincount(row.astype(np.int64), minlength=2).max() for row in tasks.T]
        return float(np.mean(np.array(most) > 50)) >= 1 / 3


class GainUnlikeKnown(_Rule):
    """An agent gained over 100 ticks and correlates with no known strategy above 0.7."""

    memory = 100

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        if self._tick < 100 or self._tick % 50:
            return False
        positions, known = self._column("positions"), self._column("known")
        agents = positions.shape[1]
        alike = np.corrcoef(positions.T, known.T)[:agents, agents:]
        gained = self._column("pnl").sum(axis=0) > 0
        return bool((gained & (np.abs(alike).max(axis=1) < 0.7)).any())


class ActionMixMoved(_Rule):
    """An agent's shares of buying, selling and waiting lie more than 0.3 from its baseline's."""

    memory = 200

    def __init__(self, static: Mapping[str, Any]) -> None:
        super().__init__(static)
        self._baseline: Array | None = None

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        if self._tick < 200 or self._tick % 50:
            return False
        actions = self._column("actions")
        mix = np.stack([(actions == side).mean(axis=0) for side in (-1, 0, 1)])
        if self._baseline is None:
            if self._tick >= self._static["baseline_end"]:
                self._baseline = mix
            return False
        return bool((np.abs(mix - self._baseline).sum(axis=0) > 0.3).any())


class BetterThanAverage(_Rule):
    """The swarm's Brier score over 200 ticks is better than its members' average."""

    memory = 201

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        if self._tick < 200 or self._tick % 50:
            return False
        outcome = self._column("outcome")[1:]
        votes, swarm = self._column("votes")[:-1], self._column("swarm")[:-1]
        members = ((votes - outcome[:, None]) ** 2).mean()
        return bool(((swarm - outcome) ** 2).mean() < members)


class LessWhenVolatile(_Rule):
    """An agent's exposure correlates below -0.3 with volatility over 200 ticks."""

    memory = 200

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        if self._tick < 200 or self._tick % 50:
            return False
        vol, exposure = self._column("logvol"), self._column("exposure")
        alike = np.corrcoef(exposure.T, vol[None, :])[:-1, -1]
        return bool((alike < -0.3).any())


class BeliefsElsewhere(_Rule):
    """Half of the agents believe in a state more than 0.3 from that of their first 500 ticks."""

    def __init__(self, static: Mapping[str, Any]) -> None:
        super().__init__(static)
        self._usual: Array = np.zeros(())

    def _alarm(self, tick: Mapping[str, Any]) -> bool:
        beliefs = np.asarray(tick["beliefs"])
        if self._tick < 500:
            self._usual = self._usual + beliefs / 500.0
            return False
        return bool(((np.abs(beliefs - self._usual) > 0.3).mean(axis=0) >= 0.5).any())
