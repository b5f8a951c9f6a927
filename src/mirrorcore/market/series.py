"""The side-channel series the project knows: what each means, in which unit, from which records.

A series is ``category.name``. Users may bring any other; it has no unit here, and no agent of the
roster reads it unless a parameter names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mirrorcore.market.records import Category


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """One known series.

    ``unit`` is what one of it is (``bps``, ``share``, ``index``); ``kinds`` are the records it is
    made of, ``Observation`` where a source yields it as it stands.
    """

    category: Category
    name: str
    unit: str
    meaning: str
    kinds: tuple[str, ...] = ("Observation",)

    @property
    def label(self) -> str:
        return f"{self.category}.{self.name}"


_BOOK = ("BookSnapshot", "BookDelta")
_KNOWN = (
    SeriesInfo(
        "technical", "trade_imbalance", "share",
        "bought less sold by takers, over both, of the interval's trades; -1..1", ("Trade",),
    ),
    SeriesInfo(
        "technical", "trade_count", "trades", "trades of the interval", ("Trade",)
    ),
    SeriesInfo(
        "technical", "book_imbalance", "share",
        "size bid less size asked, over both, in the five best levels; -1..1", _BOOK,
    ),
    SeriesInfo(
        "technical", "quote_imbalance", "share",
        "the same at the best bid and ask alone; -1..1", ("Quote",),
    ),
    SeriesInfo(
        "risk", "spread_bps", "bps", "best ask less best bid, over their mean", ("Quote", *_BOOK)
    ),
    SeriesInfo(
        "risk", "book_depth", "quote currency",
        "worth of the five best levels of both sides", _BOOK,
    ),
    SeriesInfo(
        "risk", "funding_rate", "per year",
        "funding of the perpetual; above 0 longs pay shorts", ("Funding",),
    ),
    SeriesInfo("onchain", "dex_price", "quote per base", "price of the pool", ("Swap",)),
    SeriesInfo("onchain", "dex_liquidity", "base", "virtual reserve of the pool", ("Swap",)),
    SeriesInfo(
        "onchain", "dex_flow", "base", "swaps of a window, above 0 bought from pools", ("Swap",)
    ),
    SeriesInfo(
        "onchain", "exchange_flow", "any", "large transfers, above 0 they left exchanges",
        ("Transfer",),
    ),
    SeriesInfo("onchain", "base_fee_gwei", "gwei", "base fee of a block", ("ChainBlock",)),
    SeriesInfo("onchain", "gas_used_share", "share", "gas used over the limit", ("ChainBlock",)),
    SeriesInfo("onchain", "whale_flow", "any", "signed flow of large holders, above 0 they buy"),
    SeriesInfo("onchain", "gas", "any", "price of a transaction; how busy the chain is"),
    SeriesInfo("sentiment", "score", "share", "mood of news and posts; -1..1"),
    SeriesInfo("sentiment", "news", "share", "tone of headlines by the lexicon; -1..1", ("Text",)),
    SeriesInfo("sentiment", "news_count", "headlines", "headlines behind the tone", ("Text",)),
    SeriesInfo("sentiment", "fear_greed", "index", "0 extreme fear, 100 extreme greed"),
    SeriesInfo("macro", "surprise", "sd", "release less forecast, in its usual size"),
    SeriesInfo("fundamental", "supply", "coins", "coins in circulation"),
    SeriesInfo("fundamental", "activity", "any", "use of the network: addresses, transactions"),
    SeriesInfo("fundamental", "supply_growth", "per year", "growth of the supply"),
    SeriesInfo(
        "fundamental", "unlock_share", "share", "of the supply that comes free within the horizon"
    ),
    SeriesInfo("fundamental", "event_in_days", "days", "to the next event announced"),
    *(
        SeriesInfo("macro", name, "as published", meaning)
        for name, meaning in (
            ("us_10y", "yield of ten-year notes"),
            ("us_10y_2y", "that less the yield of two-year notes"),
            ("us_cpi", "consumer prices"),
            ("us_dollar", "index of the dollar"),
            ("us_fed_funds", "rate of the central bank"),
            ("us_unemployment", "share without work"),
            ("vix", "implied volatility of shares"),
        )
    ),
)  # fmt: skip

SERIES: Mapping[str, SeriesInfo] = MappingProxyType({info.label: info for info in _KNOWN})
"""By label."""

_PRICES = re.compile(r"(open|high|low|close|ema_\d+|macd(_signal|_hist)?|atr_\d+)$")
_PURE: Mapping[str, str] = MappingProxyType(
    {
        "return_1": "log return",
        "momentum": "log return",
        "rsi": "index",
        "z": "sd",
        "bollinger_z": "sd",
        "volume_z": "sd",
        "vol_fast": "log return a bar",
        "vol_slow": "log return a bar",
        "vol_ratio": "ratio",
        "jump_share": "share",
        "range_vol": "log return a bar",
        "volume": "base currency",
    }
)


def unit_of(category: str, name: str) -> str:
    """The unit of a series or a feature, '' where nobody said one."""
    info = SERIES.get(f"{category}.{name}")
    if info is not None:
        return info.unit
    if category == "technical" and _PRICES.match(name):
        return "quote currency"
    if category in ("technical", "risk"):
        return _PURE.get(name) or _PURE.get(re.sub(r"_\d+$", "", name), "")
    return ""
