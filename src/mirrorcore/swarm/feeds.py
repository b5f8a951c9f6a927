"""The live venue a configuration asks for, and what it listens to beside it."""

from __future__ import annotations

from mirrorcore.config.model import RunConfig
from mirrorcore.errors import ConfigError
from mirrorcore.swarm.live_paper import LiveFeed
from mirrorcore.swarm.live_sources import open_sources

__all__ = ["open_feed", "open_sources"]


def open_feed(config: RunConfig) -> LiveFeed:
    """The venue of ``[exchange]``, not yet connected; ConfigError says what is missing."""
    from mirrorcore.data_sources.exchange import ExchangeSource

    symbols = config.market.symbol_names
    if symbols is None:
        raise ConfigError(
            "a live market needs its symbols by name", hint="give --symbols BTC/USDT,ETH/USDT"
        )
    return ExchangeSource(
        config.exchange.venue,
        symbols,
        url=config.exchange.url,
        stale_after_ns=config.exchange.stale_after,
    )
