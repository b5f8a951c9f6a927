"""Records of any live source as lines of JSON, in the order in which they became available.

``{"type":"trade","source":…}``: one record a line, as :mod:`mirrorcore.market.records` has them. A
file whose writer was killed is good up to its last whole line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from mirrorcore.data_sources.line_log import LineLog
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.records import FeedRecord

STARTS = b'{"type":'
"""How every line begins."""


class RecordLog:
    """Writes records to a file that only grows."""

    def __init__(self, path: Path) -> None:
        self._log = LineLog(path)
        self._encode = msgspec.json.Encoder().encode

    @property
    def last(self) -> FeedRecord | None:
        """The last record that was there on opening, where that can be read."""
        decoder: msgspec.json.Decoder[FeedRecord] = msgspec.json.Decoder(FeedRecord)
        try:
            return decoder.decode(self._log.last)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @property
    def records(self) -> int:
        """Written since it was opened."""
        return self._log.lines

    @property
    def cut(self) -> int:
        """Bytes of an unfinished record that were cut off on opening."""
        return self._log.cut

    def append(self, records: Iterable[FeedRecord]) -> None:
        """Write records, in order; DataError where there is no room."""
        self._log.append(map(self._encode, records))

    def close(self) -> None:
        self._log.close()


def read_records(path: Path, report: IntakeReport) -> Iterator[FeedRecord]:
    """The records of a file, none of them judged; what cannot be read is counted in ``report``, for
    the source of the record before it.

    Raises
    ------
    DataError
        when the file cannot be opened.
    """
    decoder: msgspec.json.Decoder[FeedRecord] = msgspec.json.Decoder(FeedRecord)
    offset, source = 0, path.name
    try:
        with path.open("rb") as file:
            for row, line in enumerate(file):
                if not line.endswith(b"\n"):
                    _unreadable(report, source, Case.TRUNCATED, (row, offset), line)
                    return
                try:
                    record = decoder.decode(line)
                except msgspec.ValidationError as error:
                    _unreadable(report, source, Case.WRONG_TYPE, (row, offset), line, str(error))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    _unreadable(report, source, Case.TRUNCATED, (row, offset), line, str(error))
                else:
                    source = record.source
                    yield record
                offset += len(line)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}", hint="a recording is one file of lines"
        ) from error


def _unreadable(
    report: IntakeReport,
    source: str,
    case: Case,
    place: tuple[int, int],
    line: bytes,
    detail: str = "the last line has no end",
) -> None:
    row, offset = place
    report.saw(source, 1)
    report.count(source, case)
    told = f"at byte {offset}: {detail}"
    report.keep(Sample(source, case, "", 0, row, {"line": line[:80]}, told))
