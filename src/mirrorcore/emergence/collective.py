"""A swarm that forecasts better than every one of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import BUDGET, HORIZON, Array, TickReader, family_of
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.errors import UsageError

_START_EVERY = 250
_FIRST = 0.9
_BET = 0.7  # for calibrated forecasts 1 grows fastest; somewhat less reaches the bar more surely
_MOST = 0.9
_HALVES = 100.0  # ones and zeros that count as seen: a base rate of few outcomes misleads
_CEILING = 1e100
_SILENCE = 2000
_SPAN = 1000.0
_NULL = (
    "some agent, or always saying one half, or always saying the base rate so far, forecasts at "
    "least as well as the swarm (Brier score)"
)


class SwarmIntelligenceDetector:
    """Bets against each member, and two constants, that the swarm's forecast scores better.

    The claim rests on the smallest of all the bets' worths: as the null says *some* rival is as
    good, the bet against that one gains nothing on average, and no correction for the number of
    agents is due (Berger 1982). Nine tenths of the stakes are laid at the start, the others every
    ``_START_EVERY`` ticks. That a swarm beats its *average* member is an identity and no evidence.

    A tick holds ``ret``, ``votes`` (N), each agent's probability that the next outcome is 1,
    ``swarm``, the swarm's, and ``outcome`` (0 or 1) of the last.
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        self._reader = TickReader("SwarmIntelligenceDetector")
        self._family = family_of(static)
        self._tick = -1
        self._last: tuple[Array, float] | None = None
        self._ones, self._outcomes = 1.0, 2.0
        self._worth = np.zeros(0)
        self._lead = np.zeros(0)
        self._silent_until = 0

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        self._reader.number(tick, "ret")
        votes = self._reader.array(tick, "votes", "agents")
        swarm = self._reader.number(tick, "swarm")
        outcome = self._reader.number(tick, "outcome")
        if min(votes.min(initial=0.5), swarm) < 0 or max(votes.max(initial=0.5), swarm) > 1:
            raise UsageError(
                "SwarmIntelligenceDetector: tick['votes'] or tick['swarm'] is outside 0 to 1",
                hint="give probabilities that the next outcome is 1",
            )
        if outcome not in (0.0, 1.0):
            raise UsageError(
                f"SwarmIntelligenceDetector: tick['outcome'] is {outcome}",
                hint="give 1 where the last outcome came true and 0 where it did not",
            )
        self._tick += 1
        findings: Sequence[Finding] = ()
        if self._last is None:
            self._worth = np.full(len(votes) + 2, _FIRST)
            self._lead = np.zeros(len(votes) + 2)
        else:
            findings = self._score(*self._last, outcome)
        rivals = np.concatenate([votes, [0.5, self._ones / self._outcomes]])
        self._last = rivals, swarm
        return findings

    def _score(self, rivals: Array, swarm: float, outcome: float) -> Sequence[Finding]:
        usual = (self._ones + _HALVES) / (self._outcomes + 2.0 * _HALVES)
        self._ones += outcome
        self._outcomes += 1.0
        if self._tick % _START_EVERY == 1:
            self._worth += (1.0 - _FIRST) * _START_EVERY / HORIZON
        # Who forecast p and who forecast q differ by (q - p)(2 outcome - p - q) in Brier score.
        lean = 2.0 * outcome - rivals - swarm
        better = (swarm - rivals) * lean
        # Any stake on it is fair that was settled when the forecasts were made. Staked is how far
        # the swarm leaves the base rate (had each rival a stake of its own, the luckiest of them
        # would decide), but no more than twice how far it leaves the rival.
        tilt = _BET * (swarm - usual)
        stake = np.minimum(abs(tilt), 2.0 * _BET * np.abs(swarm - rivals))
        stake = np.minimum(stake, _MOST / np.maximum(2.0 - rivals - swarm, rivals + swarm))
        gain = np.where(tilt * (swarm - rivals) > 0.0, np.sign(tilt) * stake * lean, 0.0)
        self._worth = np.minimum(self._worth * (1.0 + gain), _CEILING)
        self._lead += (better - self._lead) / min(float(self._tick), _SPAN)
        weakest = float(self._worth.min())
        if weakest < self._family / BUDGET or self._tick < self._silent_until:
            return ()
        closest = int(self._worth.argmin())
        self._worth[:] = 0.0
        self._silent_until = self._tick + _SILENCE
        names = [f"agent {i}" for i in range(len(rivals) - 2)] + ["one half", "the base rate"]
        return (
            Finding(
                type="collective",
                agents=(),
                effect=Effect(
                    "lead over the closest rival", float(self._lead.min()), "Brier score", "up"
                ),
                null=_NULL,
                window=(max(self._tick - int(_SPAN), 0), self._tick),
                raised_at=self._tick,
                e=weakest / self._family,
                summary=(
                    "The swarm forecasts better than each of its members and than any constant; "
                    f"the closest rival is {names[closest]}. This does not show that the forecast "
                    "is good enough to trade on."
                ),
                evidence={"threshold_e": 1.0 / BUDGET, "closest_rival": float(closest)},
            ),
        )
