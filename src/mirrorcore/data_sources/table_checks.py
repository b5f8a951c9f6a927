"""Tables judged as they are: candles, quotes, series, headlines, told by their columns."""

from __future__ import annotations

from pathlib import Path

from mirrorcore.clock import format_duration
from mirrorcore.data_sources.candles import CandleReader, leaves_out
from mirrorcore.data_sources.checked import Checked, Reading, validate_all
from mirrorcore.data_sources.file_names import CandleFile, name_of
from mirrorcore.data_sources.forex.quote_files import QuoteFile, read_quotes, require_unit
from mirrorcore.data_sources.side_channels import SeriesFile, read_series
from mirrorcore.data_sources.social.text_files import TextFile, read_texts
from mirrorcore.data_sources.tables import Table
from mirrorcore.errors import DataError
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.intake import Action, IntakeReport
from mirrorcore.market.records import ALL_SYMBOLS, CATEGORIES
from mirrorcore.market.timeframe import modal_spacing
from mirrorcore.market.validator import MarketDataProcessor

_SHOWN = 6
_TITLES = ("title", "headline")
_NOBODY = "UNKNOWN/UNKNOWN"
"""The symbol of a file of candles whose name does not say; it decides nothing here."""


def judge_table(checked: Checked, reading: Reading) -> None:
    table = Table(checked.path)
    if table.has("value"):
        checked.kind = "series"
        _series(checked, table, reading)
    elif any(map(table.has, _TITLES)):
        checked.kind = "headlines"
        _headlines(checked, table, reading)
    elif table.has("bid") or table.has("bid_open"):
        checked.kind = "quotes"
        _quotes(checked, reading)
    elif all(table.has(reading.columns.get(one, one)) for one in ("open", "close")):
        checked.kind = "candles"
        _candles(checked, reading)
    else:
        raise DataError(
            f"{checked.path}: no candles, quotes, series or headlines; the file has "
            f"{', '.join(table.names)}",
            hint="say what its columns are, as in --column open=Open --column time=Date",
        )


def _time_column(table: Table, reading: Reading) -> str:
    return table.columns(["time"], reading.columns)["time"]


def _series(checked: Checked, table: Table, reading: Reading) -> None:
    """One series, or a long table of many that names them in a column."""
    processor = MarketDataProcessor(report=checked.report)
    time, released = _time_column(table, reading), "released" if table.has("released") else None
    wheres: dict[str, dict[str, str]] = {checked.path.name.partition(".")[0]: {}}
    if table.has("series"):
        (column,) = table.columns(["series"], {}).values()
        names = sorted(dict.fromkeys(table.texts(column)))
        wheres = {name: {column: name} for name in names}
    for name, where in wheres.items():
        known = name.partition(".")[0] in CATEGORIES and "." in name
        # A run gives it a name when it reads it; what is judged here does not depend on it.
        series = name if known else f"{CATEGORIES[-1]}.{name}"
        file = SeriesFile(checked.path, series, time=time, released=released, where=where)
        channel = read_series(file, (), checked.report, unit=reading.unit)
        processor.judge_series(
            series, ALL_SYMBOLS, channel.columns, source=channel.label, rows=channel.rows
        )
    shown = list(wheres)[:_SHOWN]
    more = f" and {len(wheres) - _SHOWN} more" if len(wheres) > _SHOWN else ""
    checked.notes.append(f"series {', '.join(shown)}{more}")
    if released is None:
        checked.notes.append("when its values became public is not said: give a lag")


def _headlines(checked: Checked, table: Table, reading: Reading) -> None:
    title = next(name for name in _TITLES if table.has(name))
    file = TextFile(
        checked.path, time=_time_column(table, reading), title=title, source=checked.path.name
    )
    unread = IntakeReport()
    texts = read_texts(file, unread)
    _take_over(checked, unread)
    validate_all(texts, checked.report)


def _take_over(checked: Checked, unread: IntakeReport) -> None:
    """What could not be read at all; the validator finds the rest itself."""
    for label, case, times in unread.rows():
        if case.action in (Action.REJECT, Action.REPAIR):
            checked.report.saw(label, times if case.action is Action.REJECT else 0)
            checked.report.count(label, case, times)


def _quotes(checked: Checked, reading: Reading) -> None:
    named = name_of(checked.path)
    symbol = reading.symbol or (named.symbol if named else "")
    if not symbol:
        raise DataError(
            f"{checked.path}: the name does not say which pair this is",
            hint="give it, as in --symbol EUR/USD",
        )
    ticks = Table(checked.path).has("bid")
    bar_ns = 0 if ticks else reading.bar_ns or (named.bar_ns if named else 0)
    unread = IntakeReport()
    quotes = read_quotes(QuoteFile(checked.path, symbol, bar_ns), unread)
    _take_over(checked, unread)
    validate_all(quotes.records(), checked.report)


def _candles(checked: Checked, reading: Reading) -> None:
    named = name_of(checked.path)
    symbol = reading.symbol or (named.symbol if named else "")
    if not symbol:
        checked.notes.append("the name says no symbol, so that a run will not find the file")
    bar_ns = reading.bar_ns or (named.bar_ns if named else 0) or _spacing(checked.path, reading)
    file = CandleFile(checked.path, symbol or _NOBODY, format_duration(bar_ns), bar_ns)
    reader = CandleReader(checked.report, reading.columns, reading.unit, (None, None))
    candles = reader.read([file])
    sparse = leaves_out(candles.bars.open_ts, bar_ns)
    instrument = undescribed(file.symbol, sparse=sparse)
    processor = MarketDataProcessor((instrument,), bar_ns, report=checked.report)
    processor.judge(
        {file.symbol: candles.bars},
        sources={file.symbol: candles.label},
        rows={file.symbol: candles.rows},
    )
    try:
        require_unit(candles.bars.close, QuoteFile(checked.path, file.symbol, bar_ns))
    except DataError:
        checked.notes.append("prices look like whole points: import them with --points")
    if sparse:
        checked.notes.append("intervals without trades are left out")


def _spacing(path: Path, reading: Reading) -> int:
    """Length of the bars of a file whose name does not say."""
    table = Table(path)
    times = table.times(_time_column(table, reading), unit=reading.unit)
    found = modal_spacing(times[table.faults == 0])
    if found is None:
        raise DataError(
            f"{path}: neither the name nor the rows say how long a bar is",
            hint="give it, as in --timeframe 5m",
        )
    return found
