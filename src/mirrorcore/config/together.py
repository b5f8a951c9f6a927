"""Settings that are each right and together wrong, or allowed and probably not meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping

from mirrorcore.config.mistakes import dotted, near, shown
from mirrorcore.config.model import AgentEntry, RunConfig
from mirrorcore.config.scan import Path
from mirrorcore.config.shape import fields_of
from mirrorcore.config.source_checks import source_contradictions
from mirrorcore.config.verdicts import Verdict

Vocabulary = Mapping[str, Collection[str]]
"""Names that only the rooms above know, by dotted key without indices: ``agent.type``."""


def contradictions(
    config: RunConfig, vocabulary: Vocabulary, original: Callable[[Path], Path]
) -> Iterator[tuple[Path, Verdict]]:
    """Settings that are each right and together wrong; ``original`` is where they stood."""
    market = config.market
    if market.source == "recorded" and market.directory is None:
        yield ("market", "source"), ('needs a folder: market.directory = "..." or --data DIR', "")
    if market.source == "recorded" and isinstance(market.symbols, int):
        yield ("market", "symbols"), ("must be names: a number is for a simulated market", "")
    if market.source == "exchange" and market.symbol_names is None:
        yield ("market", "symbols"), ('must be named for an exchange, as ["BTC/USDT"]', "")
    if market.source == "simulated" and market.bars is None and market.period < market.bar:
        yield ("market", "period"), ("is shorter than one bar", "")
    if market.pattern is not None and "{symbol}" not in market.pattern:
        yield ("market", "pattern"), ("must hold {symbol}", "")
    if config.risk.per_symbol > config.risk.gross:
        yield (
            ("risk", "per_symbol"),
            (f"is above risk.gross ({config.risk.gross:g}), so it would never bite", ""),
        )
    web = config.web
    if web.enabled and not web.behind_proxy and not is_loopback(web.host):
        yield (
            ("web", "host"),
            (
                "can be reached from other machines, and tokens travel as they are: put a proxy "
                "with TLS before it and set web.behind_proxy = true",
                '"127.0.0.1"',
            ),
        )
    yield from _repeated(config, original)
    for index, entry in enumerate(config.agent):
        for key, verdict in _agent_contradictions(entry):
            yield original(("agent", index, key)), verdict
    for path, verdict in source_contradictions(config):
        yield original(path), verdict
    yield from _unknown_names(config, vocabulary, original)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _agent_contradictions(entry: AgentEntry) -> Iterator[tuple[str, Verdict]]:
    if entry.type is not None and entry.file is not None:
        yield "type", ("names an agent of the roster, and file one of your own: one must go", "")
    if entry.class_name is not None and entry.file is None:
        yield "class", ("needs file: the Python file that holds it", "")
    if entry.file is not None and not entry.file.is_file():
        yield "file", ("there is no such file", "")


def _repeated(
    config: RunConfig, original: Callable[[Path], Path]
) -> Iterator[tuple[Path, Verdict]]:
    lists: tuple[tuple[Path, str, list[str]], ...] = (
        (("agent",), "id", [entry.id for entry in config.agent]),
        (("instruments",), "symbol", [item.symbol for item in config.instruments]),
        (("sources",), "name", [source.label for source in config.sources]),
        (
            ("market", "series"),
            "name",
            [f"{item.name} of {item.symbol}" for item in config.market.series],
        ),
    )
    for path, key, names in lists:
        for index, name in enumerate(names):
            first = names.index(name)
            if first < index:
                taken = f"is taken by {dotted(original((*path, first)))}"
                yield original((*path, index, key)), (taken, "")


def _unknown_names(
    config: RunConfig, vocabulary: Vocabulary, original: Callable[[Path], Path]
) -> Iterator[tuple[Path, Verdict]]:
    named: list[tuple[str, Path, str | None]] = [
        ("agent.type", original(("agent", index, "type")), entry.type)
        for index, entry in enumerate(config.agent)
    ]
    own = [entry.id for entry in config.agent]
    named += [
        ("agents.without", ("agents", "without", index), name)
        for index, name in enumerate(config.agents.without)
        if name not in own
    ]
    for key, path, name in named:
        known = vocabulary.get(key)
        if name is not None and known is not None and name not in known:
            meant = near(name, known)
            problem = "there is no such agent"
            if meant is None:
                problem += f"; known are {', '.join(sorted(known))}"
            yield path, (problem, shown(meant) if meant else "")


_SIMULATED_ONLY = ("preset", "ic", "swap", "period", "bars")
_RECORDED_ONLY = ("directory", "pattern", "timerange", "sparse", "unit", "series")


def doubts(config: RunConfig) -> Iterator[tuple[Path, Verdict]]:
    """Settings that are allowed and probably not what is meant."""
    market = config.market
    for other, keys in (("simulated", _SIMULATED_ONLY), ("recorded", _RECORDED_ONLY)):
        for key in keys if other != market.source else ():
            if getattr(market, key) != fields_of(type(market))[key].default:
                yield (
                    ("market", key),
                    (f'is not read, it is for market.source = "{other}"', ""),
                )
    if config.sources and market.source != "exchange":
        yield ("sources",), ('are not asked, they are for market.source = "exchange"', "")
    for key in ("fee_bps", "slippage_bps"):
        value = getattr(config.costs, key)
        if 0 < value < 0.05:
            yield (
                ("costs", key),
                ("is in basis points, and very small for that", f"{value * 10_000:g}"),
            )
