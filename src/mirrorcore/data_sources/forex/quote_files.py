"""Files of quotes: ticks of bid and ask, bars of both sides, or bars of one price.

Two things about such files are rarely what they seem. Prices may be whole *points* (1.38676 written
as 138676), and times the wall clock of a broker, hours and a daylight saving away from UTC: the
hour at which the week opens gives that away, and is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorcore.data_sources.tables import Table
from mirrorcore.errors import DataError, UsageError
from mirrorcore.market.block import Bools, Floats, Ints
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.records import Flag, Quote
from mirrorcore.market.timeframe import require_weekly_opening

SIDES = ("open", "high", "low", "close")
_MOST_POINTS = 8
MAJORS = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD"})
_NO_PRICE = 10_000.0
"""No pair of these, and no ounce of gold, has been quoted that high in one of them."""


@dataclass(frozen=True, slots=True)
class QuoteFile:
    """A file of one pair.

    Parameters
    ----------
    path: parquet, feather, CSV or JSON. Columns: a time and ``bid``, ``ask`` (ticks);
        ``bid_open`` … ``ask_close`` (bars of both sides); or ``open`` … ``close`` (one price).
        Sizes (``bid_size``, ``ask_size``) and ``volume`` or ``tick_volume`` where there are any.
    symbol: as ``EUR/USD``.
    bar_ns: length of its bars; 0 for ticks.
    points: decimals of a price written as a whole number: see :func:`usual_points`; 0 for prices as
        they are.
    zone: whose wall clock the times are; ``ahead_ns`` how far they run before it. Many brokers keep
        New York plus seven hours, so that the week opens at midnight.
    """

    path: Path
    symbol: str
    bar_ns: int = 0
    points: int = 0
    zone: str = "UTC"
    ahead_ns: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.points <= _MOST_POINTS:
            raise UsageError(f"points were {self.points}, must be from 0 to {_MOST_POINTS}")
        if self.bar_ns < 0:
            raise UsageError("bar_ns cannot be negative", hint="0 is for ticks")


@dataclass(frozen=True, slots=True)
class Quotes:
    """Both sides of one pair: arrays of (n,), for bars at the close. ``ts`` is when each was there,
    ns UTC; ``crossed`` marks a bid above its ask, which is kept as it came."""

    symbol: str
    label: str
    ts: Ints
    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    crossed: Bools

    def __len__(self) -> int:
        return len(self.ts)

    def records(self) -> Iterator[Quote]:
        """As records of a history, available when they were there."""
        rows = zip(
            self.ts.tolist(),
            self.bid.tolist(),
            self.ask.tolist(),
            self.bid_size.tolist(),
            self.ask_size.tolist(),
            strict=True,
        )
        for instant, bid, ask, bid_size, ask_size in rows:
            yield Quote(
                source=self.label,
                symbol=self.symbol,
                ts_event=instant,
                ts_recv=instant,
                ts_avail=instant,
                flags=int(Flag.BACKFILL),
                bid=bid,
                ask=ask,
                bid_size=bid_size,
                ask_size=ask_size,
            )


@dataclass(frozen=True, slots=True)
class PriceColumns:
    """What a file holds after scale and zone are applied: ``ts`` (n,) as in the file (the open of a
    bar), columns by name, each (n,)."""

    file: QuoteFile
    symbol: str
    label: str
    ts: Ints
    columns: dict[str, Floats]

    @property
    def layout(self) -> str:
        """``ticks``, ``sides`` or ``one``."""
        if "bid" in self.columns:
            return "ticks"
        return "sides" if "bid_open" in self.columns else "one"


def usual_points(symbol: str) -> int:
    """Decimals that files of points usually have: gold 2, pairs with the yen 3, others 5."""
    base, _, quote = canonical_symbol(symbol).partition("/")
    if base == "XAU":
        return 2
    return 3 if "JPY" in (base, quote) else 5


def read_prices(file: QuoteFile, report: IntakeReport) -> PriceColumns:
    """The whole file, in order of time; rows that cannot be read are counted and left out.

    Raises
    ------
    DataError
        where the file or its columns are not there, where its times are in no order, or where its
        week does not open when the market does.
    """
    if not file.path.is_file():
        raise DataError(f"there is no file {file.path}", hint="check the path")
    table = Table(file.path)
    names = _layout(table, file)
    times = table.times(names.pop("time"), unit=None)
    columns = {name: table.numbers(column) for name, column in names.items()}
    label = file.path.name
    if file.zone != "UTC" or file.ahead_ns:
        times = to_utc(times - file.ahead_ns, file.zone, table)
    report.saw(label, len(table))
    for code in np.unique(table.faults[table.faults != Case.NONE]).tolist():
        report.count(label, Case(code), int(np.count_nonzero(table.faults == code)))
    rows = np.flatnonzero(table.faults == Case.NONE)
    if len(rows) > 1 and bool((np.diff(times[rows]) < 0).all()):
        rows = rows[::-1]
        report.count(label, Case.ROW_ORDER)
    times = times[rows]
    if bool((np.diff(times) < 0).any()):
        raise DataError(
            f"{file.path}: the times run backwards",
            hint="sort the file; local time with daylight saving looks like this: name its zone",
        )
    require_weekly_opening(times, where=str(file.path))
    first = next(name for name in columns if not _is_amount(name))
    require_unit(columns[first][rows], file)
    scale = 10.0**file.points
    scaled = {
        name: column[rows] if _is_amount(name) else column[rows] / scale
        for name, column in columns.items()
    }
    return PriceColumns(file, canonical_symbol(file.symbol), label, times, scaled)


def read_quotes(file: QuoteFile, report: IntakeReport) -> Quotes:
    """Bid and ask of a file that has both sides; crossed and locked ones are counted and kept.

    Raises
    ------
    DataError
        as :func:`read_prices`, and where the file has one price only.
    """
    prices = read_prices(file, report)
    if prices.layout == "one":
        raise DataError(
            f"{file.path}: the file has one price and no bid and ask",
            hint="read its bars instead",
        )
    end = "" if prices.layout == "ticks" else "_close"
    columns, nothing = prices.columns, np.zeros(len(prices.ts))
    bid, ask = columns[f"bid{end}"], columns[f"ask{end}"]
    crossed = bid > ask
    report.count(prices.label, Case.CROSSED, int(np.count_nonzero(crossed)))
    report.count(prices.label, Case.LOCKED, int(np.count_nonzero(bid == ask)))
    return Quotes(
        prices.symbol,
        prices.label,
        prices.ts + file.bar_ns,
        bid,
        ask,
        columns.get("bid_size", nothing),
        columns.get("ask_size", nothing),
        crossed,
    )


def _layout(table: Table, file: QuoteFile) -> dict[str, str]:
    """The file's names of its columns, by ours."""
    if table.has("bid") and table.has("ask"):
        layout, wanted = "ticks", ["time", "bid", "ask"]
    elif table.has("bid_open"):
        layout = "sides"
        wanted = ["time", *(f"{side}_{name}" for side in ("bid", "ask") for name in SIDES)]
    else:
        layout, wanted = "one", ["time", *SIDES]
    if (layout == "ticks") != (file.bar_ns == 0):
        raise DataError(
            f"{file.path}: the file holds {'ticks' if layout == 'ticks' else 'bars'}, but a bar "
            f"length {'was' if file.bar_ns else 'was not'} given",
            hint="give bars their length and ticks none",
        )
    hint = "" if layout == "one" else f"name them in the file itself: {', '.join(wanted)}"
    names = table.columns(wanted, {}, hint=hint)
    for name in ("bid_size", "ask_size"):
        if layout != "one" and table.has(name):
            names |= table.columns([name], {})
    if layout == "one" and any(table.has(one) for one in ("volume", "tick_volume", "vol")):
        names |= table.columns(["volume"], {})
    return names


def _is_amount(name: str) -> bool:
    return name == "volume" or name.endswith("_size")


def require_unit(prices: Floats, file: QuoteFile) -> None:
    """DataError where prices of a major currency are plainly points, and nobody said so."""
    whole = len(prices) > 0 and bool((prices == np.floor(prices)).all())
    quote = canonical_symbol(file.symbol).partition("/")[2]
    if whole and file.points == 0 and quote in MAJORS and float(np.median(prices)) >= _NO_PRICE:
        points = usual_points(file.symbol)
        raise DataError(
            f"{file.path}: prices such as {prices[0]:g} look like whole points of {file.symbol}",
            hint=f"say how many decimals they have: --points {points} of 'mirrorcore data import' "
            f"makes this one {prices[0] / 10.0**points:g}",
        )


def to_utc(times: Ints, zone: str, table: Table) -> Ints:
    """Wall-clock instants of a zone in UTC. An hour that there is twice is taken for the first, one
    that there is not is noted as a wrong time."""
    import polars as pl

    wall = pl.Series(times).cast(pl.Datetime("ns"))
    try:
        local = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{table.path}: there is no time zone {zone!r}", hint="write it as America/New_York"
        ) from None
    utc = local.dt.convert_time_zone("UTC").to_physical()
    table.note(utc.is_null().to_numpy(), Case.TIME_RANGE)
    return np.array(utc.fill_null(-1).to_numpy(), np.int64)
