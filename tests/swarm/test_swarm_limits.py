"""Limits, free trading and bad data in whole runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from swarm_world import configured, entries, on_candles

from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.errors import ConfigError, DataError
from mirrorcore.journal import RunRegistry
from mirrorcore.swarm.replay import replay_history

FREE = {"costs__fee_bps": 0, "costs__slippage_bps": 0}


def test_the_drawdown_limit_flattens_stays_flat_and_says_so(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        market__bars=2500,
        risk__drawdown=0.004,
        risk__volatility_target=1.0,
        fusion__band=0,
        **FREE,
    )
    results = replay_history(config).results
    loss = 1.0 - results.equity / np.maximum.accumulate(results.equity)
    hit = int(np.argmax(loss >= 0.004))
    assert loss[hit] >= 0.004
    assert results.gross[: hit + 1].max() > 0.05
    assert (results.gross[hit + 5 :] == 0).all()
    assert len(results.equity) - hit > 200
    assert np.ptp(results.equity[hit + 5 :]) == 0
    assert any("drawdown" in warning for warning in results.warnings), results.warnings
    assert any(limit.limit == "drawdown" for limit in results.limits)
    assert results.accounting_residual == 0


def test_free_trading_costs_nothing_and_the_books_still_balance(tmp_path: Path) -> None:
    results = replay_history(configured(tmp_path, market__bars=1500, **FREE)).results
    assert results.fills > 10
    assert results.costs.fees_paid == 0
    assert results.costs.slippage_paid == 0
    assert results.costs.traded_notional > 0
    assert results.accounting_residual == 0
    pnl = sum(trade.pnl for trade in results.trades)
    assert pnl == pytest.approx(results.equity[-1] - results.initial_equity, abs=1e-6)


def damaged(folder: Path, share: float, *, kind: str = "negative") -> Path:
    folder.mkdir(parents=True)
    source = SimulatedSource("default", seed=3, symbols=2, bars=600)
    rng = np.random.default_rng(1)
    for s, symbol in enumerate(source.symbols):
        blocks = list(source.blocks())
        ts = np.concatenate([b.open_ts[:, s] for b in blocks])
        table = {
            name: np.concatenate([getattr(b, name)[:, s] for b in blocks])
            for name in ("open", "high", "low", "close", "volume")
        }
        bad = rng.choice(600, size=round(600 * share), replace=False)
        if kind == "negative":
            table["low"][bad] *= -1
        else:
            table["close"][bad] = np.nan
        pl.DataFrame({"ts": ts // 1_000_000, **table}).write_parquet(
            folder / f"{symbol.replace('/', '_')}-5m.parquet"
        )
    return folder


@pytest.mark.parametrize("kind", ["negative", "nan"])
def test_more_than_a_hundredth_of_bad_records_ends_the_run_before_it_begins(
    tmp_path: Path, kind: str
) -> None:
    config = on_candles(tmp_path, damaged(tmp_path / "data", 0.03, kind=kind))
    with pytest.raises(DataError) as caught:
        replay_history(config)
    assert caught.value.exit_code == 4
    assert not list(RunRegistry(config.storage.runs).runs())
    assert not config.storage.runs.exists() or not list(config.storage.runs.iterdir())


def test_a_few_bad_records_are_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    config = on_candles(tmp_path, damaged(tmp_path / "data", 0.005))
    results = replay_history(config).results
    assert results.identity.status == "finished"
    assert results.accounting_residual == 0
    assert sum(row.count for row in results.intake if "reject" in row.action) == 6
    assert results.identity.symbol_bars == 1200 - 6


def test_what_cannot_be_assembled_leaves_no_run_behind(tmp_path: Path) -> None:
    agents = """
        from mirrorcore import BaseAgent

        class Fails(BaseAgent):
            def __init__(self, agent_id):
                raise RuntimeError("out of order")
    """
    config = configured(tmp_path, entries(["Fails"]), agents)
    with pytest.raises(ConfigError, match="out of order"):
        replay_history(config)
    assert not config.storage.runs.exists()


def test_a_source_that_fails_on_the_way_leaves_a_failed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, market__bars=400)
    source = SimulatedSource("default", seed=1, symbols=3, bars=400)

    class Torn:
        name, symbols = source.name, source.symbols
        instruments, bar_ns, verdicts = source.instruments, source.bar_ns, source.verdicts

        def digest(self) -> str:
            return source.digest()

        def ticks_total(self) -> int | None:
            return None

        def blocks(self, start_tick: int = 0, max_rows: int = 4096):  # type: ignore[no-untyped-def]
            yield next(iter(source.blocks(max_rows=100)))
            raise DataError("the disk was pulled out")

    with pytest.raises(DataError, match="pulled out"):
        replay_history(config, source=Torn())
    [run] = RunRegistry(config.storage.runs).runs()
    assert str(run.status) == "failed"
    assert not (run.path / "results.json").exists()
    assert "fingerprint" not in run.identity
