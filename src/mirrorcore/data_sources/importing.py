"""Own files of candles or quotes, made into the files a run reads, and judged on the way.

Names of columns, whole points, a wall clock's zone and a volume that is not there are what differs
between one's own files and ours; each is said, not guessed. Records that the validator rejects are
left out and told; a file of which too many are rejected is not written at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mirrorcore.clock import DAY, format_duration
from mirrorcore.data_sources.candles import leaves_out
from mirrorcore.data_sources.fetching.candle_store import candle_frame
from mirrorcore.data_sources.fetching.stretches import Stretch
from mirrorcore.data_sources.fetching.whole_files import write_whole
from mirrorcore.data_sources.file_names import CandleFile, bare_name, candle_name, name_of
from mirrorcore.data_sources.forex.mid_bars import mid_bars
from mirrorcore.data_sources.forex.quote_files import (
    MAJORS,
    SIDES,
    QuoteFile,
    read_prices,
    require_unit,
    to_utc,
)
from mirrorcore.data_sources.row_order import TOO_EARLY, rows_in_order
from mirrorcore.data_sources.tables import Table
from mirrorcore.errors import DataError, UsageError
from mirrorcore.journal.files import make_folder
from mirrorcore.market.block import Floats, Ints
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.instruments import canonical_symbol, undescribed
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.timeframe import modal_spacing, require_weekly_opening
from mirrorcore.market.validator import MarketDataProcessor

_VOLUMES = ("volume", "tick_volume", "vol")
_METALS = frozenset({"XAU", "XAG"})


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How own files are read and where ours go.

    Parameters
    ----------
    out: the folder.
    symbol, bar_ns: where the name of a file does not say.
    venue: for the name of ours.
    columns: the file's names of ``time``, ``open``, ``high``, ``low``, ``close``, ``volume``.
    unit: of epoch times, ``s`` to ``ns``; None is by their size.
    zone: whose wall clock the times are; ``ahead_ns`` how far they run before it: many brokers keep
        New York plus seven hours.
    points: decimals of prices written as whole numbers; 0 for prices as they are.
    replace: whether a file of ours that is there is written over.
    """

    out: Path
    symbol: str = ""
    bar_ns: int = 0
    venue: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    zone: str = "UTC"
    ahead_ns: int = 0
    points: int = 0
    replace: bool = False


@dataclass(slots=True)
class Imported:
    """One file. ``target`` is None where nothing was written, for the reason in ``problem``."""

    path: Path
    report: IntakeReport = field(default_factory=IntakeReport)
    target: Path | None = None
    bars: int = 0
    stretch: Stretch | None = None
    problem: str = ""
    hint: str = ""
    notes: list[str] = field(default_factory=list)


def files_of(path: Path) -> list[Path]:
    """The tables at ``path``, a file or a folder.

    Raises
    ------
    DataError
        where there is none.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", hint="check the path")
    if path.is_file():
        return [path]
    found = sorted(one for one in path.iterdir() if one.is_file() and bare_name(one) is not None)
    if not found:
        raise DataError(f"{path}: the folder holds no table", hint="parquet, feather or CSV")
    return found


def import_file(path: Path, plan: ImportPlan) -> Imported:
    """One file; whatever is wrong with it is in the answer."""
    found = Imported(path)
    try:
        _import(found, plan)
    except DataError as error:
        found.problem, found.hint = error.message, error.hint
    return found


def _import(found: Imported, plan: ImportPlan) -> None:
    named = name_of(found.path)
    symbol = plan.symbol or (named.symbol if named else "")
    if not symbol:
        raise DataError(
            f"{found.path}: the name does not say which symbol this is",
            hint="give it, as in --symbol BTC/USDT",
        )
    bar_ns = plan.bar_ns or (named.bar_ns if named else 0)
    table = Table(found.path)
    if table.has("bid") or table.has("bid_open"):
        bars, rows = _quoted(found, plan, QuoteFile(found.path, symbol, bar_ns))
    else:
        bars, rows = _candles(found, table, plan, symbol)
    spacing = modal_spacing(bars.open_ts)
    if not bar_ns and spacing is None:
        raise DataError(
            f"{found.path}: neither the name nor the rows say how long a bar is",
            hint="give it, as in --timeframe 5m",
        )
    if bar_ns and spacing not in (None, bar_ns):
        raise DataError(
            f"{found.path}: bars of {format_duration(bar_ns)} were said, but the rows are "
            f"{format_duration(spacing or 0)} apart",
            hint="give the right --timeframe",
        )
    bar_ns = bar_ns or spacing or 0
    ends = bars.open_ts + bar_ns
    bars = replace(bars, ts_recv=ends, ts_avail=ends)
    venue = plan.venue or (named.venue if named else "")
    keep_bars(found, plan, CandleFile(found.path, symbol, "", bar_ns, venue), bars, rows)


def keep_bars(
    found: Imported,
    plan: ImportPlan,
    file: CandleFile,
    bars: BarColumns,
    rows: Ints,
) -> None:
    """Judge the bars, and write those that are accepted."""
    symbol, label = file.symbol, found.path.name
    instrument = undescribed(symbol, sparse=leaves_out(bars.open_ts, file.bar_ns))
    processor = MarketDataProcessor((instrument,), file.bar_ns, report=found.report)
    verdict = processor.judge({symbol: bars}, sources={symbol: label}, rows={symbol: rows})[symbol]
    found.report.check(least=0)
    kept = bars.take(verdict.accepted)
    if not len(kept):
        raise DataError(f"{found.path}: holds no bar", hint="check what is in it")
    # A bar of a day is dated with the day, whatever hour its market opens.
    if file.bar_ns < DAY and _closes_at_weekends(symbol):
        require_weekly_opening(kept.open_ts, where=str(found.path))
    target = plan.out / f"{candle_name(file.venue, symbol, file.bar_ns)}.parquet"
    if target.exists() and not plan.replace:
        raise DataError(f"{target}: the file is there already", hint="write it over with --replace")
    columns = (kept.open_ts, kept.open, kept.high, kept.low, kept.close, kept.volume)
    frame = candle_frame([*zip(*(one.tolist() for one in columns), strict=True)])
    make_folder(plan.out, "files")
    stretch = Stretch(int(kept.open_ts[0]), int(kept.open_ts[-1]) + file.bar_ns)
    origin = {
        "kind": "candles",
        "source": "import",
        "file": label,
        "symbol": symbol,
        "bar": str(file.bar_ns),
        "start": stretch.start,
        "end": stretch.end,
    }
    write_whole(target, frame, origin)
    found.target, found.bars, found.stretch = target, len(kept), stretch


def _closes_at_weekends(symbol: str) -> bool:
    base, _, quote = symbol.partition("/")
    return base in MAJORS | _METALS and quote in MAJORS


def _quoted(found: Imported, plan: ImportPlan, file: QuoteFile) -> tuple[BarColumns, Ints]:
    """The middle of a file of bid and ask."""
    if plan.columns:
        raise DataError(
            f"{found.path}: columns of quotes cannot be renamed here",
            hint="call them bid and ask, or bid_open … ask_close",
        )
    ticks = Table(found.path).has("bid")
    if ticks and not file.bar_ns:
        raise DataError(
            f"{found.path}: ticks need the length of the bars that are made of them",
            hint="give it, as in --timeframe 1m",
        )
    unread = IntakeReport()
    length = 0 if ticks else file.bar_ns
    given = QuoteFile(file.path, file.symbol, length, plan.points, plan.zone, plan.ahead_ns)
    bars = mid_bars(read_prices(given, unread), file.bar_ns if ticks else 0)
    for label, case, times in unread.rows():
        found.report.saw(label, times if case is not Case.ROW_ORDER else 0)
        found.report.count(label, case, times)
    found.notes.append("bars are of the middle between bid and ask")
    if ticks:
        found.notes.append("volume is the number of ticks")
    elif not bars.volume.any():
        found.notes.append(_NO_VOLUME)
    return bars, np.arange(len(bars))


_NO_VOLUME = "there is no volume: a run fills nothing against these bars"


def _candles(
    found: Imported, table: Table, plan: ImportPlan, symbol: str
) -> tuple[BarColumns, Ints]:
    names = table.columns(("time", *SIDES), plan.columns)
    if "volume" in plan.columns or any(table.has(one) for one in _VOLUMES):
        names |= table.columns(("volume",), plan.columns)
    times = table.times(names["time"], unit=plan.unit)
    if plan.zone != "UTC" or plan.ahead_ns:
        if table.zoned(names["time"]):
            raise DataError(
                f"{found.path}: the times say their zone themselves, so --zone cannot be",
                hint="leave --zone out",
            )
        times = to_utc(times - plan.ahead_ns, plan.zone, table)
    prices = {name: table.numbers(names[name]) for name in SIDES}
    volume = table.numbers(names["volume"]) if "volume" in names else np.zeros(len(table))
    if "volume" not in names:
        found.notes.append(_NO_VOLUME)
    table.cut_off()
    rows, turned = rows_in_order(table, times)
    _count(found, table, names, times, {**prices, "volume": volume}, symbol)
    if turned:
        found.report.count(found.path.name, Case.ROW_ORDER)
    require_unit(
        prices["close"][rows], QuoteFile(found.path, symbol, points=plan.points, zone=plan.zone)
    )
    scale = 10.0**plan.points
    o, h, low, c = (prices[name][rows] / scale for name in SIDES)
    opens = times[rows]
    flags = np.zeros(len(rows), np.int64)
    return BarColumns(opens, opens, opens, o, h, low, c, volume[rows], flags), rows


def _count(
    found: Imported,
    table: Table,
    names: Mapping[str, str],
    times: Ints,
    values: Mapping[str, Floats],
    symbol: str,
) -> None:
    """Rows that cannot be read at all, into the report."""
    label = found.path.name
    for row in np.flatnonzero(table.faults).tolist():
        case = Case(int(table.faults[row]))
        found.report.saw(label, 1)
        found.report.count(label, case)
        event = int(times[row])
        shown = table.told(names, values, row, timed=event >= 0)
        detail = TOO_EARLY if case is Case.OUT_OF_ORDER else ""
        found.report.keep(Sample(label, case, symbol, event, row, shown, detail))


def parse_columns(pairs: list[str]) -> dict[str, str]:
    """``time=Date`` and the like as a mapping of our names to the file's; UsageError otherwise."""
    known = ("time", *SIDES, "volume")
    found = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs.strip() or ours.strip() not in known:
            raise UsageError(
                f"--column was {pair!r}",
                hint=f"write our name, =, the file's, as in time=Date; ours are {', '.join(known)}",
            )
        found[ours.strip()] = theirs.strip()
    return found


def parse_symbol(text: str) -> str:
    """A symbol in its canonical form; UsageError for anything else."""
    try:
        return canonical_symbol(text)
    except ValueError as error:
        raise UsageError(f"the symbol {error}", hint="write BTC/USDT") from None
