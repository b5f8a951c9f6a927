"""Exchanges over CCXT: one source a venue, its trades, quotes, books, candles and funding.

``source`` connects and yields, ``backfill`` brings what was missed, ``venues`` says what is special
about each venue and which of them the tests talk to, ``reading`` turns CCXT's dictionaries into
records, ``failures`` its exceptions into ours. CCXT comes with the extra ``exchange``.
"""

from mirrorcore.data_sources.exchange.source import ExchangeSource

__all__ = ["ExchangeSource"]
