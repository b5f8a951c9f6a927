"""Where to damage clean data, and how to tell whether the intake noticed."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mirrorcore.data_sources.recordings import Recording
from mirrorcore.market.catalogue import FAULTS
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import Action, Case, IntakeReport
from mirrorcore.market.records import (
    Bar,
    BookDelta,
    BookSnapshot,
    ChainBlock,
    FeedRecord,
    Observation,
    Quote,
    Text,
    Trade,
    Transfer,
)
from mirrorcore.market.validator import MarketDataProcessor

PLACES = 12
"""Damaged places of one injection, where the data is long enough."""
_APART = 64
_FIRST = 400
"""Nothing is damaged before so many records: what is usual has to be known first."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Clean data of every kind. Bars of several symbols over one time; ``depth`` begins with a
    snapshot; ``lines`` are those of a raw recording with its line ends."""

    bar_ns: int
    bars: Mapping[str, Sequence[Bar]]
    sparse: Sequence[Bar]
    weekly: Sequence[Bar]
    """Bars of a market that trades 24/5."""
    trades: Sequence[Trade]
    quotes: Sequence[Quote]
    depth: Sequence[BookSnapshot | BookDelta]
    series: Sequence[Observation]
    texts: Sequence[Text]
    blocks: Sequence[ChainBlock]
    transfers: Sequence[Transfer]
    lines: Sequence[bytes]


@dataclass(slots=True)
class Outcome:
    """What came of one injection. ``collateral`` are other records refused because of it."""

    injected: int = 0
    detected: int = 0
    collateral: int = 0

    def __iadd__(self, other: Outcome) -> Outcome:
        self.injected += other.injected
        self.detected += other.detected
        self.collateral += other.collateral
        return self


Generator = np.random.Generator
Injection = Callable[[Clean, Generator], Outcome]
INJECTIONS: dict[int, list[Injection]] = {fault.number: [] for fault in FAULTS}


def injects(number: int) -> Callable[[Injection], Injection]:
    """Register a way to do fault ``number``."""

    def register(one: Injection) -> Injection:
        INJECTIONS[number].append(one)
        return one

    return register


def places(rng: Generator, length: int, *, most: int = PLACES, first: int = _FIRST) -> list[int]:
    """Positions to damage: at most ``most``, _APART from each other and from the end."""
    cells = (length - first - _APART) // _APART
    count = min(most, cells)
    if count < 1:
        raise ValueError(f"{length} records are too few to damage")
    chosen = np.sort(rng.choice(cells, count, replace=False))
    within = rng.integers(0, _APART // 2, count)
    return [int(first + cell * _APART + at) for cell, at in zip(chosen, within, strict=True)]


def changed(record: Any, **values: Any) -> Any:
    return msgspec.structs.replace(record, **values)


def damaged(
    records: Sequence[Any], at: Sequence[int], how: Callable[[Any], Sequence[Any]]
) -> list[Any]:
    """A copy in which the records at some positions are replaced by what ``how`` makes of them."""
    chosen = dict.fromkeys(at)
    return [
        new
        for i, record in enumerate(records)
        for new in (how(record) if i in chosen else (record,))
    ]


def intake(records: Sequence[FeedRecord], clean: Clean, **options: Any) -> IntakeReport:
    """What a processor counts when it gets the records, in batches of 256."""
    processor = processor_for(records, clean, **options)
    for start in range(0, len(records), 256):
        processor.validate(list(records[start : start + 256]))
    return processor.report


def processor_for(
    records: Sequence[FeedRecord],
    clean: Clean,
    *,
    hours: str = "24/7",
    sparse: bool = False,
    bar_ns: int | None = None,
    **options: Any,
) -> MarketDataProcessor:
    priced = (Bar, Trade, Quote, BookSnapshot, BookDelta)
    symbols = dict.fromkeys(r.symbol for r in records if isinstance(r, priced))
    symbols.pop(STRANGER, None)
    instruments: list[Instrument] = [
        changed(undescribed(symbol), trading_hours=hours, sparse=sparse) for symbol in symbols
    ]
    return MarketDataProcessor(
        instruments,
        clean.bar_ns if bar_ns is None else bar_ns,
        source="clean",
        contiguous=("clean",),
        **options,
    )


STRANGER = "STRANGER/USDT"


def compared(
    before: IntakeReport, after: IntakeReport, cases: Sequence[Case], injected: int
) -> Outcome:
    """How often one of ``cases`` was counted more than on the clean data."""

    def more(chosen: Callable[[Case], bool]) -> int:
        keys = {**after.counts, **before.counts}
        return sum(
            after.counts.get(key, 0) - before.counts.get(key, 0) for key in keys if chosen(key[1])
        )

    refusing = (Action.REJECT, Action.DROP, Action.HOLD)
    return Outcome(
        injected,
        max(0, min(injected, more(lambda case: case in cases))),
        max(0, more(lambda case: case.action in refusing and case not in cases)),
    )


def tried(
    records: Sequence[Any],
    at: Sequence[int],
    how: Callable[[Any], Sequence[Any]],
    cases: Sequence[Case],
    clean: Clean,
    **options: Any,
) -> Outcome:
    """Damage some places of a stream and compare what is counted."""
    before = intake(records, clean, **options)
    after = intake(damaged(records, at, how), clean, **options)
    return compared(before, after, cases, len(at))


def first_bars(clean: Clean) -> Sequence[Bar]:
    return next(iter(clean.bars.values()))


def pick(rng: Generator, *options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def recorded(lines: Sequence[bytes], *, cut: int = 0) -> IntakeReport:
    """What is counted when the lines are read as a gzipped recording, cut by some bytes."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-lines-") as folder:
        path = Path(folder) / "recording.gz"
        packed = gzip.compress(b"".join(lines), compresslevel=1, mtime=0)
        path.write_bytes(packed[: len(packed) - cut])
        recording = Recording(path, source="clean")
        for _ in recording.records():
            pass
        return recording.report
