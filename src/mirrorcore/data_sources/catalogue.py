"""Every source there is, as one table: what it brings, on what terms, and how it was tried.

The services' own list and the venues' own list are its sources, so that nothing is said twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from inspect import signature
from typing import Any

from mirrorcore.clock import format_duration
from mirrorcore.data_sources.chain.dex import UniswapV3Source
from mirrorcore.data_sources.chain.dune import LICENCE as DUNE_LICENCE
from mirrorcore.data_sources.chain.dune import DuneSource
from mirrorcore.data_sources.chain.source import ChainRules
from mirrorcore.data_sources.exchange.venues import TESTED
from mirrorcore.data_sources.fetching.series import SERVICES_WITH_HISTORY
from mirrorcore.data_sources.fundamental.calendar_source import CalendarSource
from mirrorcore.data_sources.fundamental.json_source import JsonSource
from mirrorcore.data_sources.macro.ecb import EcbSource
from mirrorcore.data_sources.macro.fred import FredSource
from mirrorcore.data_sources.services import SERVICES
from mirrorcore.data_sources.social.fear_greed import FearGreedSource
from mirrorcore.data_sources.social.feed import FeedSource
from mirrorcore.data_sources.social.reddit import RedditSource
from mirrorcore.data_sources.social.x import XSource

_KINDS: dict[str, Callable[..., Any]] = {
    "fred": FredSource,
    "ecb": EcbSource,
    "fear_greed": FearGreedSource,
    "feed": FeedSource,
    "reddit": RedditSource,
    "x": XSource,
    "json": JsonSource,
}
_NOT_RECORDED = ("json",)
"""Needs a mapping that no command line can say."""
_READ_EVERY = signature(CalendarSource).parameters["cadence_ns"].default
OTHERS = "other venues"
SHAPE = "local server of the documented shape"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One source.

    Parameters
    ----------
    brings: what, with units.
    cadence: how often something comes, or is asked for.
    keys: environment variables that hold its keys; none where it needs none.
    kind: as which ``[[sources]]`` of a run name it; empty where they cannot.
    tested: against what its protocol was tried; empty where it was not.
    licence: terms and attribution.
    commands: those of ``data`` that take it.
    """

    name: str
    category: str
    brings: str
    cadence: str
    keys: tuple[str, ...]
    kind: str
    tested: str
    licence: str
    commands: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def catalogue() -> tuple[SourceEntry, ...]:
    """Every source: venues, services, files, the simulator."""
    return (*_venues(), *_chains(), *_services(), *_files())


def _venues() -> list[SourceEntry]:
    brings = (
        "candles, trades, best quotes, books and funding; prices in quote currency, sizes in base "
        "currency, funding as a fraction of notional"
    )
    terms, commands = "the venue's terms of use; public data, no key", ("fetch", "record")
    tested = [
        SourceEntry(
            name, "technical", brings, "as it trades", (), "exchange",
            "the local exchange, by the unmodified CCXT client", terms, commands,
        )
        for name in TESTED
    ]  # fmt: skip
    return [
        *tested,
        SourceEntry(
            OTHERS, "technical", f"the same of any venue of CCXT by its name; {brings}",
            "as they trade", (), "exchange", "", terms, commands,
        ),
    ]  # fmt: skip


def _chains() -> list[SourceEntry]:
    blocks = format_duration(ChainRules().block_ns)
    flow = format_duration(signature(UniswapV3Source).parameters["flow_ns"].default)
    cadence = format_duration(signature(DuneSource).parameters["cadence_ns"].default)
    machine, terms = "a real EVM with reorganisations", "public chain data; the node's own terms"
    pools = (
        "swaps in smallest units of the tokens, price in quote per base, liquidity and flow in "
        f"units of base every {flow}"
    )
    return [
        SourceEntry(
            "ethereum", "onchain",
            "blocks, gas in gwei, large transfers in smallest units, flow of exchanges in units",
            f"every block, {blocks}", (), "ethereum", machine, terms, ("record",),
        ),
        *[
            SourceEntry(name, "onchain", pools, "as it trades", (), name, machine, terms, ())
            for name in ("uniswap_v2", "uniswap_v3")
        ],
        SourceEntry(
            "dune", "onchain", "results of a query, with the units it has",
            f"asked every {cadence}", ("DUNE_API_KEY",), "dune", SHAPE, DUNE_LICENCE, (),
        ),
    ]  # fmt: skip


def _services() -> list[SourceEntry]:
    found = []
    for one in SERVICES:
        commands = ["fetch"] if one.name in SERVICES_WITH_HISTORY else []
        if one.name not in _NOT_RECORDED:
            commands.append("record")
        cadence = signature(_KINDS[one.name]).parameters["cadence_ns"].default
        found.append(
            SourceEntry(
                one.name,
                one.category,
                one.brings,
                f"asked every {format_duration(cadence)}",
                one.keys,
                one.name,
                one.tried,
                one.licence,
                tuple(commands),
            )
        )
    return found


def _files() -> list[SourceEntry]:
    own, here = "as of whoever made the file", "real files"
    return [
        SourceEntry(
            "candles", "technical",
            "files of open, high, low, close in quote currency, volume in base currency",
            "as in the file", (), "", here, own, ("import", "check"),
        ),
        SourceEntry(
            "quotes", "technical", "files of bid and ask in quote currency, ticks or bars of both",
            "as in the file", (), "", here, own, ("import", "check"),
        ),
        SourceEntry(
            "series", "any", "files of a time and a value, with the unit of whoever made them",
            "as in the file", (), "", here, own, ("check",),
        ),
        SourceEntry(
            "calendar", "fundamental",
            "a file of events announced: days to the next, and the share of the supply unlocked "
            "within the horizon",
            f"read every {format_duration(_READ_EVERY)}", (), "calendar", "made files", own, (),
        ),
        SourceEntry(
            "recordings", "technical", "files that 'data record' or another recorder wrote",
            "as it was received", (), "", here, own, ("check",),
        ),
        SourceEntry(
            "simulated", "any",
            "seeded market: candles, whale flow, sentiment, macro; prices in quote currency",
            "every bar", (), "", "statistical tests against its own truth",
            "part of this program", (),
        ),
    ]  # fmt: skip
