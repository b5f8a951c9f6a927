"""What is special about a venue, and which of them the tests have talked to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.errors import UsageError


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a venue differs from the rest, as far as it matters here.

    Parameters
    ----------
    trade_stream: parameters of ``watch_trades`` that make its ids those of ``fetch_trades``.
    from_id: ``fetch_trades`` takes the id to begin with as ``fromId``.
    contiguous: trade ids count up by one, so that a hole shows.
    options: of the client.
    """

    trade_stream: Mapping[str, Any] = field(default_factory=dict)
    from_id: bool = False
    contiguous: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


_PLAIN = Dialect()
_DIALECTS: dict[str, Dialect] = {
    # fetch_trades asks for aggregate trades; the stream of single ones has ids of its own.
    "binance": Dialect(
        trade_stream={"name": "aggTrade"},
        from_id=True,
        contiguous=True,
        options={
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
        },
    ),
}

TESTED = tuple(_DIALECTS)
"""Venues whose protocol the tests speak, with the unmodified client, to a true server. All others
that CCXT has are reached by the same code and are untested."""


def dialect(venue: str) -> Dialect:
    """What is known of a venue; nothing special where nothing is."""
    return _DIALECTS.get(venue, _PLAIN)


def known_venues() -> tuple[str, ...]:
    """All that CCXT has with sockets; KeyError where CCXT is not installed."""
    try:
        import ccxt.pro
    except ImportError as error:
        raise KeyError("exchange.venue") from error
    return tuple(ccxt.pro.exchanges)


def local_addresses(venue: str, base: str) -> dict[str, Any]:
    """CCXT's addresses of ``venue`` when a local exchange at ``base`` stands for it."""
    if venue != "binance":
        raise UsageError(
            f"the local exchange does not speak the protocol of {venue}",
            hint="leave the address out (--url, or url in the config), or name the venue binance",
        )
    http = base.rstrip("/")
    socket = "ws" + http.removeprefix("http")
    rest = f"{http}/api/v3"
    streams = {"spot": f"{socket}/stream/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}}
    return {"api": {"public": rest, "private": rest, "v1": rest, "ws": streams}}
