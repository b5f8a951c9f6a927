"""Price, depth, swaps and flows of Uniswap pools, versions 2 and 3."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from mirrorcore import clock
from mirrorcore.clock import Clock
from mirrorcore.data_sources.chain.amounts import from_units, to_units
from mirrorcore.data_sources.chain.contracts import TOKEN0, TOKEN1, verify_token, view
from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.flows import Flow, FlowWindows
from mirrorcore.data_sources.chain.numbering import log_number, observed
from mirrorcore.data_sources.chain.pools import (
    Pool,
    PoolState,
    PoolSwap,
    PoolVersion,
    VersionThree,
    VersionTwo,
    by_role,
    depth,
    price,
)
from mirrorcore.data_sources.chain.rpc import Block, Node
from mirrorcore.data_sources.chain.rpc_errors import StateUnavailableError
from mirrorcore.data_sources.chain.source import ChainReader, ChainRules, ChainSource
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.errors import UsageError
from mirrorcore.market.records import FeedRecord, Swap

_WHALES = " whales"
"""What the key of a flow of large swaps ends with; no symbol holds a space."""

States = Mapping[str, PoolState | None]


class PoolReader:
    """Makes records of one block's swaps, and observations of what they changed.

    Parameters
    ----------
    name: of the source.
    version: how its pools' logs are read.
    pools: allow-list, by address.
    flow_ns: length of the flows' windows.
    memory: blocks that can be taken back.
    """

    full = False

    def __init__(
        self, name: str, version: PoolVersion, pools: Sequence[Pool], flow_ns: int, memory: int
    ) -> None:
        self._name = name
        self._version = version
        self._pools = {pool.address: pool for pool in pools}
        self.addresses = tuple(self._pools)
        self.topics = version.topics
        self._whale = {one.symbol: from_units(one.whale, one.base.decimals) for one in pools}
        self._flow_ns = flow_ns
        keys = [key for pool in pools for key in (pool.symbol, pool.symbol + _WHALES)]
        self._windows = FlowWindows(keys, flow_ns, memory)
        # After each block, the oldest kept one serving as what was before the next.
        self._states: deque[tuple[int, States]] = deque(maxlen=memory + 1)
        self._shown: States = {}

    async def verify(self, node: Node) -> None:
        for pool in self._pools.values():
            wanted = sorted((pool.base.address, pool.quote.address), key=lambda one: int(one, 16))
            for selector, what, address in zip(
                (TOKEN0, TOKEN1), ("token0()", "token1()"), wanted, strict=True
            ):
                found = await view(node, pool.address, selector, what)
                if found != int(address, 16):
                    raise SourceError(
                        f"{pool.symbol}: {what} of pool {pool.address} is 0x{found:040x},"
                        f" not {address}",
                        hint="check the addresses of the pool and its tokens",
                        permanent=True,
                    )
            await verify_token(node, pool.base)
            await verify_token(node, pool.quote)

    def needs_from(self, ts: int) -> int:
        return ts // self._flow_ns * self._flow_ns

    async def begin(self, node: Node, below: Block) -> None:
        states: dict[str, PoolState | None] = {}
        for address in self._pools:
            try:
                states[address] = await self._version.state(node, address, below.number)
            except StateUnavailableError:
                states[address] = None  # the first log tells it
        self._states.clear()
        self._states.append((below.number, states))
        self._shown = {}
        self._windows.begin(below.ts)

    def retract(self, first: int) -> None:
        while self._states and self._states[-1][0] >= first:
            self._states.pop()
        self._windows.retract(first)
        # What was told of the undone blocks is told again, whatever it is now.
        self._shown = {}

    async def read(self, node: Node, block: Block, logs: Sequence[Log]) -> list[FeedRecord]:
        states = dict(self._states[-1][1])
        swaps: list[Swap] = []
        flows: list[Flow] = []
        for log in logs:
            pool = self._pools.get(log.address)
            if pool is None:
                continue
            told = self._version.apply(states[pool.address], log)
            if told is None:
                continue
            states[pool.address], swap = told
            if swap is not None:
                swaps.append(self._swap(block, pool, log, states[pool.address], swap))
                flows += self._flows(pool, swap)
        values = self._changed(block, states)
        for window in self._windows.add(block.number, block.ts, flows):
            for pool in self._pools.values():
                for series, key in _FLOW_SERIES:
                    amount = window.sums[pool.symbol + key]
                    units = float(to_units(amount, pool.base.decimals))
                    values.append((series, pool.symbol, window.end, units))
        self._states.append((block.number, states))
        self._shown = states
        return [*swaps, *observed(self._name, block.number, values)]

    def _swap(
        self, block: Block, pool: Pool, log: Log, state: PoolState | None, swap: PoolSwap
    ) -> Swap:
        if state is None:
            raise SourceError(
                f"{pool.symbol}: the node left out what belongs to swap {log.transaction}"
            )
        base, quote = by_role(pool, swap)
        return Swap(
            source=self._name,
            symbol=pool.symbol,
            ts_event=block.ts,
            ts_recv=0,
            ts_avail=0,
            seq=log_number(block.number, log.index),
            pool=pool.address,
            amount_base=str(base),
            amount_quote=str(quote),
            price=f"{price(pool, state):f}",
            liquidity=str(state.liquidity),
            block=block.number,
            block_hash=block.hash,
            transaction=log.transaction,
            log_index=log.index,
        )

    def _flows(self, pool: Pool, swap: PoolSwap) -> list[Flow]:
        """What flowed out of the pool was bought."""
        bought = -by_role(pool, swap)[0]
        flows = [Flow(pool.symbol, bought)]
        if abs(bought) >= self._whale[pool.symbol]:
            flows.append(Flow(pool.symbol + _WHALES, bought))
        return flows

    def _changed(self, block: Block, states: States) -> list[tuple[str, str, int, float]]:
        values = []
        for address, pool in self._pools.items():
            state = states[address]
            if state is not None and state != self._shown.get(address):
                values += [
                    ("onchain.dex_price", pool.symbol, block.ts, float(price(pool, state))),
                    ("onchain.dex_liquidity", pool.symbol, block.ts, float(depth(pool, state))),
                ]
        return values


_FLOW_SERIES = (("onchain.dex_flow", ""), ("onchain.whale_flow", _WHALES))


class DexSource(ChainSource):
    """Follows pools of one version: Swap records and observations for agents.

    | series | of | unit |
    |---|---|---|
    | ``onchain.dex_price`` | each block that changed it | quote per base |
    | ``onchain.dex_liquidity`` | the same: virtual reserve of base | units of base |
    | ``onchain.dex_flow`` | each window: all swaps, + bought from the pool | units of base |
    | ``onchain.whale_flow`` | each window: swaps of at least the pool's ``whale`` | units of base |

    Parameters
    ----------
    endpoint: address of a JSON-RPC node over HTTP.
    pools: allow-list; one a symbol.
    flow_ns: length of a window, 5 min.
    """

    _version: PoolVersion

    def __init__(
        self,
        endpoint: str,
        clock: Clock,
        *,
        pools: Sequence[Pool],
        name: str,
        rules: ChainRules | None = None,
        flow_ns: int = 5 * clock.MINUTE,
    ) -> None:
        rules = ChainRules() if rules is None else rules
        symbols = [pool.symbol for pool in pools]
        if not pools or len(set(symbols)) < len(symbols):
            raise UsageError(
                f"{name}: needs pools, each with its own symbol; got {', '.join(symbols) or 'none'}"
            )
        self._pools = tuple(pools)
        self._flow_ns = flow_ns
        spec = SourceSpec(
            name=name,
            category="onchain",
            kinds=("swap", "observation"),
            symbols=tuple(symbols),
            cadence_ns=flow_ns,
            stale_after_ns=3 * flow_ns + rules.confirmations * rules.block_ns,
            sparse=True,
            units={
                "swap": "smallest units of the tokens, positive into the pool",
                "onchain.dex_price": "quote per base",
                "onchain.dex_liquidity": "units of base",
                "onchain.dex_flow": "units of base, positive bought",
                "onchain.whale_flow": "units of base, positive bought",
            },
            licence="public chain data; the node's own terms",
            tested=True,
        )
        super().__init__(endpoint, clock, spec, rules, symbols[0])

    def _reader(self) -> ChainReader:
        return PoolReader(
            self._spec.name, self._version, self._pools, self._flow_ns, self._rules.memory
        )


class UniswapV2Source(DexSource):
    """Pools of Uniswap version 2 and of what was copied from it."""

    _version: PoolVersion = VersionTwo()

    def __init__(
        self,
        endpoint: str,
        clock: Clock,
        *,
        pools: Sequence[Pool],
        name: str = "uniswap_v2",
        rules: ChainRules | None = None,
        flow_ns: int = 5 * clock.MINUTE,
    ) -> None:
        super().__init__(endpoint, clock, pools=pools, name=name, rules=rules, flow_ns=flow_ns)


class UniswapV3Source(DexSource):
    """Pools of Uniswap version 3."""

    _version: PoolVersion = VersionThree()

    def __init__(
        self,
        endpoint: str,
        clock: Clock,
        *,
        pools: Sequence[Pool],
        name: str = "uniswap_v3",
        rules: ChainRules | None = None,
        flow_ns: int = 5 * clock.MINUTE,
    ) -> None:
        super().__init__(endpoint, clock, pools=pools, name=name, rules=rules, flow_ns=flow_ns)
