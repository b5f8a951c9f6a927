"""One venue as a source: CCXT's unmodified client against the local exchange, over real sockets."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from mirrorcore.clock import SECOND, LiveClock
from mirrorcore.data_sources.exchange import ExchangeSource
from mirrorcore.data_sources.exchange.failures import as_source_error
from mirrorcore.data_sources.exchange.reading import Reader, crossed, instrument
from mirrorcore.data_sources.live import Position, SourceError
from mirrorcore.data_sources.running import SourceRunner
from mirrorcore.errors import UsageError
from mirrorcore.exchange.config import ExchangeConfig
from mirrorcore.exchange.faults import Fault
from mirrorcore.exchange.server import LocalExchange
from mirrorcore.market.records import (
    Bar,
    BookSnapshot,
    FeedRecord,
    Flag,
    GapRecord,
    Quote,
    Trade,
)

SYMBOLS = ("BTC/USDT", "ETH/USDT")


@asynccontextmanager
async def venue(**kwargs: Any) -> AsyncIterator[tuple[LocalExchange, ExchangeSource]]:
    config = ExchangeConfig(symbols=SYMBOLS, speed=10.0, history=20 * SECOND)
    async with LocalExchange(config) as exchange:
        source = ExchangeSource("binance", SYMBOLS, url=exchange.base_url, **kwargs)
        try:
            yield exchange, source
        finally:
            await source.aclose()


async def listen(
    source: ExchangeSource, enough: Callable[[list[FeedRecord]], bool], since: Any = None
) -> list[FeedRecord]:
    """What the stream brings until it is enough."""
    found: list[FeedRecord] = []
    async with asyncio.timeout(30):
        stream = source.stream(since or {})
        try:
            async for record in stream:
                found.append(record)
                if enough(found):
                    return found
        finally:
            await stream.aclose()
    raise AssertionError("a stream does not end by itself")


def count(found: list[FeedRecord], kind: type, symbol: str = "") -> int:
    return sum(isinstance(one, kind) and symbol in ("", one.symbol) for one in found)


def test_who_asks_while_the_client_is_made_anew_is_answered_by_the_new_one() -> None:
    """A lost socket takes its client along; the venue has done nothing wrong to other requests."""

    async def scene() -> None:
        async with venue() as (exchange, source):
            await source.instruments()
            connection = source._connection
            old = connection.client
            exchange.inject(Fault(kind="slow", delay=0.3, target="time", count=1))
            asked = asyncio.create_task(source.server_time())
            while not exchange.faults.happened["slow"]:
                await asyncio.sleep(0.001)
            await connection.drop()
            assert abs(await asked - exchange.clock.now()) < 60 * SECOND
            assert connection.client is not old
            # Closed for good, nothing is opened again behind anybody's back.
            exchange.inject(Fault(kind="slow", delay=0.3, target="time", count=1))
            asked = asyncio.create_task(source.server_time())
            while exchange.faults.happened["slow"] < 2:
                await asyncio.sleep(0.001)
            await source.aclose()
            with pytest.raises(SourceError):
                await asked
            assert connection._client is None

    asyncio.run(scene())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_the_sockets_bring_trades_quotes_and_books_of_every_symbol() -> None:
    async def main() -> list[FeedRecord]:
        async with venue() as (_, source):
            kinds = (Trade, Quote, BookSnapshot)
            return await listen(
                source,
                lambda found: all(count(found, kind, s) >= 3 for kind in kinds for s in SYMBOLS),
            )

    found = run(main())
    for symbol in SYMBOLS:
        seqs = [one.seq for one in found if isinstance(one, Trade) and one.symbol == symbol]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    for one in found:
        assert one.source == "binance"
        assert one.ts_avail == one.ts_recv >= one.ts_event - SECOND
        if isinstance(one, BookSnapshot):
            assert one.bids[0][0] < one.asks[0][0]
            assert len(one.bids) <= 20


def test_the_client_keeps_no_trade_that_was_handed_out_and_loses_none_for_it() -> None:
    async def main() -> tuple[list[FeedRecord], dict[str, list[str]]]:
        async with venue(kinds=("trade",)) as (_, source):
            found = await listen(source, lambda found: count(found, Trade, SYMBOLS[0]) >= 60)
            trades = source._connection.client.trades
            return found, {symbol: [one["id"] for one in trades[symbol]] for symbol in SYMBOLS}

    found, kept = run(main())
    for symbol in SYMBOLS:
        seqs = [one.seq for one in found if isinstance(one, Trade) and one.symbol == symbol]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert not {str(seq) for seq in seqs} & set(kept[symbol])


def test_candles_come_once_each_when_they_are_finished_as_the_venue_has_them() -> None:
    async def main() -> tuple[list[FeedRecord], dict[str, list[Bar]]]:
        async with venue(kinds=("bar",), bar_ns=SECOND) as (_, source):
            found = await listen(source, lambda found: count(found, Bar, SYMBOLS[1]) >= 3)
            told = {symbol: [b for b in found if isinstance(b, Bar)] for symbol in SYMBOLS}
            true = {}
            for symbol in SYMBOLS:
                mine = [one for one in told[symbol] if one.symbol == symbol]
                end = mine[-1].ts_event + SECOND
                true[symbol] = list(
                    await source._past.candles(symbol, SECOND, mine[0].ts_event, end)
                )
            return found, true

    found, true = run(main())
    for symbol in SYMBOLS:
        mine = [one for one in found if isinstance(one, Bar) and one.symbol == symbol]
        opens = [one.ts_event for one in mine]
        assert opens == list(range(opens[0], opens[0] + len(opens) * SECOND, SECOND))
        plain = [(one.ts_event, one.open, one.high, one.low, one.close, one.volume) for one in mine]
        assert plain == [
            (one.ts_event, one.open, one.high, one.low, one.close, one.volume)
            for one in true[symbol]
        ]
        assert all(one.ts_recv >= one.ts_avail == one.ts_event + SECOND for one in mine)


def test_candles_missed_while_away_are_asked_for_finished_ones_alone() -> None:
    async def main() -> tuple[list[Bar], int]:
        async with venue(kinds=("bar",), bar_ns=SECOND) as (exchange, source):
            clock = LiveClock()
            runner = SourceRunner(source, clock=clock, rng=np.random.default_rng(1))
            task = asyncio.create_task(runner.run())
            taken: list[Bar] = []
            dropped = False
            async with asyncio.timeout(30):
                while len(taken) < 12:
                    await asyncio.sleep(0.05)
                    taken += [one for one in await runner.collect() if isinstance(one, Bar)]
                    if len(taken) >= 4 and not dropped:
                        dropped = True
                        exchange.inject(Fault(kind="drop"))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return taken, runner.health().reconnects

    taken, reconnects = run(main())
    assert reconnects == 1
    for symbol in SYMBOLS:
        opens = [one.ts_event for one in taken if one.symbol == symbol]
        assert opens == list(range(opens[0], opens[0] + len(opens) * SECOND, SECOND))


def test_candles_have_a_length_and_what_has_a_length_is_candles() -> None:
    with pytest.raises(UsageError, match="need a length"):
        ExchangeSource("binance", SYMBOLS, kinds=("bar",))
    with pytest.raises(UsageError, match="need a length"):
        ExchangeSource("binance", SYMBOLS, bar_ns=SECOND)


def test_what_was_missed_is_asked_for_by_number_and_has_the_streams_ids() -> None:
    async def main() -> tuple[list[Trade], list[Trade]]:
        async with venue(kinds=("trade",)) as (_, source):
            found = await listen(source, lambda found: count(found, Trade, SYMBOLS[0]) >= 20)
            live = [one for one in found if isinstance(one, Trade) and one.symbol == SYMBOLS[0]]
            since = {(SYMBOLS[0], "trade"): Position(live[0].seq, live[0].ts_event)}
            past = source.backfill(0, LiveClock().now(), since)
            again = [one async for one in past if isinstance(one, Trade)]
            return live, [one for one in again if one.symbol == SYMBOLS[0]]

    live, again = run(main())
    assert [one.seq for one in again[: len(live) - 1]] == [one.seq for one in live[1:]]
    for one, other in zip(live[1:], again, strict=False):
        assert (one.price, one.quantity, one.side) == (other.price, other.quantity, other.side)
        assert other.flags & Flag.BACKFILL


def test_a_missing_update_drops_the_book_which_then_equals_the_venues() -> None:
    async def main() -> tuple[list[FeedRecord], ExchangeSource]:
        async with venue(kinds=("book",)) as (exchange, source):
            watched = source.books[SYMBOLS[0]]
            skip = Fault(kind="sequence_skip", target="btcusdt@depth")

            def enough(found: list[FeedRecord]) -> bool:
                if len(found) == 8:
                    exchange.inject(skip)
                return watched.gaps > 0 and watched.compared > 0

            return await listen(source, enough), source

    found, source = run(main())
    watched = source.books[SYMBOLS[0]]
    assert watched.gaps == 1
    assert watched.different == 0
    reasons = [one.reason for one in found if isinstance(one, GapRecord)]
    assert reasons == ["an update of the book is missing"]


def test_an_aborted_socket_ends_the_stream_and_the_next_goes_on() -> None:
    async def main() -> tuple[SourceError, list[FeedRecord]]:
        async with venue(kinds=("trade",)) as (exchange, source):
            told: list[SourceError] = []
            try:
                await listen(source, lambda found: len(found) == 3 and _drop(exchange))
            except SourceError as error:
                told.append(error)
            return told[0], await listen(source, lambda found: len(found) > 3)

    error, found = run(main())
    assert error.case == "connection"
    assert not error.permanent
    assert count(found, Trade) > 3


def test_a_client_that_is_given_up_is_freed_and_does_not_wait_for_the_collector() -> None:
    async def main() -> list[bool]:
        async with venue(kinds=("trade",)) as (_, source):
            freed = []
            for _ in range(3):
                await listen(source, lambda found: len(found) > 3)
                given_up = weakref.ref(source._connection.client)
                await source._connection.drop()
                freed.append(given_up() is None)
            return freed

    gc.disable()
    try:
        assert run(main()) == [True] * 3
    finally:
        gc.enable()


def _drop(exchange: LocalExchange) -> bool:
    exchange.inject(Fault(kind="drop"))
    return False


def test_what_the_venue_says_of_its_instruments_is_taken_exactly() -> None:
    async def main() -> Any:
        async with venue() as (_, source):
            return await source.instruments(), await source.server_time()

    (bitcoin, ether), told = run(main())
    assert (bitcoin.symbol, ether.symbol) == SYMBOLS
    assert bitcoin.tick == Decimal("0.01")
    assert bitcoin.lot == Decimal("0.00001")
    assert not bitcoin.shortable  # spot
    assert abs(told - LiveClock().now()) < 10 * SECOND


def test_candles_are_finished_and_within_the_span_that_was_asked_for() -> None:
    async def main() -> Any:
        async with venue() as (_, source):
            end = LiveClock().now() // SECOND * SECOND
            return end, await source.candles(SECOND, end - 15 * SECOND, end)

    end, bars = run(main())
    for symbol in SYMBOLS:
        opens = [bar.ts_event for bar in bars if bar.symbol == symbol]
        assert opens == sorted(opens)
        assert end - 15 * SECOND <= opens[0]
        assert opens[-1] < end
        assert len(opens) > 8
    assert all(bar.ts_avail == bar.ts_event + SECOND for bar in bars)


def test_what_cannot_be_had_is_said_and_is_not_tried_again() -> None:
    async def main() -> list[SourceError]:
        async with venue() as (exchange, source):
            with pytest.raises(SourceError) as no_candles:
                await source.candles(7, 0, 70)
            other = ExchangeSource("binance", ["XYZ/USDT"], url=exchange.base_url)
            try:
                with pytest.raises(SourceError) as no_symbol:
                    await other.instruments()
            finally:
                await other.aclose()
            return [no_candles.value, no_symbol.value]

    candles, symbol = run(main())
    assert candles.permanent
    assert symbol.permanent
    assert candles.case == "timeframe"
    assert "paper.warmup = 0" in candles.hint
    assert symbol.case == "symbol"
    assert "XYZ/USDT" in symbol.message
    assert "BTC/USDT" in symbol.hint


def test_a_page_instead_of_the_markets_is_not_taken_for_a_venue_that_lists_nothing() -> None:
    async def main() -> tuple[SourceError, int]:
        async with venue(kinds=("trade",)) as (exchange, source):
            exchange.inject(Fault(kind="html", target="exchangeInfo"))
            past = source.backfill(0, LiveClock().now(), {})
            with pytest.raises(SourceError) as told:
                await anext(past)
            now = LiveClock().now()
            again = source.backfill(now - 15 * SECOND, now, {})
            return told.value, len([one async for one in again])

    error, trades = run(main())
    assert error.case == "malformed"
    assert not error.permanent
    assert trades > 0


def test_a_venue_that_cannot_be_reached_is_said_so() -> None:
    async def main() -> SourceError:
        source = ExchangeSource("binance", SYMBOLS, url="http://127.0.0.1:1")
        try:
            with pytest.raises(SourceError) as told:
                await source.instruments()
        finally:
            await source.aclose()
        return told.value

    error = run(main())
    assert error.case == "connection"
    assert "no connection" in error.message
    assert "check the network" in error.hint


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: ExchangeSource("binanse", SYMBOLS), "did you mean 'binance'"),
        (lambda: ExchangeSource("binance", ()), "name one"),
        (lambda: ExchangeSource("binance", SYMBOLS, kinds=("candle",)), "choose among"),
        (
            lambda: ExchangeSource("kraken", SYMBOLS, url="http://127.0.0.1:1"),
            "leave the address out",
        ),
    ],
)
def test_mistakes_are_refused_before_anything_is_connected(
    make: Callable[[], object], word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        make()


def test_a_server_that_asks_to_wait_is_heeded() -> None:
    import ccxt

    class Client:
        last_response_headers: ClassVar[dict[str, str]] = {"Retry-After": "7"}

    error = as_source_error(ccxt.DDoSProtection("429"), "venue", Client())
    assert (error.case, error.retry_after_ns, error.permanent) == (
        "rate_limited",
        7 * SECOND,
        False,
    )
    assert as_source_error(ccxt.DDoSProtection("429"), "venue").retry_after_ns == 0
    assert as_source_error(ccxt.BadSymbol("x"), "venue").permanent
    assert as_source_error(KeyError("x"), "venue").case == "malformed"


def test_steps_told_as_decimal_places_are_steps() -> None:
    market = {
        "symbol": "A/B:B", "base": "A", "quote": "B", "settle": "B", "spot": False,
        "precision": {"price": 2, "amount": 0}, "limits": {}, "contractSize": 10,
    }  # fmt: skip
    one = instrument(market, "v", places=True)
    assert (one.tick, one.lot, one.multiplier) == (Decimal("0.01"), Decimal(1), Decimal(10))
    assert one.shortable
    with pytest.raises(SourceError, match="not traded"):
        instrument({**market, "active": False}, "v", places=True)


def test_what_is_missing_is_missing_and_a_crossed_book_is_seen() -> None:
    reader = Reader("v")
    assert reader.quote({"symbol": "A/B", "bid": None, "ask": 1.0}, 5) is None
    assert reader.funding({"symbol": "A/B", "fundingRate": None}, 5) is None
    assert crossed({"bids": [[2.0, 1.0]], "asks": [[2.0, 1.0]]})
    assert not crossed({"bids": [[1.0, 1.0]], "asks": [[2.0, 1.0]]})
    assert not crossed({"bids": [], "asks": [[2.0, 1.0]]})
