"""Blocks, gas and transfers read off a real Ethereum machine, through real reorganisations."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from chain_evm import Evm
from chain_reading import (
    LATER,
    all_of,
    final,
    identity,
    now,
    observed,
    rules,
    run,
    take,
    transfers,
    until_block,
    until_reorg,
)

from mirrorcore import clock
from mirrorcore.data_sources.chain.amounts import Token
from mirrorcore.data_sources.chain.ethereum import EthereumSource
from mirrorcore.data_sources.chain.source import kind_of
from mirrorcore.data_sources.live import Position, SourceError
from mirrorcore.errors import UsageError
from mirrorcore.market.records import ChainBlock, FeedRecord, Flag, Status

ETHER = 10**18
HUGE = 123_456_789_012_345_678_901_234_567
"""Needs 87 bits: a float would lose its last ten digits."""


def believed(token: Any, symbol: str, decimals: int, threshold: str = "0") -> Token:
    return Token(token.address, symbol, decimals, threshold)


def cursor_of(records: list[FeedRecord]) -> dict[tuple[str, str], Position]:
    """As whoever runs a source keeps it."""
    return {
        (one.symbol, kind_of(one)): Position(one.seq, one.ts_event)
        for one in final(records)
        if not isinstance(one, Status)
    }


def test_blocks_and_gas_are_those_of_the_chain(evm: Evm) -> None:
    first = evm.height + 1

    async def main() -> list[FeedRecord]:
        source = EthereumSource(evm.address, now(), rules=rules(start_block=first))
        evm.pay(evm.accounts[1], 5, gasPrice=7 * 10**9)
        evm.mine(5)
        try:
            return await take(source, until_block(first + 2))
        finally:
            await source.aclose()

    taken = run(main())
    blocks = [one for one in final(taken) if isinstance(one, ChainBlock)]
    for number, block in enumerate(blocks, first):
        true = evm.web3.eth.get_block(number)
        assert block.seq == number
        assert block.block_hash == f"0x{true['hash'].hex()}"
        assert block.parent_hash == f"0x{true['parentHash'].hex()}"
        assert block.ts_event == true["timestamp"] * clock.SECOND
        assert block.base_fee_wei == true["baseFeePerGas"]
        assert (block.gas_used, block.gas_limit) == (true["gasUsed"], true["gasLimit"])
        assert block.ts_avail == LATER
    gas = observed(taken, "onchain.gas")
    assert gas[0].value == 7.0
    assert gas[1].value == evm.web3.eth.get_block(first + 1)["baseFeePerGas"] / 1e9
    assert observed(taken, "onchain.gas_used_share")[0].value == blocks[0].gas_used / 30_000_000


def test_large_transfers_of_believed_tokens_alone(evm: Evm) -> None:
    first = evm.height + 1
    real, spam = evm.token("USDC", 6), evm.token("USDC", 6)
    million = evm.token("MLN")
    source = EthereumSource(
        evm.address,
        now(),
        rules=rules(start_block=first),
        native_threshold="2",
        tokens=[believed(real, "USDC", 6, "100"), believed(million, "MLN", 18)],
    )
    other = evm.accounts[1]
    wanted = []
    for amount, counts in ((99_999_999, False), (100_000_000, True), (2**63 + 1, True)):
        receipt = evm.send(real.functions.transfer(other, amount))
        wanted += [("USDC", str(amount), receipt)] if counts else []
    evm.send(spam.functions.transfer(other, 10**15))
    wanted.append(("MLN", str(HUGE), evm.send(million.functions.transfer(other, HUGE))))
    evm.pay(other, 2 * ETHER - 1)
    wanted.append(("ETH", str(2 * ETHER), evm.pay(other, 2 * ETHER)))
    # A payment that its block holds but that failed: the token takes no coin.
    assert evm.pay(real.address, 3 * ETHER)["status"] == 0
    evm.mine(4)

    async def main() -> list[FeedRecord]:
        try:
            return await take(source, until_block(evm.height - 3))
        finally:
            await source.aclose()

    found = transfers(run(main()))
    # The creation of each believed token is a transfer too: of all of it, from nobody.
    assert [one.symbol for one in found[:2]] == ["USDC", "MLN"]
    assert {one.sender for one in found[:2]} == {"0x" + "0" * 40}
    told = [(one.symbol, one.amount, one.transaction) for one in found[2:]]
    assert told == [
        (symbol, amount, f"0x{receipt['transactionHash'].hex()}")
        for symbol, amount, receipt in wanted
    ]
    assert {one.recipient for one in found[2:]} == {other.lower()}
    assert found[-1].log_index == -1
    assert [one.seq for one in found] == sorted({one.seq for one in found})


def test_provisional_at_the_head_and_final_under_three_blocks(evm: Evm) -> None:
    begin = evm.height

    async def main() -> list[FeedRecord]:
        source = EthereumSource(
            evm.address, now(), rules=rules(start_block=begin + 1), native_threshold="1"
        )
        try:
            evm.pay(evm.accounts[1], ETHER)
            evm.pay(evm.accounts[1], 2 * ETHER)
            taken = await take(source, until_block(begin + 2, provisional=True))
            assert not final(taken)
            evm.mine(2)
            taken += await take(source, until_block(begin + 1))
            assert len(transfers(taken)) == 1
            evm.mine(1)
            return taken + await take(source, until_block(begin + 2))
        finally:
            await source.aclose()

    taken = run(main())
    early, late = transfers(taken, provisional=True), transfers(taken)
    assert [one.amount for one in early] == [str(ETHER), str(2 * ETHER)]
    assert [identity(one) for one in early] == [identity(one) for one in late]
    # Strictly: a provisional record is not available before it is to be expected final.
    for one in early:
        assert one.ts_avail == max(LATER, one.ts_event + 36 * clock.SECOND)
    # And no observation was made of what was not final.
    assert not any(one.flags & Flag.PROVISIONAL for one in taken if kind_of(one) == "observation")


def test_twenty_transfers_once_each_through_reorganisations(evm: Evm) -> None:
    token = evm.token("USDC", 6)
    other = evm.accounts[1]
    begin = evm.height

    def send(amounts: range) -> None:
        for amount in amounts:
            evm.send(token.functions.transfer(other, amount))

    async def main() -> list[FeedRecord]:
        source = EthereumSource(
            evm.address,
            now(),
            rules=rules(start_block=begin + 1),
            tokens=[believed(token, "USDC", 6)],
        )
        try:
            send(range(1, 13))
            taken = await take(source, until_block(evm.height, provisional=True))
            # Two blocks are undone at the head, before they were final: 11 and 12 are sent again.
            evm.reorg(2)
            taken += await take(source, until_reorg)
            send(range(11, 17))
            taken += await take(source, until_block(evm.height, provisional=True))
            # Six are undone, three of them final already.
            evm.reorg(6)
            taken += await take(source, until_reorg)
            send(range(11, 21))
            evm.mine(3)
            taken += await take(source, until_block(evm.height - 3))
            assert source.reorgs == 2
            return taken
        finally:
            await source.aclose()

    taken = run(main())
    told = [identity(one) for one in transfers(taken)]
    assert len(told) == len(set(told))
    early = [identity(one) for one in transfers(taken, provisional=True)]
    assert len(early) == len(set(early))
    standing = after_retractions(taken)
    assert [one.amount for one in standing] == [str(amount) for amount in range(1, 21)]
    true = token.events.Transfer().get_logs(from_block=begin + 1)
    assert [(one.block_hash, one.log_index) for one in standing] == [
        (f"0x{log['blockHash'].hex()}", log["logIndex"]) for log in true
    ]
    # Only what had been final had to be taken back from those who act on final records.
    gone = [one for one in transfers(taken) if identity(one) not in set(map(identity, standing))]
    assert [one.amount for one in gone] == ["11", "12", "13"]


def after_retractions(records: list[FeedRecord]) -> list[Any]:
    """Final transfers that stand when every retraction is obeyed."""
    standing: list[Any] = []
    for record in records:
        if isinstance(record, Status):
            standing = [one for one in standing if one.block < record.block]
        else:
            standing += transfers([record])
    return standing


def test_a_chain_that_became_shorter_is_followed(evm: Evm) -> None:
    before = evm.ask("evm_snapshot")
    evm.mine(6)
    begin = evm.height

    async def main() -> list[FeedRecord]:
        source = EthereumSource(evm.address, now(), rules=rules(1, start_block=begin - 5))
        try:
            await take(source, until_block(begin, provisional=True))
            evm.ask("evm_revert", before)
            # Another block at a height below the old head.
            evm.pay(evm.accounts[1], 1)
            taken = await take(source, until_reorg)
            evm.mine(1)
            return taken + await take(source, until_block(evm.height - 1))
        finally:
            await source.aclose()

    taken = run(main())
    at = [isinstance(one, Status) for one in taken].index(True)
    assert taken[at].state == "reorg"
    assert taken[at].block == begin - 5
    assert [one.seq for one in final(taken[at:]) if isinstance(one, ChainBlock)] == [begin - 5]


def test_a_reorganisation_deeper_than_the_memory_is_told_as_such(evm: Evm) -> None:
    evm.mine(10)
    # Empty blocks alone might be made again as they were.
    evm.pay(evm.accounts[1], 1)
    evm.mine(9)
    begin = evm.height

    async def main() -> list[FeedRecord]:
        source = EthereumSource(evm.address, now(), rules=rules(2, memory=5, start_block=begin - 9))
        try:
            await take(source, until_block(begin, provisional=True))
            evm.reorg(10)
            taken = await take(source, until_reorg)
            return taken + await take(source, until_block(begin - 2))
        finally:
            await source.aclose()

    taken = run(main())
    at = [isinstance(one, Status) for one in taken].index(True)
    reorg = taken[at]
    assert "perhaps more" in reorg.reason
    told = [one for one in final(taken[at:]) if isinstance(one, ChainBlock)]
    assert [one.seq for one in told] == list(range(reorg.block, begin - 1))
    for block in told:
        assert block.block_hash == f"0x{evm.web3.eth.get_block(block.seq)['hash'].hex()}"


def test_acting_on_the_head_is_opted_into_and_revised(evm: Evm) -> None:
    begin = evm.height

    async def main() -> list[FeedRecord]:
        source = EthereumSource(
            evm.address, now(), rules=rules(start_block=begin + 1, act_on_unconfirmed=True)
        )
        try:
            evm.pay(evm.accounts[1], 1, gasPrice=9 * 10**9)
            taken = await take(source, until_block(begin + 1, provisional=True))
            evm.reorg(1)
            taken += await take(source, until_reorg)
            evm.mine(4)
            return taken + await take(source, until_block(begin + 2))
        finally:
            await source.aclose()

    taken = run(main())
    gas = observed(taken, "onchain.gas", provisional=True)
    assert gas[0].value == 9.0
    assert gas[0].ts_avail == LATER
    # The block that replaced it is at the same height and time, and final by now.
    again = observed(taken, "onchain.gas")
    assert [(one.ts_event, one.flags) for one in again[:1]] == [(gas[0].ts_event, Flag.REVISED)]
    assert again[0].value != 9.0


def test_flows_of_exchanges_by_window(evm: Evm) -> None:
    exchange, other = evm.accounts[1], evm.accounts[2]
    window = 10 * 12 * clock.SECOND
    evm.mine(12)
    begin = evm.height
    for sender, recipient, ether in (
        (exchange, other, 30),
        (other, exchange, 10),
        (evm.me, other, 50),
        (exchange, exchange, 20),
    ):
        assert evm.pay(recipient, ether * ETHER, **{"from": sender})["status"] == 1
    evm.mine(24)

    async def main() -> list[FeedRecord]:
        source = EthereumSource(
            evm.address,
            now(),
            rules=rules(1, start_block=max(1, begin - 15)),
            native_threshold="10",
            exchanges=[exchange],
            markets={"ETH": "ETH/USDT"},
            flow_ns=window,
        )
        try:
            return await take(source, until_block(evm.height - 1))
        finally:
            await source.aclose()

    flows = observed(run(main()), "onchain.exchange_flow")
    assert {one.symbol for one in flows} == {"ETH/USDT"}
    assert sum(one.value or 0.0 for one in flows) == 20.0
    assert all(one.ts_event % window == 0 for one in flows)
    steps = [b.ts_event - a.ts_event for a, b in pairwise(flows)]
    assert set(steps) == {window}


def test_a_new_source_goes_on_where_the_cursor_stands(evm: Evm) -> None:
    token = evm.token("USDC", 6)
    begin = evm.height + 1
    for amount in range(1, 9):
        evm.send(token.functions.transfer(evm.accounts[1], amount))
    evm.mine(3)

    async def part(since: Any, count: int) -> list[FeedRecord]:
        source = EthereumSource(
            evm.address,
            now(),
            rules=rules(start_block=begin),
            tokens=[believed(token, "USDC", 6)],
        )
        try:
            return await take(source, lambda taken: len(final(taken)) >= count, since)
        finally:
            await source.aclose()

    async def main() -> tuple[list[FeedRecord], list[FeedRecord]]:
        whole = await part({}, 40)
        pieces: list[FeedRecord] = []
        # Stopped anywhere, in the middle of a block too.
        for count in (1, 2, 6, 3, 5, 11, 12):
            pieces += await part(cursor_of(pieces), count)
        return whole, pieces

    whole, pieces = run(main())
    keys = [(kind_of(one), one.symbol, one.seq) for one in final(whole)]
    assert [(kind_of(one), one.symbol, one.seq) for one in final(pieces)] == keys


def test_a_block_replaced_while_away_is_told(evm: Evm) -> None:
    evm.mine(4)
    last = evm.height
    cursor = {("ETH", "block"): Position(last, evm.web3.eth.get_block(last)["timestamp"] * 10**9)}
    evm.reorg(2)
    evm.ask("evm_increaseTime", 5)
    evm.mine(3)
    cursor[("ETH", "block")] = Position(last, cursor[("ETH", "block")].ts_event + clock.SECOND)

    async def main() -> list[FeedRecord]:
        source = EthereumSource(evm.address, now(), rules=rules(1))
        try:
            return await take(source, until_block(last), cursor)
        finally:
            await source.aclose()

    taken = run(main())
    assert isinstance(taken[0], Status)
    assert (taken[0].state, taken[0].block) == ("reorg", last)


def test_history_is_final_and_available_when_it_became_so(evm: Evm) -> None:
    begin = evm.height
    for ether in range(1, 7):
        evm.pay(evm.accounts[1], ether * ETHER)
    evm.mine(1)

    def ts(number: int) -> int:
        return int(evm.web3.eth.get_block(number)["timestamp"]) * clock.SECOND

    async def main() -> tuple[list[FeedRecord], list[FeedRecord]]:
        source = EthereumSource(evm.address, now(), rules=rules(), native_threshold="1")
        try:
            some = await all_of(source.backfill(ts(begin + 2), ts(begin + 4), {}))
            # Three blocks on top make one final: the newest three are not history yet.
            rest = await all_of(source.backfill(ts(begin + 2), LATER, cursor_of(some)))
            return some, rest
        finally:
            await source.aclose()

    some, rest = run(main())
    assert [one.amount for one in transfers(some)] == [str(2 * ETHER), str(3 * ETHER)]
    assert [one.amount for one in transfers(rest)] == [str(4 * ETHER)]
    for record in some + rest:
        assert record.flags == Flag.BACKFILL
        assert record.ts_recv == LATER
    for transfer in transfers(some + rest):
        assert transfer.ts_avail == ts(transfer.block + 3)


@pytest.mark.parametrize(
    ("chain_id", "decimals", "message"),
    [
        (1, 6, "the node follows chain 31337, not 1"),
        (31337, 18, "has 6 decimals, not 18"),
    ],
)
def test_what_is_configured_has_to_be_true(
    evm: Evm, chain_id: int, decimals: int, message: str
) -> None:
    token = evm.token("USDC", 6)

    async def main() -> None:
        source = EthereumSource(
            evm.address,
            now(),
            rules=rules(chain_id=chain_id),
            tokens=[believed(token, "USDC", decimals)],
        )
        try:
            await take(source, lambda taken: True)
        finally:
            await source.aclose()

    with pytest.raises(SourceError, match=message) as caught:
        run(main())
    assert caught.value.permanent


def test_an_address_without_contract_is_refused(evm: Evm) -> None:
    async def main() -> None:
        nothing = Token("0x" + "12" * 20, "USDC", 6)
        source = EthereumSource(evm.address, now(), rules=rules(), tokens=[nothing])
        try:
            await take(source, lambda taken: True)
        finally:
            await source.aclose()

    with pytest.raises(SourceError, match=r"does not answer decimals\(\)"):
        run(main())


def test_tokens_are_told_apart() -> None:
    one = Token("0x" + "12" * 20, "USDC", 6)
    with pytest.raises(UsageError, match="two tokens are called USDC"):
        EthereumSource("http://localhost", now(), tokens=[one, Token("0x" + "34" * 20, "USDC", 6)])
    with pytest.raises(UsageError, match="flows of BTC are asked for"):
        EthereumSource(
            "http://localhost", now(), exchanges=["0x" + "56" * 20], markets={"BTC": "BTC/USDT"}
        )
