"""What each kind of ``[[sources]]`` can be told under ``params``: every setting with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND
from mirrorcore.config.market import SourceConfig
from mirrorcore.config.quantities import Amount, Delay, Duration, Names, Tables
from mirrorcore.config.section import Section, setting

_SERIES = r"^(technical|fundamental|sentiment|risk|onchain|macro)\.[A-Za-z][A-Za-z0-9_]*$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


class NoParams(Section):
    """A kind that needs to be told nothing."""


class FredSeriesParams(Section):
    """One figure of FRED."""

    id: str = setting(..., "the service's own name of it, as CPIAUCSL", min_length=1)
    name: str = setting(..., "category.name under which agents find it", pattern=_SERIES)
    unit: str = setting(..., "its unit, as people write it", min_length=1)


class FredParams(Section):
    """``kind = "fred"``."""

    series: Annotated[tuple[FredSeriesParams, ...], Tables] = setting(
        (), "the figures asked for; none named: seven that move markets"
    )
    key: str = setting("FRED_API_KEY", "environment variable that holds the key", pattern=_VARIABLE)


class EcbParams(Section):
    """``kind = "ecb"``."""

    currencies: Names = setting(("USD", "JPY", "GBP"), "currencies one euro is told in")


class RedditParams(Section):
    """``kind = "reddit"``."""

    subreddit: str = setting(..., "whose new posts are read", min_length=1)
    user_agent: str = setting(..., "who asks: the service refuses programs without", min_length=1)
    client: str = setting(
        "REDDIT_CLIENT_ID", "environment variable with the identity", pattern=_VARIABLE
    )
    secret: str = setting(
        "REDDIT_CLIENT_SECRET", "environment variable with the password", pattern=_VARIABLE
    )


class XParams(Section):
    """``kind = "x"``."""

    query: str = setting(..., "which posts, in the service's own language", min_length=1)
    token: str = setting(
        "X_BEARER_TOKEN", "environment variable that holds the token", pattern=_VARIABLE
    )


class JsonSeriesParams(Section):
    """Where in a document one series stands."""

    name: str = setting(..., "category.name under which agents find it", pattern=_SERIES)
    value: str = setting(..., "dotted path of the value, from its row", min_length=1)
    unit: str = setting(..., "its unit after scaling, as people write it", min_length=1)
    rows: str = setting("", "path of the list of rows; empty: the document is one")
    time: str = setting("", "path of the instant; empty: that of receipt")
    released: str = setting("", "path of the instant of publication; empty: time plus lag")
    lag: Delay = setting(0, "how long after its time a value is public")
    symbol: str = setting("*", "one of the run, or * for the whole market", min_length=1)
    scale: float = setting(1.0, "what values are multiplied with, for another unit")
    expect: dict[str, str] = setting({}, "path = text that must stand there: the right coin, unit")
    low: float | None = setting(None, "below it the unit is another", unset="no bound")
    high: float | None = setting(None, "above it the unit is another", unset="no bound")


class JsonParams(Section):
    """``kind = "json"``."""

    series: Annotated[tuple[JsonSeriesParams, ...], Tables] = setting(
        ..., "what stands where in the document", min_length=1
    )
    query: dict[str, str] = setting({}, "parameters of the address")
    key: str = setting("", "environment variable that holds a key; empty where none is needed")
    key_parameter: str = setting("", "parameter of the address the key is sent in")
    key_header: str = setting("", "header the key is sent in")
    licence: str = setting("", "terms of the service, with the attribution it asks for")


class CalendarParams(Section):
    """``kind = "calendar"``."""

    file: str = setting(..., "the table of what was announced; read anew every hour", min_length=1)
    supply: dict[str, Amount] = setting(
        {}, "symbol = coins in circulation, of which unlocks are a share; without it none is told"
    )
    horizon: Duration = setting(30 * DAY, "how far ahead unlocks are added up")


class ChainParams(Section):
    """What every chain is told."""

    node: str = setting(
        "",
        "environment variable that holds the node's address, where that has a key in it; else url",
    )
    chain_id: int = setting(1, "the chain the node has to follow; 1 is Ethereum", ge=1)
    confirmations: int = setting(
        12, "blocks on top after which a block counts; twelve are rarely undone", ge=0, le=1000
    )
    block: Duration = setting(12 * SECOND, "usual time between blocks; Ethereum's")
    poll: Duration = setting(3 * SECOND, "between two looks at the head; a quarter of a block")
    act_on_unconfirmed: bool = setting(
        False, "whether values may be made of blocks that are not final and may be undone"
    )
    flow: Duration = setting(5 * MINUTE, "length of the windows flows are summed over")


class TokenParams(Section):
    """A token that is believed, by the address of its contract."""

    address: str = setting(..., "of its contract: names are free to take", pattern=_ADDRESS)
    symbol: str = setting(..., "what we call it", min_length=1)
    decimals: int = setting(..., "digits of its smallest unit; compared with the contract's", ge=0)
    threshold: Amount = setting(
        Decimal(0), "units from which on a transfer is told; 0 for every one", ge=0
    )


class EthereumParams(ChainParams):
    """``kind = "ethereum"``."""

    native: str = setting("ETH", "symbol of the chain's own coin", min_length=1)
    native_threshold: Amount = setting(
        Decimal(100), "units from which on a payment is told; few are larger", ge=0
    )
    tokens: Annotated[tuple[TokenParams, ...], Tables] = setting(
        (), "tokens whose transfers are read; all others are not believed"
    )
    exchanges: Names = setting((), "addresses of exchanges' wallets; without them no flows")
    markets: dict[str, str] = setting(
        {}, 'symbol of the run by coin or token, for flows: { ETH = "ETH/USDT" }'
    )


class PoolTokenParams(Section):
    """One of a pool's two tokens."""

    address: str = setting(..., "of its contract", pattern=_ADDRESS)
    symbol: str = setting(..., "what we call it", min_length=1)
    decimals: int = setting(..., "digits of its smallest unit", ge=0)


class PoolParams(Section):
    """A pool that is believed, by its address."""

    address: str = setting(..., "of the pool's contract", pattern=_ADDRESS)
    symbol: str = setting(..., "symbol of the run its values are about", min_length=1)
    base: PoolTokenParams = setting(..., "the token that is traded")
    quote: PoolTokenParams = setting(..., "the token it is paid in")
    whale: Amount = setting(
        Decimal(0), "units of base from which on a swap is a whale's; 0 makes every one", ge=0
    )


class UniswapParams(ChainParams):
    """``kind = "uniswap_v2"`` and ``"uniswap_v3"``."""

    pools: Annotated[tuple[PoolParams, ...], Tables] = setting(
        ..., "the pools, one a symbol", min_length=1
    )


class DuneParams(Section):
    """``kind = "dune"``."""

    query: int = setting(..., "the number in the query's address", ge=1)
    series: dict[str, str] = setting(
        ..., 'category.name by column: { active = "onchain.active_addresses" }', min_length=1
    )
    time: str = setting("time", "column that says when", min_length=1)
    symbol_column: str = setting("", "column that says the symbol; empty: one, or all, of the run")
    units: dict[str, str] = setting({}, "unit by series")
    execute: bool = setting(False, "whether each asking has it executed, which costs credits")
    every: Duration = setting(HOUR, "how often it is asked; results rarely change sooner")
    key: str = setting("DUNE_API_KEY", "environment variable that holds the key", pattern=_VARIABLE)


class ExchangeParams(Section):
    """``kind = "exchange"``."""

    venue: str = setting(..., "which one, as CCXT calls it", pattern=r"^[a-z][a-z0-9_]*$")
    candles: bool = setting(
        False,
        "whether its candles come, in place of trades and quotes: of the venue that is traded on, "
        "to compare the run's own bars with them",
    )


PARAMS: Mapping[str, type[Section]] = {
    "fred": FredParams,
    "ecb": EcbParams,
    "fear_greed": NoParams,
    "feed": NoParams,
    "reddit": RedditParams,
    "x": XParams,
    "json": JsonParams,
    "calendar": CalendarParams,
    "ethereum": EthereumParams,
    "uniswap_v2": UniswapParams,
    "uniswap_v3": UniswapParams,
    "dune": DuneParams,
    "exchange": ExchangeParams,
}
"""By kind."""


def params_of(source: SourceConfig) -> Section:
    """The parameters of a source whose configuration was judged."""
    return PARAMS[source.kind].model_validate(source.params)


_VARIABLES = ("key", "client", "secret", "token")
"""Settings that name an environment variable with a key in it, in every kind that has them."""


def variables_of(source: SourceConfig) -> tuple[str, ...]:
    """Environment variables without which a source cannot be opened: of its keys, and of the node's
    address where no ``url`` is given."""
    params = params_of(source)
    names = [str(getattr(params, one)) for one in _VARIABLES if one in type(params).model_fields]
    if isinstance(params, ChainParams) and source.url is None:
        names.append(params.node)
    return tuple(name for name in names if name)
