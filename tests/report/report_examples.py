"""Runs made up for the tests of the report: a full one, and small ones written by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.report import (
    AgentRecord,
    CostRecord,
    IntakeRecord,
    LimitRecord,
    RunIdentity,
    RunResults,
    TradeRecord,
    WeightPath,
)

START = 1_704_067_200_000_000_000  # 2024-01-01T00:00 UTC, a Monday
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
VOTERS = ("momentum", "reverter", "sentiment", "chain", "volatility")


def identity(end: int = START + DAY, **changes: Any) -> RunIdentity:
    given: dict[str, Any] = {
        "run_id": "20240101-run",
        "mode": "replay",
        "data": "simulated, preset default",
        "symbols": SYMBOLS,
        "bar_ns": 5 * MINUTE,
        "period_start": START,
        "period_end": end,
        "config_hash": "c0ffee" * 10,
        "code_version": "0.1.0",
        "fingerprint": "f1" * 32,
        "seeds": {"run": 7},
        "input_digests": {"market": "d1" * 32},
        "fingerprint_parts": {"decisions": "aa" * 32, "orders": "bb" * 32, "fills": "cc" * 32},
        "package_versions": {"numpy": "2.4.6", "polars": "2.1.0"},
        "processor": "x86-64-v3",
        "wall_s": 12.5,
        "cpu_s": 11.25,
        "peak_rss_mb": 187.0,
        "symbol_bars": 840_960,
        "ticks": 105_120,
    }
    return RunIdentity(**(given | changes))


NO_COSTS = CostRecord(
    fee_bps=10.0, slippage_bps=5.0, fees_paid=0.0, slippage_paid=0.0, traded_notional=0.0
)


def run_of(
    equity: Any, *, step: int = DAY, initial: float = 100.0, first: int = 1, **changes: Any
) -> RunResults:
    """A run whose equity at START + first * step, … is ``equity``."""
    values = np.asarray(equity, dtype=np.float64)
    ts = START + step * np.arange(first, first + len(values), dtype=np.int64)
    end = int(ts[-1]) if len(ts) else START
    given: dict[str, Any] = {
        "identity": identity(end),
        "currency": "USDT",
        "initial_equity": initial,
        "ts": ts,
        "equity": values,
        "costs": NO_COSTS,
        "accounting_residual": Decimal(0),
    }
    return RunResults(**(given | changes))


def trade(pnl: float, number: int = 1, **changes: Any) -> TradeRecord:
    given: dict[str, Any] = {
        "id": f"t{number}",
        "symbol": "BTC/USDT",
        "side": "long",
        "open_ts": START + number * HOUR,
        "close_ts": START + number * HOUR + 30 * MINUTE,
        "open_price": 40_000.0,
        "close_price": 40_100.5,
        "quantity": 0.0125,
        "pnl": pnl,
        "pnl_ratio": pnl / 500.0,
        "fees": 0.5,
        "slippage": 0.25,
        "voters": (("momentum", 0.4), ("chain", 0.2)),
    }
    return TradeRecord(**(given | changes))


def full_run(ticks: int = 105_120, trades: int = 2_000, seed: int = 3) -> RunResults:
    """A year of 5-minute ticks with everything a report can show."""
    rng = np.random.default_rng(seed)
    ts = START + 5 * MINUTE * np.arange(1, ticks + 1, dtype=np.int64)
    day = 288.0

    def walk(drift: float, volatility: float, scale: np.ndarray) -> np.ndarray:
        noise = rng.standard_normal(ticks) * volatility / np.sqrt(365 * day)
        return 10_000.0 * np.exp(np.cumsum(drift / (365 * day) + noise * scale))

    regime = 0.6 + 0.8 * (np.sin(np.arange(ticks) / (40 * day)) > 0)
    fear = np.clip(0.3 + 0.25 * np.sin(np.arange(ticks) / (17 * day)) + 0.05 * regime, 0, 1)
    gate = np.clip(1.25 - fear, 0, 1)
    gross = np.round(np.clip(0.8 * gate + 0.1 * np.sin(np.arange(ticks) / day), 0, 1.5), 2)
    opened = np.sort(rng.integers(0, ticks - 600, trades))
    held = rng.integers(6, 600, trades)
    pnl = rng.standard_t(4, trades) * 12 + 0.45
    listed = tuple(
        trade(
            float(pnl[i]),
            i,
            symbol=SYMBOLS[i % len(SYMBOLS)],
            side="long" if i % 3 else "short",
            open_ts=int(ts[opened[i]]),
            close_ts=int(ts[opened[i] + held[i]]),
            open_price=float(np.round(rng.uniform(0.5, 60_000), 2)),
            close_price=float(np.round(rng.uniform(0.5, 60_000), 2)),
            quantity=float(np.round(rng.uniform(0.001, 20), 4)),
            is_open=i >= trades - 3,
            fees=float(np.round(rng.uniform(0.1, 3), 4)),
            slippage=float(np.round(rng.uniform(0.05, 1.5), 4)),
        )
        for i in range(trades)
    )
    return RunResults(
        identity=identity(int(ts[-1])),
        currency="USDT",
        initial_equity=10_000.0,
        ts=ts,
        equity=walk(0.11, 0.09, regime),
        shadow_equity=walk(0.10, 0.13, regime),
        benchmark=walk(0.18, 0.6, regime),
        gross=gross,
        net=gross * np.sign(np.sin(np.arange(ticks) / (3 * day))) * 0.7,
        gate=gate,
        fear=fear,
        confidence=np.clip(0.5 + 0.2 * np.cos(np.arange(ticks) / (9 * day)), 0, 1),
        trades=listed,
        agents=_agents(),
        weights=_weights(rng, ticks // 12),
        limits=(
            LimitRecord(
                limit="gross", symbol="", hits=41, first_ts=int(ts[50]), last_ts=int(ts[9_000]),
                asked=1.31, allowed=1.0,
            ),
            LimitRecord(
                limit="per symbol", symbol="SOL/USDT", hits=1_204, first_ts=int(ts[10]),
                last_ts=int(ts[-10]), asked=0.42, allowed=0.25,
            ),
        ),
        intake=(
            IntakeRecord(source="simulated", case="volume_spike", count=312, action="flagged"),
            IntakeRecord(source="simulated", case="crossed_bar", count=3, action="rejected"),
        ),
        warnings=("SOL/USDT is not described: tick and lot of 1e-8 stand in",),
        accounting_residual=Decimal(0),
        costs=CostRecord(
            fee_bps=10.0, slippage_bps=5.0, fees_paid=1_812.4375, slippage_paid=906.21,
            traded_notional=1_812_437.5,
        ),
        orders=5_010,
        fills=4_877,
    )  # fmt: skip


def _agents() -> tuple[AgentRecord, ...]:
    voters = [
        AgentRecord(
            id=f"{name}-1", kind=name, votes=True, calls=105_120 // (1 + i), state="running",
            health=0.98 - 0.03 * i, shadow_pnl_gross=0.14 - 0.06 * i,
            shadow_pnl_net=0.09 - 0.06 * i,
            hit_rate=0.523 - 0.006 * i, forecasts=80_000 - 900 * i, mean_weight=0.31 - 0.05 * i,
            last_weight=0.34 - 0.06 * i,
        )
        for i, name in enumerate(VOTERS)
    ]  # fmt: skip
    others = [
        AgentRecord(id=name, kind=name, calls=8_760, state="running", health=1.0)
        for name in ("data_sentry", "ego", "fear", "arch_ctrl", "allocator", "trade_analyst")
    ]
    crashed = AgentRecord(
        id="crash_dummy", kind="spectator", calls=96, failures=41, isolations=6, restarts=5,
        state="failed", health=0.0, last_error="RuntimeError: made to crash on purpose",
    )  # fmt: skip
    shaky = AgentRecord(
        id="self_awareness", kind="mind", calls=8_760, failures=3, isolations=1, restarts=1,
        state="running", health=0.71,
    )  # fmt: skip
    return (*voters, *others, crashed, shaky)


def _weights(rng: np.random.Generator, hours: int) -> WeightPath:
    raw = np.cumsum(rng.standard_normal((hours, len(VOTERS))) * 0.01, axis=0)
    matrix = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    matrix[:24] = np.nan
    return WeightPath(
        ts=START + HOUR * np.arange(1, hours + 1, dtype=np.int64),
        names=tuple(f"{name}-1" for name in VOTERS),
        matrix=matrix,
    )


def with_identity(results: RunResults, **changes: Any) -> RunResults:
    return replace(results, identity=replace(results.identity, **changes))
