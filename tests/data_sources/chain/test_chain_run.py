"""A chain under the runner that runs every source: lost connections, backfill, a reorganisation."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
from chain_evm import Evm
from chain_proxy import Provider, dropped, provided
from chain_reading import identity, rules, run, transfers

from mirrorcore.clock import MILLISECOND, LiveClock
from mirrorcore.data_sources.chain.amounts import Token
from mirrorcore.data_sources.chain.ethereum import EthereumSource
from mirrorcore.data_sources.running import RunnerPolicy, SourceRunner
from mirrorcore.data_sources.running.policy import ReconnectPolicy
from mirrorcore.market.records import FeedRecord, Status


def test_twenty_transfers_once_each_under_the_runner(fresh_evm: Evm) -> None:
    evm = fresh_evm
    token = evm.token("USDC", 6)
    believed = Token(token.address, "USDC", 6)
    begin = evm.height
    provider = Provider()

    def send(first: int, last: int) -> None:
        for amount in range(first, last + 1):
            evm.send(token.functions.transfer(evm.accounts[1], amount))

    async def main() -> list[FeedRecord]:
        clock = LiveClock()
        taken: list[FeedRecord] = []

        async def until(count: int) -> None:
            """Until so many final transfers stand."""
            while len(standing(taken)) < count:
                await asyncio.sleep(0.01)
                taken.extend(await runner.collect())

        async with provided(evm.address, provider), asyncio.timeout(20):
            source = EthereumSource(
                provider.address, clock, rules=rules(start_block=begin + 1), tokens=[believed]
            )
            policy = RunnerPolicy(reconnect=ReconnectPolicy(base_ns=10 * MILLISECOND))
            runner = SourceRunner(source, clock=clock, rng=np.random.default_rng(1), policy=policy)
            task = asyncio.create_task(runner.run())
            send(1, 10)
            await until(7)
            provider.fail("eth_getBlockByNumber", dropped)
            send(11, 16)
            await until(13)
            evm.reorg(5)  # two of them final already
            send(12, 20)
            evm.mine(3)
            await until(20)
            health = runner.health()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert health.reconnects == 1
            return taken

    taken = run(main())
    told = [identity(one) for one in transfers(taken)]
    assert len(told) == len(set(told))
    assert [one.amount for one in standing(taken)] == [str(amount) for amount in range(1, 21)]
    assert any(isinstance(one, Status) and one.state == "reorg" for one in taken)


def standing(records: list[FeedRecord]) -> list[FeedRecord]:
    """Final transfers that stand when every retraction is obeyed."""
    kept: list[FeedRecord] = []
    for record in records:
        if isinstance(record, Status) and record.state == "reorg":
            kept = [one for one in kept if one.block < record.block]  # type: ignore[union-attr]
        else:
            kept += transfers([record])
    return kept
