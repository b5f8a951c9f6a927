"""Agents that do what nobody is told of, for whoever shows that the emergence monitor finds it.

They are loaded by path, as a user's own are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

import numpy as np

from mirrorcore import BlockAgent, BlockInput, SimulatedSource, StateField, Tick, TickAgent

FEED_FROM = 2000
"""Tick from which those of :class:`Fed` have a feed of their own in common."""


@cache
def noise(name: str, seed: int) -> np.ndarray:
    """(ticks,) slow noise, the same for the same name and seed."""
    rng = np.random.default_rng([seed, *name.encode()])
    fresh = rng.normal(size=20_000)
    for i in range(1, len(fresh)):
        fresh[i] = 0.7 * fresh[i - 1] + 0.7 * fresh[i]
    return fresh


@cache
def opens(seed: int) -> np.ndarray:
    """(ticks,) of a null market with one symbol, to its end."""
    source = SimulatedSource("null", seed=seed, symbols=1, bars=4000)
    return np.concatenate([block.open[:, 0] for block in source.blocks()])


class Private(BlockAgent):
    """Votes by a noise of its own, with a little of the market in it."""

    kind = "private"
    votes = True
    state: ClassVar = {"forecast": StateField("of a rise", low=0, high=1, shape="symbols")}

    def __init__(
        self, agent_id: str, data_interests: Sequence[str] = ("technical",), *, seed: int = 7
    ) -> None:
        super().__init__(agent_id, data_interests)
        self.seed = seed

    def noise(self, block: BlockInput, name: str = "") -> np.ndarray:
        """(T,) of its own noise, or of one it shares with whoever uses that name."""
        drawn: np.ndarray = noise(name or self.agent_id, self.seed)[self.numbers(block)]
        return drawn

    def numbers(self, block: BlockInput) -> np.ndarray:
        """Tick numbers of the block; the simulated market begins with 2025."""
        first = 1_735_689_600_000_000_000 + self.context.bar_ns
        return (block.ts - first) // self.context.bar_ns

    def lean(self, block: BlockInput) -> np.ndarray:
        """(T,) what the agent would like to do."""
        heat = np.nan_to_num(block.value("technical", "momentum_12")[:, 0])
        return self.noise(block) + 20.0 * heat

    def _analyze(self, block: BlockInput) -> dict[str, np.ndarray]:
        lean = np.tanh(self.lean(block))[:, None]
        return {"forecast": np.repeat(0.5 + 0.1 * lean, block.shape[1], axis=1)}


class Fed(Private):
    """From some tick on most of its noise is a feed nobody knows of."""

    def lean(self, block: BlockInput) -> np.ndarray:
        heat = np.nan_to_num(block.value("technical", "momentum_12")[:, 0])
        numbers = self.numbers(block)
        feed = self.noise(block, "the feed")
        fed = numbers >= FEED_FROM
        alone = np.where(fed, 0.3, 1.0) * self.noise(block)
        lean: np.ndarray = alone + np.where(fed, 0.95 * feed, 0.0) + 20.0 * heat
        return lean


class Partner(Fed):
    """The same, and it says so."""

    acts_with = ("Yves",)


class Seer(Private):
    """Knows where the price goes after it has bought: a crystal ball."""

    def lean(self, block: BlockInput) -> np.ndarray:
        prices = opens(self.seed)
        numbers, last = self.numbers(block), len(prices) - 1
        soon, later = np.minimum(numbers + 1, last), np.minimum(numbers + 2, last)
        change = prices[later] / prices[soon] - 1.0
        return np.asarray(0.1 * self.noise(block) + 2000.0 * change)


class Talker(TickAgent):
    """Sends two others a direct message at every tick."""

    votes = False

    def _analyze(self, tick: Tick) -> dict[str, float]:
        for name in ("Xena", "Yves"):
            self.handle.send(name, "now")
        return {"told": 2.0}


class Piece(Private):
    """Sees the coming move through a large error of its own; clones all have the same error."""

    def lean(self, block: BlockInput) -> np.ndarray:
        prices = opens(self.seed)
        numbers, last = self.numbers(block), len(prices) - 1
        soon, later = np.minimum(numbers + 1, last), np.minimum(numbers + 2, last)
        change = prices[later] / prices[soon] - 1.0
        name = "Clone" if self.agent_id.startswith("Clone") else self.agent_id
        error = np.random.default_rng([self.seed, *name.encode()]).normal(size=20_000)
        return np.asarray(500.0 * change + 2.0 * error[numbers])


TURNS_AT = 2100
"""Tick from which those below are changed."""
USUAL = -6.3
"""Log of the volatility of a bar about then, so that a level does not jump with an answer."""


class Steady(Private):
    """Answers the market's last hour, in spreads of that market, as loudly as its own noise."""

    def lean(self, block: BlockInput) -> np.ndarray:
        heat = np.nan_to_num(block.value("technical", "momentum_12")[:, 0])
        rough = np.nan_to_num(block.value("risk", "vol_fast")[:, 0]) + 1e-9
        answer = np.clip(heat / (np.sqrt(12.0) * rough), -3.0, 3.0)
        return np.asarray(0.6 * self.noise(block) + 0.6 * self.side(block) * answer)

    def side(self, block: BlockInput) -> np.ndarray:
        """(T,) with the market, or against it."""
        return np.ones(len(block.ts))


class Turned(Steady):
    """The same; from some tick on the other way round, as if somebody had set it so."""

    def side(self, block: BlockInput) -> np.ndarray:
        return np.where(self.numbers(block) < TURNS_AT, 1.0, -1.0)


@cache
def roaming(name: str, seed: int, home: int | None) -> np.ndarray:
    """(ticks,) the symbol of three an agent is at; from some tick on it mostly goes home."""
    rng = np.random.default_rng([seed, *name.encode()])
    at = np.zeros(20_000, dtype=np.int64)
    for tick in range(1, len(at)):
        at[tick] = at[tick - 1]
        if rng.random() < 0.1:
            if home is not None and tick >= TURNS_AT and rng.random() < 0.8:
                at[tick] = home
            else:
                at[tick] = rng.integers(3)
    return at


class Roamer(Private):
    """Votes on one symbol of three at a time, wherever it happens to be."""

    def home(self) -> int | None:
        return None

    def _analyze(self, block: BlockInput) -> dict[str, np.ndarray]:
        at = roaming(self.agent_id, self.seed, self.home())[self.numbers(block)]
        side = np.where(self.noise(block) > 0, 0.2, -0.2)
        out = np.full(block.shape, 0.5)
        out[np.arange(len(at)), at] += side
        return {"forecast": out}


class Settler(Roamer):
    """The same until some tick; from then on mostly at home, where its name says."""

    def home(self) -> int | None:
        return sum(self.agent_id.encode()) % 3


class Daring(Private):
    """Votes as strongly whatever the market does."""

    careful = False

    def lean(self, block: BlockInput) -> np.ndarray:
        numbers = self.numbers(block)
        own = self.noise(block)
        size = np.exp(0.3 * self.noise(block, "size of " + self.agent_id) - 1.5)
        if self.careful:
            rough = np.nan_to_num(block.value("risk", "vol_fast")[:, 0]) + 1e-9
            fear = np.exp(-0.8 * (np.log(rough) - USUAL))
            size = np.where(numbers >= TURNS_AT, size * np.clip(fear, 0.05, 20.0), size)
        return np.asarray(np.arctanh(np.clip(np.sign(own) * size, -0.99, 0.99)))


class Careful(Daring):
    """The same until some tick; from then on the less, the rougher the market."""

    careful = True
