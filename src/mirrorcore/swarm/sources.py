"""The market a configuration asks for."""

from __future__ import annotations

from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import ConfigError
from mirrorcore.journal import RunInfo
from mirrorcore.market.instruments import Instrument, undescribed


def open_source(config: RunConfig) -> HistorySource:
    """The history of ``[market]``; ConfigError or DataError says what is wrong with it."""
    market = config.market
    if market.source == "simulated":
        from mirrorcore.data_sources.simulated import SimulatedSource

        return SimulatedSource(
            market.preset,
            seed=config.seed,
            symbols=market.symbol_names or market.symbol_count,
            bars=market.bar_count,
            bar_ns=market.bar,
            ic=market.ic,
            swap_ns=market.swap,
        )
    if market.source == "exchange":
        raise ConfigError(
            "a live market has no history to replay",
            hint="'mirrorcore run' trades on it; such a run can be repeated and explained",
        )
    if market.directory is None:
        raise ConfigError(
            "a recorded market needs a folder of candles",
            hint="give --data DIR, or market.directory in the configuration",
        )
    return _recorded(config)


def recorded_source(info: RunInfo, config: RunConfig) -> HistorySource:
    """The market a recorded run was made on; for a live run what it kept of it."""
    if config.market.source == "exchange":
        from mirrorcore.swarm.live_history import LiveHistory

        return LiveHistory.load(info.path)
    return open_source(config)


def configured_instruments(config: RunConfig) -> list[Instrument]:
    """Those of ``[[instruments]]``."""
    return [_instrument(config, index) for index in range(len(config.instruments))]


def _recorded(config: RunConfig) -> HistorySource:
    from mirrorcore.clock import format_duration
    from mirrorcore.data_sources.recorded import RecordedSource
    from mirrorcore.data_sources.side_channels import SeriesFile

    market = config.market
    assert market.directory is not None
    return RecordedSource(
        market.directory,
        symbols=market.symbol_names or (),
        timeframe=format_duration(market.timeframe) if market.timeframe else None,
        timerange=str(market.timerange) if market.timerange else None,
        pattern=market.pattern,
        timestamp_unit=None if market.unit == "auto" else market.unit,
        instruments=configured_instruments(config),
        sparse=market.sparse,
        series=[
            SeriesFile(
                path=series.path,
                name=series.name,
                time=series.time,
                value=series.value,
                lag_ns=series.lag,
                symbol=series.symbol,
                where=series.where,
                released=series.released,
            )
            for series in market.series
        ],
    )


def _instrument(config: RunConfig, index: int) -> Instrument:
    """A described instrument; what its entry leaves out is read off the symbol."""
    entry = config.instruments[index]
    plain = undescribed(entry.symbol)
    return Instrument(
        symbol=plain.symbol,
        base=plain.base,
        quote=plain.quote,
        settlement=entry.settlement or plain.settlement,
        tick=entry.tick,
        lot=entry.lot,
        minimum=entry.minimum,
        multiplier=entry.multiplier,
        shortable=entry.shortable,
        described=True,
    )
