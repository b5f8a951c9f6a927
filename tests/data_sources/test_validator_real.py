"""Real files of every other kind than candles: what is odd in them is told, nothing is refused."""

from __future__ import annotations

import pytest

from benchmarks.evidence import validator
from benchmarks.measure import DATA
from mirrorcore.market.intake import Action, Case

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real market data at {DATA}"),
]

HELD = {"fxcm_GBPUSD_m1_bidask_2012 quotes": 347}
"""Quotes that cross, as counted in the file itself."""
CHOSEN = (
    "fxcm_GBPUSD_m1_bidask_2012 quotes",
    "lean_oanda_EURUSD_ticks_20140507",
    "truefx_USDJPY_ticks",
    "binance_sample trades",
    "bybit_XRPUSDT_ob500",
    "hyperliquid_btcusd",
    "macro_long",
    "crypto_fear_greed_daily",
    "crypto_headlines_2021_2022",
    "ethereum_blocks_sample",
    "ethereum_transactions_sample",
    "ethereum_dex_swaps_10k",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_nothing_clean_is_refused(name: str) -> None:
    report = dict(validator.streams(quick=True))[name]()
    assert sum(report.seen.values()) > 0
    assert report.total(Action.REJECT) == validator.KNOWN.get(name, 0)
    assert report.total(Action.HOLD) == HELD.get(name, 0)
    dropped = {case for _, case in report.counts if case.action is Action.DROP}
    assert dropped <= {Case.DUPLICATE}
