"""What a live run listens to beside its venue, opened as ``[[sources]]`` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorcore.clock import Clock, LiveClock
from mirrorcore.config.model import RunConfig, SourceConfig
from mirrorcore.config.quantities import plain_decimal
from mirrorcore.config.source_params import (
    CalendarParams,
    ChainParams,
    DuneParams,
    EcbParams,
    EthereumParams,
    ExchangeParams,
    FredParams,
    JsonParams,
    JsonSeriesParams,
    PoolTokenParams,
    RedditParams,
    TokenParams,
    UniswapParams,
    XParams,
    params_of,
)
from mirrorcore.data_sources.live import PolledSource, StreamSource
from mirrorcore.errors import ConfigError, MirrorCoreError, UsageError
from mirrorcore.market.records import ALL_SYMBOLS

if TYPE_CHECKING:
    from mirrorcore.config.model import Section
    from mirrorcore.data_sources.chain.amounts import Token
    from mirrorcore.data_sources.chain.pools import Pool
    from mirrorcore.data_sources.chain.source import ChainRules
    from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries
    from mirrorcore.data_sources.running.rate_limits import RateLimits
    from mirrorcore.data_sources.social.tone import NewsTone

Source = StreamSource | PolledSource
_CANDLES_LATE = 3
"""Bars without a candle after which a source of candles is called silent."""


def open_sources(
    config: RunConfig, environment: Mapping[str, str]
) -> Mapping[str, Sequence[Source]]:
    """The sources of ``[[sources]]`` by category, not yet connected.

    Parameters
    ----------
    environment: where keys and the addresses of nodes are looked up.

    Raises
    ------
    ConfigError
        naming the source, where a variable it needs is not set or its parameters contradict.
    """
    from mirrorcore.data_sources.running.rate_limits import RateLimits

    clock = LiveClock()
    opener = _Opener(config, environment, clock, RateLimits(clock))
    found: dict[str, list[Source]] = {}
    for entry in config.sources:
        try:
            source = opener.open(entry)
        except (UsageError, ValueError, TypeError) as error:
            told, hint = str(error), "check its parameters"
            if isinstance(error, MirrorCoreError):
                told, hint = error.message, error.hint
            raise ConfigError(f"source {entry.label}: {told}", hint=hint) from None
        found.setdefault(source.spec.category, []).append(source)
    return found


def declared_units(sources: Iterable[Source]) -> dict[str, dict[str, str]]:
    """Unit of each series by the source that brings it, as its source says."""
    return {
        source.spec.name: own
        for source in sources
        if (own := {name: unit for name, unit in source.spec.units.items() if "." in name})
    }


def believed_tokens(config: RunConfig) -> AbstractSet[str] | None:
    """Addresses of the tokens whose transfers are believed; None where no chain is followed."""
    from mirrorcore.data_sources.chain.ethereum import NATIVE_TOKEN

    chains = [
        params for entry in config.sources if isinstance(params := params_of(entry), EthereumParams)
    ]
    if not chains:
        return None
    return frozenset((NATIVE_TOKEN, *(token.address for one in chains for token in one.tokens)))


def news_tone(symbols: Sequence[str], sources: Mapping[str, Sequence[Source]]) -> NewsTone | None:
    """The tone of what is read, for the symbols of the run; None where no source brings texts."""
    if not any("text" in one.spec.kinds for group in sources.values() for one in group):
        return None
    from mirrorcore.data_sources.social.lexicon import MarketLexicon
    from mirrorcore.data_sources.social.tone import NewsTone

    return NewsTone(MarketLexicon(), symbols)


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens one source after the other; they share limits by host and account."""

    config: RunConfig
    environment: Mapping[str, str]
    clock: Clock
    limits: RateLimits

    def open(self, entry: SourceConfig) -> Source:
        params = params_of(entry)
        if isinstance(params, ExchangeParams):
            return self._venue(entry, params)
        if isinstance(params, ChainParams):
            return self._chain(entry, params)
        if isinstance(params, DuneParams):
            return self._dune(entry, params)
        if isinstance(params, CalendarParams):
            return self._calendar(entry, params)
        return self._service(entry, params)

    def _venue(self, entry: SourceConfig, params: ExchangeParams) -> Source:
        from mirrorcore.data_sources.exchange import ExchangeSource

        return ExchangeSource(
            params.venue,
            entry.symbols or self.config.market.symbol_names or (),
            kinds=("bar",) if params.candles else ("trade", "quote"),
            bar_ns=self.config.market.bar if params.candles else 0,
            url=entry.url,
            # A candle comes when it is finished.
            stale_after_ns=max(
                self.config.exchange.stale_after,
                _CANDLES_LATE * self.config.market.bar if params.candles else 0,
            ),
            name=entry.label,
        )

    def _chain(self, entry: SourceConfig, params: ChainParams) -> Source:
        from mirrorcore.data_sources.chain.dex import UniswapV2Source, UniswapV3Source
        from mirrorcore.data_sources.chain.ethereum import EthereumSource

        endpoint = entry.url or self._node(params.node)
        rules = _rules(params)
        if isinstance(params, UniswapParams):
            version = UniswapV2Source if entry.kind == "uniswap_v2" else UniswapV3Source
            return version(
                endpoint,
                self.clock,
                pools=_pools(params),
                name=entry.label,
                rules=rules,
                flow_ns=params.flow,
            )
        assert isinstance(params, EthereumParams)
        return EthereumSource(
            endpoint,
            self.clock,
            name=entry.label,
            rules=rules,
            native=params.native,
            native_threshold=plain_decimal(params.native_threshold),
            tokens=[_token(one) for one in params.tokens],
            exchanges=params.exchanges,
            markets=params.markets,
            flow_ns=params.flow,
        )

    def _node(self, variable: str) -> str:
        address = self.environment.get(variable, "")
        if not address.startswith(("http://", "https://")):
            raise UsageError(
                f"the environment variable {variable} holds no address of a node",
                hint=f"export {variable}=https://… before you start",
            )
        return address

    def _dune(self, entry: SourceConfig, params: DuneParams) -> Source:
        from mirrorcore.data_sources.chain import dune
        from mirrorcore.data_sources.services import Opening

        opening = Opening(self.clock, self.environment, self.limits, entry.url or "")
        key = opening.secret(params.key)
        one = entry.symbols[0] if entry.symbols and not params.symbol_column else ALL_SYMBOLS
        return dune.DuneSource(
            params.query,
            http=opening.client(dune.BASE_URL, dune.READS_PER_MINUTE, key),
            key=key,
            clock=self.clock,
            series=params.series,
            time=params.time,
            symbol=one,
            symbol_column=params.symbol_column,
            symbols=entry.symbols,
            units=params.units,
            mode="execute" if params.execute else "latest",
            name=entry.label,
            cadence_ns=params.every,
        )

    def _calendar(self, entry: SourceConfig, params: CalendarParams) -> Source:
        from mirrorcore.data_sources.fundamental.calendar_files import read_calendar
        from mirrorcore.data_sources.fundamental.calendar_source import CalendarSource, from_file

        path = Path(params.file)
        entries = read_calendar(path)  # what is wrong with it is told before the run begins
        source = CalendarSource(
            from_file(path),
            symbols=self.config.market.symbol_names or (),
            supply=lambda symbol, _: params.supply.get(symbol),
            clock=self.clock,
            name=entry.label,
            horizon_ns=params.horizon,
            licence="as of whoever made the file",
        )
        source.examine(entries)
        return source

    def _service(self, entry: SourceConfig, params: Section) -> Source:
        from mirrorcore.data_sources.services import Opening, open_service

        options = {"name": entry.label, **_options(params)}
        whole = entry.kind in ("feed", "json")
        if whole:
            options["url"] = entry.url
        base = "" if whole else (entry.url or "")
        opening = Opening(self.clock, self.environment, self.limits, base)
        return open_service(entry.kind, opening, options)


def _options(params: Section) -> dict[str, Any]:
    """What a service is asked with, in its own words."""
    if isinstance(params, FredParams):
        from mirrorcore.data_sources.macro.fred import FredSeries

        named = [FredSeries(one.id, one.name, one.unit) for one in params.series]
        return {"key": params.key} | ({"series": tuple(named)} if named else {})
    if isinstance(params, JsonParams):
        return {
            "series": [_json_series(one) for one in params.series],
            "params": params.query,
            "key": params.key,
            "key_parameter": params.key_parameter,
            "key_header": params.key_header,
            "licence": params.licence,
        }
    if isinstance(params, EcbParams | RedditParams | XParams):
        return {name: getattr(params, name) for name in type(params).model_fields}
    return {}


def _json_series(params: JsonSeriesParams) -> JsonSeries:
    from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries

    bounds = {
        name: value for name in ("low", "high") if (value := getattr(params, name)) is not None
    }
    return JsonSeries(
        params.name,
        params.value,
        params.unit,
        rows=params.rows,
        time=params.time,
        released=params.released,
        lag_ns=params.lag,
        symbol=params.symbol,
        scale=params.scale,
        expect=params.expect,
        **bounds,
    )


def _rules(params: ChainParams) -> ChainRules:
    from mirrorcore.data_sources.chain.source import ChainRules

    usual = ChainRules()
    return ChainRules(
        chain_id=params.chain_id,
        confirmations=params.confirmations,
        memory=max(usual.memory, 2 * params.confirmations),
        block_ns=params.block,
        poll_ns=params.poll,
        act_on_unconfirmed=params.act_on_unconfirmed,
    )


def _token(params: TokenParams | PoolTokenParams) -> Token:
    from mirrorcore.data_sources.chain.amounts import Token

    threshold = plain_decimal(params.threshold) if isinstance(params, TokenParams) else "0"
    return Token(params.address, params.symbol, params.decimals, threshold)


def _pools(params: UniswapParams) -> list[Pool]:
    from mirrorcore.data_sources.chain.pools import Pool

    return [
        Pool(
            one.address,
            one.symbol,
            _token(one.base),
            _token(one.quote),
            plain_decimal(one.whale),
        )
        for one in params.pools
    ]
