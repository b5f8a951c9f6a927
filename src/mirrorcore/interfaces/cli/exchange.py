"""``mirrorcore exchange``: an exchange of one's own, for paper trading and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.instants import require_seconds
from mirrorcore.interfaces.cli.registration import command, group

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.exchange.config import ExchangeConfig
    from mirrorcore.exchange.server import LocalExchange

_LOOPBACK = ("127.0.0.1", "localhost")

_HOST = Annotated[str, typer.Option("--host", help="Other than loopback: with --key and --secret.")]
_PORT = Annotated[int, typer.Option("--port", help="0 takes any that is free.")]
_SYMBOLS = Annotated[str, typer.Option("--symbols", metavar="A/B,C/D", help="What is listed.")]
_SEED = Annotated[int, typer.Option("--seed", help="Of the simulated participants.")]
_SPEED = Annotated[
    float,
    typer.Option("--speed", metavar="X", help="How much faster the market lives than its clock."),
]
_HISTORY = Annotated[
    str, typer.Option("--history", metavar="DURATION", help="Made before the start; 2d are kept.")
]
_FAULTS = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", help="What is to go wrong, as [[fault]] in TOML."),
]
_KEY = Annotated[str | None, typer.Option("--key", help="API key of the one client.")]
_SECRET = Annotated[str | None, typer.Option("--secret", help="Its secret.")]
_SECONDS = Annotated[
    float, typer.Option("--seconds", metavar="N", help="Ends after so long; 0 goes on to Ctrl-C.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    exchange = group("A local exchange that speaks like a real one.")
    command(exchange, "serve")(serve)
    app.add_typer(exchange, name="exchange")


def serve(
    session: Session,
    host: _HOST = "127.0.0.1",
    port: _PORT = 8787,
    symbols: _SYMBOLS = "BTC/USDT,ETH/USDT,SOL/USDT",
    seed: _SEED = 1,
    speed: _SPEED = 1.0,
    history: _HISTORY = "2h",
    faults: _FAULTS = None,
    key: _KEY = None,
    secret: _SECRET = None,
    seconds: _SECONDS = 0.0,
) -> Answer:
    """Serve a simulated market to ccxt until Ctrl-C; play money, real protocol."""
    config = _config(
        host=host, port=port, symbols=symbols, seed=seed, speed=speed, history=history,
        faults=faults, key=key, secret=secret,
    )  # fmt: skip
    require_seconds(seconds)
    import asyncio

    from mirrorcore.exchange.server import LocalExchange

    exchange = LocalExchange(config)
    served: dict[str, Any] = {}
    try:
        asyncio.run(_serve(session, exchange, seconds, served))
    except KeyboardInterrupt:
        say(session.story, "")  # the terminal has just shown ^C
    if not served:
        raise KeyboardInterrupt
    document = {**served, **_counts(exchange)}
    return Answer(document, lambda out: _show(document, out))


async def _serve(
    session: Session, exchange: LocalExchange, seconds: float, served: dict[str, Any]
) -> None:
    import asyncio

    from mirrorcore.exchange.server import ccxt_urls

    async with exchange:
        served |= {
            "url": exchange.base_url,
            "rest": exchange.url,
            "streams": exchange.ws_url,
            "ws_api": exchange.ws_api_url,
        }
        client = exchange.config.clients[0]
        _announce(
            session.story,
            exchange,
            {"apiKey": client.key, "secret": client.secret, **ccxt_urls(exchange)},
        )
        try:
            async with asyncio.timeout(seconds or None):
                await exchange.serve()
        except TimeoutError:
            return


def _announce(out: Console, exchange: LocalExchange, client: dict[str, Any]) -> None:
    from pprint import pformat

    symbols = ",".join(listing.symbol for listing in exchange.config.listings)
    say(out, f"local exchange at {exchange.base_url}", "bold")
    say(out, f"  symbols  {symbols}")
    say(out, f"  REST     {exchange.url}")
    say(out, f"  streams  {exchange.ws_url}")
    say(out, f"  ws-api   {exchange.ws_api_url}")
    say(out, "")
    say(out, "for the swarm, in another terminal:")
    say(out, "")
    url = f"--url {exchange.base_url}"
    say(out, f"mirrorcore run --source exchange {url} --symbols {symbols} --timeframe 1m")
    say(out, "")
    say(out, "for ccxt, unmodified:")
    say(out, "")
    say(
        out, f"import ccxt.pro\n\nvenue = ccxt.pro.binance(\n{pformat(client, sort_dicts=False)}\n)"
    )
    say(out, "")
    say(out, "Ctrl-C ends it.", "dim")


def _counts(exchange: LocalExchange) -> dict[str, Any]:
    trades = {
        market.listing.symbol: market.tape.prints.next_number - 1
        for market in exchange.venue.markets.values()
    }
    return {
        "requests": exchange.requests,
        "frames": exchange.hub.frames,
        "slow_readers": exchange.hub.slow_readers,
        "trades": trades,
        "faults": {kind: n for kind, n in exchange.faults.happened.items() if n},
    }


def _show(document: dict[str, Any], out: Console) -> None:
    trades = sum(document["trades"].values())
    say(
        out,
        f"served {document['requests']:,} requests and {document['frames']:,} frames; "
        f"{trades:,} trades were made",
    )
    if document["slow_readers"]:
        say(
            out, f"{document['slow_readers']} connections were dropped: their readers were too slow"
        )
    for kind, times in document["faults"].items():
        say(out, f"fault {kind}: {times}×")


def _config(
    *,
    host: str,
    port: int,
    symbols: str,
    seed: int,
    speed: float,
    history: str,
    faults: Path | None,
    key: str | None,
    secret: str | None,
) -> ExchangeConfig:
    from mirrorcore.clock import parse_duration
    from mirrorcore.exchange.config import Client, ExchangeConfig
    from mirrorcore.exchange.faults import read_schedule

    if (key is None) != (secret is None):
        raise UsageError("--key and --secret belong together", hint="give both or neither")
    if host not in _LOOPBACK and secret is None:
        raise UsageError(
            f"--host {host} opens the exchange to others, and the built-in secret is no secret",
            hint="give --key and --secret of your own",
        )
    try:
        length = parse_duration(history)
    except ValueError as error:
        raise UsageError(f"--history {error}") from None
    client = Client() if key is None or secret is None else Client(key=key, secret=secret)
    return ExchangeConfig(
        symbols=tuple(part for part in symbols.split(",") if part.strip()),
        seed=seed,
        speed=speed,
        history=length,
        clients=(client,),
        host=host,
        port=port,
        faults=tuple(read_schedule(faults)) if faults else (),
    )
