"""The embedded market as a source of history: seeded, endless if wanted, ready offline."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND, format_duration
from mirrorcore.data_sources.simulation.model import MODEL_VERSION, GeneratedBlock, MarketModel
from mirrorcore.data_sources.simulation.presets import REGIMES, Parameters, preset
from mirrorcore.data_sources.simulation.symbols import default_symbols, instrument
from mirrorcore.errors import ConfigError, DataError
from mirrorcore.market.block import Floats, Ints, MarketBlock, Series
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.instruments import Instrument
from mirrorcore.market.validator import IntakeReport, MarketDataProcessor

START_NS = 1_735_689_600 * SECOND
"""Open of the first bar: 2025-01-01T00:00 UTC."""


class SimulatedSource:
    """A simulated market; implements :class:`~mirrorcore.data_sources.source.HistorySource`.

    The first n bars are the same bits whatever ``bars`` is, and a symbol's own bars are the same
    whichever other symbols are there.

    Parameters
    ----------
    preset_name: ``default``, ``plain`` or ``null``.
    seed: 0 <= seed < 2**64.
    symbols: how many, or their names as ``BASE/QUOTE``.
    bars: length of the history in ticks; None for one without end.
    bar_ns: length of a bar, a second to a day.
    ic: information coefficient of the latent alpha for 5-minute bars; None is the preset's own.
    start_ns: open of the first bar, ns UTC.
    swap_ns: after which the whale flow and its decoy exchange what they know; None for never.

    Raises
    ------
    ConfigError: a value that is out of range, naming it.
    """

    def __init__(
        self,
        preset_name: str = "default",
        *,
        seed: int = 0,
        symbols: int | Sequence[str] = 8,
        bars: int | None = 105_120,
        bar_ns: int = 5 * MINUTE,
        ic: float | None = None,
        start_ns: int = START_NS,
        swap_ns: int | None = None,
    ) -> None:
        names = default_symbols(symbols) if isinstance(symbols, int) else tuple(symbols)
        _check(seed, names, bars, bar_ns, start_ns)
        self.name = f"simulated.{preset_name}"
        self.symbols = names
        self.instruments: tuple[Instrument, ...] = tuple(instrument(name) for name in names)
        self.bar_ns = bar_ns
        self.parameters: Parameters = preset(
            preset_name, ic, None if swap_ns is None else swap_ns / HOUR
        )
        self.seed = seed
        self.start_ns = start_ns
        self._bars = bars
        self._verdicts = IntakeReport()

    @property
    def verdicts(self) -> IntakeReport:
        """What the validator decided in the latest :meth:`blocks`, from the first tick on."""
        return self._verdicts

    def ticks_total(self) -> int | None:
        """The length of the history; None where it has no end."""
        return self._bars

    def digest(self) -> str:
        """SHA-256 over everything that determines the bars."""
        inputs = {
            "model": MODEL_VERSION,
            "parameters": dataclasses.asdict(self.parameters),
            "regimes": [dataclasses.asdict(regime) for regime in REGIMES],
            "seed": self.seed,
            "symbols": self.symbols,
            "bar_ns": self.bar_ns,
            "start_ns": self.start_ns,
            "bars": self._bars,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()

    def model(self) -> MarketModel:
        """A fresh generator of this market, which also tells the truth behind the bars."""
        return MarketModel(self.parameters, self.seed, self.symbols, self.bar_ns, self.start_ns)

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        """Validated blocks of at most ``max_rows`` ticks, from tick ``start_tick`` on.

        A later start generates what comes before as well: volatility remembers it.
        """
        if start_tick < 0 or max_rows < 1:
            raise ValueError(f"start_tick was {start_tick}, max_rows {max_rows}: too small")
        self._verdicts = IntakeReport()
        return self._cut(start_tick, max_rows, self._verdicts)

    def _cut(self, start_tick: int, max_rows: int, report: IntakeReport) -> Iterator[MarketBlock]:
        model = self.model()
        processor = MarketDataProcessor(
            self.instruments, self.bar_ns, source=self.name, report=report
        )
        index = 0
        while self._bars is None or index < self._bars:
            made = model.next_block()
            rows = len(made.ts) if self._bars is None else min(len(made.ts), self._bars - index)
            block = self._validated(made.first(rows), processor)
            for row in range(max(0, start_tick - index), len(block), max_rows):
                yield block.rows(row, min(row + max_rows, len(block)))
            index += len(block)

    def _validated(self, made: GeneratedBlock, processor: MarketDataProcessor) -> MarketBlock:
        open_ts = made.ts - self.bar_ns
        none = np.zeros(len(open_ts), dtype=np.int64)
        verdicts = processor.judge(
            {
                symbol: BarColumns(
                    open_ts=open_ts,
                    ts_recv=made.ts,
                    ts_avail=made.ts,
                    open=made.open[j],
                    high=made.high[j],
                    low=made.low[j],
                    close=made.close[j],
                    volume=made.volume[j],
                    flags=none,
                )
                for j, symbol in enumerate(self.symbols)
            }
        )
        refused = [s for s, verdict in verdicts.items() if not verdict.accepted.all()]
        if refused:
            raise DataError(
                f"{self.name}: bars of {', '.join(refused)} were rejected by the validator",
                hint="a market of our own making must pass; please report the preset and seed",
            )
        flags = np.stack([verdicts[symbol].flags for symbol in self.symbols], axis=1)
        return _market_block(made, open_ts, flags, self.name)


def _market_block(made: GeneratedBlock, open_ts: Ints, flags: Ints, source: str) -> MarketBlock:
    """The public part of a generated block, with ticks as rows."""
    shape = flags.shape

    def columns(values: Floats) -> Floats:
        return np.ascontiguousarray(np.broadcast_to(values, shape[::-1]).T)

    def series(made_series: Mapping[str, tuple[Floats, Ints]]) -> dict[str, Series]:
        return {
            name: Series(
                columns(value),
                np.broadcast_to(known_at[:, np.newaxis], shape),
                (source,) * shape[1],
            )
            for name, (value, known_at) in made_series.items()
        }

    return MarketBlock(
        index=made.index,
        ts=made.ts,
        present=np.ones(shape, dtype=np.bool_),
        open_ts=np.broadcast_to(open_ts[:, np.newaxis], shape),
        open=columns(made.open),
        high=columns(made.high),
        low=columns(made.low),
        close=columns(made.close),
        volume=columns(made.volume),
        flags=flags,
        series=series(made.series),
    )


def _check(
    seed: int, symbols: tuple[str, ...], bars: int | None, bar_ns: int, start_ns: int
) -> None:
    wrong: list[str] = []
    if not 0 <= seed < 2**64:
        wrong.append(f"seed was {seed}, must be 0 or more and fit 64 bits")
    if not symbols:
        wrong.append("symbols was empty, give at least one")
    twice = sorted({s for s in symbols if symbols.count(s) > 1})
    if twice:
        wrong.append(f"symbols named twice: {', '.join(twice)}")
    if bars is not None and bars < 1:
        wrong.append(f"bars was {bars}, must be at least 1")
    if not SECOND <= bar_ns <= DAY:
        wrong.append(f"bar was {format_duration(bar_ns)}, must be between 1s and 1d")
    if start_ns < 0:
        wrong.append(f"start was {start_ns} ns, must not be before 1970")
    if wrong:
        raise ConfigError("simulated market: " + "; ".join(wrong))
