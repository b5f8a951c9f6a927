"""What a live run learned before it began: the venue's candles, kept with the run.

A live market cannot be asked again for what it was. So the candles of the warm-up are written into
the folder of the run, and whoever repeats or explains it opens them from there; everything after
them is in the journal, record by record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mirrorcore.errors import DataError
from mirrorcore.journal import write_atomic
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.merge import Timeline
from mirrorcore.market.records import Bar
from mirrorcore.market.validator import MarketDataProcessor

FILE = "market.msgpack"


class _Kept(msgspec.Struct, frozen=True):
    """The file, whole."""

    name: str
    bar_ns: int
    instruments: tuple[Instrument, ...]
    bars: tuple[Bar, ...]


class LiveHistory:
    """Candles of a venue up to the start of a live run; a HistorySource.

    Parameters
    ----------
    name: of the source, for its records.
    instruments: one for each symbol of the run, in its order.
    bar_ns: length of a bar, ns.
    bars: candles of all symbols, each symbol's in order of time; those the validator rejects
        are counted and left out.
    """

    def __init__(
        self, name: str, instruments: Sequence[Instrument], bar_ns: int, bars: Sequence[Bar]
    ) -> None:
        self.name = name
        self.bar_ns = bar_ns
        self.instruments = tuple(instruments)
        self.symbols = tuple(instrument.symbol for instrument in instruments)
        self.verdicts = IntakeReport()
        self._bars = tuple(bars)
        processor = MarketDataProcessor(self.instruments, bar_ns, source=name, report=self.verdicts)
        found: dict[str, list[Bar]] = {symbol: [] for symbol in self.symbols}
        for bar in bars:
            found[bar.symbol].append(bar)
        columns = {symbol: BarColumns.of(rows) for symbol, rows in found.items()}
        verdicts = processor.judge(columns)
        self._timeline = Timeline(
            self.symbols,
            [columns[symbol].take(verdicts[symbol].accepted) for symbol in self.symbols],
        )

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        """The ticks of the warm-up from ``start_tick`` on."""
        return self._timeline.blocks(start_tick, max_rows)

    def digest(self) -> str:
        """SHA-256 (hex) over the instruments and every candle."""
        return hashlib.sha256(self._encoded()).hexdigest()

    def ticks_total(self) -> int:
        return len(self._timeline)

    @property
    def last_ts(self) -> int:
        """When the newest candle became available, ns; 0 without one."""
        ticks = self._timeline.ticks
        return int(ticks[-1]) if len(ticks) else 0

    def save(self, folder: Path) -> None:
        """Write it into the folder of a run; OSError that names the file where it cannot be."""
        write_atomic(folder / FILE, self._encoded())

    @classmethod
    def load(cls, folder: Path) -> LiveHistory:
        """What :meth:`save` wrote; DataError where it is not there or not whole."""
        path = folder / FILE
        try:
            kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError) as error:
            raise DataError(
                f"{path}: the candles of the run's warm-up cannot be read: {error}",
                hint="a live run can be repeated from its own folder only; restore it whole",
            ) from None
        return cls(kept.name, kept.instruments, kept.bar_ns, kept.bars)

    def _encoded(self) -> bytes:
        return msgspec.msgpack.encode(
            _Kept(self.name, self.bar_ns, self.instruments, self._bars), order="deterministic"
        )


def described(
    told: Sequence[Instrument], configured: Mapping[str, Instrument]
) -> tuple[Instrument, ...]:
    """What the venue says of its instruments, where the configuration does not say otherwise."""
    return tuple(configured.get(one.symbol, one) for one in told)
