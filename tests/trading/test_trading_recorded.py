"""A month of real five-minute bars through the order path, in steps of 1e-8."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from trading_world import limit_config

from mirrorcore.clock import MINUTE
from mirrorcore.market.instruments import undescribed
from mirrorcore.trading import (
    CostModel,
    Gateway,
    Ledger,
    Limits,
    OrderPath,
    SimulatedVenue,
)

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "crypto_5m"
COINS = ("BTC", "ETH", "SOL")


def _replay(frames: list[pl.DataFrame], seed: int) -> tuple[OrderPath, str]:
    listed = [undescribed(f"{coin}/USDT") for coin in COINS]
    ledger = Ledger(listed, Decimal(10_000))
    venue = SimulatedVenue(listed, CostModel(10.0, 5.0), 0.1)
    path = OrderPath("recorded", ledger, venue, Limits(limit_config()), Gateway())
    closes = np.column_stack([frame["close"].to_numpy() for frame in frames])
    marks = ledger.units.ticks(closes, np.zeros(len(COINS), dtype=np.int64)).tolist()
    for frame, symbol in zip(frames, range(len(COINS)), strict=True):
        # The floats of the file are their decimals: no price is lost on the way to ticks.
        written = [Decimal(repr(price)) for price in frame["close"].to_list()[:500]]
        assert [ledger.units.price(symbol, row[symbol]) for row in marks[:500]] == written
    opens = np.column_stack([frame["open"].to_numpy() for frame in frames]).tolist()
    volumes = np.column_stack([frame["volume"].to_numpy() for frame in frames]).tolist()
    begins = frames[0]["ts"].dt.epoch("ns").to_list()
    rng = np.random.default_rng(seed)
    here, targets = [True] * len(COINS), [0.0] * len(COINS)
    digest = hashlib.sha256()
    for k, (begin, open_, volume) in enumerate(zip(begins, opens, volumes, strict=True)):
        ts = begin + 5 * MINUTE
        if venue.working:
            path.book(ts, venue.match(ts, [begin] * len(COINS), here, open_, volume))
        if k % 48 == 0:
            targets = rng.choice([-0.3, 0.0, 0.3], len(COINS)).tolist()
        path.step(ts, targets, marks[k], ledger.equity(marks[k]), here)
        if k % 97 == 0:
            assert ledger.residual(marks[k]) == 0
    path.close(begins[-1] + 5 * MINUTE)
    assert ledger.residual(marks[-1]) == 0
    orders, fills, _ = path.drain(final=True)
    for row in [*(order.row() for order in orders), *(fill.row() for fill in fills)]:
        digest.update(repr(row).encode())
    return path, digest.hexdigest()


@pytest.mark.data
def test_a_month_of_real_bars_balances_and_repeats() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"real market data is not here: {FOLDER}")
    frames = [
        pl.read_parquet(FOLDER / f"bybit_{coin}USDT_5m_2025Q2.parquet").head(9_000)
        for coin in COINS
    ]
    first, digest = _replay(frames, 3)
    _, again = _replay(frames, 3)
    _, other = _replay(frames, 4)
    assert digest == again != other
    assert first.ledger.trade_count > 100
    # Deciding by lot loses the costs, and nothing it does not show as fees and slippage.
    assert first.ledger.realised < 0 < first.ledger.fees < 10 * first.ledger.initial
