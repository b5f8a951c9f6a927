"""Pages of candles through the real client: what is tried again, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_world import BTC, exchange, run

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND
from mirrorcore.data_sources.exchange import ExchangeSource
from mirrorcore.data_sources.exchange.client import Connection
from mirrorcore.data_sources.fetching.candles import CandleFetch, fetch_candles
from mirrorcore.data_sources.fetching.venue_candles import VenueCandles
from mirrorcore.data_sources.live import SourceError
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.server import LocalExchange


def base(server: LocalExchange) -> str:
    return server.url.removesuffix("/api/v3")


@pytest.mark.parametrize("kind", ["rate_limit", "html"])
def test_a_busy_venue_is_asked_again_until_it_answers(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, made = Connection.call, list[str]()

    async def noted(self: Connection, method: str, *arguments: object) -> object:
        made.append(method)
        return await call(self, method, *arguments)

    monkeypatch.setattr(Connection, "call", noted)

    async def go() -> None:
        async with exchange(history=3 * MINUTE) as server:
            fault = Fault(kind=kind, retry_after=0, count=3, target="klines")  # type: ignore[arg-type]
            server.inject(fault)
            now = server.clock.now()
            async with VenueCandles(
                "binance", url=base(server), first_wait_ns=MILLISECOND
            ) as venue:
                asked = CandleFetch("binance", BTC, SECOND, now - 2 * MINUTE, None, tmp_path)
                done = await fetch_candles(asked, venue, now=0)
            assert done.pages == 1
            assert made.count("fetch_ohlcv") == 4

    run(go())


def test_a_page_instead_of_trades_is_no_filled_gap() -> None:
    async def go() -> None:
        async with exchange(history=MINUTE) as server:
            source = ExchangeSource("binance", [BTC], url=base(server), clock=server.clock)
            try:
                now = server.clock.now()
                whole = [one.seq async for one in source.backfill(now - MINUTE, now, {})]
                assert whole == list(range(whole[0], whole[0] + len(whole)))
                server.inject(Fault(kind="html", target="aggTrades", count=1))
                with pytest.raises(SourceError, match="a page came instead of data") as failed:
                    [one async for one in source.backfill(now - MINUTE, now, {})]
                assert (failed.value.case, failed.value.permanent) == ("malformed", False)
                assert whole == [one.seq async for one in source.backfill(now - MINUTE, now, {})]
            finally:
                await source.aclose()

    run(go())


def test_a_venue_that_stays_busy_is_told_with_what_is_kept(tmp_path: Path) -> None:
    async def go() -> None:
        async with exchange(history=3 * MINUTE) as server:
            server.inject(Fault(kind="rate_limit", retry_after=0, count=50, target="klines"))
            now = server.clock.now()
            async with VenueCandles(
                "binance", url=base(server), attempts=4, first_wait_ns=MILLISECOND
            ) as venue:
                asked = CandleFetch("binance", BTC, SECOND, now - 2 * MINUTE, None, tmp_path)
                with pytest.raises(SourceError, match=r"\(4 tries\)") as failed:
                    await fetch_candles(asked, venue, now=0)
            assert "the same command goes on from there" in failed.value.hint

    run(go())


def test_a_venue_that_was_never_there_is_not_waited_for_long(tmp_path: Path) -> None:
    async def go() -> None:
        async with exchange() as server:
            url = base(server)
        async with VenueCandles("binance", url=url, first_wait_ns=MILLISECOND) as venue:
            with pytest.raises(SourceError, match=r"\(3 tries\)"):
                await venue.require(BTC, MINUTE)

    run(go())
