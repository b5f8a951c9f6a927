"""RiskSentinel, ExecutionDaemon and TradeAnalyst against hand-made books."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import empyrical
import numpy as np
import pytest
from agents_world import (
    BAR,
    CONTEXT,
    START,
    SYMBOLS,
    VOTERS,
    attached,
    execution_path,
    lone_tick,
    one_tick,
    performance_path,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import DAY, HOUR, YEAR

MIDNIGHT = START // DAY * DAY + DAY
BARS_A_YEAR = YEAR / BAR


# -- risk ---------------------------------------------------------------------------------------


def sentinel(**params: Any) -> tuple[Any, Any]:
    return attached("RiskSentinel", **params)


def test_volatility_above_its_tolerance_is_cut_to_it() -> None:
    agent, handle = sentinel()
    for ratio, cut in ((0.5, 1.0), (1.0, 1.0), (1.24, 1.0), (2.5, 0.5), (5.0, 0.25)):
        volatility = ratio * CONTEXT.volatility_target / math.sqrt(BARS_A_YEAR)
        state = lone_tick(agent, handle, START, performance={"shadow_volatility": volatility})
        assert state["volatility_cut"] == pytest.approx(cut)
        assert state["risk_budget"] == pytest.approx(cut)
        assert state["realised_volatility"] == pytest.approx(ratio * CONTEXT.volatility_target)


def test_the_budget_tapers_to_nothing_at_the_drawdown_limit() -> None:
    agent, handle = sentinel(taper_from=0.5)
    for used, cut in ((0.0, 1.0), (0.5, 1.0), (0.75, 0.5), (0.9, 0.2), (1.0, 0.0), (2.0, 0.0)):
        view = {"drawdown": used * CONTEXT.drawdown_limit}
        state = lone_tick(agent, handle, START, performance=view)
        assert state["drawdown_cut"] == pytest.approx(cut, abs=1e-12)


def together(
    share: float, weights: list[float], symbols: int = 6, hours: int = 400
) -> dict[str, Any]:
    """The state after markets whose returns have the common variance ``share``."""
    context = replace(CONTEXT, symbols=tuple(f"S{i}" for i in range(symbols)))
    agent, handle = attached("RiskSentinel", context, half_life="10d")
    rng = np.random.default_rng(1)
    scale = np.linspace(1e-3, 5e-3, symbols)
    close = np.full(symbols, 100.0)
    for hour in range(hours):
        common = rng.normal() * math.sqrt(share)
        close = close * np.exp(scale * (common + math.sqrt(1 - share) * rng.normal(size=symbols)))
        ts = MIDNIGHT + hour * HOUR
        data = one_tick(ts, {"technical": {"close": close}, "risk": {"vol_slow": scale}}, symbols)
        view = {"weights": np.array(weights)}
        state = lone_tick(agent, handle, ts, data=data, performance=view)
    return state


def test_a_one_sided_book_of_correlated_symbols_loses_a_third() -> None:
    long = [0.2] * 6
    neutral = [0.2, -0.2] * 3
    tilted = [0.2, 0.2, 0.2, 0.2, -0.2, -0.2]
    assert together(0.9, long)["correlation_cut"] == pytest.approx(2 / 3)
    assert together(0.9, neutral)["correlation_cut"] == pytest.approx(1.0)
    assert together(0.9, tilted)["correlation_cut"] == pytest.approx(1 - (1 / 3) / 3)
    assert together(0.3, long)["correlation_cut"] == 1.0


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_the_mean_pair_correlation_is_found(share: float) -> None:
    assert together(share, [0.1] * 6)["pair_correlation"] == pytest.approx(share, abs=0.1)


def test_exposures_and_value_at_risk_of_a_known_book() -> None:
    weights = [0.5, -0.3, 0.1, 0.0, 0.0, 0.1]
    state = together(0.6, weights)
    assert state["gross"] == pytest.approx(1.0)
    assert state["net"] == pytest.approx(0.4)
    assert state["concentration"] == pytest.approx(0.5)
    sigma = np.array(weights) * np.linspace(1e-3, 5e-3, 6)
    rho = state["pair_correlation"]
    variance = (1 - rho) * np.sum(sigma**2) + rho * np.sum(sigma) ** 2
    assert state["value_at_risk"] == pytest.approx(1.6448536 * math.sqrt(variance * DAY / BAR))


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=6), st.floats(0, 0.01))
@settings(max_examples=50, deadline=None)
def test_the_budget_never_rises_with_losses_or_volatility(
    drawdowns: list[float], volatility: float
) -> None:
    budgets = []
    for drawdown in sorted(drawdowns):
        agent, handle = sentinel()
        view = {"drawdown": drawdown, "shadow_volatility": volatility * (1 + drawdown)}
        budgets.append(lone_tick(agent, handle, START, performance=view)["risk_budget"])
    assert all(0.0 <= budget <= 1.0 for budget in budgets)
    assert budgets == sorted(budgets, reverse=True)


def test_a_loss_made_good_gives_the_budget_back() -> None:
    agent, handle = sentinel()
    low = lone_tick(agent, handle, START, performance={"drawdown": 0.19})["risk_budget"]
    back = lone_tick(agent, handle, START + HOUR, performance={"drawdown": 0.05})["risk_budget"]
    assert low < 0.2
    assert back == 1.0


# -- execution ----------------------------------------------------------------------------------


def test_ratios_of_the_order_life_cycle() -> None:
    agent, handle = attached("ExecutionDaemon", half_life="3650d")
    zero = dict.fromkeys(execution_path(1)[0], 0)
    lone_tick(agent, handle, MIDNIGHT, execution={**zero, "gateway": "ACTIVE"})
    view = {
        "gateway": "REDUCING",
        "orders": 90,
        "fills": 72,
        "vetoes": 10,
        "cancelled": 9,
        "working": 9,
        "fees_paid": 100.0,
        "slippage_paid": 50.0,
        "filled_notional": 100_000.0,
    }
    state = lone_tick(agent, handle, MIDNIGHT + 10 * HOUR, execution=view)
    assert state["fill_ratio"] == pytest.approx(0.8)
    assert state["veto_ratio"] == pytest.approx(0.1)
    assert state["cancel_ratio"] == pytest.approx(0.1)
    assert state["fee_bp"] == pytest.approx(10.0)
    assert state["slippage_bp"] == pytest.approx(5.0)
    assert state["order_rate"] == pytest.approx(9.0, rel=1e-3)
    assert state["veto_rate"] == pytest.approx(1.0, rel=1e-3)
    assert state["working"] == 9.0
    assert (state["open"], state["gateway"]) == (0.0, "REDUCING")


def test_orders_are_forgotten_in_time_and_not_in_reports() -> None:
    states = []
    for step in (HOUR // 4, HOUR):
        agent, handle = attached("ExecutionDaemon", half_life="6h")
        for ts in range(MIDNIGHT, MIDNIGHT + 24 * HOUR + 1, step):
            hour = (ts - MIDNIGHT) // HOUR
            view = {"orders": 2 * hour, "fills": hour, "vetoes": 0, "cancelled": 0}
            state = lone_tick(agent, handle, ts, execution=view)
        states.append(state)
    for name in ("fill_ratio", "order_rate", "veto_ratio"):
        assert states[0][name] == pytest.approx(states[1][name], rel=0.1), name


def test_before_the_first_order_there_is_no_ratio() -> None:
    agent, handle = attached("ExecutionDaemon")
    state = lone_tick(agent, handle, START, execution={"gateway": "ACTIVE", "orders": 0})
    for name in ("fill_ratio", "veto_ratio", "cancel_ratio", "slippage_bp", "fee_bp"):
        assert math.isnan(state[name]), name


def test_counters_that_start_anew_give_no_negative_counts() -> None:
    agent, handle = attached("ExecutionDaemon")
    for hour, orders in enumerate((0, 100, 3, 5)):
        view = {"orders": orders, "fills": orders, "vetoes": 0, "cancelled": 0}
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, execution=view)
        assert state["order_rate"] >= 0.0
    assert state["fill_ratio"] == pytest.approx(1.0)
    assert agent._sums["orders"] == pytest.approx(105, rel=0.05)


# -- results ------------------------------------------------------------------------------------


def test_results_are_the_reference_formulas() -> None:
    hours = 500
    views = performance_path(hours)
    agent, handle = attached("TradeAnalyst")
    for hour, view in enumerate(views):
        state = lone_tick(
            agent,
            handle,
            MIDNIGHT + hour * HOUR,
            performance=view,
            execution={"filled_notional": 1000.0 * hour},
        )
    equity = np.array([view["equity"] for view in views])
    returns = equity[1:] / equity[:-1] - 1
    assert state["pnl"] == pytest.approx(equity[-1] - 1e5)
    assert state["total_return"] == pytest.approx(equity[-1] / 1e5 - 1)
    assert state["drawdown"] == views[-1]["drawdown"]
    assert state["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, annualization=8760))
    per_hour = returns.mean() / returns.std(ddof=1)
    error = math.sqrt((1 + per_hour**2 / 2) / len(returns)) * math.sqrt(8760)
    assert state["sharpe_error"] == pytest.approx(error)
    assert state["win_rate"] == pytest.approx(views[-1]["trades_won"] / views[-1]["trades_closed"])
    years = (hours - 1) * HOUR / YEAR
    assert state["turnover"] == pytest.approx(1000.0 * (hours - 1) / equity.mean() / years)
    assert state["attribution"] == pytest.approx(views[-1]["score_pnl"][:-1])
    assert len(state["attribution"]) == len(VOTERS)


def test_the_same_results_whether_called_each_minute_or_each_hour() -> None:
    views = performance_path(100)
    states = []
    for calls in (1, 12):
        agent, handle = attached("TradeAnalyst")
        for hour, view in enumerate(views):
            for call in range(calls):
                ts = MIDNIGHT + hour * HOUR + call * BAR
                state = lone_tick(agent, handle, ts, performance=view)
        states.append(state)
    for name in ("pnl", "sharpe", "sharpe_error", "win_rate", "drawdown"):
        assert states[0][name] == states[1][name], name


def test_too_little_to_say() -> None:
    agent, handle = attached("TradeAnalyst")
    for hour, view in enumerate(performance_path(20)):
        state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
    assert math.isnan(state["sharpe"])
    agent, handle = attached("TradeAnalyst")
    view = {"equity": 1e5, "initial_equity": 1e5, "trades_closed": 0, "trades_won": 0}
    state = lone_tick(agent, handle, MIDNIGHT, performance=view)
    assert (state["pnl"], state["trades"]) == (0.0, 0.0)
    assert math.isnan(state["win_rate"])


def test_ratios_do_not_depend_on_the_currency() -> None:
    def last(factor: float) -> dict[str, Any]:
        agent, handle = attached("TradeAnalyst")
        for hour, view in enumerate(performance_path(60)):
            money = {"equity": view["equity"] * factor, "initial_equity": 1e5 * factor}
            state = lone_tick(
                agent,
                handle,
                MIDNIGHT + hour * HOUR,
                performance={**view, **money},
                execution={"filled_notional": 100.0 * factor * hour},
            )
        return state

    one, other = last(1.0), last(1e6)
    assert other["pnl"] == pytest.approx(1e6 * one["pnl"])
    for name in ("total_return", "sharpe", "drawdown", "win_rate", "turnover"):
        assert other[name] == pytest.approx(one[name], rel=1e-9), name


def test_the_analyst_of_a_coin_flip_is_not_impressed() -> None:
    """Of 40 books without any edge, next to none looks two errors away from nothing."""
    beyond = 0
    for seed in range(40):
        agent, handle = attached("TradeAnalyst")
        for hour, view in enumerate(performance_path(200, seed=seed)):
            state = lone_tick(agent, handle, MIDNIGHT + hour * HOUR, performance=view)
        beyond += abs(state["sharpe"]) > 2 * state["sharpe_error"]
    assert beyond <= 5


def test_the_book_of_the_world_has_as_many_weights_as_symbols() -> None:
    assert all(view["weights"].shape == (len(SYMBOLS),) for view in performance_path(3))
