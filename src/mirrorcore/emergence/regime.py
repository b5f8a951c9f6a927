"""A new regime: the market has switched, and the swarm has come to believe it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import BUDGET, HORIZON, Array, TickReader, family_of
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.shifts import ShiftEvidence
from mirrorcore.emergence.surroundings import BeliefReference, MarketReference
from mirrorcore.errors import UsageError

_BLOCK = 8
_WINDOW = 16
_STAKES = HORIZON / _BLOCK
_DELAY = 16
_SETTLE = 192
_MEASURED = 64
_PRACTICE = 640
_CLEAR = 2.5
_THINGS = ("log-volatility", "trend")
_NULL = (
    "the market's volatility (trend) goes on as it has, clustering included, or the agents' "
    "beliefs about it do"
)


@dataclass
class _Block:
    """What is learned of some ticks when they have grown old enough."""

    returns: Array
    fit: Array
    beliefs: Array
    rows: Array
    average: Array
    bins: Array | None


@dataclass(frozen=True)
class _Switch:
    """A shift of the market: of which thing, up (0) or down (1), seen when, how clearly."""

    thing: int
    direction: int
    tick: int
    e_value: float
    needed: float


class RegimeConsensusDetector:
    """Bets that the market has shifted, then that the swarm's average belief has gone with it.

    Half of the budget is for the first bet, over all ticks. Where it is won, the stakes on the
    beliefs that were laid in the 128 ticks before are held for as long again, and the other half is
    for them: the k-th time in 10,000 ticks, 1 / k(k+1) of it. All agents' beliefs are summed, each
    in its own spreads, rather than counted as votes. After a finding the new state is learned as
    what is usual; a switch that the beliefs did not follow is learned for the market alone.

    A tick holds ``ret`` and ``beliefs`` (N, 2): each agent's log-volatility and trend.
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        # Each of a family spends its share of the budget, half of it on either bet.
        self._half = BUDGET / 2.0 / family_of(static)
        self._reader = TickReader("RegimeConsensusDetector", {"log-volatility and trend": 2})
        self._tick = -1
        self._rows: list[tuple[float, Array]] = []
        self._market = MarketReference()
        self._swarm: BeliefReference | None = None
        # Volatility of the market shifts in spread; its trend and both beliefs in the mean.
        self._switches = ShiftEvidence(2, 1, _WINDOW)
        self._moves = ShiftEvidence(2, 0, _WINDOW)
        self._waiting: deque[_Block] = deque()
        self._practised = 0
        self._believed = 0.0
        self._switch: _Switch | None = None
        self._spent: deque[int] = deque()

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        change = self._reader.number(tick, "ret")
        beliefs = self._reader.array(tick, "beliefs", "agents", "log-volatility and trend")
        if not len(beliefs):
            raise UsageError(
                "RegimeConsensusDetector: tick['beliefs'] is empty", hint="give one row an agent"
            )
        if self._swarm is None:
            self._swarm = BeliefReference(len(beliefs))
        self._tick += 1
        self._rows.append((change, beliefs))
        if len(self._rows) < _BLOCK:
            return ()
        returns, block = (np.array(column) for column in zip(*self._rows, strict=True))
        self._rows.clear()
        return self._block(self._swarm, returns, block)

    def _block(self, swarm: BeliefReference, returns: Array, beliefs: Array) -> Sequence[Finding]:
        settled = swarm.learned >= _SETTLE and swarm.measured >= _MEASURED
        scaled, fit = self._market.standardise(returns)
        news, rows, average = swarm.standardise(beliefs)
        bins = None
        if settled:
            both = np.stack([scaled, scaled, news[:, 0], news[:, 1]], axis=1)
            bins = self._switches.bins(both)
            if self._practised >= _PRACTICE and self._bet(bins):
                return (self._raise(swarm, beliefs),)
        self._waiting.append(_Block(returns, fit, beliefs, rows, average, bins))
        if len(self._waiting) > _DELAY or swarm.learned < _SETTLE:
            self._learn(swarm, self._waiting.popleft())
        return ()

    def _bet(self, bins: Array) -> bool:
        """Whether the beliefs have followed a switch of the market."""
        held = self._switch
        worth = self._moves.update(bins[:, 2:], hold=held is not None)
        if held is None:
            market = self._switches.update(bins[:, :2]) / _STAKES
            thing, direction = np.unravel_index(int(market.argmax()), market.shape)
            e_value = float(market[thing, direction])
            # Of two things and two directions the best was picked.
            if e_value < market.size / self._half:
                return False
            held = self._switch = self._seen(int(thing), int(direction), e_value / market.size)
        self._believed = float(worth[held.thing, held.direction]) / _WINDOW
        if self._believed >= held.needed:
            return True
        if self._tick - held.tick >= _WINDOW * _BLOCK:
            # Nobody followed: for the market it is what is usual from now on.
            self._switch = None
            self._switches.forget()
            self._moves.forget()
            self._market.restart()
        return False

    def _seen(self, thing: int, direction: int, e_value: float) -> _Switch:
        while self._spent and self._spent[0] <= self._tick - HORIZON:
            self._spent.popleft()
        self._spent.append(self._tick)
        times = len(self._spent)
        return _Switch(thing, direction, self._tick, e_value, times * (times + 1) / self._half)

    def _learn(self, swarm: BeliefReference, old: _Block) -> None:
        self._market.learn(old.returns, old.fit)
        swarm.learn(old.beliefs, old.rows, old.average)
        if old.bins is not None:
            self._practised += len(old.bins)
            self._switches.learn(old.bins[:, :2])
            self._moves.learn(old.bins[:, 2:])
        if (self._tick + 1) % 64 == 0:
            swarm.refit()

    def _raise(self, swarm: BeliefReference, beliefs: Array) -> Finding:
        held = self._switch
        assert held is not None
        thing, direction = held.thing, held.direction
        side = 1.0 if direction == 0 else -1.0
        moved = swarm.moved(beliefs)[:, :, thing].mean(axis=0) * side
        agents = tuple(int(i) for i in np.flatnonzero(moved > _CLEAR))
        # The evidence of each half in units of what its half of the budget asks for.
        e_value = min(held.e_value * self._half, self._believed / held.needed) / BUDGET
        self._switch = None
        self._switches.forget()
        self._moves.forget()
        self._waiting.clear()
        self._market.restart()
        swarm.restart()
        way = "rose" if direction == 0 else "fell"
        return Finding(
            type="regime",
            agents=agents,
            effect=Effect(
                f"mean shift of believed {_THINGS[thing]}",
                float(moved.mean()),
                "usual spreads of an agent's belief",
                "up" if direction == 0 else "down",
            ),
            null=_NULL,
            window=(max(self._tick - _BLOCK * _WINDOW, 0), self._tick),
            raised_at=self._tick,
            e=e_value,
            summary=(
                f"The market's {_THINGS[thing]} {way} and the swarm's belief about it with it; "
                f"{len(agents)} of {len(moved)} agents are clearly on the new side. This does not "
                "show that they agreed with each other: each may have seen it for itself."
            ),
            evidence={
                "e_market": held.e_value,
                "e_beliefs": self._believed,
                "needed_of_beliefs": held.needed,
                "threshold_e": 1.0 / BUDGET,
            },
        )
