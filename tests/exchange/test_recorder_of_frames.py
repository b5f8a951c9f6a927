"""The recorder of raw frames against the local exchange: what it wrote makes the server's books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from exchange_world import BTC, exchange, run

from mirrorcore.clock import MILLISECOND, SECOND
from mirrorcore.data_sources.line_log import LineLog
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.raw_frames import RawRecorder
from mirrorcore.data_sources.recordings import Recording, replay
from mirrorcore.data_sources.running.policy import ReconnectPolicy
from mirrorcore.errors import UsageError
from mirrorcore.exchange import wire
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.server import LocalExchange
from mirrorcore.market.intake import Action, Case
from mirrorcore.market.records import Trade
from mirrorcore.market.validator import MarketDataProcessor

ETH = "ETH/USDT"
QUICK = ReconnectPolicy(base_ns=MILLISECOND, cap_ns=MILLISECOND)


def recorder(
    server: LocalExchange, log: LineLog, *symbols: str, every: int = 300 * SECOND
) -> RawRecorder:
    return RawRecorder(
        symbols or (BTC, ETH),
        log,
        clock=server.clock,
        rng=np.random.default_rng(1),
        url=server.url,
        policy=QUICK,
        snapshot_every=every,
    )


@asynccontextmanager
async def recording(
    server: LocalExchange, path: Path, *symbols: str
) -> AsyncIterator[tuple[RawRecorder, Callable[[Callable[[], bool]], object]]]:
    """A running recorder, and a way to let market time pass until something holds."""
    with LineLog(path) as log:
        found = recorder(server, log, *symbols)
        task = asyncio.create_task(found.run())

        async def until(holds: Callable[[], bool]) -> None:
            while not holds():
                assert not task.done(), task.result()
                await server.advance(100 * MILLISECOND)
                await asyncio.sleep(0.001)

        try:
            yield found, until
        finally:
            await quiet(found)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def quiet(found: RawRecorder) -> None:
    """Wait until what the server sent has been written."""
    seen = -1
    while seen != found.counts.frames:
        seen = found.counts.frames
        await asyncio.sleep(0.05)


def test_both_books_come_out_as_the_servers_through_a_lost_connection(tmp_path: Path) -> None:
    path = tmp_path / "spot.txt"

    async def go() -> None:
        async with exchange(symbols=(BTC, ETH)) as server:
            async with recording(server, path) as (found, until):
                await until(lambda: found.counts.snapshots == 2 and found.counts.frames > 100)
                server.inject(Fault(kind="drop"))
                await until(lambda: found.counts.snapshots == 4 and found.counts.frames > 200)
                assert found.counts.connections == 2
                assert found.counts.faults == {"connection": 1}
            markets = {one.listing.symbol: one for one in server.venue.markets.values()}
            processor = MarketDataProcessor()
            passed = list(replay(Recording(path), processor))
            for symbol in (BTC, ETH):
                book = processor.book("spot", symbol)
                assert book is not None
                told = wire.depth(markets[symbol], 1000)
                for ours, theirs in ((book.bids(), told["bids"]), (book.asks(), told["asks"])):
                    assert ours == tuple((float(p), float(q)) for p, q in theirs)
            last = {one.symbol: one.seq for one in passed if isinstance(one, Trade)}
            assert last == {
                symbol: market.tape.prints.next_number - 1 for symbol, market in markets.items()
            }
            assert processor.report.total(Action.REJECT) == 0

    run(go())


def test_what_was_cut_off_is_read_up_to_there_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "spot.txt"

    async def go() -> None:
        async with exchange() as server:
            async with recording(server, path, BTC) as (found, until):
                await until(lambda: found.counts.frames > 50)
            content = path.read_bytes()
            path.write_bytes(content[:-7])
            one = Recording(path)
            assert len(list(one.records())) == content.count(b"\n") - 1
            assert one.report.counts[("spot", Case.TRUNCATED)] == 1
            async with recording(server, path, BTC) as (found, until):
                await until(lambda: found.counts.frames > 50)
            again = Recording(path)
            assert len(list(again.records())) > 100
            assert not again.report.counts

    run(go())


def test_a_busy_venue_is_waited_for_and_snapshots_come_again(tmp_path: Path) -> None:
    async def go() -> None:
        async with exchange() as server:
            server.inject(Fault(kind="rate_limit", retry_after=0, count=2, target="depth"))
            with LineLog(tmp_path / "a.txt") as log:
                found = recorder(server, log, BTC, every=50 * MILLISECOND)
                task = asyncio.create_task(found.run())
                while found.counts.snapshots < 3:
                    assert not task.done()
                    await server.advance(100 * MILLISECOND)
                    await asyncio.sleep(0.005)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert found.counts.faults == {"rate_limited": 2}

    run(go())


def test_a_symbol_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with exchange() as server:
            with LineLog(tmp_path / "a.txt") as log, pytest.raises(SourceError) as refused:
                await recorder(server, log, "NO/USDT").run()
        assert "depth of NOUSDT: 400" in refused.value.message
        assert refused.value.permanent

    run(go())


def test_a_venue_that_is_not_there_is_told_after_a_few_tries(tmp_path: Path) -> None:
    async def go() -> None:
        async with exchange() as server:
            with LineLog(tmp_path / "a.txt") as log:
                found = recorder(server, log, BTC)
        with pytest.raises(SourceError, match="ClientConnectorError"):
            await found.run()
        assert found.counts.faults == {"connection": 3}

    run(go())


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with LineLog(tmp_path / "a.txt") as log, pytest.raises(UsageError, match="is no address"):
        RawRecorder(
            [BTC], log, clock=LocalExchangeClock(), rng=np.random.default_rng(1), url="localhost"
        )


class LocalExchangeClock:
    """A clock nobody asks."""

    def now(self) -> int:
        raise AssertionError("refused before anything happens")
