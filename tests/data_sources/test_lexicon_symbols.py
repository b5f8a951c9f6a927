"""Assets named in a title: names, tickers, and words that only look like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.data_sources.social.lexicon_symbols import GUARDED, PLAIN, TICKERS, symbols_of


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Bitcoin and ether drift", ("BTC", "ETH")),
        ("ether before bitcoin", ("ETH", "BTC")),
        ("BTC, btc and Bitcoin again", ("BTC",)),
        ("Bitcoin Cash forks", ("BCH",)),
        ("Ethereum Classic miners return", ("ETC",)),
        ("Bitcoin’s quiet week", ("BTC",)),
        ("Wrapped Bitcoin, Shiba Inu and Binance Coin", ("WBTC", "SHIB", "BNB")),
        ("Avalanche buries a village", ()),
        ("Avalanche (AVAX) wins users", ("AVAX",)),
        ("Avalanche price steadies", ("AVAX",)),
        ("One more day near the link to the sand", ()),
        ("NEAR, ONE, LINK and SAND are quiet", ("NEAR", "ONE", "LINK", "SAND")),
        ("EVERYONE IS NEAR ONE LINK", ()),
        ("Harmony of the spheres", ()),
        ("Harmony protocol votes", ("ONE",)),
        ("Optimism returns to Wall Street", ()),
        ("Optimism token is handed out", ("OP",)),
        ("Solana and $sol and $near", ("SOL", "NEAR")),
        ("$5 for a coffee", ()),
        ("Terra's founder speaks", ("LUNA",)),
        ("Terra incognita", ()),
        ("", ()),
    ],
)
def test_symbols(title: str, symbols: tuple[str, ...]) -> None:
    assert symbols_of(title) == symbols


def test_at_least_forty_assets_are_known() -> None:
    assert len({*PLAIN.values(), *GUARDED.values(), *TICKERS}) >= 40


@given(st.text(max_size=200))
def test_any_text_names_each_asset_once(title: str) -> None:
    found = symbols_of(title)
    assert len(set(found)) == len(found)
    assert found == symbols_of(title)


@given(st.permutations(["Bitcoin", "Solana", "Cardano", "Monero", "EOS"]))
def test_symbols_stand_in_the_order_they_are_named(names: list[str]) -> None:
    expected = tuple(PLAIN[name.lower()] for name in names)
    assert symbols_of(" and ".join(names)) == expected
