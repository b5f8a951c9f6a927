"""A recording of either kind, raw messages or records, read through the validator."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from mirrorcore.data_sources.checked import judged
from mirrorcore.data_sources.record_log import STARTS, read_records
from mirrorcore.data_sources.recordings import Recording, replay
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Action, Case, IntakeReport
from mirrorcore.market.records import FeedRecord
from mirrorcore.market.validator import MarketDataProcessor

LINES = (".txt", ".jsonl", ".ndjson", ".log", ".gz")
"""How names of recordings end."""
RAW, RECORDS = "raw recording", "records"
_RAW = re.compile(rb"\d{19} ")


def kind_of_recording(path: Path) -> str:
    """RAW or RECORDS by the first bytes of a file, empty where it is neither."""
    start = _start(path) if path.name.lower().endswith(LINES) else b""
    if _RAW.match(start):
        return RAW
    return RECORDS if start.startswith(STARTS) else ""


def require_kind(path: Path, kind: str) -> None:
    """Check that lines of ``kind``, RAW or RECORDS, may be appended to what is at ``path``.

    Raises
    ------
    DataError
        where something else is there: a file of both could be read as neither.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(64)
    # A writer that was killed within its first line left the beginning of one.
    begun = re.fullmatch(rb"\d{0,19}", start) if kind == RAW else STARTS.startswith(start)
    if begun or (_RAW.match(start) if kind == RAW else start.startswith(STARTS)):
        return
    other = {RAW: "a recording of raw messages", RECORDS: "a recording of records"}
    held = other.get(kind_of_recording(path), "no recording")
    raise DataError(
        f"{path}: holds {held}, to which {'raw messages' if kind == RAW else 'records'} "
        "cannot be appended",
        hint="record into another file",
    )


class AnyRecording:
    """A recording; ``report`` is complete once its records were read.

    Parameters
    ----------
    kind: RAW or RECORDS.
    """

    def __init__(self, path: Path, kind: str, report: IntakeReport) -> None:
        self.report = report
        self._path = path
        self._raw = Recording(path, report=report) if kind == RAW else None

    def records(self) -> Iterator[FeedRecord]:
        """What the validator lets through, in order."""
        if self._raw is not None:
            return replay(self._raw, MarketDataProcessor(report=self.report))
        return judged(read_records(self._path, self.report), self.report)

    @property
    def clock_behind_ns(self) -> int:
        """How far the recorder's clock was behind the venue's; 0 where that was not to be seen."""
        return 0 if self._raw is None else -self._raw.skew.correction_ns

    @property
    def ends_early(self) -> bool:
        """Whether the one thing wrong is a last record that was not finished."""
        cut = sum(times for _, case, times in self.report.rows() if case is Case.TRUNCATED)
        return cut == 1 and self.report.total(Action.REJECT) == 1


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(64)
    if not start.startswith(b"\x1f\x8b"):
        return start
    try:
        with gzip.open(path) as packed:
            return packed.read(64)
    except (OSError, EOFError):
        return b""
