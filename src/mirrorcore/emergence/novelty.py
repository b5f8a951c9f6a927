"""Agents that earn with what no coded strategy does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import BUDGET, Array, TickReader, family_of, static_value
from mirrorcore.emergence.finding import Effect, Finding

_REFIT = 64
_BET_FROM = 512
_RIDGE = 20.0
_START_EVERY = 512
_STARTS = 24
_BETS = np.array([0.03, 0.07, 0.14])
_CLIP = 4.0
_FAST, _SLOW = 64.0, 1024.0
_NOVEL = 0.5
_WEATHER = np.array([0.1, 0.1, 0.003])
_NULL = (
    "what an agent holds beyond mixtures of the known strategies, of their signs and last two "
    "positions, also with volatility and trend, earns nothing on average"
)


class NovelStrategyDetector:
    """Bets that the part of an agent's position outside the known strategies earns.

    One betting process an agent, laid over starts whose weights sum to one, so an e-value at any
    tick and for any length of run; an agent is named where it exceeds the number of agents over the
    budget, and more than half of its position is not explained by known strategies. Coefficients
    come from earlier ticks only.

    ``static["known_names"]``: names of the K known strategies. A tick holds ``ret``, ``positions``
    (N) decided now, ``pnl`` (N) of the last decision, ``known`` (K) positions of the known
    strategies and ``feeds`` (F).
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        names = tuple(static_value(static, "NovelStrategyDetector", "known_names"))
        self._names = names
        self._family = family_of(static)
        self._reader = TickReader("NovelStrategyDetector", {"known": len(names)})
        features = 6 * len(names) + 1
        self._lags: Array = np.zeros((2, len(names)))
        self._last_row = np.zeros(features)
        self._rows: list[Array] = []
        self._held: list[Array] = []
        self._gram: Array = np.zeros((features, features))
        self._moves: Array = np.zeros(3)
        self._tick = -1
        self._agents = 0
        weights = 1.0 / np.arange(1, _STARTS) / np.arange(2, _STARTS + 1)
        # Half on the first start, falling parts on later ones; together less than one.
        self._weights = 0.5 * np.concatenate([[1.0], weights])

    def _prepare(self, agents: int) -> None:
        features = len(self._last_row)
        self._agents = agents
        self._cross = np.zeros((features, agents))
        self._beta: Array = np.zeros((features, agents))
        self._last_beta = self._beta
        self._variance = np.zeros(agents)
        self._unexplained = np.ones(agents)
        self._held_power = np.ones(agents)
        self._log_worth = np.full((_STARTS, len(_BETS), agents), -np.inf)
        self._named = np.zeros(agents, dtype=bool)
        self._earned = np.zeros((2, agents))

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        change = self._reader.number(tick, "ret")
        positions = self._reader.array(tick, "positions", "agents")
        pnl = self._reader.array(tick, "pnl", "agents")
        known = self._reader.array(tick, "known", "known")
        self._reader.array(tick, "feeds", "feeds")
        if self._agents == 0:
            self._prepare(len(positions))
        self._tick += 1
        # What the last decision earned beyond its known part, as seen when it was made.
        earned = pnl - (self._last_row * change) @ self._last_beta
        findings = self._bet(earned)
        rough, trend = self._weather(change)
        row = np.concatenate(
            [known, np.sign(known), *self._lags, known * rough, known * trend, [1.0]]
        )
        self._lags = np.array([known, self._lags[0]])
        self._last_row, self._last_beta = row, self._beta
        own = positions - row @ self._beta
        rate = 1.0 / _SLOW
        self._unexplained += rate * (own**2 - self._unexplained)
        self._held_power += rate * (positions**2 - self._held_power)
        self._rows.append(row)
        self._held.append(positions)
        if len(self._rows) == _REFIT:
            self._refit()
        return findings

    def _weather(self, change: float) -> tuple[float, float]:
        """How volatile and how trending the market is; a known strategy may be gated by either."""
        self._moves += (np.array([change, change**2, change**2]) - self._moves) * _WEATHER
        trend, near, far = self._moves
        if far == 0:
            return 0.0, 0.0
        rough = float(np.tanh(np.log((near + 1e-12 * far) / far)))
        return rough, float(np.tanh(4.0 * abs(trend) / np.sqrt(far) - 1.0))

    def _refit(self) -> None:
        rows, held = np.array(self._rows), np.array(self._held)
        self._rows.clear()
        self._held.clear()
        self._gram += rows.T @ rows
        self._cross += rows.T @ held
        matrix = self._gram + _RIDGE * np.eye(len(self._gram))
        self._beta = np.linalg.solve(matrix, self._cross).astype(np.float64)

    def _bet(self, earned: Array) -> Sequence[Finding]:
        before = self._variance
        self._variance = before + (earned**2 - before) / (
            _FAST if self._tick > _FAST else self._tick + 1.0
        )
        start, rest = divmod(self._tick - _BET_FROM, _START_EVERY)
        if start < 0:
            return ()
        if rest == 0 and start < _STARTS:
            self._log_worth[start] = 0.0
        if start >= _STARTS:
            start = _STARTS - 1
        scaled = np.minimum(np.maximum(earned / np.sqrt(before + 1e-30), -_CLIP), _CLIP)
        gains = np.log1p(_BETS[:, None] * scaled)
        self._log_worth[: start + 1] += gains
        self._earned *= 1.0 - 1.0 / _SLOW
        self._earned[0] += scaled
        self._earned[1] += 1.0
        if self._tick % 16:
            return ()
        worth = np.exp(np.minimum(self._log_worth[: start + 1], 600.0)).mean(axis=1)
        e_values = self._weights[: start + 1] @ worth + self._weights[start + 1 :].sum()
        return self._raise(e_values)

    def _raise(self, e_values: Array) -> Sequence[Finding]:
        novel = self._unexplained > _NOVEL * self._held_power
        fresh = novel & ~self._named & (e_values >= self._family * self._agents / BUDGET)
        self._named |= fresh
        return tuple(self._finding(int(a), float(e_values[a])) for a in np.flatnonzero(fresh))

    def _finding(self, agent: int, e_value: float) -> Finding:
        sharpe = float(self._earned[0, agent] / self._earned[1, agent])
        share = float(min(self._unexplained[agent] / self._held_power[agent], 1.0))
        return Finding(
            type="novelty",
            agents=(agent,),
            effect=Effect("mean over spread of the unexplained profit", sharpe, "a tick", "up"),
            null=_NULL,
            window=(_BET_FROM, self._tick),
            raised_at=self._tick,
            e=e_value / (self._family * self._agents),
            summary=(
                f"Agent {agent} earns with what is no mixture of {', '.join(self._names)}: "
                f"{share:.0%} of its position is its own, and that part has gained. This does not "
                "show that it will go on, nor that it earns after costs the venue did not charge."
            ),
            evidence={"unexplained_share": share, "threshold_e": 1.0 / BUDGET},
        )
