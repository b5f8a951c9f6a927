"""The guide's names of sources that are called otherwise here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirrorcore.data_sources.exchange import ExchangeSource
from mirrorcore.data_sources.social.feed import FeedSource
from mirrorcore.data_sources.social.x import XSource

__all__ = ["BinanceSource", "CoinbaseSource", "NewsSource", "TwitterSource"]


class BinanceSource(ExchangeSource):
    """Binance spot: :class:`ExchangeSource` with that venue, and its options."""

    def __init__(self, symbols: Sequence[str], **options: Any) -> None:
        super().__init__("binance", symbols, **options)


class CoinbaseSource(ExchangeSource):
    """Coinbase: :class:`ExchangeSource` with that venue, and its options; untested."""

    def __init__(self, symbols: Sequence[str], **options: Any) -> None:
        super().__init__("coinbase", symbols, **options)


NewsSource = FeedSource
TwitterSource = XSource
