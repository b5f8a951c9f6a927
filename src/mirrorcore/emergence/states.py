"""From the past states of a bare bus to the arrays that detectors take.

A bus knows no market. Where one source publishes ``price``, its changes are the ticks: what agents
say between two of them is their answer to the first and meets the move to the second. Without a
price nothing is made of the past, as acting alike could not be told from reading the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import Array

History = Mapping[str, Mapping[str, Any]]
"""``{agent: {field: series}}``; a series has ``t`` (n,) in ns and ``values`` (n,)."""

PRICE = "price"
_VOTES = ("forecast", "signal")


class StateFeed:
    """Makes ticks of a growing history, each once; who is watched is settled at the first."""

    def __init__(self) -> None:
        self.agents: tuple[str, ...] = ()
        self.idle = "no state has been published yet"
        """Why there are no ticks; empty where there are."""
        self.tasks = 0
        self._fields: dict[str, str] = {}
        self._seen = -1
        self._held: Array = np.zeros(0)

    def ticks(self, history: History) -> list[dict[str, Any]]:
        """The ticks that are complete and have not been given before."""
        priced = next((one for one in history.values() if _numeric(one.get(PRICE))), None)
        if priced is None:
            self.idle = "no agent publishes a number as 'price', the clock and measure of all"
            return []
        if not self.agents:
            self._settle(history)
        if not self.agents:
            self.idle = "no agent publishes a number as 'forecast' or 'signal'"
            return []
        self.idle = ""
        series = priced[PRICE]
        instants = np.asarray(series.t)
        prices = np.asarray(series.values, dtype=np.float64)
        places = [k for k in range(1, len(instants)) if instants[k] > self._seen]
        if self._seen < 0:
            places = places[1:]  # the first answers are to no move that is known
        ticks = [self._tick(history, instants, prices, k) for k in places if prices[k - 1] > 0]
        if places:
            self._seen = int(instants[places[-1]])
        return ticks

    def _settle(self, history: History) -> None:
        for agent, fields in history.items():
            name = next((name for name in _VOTES if _numeric(fields.get(name))), None)
            if name is not None:
                self._fields[agent] = name
        self.agents = tuple(self._fields)
        tasks = [
            float(np.max(history[a]["task"].values))
            for a in self.agents
            if _numeric(history[a].get("task"))
        ]
        self.tasks = int(max(tasks)) + 1 if len(tasks) == len(self.agents) and tasks else 0
        self._held = np.zeros(len(self.agents))

    def _tick(self, history: History, instants: Array, prices: Array, k: int) -> dict[str, Any]:
        """What was said before price ``k`` came, and the move that led to it."""
        change = float(prices[k] / prices[k - 1] - 1.0)
        said = self._last(history, self._fields, instants[k])
        forecast = np.array([self._fields[agent] == "forecast" for agent in self.agents])
        stance = np.clip(np.where(forecast, 2.0 * said - 1.0, said), -1.0, 1.0)
        pnl, self._held = self._held * change, stance
        tick = {
            "ret": change,
            "inputs": np.zeros(1),
            "actions": np.sign(stance) * (np.abs(stance) > 1e-9),
            "messages": np.zeros(len(self.agents)),
            "confidence": np.abs(stance),
            "positions": stance,
            "pnl": pnl,
            "feeds": np.zeros(0),
            "votes": 0.5 + 0.5 * stance,
            "swarm": 0.5 + 0.5 * float(stance.mean()),
            "outcome": float(change > 0),
        }
        if self.tasks:
            tasks = self._last(history, dict.fromkeys(self.agents, "task"), instants[k])
            tick["tasks"] = np.clip(np.round(tasks), 0, self.tasks - 1)
            tick["demand"] = np.bincount(tick["tasks"].astype(int), minlength=self.tasks)
        return tick

    def _last(self, history: History, fields: Mapping[str, str], before: int) -> Array:
        """(N,) what each agent said last before an instant; 0 where it had not spoken."""
        found = np.zeros(len(self.agents))
        for i, agent in enumerate(self.agents):
            series = history.get(agent, {}).get(fields[agent])
            if series is None:
                continue
            place = int(np.searchsorted(np.asarray(series.t), before, side="left")) - 1
            if place >= 0:
                value = float(series.values[place])
                found[i] = value if np.isfinite(value) else 0.0
        return found


def _numeric(series: Any) -> bool:
    return series is not None and np.ndim(series.values) == 1 and series.values.dtype.kind in "fiub"


def subscriptions(agents: Sequence[str]) -> Array:
    """(N, 1): of a bare bus no inputs but the price are known; the one there is says nothing."""
    return np.zeros((len(agents), 1))
