"""What is said of a file: its kind, the validator's report, and why it cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.records import FeedRecord
from mirrorcore.market.validator import MarketDataProcessor

_BATCH = 512


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are to be read where they do not say it themselves; see :class:`CandleReader`."""

    symbol: str = ""
    bar_ns: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None


@dataclass(slots=True)
class Checked:
    """One file. ``problem`` is why it cannot be used, empty where it can; ``hint`` what to do."""

    path: Path
    kind: str
    report: IntakeReport = field(default_factory=IntakeReport)
    problem: str = ""
    hint: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        return sum(self.report.seen.values())

    @property
    def usable(self) -> bool:
        return not self.problem


def judged(records: Iterable[FeedRecord], report: IntakeReport) -> Iterator[FeedRecord]:
    """What the validator lets through, in batches as a run has them."""
    processor, batch = MarketDataProcessor(report=report), list[FeedRecord]()
    for record in records:
        batch.append(record)
        if len(batch) >= _BATCH:
            yield from processor.validate(batch)
            batch = []
    yield from processor.validate(batch)


def validate_all(records: Iterable[FeedRecord], report: IntakeReport) -> None:
    """Judge records for the report alone."""
    for _ in judged(records, report):
        pass
