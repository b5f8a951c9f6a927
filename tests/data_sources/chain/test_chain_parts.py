"""The pure parts: amounts, logs, trails, windows, ranges and pools, against plain models."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.chain import events
from mirrorcore.data_sources.chain.amounts import (
    UINT256_MAX,
    Token,
    canonical_address,
    from_units,
    to_units,
)
from mirrorcore.data_sources.chain.events import Log, token_transfer
from mirrorcore.data_sources.chain.flows import Flow, FlowWindows
from mirrorcore.data_sources.chain.log_ranges import LogRanges
from mirrorcore.data_sources.chain.numbering import (
    height_of,
    log_number,
    observation_number,
    payment_number,
)
from mirrorcore.data_sources.chain.pools import (
    Concentrated,
    Pool,
    Reserves,
    VersionTwo,
    depth,
    price,
)
from mirrorcore.data_sources.chain.rpc import Block
from mirrorcore.data_sources.chain.rpc_errors import RangeTooLargeError
from mirrorcore.data_sources.chain.trail import Trail

ADDRESS = "0x" + "ab" * 20


@given(st.integers(0, UINT256_MAX), st.integers(0, 77))
def test_amounts_go_to_units_and_back_without_loss(amount: int, decimals: int) -> None:
    units = to_units(amount, decimals)
    assert from_units(f"{units:f}", decimals) == amount
    assert Fraction(units) == Fraction(amount, 10**decimals)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5", "finer than the 0 decimals"),
        ("-1", "outside what a contract can hold"),
        (str(UINT256_MAX + 1), "outside what a contract can hold"),
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("ten", "not a number"),
        ("1" * 121, "not a number of up to 120 digits"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_units(text, 0)


def test_a_float_is_no_amount() -> None:
    with pytest.raises(TypeError, match="a float cannot hold an amount"):
        from_units(1.0, 18)  # type: ignore[arg-type]


def test_addresses_have_one_spelling() -> None:
    assert canonical_address(ADDRESS.upper().replace("0X", "0x")) == ADDRESS
    assert Token(ADDRESS.upper(), "USDC", 6).address == ADDRESS
    for wrong in ("0x12", "USDC", "0x" + "zz" * 20):
        with pytest.raises(ValueError, match="not an address"):
            canonical_address(wrong)
    with pytest.raises(ValueError, match="must be 0 to 77"):
        Token(ADDRESS, "USDC", 78)


@pytest.mark.parametrize(
    ("topic", "signature"),
    [
        (events.TRANSFER, "Transfer(address,address,uint256)"),
        (events.V2_SYNC, "Sync(uint112,uint112)"),
        (events.V2_SWAP, "Swap(address,uint256,uint256,uint256,uint256,address)"),
        (events.V3_SWAP, "Swap(address,address,int256,int256,uint160,uint128,int24)"),
        (events.V3_MINT, "Mint(address,address,int24,int24,uint128,uint256,uint256)"),
        (events.V3_BURN, "Burn(address,int24,int24,uint128,uint256,uint256)"),
        (events.V3_INITIALIZE, "Initialize(uint160,int24)"),
    ],
)
def test_topics_are_hashes_of_signatures(topic: str, signature: str) -> None:
    assert topic == f"0x{Web3.keccak(text=signature).hex().removeprefix('0x')}"


def log(topics: tuple[str, ...], data: bytes) -> Log:
    return Log(ADDRESS, topics, data, 1, "0x01", "0x02", 0)


def test_the_transfer_of_an_nft_is_none_of_a_token() -> None:
    ends = ("0x" + "0" * 24 + "12" * 20, "0x" + "0" * 24 + "34" * 20)
    amount = (2**256 - 1).to_bytes(32)
    moved = token_transfer(log((events.TRANSFER, *ends), amount))
    assert moved is not None
    assert (moved.sender, moved.recipient) == ("0x" + "12" * 20, "0x" + "34" * 20)
    assert moved.amount == UINT256_MAX
    assert token_transfer(log((events.TRANSFER, *ends, "0x" + "1" * 64), b"")) is None
    assert token_transfer(log((events.TRANSFER, *ends), b"")) is None
    assert token_transfer(log((events.V2_SYNC, *ends), amount)) is None


@given(st.integers(0, 2**38), st.integers(0, 2**38), st.integers(0, 60_000), st.integers(0, 10**6))
def test_numbers_rise_with_the_chain(first: int, second: int, payment: int, index: int) -> None:
    numbers = [
        payment_number(first, payment),
        log_number(first, index),
        observation_number(first, 3),
    ]
    assert numbers == sorted(set(numbers))
    assert {height_of(number) for number in numbers} == {first}
    assert (numbers[0] < log_number(second, 0)) == (first <= second)
    assert observation_number(2**38, 1_000) < 2**63


class Forks:
    """A chain that may fork, as plain lists; a block's hash tells its whole past."""

    def __init__(self) -> None:
        self.blocks = [self._made(0, "")]
        self.made = 0

    def _made(self, number: int, parent: str) -> Block:
        return Block(number, f"{parent}/{number}", parent, number * SECOND, 0, 0, 0)

    def grow(self) -> Block:
        tip = self.blocks[-1]
        self.made += 1
        block = Block(tip.number + 1, f"{self.made}", tip.hash, (tip.number + 1) * SECOND, 0, 0, 0)
        self.blocks.append(block)
        return block

    def cut(self, depth: int) -> int:
        """Undo up to ``depth`` blocks, never the first; the lowest height undone."""
        depth = min(depth, len(self.blocks) - 1)
        del self.blocks[len(self.blocks) - depth :]
        return len(self.blocks)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(0), st.integers(1, 8)), max_size=60),
    st.integers(0, 5),
    st.integers(1, 6),
)
def test_trails_and_windows_equal_a_plain_model(steps: list[int], depth: int, length: int) -> None:
    """0 grows the chain by a block with a flow, n undoes n blocks, wherever it happens."""
    chain, trail = Forks(), Trail(depth, 256)
    windows = FlowWindows(["ETH"], length * SECOND, 256)
    trail.append(chain.blocks[0], told=True)
    windows.begin(chain.blocks[0].ts)
    told: list[Block] = []
    closed: dict[int, tuple[int, int]] = {}
    for step in steps:
        if step:
            first = chain.cut(step)
            trail.retract(first)
            windows.retract(first)
            told = [block for block in told if block.number < first]
            closed = {start: one for start, one in closed.items() if one[0] < first}
            continue
        block = chain.grow()
        trail.append(block)
        told += [link.block for link in trail.final()]
        flow = Flow("ETH", int(block.hash))
        for window in windows.add(block.number, block.ts, [flow]):
            assert window.start not in closed
            closed[window.start] = block.number, window.sums["ETH"]
    assert trail.tip == chain.blocks[-1]
    # Final once, in order, and of the chain that stands; the newest may still be undone.
    highest = max((block.number for block in told), default=0)
    assert told == chain.blocks[1 : highest + 1]
    assert highest >= chain.blocks[-1].number - depth
    newest = chain.blocks[-1].number
    for start in range(length, newest - newest % length, length):
        true = sum(int(b.hash) for b in chain.blocks if start <= b.number < start + length)
        assert closed[start * SECOND][1] == true
    assert min(closed, default=length * SECOND) >= length * SECOND


def test_a_trail_takes_only_what_follows() -> None:
    chain, trail = Forks(), Trail(1, 4)
    trail.append(chain.blocks[0], told=True)
    chain.grow()
    with pytest.raises(ValueError, match="block 2 does not follow block 0"):
        trail.append(chain.grow())
    with pytest.raises(ValueError, match="confirmations was 4 and memory 4"):
        Trail(4, 4)


def test_windows_keep_no_more_than_they_need() -> None:
    windows = FlowWindows(["ETH"], 10 * SECOND, 5)
    windows.begin(0)
    sums = []
    for number in range(1, 200):
        closed = windows.add(number, number * SECOND, [Flow("ETH", 1)])
        sums += [window.sums["ETH"] for window in closed]
        assert len(windows._blocks) <= 5 + 10
    assert sums == [10] * 18
    with pytest.raises(ValueError, match="flows of BTC are not summed"):
        windows.add(200, 200 * SECOND, [Flow("BTC", 1)])


class Limited:
    """A node that answers for so many logs at once; each block has one."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked = 0

    async def logs(self, first: int, last: int, addresses: Any, topics: Any) -> list[Log]:
        self.asked += 1
        if last - first + 1 > self.most:
            raise RangeTooLargeError("too many")
        return [Log(ADDRESS, (), b"", at, "", "", 0) for at in range(first, last + 1)]


@given(st.integers(1, 300), st.integers(1, 400), st.integers(0, 500))
def test_ranges_bring_each_block_once(most: int, count: int, first: int) -> None:
    node = Limited(most)
    ranges = LogRanges(node, most_blocks=100)  # type: ignore[arg-type]
    found = asyncio.run(ranges.logs(first, first + count - 1, [ADDRESS], []))
    assert [one.block for one in found] == list(range(first, first + count))
    assert ranges.splits <= node.asked


WETH, USDC = Token("0x" + "11" * 20, "WETH", 18), Token("0x" + "22" * 20, "USDC", 6)


@given(st.integers(1, 2**112 - 1), st.integers(1, 2**112 - 1))
def test_version_two_prices_are_exact(reserve0: int, reserve1: int) -> None:
    state = Reserves(reserve0, reserve1)
    own = Fraction(reserve1, 10**6) / Fraction(reserve0, 10**18)
    told = Fraction(price(Pool(ADDRESS, "ETH/USDC", WETH, USDC), state))
    turned = Fraction(price(Pool(ADDRESS, "USDC/ETH", USDC, WETH), state))
    assert abs(told - own) <= own / 10**100
    assert abs(turned - 1 / own) <= 1 / own / 10**100
    if reserve0 * reserve1 > 10**24:  # the integer root is coarse in dust
        reserve = depth(Pool(ADDRESS, "ETH/USDC", WETH, USDC), state)
        assert abs(reserve / Decimal(reserve0).scaleb(-18) - 1) < Decimal("1e-11")


@given(st.integers(4_295_128_739, 2**160 - 1), st.integers(0, 2**128 - 1))
def test_version_three_prices_are_exact(sqrt_price: int, liquidity: int) -> None:
    state = Concentrated(sqrt_price, liquidity, 0)
    own = Fraction(sqrt_price**2, 2**192) * 10**12
    told = Fraction(price(Pool(ADDRESS, "ETH/USDC", WETH, USDC), state))
    assert abs(told - own) <= own / 10**100


def test_an_emptied_pool_has_no_price() -> None:
    sync = log((events.V2_SYNC,), bytes(64))
    assert VersionTwo().apply(Reserves(1, 1), sync) == (None, None)
    assert VersionTwo().apply(None, log((events.V2_SWAP,), b"short")) is None
