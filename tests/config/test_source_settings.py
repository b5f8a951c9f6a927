"""``[[sources]]``: what each kind may be told, and how a mistake in it is named."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from mirrorcore.config import InvalidConfigError, Loaded, load_config
from mirrorcore.config.model import SourceConfig
from mirrorcore.config.render import config_hash, to_toml
from mirrorcore.config.source_params import PARAMS, DuneParams, EthereumParams, params_of

LIVE = """
[market]
source = "exchange"
symbols = ["BTC/USDT", "ETH/USDT"]
"""
POOL = """
[[sources]]
kind = "uniswap_v3"
url = "http://127.0.0.1:8545"
[[sources.params.pools]]
address = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
symbol = "ETH/USDT"
whale = 100
base = { address = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", symbol = "WETH", decimals = 18 }
quote = { address = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", symbol = "USDC", decimals = 6 }
"""


def loaded(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "mirrorcore.toml"
    file.write_text(LIVE + text, encoding="utf-8")
    return load_config(file, {})


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        loaded(tmp_path, text)
    return [str(one).split("toml:", 1)[1].split(": ", 1)[1] for one in caught.value.mistakes]


def test_every_kind_says_what_it_can_be_told() -> None:
    kinds = typing.get_args(SourceConfig.model_fields["kind"].annotation)
    assert kinds == tuple(PARAMS)
    for section in PARAMS.values():
        assert all(info.description for info in section.model_fields.values())


def test_sources_become_what_opens_them(tmp_path: Path) -> None:
    text = (
        '[[sources]]\nkind = "ethereum"\nurl = "http://127.0.0.1:8545"\n'
        'params = { confirmations = 3, poll = "500ms", native_threshold = 0.1 }\n'
        '[[sources]]\nkind = "dune"\nsymbols = ["BTC/USDT"]\n'
        'params = { query = 7, series = { active = "onchain.active" } }\n'
    ) + POOL
    config = loaded(tmp_path, text).config
    chain, dune, pool = (params_of(one) for one in config.sources)
    assert isinstance(chain, EthereumParams)
    assert (chain.confirmations, chain.poll, str(chain.native_threshold)) == (3, 500_000_000, "0.1")
    assert isinstance(dune, DuneParams)
    assert (dune.key, dune.execute) == ("DUNE_API_KEY", False)
    assert pool.model_dump()["pools"][0]["base"]["symbol"] == "WETH"
    again = tmp_path / "again.toml"
    again.write_text(to_toml(config), encoding="utf-8")
    assert load_config(again, {}).config.sources == config.sources
    assert config_hash(config) != config_hash(loaded(tmp_path, "").config)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('kind = "fear_gred"', 'did you mean "fear_greed"?'),
        ('kind = "feed"', "sources[1].url: must be given: the address of the feed"),
        ('kind = "feed"\nurl = "feed.xml"', "must be an address that begins with http://"),
        ('kind = "feed"\nurl = "http://me:word@host/"', "without a password"),
        ('kind = "fear_greed"\nname = "price_check"', "is a name the run uses itself"),
        ('kind = "fear_greed"\nname = "binance"', "is the name of the run's venue"),
        ('kind = "fear_greed"\nsymbols = ["BTC/USDT"]', "is not read by fear_greed"),
        ('kind = "fear_greed"\nparams = { every = "1h" }', "unknown parameter; known here: none"),
        ('kind = "x"', "sources[1].params.query: is missing"),
        ('kind = "fred"\nparams = { series = ["GDP"] }', 'series[1] = "GDP": must be a table'),
        ('kind = "x"\nparams = { query = "btc", tokn = "A" }', "did you mean token?"),
        ('kind = "x"\nparams = { query = "btc", token = "a-b" }', "name of an environment varia"),
        ('kind = "ethereum"', "params.node which variable does"),
        ('kind = "ethereum"\nparams = { node = "N", poll = 5 }', 'did you mean "5m"?'),
        (
            'kind = "ethereum"\nparams = { node = "N", markets = { ETH = "ETH/USD" } }',
            'is no symbol of market.symbols; did you mean "ETH/USDT"?',
        ),
        ('kind = "exchange"\nsymbols = ["BTC/USD"]\nparams = { venue = "okx" }', "is no symbol of"),
        ('kind = "exchange"\nparams = { venue = "OKX" }', "must be a name in lower case"),
        ('kind = "json"\nurl = "http://h/a"\nparams = { series = [] }', "is empty: name at least"),
        (
            'kind = "json"\nurl = "http://h/a"\nparams = { key = "K", series = ['
            '{ name = "fundamental.supply", value = "a", unit = "coins" }] }',
            "need each other",
        ),
        (
            'kind = "dune"\nparams = { query = 1, series = { a = "onchain.a" }, '
            'symbol_column = "s" }',
            "must name the symbols that symbol_column is read for",
        ),
    ],
)
def test_a_mistake_says_where_it_is_and_what_was_meant(
    tmp_path: Path, text: str, told: str
) -> None:
    (found,) = mistakes(tmp_path, f"[[sources]]\n{text}\n")
    assert told in found
    assert found.startswith("sources[1].")


def test_a_mistake_deep_within_is_told_once(tmp_path: Path) -> None:
    text = POOL.replace("decimals = 6", 'decimal = "6"')
    found = mistakes(tmp_path, text)
    assert sorted(one.split(" =")[0].split(":")[0] for one in found) == [
        "sources[1].params.pools[1].quote.decimal",
        "sources[1].params.pools[1].quote.decimals",
    ]
    assert any("did you mean decimals?" in one for one in found)


def test_two_sources_of_one_kind_need_names(tmp_path: Path) -> None:
    two = '[[sources]]\nkind = "fear_greed"\n' * 2
    assert mistakes(tmp_path, two) == ["sources[2].name: is taken by sources[1]"]


def test_sources_of_another_market_are_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "mirrorcore.toml"
    file.write_text('[[sources]]\nkind = "fear_greed"\n', encoding="utf-8")
    (warning,) = load_config(file, {}).warnings
    assert 'are not asked, they are for market.source = "exchange"' in warning
