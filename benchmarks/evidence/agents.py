"""Agents no swarm should have, in a user's own file: the evidence shows what becomes of them.

They are loaded by path, as any agent of a user's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import BaseAgent, BlockAgent, BlockInput, StateField, Tick, TickAgent
from mirrorcore.clock import HOUR, SECOND
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.data_sources.simulation import oracle
from mirrorcore.market.block import Floats
from mirrorcore.market.features.filters import Ema

FAULTS = ("raises", "waits", "nan", "floods", "undeclared")
_FLOOD = 2_000


class Faulty(BaseAgent):
    """Misbehaves at every message in one way; nobody reads what it declares.

    Parameters
    ----------
    fault: one of :data:`FAULTS`.
    """

    kind = "faulty"
    votes = False
    writes = "level"
    state: ClassVar[Mapping[str, StateField]] = {"level": StateField("nothing of use", "", 0, 1)}

    def __init__(
        self, agent_id: str, data_interests: Sequence[str] = ("technical",), *, fault: str
    ) -> None:
        super().__init__(agent_id, data_interests)
        self.fault = fault

    async def _analyze(self, relevant_data: Mapping[str, Any]) -> dict[str, Any]:
        if self.fault == "waits":
            await asyncio.get_running_loop().create_future()
        elif self.fault == "nan":
            return {self.writes: float("nan")}
        elif self.fault == "floods":
            for number in range(_FLOOD):
                await self.syncbus.update_agent_state(self.agent_id, {self.writes: number / _FLOOD})
        elif self.fault == "undeclared":
            return {"a_field_nobody_declared": 1.0}
        raise RuntimeError(f"{self.agent_id} fails at every message")


class FaultyFear(Faulty):
    """The same in the place of the agent whose fear the gate reads."""

    writes = "m_fear"
    state: ClassVar[Mapping[str, StateField]] = {"m_fear": StateField("factor of fear", "", 0, 1)}


class FaultyVoter(Faulty):
    """The same in the place of a voter."""

    votes = True
    writes = "forecast"
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField("probability of a rise, for all symbols", "", 0, 1)
    }


class Prophet(BlockAgent):
    """Cheats: bets on the last price of the block, which most of its rows cannot know."""

    kind = "cheat"
    votes = True
    horizon_ns = 3_600_000_000_000
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField("probability of a rise", "", 0, 1, "symbols")
    }

    def __init__(self, agent_id: str = "Prophet") -> None:
        super().__init__(agent_id, ("technical",))

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        close = block.market.market.close
        rises: Floats = (close[-1:] > close).astype(float)
        return {"forecast": 0.25 + 0.5 * rises}


class Peeker(TickAgent):
    """Cheats: reads the row after its own, where the block has one."""

    kind = "cheat"
    votes = False
    cadence_ns = 3_600_000_000_000
    state: ClassVar[Mapping[str, StateField]] = {"sees": StateField("mean of the next closes")}

    def __init__(self, agent_id: str = "Peeker") -> None:
        super().__init__(agent_id, ("technical",))

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        close = tick.market.market.close
        ahead = min(tick.row + 12, len(close) - 1)
        return {"sees": float(close[ahead].mean())}


class Ponderer(BaseAgent):
    """Honest but slow: votes for the last move after thinking for some wall milliseconds."""

    kind = "slow"

    def __init__(
        self, agent_id: str, data_interests: Sequence[str] = ("technical",), *, seconds: float = 0.0
    ) -> None:
        super().__init__(agent_id, data_interests)
        self.seconds = seconds
        self.turn = 0

    async def _analyze(self, relevant_data: Mapping[str, Any]) -> dict[str, Any]:
        self.turn += 1
        # Short and long thoughts in turn: some answers come within their tick, some later.
        await asyncio.sleep(self.seconds * (self.turn % 5))
        votes = {
            symbol: 0.1 if values.get("macd_hist", 0.0) > 0 else -0.1
            for symbol, values in relevant_data["technical"].items()
        }
        return {"signal": votes}


class Planted(BlockAgent):
    """Knows a share of the hidden alpha of a simulated market, in noise of three hours.

        x = share alpha + sqrt(1 - share²) noise,    p = 1 / (1 + exp(-slope x))

    so that its information coefficient is ``share`` times the market's.

    Parameters
    ----------
    seed, bars, ic: of the market, preset plain, whose truth it is told.
    share: 0..1.
    slope: log-odds it states for a deviation of one.
    """

    kind = "planted"
    votes = True
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField("probability of a rise", "probability", 0, 1, "symbols")
    }

    def __init__(
        self, agent_id: str, *, seed: int, bars: int, ic: float, share: float, slope: float
    ) -> None:
        super().__init__(agent_id, ("technical",))
        self.market = (seed, bars, ic)
        self.share = share
        self.slope = slope

    def prepare(self) -> None:
        alpha = known_alpha(*self.market, self.context.symbols)
        smooth = Ema(half_life_bars=float(self.context.bars(3 * HOUR)), columns=alpha.shape[1])
        noise = smooth(self.rng.normal(size=alpha.shape))
        noise /= noise.std()
        self.x = self.share * alpha + np.sqrt(1.0 - self.share**2) * noise

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        first = block.market.market.index
        x = self.x[first : first + len(block.ts)]
        return {"forecast": 1.0 / (1.0 + np.exp(-self.slope * x))}

    def remember(self) -> dict[str, Any]:
        return {}

    def recall(self, memory: dict[str, Any]) -> None:
        """What it knows is no memory: it is the market's."""


@lru_cache(maxsize=1)
def known_alpha(seed: int, bars: int, ic: float, symbols: tuple[str, ...]) -> Floats:
    """(bars, S) alpha as of each bar's close, which the next bar's mean is made of."""
    source = SimulatedSource("plain", seed=seed, symbols=symbols, bars=bars + 1, ic=ic)
    return oracle.truth(source).alpha[1:]


class Looker(TickAgent):
    """Reads one value of each symbol and says how many are known: next to no work of its own."""

    votes = False

    def __init__(self, agent_id: str) -> None:
        super().__init__(agent_id, ["technical", "risk"])

    def _analyze(self, tick: Tick) -> dict[str, float]:
        return {"known": float(np.isfinite(tick.value("technical", "z_96")).sum())}


class Rocker(BlockAgent):
    """In Allocator's place: now this symbol, now that one, whatever anybody thinks of it.

    A market without an edge gives a swarm no reason to trade; this one trades all the same.
    """

    kind: ClassVar[str] = "allocator"
    votes: ClassVar[bool | None] = False
    state: ClassVar[Mapping[str, StateField]] = {
        "target": StateField("target weight before gates", "of equity", -10, 10, "symbols"),
        "budget": StateField("volatility the book is sized for", "per year", 0, 1),
    }

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        turn = (block.ts // (10 * SECOND))[:, None] + np.arange(block.shape[1])[None, :]
        return {
            "target": np.where(turn % 2 == 0, 0.3, 0.0),
            "budget": np.full(len(block.ts), 0.1),
        }


class Flooding(TickAgent):
    """Publishes twenty times whenever it is called, which is at every tick."""

    votes = False

    def __init__(self, agent_id: str) -> None:
        super().__init__(agent_id, [])
        self.count = 0

    def _analyze(self, tick: Tick) -> dict[str, float]:
        for _ in range(19):
            self.count += 1
            self.handle.publish({"count": float(self.count)})
        return {"count": float(self.count)}
