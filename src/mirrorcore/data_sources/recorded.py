"""Recorded history: candles from files, and side channels beside them.

Times in the files are the open of the candle in UTC; a candle is available at open + timeframe.
Everything is read and judged when the source is opened, so that a bad file ends a run before it
begins; blocks are then cut from columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from mirrorcore.clock import DAY, iso
from mirrorcore.data_sources.candles import PRICES, CandleReader, Candles, leaves_out
from mirrorcore.data_sources.file_names import CandleFile, choose_candles, find_candles
from mirrorcore.data_sources.side_channels import SeriesFile, SideChannel, read_series
from mirrorcore.errors import DataError
from mirrorcore.market.block import Floats, Ints, MarketBlock
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.merge import SeriesColumns, Timeline
from mirrorcore.market.timeframe import parse_timerange, require_weekly_opening
from mirrorcore.market.validator import MarketDataProcessor

_FEW = 10
"""Bars by which files may end apart without a word: fetched one after the other."""

_LONGEST_PAUSE = 5 * DAY


class RecordedSource:
    """Candles of several symbols from a directory or a file; a HistorySource.

    Parameters
    ----------
    path: directory or one file.
    symbols: which, and in what order, in any usual spelling; all found, by name, when empty.
    timeframe: needed where the files have several, or where their names do not say.
    timerange: ``20240101-20240301`` in UTC, the end not included, either side open.
    pattern: file names, instead of the known ones; see ``file_names``.
    venue: takes the files of this venue only.
    columns: the file's names of ``time``, ``open``, ``high``, ``low``, ``close``, ``volume``.
    timestamp_unit: ``s``, ``ms``, ``us`` or ``ns`` of epoch times; found by magnitude otherwise.
    instruments: descriptions; a symbol without one gets steps of 1e-8 (``described`` False).
    sparse: whether missing bars are no error; by default where the instrument says so or the file
        lacks more than 0.5 % of them.
    series: side channels.
    name: of the source, for its records.

    Raises
    ------
    DataError
        for whatever is missing, unreadable, ambiguous or does not fit together.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        symbols: Sequence[str] = (),
        timeframe: str | None = None,
        timerange: str | None = None,
        pattern: str | None = None,
        venue: str | None = None,
        columns: Mapping[str, str] | None = None,
        timestamp_unit: str | None = None,
        instruments: Sequence[Instrument] = (),
        sparse: bool | None = None,
        series: Sequence[SeriesFile] = (),
        name: str = "recorded",
    ) -> None:
        self.name = name
        self.path = Path(path)
        self._sparse = sparse
        span = parse_timerange(timerange) if timerange else (None, None)
        self._verdicts = IntakeReport()
        files = choose_candles(
            find_candles(self.path, pattern),
            path=self.path,
            symbols=symbols,
            timeframe=timeframe,
            venue=venue,
        )
        reader = CandleReader(self._verdicts, columns or {}, timestamp_unit, span)
        self.bar_ns = next(iter(files.values()))[0].bar_ns
        raw = {symbol: reader.read(parts) for symbol, parts in files.items()}
        self.symbols = tuple(raw)
        described = {instrument.symbol: instrument for instrument in instruments}
        self.instruments = tuple(
            self._instrument(described.get(symbol), files[symbol][0], one.bars)
            for symbol, one in raw.items()
        )
        self._digest = hashlib.sha256(msgspec.json.encode([self.bar_ns, self.symbols]))
        for one in raw.values():
            self._hash(one.bars)
        channels = [
            read_series(one, self.symbols, self._verdicts, unit=timestamp_unit) for one in series
        ]
        for channel in channels:
            self._hash_series(channel)
        bounds = {one.name: one.bounds for one in series if one.bounds is not None}
        self._timeline = self._judge(raw, channels, bounds)

    @property
    def verdicts(self) -> IntakeReport:
        """What the validator decided; complete once the source is open."""
        return self._verdicts

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        """Validated blocks in order, from tick ``start_tick`` on."""
        return self._timeline.blocks(start_tick, max_rows)

    def digest(self) -> str:
        """SHA-256 (hex) over every parsed bar and observation, accepted or not, in order."""
        return self._digest.hexdigest()

    def ticks_total(self) -> int:
        return len(self._timeline)

    def _instrument(
        self, described: Instrument | None, file: CandleFile, bars: BarColumns
    ) -> Instrument:
        """The instrument as described, or with small steps; venue and sparseness of its file."""
        plain = described or undescribed(file.symbol)
        sparse = self._sparse
        if sparse is None:
            sparse = plain.sparse or leaves_out(bars.open_ts, self.bar_ns)
        return msgspec.structs.replace(plain, venue=plain.venue or file.venue, sparse=sparse)

    def _hash(self, bars: BarColumns) -> None:
        self._digest.update(len(bars).to_bytes(8, "little"))
        for name in ("open_ts", *PRICES):
            self._hash_column(getattr(bars, name))

    def _hash_column(self, column: Ints | Floats) -> None:
        wire = column.astype(column.dtype.newbyteorder("<"), copy=False)
        self._digest.update(np.ascontiguousarray(wire).data)

    def _hash_series(self, channel: SideChannel) -> None:
        columns = channel.columns
        head = [channel.name, channel.symbol, len(columns)]
        self._digest.update(msgspec.json.encode(head))
        for column in (columns.ts_event, columns.ts_avail, columns.value):
            self._hash_column(column)

    def _judge(
        self,
        raw: Mapping[str, Candles],
        channels: Sequence[SideChannel],
        bounds: Mapping[str, tuple[float, float]],
    ) -> Timeline:
        processor = MarketDataProcessor(
            self.instruments,
            self.bar_ns,
            source=self.name,
            report=self._verdicts,
            bounds=bounds,
        )
        for instrument in self.instruments:
            if instrument.trading_hours == "24/5":
                one = raw[instrument.symbol]
                require_weekly_opening(one.bars.open_ts, where=one.label)
        verdicts = processor.judge(
            {symbol: one.bars for symbol, one in raw.items()},
            sources={symbol: one.label for symbol, one in raw.items()},
            rows={symbol: one.rows for symbol, one in raw.items()},
        )
        accepted = []
        for symbol, verdict in verdicts.items():
            bars = replace(raw[symbol].bars, flags=verdict.flags)
            mask = verdict.accepted
            accepted.append(bars if mask.all() else bars.take(mask))
        if not any(map(len, accepted)):
            self._verdicts.check(least=0)
            raise DataError(
                f"{self.path}: the files hold no bar", hint="fetch or convert them again"
            )
        self._note_early_ends(dict(zip(verdicts, accepted, strict=True)), raw)
        series = [self._judge_series(channel, processor) for channel in channels]
        return Timeline(self.symbols, accepted, series)

    def _note_early_ends(
        self, accepted: Mapping[str, BarColumns], raw: Mapping[str, Candles]
    ) -> None:
        """A file that ends before the others: its symbol stays at a price that nobody trades at."""
        ends = {symbol: int(bars.open_ts[-1]) for symbol, bars in accepted.items() if len(bars)}
        last = max(ends.values())
        for instrument in self.instruments:
            end = ends.get(instrument.symbol, last)
            missing = (last - end) // self.bar_ns
            # A market that leaves bars out may end with some, one that closes with a long weekend.
            pause = _LONGEST_PAUSE // self.bar_ns if instrument.sparse else 0
            if missing > _FEW + pause:
                where = raw[instrument.symbol].label
                case = Case.SPARSE_HOLE if instrument.sparse else Case.GAP
                self._verdicts.count(where, case)
                self._verdicts.remarks.append(
                    f"{instrument.symbol} ends at {iso(end + self.bar_ns)}, {missing:,} bars "
                    "before the others: it keeps its last price, and its position, to the end"
                )

    def _judge_series(self, channel: SideChannel, processor: MarketDataProcessor) -> SeriesColumns:
        verdict = processor.judge_series(
            channel.name,
            channel.symbol,
            channel.columns,
            source=channel.label,
            rows=channel.rows,
        )
        kept = channel.columns.take(verdict.accepted)
        return SeriesColumns(channel.name, channel.symbol, kept.ts_avail, kept.value, self.name)
