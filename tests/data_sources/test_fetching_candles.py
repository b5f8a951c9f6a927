"""History page by page: whatever ends a call, the next one goes on, and the file is the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import MINUTE
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.fetching.candle_store import CandleStore, Row, candle_frame
from mirrorcore.data_sources.fetching.candles import CandleFetch, Fetched, fetch_candles
from mirrorcore.data_sources.fetching.stretches import Stretch, missing
from mirrorcore.data_sources.fetching.whole_files import origin_of, write_whole
from mirrorcore.data_sources.file_names import candle_name, find_candles
from mirrorcore.data_sources.live import SourceError
from mirrorcore.errors import DataError, UsageError

T0 = 1_704_067_200_000_000_000  # 2024-01-01
stretches = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(
    lambda pair: Stretch(pair[0], pair[0] + pair[1])
)


@dataclass
class Venue:
    """A venue with a candle a minute, except in ``holes``; ``fails`` after so many pages."""

    first: int = T0
    clock: int = T0 + 5_000 * MINUTE + 30
    holes: frozenset[int] = frozenset()
    fails: int = 10**9
    page_size: int = 1000
    asked: list[int] = field(default_factory=list)

    async def require(self, symbol: str, bar_ns: int) -> None:
        assert (symbol, bar_ns) == ("BTC/USDT", MINUTE)

    async def now(self, otherwise: int) -> int:
        return self.clock

    async def page(self, symbol: str, bar_ns: int, since: int) -> list[Row]:
        if len(self.asked) >= self.fails:
            raise SourceError("the venue is gone")
        self.asked.append(since)
        opens = range(max(since, self.first), self.clock + 1, MINUTE)
        found = [_candle(ts) for ts in opens if ts not in self.holes]
        return found[: self.page_size]


def _candle(ts: int) -> Row:
    number = (ts - T0) // MINUTE
    price = 100.0 + number % 7
    return (ts, price, price + 2, price - 2, price + 1, 1.0 + number % 3)


def fetched(venue: Venue, out: Path, since: int = T0, until: int | None = None) -> Fetched:
    asked = CandleFetch("demo", "BTC/USDT", MINUTE, since, until, out)
    return asyncio.run(fetch_candles(asked, venue, now=0))


@given(wanted=stretches, there=st.lists(stretches, max_size=5))
def test_what_is_missing_is_exactly_what_is_not_there(
    wanted: Stretch, there: list[Stretch]
) -> None:
    covered = {n for one in there for n in range(*one)}
    found = missing(wanted, there)
    assert [n for one in found for n in range(*one)] == sorted(set(range(*wanted)) - covered)
    assert all(one.start < one.end for one in found)


def test_a_file_has_every_closed_candle_and_a_backtest_reads_it(tmp_path: Path) -> None:
    venue, told = Venue(), list[tuple[int, int | None]]()
    asked = CandleFetch("demo", "BTC/USDT", MINUTE, T0, None, tmp_path)
    done = asyncio.run(
        fetch_candles(asked, venue, now=0, tell=lambda part, whole: told.append((part, whole)))
    )
    assert done.path == tmp_path / "demo_BTC-USDT_1m.parquet"
    assert (done.pages, done.resumed, done.first) == (5, False, T0)
    source = RecordedSource(tmp_path)
    # The candle that is still open at the venue's clock is not there.
    assert (source.symbols, source.ticks_total()) == (("BTC/USDT",), 5_000)
    assert told == [(n, 5_000) for n in (0, 1000, 2000, 3000, 4000, 5000)]
    assert [one.name for one in tmp_path.iterdir()] == [done.path.name]


@pytest.mark.parametrize("pages", [0, 1, 3, 4])
def test_a_call_that_failed_is_gone_on_with_where_it_stopped(tmp_path: Path, pages: int) -> None:
    with pytest.raises(SourceError, match="the venue is gone"):
        fetched(Venue(fails=pages), tmp_path)
    assert find_nothing(tmp_path)
    again = Venue()
    done = fetched(again, tmp_path)
    assert again.asked == [T0 + n * 1000 * MINUTE for n in range(pages, 5)]
    assert done.resumed == (pages > 0)
    fetched(Venue(), whole := tmp_path / "whole")
    assert pl.read_parquet(done.path).equals(pl.read_parquet(whole / done.path.name))


def find_nothing(folder: Path) -> bool:
    with pytest.raises(DataError, match="no candle file found"):
        find_candles(folder)
    return True


def test_a_file_grows_at_both_ends_and_has_no_hole_of_our_making(tmp_path: Path) -> None:
    fetched(Venue(), tmp_path, T0 + 1000 * MINUTE, T0 + 1100 * MINUTE)
    later = Venue()
    done = fetched(later, tmp_path, T0 + 1500 * MINUTE, T0 + 1600 * MINUTE)
    assert later.asked == [T0 + 1100 * MINUTE]
    assert done.stretch == Stretch(T0 + 1000 * MINUTE, T0 + 1600 * MINUTE)
    earlier = Venue()
    fetched(earlier, tmp_path, T0 + 900 * MINUTE, T0 + 950 * MINUTE)
    assert earlier.asked == [T0 + 900 * MINUTE]
    nothing = Venue()
    done = fetched(nothing, tmp_path, T0 + 950 * MINUTE, T0 + 1000 * MINUTE)
    assert (nothing.asked, done.pages) == ([], 0)
    frame = pl.read_parquet(done.path)
    opens = frame["ts"].to_physical().to_list()
    assert opens == list(range(T0 + 900 * MINUTE, T0 + 1600 * MINUTE, MINUTE))


def test_a_call_that_died_between_the_file_and_the_clearing_up_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(CandleStore, "_clear", lambda store: None)
        fetched(Venue(), tmp_path)
    assert (tmp_path / ".fetch").is_dir()
    done = fetched(Venue(clock=T0 + 5_100 * MINUTE), tmp_path)
    opens = pl.read_parquet(done.path)["ts"].to_physical().to_list()
    assert opens == list(range(T0, T0 + 5_100 * MINUTE, MINUTE))
    assert not (tmp_path / ".fetch").exists()


def test_candles_a_venue_left_out_or_never_had_are_asked_for_once(tmp_path: Path) -> None:
    listed = T0 + 2_500 * MINUTE
    holes = frozenset(range(listed + 100 * MINUTE, listed + 300 * MINUTE, MINUTE))
    venue = Venue(first=listed, holes=holes)
    done = fetched(venue, tmp_path)
    assert done.first == listed
    assert len(pl.read_parquet(done.path)) == 2_500 - 200
    again = Venue(first=listed, holes=holes)
    assert fetched(again, tmp_path).pages == 0


def test_pages_of_nothing_end(tmp_path: Path) -> None:
    venue = Venue(first=10**19)
    done = fetched(venue, tmp_path)
    assert (done.first, len(venue.asked)) == (None, 5)


def test_another_fetch_is_not_mixed_in(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        fetched(Venue(fails=1), tmp_path)
    other = CandleFetch("demo", "BTC/USDT", MINUTE, T0, None, tmp_path, url="http://elsewhere")
    with pytest.raises(DataError, match=r"holds another fetch \(server .*not 'http://elsewhere'"):
        other.store()
    fetched(Venue(), tmp_path)
    with pytest.raises(DataError, match=r"BTC-USDT_1m\.parquet: holds another fetch"):
        other.store()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "demo_BTC-USDT_1m.parquet"
    candle_frame([_candle(T0)]).write_parquet(path)
    before = path.read_bytes()
    with pytest.raises(DataError, match="was not fetched by this command"):
        fetched(Venue(), tmp_path)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        fetched(Venue(), tmp_path)
    path.write_bytes(before)
    assert origin_of(path) is None


def test_nothing_to_fetch_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no candle has closed"):
        fetched(Venue(), tmp_path, since=T0 + 6_000 * MINUTE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    frame = candle_frame([])
    with pytest.raises(DataError, match=r"nowhere/a\.parquet: the file cannot be written"):
        write_whole(tmp_path / "nowhere" / "a.parquet", frame, {})


@pytest.mark.parametrize(
    ("venue", "symbol"),
    [
        ("binance", "BTC/USDT"),
        ("kraken", "BTC/EUR"),
        ("bybit", "ETH/USDT:USDT"),
        ("binance", "1000PEPE/FDUSD"),
        ("", "EUR/USD"),
    ],
)
def test_names_say_what_they_hold(venue: str, symbol: str, tmp_path: Path) -> None:
    name = candle_name(venue, symbol, 5 * MINUTE)
    (tmp_path / f"{name}.parquet").touch()
    (found,) = find_candles(tmp_path)
    assert (found.venue, found.symbol, found.bar_ns) == (venue, symbol, 5 * MINUTE)


def test_a_symbol_no_name_can_say_is_refused() -> None:
    with pytest.raises(DataError, match="no file name can say"):
        candle_name("binance", "BTC/USDT:USDT-240628", MINUTE)
