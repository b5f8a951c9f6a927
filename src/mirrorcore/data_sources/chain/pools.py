"""What the logs of a Uniswap pool say of its price, depth and swaps: pure and exact.

Version 2 (Adams, Zinsmeister and Robinson, 2020) keeps reserves x of token 0 and y of token 1; its
price is y / x. Version 3 (Adams and others, 2021) keeps s = sqrt(y / x) as a fixed-point number
with 96 binary digits and the liquidity L in range; its price is s² and it trades like a version 2
pool with the *virtual* reserves L / s and L s. So one measure of depth serves both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from math import isqrt
from typing import Protocol

from mirrorcore.data_sources.chain import events
from mirrorcore.data_sources.chain.amounts import EXACT, Token, canonical_address
from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.rpc import Node

_Q96 = 2**96


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that may be believed, by its address.

    Parameters
    ----------
    address: of the pool's contract.
    symbol: canonical, as ETH/USDC.
    base, quote: its two tokens; which of them the pool calls token 0 is read from the chain.
    whale: units of base from which on a swap counts as a whale's, as decimal text.
    """

    address: str
    symbol: str
    base: Token
    quote: Token
    whale: str = "0"

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", canonical_address(self.address))
        if self.base.address == self.quote.address:
            raise ValueError(f"pool {self.symbol} has twice the token {self.base.address}")

    @property
    def base_first(self) -> bool:
        """Pools sort their tokens by address."""
        return int(self.base.address, 16) < int(self.quote.address, 16)


class PoolState(Protocol):
    """A pool as of some log."""

    @property
    def ratio(self) -> tuple[int, int]:
        """Smallest units of token 1 per smallest unit of token 0, as an exact fraction."""

    @property
    def liquidity(self) -> int:
        """sqrt(x y) of the reserves, virtual ones in version 3."""


@dataclass(frozen=True, slots=True)
class Reserves:
    """Version 2."""

    reserve0: int
    reserve1: int

    @property
    def ratio(self) -> tuple[int, int]:
        return self.reserve1, self.reserve0

    @property
    def liquidity(self) -> int:
        return isqrt(self.reserve0 * self.reserve1)


@dataclass(frozen=True, slots=True)
class Concentrated:
    """Version 3: square root of the price, times 2^96; liquidity in range; tick."""

    sqrt_price: int
    liquidity: int
    tick: int

    @property
    def ratio(self) -> tuple[int, int]:
        return self.sqrt_price * self.sqrt_price, _Q96 * _Q96


@dataclass(frozen=True, slots=True)
class PoolSwap:
    """Smallest units that flowed into the pool, negative where they flowed out."""

    amount0: int
    amount1: int


class PoolVersion(Protocol):
    """How one version's pools are read."""

    topics: tuple[str, ...]

    async def state(self, node: Node, address: str, block: int) -> PoolState | None:
        """The pool as of a block; None where it has no price yet."""

    def apply(
        self, state: PoolState | None, log: Log
    ) -> tuple[PoolState | None, PoolSwap | None] | None:
        """The state after a log, and the swap it tells of; None for a log that is no such thing."""


class VersionTwo:
    """Sync tells the reserves and comes before the Swap it belongs to."""

    topics: tuple[str, ...] = (events.V2_SYNC, events.V2_SWAP)

    async def state(self, node: Node, address: str, block: int) -> PoolState | None:
        answer = events.words(await node.call(address, "0x0902f1ac", block), 3)  # getReserves()
        return Reserves(answer[0], answer[1]) if answer and answer[0] and answer[1] else None

    def apply(
        self, state: PoolState | None, log: Log
    ) -> tuple[PoolState | None, PoolSwap | None] | None:
        if log.topics[:1] == (events.V2_SYNC,):
            reserves = events.words(log.data, 2)
            if reserves is None:
                return None
            # An emptied pool has no price.
            return (Reserves(*reserves) if all(reserves) else None), None
        if log.topics[:1] == (events.V2_SWAP,):
            moved = events.words(log.data, 4)
            if moved is None:
                return None
            in0, in1, out0, out1 = moved
            return state, PoolSwap(in0 - out0, in1 - out1)
        return None


class VersionThree:
    """Swap tells everything; Mint and Burn change the liquidity if their range holds the tick."""

    topics: tuple[str, ...] = (events.V3_SWAP, events.V3_MINT, events.V3_BURN, events.V3_INITIALIZE)

    async def state(self, node: Node, address: str, block: int) -> PoolState | None:
        slot = events.words(await node.call(address, "0x3850c7bd", block), 7)  # slot0()
        liquidity = events.words(await node.call(address, "0x1a686502", block), 1)  # liquidity()
        if not slot or not liquidity or not slot[0]:
            return None
        return Concentrated(slot[0], liquidity[0], events.signed(slot[1]))

    def apply(
        self, state: PoolState | None, log: Log
    ) -> tuple[PoolState | None, PoolSwap | None] | None:
        topic = log.topics[0] if log.topics else ""
        if topic == events.V3_SWAP:
            told = events.words(log.data, 5)
            if told is None:
                return None
            amount0, amount1, sqrt_price, liquidity, tick = told
            swap = PoolSwap(events.signed(amount0), events.signed(amount1))
            return Concentrated(sqrt_price, liquidity, events.signed(tick)), swap
        if topic == events.V3_INITIALIZE:
            begun = events.words(log.data, 2)
            return (
                None
                if begun is None
                else (Concentrated(begun[0], 0, events.signed(begun[1])), None)
            )
        if topic in (events.V3_MINT, events.V3_BURN) and len(log.topics) == 4:
            return self._provided(state, log, topic == events.V3_MINT)
        return None

    def _provided(
        self, state: PoolState | None, log: Log, minted: bool
    ) -> tuple[PoolState | None, PoolSwap | None] | None:
        told = events.words(log.data, 4 if minted else 3)
        if told is None:
            return None
        if not isinstance(state, Concentrated):
            return state, None
        amount = told[1] if minted else -told[0]
        lower, upper = events.topic_signed(log.topics[2]), events.topic_signed(log.topics[3])
        if lower <= state.tick < upper:
            state = replace(state, liquidity=state.liquidity + amount)
        return state, None


def price(pool: Pool, state: PoolState) -> Decimal:
    """Units of quote per unit of base."""
    over, under = state.ratio if pool.base_first else state.ratio[::-1]
    raw = EXACT.divide(Decimal(over), Decimal(under))
    return EXACT.scaleb(raw, pool.base.decimals - pool.quote.decimals)


def depth(pool: Pool, state: PoolState) -> Decimal:
    """Virtual reserve of base, in units: buying a share f of it raises the price by about 2 f."""
    over, under = state.ratio if pool.base_first else state.ratio[::-1]
    square_root = EXACT.sqrt(EXACT.divide(Decimal(over), Decimal(under)))
    return EXACT.scaleb(EXACT.divide(Decimal(state.liquidity), square_root), -pool.base.decimals)


def by_role(pool: Pool, swap: PoolSwap) -> tuple[int, int]:
    """What flowed into the pool of base and of quote."""
    return (swap.amount0, swap.amount1) if pool.base_first else (swap.amount1, swap.amount0)
