"""Agents whose exposure comes to answer volatility, or their own losses, as it did not before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import BUDGET, Array, TickReader, family_of, static_value
from mirrorcore.emergence.exposure import ExposureModel
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.symmetric import SymmetricEDetector
from mirrorcore.errors import UsageError

_BLOCK = 16
_START_EVERY = 64
_BETS = (0.12, 0.2)
_SETTLE = 256
_CAUSES = ("volatility", "its own drawdown")
_SILENCE = 4000
_SPAN = 256.0
_DOUBT = 0.5
_LIKELY = 0.12
_SHARE = 0.1
_MEMORY = 500.0
_LEAST_ODDS = -1.0
_NULL = (
    "given its conviction and its own past, an agent's exposure answers volatility and its own "
    "drawdown as before; surprises in it are as likely up as down"
)


class AdaptiveRiskDetector:
    """Bets that surprises in exposure go with surprises in volatility, or in the drawdown.

    The logarithm of each agent's exposure is forecast from its own last values, its conviction, and
    volatility and drawdown by the answer it has given so far (:class:`ExposureModel`): up to
    ``static["baseline_end"]`` everything is learned and nothing claimed, later ticks are learned
    with a delay. What is left over should lean neither way; whether it leans with the part of
    volatility (or drawdown) that is new to the agent is bet on, agent by agent and for the swarm
    together. Ticks whose volatility or drawdown lies outside what was learned from are left out, as
    an answer cannot be extrapolated.

    A tick holds ``ret``, ``exposure`` (N), ``signal`` (N), ``logvol``, ``drawdown`` (N) and ``pnl``
    (N). The sign of an exposure is ignored.
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        name = "AdaptiveRiskDetector"
        self._baseline_end = int(static_value(static, name, "baseline_end"))
        self._family = family_of(static)
        self._reader = TickReader(name)
        self._rows: list[tuple[Array, Array, float, Array]] = []
        self._tick = -1
        self._agents = 0

    def _prepare(self, agents: int) -> None:
        self._agents = agents
        self._model = ExposureModel(agents, _SETTLE)
        # Two causes x (agents, then the swarm as a whole).
        self._evidence = SymmetricEDetector(2 * agents, _BETS, _BLOCK, _START_EVERY, self._family)
        self._swarm = SymmetricEDetector(2, _BETS, _BLOCK, _START_EVERY, self._family)
        self._lean = np.zeros((2, agents))
        self._log_odds = np.zeros((2, 2, agents))  # up or down, cause, agent
        self._silent_until = np.full(agents, -1)

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        self._reader.number(tick, "ret")
        exposure = self._reader.array(tick, "exposure", "agents")
        signal = self._reader.array(tick, "signal", "agents")
        log_vol = self._reader.number(tick, "logvol")
        drawdown = self._reader.array(tick, "drawdown", "agents")
        self._reader.array(tick, "pnl", "agents")
        if drawdown.min(initial=0.0) < 0:
            raise UsageError(
                "AdaptiveRiskDetector: tick['drawdown'] is negative",
                hint="give the loss since the best, as a number of 0 or more",
            )
        if not self._agents:
            if not len(exposure):
                raise UsageError(
                    "AdaptiveRiskDetector: tick['exposure'] is empty", hint="give one an agent"
                )
            self._prepare(len(exposure))
        self._tick += 1
        self._rows.append((exposure, signal, log_vol, drawdown))
        if len(self._rows) < _BLOCK:
            return ()
        columns = [np.array(column) for column in zip(*self._rows, strict=True)]
        self._rows.clear()
        return self._block(*columns)

    def _block(
        self, exposure: Array, signal: Array, log_vol: Array, drawdown: Array
    ) -> Sequence[Finding]:
        quiet = self._tick < self._baseline_end
        surprise = self._model.update(exposure, signal, log_vol, drawdown, trusted=quiet)
        if quiet or surprise is None:
            return ()
        products = surprise.error[None] * surprise.news  # (2, B, N)
        products[:, :, self._silent_until > self._tick] = 0.0
        # How it answered before is known up to an error that is the same in all that follows.
        doubt = _DOUBT / np.sqrt(self._model.learned) * surprise.news**2
        doubt[:, :, self._silent_until > self._tick] = 0.0
        alone = self._evidence.update(_flat(products - doubt), _flat(-products - doubt))
        alone = alone.reshape(2, 2, self._agents)  # direction, cause, agent
        swarm = self._swarm.update(*self._together(products, doubt)).reshape(2, 2)
        self._lean += (products.mean(axis=1) - self._lean) * _BLOCK / _SPAN
        if (alone.mean() + swarm.mean()) / 2.0 < self._evidence.threshold:
            return ()
        return self._raise(alone, swarm)

    def _together(self, products: Array, doubt: Array) -> tuple[Array, Array]:
        """(B, 2) up and (B, 2) down: all agents' statistics, weighed by how they leaned before.

        A weight grows with the chance that the agent is one of
        ``_SHARE`` whose answer changed by ``_LIKELY``; without a sign of it, it is zero. The sum is
        bet on as one statistic with its own spread, so agents may be as dependent as they like.
        """
        odds = np.clip(self._log_odds, -50.0, 50.0) + np.log(_SHARE / (1.0 - _SHARE))
        least = _SHARE / (_SHARE + (1.0 - _SHARE) * np.exp(-_LEAST_ODDS))
        weights = np.maximum(1.0 / (1.0 + np.exp(-odds)) - least, 0.0)
        up = (weights[0][:, None] * (products - doubt)).sum(axis=2).T
        down = (weights[1][:, None] * (-products - doubt)).sum(axis=2).T
        lean = _LIKELY * products.sum(axis=1)
        cost = _LIKELY**2 / 2.0 * (products**2).sum(axis=1)
        kept = self._log_odds * (1.0 - _BLOCK / _MEMORY)
        self._log_odds = np.maximum(kept + np.stack([lean, -lean]) - cost, _LEAST_ODDS)
        return up, down

    def _raise(self, alone: Array, swarm: Array) -> Sequence[Finding]:
        e_value = float((alone.mean() + swarm.mean()) / 2.0 / self._evidence.starts)
        # The cause and direction that weigh most, and the agents whose own evidence says the same.
        weight = alone.mean(axis=2) + swarm
        direction, cause = np.unravel_index(int(weight.argmax()), weight.shape)
        own = alone[direction, cause] / self._evidence.starts
        named = np.flatnonzero(own >= min(float(self._agents), float(own.max())))
        self._silent_until[named] = self._tick + _SILENCE
        self._evidence.forget([c * self._agents + int(a) for c in (0, 1) for a in named])
        self._swarm.forget([0, 1])
        self._log_odds[:, :, named] = _LEAST_ODDS
        mean = float(self._lean[cause, named].mean())
        more = "more" if direction == 0 else "less"
        who = ", ".join(str(int(a)) for a in named)
        return (
            Finding(
                type="risk",
                agents=tuple(int(a) for a in named),
                effect=Effect(
                    f"change of the answer to {_CAUSES[cause]}",
                    mean,
                    "correlation of surprises",
                    "up" if direction == 0 else "down",
                ),
                null=_NULL,
                window=(max(self._tick - int(_SPAN), 0), self._tick),
                raised_at=self._tick,
                e=e_value,
                summary=(
                    f"Agents {who} take {more} risk than they used to when {_CAUSES[cause]} rises, "
                    "beyond what their conviction and habits explain. This does not show that the "
                    "new behaviour is safer or better, nor that they learned it."
                ),
                evidence={
                    "threshold_e": 1.0 / BUDGET,
                    "e_alone": float(own.max()),
                    "e_together": float(swarm[direction, cause] / self._evidence.starts),
                },
            ),
        )


def _flat(values: Array) -> Array:
    """(2, B, N) as one column a cause and agent, (B, 2N)."""
    out: Array = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
    return out
