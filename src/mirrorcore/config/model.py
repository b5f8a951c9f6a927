"""What can be configured: every setting once, with its default and the reason for it.

The description of a field is its documentation; :func:`mirrorcore.config.render.describe` lists
them. Only pydantic and the clock are imported here, and only when a configuration is loaded.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND
from mirrorcore.config.quantities import (
    Amount,
    Delay,
    Duration,
    EmergenceTypes,
    Location,
    Names,
    Params,
    Span,
    Symbols,
    Tables,
    TimeRange,
)

SCHEMA_VERSION = 1
DEFAULT_SYMBOL_COUNT = 8
DEFAULT_BAR = 5 * MINUTE

_SERIES_NAME = r"^(technical|fundamental|sentiment|risk|onchain|macro)\.[A-Za-z][A-Za-z0-9_]*$"
_VENUE = r"^[a-z][a-z0-9_]*$"
_IDENTIFIER = r"^[A-Za-z][A-Za-z0-9_.-]*$"


def setting(
    default: Any, why: str, *, unset: str = "", location: bool = False, **limits: Any
) -> Any:
    """A field with its default, the reason for it and its limits.

    ``unset`` says what happens where the default is None; ``location`` marks a place on this
    machine, which is no part of what a run is.
    """
    extra: Any = {"unset": unset, "location": location}
    return Field(default, description=why, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A table of the configuration: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class SeriesConfig(Section):
    """``[[market.series]]``: a side channel read from a file of its own."""

    name: str = setting(
        ..., "category.name under which agents find it, as onchain.whale_flow", pattern=_SERIES_NAME
    )
    path: Location = setting(..., "parquet, feather, CSV or JSON file", location=True)
    time: str = setting("ts", "column with the time of each value: the name candles use too")
    value: str = setting("value", "column with the value")
    symbol: str = setting("*", "symbol it belongs to; * is the whole market", min_length=1)
    lag: Delay = setting(
        0,
        "how long after its time a value becomes known; 0 suits data stamped at publication, a "
        "macro series stamped with its reference month needs weeks",
    )
    released: str | None = setting(
        None,
        "column with the instant each value became public, one row for each correction; lag is "
        "added to it, and where it holds days alone a value counts from the end of the day",
        unset="a value is known at its time plus lag",
        min_length=1,
    )
    where: dict[str, str] = setting(
        {}, "column = value pairs a row must have, to take one series out of a table of many"
    )


class MarketConfig(Section):
    """``[market]``: where the market comes from."""

    source: Literal["simulated", "recorded", "exchange"] = setting(
        "simulated",
        "simulated needs no data and no network, so a first run works anywhere; exchange is a "
        "venue as it trades now, for paper runs",
    )
    preset: Literal["default", "plain", "null"] = setting(
        "default",
        "kind of simulated market: default has everything, plain has skill but no regimes, null "
        "has no edge at all and is the test for luck",
    )
    ic: float | None = setting(
        None,
        "information coefficient of the simulated market's hidden alpha: how much there is to find",
        unset="the preset's own: 0.006, and 0 for null",
        ge=0,
        le=0.2,
    )
    swap: Duration | None = setting(
        None,
        "after which the simulated market's whale flow and its decoy exchange what they know: a "
        "rehearsal for skill that moves",
        unset="never",
    )
    symbols: Symbols = setting(
        None,
        "names of the symbols, or for a simulated market how many",
        unset=f"{DEFAULT_SYMBOL_COUNT} simulated symbols, or all the directory holds",
    )
    timeframe: Duration | None = setting(
        None,
        "length of a bar; five minutes is the shortest that costs leave worth trading",
        unset="5m for a simulated market, what the files say for a recorded one",
    )
    period: Duration = setting(
        365 * DAY, "length of a simulated history; a year holds every season once"
    )
    bars: int | None = setting(
        None,
        "length of a simulated history in bars; wins over period",
        unset="period decides",
        ge=1,
        le=100_000_000,
    )
    directory: Location | None = setting(
        None,
        "folder of recorded candles: parquet, feather or CSV",
        unset="none; a recorded market needs one",
        location=True,
    )
    pattern: str | None = setting(
        None,
        "how candle files are named, with {symbol} and maybe {venue}, {timeframe} and *",
        unset="the known patterns: BTC_USDT-5m.feather, bybit_BTCUSDT_5m_2025Q2.parquet, ...",
        min_length=1,
    )
    timerange: Span | None = setting(
        None,
        "part of the data to use, from the first day's midnight UTC to the last one's, exclusive",
        unset="all of it",
    )
    sparse: bool | None = setting(
        None,
        "whether an interval without trades has no bar; most venues write none, so a hole is no "
        "fault; false where each interval must be there",
        unset="told from the files: sparse where more than one interval in 200 is missing",
    )
    unit: Literal["auto", "s", "ms", "us", "ns"] = setting(
        "auto", "unit of whole-number times in files; auto tells by their size, which years apart"
    )
    series: Annotated[tuple[SeriesConfig, ...], Tables] = setting(
        (), "side channels beside the candles"
    )

    @property
    def bar(self) -> int:
        """Length of a bar of a market that does not say itself: simulated, or live; ns."""
        return DEFAULT_BAR if self.timeframe is None else self.timeframe

    @property
    def symbol_count(self) -> int:
        """How many symbols a simulated market has."""
        if self.symbols is None:
            return DEFAULT_SYMBOL_COUNT
        return self.symbols if isinstance(self.symbols, int) else len(self.symbols)

    @property
    def symbol_names(self) -> tuple[str, ...] | None:
        """The symbols asked for by name; None leaves them to the source."""
        return self.symbols if isinstance(self.symbols, tuple) else None

    @property
    def bar_count(self) -> int:
        """Bars of a simulated history."""
        return self.bars if self.bars is not None else self.period // self.bar


class VenueConfig(Section):
    """``[exchange]``: the venue that ``market.source = "exchange"`` listens to."""

    venue: str = setting(
        "binance", "which one, as CCXT calls it; the one whose protocol is tested", pattern=_VENUE
    )
    url: str | None = setting(
        None,
        "address of a local exchange, as http://127.0.0.1:8900, in place of the venue's own",
        unset="the venue's own addresses",
        pattern=r"^https?://[^/\s]+/?$",
    )
    batch: Duration = setting(
        SECOND,
        "how often what came in is closed into one batch; a bar's trades have that long to come",
    )
    stale_after: Duration = setting(
        15 * SECOND, "silence of a symbol after which it takes no new risk; busy ones trade faster"
    )
    lateness: Delay = setting(
        2 * SECOND, "how long after its end a bar waits for trades that are under way"
    )
    patience: Delay = setting(
        30 * SECOND,
        "how long a bar waits for a venue that is down or fills a gap; then it is closed without",
    )


class SourceConfig(Section):
    """``[[sources]]``: something else a live run listens to, beside its venue."""

    kind: Literal[
        "fred",
        "ecb",
        "fear_greed",
        "feed",
        "reddit",
        "x",
        "json",
        "calendar",
        "ethereum",
        "uniswap_v2",
        "uniswap_v3",
        "dune",
        "exchange",
    ] = setting(..., "which one, as 'mirrorcore data sources' lists them; exchange is a venue more")
    name: str | None = setting(
        None,
        "what its records and its health are called; two of one kind need two",
        unset="its kind",
        pattern=_IDENTIFIER,
    )
    url: str | None = setting(
        None,
        "address that is asked: the feed, the document, the node of a chain, or a server in place "
        "of the service's own; without keys, for it is written down with the run",
        unset="the service's own address",
        pattern=r"^https?://[^/\s@]+(/\S*)?$",
    )
    symbols: Names = setting(
        (),
        "symbols of the run: those a venue more is asked for, all where none is named, or those a "
        "query of Dune is about; other kinds name theirs in params",
    )
    params: Params = setting({}, "what its kind is told, as docs/data.md lists it")

    @property
    def label(self) -> str:
        """What it is called."""
        return self.kind if self.name is None else self.name


class InstrumentConfig(Section):
    """``[[instruments]]``: what a symbol trades in; one left out gets the defaults."""

    symbol: str = setting(..., "the symbol described, as BTC/USDT", min_length=1)
    tick: Amount = setting(
        Decimal("1e-8"), "smallest step of price; the finest any venue uses", gt=0, le=10**9
    )
    lot: Amount = setting(
        Decimal("1e-8"), "smallest step of quantity; the finest any venue uses", gt=0, le=10**9
    )
    minimum: Amount = setting(
        Decimal(0), "smallest value of an order, in settlement currency; 0 is none", ge=0, le=10**12
    )
    multiplier: Amount = setting(
        Decimal(1), "base units in one contract; 1 is spot", gt=0, le=10**12
    )
    shortable: bool = setting(True, "whether it can be sold short; perpetuals can, spot cannot")
    settlement: str | None = setting(
        None,
        "currency profits are paid in",
        unset="after the colon of the symbol, else its quote currency",
        min_length=1,
    )


class AccountConfig(Section):
    """``[account]``: what the swarm trades with."""

    currency: str | None = setting(
        None, "currency of the account", unset="the settlement currency of the symbols"
    )
    balance: Amount = setting(
        Decimal(100_000),
        "money at the start; enough that one lot is small against it",
        gt=0,
        le=10**15,
    )


class CostsConfig(Section):
    """``[costs]``: what trading takes."""

    fee_bps: float = setting(
        10.0,
        "fee a side in basis points; the taker fee of a common venue's base tier",
        ge=0,
        le=1000,
    )
    slippage_bps: float = setting(
        5.0, "distance of a fill from the open, against us; a wide spread's half", ge=0, le=1000
    )
    participation: float = setting(
        0.10,
        "largest share of a bar's volume an order may take; above a tenth the price would move",
        gt=0,
        le=1,
    )


class RiskConfig(Section):
    """``[risk]``: hard limits, as fractions of equity, outside every agent."""

    volatility_target: float = setting(
        0.10, "volatility a year that positions are sized to; a moderate fund's", gt=0, le=1
    )
    gross: float = setting(
        1.5, "largest sum of absolute positions; half more than the account owns", gt=0, le=10
    )
    net: float = setting(1.0, "largest sum of signed positions; never long on credit", gt=0, le=10)
    per_symbol: float = setting(
        0.4, "largest position in one symbol; three must agree to fill the book", gt=0, le=10
    )
    drawdown: float = setting(
        0.20,
        "loss from the peak that ends trading; twice a bad year at the target volatility; 1 is off",
        gt=0,
        le=1,
    )
    daily_loss: float = setting(
        0.05,
        "loss since 00:00 UTC that ends new risk until the next day; at the target volatility a "
        "day moves 0.5 %, so this is a fault or a crash, not a day; 1 is off",
        gt=0,
        le=1,
    )
    orders_per_minute: int = setting(
        120, "most orders a minute; a whole book of a hundred symbols at once", ge=1, le=100_000
    )
    price_collar: float = setting(
        0.05,
        "largest distance of a fill of new risk from the price it was decided at; five minutes "
        "move 0.25 % at 80 % volatility, so a gap of 5 % is other news",
        gt=0,
        lt=1,
    )
    stale_after: int = setting(
        3, "bars without news after which a symbol gets no new risk; two may be a pause", ge=1
    )


class AgentsConfig(Section):
    """``[agents]``: the roster to start from."""

    preset: Literal["standard", "none"] = setting(
        "standard", "standard is the whole roster, none leaves only the [[agent]] entries"
    )
    without: Names = setting((), "agents of the preset to leave out, for ablations")


class AgentEntry(Section):
    """``[[agent]]``: one agent more, or another setting for one of the preset."""

    id: str = setting(
        ..., "its name in the swarm; one of the preset's replaces it", pattern=_IDENTIFIER
    )
    type: str | None = setting(
        None,
        "which agent of the roster it is",
        unset="the one in file, else the preset's agent of that id",
        min_length=1,
    )
    file: Location | None = setting(
        None, "Python file with an agent of your own", unset="none: type says", location=True
    )
    class_name: str | None = Field(
        None,
        alias="class",
        description="class of the agent within file",
        json_schema_extra={"unset": "the only agent there", "location": False},
        min_length=1,
    )
    params: Params = setting({}, "what the agent itself can be told")
    cadence: Duration | None = setting(
        None, "how often it is called, in market time", unset="the agent's own"
    )
    horizon: Duration | None = setting(None, "how far ahead it forecasts", unset="the agent's own")
    essential: bool = setting(
        False, "whether trading stops when it fails for good; most agents can be missed"
    )
    isolation: Literal["loop", "process"] = setting(
        "loop",
        "process gives it a process of its own in paper, for what computes long or is not trusted",
    )
    interests: Names | None = setting(
        None, "market categories, views and agents it reads", unset="the agent's own"
    )


class FusionConfig(Section):
    """``[fusion]``: how votes become one forecast, and forecasts targets."""

    half_life: Duration = setting(
        365 * DAY, "memory of who was right; trust needs months of it, a year ranks best"
    )
    short_half_life: Duration = setting(
        30 * DAY, "a second memory beside it, which sees sooner that skill has moved"
    )
    change: Duration = setting(
        30 * DAY,
        "time within which one change of skill is expected: the shorter, the sooner the short "
        "memory is believed, and the more of luck with it",
    )
    ridge_days: float = setting(
        100.0,
        "pull of the weights towards none, in days of one symbol's evidence, so that it means the "
        "same on every timeframe; recovers most of a planted skill",
        ge=0,
        le=1e9,
    )
    refit: Duration = setting(
        4 * HOUR, "how often the weights are solved again; a memory of months moves slowly"
    )
    residual: bool = setting(
        True,
        "forecast the residual to the cross-section (3 symbols or more): the common factor is most "
        "of the variance and drowns all else",
    )
    factor_share: float = setting(
        0.25, "size of the separate bet on the common factor, against the residual one", ge=0, le=1
    )
    smoothing: Delay = setting(
        4 * HOUR,
        "half-life of the targets where a side costs 5 bp, growing with the root of the cost; "
        "without it costs eat the forecast",
    )
    band: float = setting(
        1.0,
        "half-width of the no-trade band where a side costs 5 bp, in typical positions, growing "
        "with the cube root of the cost",
        ge=0,
        le=100,
    )
    clip: float = setting(
        2.5,
        "largest position, in typical ones; rare large forecasts are mostly wrong",
        gt=0,
    )


class PaperConfig(Section):
    """``[paper]``: a run in front of you."""

    speed: float = setting(
        60.0,
        "market seconds a wall second; 60 makes a bar of five minutes last five seconds, 1 is live",
        gt=0,
        le=1_000_000,
    )
    warmup: Delay = setting(
        7 * DAY, "history replayed before it begins; the longest feature needs three days"
    )
    seconds: float = setting(0.0, "wall seconds after which it ends; 0 goes on until stopped", ge=0)


class FaultConfig(Section):
    """``[[faults]]``: a fault made on purpose, for drills."""

    agent: str = setting(..., "agent that fails", min_length=1)
    at: int = setting(..., "tick at which it begins", ge=0)
    kind: Literal["raise", "hang", "nan", "flood", "undeclared"] = setting(
        "raise",
        "raise an error, never return, answer NaN, flood the bus, or write a field not declared",
    )
    count: int = setting(1, "how many calls in a row are hit; one shows a recovery", ge=1)


class JournalConfig(Section):
    """``[journal]``: what a replay of history writes down; paper and live write all."""

    mode: Literal["on_change", "full"] = setting(
        "on_change",
        "on_change keeps decisions that changed something and a hash of the rest, a tenth of full",
    )


class StorageConfig(Section):
    """``[storage]``: where runs are kept."""

    runs: Location = setting(Path("runs"), "folder of the runs, beside the project", location=True)


class WebConfig(Section):
    """``[web]``: the dashboard and API beside a paper run; no part of what a run is."""

    enabled: bool = setting(
        True, "whether paper runs are served; on this machine alone, behind a token"
    )
    host: str = setting(
        "127.0.0.1",
        "address that is listened on; any but this machine's own is refused without behind_proxy",
        pattern=r"^[A-Za-z0-9.:-]+$",
    )
    port: int = setting(
        8420, "port that is listened on, or the next that is free; 0 takes any", ge=0, le=65535
    )
    behind_proxy: bool = setting(
        False,
        "whether a proxy of your own with TLS stands before it; only then may host be another "
        "machine's to reach, for tokens travel as they are",
    )
    hosts: Names = setting(
        (), "further names it answers to, as dash.example.org: those of the proxy"
    )


class EmergenceConfig(Section):
    """``[emergence]``: what watches for behaviour nobody wrote; it changes no run."""

    enabled: bool = setting(
        True, "whether paper runs and their repetitions are watched, off the trading path"
    )
    detectors: EmergenceTypes = setting(
        ("novelty", "collective"),
        "what is watched for; those left out here are experimental: that they keep their bars "
        "is not shown",
    )
    symbol: str | None = setting(
        None,
        "the one whose votes and positions are watched; specialisation watches all symbols",
        unset="all symbols of the run, fewer where there are very many or very many agents",
        min_length=1,
    )
    baseline: int = setting(
        2000, "ticks from which drift and risk learn what is usual before they say anything", ge=512
    )
    learned: Location | None = setting(
        None,
        "baseline of an earlier run of the same agents, to start from",
        unset="everything is learned anew",
        location=True,
    )
    history: bool = setting(
        False, "whether replays of history are watched too, which takes a second core"
    )


class RunConfig(Section):
    """All of it. ``RunConfig()`` is the configuration of an empty file."""

    schema_version: Literal[1] = setting(
        SCHEMA_VERSION, "version of this layout, so that a later one can read an old file"
    )
    seed: int = setting(
        42, "where all randomness comes from; fixed, so that two runs agree", ge=0, lt=2**63
    )
    market: MarketConfig = setting(MarketConfig(), "where the market comes from")
    exchange: VenueConfig = setting(VenueConfig(), "the venue a live market comes from")
    account: AccountConfig = setting(AccountConfig(), "what the swarm trades with")
    costs: CostsConfig = setting(CostsConfig(), "what trading takes")
    risk: RiskConfig = setting(RiskConfig(), "hard limits outside every agent")
    agents: AgentsConfig = setting(AgentsConfig(), "the roster to start from")
    fusion: FusionConfig = setting(FusionConfig(), "how votes become targets")
    paper: PaperConfig = setting(PaperConfig(), "a run in front of you")
    web: WebConfig = setting(WebConfig(), "the dashboard and API beside a paper run")
    emergence: EmergenceConfig = setting(
        EmergenceConfig(), "what watches for behaviour nobody wrote"
    )
    journal: JournalConfig = setting(JournalConfig(), "what a replay of history writes down")
    storage: StorageConfig = setting(StorageConfig(), "where runs are kept")
    sources: Annotated[tuple[SourceConfig, ...], Tables] = setting(
        (), "what a live run listens to beside its venue; only what is named here is asked"
    )
    instruments: Annotated[tuple[InstrumentConfig, ...], Tables] = setting(
        (), "what symbols trade in"
    )
    agent: Annotated[tuple[AgentEntry, ...], Tables] = setting((), "agents of your own")
    faults: Annotated[tuple[FaultConfig, ...], Tables] = setting((), "faults made on purpose")


__all__ = [
    "DEFAULT_SYMBOL_COUNT",
    "SCHEMA_VERSION",
    "AccountConfig",
    "AgentEntry",
    "AgentsConfig",
    "CostsConfig",
    "EmergenceConfig",
    "FaultConfig",
    "FusionConfig",
    "InstrumentConfig",
    "JournalConfig",
    "MarketConfig",
    "PaperConfig",
    "RiskConfig",
    "RunConfig",
    "Section",
    "SeriesConfig",
    "SourceConfig",
    "StorageConfig",
    "TimeRange",
    "VenueConfig",
    "WebConfig",
]
