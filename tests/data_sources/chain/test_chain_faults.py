"""What providers do wrong: limits, lost connections, answers that are none, forks in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import pytest
from chain_evm import Evm
from chain_proxy import (
    Fault,
    Provider,
    answers,
    busy,
    dropped,
    forbidden,
    page,
    provided,
    refuses,
)
from chain_reading import (
    final,
    identity,
    now,
    rules,
    run,
    take,
    transfers,
    until_block,
)

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.chain.amounts import Token
from mirrorcore.data_sources.chain.ethereum import EthereumSource
from mirrorcore.data_sources.chain.rpc_errors import RangeTooLargeError, from_answer
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.running.duplicates import Remembered
from mirrorcore.data_sources.running.kinds import KIND
from mirrorcore.errors import UsageError
from mirrorcore.market.records import FeedRecord, Status


def sending(evm: Evm, count: int) -> Token:
    """A token, sent ``count`` times in blocks of their own, final under three more."""
    token = evm.token("USDC", 6)
    for amount in range(1, count + 1):
        evm.send(token.functions.transfer(evm.accounts[1], amount))
    evm.mine(3)
    return Token(token.address, "USDC", 6)


def source_of(provider: Provider, token: Token, **settings: Any) -> EthereumSource:
    return EthereumSource(
        provider.address, now(), rules=rules(**{"start_block": 1, **settings}), tokens=[token]
    )


def test_ranges_that_are_refused_are_split(evm: Evm) -> None:
    token = sending(evm, 20)
    provider = Provider(most_blocks=5)

    async def main() -> list[FeedRecord]:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            try:
                return await take(source, until_block(evm.height - 3))
            finally:
                await source.aclose()

    found = transfers(run(main()))
    assert [one.amount for one in found[1:]] == [str(amount) for amount in range(1, 21)]
    assert 0 < provider.refused < 8


def test_a_range_refused_down_to_one_block_is_an_error(evm: Evm) -> None:
    token = sending(evm, 4)
    provider = Provider(most_blocks=0)

    async def main() -> None:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            try:
                await take(source, until_block(evm.height))
            finally:
                await source.aclose()

    with pytest.raises(SourceError, match="not even one block"):
        run(main())


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_getLogs"])
def test_a_lost_connection_costs_no_record_and_brings_none_twice(evm: Evm, method: str) -> None:
    token = sending(evm, 12)
    provider = Provider()

    async def main() -> list[FeedRecord]:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            taken: list[FeedRecord] = []
            try:
                for wanted in (4, 8, 12):
                    await take(source, until_block(wanted), taken=taken)
                    provider.fail(method, dropped)
                    with pytest.raises(SourceError, match=r"connection to 127\.0\.0\.1 failed"):
                        await take(source, until_block(evm.height), taken=taken)
                return await take(source, until_block(evm.height - 3), taken=taken)
            finally:
                await source.aclose()

    told = [identity(one) for one in transfers(run(main()))]
    assert len(told) == len(set(told)) == 13


FAILURES: list[tuple[str, Fault, str, int, bool]] = [
    ("eth_getBlockByNumber", busy, "HTTP 429", 7 * SECOND, False),
    ("eth_getBlockByNumber", forbidden, "HTTP 401", 0, True),
    ("eth_getBlockByNumber", page, "what is no answer of a node", 0, False),
    ("eth_getBlockByNumber", dropped, "the connection to 127.0.0.1 failed", 0, False),
    ("eth_getBlockByNumber", answers({"number": "0x1"}), "no answer of a node", 0, False),
    ("eth_getLogs", answers(None), "eth_getLogs", 0, False),
    ("eth_getLogs", refuses(-32005, "request rate limit exceeded"), "refused", 0, False),
    ("eth_getLogs", refuses(-32601, "method does not exist"), "refused", 0, True),
    ("eth_chainId", refuses(-32000, "invalid api key"), "refused", 0, True),
]


@pytest.mark.parametrize(("method", "fault", "message", "wait", "permanent"), FAILURES)
def test_each_failure_is_told_in_our_words_and_survived(
    evm: Evm, method: str, fault: Fault, message: str, wait: int, permanent: bool
) -> None:
    token = sending(evm, 2)
    provider = Provider()

    async def main() -> tuple[SourceError, list[FeedRecord]]:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            try:
                provider.fail(method, fault)
                with pytest.raises(SourceError, match=message) as caught:
                    await take(source, until_block(evm.height - 3))
                return caught.value, await take(source, until_block(evm.height - 3))
            finally:
                await source.aclose()

    error, taken = run(main())
    assert (error.retry_after_ns, error.permanent) == (wait, permanent)
    assert "0123456789abcdef" not in str(error)
    assert [one.amount for one in transfers(taken)[1:]] == ["1", "2"]


def test_a_block_announced_but_not_there_yet_is_waited_for(evm: Evm) -> None:
    token = sending(evm, 2)
    provider = Provider()

    async def main() -> list[FeedRecord]:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            try:
                await take(source, until_block(evm.height - 3))
                evm.mine(1)
                newest = evm.web3.provider.make_request("eth_getBlockByNumber", ["latest", False])  # type: ignore[arg-type]
                # One node has the block, the next one asked has not.
                provider.fail(
                    "eth_getBlockByNumber", answers(_raw(newest["result"])), answers(None)
                )
                return await take(source, until_block(evm.height - 3))
            finally:
                await source.aclose()

    assert final(run(main()))


def _raw(block: Any) -> Any:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in block.items()}


def test_what_providers_say_of_too_large_ranges() -> None:
    for message in (
        "query returned more than 10000 results",
        "You can make eth_getLogs requests with up to a 500 block range.",
        "exceed maximum block range: 5000",
        "Log response size exceeded.",
        "block range is too wide",
        "eth_getLogs is limited to 0 - 10 blocks range",
    ):
        assert isinstance(from_answer("n", "eth_getLogs", -32000, message), RangeTooLargeError)
    for message in ("daily request count exceeded, request rate limited", "too many requests"):
        assert not isinstance(from_answer("n", "eth_getLogs", -32005, message), RangeTooLargeError)


def test_what_becomes_final_is_no_repetition(evm: Evm) -> None:
    """The final record of what was provisional is no repetition to whoever runs the source."""
    begin = evm.height
    token = evm.token("USDC", 6)
    evm.send(token.functions.transfer(evm.accounts[1], 5))
    evm.pay(evm.accounts[1], 10**20)

    async def main() -> list[FeedRecord]:
        believed = Token(token.address, "USDC", 6)
        source = EthereumSource(
            evm.address, now(), rules=rules(start_block=begin + 1), tokens=[believed]
        )
        try:
            taken = await take(source, until_block(evm.height, provisional=True))
            evm.mine(3)
            return taken + await take(source, until_block(evm.height - 3))
        finally:
            await source.aclose()

    taken = run(main())
    memory = Remembered(1_000)
    kept = [one for one in taken if not memory.again(one, KIND[type(one)])]
    assert kept == taken
    assert transfers(kept)
    assert transfers(kept, provisional=True)
    assert all(memory.again(one, KIND[type(one)]) for one in final(taken))


@pytest.mark.parametrize(
    "address", ["", "localhost:8545", "ws://localhost:8545", "https:///v3/key"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(UsageError, match="the node has no address") as caught:
        EthereumSource(address, now())
    assert "key" not in str(caught.value)


def test_logs_a_node_finds_only_later_are_told_in_the_end(evm: Evm) -> None:
    contract = evm.token("USDC", 6)
    token = Token(contract.address, "USDC", 6)
    begin = evm.height
    provider = Provider()
    # The node knows the block already, but answers as if nothing were logged in it.
    provider.fail("eth_getLogs", answers([]))
    for amount in (7, 8):
        evm.send(contract.functions.transfer(evm.accounts[1], amount))

    async def main() -> list[FeedRecord]:
        taken: list[FeedRecord] = []
        async with provided(evm.address, provider), asyncio.timeout(10):
            source = source_of(provider, token, start_block=begin + 1)
            records = cast(AsyncGenerator[FeedRecord, None], source.stream({}))
            async with aclosing(records):
                async for record in records:
                    taken.append(record)
                    if until_block(begin + 2, provisional=True)(taken) and len(taken) < 10:
                        evm.mine(3)
                    if until_block(begin + 2)(taken):
                        break
            await source.aclose()
        return taken

    taken = run(main())
    assert [one.amount for one in transfers(taken)] == ["7", "8"]
    (told,) = [one for one in taken if isinstance(one, Status)]
    assert (told.state, told.block) == ("reorg", begin + 1)
    assert told.reason == f"the node held back logs of block {begin + 1}"


def test_a_log_of_another_fork_is_not_taken(evm: Evm) -> None:
    """A range is answered by number: the chain may have changed since its blocks were read."""
    token = sending(evm, 6)
    provider = Provider()
    answer = evm.web3.provider.make_request(
        "eth_getLogs",  # type: ignore[arg-type]
        [{"fromBlock": "0x2", "toBlock": "0x2", "address": token.address}],
    )
    other = {**answer["result"][0], "blockHash": "0x" + "ee" * 32}

    async def main() -> list[FeedRecord]:
        async with provided(evm.address, provider):
            source = source_of(provider, token)
            try:
                provider.fail("eth_getLogs", answers([other]))
                return await take(source, until_block(evm.height - 3))
            finally:
                await source.aclose()

    found = transfers(run(main()))
    assert [one.amount for one in found[1:]] == [str(amount) for amount in range(1, 7)]
    assert "0x" + "ee" * 32 not in {one.block_hash for one in found}
    assert not provider.faults["eth_getLogs"]


def test_a_receipt_of_another_fork_is_asked_for_again(evm: Evm) -> None:
    evm.pay(evm.accounts[1], 10**20)
    evm.mine(3)
    provider = Provider()

    async def main() -> list[FeedRecord]:
        async with provided(evm.address, provider):
            source = EthereumSource(provider.address, now(), rules=rules(start_block=1))
            try:
                provider.fail("eth_getTransactionReceipt", answers(None))
                return await take(source, until_block(1))
            finally:
                await source.aclose()

    assert [one.amount for one in transfers(run(main()))] == [str(10**20)]
    assert provider.asked.count("eth_getTransactionReceipt") == 2
