"""What is wrong with ``[[sources]]``: parameters by their kind, names, symbols of no run."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mirrorcore.config.mistakes import near
from mirrorcore.config.model import RunConfig, Section, SourceConfig
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import fields_of, subsection
from mirrorcore.config.source_params import (
    PARAMS,
    CalendarParams,
    ChainParams,
    DuneParams,
    EthereumParams,
    JsonParams,
    UniswapParams,
    params_of,
)
from mirrorcore.config.verdicts import Verdict, verdict_on

RESERVED = ("bars", "news", "price_check")
"""Names of what the run makes itself."""
NEED_URL = {"feed": "the address of the feed", "json": "the address of the document"}
"""Kinds that have no address of their own, and what theirs is."""
_WITH_SYMBOLS = ("exchange", "dune")


def source_contradictions(config: RunConfig) -> Iterator[tuple[Path, Verdict]]:
    """Mistakes, with their paths below ``sources``."""
    for index, source in enumerate(config.sources):
        for path, verdict in _faults(source, config):
            yield ("sources", index, *path), verdict


def _faults(source: SourceConfig, config: RunConfig) -> Iterator[tuple[Path, Verdict]]:
    if source.label in RESERVED:
        yield ("name",), ("is a name the run uses itself: give another", "")
    elif config.market.source == "exchange" and source.label == config.exchange.venue:
        yield ("name",), ("is the name of the run's venue: give another", "")
    if source.url is None and source.kind in NEED_URL:
        yield ("url",), (f"must be given: {NEED_URL[source.kind]}", "")
    if source.symbols and source.kind not in _WITH_SYMBOLS:
        yield ("symbols",), (f"is not read by {source.kind}: params name its symbols", "")
    try:
        params = params_of(source)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            if one["type"] == "too_short" and one["input"]:
                continue  # what it holds is wrong, and told of by itself
            yield ("params", *one["loc"]), _verdict(one, PARAMS[source.kind])
        return
    yield from _together(source, params)
    if config.market.source == "exchange":
        known = config.market.symbol_names or ()
        for path, symbol in _symbols(source, params):
            if symbol not in known and symbol != "*":
                meant = near(symbol, known)
                yield path, ("is no symbol of market.symbols", f'"{meant}"' if meant else "")


def _verdict(error: ErrorDetails, section: type[Section]) -> Verdict:
    location = error["loc"]
    if error["type"] == "too_short":
        return "is empty: name at least one", ""
    if error["type"] == "string_pattern_mismatch":
        return _MISSHAPEN.get(str(error["ctx"]["pattern"])[:4], verdict_on(error, location)[0]), ""
    if error["type"] != "extra_forbidden":
        return verdict_on(error, location)
    for part in location[:-1]:
        below = subsection(fields_of(section)[part])[0] if isinstance(part, str) else None
        section = below or section
    known = tuple(fields_of(section))
    meant = near(str(location[-1]), known)
    if meant is not None:
        return "unknown parameter", meant
    return f"unknown parameter; known here: {', '.join(known) or 'none'}", ""


_MISSHAPEN = {
    "^0x[": "must be an address: 0x and 40 hexadecimal digits",
    "^[A-": "must be the name of an environment variable, never the key itself",
    "^[a-": "must be a name in lower case, as CCXT writes it",
}
"""By the beginning of the pattern."""


def _together(source: SourceConfig, params: Section) -> Iterator[tuple[Path, Verdict]]:
    if isinstance(params, JsonParams):
        placed = bool(params.key_parameter or params.key_header)
        if bool(params.key) != placed:
            yield (
                ("params", "key"),
                ("and a place it is sent in (key_parameter or key_header) need each other", ""),
            )
    if isinstance(params, ChainParams) and bool(params.node) == (source.url is not None):
        yield (
            ("url",),
            ("must say where the chain's node is, or params.node which variable does", ""),
        )
    if isinstance(params, DuneParams) and bool(params.symbol_column) != bool(source.symbols):
        if params.symbol_column:
            yield ("symbols",), ("must name the symbols that symbol_column is read for", "")
        elif len(source.symbols) > 1:
            yield ("symbols",), ("are several: params.symbol_column must tell them apart", "")


def _symbols(source: SourceConfig, params: Section) -> Iterator[tuple[Path, str]]:
    """Every symbol a source is told, with its place."""
    for index, symbol in enumerate(source.symbols):
        yield ("symbols", index), symbol
    if isinstance(params, JsonParams):
        for index, series in enumerate(params.series):
            yield ("params", "series", index, "symbol"), series.symbol
    if isinstance(params, UniswapParams):
        for index, pool in enumerate(params.pools):
            yield ("params", "pools", index, "symbol"), pool.symbol
    if isinstance(params, CalendarParams):
        for symbol in params.supply:
            yield ("params", "supply", symbol), symbol
    if isinstance(params, EthereumParams):
        for coin, market in params.markets.items():
            yield ("params", "markets", coin), market
