"""Swaps, prices, depth and flows of real Uniswap pools, through a real reorganisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from chain_evm import Evm, VersionThreePool, VersionTwoPool
from chain_reading import (
    LATER,
    all_of,
    identity,
    now,
    observed,
    rules,
    run,
    swaps,
    take,
    until_reorg,
    until_swap_at,
    until_swaps,
)

from mirrorcore import clock
from mirrorcore.data_sources.chain.amounts import Token
from mirrorcore.data_sources.chain.dex import DexSource, UniswapV2Source, UniswapV3Source
from mirrorcore.data_sources.chain.numbering import height_of
from mirrorcore.data_sources.chain.pools import Pool
from mirrorcore.data_sources.live import Position, SourceError
from mirrorcore.errors import UsageError
from mirrorcore.market.records import FeedRecord, Status

ETHER = 10**18
DOLLAR = 10**6
EXACTLY = Fraction(1, 10**12)
"""The relative error that a price may have against the pool's own."""


@dataclass
class Market:
    """A pool with how to trade on it, to read it, and what it says itself."""

    pool: Pool
    source: Callable[..., DexSource]
    sell: Callable[[int], Any]
    buy: Callable[[int], Any]
    price: Callable[[int], Fraction]
    amounts: Callable[[Any], tuple[int, int]]
    depth: Callable[[int], float]
    contract: Any


def tokens(evm: Evm) -> tuple[Any, Any, Token, Token]:
    base, quote = evm.token("WETH"), evm.token("USDC", 6)
    return base, quote, Token(base.address, "WETH", 18), Token(quote.address, "USDC", 6)


def version_two(evm: Evm) -> Market:
    base, quote, believed_base, believed_quote = tokens(evm)
    made = VersionTwoPool(evm, base, quote, (1_000 * ETHER, 2_000_000 * DOLLAR))

    def price(block: int) -> Fraction:
        reserve_base, reserve_quote = made.reserves(block)
        return Fraction(reserve_quote, DOLLAR) / Fraction(reserve_base, ETHER)

    def amounts(log: Any) -> tuple[int, int]:
        told = log["args"]
        pairs = [(told[f"amount{at}In"] - told[f"amount{at}Out"]) for at in (0, 1)]
        return (pairs[0], pairs[1]) if made.base_first else (pairs[1], pairs[0])

    return Market(
        Pool(made.address, "ETH/USDC", believed_base, believed_quote, whale="5"),
        UniswapV2Source,
        made.sell,
        made.buy,
        price,
        amounts,
        lambda block: made.reserves(block)[0] / ETHER,
        made.pair,
    )


def version_three(evm: Evm) -> Market:
    base, quote, believed_base, believed_quote = tokens(evm)
    base_first = int(base.address, 16) < int(quote.address, 16)
    ratio = (2_000 * DOLLAR, ETHER) if base_first else (ETHER, 2_000 * DOLLAR)
    start = math.isqrt(ratio[0] * 2**192 // ratio[1])
    provided = (1_000 * ETHER, 2_000_000 * DOLLAR)
    made = VersionThreePool(evm, base, quote, start, provided if base_first else provided[::-1])

    def price(block: int) -> Fraction:
        raw = Fraction(made.sqrt_price(block) ** 2, 2**192)
        return (raw if base_first else 1 / raw) * Fraction(ETHER, DOLLAR)

    def depth(block: int) -> float:
        square_root = Fraction(made.sqrt_price(block), 2**96)
        reserve = (
            made.liquidity(block) / square_root
            if base_first
            else (made.liquidity(block) * square_root)
        )
        return float(reserve / ETHER)

    def amounts(log: Any) -> tuple[int, int]:
        told = log["args"]["amount0"], log["args"]["amount1"]
        return told if base_first else (told[1], told[0])

    return Market(
        Pool(made.address, "ETH/USDC", believed_base, believed_quote, whale="5"),
        UniswapV3Source,
        lambda amount: made.swap(base, amount),
        lambda amount: made.swap(quote, amount),
        price,
        amounts,
        depth,
        made.pool,
    )


@pytest.fixture(params=[version_two, version_three])
def market(request: pytest.FixtureRequest, evm: Evm) -> Market:
    made: Market = request.param(evm)
    return made


def upside_down(pool: Pool) -> Pool:
    return Pool(pool.address, "USDC/ETH", pool.quote, pool.base)


def standing(records: list[FeedRecord]) -> list[Any]:
    """Final swaps that stand when every retraction is obeyed."""
    kept: list[Any] = []
    for record in records:
        if isinstance(record, Status):
            kept = [one for one in kept if one.block < record.block]
        else:
            kept += swaps([record])
    return kept


def test_swaps_once_each_at_the_pools_own_prices_through_reorganisations(
    evm: Evm, market: Market
) -> None:
    begin = evm.height

    def trade(count: int) -> None:
        for number in range(count):
            if number % 3:
                market.sell(ETHER + number)
            else:
                market.buy(1_500 * DOLLAR + number)

    async def main() -> list[FeedRecord]:
        source = market.source(
            evm.address, now(), pools=[market.pool], rules=rules(start_block=begin + 1)
        )
        try:
            trade(12)
            taken = await take(source, until_swap_at(evm.height, provisional=True))
            evm.reorg(2)  # at the head
            taken += await take(source, until_reorg)
            trade(4)
            taken += await take(source, until_swap_at(evm.height, provisional=True))
            evm.reorg(9)  # deeper than what counts as final
            taken += await take(source, until_reorg)
            trade(25)
            last = evm.height
            evm.mine(3)
            taken += await take(source, until_swap_at(last))
            assert source.reorgs == 2
            return taken
        finally:
            await source.aclose()

    taken = run(main())
    told = [identity(one) for one in swaps(taken)]
    assert len(told) == len(set(told))
    found = standing(taken)
    true = market.contract.events.Swap().get_logs(from_block=begin + 1)
    assert len(true) >= 25
    assert [(one.block_hash, one.transaction, one.log_index) for one in found] == [
        (f"0x{log['blockHash'].hex()}", f"0x{log['transactionHash'].hex()}", log["logIndex"])
        for log in true
    ]
    for swap, log in zip(found, true, strict=True):
        assert (int(swap.amount_base), int(swap.amount_quote)) == market.amounts(log)
        own = market.price(swap.block)
        assert abs(Fraction(swap.price) - own) <= own * EXACTLY
    prices = {height_of(one.seq): one.value for one in observed(taken, "onchain.dex_price")}
    for swap in found[:-1]:
        assert prices[swap.block] == pytest.approx(float(market.price(swap.block)), rel=1e-15)


def test_a_pool_read_upside_down(evm: Evm, market: Market) -> None:
    begin = evm.height

    async def main() -> list[FeedRecord]:
        source = market.source(
            evm.address,
            now(),
            pools=[upside_down(market.pool)],
            rules=rules(0, start_block=begin + 1),
        )
        try:
            market.sell(3 * ETHER)
            return await take(source, until_swaps(1))
        finally:
            await source.aclose()

    swap = swaps(run(main()))[0]
    assert int(swap.amount_quote) == 3 * ETHER
    assert int(swap.amount_base) < 0
    own = 1 / market.price(swap.block)
    assert abs(Fraction(swap.price) - own) <= own * EXACTLY


def test_flow_is_what_was_bought_and_whales_are_its_large_part(evm: Evm, market: Market) -> None:
    window = 10 * 12 * clock.SECOND
    evm.mine(11)
    begin = evm.height
    market.sell(1 * ETHER)
    market.sell(7 * ETHER)
    market.buy(1_000 * DOLLAR)
    evm.mine(40)

    async def main() -> list[FeedRecord]:
        source = market.source(
            evm.address,
            now(),
            pools=[market.pool],
            rules=rules(1, start_block=begin - 10),
            flow_ns=window,
        )
        try:
            return await take(source, lambda taken: len(observed(taken, "onchain.whale_flow")) >= 3)
        finally:
            await source.aclose()

    taken = run(main())
    bought = [-Fraction(one.amount_base) / ETHER for one in swaps(taken)]
    assert bought[:2] == [-1, -7]
    assert 0.45 < bought[2] < 0.55
    flows = [one.value for one in observed(taken, "onchain.dex_flow")]
    assert sum(one or 0.0 for one in flows) == pytest.approx(float(sum(bought)))
    whales = observed(taken, "onchain.whale_flow")
    assert sorted(one.value or 0.0 for one in whales)[0] == -7.0
    assert sum(one.value or 0.0 for one in whales) == -7.0
    assert all(one.ts_event % window == 0 and one.ts_avail == LATER for one in whales)


def test_depth_follows_liquidity_that_comes_and_goes(evm: Evm) -> None:
    base, quote, believed_base, believed_quote = tokens(evm)
    base_first = int(base.address, 16) < int(quote.address, 16)
    provided = (1_000 * ETHER, 2_000_000 * DOLLAR)
    sides = provided if base_first else provided[::-1]
    start = math.isqrt(sides[1] * 2**192 // sides[0])
    made = VersionThreePool(evm, base, quote, start, sides)
    begin = evm.height
    tick = made.pool.functions.slot0().call()[1] // 60 * 60
    made.provide(tick - 600, tick + 660, *sides)  # around the price
    in_range = made.liquidity()
    made.provide(tick + 6_000, tick + 12_000, sides[0], 0)  # above it: of no use yet
    assert made.liquidity() == in_range
    made.withdraw(2, in_range // 10)
    assert made.liquidity() < in_range
    last = evm.height

    async def main() -> list[FeedRecord]:
        pool = Pool(made.address, "ETH/USDC", believed_base, believed_quote)
        source = UniswapV3Source(
            evm.address, now(), pools=[pool], rules=rules(0, start_block=begin + 1)
        )
        try:
            return await take(source, lambda now: len(observed(now, "onchain.dex_liquidity")) >= 2)
        finally:
            await source.aclose()

    depths = observed(run(main()), "onchain.dex_liquidity")
    for one, block in zip(depths, (begin + 1, last), strict=True):
        root = Decimal(made.sqrt_price(block)) / 2**96
        liquidity = Decimal(made.liquidity(block))
        own = (liquidity / root if base_first else liquidity * root).scaleb(-18)
        assert one.value == pytest.approx(float(own), rel=1e-12)
        assert one.ts_event == evm.web3.eth.get_block(block)["timestamp"] * clock.SECOND


def test_a_new_source_goes_on_with_the_window_it_was_in(evm: Evm, market: Market) -> None:
    window = 20 * 12 * clock.SECOND
    for number in range(14):
        market.sell(ETHER + number)
    evm.mine(70)

    def source() -> DexSource:
        return market.source(
            evm.address,
            now(),
            pools=[market.pool],
            rules=rules(2, start_block=1),
            flow_ns=window,
        )

    def key(record: FeedRecord) -> tuple[Any, ...]:
        return (record.seq, getattr(record, "series", "swap"), getattr(record, "value", None))

    async def part(since: Any, count: int) -> list[FeedRecord]:
        one = source()
        try:
            return await take(one, lambda taken: len(taken) >= count, since)
        finally:
            await one.aclose()

    async def main() -> tuple[list[FeedRecord], list[FeedRecord]]:
        whole = await part({}, 50)
        pieces: list[FeedRecord] = []
        since: dict[tuple[str, str], Position] = {}
        for count in (5, 20, 1, 24):
            pieces += await part(since, count)
            for one in pieces:
                kind = "swap" if hasattr(one, "pool") else "observation"
                since[one.symbol, kind] = Position(one.seq, one.ts_event)
        return whole, pieces

    whole, pieces = run(main())
    assert any(getattr(one, "series", "") == "onchain.dex_flow" for one in whole)
    assert list(map(key, pieces)) == list(map(key, whole))


def test_history_of_a_pool(evm: Evm, market: Market) -> None:
    for _ in range(4):
        market.sell(ETHER)
    evm.mine(3)
    last = market.contract.events.Swap().get_logs(from_block=0)
    start = evm.web3.eth.get_block(last[1]["blockNumber"])["timestamp"] * clock.SECOND

    async def main() -> list[FeedRecord]:
        source = market.source(evm.address, now(), pools=[market.pool], rules=rules(2))
        try:
            return await all_of(source.backfill(start, LATER, {}))
        finally:
            await source.aclose()

    found = swaps(run(main()))
    assert [one.block for one in found] == [log["blockNumber"] for log in last[1:]]
    for one in found:
        after = evm.web3.eth.get_block(one.block + 2)["timestamp"] * clock.SECOND
        assert one.ts_avail == after


def test_a_pool_of_other_tokens_is_refused(evm: Evm, market: Market) -> None:
    other = Token("0x" + "12" * 20, "USDC", 6)
    pool = Pool(market.pool.address, "ETH/USDC", market.pool.base, other)

    async def main() -> None:
        source = market.source(evm.address, now(), pools=[pool], rules=rules())
        try:
            await take(source, lambda taken: True)
        finally:
            await source.aclose()

    with pytest.raises(SourceError, match="check the addresses of the pool") as caught:
        run(main())
    assert caught.value.permanent


def test_one_pool_a_symbol() -> None:
    one = Token("0x" + "12" * 20, "WETH", 18)
    two = Token("0x" + "34" * 20, "USDC", 6)
    pools = [Pool("0x" + digits * 20, "ETH/USDC", one, two) for digits in ("56", "78")]
    with pytest.raises(UsageError, match="each with its own symbol"):
        UniswapV2Source("http://localhost", now(), pools=pools)
    with pytest.raises(ValueError, match="has twice the token"):
        Pool("0x" + "56" * 20, "ETH/USDC", one, one)
