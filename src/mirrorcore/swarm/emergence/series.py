"""One symbol as detectors see it: what was decided at a tick, with the price it is filled at.

A decision of tick t is shown together with the price at which it can first be filled, the open of
the symbol's next bar: what is earned at closes alone cannot be earned. docs/emergence_runs.md says
what each array means and what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorcore.emergence.textbook import Textbook
from mirrorcore.market.block import Floats
from mirrorcore.swarm.emergence.batch import Batch
from mirrorcore.swarm.emergence.cast import Cast
from mirrorcore.swarm.emergence.rivals import Rivals

_ACTS = 0.5
_SCALE_TICKS = 1000.0


class Habits:
    """What has been learned of N agents in one symbol: kept in a baseline, beside detectors."""

    def __init__(self, agents: int, inputs: int) -> None:
        self.scale, self.scaled = np.zeros(agents), 0.0
        self.inputs = np.zeros(inputs)
        self.rivals = Rivals(agents)
        self.textbook = Textbook()
        self.volatility = 1.0

    def usual(self, size: Floats) -> Floats:
        """(N,) how strongly each votes as a rule, this vote included."""
        self.scaled = min(self.scaled + 1.0, _SCALE_TICKS)
        self.scale += (size - self.scale) / self.scaled
        return self.scale


class Series:
    """Arrays of symbol number ``symbol``, tick after tick at which it has a bar."""

    def __init__(self, cast: Cast, symbol: int, inputs: int, habits: Habits | None) -> None:
        n = len(cast.voters)
        self._agents, self._symbol, self._inputs = n, symbol, inputs
        self._coded, self._own, self._read = (
            np.array(numbers, dtype=np.intp) for numbers in (cast.coded, cast.own, cast.read)
        )
        self.habits = habits or Habits(n, inputs)
        self._open = np.nan
        self._decided: dict[str, Any] | None = None
        self._held_before = np.zeros(n)
        self._messages = np.zeros(n)
        self._earned = self._peak = np.zeros(n)
        self._began = False

    def message(self, received: Floats) -> None:
        """(N,) direct messages of a tick; they count for the next decision."""
        self._messages = self._messages + received

    def opened(self, price: float) -> Mapping[str, Any] | None:
        """The last decision with the move up to this open; None where there was none."""
        before, self._open = self._open, price
        decided, self._decided = self._decided, None
        if decided is None or not before > 0:
            return None
        return self._shown(decided, price / before - 1.0)

    def decide(
        self, batch: Batch, row: int, shared: Mapping[str, Any], beliefs: Floats | None
    ) -> None:
        """What is known and decided at a tick; ``shared`` is what all symbols have in common."""
        habits, s, n = self.habits, self._symbol, self._agents
        stance: Floats = shared["stances"][s]
        size = np.abs(stance)
        usual = habits.usual(size)
        told: Floats = shared["told"][:, s]
        habits.inputs = np.where(np.isfinite(told), told, habits.inputs)
        now = batch.volatility[row, s]
        habits.volatility = float(now) if now > 0 else habits.volatility
        earned = batch.pnl[row][1, :n]
        if not self._began:
            self._began, self._earned, self._peak = True, earned, earned
        gain, self._earned = earned - self._earned, earned
        self._peak = np.maximum(self._peak, earned)
        forecast = float(batch.forecast[row, s])
        held = batch.held[row][s, :n]
        self._decided = {
            "inputs": np.concatenate([[shared["move"]], habits.inputs, stance[self._read]]),
            "actions": np.sign(stance) * (size > _ACTS * usual),
            "messages": self._messages,
            "confidence": np.minimum(2.0 * size, 1.0),
            "positions": held,
            "votes": stance,
            "swarm": forecast if np.isfinite(forecast) else 0.5,
            "tasks": shared["tasks"],
            # A paper book is sized over volatility by a rule of the swarm's; how strongly to vote
            # is the agent's own affair.
            "exposure": size,
            "signal": np.ones(n),
            "logvol": float(np.log(habits.volatility)),
            "drawdown": self._peak - earned,
            "gain": gain,
            "demand": shared["demand"],
            "beliefs": beliefs,
        }
        self._messages = np.zeros(n)

    def _shown(self, decided: Mapping[str, Any], change: float) -> dict[str, Any]:
        """A decision with the move up to the price at which it is filled."""
        habits = self.habits
        outcome = float(change > 0)
        votes = habits.rivals.update(decided["votes"], outcome)
        positions = decided["positions"]
        pnl = self._held_before * change
        self._held_before = positions
        rules = habits.textbook.update(change)
        return {
            **decided,
            "ret": change,
            "votes": votes,
            "outcome": outcome,
            "positions": positions[self._own],
            "pnl": pnl[self._own],
            "known": np.concatenate([positions[self._coded], rules]),
            "feeds": decided["inputs"][1 : 1 + self._inputs],
        }
