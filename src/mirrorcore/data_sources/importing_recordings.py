"""Trades of a recording as candles in files a run reads.

A recording begins and ends within a bar: its first and last bars would lie, and are left out. A bar
that a gap touched is left out as well, for its volume is not what was traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from mirrorcore.data_sources.any_recording import RAW, AnyRecording
from mirrorcore.data_sources.bars import BarBuilder
from mirrorcore.data_sources.file_names import CandleFile
from mirrorcore.data_sources.importing import Imported, ImportPlan, keep_bars
from mirrorcore.errors import DataError
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.records import Bar, FeedRecord, Flag

_BATCH = 512


def import_recording(path: Path, kind: str, plan: ImportPlan) -> list[Imported]:
    """Candles of every symbol whose trades were recorded, in order of their first; whatever is
    wrong is in the answers."""
    try:
        bars = _bars(path, kind, plan)
    except DataError as error:
        return [Imported(path, problem=error.message, hint=error.hint)]
    found = []
    for (source, symbol), own in bars.items():
        one = Imported(path)
        try:
            venue = plan.venue or ("" if kind == RAW else source)
            _keep(one, plan, CandleFile(path, symbol, "", plan.bar_ns, venue), own)
        except DataError as error:
            one.problem, one.hint = error.message, error.hint
        found.append(one)
    return found


def _bars(path: Path, kind: str, plan: ImportPlan) -> dict[tuple[str, str], list[Bar]]:
    if not plan.bar_ns:
        raise DataError(
            f"{path}: trades need the length of the bars that are made of them",
            hint="give it, as in --timeframe 1m",
        )
    recording = AnyRecording(path, kind, IntakeReport())
    builder = BarBuilder(plan.bar_ns)
    found: dict[tuple[str, str], list[Bar]] = {}
    for batch in _batches(recording.records()):
        for bar in builder.read(batch, max(record.ts_avail for record in batch)):
            found.setdefault((bar.source, bar.symbol), []).append(bar)
    if not recording.ends_early:
        recording.report.check(least=0)
    if not found:
        raise DataError(
            f"{path}: holds no whole bar of trades", hint="record longer, or make shorter bars"
        )
    return found


def _batches(records: Iterator[FeedRecord]) -> Iterable[list[FeedRecord]]:
    while batch := list(islice(records, _BATCH)):
        yield batch


def _keep(one: Imported, plan: ImportPlan, file: CandleFile, bars: list[Bar]) -> None:
    whole = [bar for bar in bars[1:] if not bar.flags & Flag.AFTER_GAP]
    if not whole:
        raise DataError(
            f"{one.path}: holds no whole bar of {file.symbol}",
            hint="record longer, or make shorter bars",
        )
    touched = len(bars) - 1 - len(whole)
    one.notes.append("bars are of the trades recorded; those cut by its ends are left out")
    if touched:
        one.notes.append(f"{touched:,} bars that a gap touched are left out")
    columns = BarColumns.of(whole)
    ends = columns.open_ts + file.bar_ns
    made = BarColumns(
        columns.open_ts, ends, ends, columns.open, columns.high, columns.low, columns.close,
        columns.volume, np.zeros(len(whole), np.int64),
    )  # fmt: skip
    keep_bars(one, plan, file, made, np.arange(len(whole)))
