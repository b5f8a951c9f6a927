"""Raw recordings of a venue's sockets, replayed through the code that reads the live ones.

One line is one message: the instant it was received in ns, a space, the JSON as it came. Files may
be gzipped. A file whose recorder was stopped in the middle of a line, or of a gzip block, is good
up to there.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from mirrorcore.data_sources.binance_wire import BinanceWire, WireError
from mirrorcore.data_sources.running.policy import SkewPolicy
from mirrorcore.data_sources.running.skew import SkewEstimator
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case, IntakeReport, Sample
from mirrorcore.market.records import BookDelta, BookSnapshot, FeedRecord, Flag
from mirrorcore.market.validator import MarketDataProcessor

_CORRECTED = int(Flag.SKEW_CORRECTED)
_GZIP = b"\x1f\x8b"


class Line(NamedTuple):
    """One message: where it stands in the (unpacked) file, when it came, and its bytes."""

    offset: int
    receipt: int
    body: bytes


class Recording:
    """One recording of one connection.

    Parameters
    ----------
    path: the file.
    source: for the records; the file's name without its endings by default.
    symbols: canonical symbol by the venue's, as :class:`BinanceWire` takes it.
    book_symbol: canonical symbol of depth snapshots, which do not say it themselves; by default
        the symbol of the stream before the snapshot.
    report: where unreadable lines are counted.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        source: str = "",
        symbols: Mapping[str, str] | None = None,
        book_symbol: str = "",
        report: IntakeReport | None = None,
    ) -> None:
        self.path = Path(path)
        self.source = source or self.path.name.partition(".")[0]
        self.wire = BinanceWire(self.source, symbols)
        self.report = IntakeReport() if report is None else report
        # Fewer buckets than live: a recording is read much faster than it was lived.
        self.skew = SkewEstimator(SkewPolicy(buckets=3))
        self._book_symbol = book_symbol
        self._alarms = 0

    def lines(self) -> Iterator[Line]:
        """The messages as they were written.

        Raises
        ------
        DataError
            when the file cannot be opened.
        """
        offset = 0
        try:
            with self._open() as raw, _unpacked(raw) as file:
                for line in file:
                    stamp, _, body = line.rstrip(b"\n").partition(b" ")
                    if not line.endswith(b"\n"):
                        self._unreadable(Case.TRUNCATED, offset, line, "the last line has no end")
                        return
                    if stamp.isdigit() and len(stamp) == 19:
                        yield Line(offset, int(stamp), body)
                    else:
                        self._unreadable(Case.WRONG_TYPE, offset, line, "no instant of receipt")
                    offset += len(line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._unreadable(Case.TRUNCATED, offset, b"", f"the packed file ends early: {error}")

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read: {error.strerror}",
                hint="a recording is one file of lines, plain or gzipped",
            ) from error

    def records(self) -> Iterator[FeedRecord]:
        """The records of all readable messages, as received; none is judged yet.

        ``ts_event`` is corrected by the skew of the venue's clock against the recorder's, as far
        as it was known by then, and flagged so.
        """
        for line in self.lines():
            record = self._decoded(line)
            if record is not None:
                yield record

    def _decoded(self, line: Line) -> FeedRecord | None:
        symbol = self._book_symbol
        try:
            record, sent = self.wire.decode(line.body, line.receipt, symbol=symbol)
        except WireError as error:
            self._unreadable(error.case, line.offset, line.body, error.detail)
            return None
        self._book_symbol = symbol or record.symbol
        if sent:
            self.skew.sample(line.receipt - sent, line.receipt)
            if self.skew.alarms > self._alarms:
                self._alarms = self.skew.alarms
                self.report.count(self.source, Case.SKEW_JUMP)
        correction = self.skew.correction_ns
        if record.ts_event == line.receipt or not correction:
            return record  # it gave no time of its own, or the clocks agree
        return msgspec.structs.replace(
            record,
            ts_event=record.ts_event + correction,
            flags=record.flags | _CORRECTED,
        )

    def _unreadable(self, case: Case, offset: int, line: bytes, detail: str) -> None:
        self.report.saw(self.source, 1)
        self.report.count(self.source, case)
        told = f"at byte {offset}: {detail}"
        self.report.keep(Sample(self.source, case, "", 0, None, {"line": line[:80]}, told))


def _unpacked(file: BinaryIO) -> BinaryIO | gzip.GzipFile:
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if packed else file


def replay(recording: Recording, processor: MarketDataProcessor) -> Iterator[FeedRecord]:
    """What a processor lets through of a recording.

    The messages between two changes of a book are one batch: so the processor's book is, whenever
    a record of it comes out, as of that record.
    """
    batch: list[FeedRecord] = []
    for record in recording.records():
        if isinstance(record, BookDelta | BookSnapshot):
            yield from processor.validate(batch)
            yield from processor.validate(record)
            batch = []
        else:
            batch.append(record)
    yield from processor.validate(batch)
