"""``mirrorcore data record``: a live source into a file that grows."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import DataError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.data_fetch import server
from mirrorcore.interfaces.cli.instants import require_seconds
from mirrorcore.interfaces.cli.registration import command

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.live import PolledSource, StreamSource
    from mirrorcore.data_sources.running.health import SourceHealth

_SOURCE = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A venue, or a service of 'data sources'.")
]
_WORDS = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        show_default=False,
        help="Symbols of a venue; series, currencies, an address or option=value of a service.",
    ),
]
_OUT = Annotated[
    Path, typer.Option("--out", metavar="FILE", show_default=False, help="Is appended to.")
]
_SECONDS = Annotated[
    float, typer.Option("--seconds", metavar="N", help="Ends after so long; 0 goes on to Ctrl-C.")
]
_RAW = Annotated[
    bool, typer.Option("--raw", help="The venue's own messages as they came; binance alone.")
]
_KINDS = Annotated[
    str,
    typer.Option("--kinds", metavar="A,B", help="Of a venue: trade, quote, book, bar, funding."),
]
_TIMEFRAME = Annotated[
    str | None,
    typer.Option(
        "--timeframe", metavar="1m", show_default=False, help="Of the candles: with --kinds bar."
    ),
]
_URL = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        show_default=False,
        help="Another server that speaks for the source, as a local exchange.",
    ),
]
CHAIN = "ethereum"
_RULES, _COIN = ("chain_id", "confirmations"), ("native", "native_threshold")
"""What may be said of a chain on a command line; tokens and pools take a list, from Python."""
_FIRST_OPTION = {"feed": "url", "x": "query", "reddit": "subreddit"}
"""The option a word without a name stands for."""
_ENDINGS = (".jsonl", ".ndjson", ".txt", ".log")
"""By these 'data check' and 'data import' know a recording, and it is not packed."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "record")(record)


def record(
    session: Session,
    source: _SOURCE,
    out: _OUT,
    name: _WORDS = None,
    seconds: _SECONDS = 0.0,
    raw: _RAW = False,
    kinds: _KINDS = "trade,quote,book",
    timeframe: _TIMEFRAME = None,
    url: _URL = None,
) -> Answer:
    """Record a live source to a file, which 'data check' reads; Ctrl-C ends it."""
    require_seconds(seconds)
    from mirrorcore.config.source_params import PARAMS
    from mirrorcore.data_sources.services import SERVICES

    words, base = name or [], server(url)
    service = source in [one.name for one in SERVICES]
    if raw and (service or source != "binance"):
        raise UsageError(f"{source} has no messages that can be read again", hint="leave --raw out")
    if not out.name.lower().endswith(_ENDINGS):
        raise UsageError(
            f"--out was {out}, by which nothing would know it for a recording",
            hint=f"a recording's name ends in {', '.join(_ENDINGS)}",
        )
    from mirrorcore.data_sources.any_recording import RAW, RECORDS, require_kind

    require_kind(out, RAW if raw else RECORDS)
    if raw:
        return _record_raw(session, words, out, seconds, base)
    if source == CHAIN:
        opened: StreamSource | PolledSource = _chain(words, base)
    elif service:
        opened = _service(source, words, base)
    elif source in PARAMS:
        raise UsageError(
            f"{source} cannot be recorded from a command line",
            hint="a live run reads it: name it under [[sources]] of a configuration",
        )
    else:
        from mirrorcore.data_sources.exchange import ExchangeSource

        wanted = [part.strip() for part in kinds.split(",") if part.strip()]
        _require_length(wanted, timeframe)
        opened = ExchangeSource(
            source,
            _symbols(source, words),
            kinds=wanted,
            bar_ns=_bar_ns(timeframe),
            url=base or None,
        )
    return _record_records(session, opened, out, seconds)


def _require_length(kinds: list[str], timeframe: str | None) -> None:
    """UsageError where candles have no length, or a length no candles."""
    if "bar" in kinds and timeframe is None:
        raise UsageError(
            "--kinds bar does not say how long a candle is", hint="add it, as in --timeframe 1m"
        )
    if "bar" not in kinds and timeframe is not None:
        raise UsageError(
            "--timeframe is of candles, and --kinds names none",
            hint=f"leave --timeframe out, or write --kinds {','.join([*kinds, 'bar'])}",
        )


def _bar_ns(timeframe: str | None) -> int:
    if timeframe is None:
        return 0
    from mirrorcore.market.timeframe import parse_timeframe

    try:
        return parse_timeframe(timeframe)
    except ValueError as error:
        raise UsageError(f"--timeframe {error}", hint="write 1m, 5m, 1h or 1d") from None


def _symbols(venue: str, words: list[str]) -> list[str]:
    from mirrorcore.data_sources.exchange.client import require_venue
    from mirrorcore.data_sources.importing import parse_symbol

    found = [parse_symbol(part) for word in words for part in word.split(",")]
    if not found:
        require_venue(venue)
        raise UsageError(
            f"no symbol of {venue} was named",
            hint=f"as in mirrorcore data record {venue} BTC/USDT --out FILE",
        )
    return list(dict.fromkeys(found))


def _service(name: str, words: list[str], base: str) -> PolledSource:
    from mirrorcore.clock import LiveClock
    from mirrorcore.data_sources.running.rate_limits import RateLimits
    from mirrorcore.data_sources.services import Opening, open_service

    clock = LiveClock()
    opening = Opening(clock, os.environ, RateLimits(clock), base)
    return open_service(name, opening, _options(name, words))


def _chain(words: list[str], node: str) -> StreamSource:
    """A chain as far as words can say it: its number, what counts as final, its coin."""
    from mirrorcore.clock import LiveClock
    from mirrorcore.data_sources.chain.ethereum import EthereumSource
    from mirrorcore.data_sources.chain.source import ChainRules

    if not node:
        raise UsageError(
            "a chain is read from a node, and none was named",
            hint="give its address, as in --url http://localhost:8545",
        )
    given = dict(word.partition("=")[::2] for word in words)
    unknown = [name for name in given if name not in (*_RULES, *_COIN)]
    if unknown:
        raise UsageError(
            f"{CHAIN} has no option {unknown[0]}",
            hint=f"write option=value; there are {', '.join((*_RULES, *_COIN))}",
        )
    odd = [f"{name}={given[name]}" for name in _RULES if not given.get(name, "0").isdecimal()]
    if odd:
        raise UsageError(f"{odd[0]}: must be a whole number")
    usual = ChainRules()
    rules = ChainRules(
        chain_id=int(given.get("chain_id", usual.chain_id)),
        confirmations=int(given.get("confirmations", usual.confirmations)),
    )
    return EthereumSource(
        node,
        LiveClock(),
        rules=rules,
        native=given.get("native", "ETH"),
        native_threshold=given.get("native_threshold", "100"),
    )


def _options(service: str, words: list[str]) -> Mapping[str, Any]:
    """``option=value`` as it stands; a plain word is the option the service is asked with."""
    if service == "json":
        raise UsageError(
            "what json is asked cannot be said on a command line", hint="open it from Python"
        )
    if service in ("fred", "ecb"):
        from mirrorcore.data_sources.fetching.series import plan_series

        plans = plan_series(service, [part for word in words for part in word.split(",")])
        key = "series" if service == "fred" else "currencies"
        return {key: tuple(one for plan in plans for one in plan.options[key])}
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key.isidentifier():
            found[key] = value
        elif service in _FIRST_OPTION and _FIRST_OPTION[service] not in found:
            found[_FIRST_OPTION[service]] = word
        else:
            raise UsageError(f"{service}: {word!r} says nothing to it", hint="write option=value")
    return found


def _record_records(
    session: Session, source: StreamSource | PolledSource, out: Path, seconds: float
) -> Answer:
    import numpy as np

    from mirrorcore.clock import LiveClock, wall_now
    from mirrorcore.data_sources.live_recording import LiveRecorder
    from mirrorcore.data_sources.record_log import RecordLog

    log = RecordLog(out)
    try:
        _say_cut(session, out, log.cut)
        recorder = LiveRecorder(
            source,
            log,
            clock=LiveClock(),
            rng=np.random.default_rng(wall_now()),
            told=lambda state, reason: say(
                session.remarks, f"{source.spec.name}: {state} ({reason})", "dim"
            ),
        )
        _until(recorder.run(), seconds)
    finally:
        log.close()
    health = recorder.health()
    document = {
        "path": out, "format": "records", "records": log.records, "cut": log.cut,
        **_health(health),
    }  # fmt: skip
    reached = DataError.exit_code if not health.connections else 0
    return Answer(document, lambda to: _show_records(document, health, to), reached)


def _health(health: SourceHealth) -> dict[str, Any]:
    return {
        "kinds": dict(sorted(health.records.items())),
        "connections": health.connections,
        "gaps": sum(health.gaps.values()),
        "filled": health.filled,
        "unfilled": health.unfilled,
        "conflated": health.conflated,
        "dropped": health.dropped,
        "faults": dict(sorted(health.faults.items())),
    }


def _show_records(document: Mapping[str, Any], health: SourceHealth, out: Console) -> None:
    from mirrorcore.interfaces.cli.sources_screen import show_health

    say(out, f"{document['path']}: {document['records']:,} records written")
    show_health(out, {health.name: health}, 0)
    if not health.connections:
        say(out, f"{health.name} was never reached: there is nothing but that to read", "yellow")
        return
    say(out, f"judge it with: mirrorcore data check {document['path']}", "dim")


def _record_raw(session: Session, words: list[str], out: Path, seconds: float, base: str) -> Answer:
    import numpy as np

    from mirrorcore.clock import LiveClock, wall_now
    from mirrorcore.data_sources.line_log import LineLog
    from mirrorcore.data_sources.raw_frames import RawRecorder

    symbols = _symbols("binance", words)
    with LineLog(out) as log:
        _say_cut(session, out, log.cut)
        rng = np.random.default_rng(wall_now())
        recorder = RawRecorder(symbols, log, clock=LiveClock(), rng=rng, url=base)
        _until(recorder.run(), seconds)
    counts = recorder.counts
    document = {
        "path": out, "format": "raw", "frames": counts.frames, "snapshots": counts.snapshots,
        "cut": log.cut, "connections": counts.connections,
        "faults": dict(sorted(counts.faults.items())),
    }  # fmt: skip

    def show(to: Console) -> None:
        say(
            to,
            f"{out}: {counts.frames:,} frames and {counts.snapshots} snapshots written over "
            f"{counts.connections} connections",
        )
        for case, times in sorted(counts.faults.items()):
            say(to, f"  {times:,} × {case}", "yellow")
        say(to, f"judge it with: mirrorcore data check {out}", "dim")

    return Answer(document, show, 0 if counts.connections else DataError.exit_code)


def _say_cut(session: Session, out: Path, cut: int) -> None:
    if cut:
        say(session.remarks, f"{out}: {cut} bytes of an unfinished line were cut off", "yellow")


def _until(work: Coroutine[Any, Any, None], seconds: float) -> None:
    """Run until the time is over or Ctrl-C."""
    import asyncio

    async def bounded() -> None:
        try:
            async with asyncio.timeout(seconds or None) as limit:
                await work
        except TimeoutError:
            if not limit.expired():
                raise

    with suppress(KeyboardInterrupt):
        asyncio.run(bounded())
