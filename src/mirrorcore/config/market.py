"""Settings of the market: where its bars and side channels come from, what its symbols are."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from mirrorcore.clock import DAY, MINUTE, SECOND
from mirrorcore.config.quantities import (
    Amount,
    Delay,
    Duration,
    Location,
    Names,
    Params,
    Span,
    Symbols,
    Tables,
)
from mirrorcore.config.section import IDENTIFIER, Section, setting

DEFAULT_SYMBOL_COUNT = 8
DEFAULT_BAR = 5 * MINUTE

_SERIES_NAME = r"^(technical|fundamental|sentiment|risk|onchain|macro)\.[A-Za-z][A-Za-z0-9_]*$"
_VENUE = r"^[a-z][a-z0-9_]*$"


class SeriesConfig(Section):
    """``[[market.series]]``: a side channel read from a file of its own."""

    name: str = setting(
        ..., "category.name under which agents find it, as onchain.whale_flow", pattern=_SERIES_NAME
    )
    path: Location = setting(..., "parquet, feather, CSV or JSON file", location=True)
    time: str = setting("ts", "column with the time of each value: the name candles use too")
    value: str = setting("value", "column with the value")
    symbol: str = setting("*", "symbol it belongs to; * is the whole market", min_length=1)
    lag: Delay = setting(
        0,
        "how long after its time a value becomes known; 0 suits data stamped at publication, a "
        "macro series stamped with its reference month needs weeks",
    )
    released: str | None = setting(
        None,
        "column with the instant each value became public, one row for each correction; lag is "
        "added to it, and where it holds days alone a value counts from the end of the day",
        unset="a value is known at its time plus lag",
        min_length=1,
    )
    where: dict[str, str] = setting(
        {}, "column = value pairs a row must have, to take one series out of a table of many"
    )


class MarketConfig(Section):
    """``[market]``: where the market comes from."""

    source: Literal["simulated", "recorded", "exchange"] = setting(
        "simulated",
        "simulated needs no data and no network, so a first run works anywhere; exchange is a "
        "venue as it trades now, for paper runs",
    )
    preset: Literal["default", "plain", "null"] = setting(
        "default",
        "kind of simulated market: default has everything, plain has skill but no regimes, null "
        "has no edge at all and is the test for luck",
    )
    ic: float | None = setting(
        None,
        "information coefficient of the simulated market's hidden alpha: how much there is to find",
        unset="the preset's own: 0.006, and 0 for null",
        ge=0,
        le=0.2,
    )
    swap: Duration | None = setting(
        None,
        "after which the simulated market's whale flow and its decoy exchange what they know: a "
        "rehearsal for skill that moves",
        unset="never",
    )
    symbols: Symbols = setting(
        None,
        "names of the symbols, or for a simulated market how many",
        unset=f"{DEFAULT_SYMBOL_COUNT} simulated symbols, or all the directory holds",
    )
    timeframe: Duration | None = setting(
        None,
        "length of a bar; five minutes is the shortest that costs leave worth trading",
        unset="5m for a simulated market, what the files say for a recorded one",
    )
    period: Duration = setting(
        365 * DAY, "length of a simulated history; a year holds every season once"
    )
    bars: int | None = setting(
        None,
        "length of a simulated history in bars; wins over period",
        unset="period decides",
        ge=1,
        le=100_000_000,
    )
    directory: Location | None = setting(
        None,
        "folder of recorded candles: parquet, feather or CSV",
        unset="none; a recorded market needs one",
        location=True,
    )
    pattern: str | None = setting(
        None,
        "how candle files are named, with {symbol} and maybe {venue}, {timeframe} and *",
        unset="the known patterns: BTC_USDT-5m.feather, bybit_BTCUSDT_5m_2025Q2.parquet, ...",
        min_length=1,
    )
    timerange: Span | None = setting(
        None,
        "part of the data to use, from the first day's midnight UTC to the last one's, exclusive",
        unset="all of it",
    )
    sparse: bool | None = setting(
        None,
        "whether an interval without trades has no bar; most venues write none, so a hole is no "
        "fault; false where each interval must be there",
        unset="told from the files: sparse where more than one interval in 200 is missing",
    )
    unit: Literal["auto", "s", "ms", "us", "ns"] = setting(
        "auto", "unit of whole-number times in files; auto tells by their size, which years apart"
    )
    series: Annotated[tuple[SeriesConfig, ...], Tables] = setting(
        (), "side channels beside the candles"
    )

    @property
    def bar(self) -> int:
        """Length of a bar of a market that does not say itself: simulated, or live; ns."""
        return DEFAULT_BAR if self.timeframe is None else self.timeframe

    @property
    def symbol_count(self) -> int:
        """How many symbols a simulated market has."""
        if self.symbols is None:
            return DEFAULT_SYMBOL_COUNT
        return self.symbols if isinstance(self.symbols, int) else len(self.symbols)

    @property
    def symbol_names(self) -> tuple[str, ...] | None:
        """The symbols asked for by name; None leaves them to the source."""
        return self.symbols if isinstance(self.symbols, tuple) else None

    @property
    def bar_count(self) -> int:
        """Bars of a simulated history."""
        return self.bars if self.bars is not None else self.period // self.bar


class VenueConfig(Section):
    """``[exchange]``: the venue that ``market.source = "exchange"`` listens to."""

    venue: str = setting(
        "binance", "which one, as CCXT calls it; the one whose protocol is tested", pattern=_VENUE
    )
    url: str | None = setting(
        None,
        "address of a local exchange, as http://127.0.0.1:8900, in place of the venue's own",
        unset="the venue's own addresses",
        pattern=r"^https?://[^/\s]+/?$",
    )
    batch: Duration = setting(
        SECOND,
        "how often what came in is closed into one batch; a bar's trades have that long to come",
    )
    stale_after: Duration = setting(
        15 * SECOND, "silence of a symbol after which it takes no new risk; busy ones trade faster"
    )
    lateness: Delay = setting(
        2 * SECOND, "how long after its end a bar waits for trades that are under way"
    )
    patience: Delay = setting(
        30 * SECOND,
        "how long a bar waits for a venue that is down or fills a gap; then it is closed without",
    )


class SourceConfig(Section):
    """``[[sources]]``: something else a live run listens to, beside its venue."""

    kind: Literal[
        "fred",
        "ecb",
        "fear_greed",
        "feed",
        "reddit",
        "x",
        "json",
        "calendar",
        "ethereum",
        "uniswap_v2",
        "uniswap_v3",
        "dune",
        "exchange",
    ] = setting(..., "which one, as 'mirrorcore data sources' lists them; exchange is a venue more")
    name: str | None = setting(
        None,
        "what its records and its health are called; two of one kind need two",
        unset="its kind",
        pattern=IDENTIFIER,
    )
    url: str | None = setting(
        None,
        "address that is asked: the feed, the document, the node of a chain, or a server in place "
        "of the service's own; without keys, for it is written down with the run",
        unset="the service's own address",
        pattern=r"^https?://[^/\s@]+(/\S*)?$",
    )
    symbols: Names = setting(
        (),
        "symbols of the run: those a venue more is asked for, all where none is named, or those a "
        "query of Dune is about; other kinds name theirs in params",
    )
    params: Params = setting({}, "what its kind is told, as docs/data.md lists it")

    @property
    def label(self) -> str:
        """What it is called."""
        return self.kind if self.name is None else self.name


class InstrumentConfig(Section):
    """``[[instruments]]``: what a symbol trades in; one left out gets the defaults."""

    symbol: str = setting(..., "the symbol described, as BTC/USDT", min_length=1)
    tick: Amount = setting(
        Decimal("1e-8"), "smallest step of price; the finest any venue uses", gt=0, le=10**9
    )
    lot: Amount = setting(
        Decimal("1e-8"), "smallest step of quantity; the finest any venue uses", gt=0, le=10**9
    )
    minimum: Amount = setting(
        Decimal(0), "smallest value of an order, in settlement currency; 0 is none", ge=0, le=10**12
    )
    multiplier: Amount = setting(
        Decimal(1), "base units in one contract; 1 is spot", gt=0, le=10**12
    )
    shortable: bool = setting(True, "whether it can be sold short; perpetuals can, spot cannot")
    settlement: str | None = setting(
        None,
        "currency profits are paid in",
        unset="after the colon of the symbol, else its quote currency",
        min_length=1,
    )
