"""All figures of a run together: values, reasons, JSON, verdict."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import NO_COSTS, START, full_run, run_of, trade

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.report import HEADLINES, METRICS, evaluate, metrics, summarise
from mirrorcore.report.bootstrap import Bootstrap, Interval
from mirrorcore.report.checks import Check
from mirrorcore.report.results import CostRecord, RunResults
from mirrorcore.report.verdict import judge


def value(results: RunResults, name: str) -> float | None:
    return evaluate(results).measures[name].value


def reason(results: RunResults, name: str) -> str:
    measure = evaluate(results).measures[name]
    assert measure.value is None
    return measure.reason


@pytest.fixture(scope="module")
def whole() -> RunResults:
    return full_run(ticks=20_000, trades=300)


def test_every_figure_of_the_catalogue_is_there(whole: RunResults) -> None:
    found = evaluate(whole)
    assert list(found.measures) == list(METRICS)
    assert set(HEADLINES) <= set(METRICS)
    for measure in found.measures.values():
        assert (measure.value is None) == bool(measure.reason)


def test_catalogue_says_what_each_figure_is() -> None:
    for name, metric in METRICS.items():
        assert name == metric.name
        assert metric.label
        assert metric.formula
        assert metric.definition.endswith(".")
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_the_figures_are_those_of_their_functions(whole: RunResults) -> None:
    curve = metrics.with_start(whole.ts, whole.equity, START, whole.initial_equity)
    returns = metrics.daily_returns(metrics.daily_closes(curve)[1])
    found = evaluate(whole).measures
    assert found["total_return"].value == whole.equity[-1] / whole.initial_equity - 1
    assert found["sharpe"].value == metrics.sharpe(returns)
    assert found["days"].value == len(returns) == 20_000 * 5 * MINUTE // DAY
    penalty = metrics.autocorrelation_penalty(returns)
    assert found["smart_sharpe"].value == metrics.sharpe(returns) / penalty
    assert found["best_day"].value == returns.max()
    assert found["fees_paid"].value == whole.costs.fees_paid
    assert found["turnover"].value == pytest.approx(
        whole.costs.traded_notional / whole.equity.mean(), rel=1e-3
    )


def test_max_drawdown_by_hand() -> None:
    results = run_of([120, 90, 130], initial=100.0)
    assert value(results, "max_drawdown") == pytest.approx(0.25)
    assert value(results, "max_drawdown_amount") == pytest.approx(30.0)
    assert value(results, "drawdown_fall") == DAY


def test_exposure_is_weighed_by_time() -> None:
    ts = START + HOUR * np.array([1, 2, 5], dtype=np.int64)
    results = replace(
        run_of([100.0, 100.0, 100.0]), ts=ts, gross=np.array([0.5, 0.0, 1.0]), net=np.zeros(3)
    )
    assert value(results, "exposure") == pytest.approx(1 / 4)
    assert value(results, "mean_gross") == pytest.approx(0.5 / 4)


def test_open_trades_are_in_no_figure_of_trades() -> None:
    results = run_of([101.0] * 3, trades=(trade(4.0), trade(-2.0, 2), trade(99.0, 3, is_open=True)))
    assert value(results, "trades") == 2
    assert value(results, "open_trades") == 1
    assert value(results, "expectancy") == pytest.approx(1.0)
    assert value(results, "best_trade") == 4.0
    assert value(results, "mean_duration") == 30 * MINUTE


def test_streaks_follow_the_order_of_the_trades_ends() -> None:
    ends = [4, 1, 3, 2]
    pnls = [5.0, 1.0, -1.0, 2.0]  # in order of end: +1 +2 -1 +5
    listed = tuple(
        trade(p, i, open_ts=START, close_ts=START + e * HOUR)
        for i, (p, e) in enumerate(zip(pnls, ends, strict=True))
    )
    results = run_of([101.0], trades=listed)
    assert value(results, "win_streak") == 2
    assert value(results, "loss_streak") == 1


class TestReasons:
    """A figure without a value says why, in words a reader understands."""

    def test_nothing_was_recorded(self) -> None:
        empty = run_of([])
        assert reason(empty, "total_return") == "no tick was recorded"
        assert reason(empty, "max_drawdown") == "no tick was recorded"
        assert reason(empty, "sharpe") == "needs 2 whole UTC days, has 0"
        assert reason(empty, "exposure") == "needs 2 recorded ticks"

    def test_one_day(self) -> None:
        results = run_of([101.0])
        assert value(results, "total_return") == pytest.approx(0.01)
        assert value(results, "best_day") == pytest.approx(0.01)
        assert reason(results, "sharpe") == "needs 2 whole UTC days, has 1"
        assert reason(results, "cvar_95") == "needs 20 whole UTC days, has 1"

    def test_constant_equity(self) -> None:
        results = run_of([100.0] * 60)
        assert value(results, "volatility") == 0.0
        assert value(results, "max_drawdown") == 0.0
        assert reason(results, "sharpe") == "daily returns never vary"
        assert reason(results, "sortino") == "no day lost money"
        assert reason(results, "calmar") == "equity never fell"
        assert reason(results, "drawdown_fall") == "equity never fell"

    def test_less_than_a_month_is_no_year(self) -> None:
        results = run_of([101.0, 100.0] * 10)
        assert reason(results, "cagr") == "hidden below 30 days, run has 20"
        assert reason(results, "calmar") == "hidden below 30 days, run has 20"
        assert value(run_of([101.0, 100.0] * 15), "cagr") is not None

    def test_no_trade_and_trades_of_one_kind(self) -> None:
        assert reason(run_of([101.0]), "win_rate") == "no trade was closed"
        won = run_of([101.0], trades=(trade(1.0), trade(2.0, 2)))
        assert reason(won, "profit_factor") == "no trade lost money"
        lost = run_of([101.0], trades=(trade(-1.0), trade(-2.0, 2)))
        assert reason(lost, "average_win") == "no trade made money"
        assert reason(lost, "payoff") == "no trade made money"
        same = run_of([101.0], trades=(trade(1.0), trade(1.0, 2)))
        assert reason(same, "p_value") == "all trades made the same profit"
        assert reason(run_of([101.0], trades=(trade(1.0),)), "sqn") == (
            "needs 2 closed trades, has 1"
        )

    def test_bankruptcy(self) -> None:
        results = run_of([50.0, -10.0, -20.0])
        assert value(results, "total_return") == pytest.approx(-1.2)
        assert value(results, "max_drawdown") == pytest.approx(1.2)
        assert reason(results, "sharpe") == (
            "equity fell to 0 or below at 2024-01-03T00:00:00+00:00"
        )

    def test_no_market_beside_it(self) -> None:
        assert reason(run_of([101.0]), "alpha") == "buy & hold was not recorded"
        flat = run_of([101.0, 99.0, 103.0], benchmark=np.full(3, 100.0))
        assert value(flat, "benchmark_return") == 0.0
        assert reason(flat, "beta") == "buy & hold never varied"

    def test_drawdown_that_was_not_made_good(self) -> None:
        assert reason(run_of([90.0, 95.0]), "drawdown_recovery") == (
            "not made good by the end of the run"
        )


def _plain(node: Any) -> None:
    """Only what JSON can carry, no number that is not finite."""
    if isinstance(node, dict):
        assert all(isinstance(key, str) for key in node)
        for child in node.values():
            _plain(child)
    elif isinstance(node, list):
        for child in node:
            _plain(child)
    else:
        assert node is None or isinstance(node, str | int | float | bool)
        assert not isinstance(node, float) or math.isfinite(node)


class TestSummary:
    def test_is_json_with_a_reason_for_each_null(self, whole: RunResults) -> None:
        for results in (whole, run_of([]), run_of([100.0] * 40), run_of([50.0, -10.0])):
            summary = summarise(results)
            _plain(summary)
            assert json.loads(json.dumps(summary, allow_nan=False)) == summary
            nulls = {name for name, number in summary["metrics"].items() if number is None}
            assert nulls == set(summary["not_available"])

    def test_units_of_the_file(self) -> None:
        summary = summarise(run_of([120, 90, 130], trades=(trade(1.0),)))
        assert summary["metrics"]["drawdown_fall"] == 86_400
        assert summary["metrics"]["mean_duration"] == 1_800
        assert isinstance(summary["metrics"]["trades"], int)
        assert summary["drawdowns"][0]["recovered"] == "2024-01-04T00:00:00+00:00"

    def test_intervals_hold_their_headline_and_repeat(self, whole: RunResults) -> None:
        first, again = summarise(whole), summarise(whole)
        assert first == again
        for name, interval in first["intervals"].items():
            assert interval["low"] <= first["metrics"][name] <= interval["high"]

    def test_a_headline_without_value_has_no_interval(self) -> None:
        days = 100 + np.sin(np.arange(25))
        summary = summarise(run_of(days))
        assert summary["metrics"]["cagr"] is None
        assert "cagr" not in summary["intervals"]
        assert "sharpe" in summary["intervals"]

    @settings(max_examples=30, deadline=None)
    @given(
        # Money is counted in steps; a hundred-millionth is as small as it gets here.
        st.lists(st.floats(-1e4, 1e7).map(lambda amount: round(amount, 8)), max_size=50),
        st.sampled_from([MINUTE, 7 * HOUR, DAY]),
        st.lists(st.floats(-1e6, 1e6), max_size=6),
    )
    def test_any_run_can_be_summed_up(
        self, equity: list[float], step: int, profits: list[float]
    ) -> None:
        listed = tuple(trade(p, i, is_open=i == 5) for i, p in enumerate(profits))
        results = run_of(
            equity,
            step=step,
            trades=listed,
            benchmark=np.array(equity)[::-1],
            gross=np.abs(np.array(equity)) / 1e6,
        )
        summary = summarise(results)
        _plain(summary)
        nulls = {name for name, number in summary["metrics"].items() if number is None}
        assert nulls == set(summary["not_available"])


class TestVerdict:
    FULL: ClassVar[dict[str, float | None]] = {
        "sharpe": 2.0,
        "deflated_sharpe": 0.99,
        "trials": 3.0,
        "trades": 200.0,
        "days": 365.0,
    }

    @staticmethod
    def spread(low: float, high: float) -> Bootstrap:
        return Bootstrap({"sharpe": Interval(low, high)}, 365, 2000, 5.0, 1)

    @staticmethod
    def check(passed: bool | None) -> Check:
        return Check("costs", "costs doubled", "Sharpe -0.30", "a Sharpe above 0", passed)

    def test_evidence_needs_everything(self) -> None:
        found = judge(self.FULL, self.spread(0.5, 3))
        assert found.evidence == "evidence"
        assert "deflated Sharpe 0.990 (3 configurations tried)" in found.reasons
        assert "no further check was made" in found.reasons

    @pytest.mark.parametrize(
        ("change", "doubt"),
        [
            ({"deflated_sharpe": 0.95}, "deflated Sharpe 0.950 (3 configurations tried)"),
            ({"deflated_sharpe": 0.9499}, "deflated Sharpe 0.949 (3 configurations tried)"),
            ({"deflated_sharpe": None}, "no deflated Sharpe (3 configurations tried)"),
            ({"trades": 29.0}, "29 closed trades, needs 30"),
            ({"days": 179.0}, "179 days, needs 180"),
        ],
    )
    def test_one_doubt_makes_it_weak(self, change: dict[str, float], doubt: str) -> None:
        found = judge(self.FULL | change, self.spread(0.5, 3))
        assert found.evidence == "weak"
        assert doubt in found.reasons

    def test_checks_count_when_they_were_made(self) -> None:
        passed = judge(self.FULL, self.spread(0.5, 3), checks=[self.check(True)])
        assert passed.evidence == "evidence"
        assert "passed costs doubled" in passed.reasons
        failed = judge(self.FULL, self.spread(0.5, 3), checks=[self.check(False)])
        assert failed.evidence == "weak"
        assert failed.reasons[1] == ("costs doubled failed: Sharpe -0.30, needs a Sharpe above 0")
        assert judge(self.FULL, self.spread(0.5, 3), checks=[self.check(None)]).evidence == (
            "evidence"
        )

    def test_zero_inside_is_none_and_below_says_loss(self) -> None:
        assert judge(self.FULL, self.spread(-0.1, 3)).evidence == "none"
        lost = judge(self.FULL, self.spread(-3, -0.1))
        assert lost.evidence == "none"
        assert "lies below 0: the loss is no chance" in lost.reasons[0]

    def test_books_that_do_not_balance_prove_nothing(self) -> None:
        found = judge(self.FULL, self.spread(0.5, 3), residual=Decimal("0.01"))
        assert found.evidence == "none"
        assert found.reasons == (
            "the books do not balance (residual 0.01): no figure can be trusted",
        )

    def test_what_could_not_be_read_is_said(self) -> None:
        found = judge(self.FULL, self.spread(0.5, 3), unread=2)
        assert "2 more folders unreadable and not counted" in found.reasons[1]

    def test_without_interval_none(self) -> None:
        made = Bootstrap({}, 3, 0, 0.0, 1, "needs 20 whole UTC days, has 3")
        found = judge(self.FULL, made)
        assert found.evidence == "none"
        assert found.reasons == ("no interval of Sharpe: needs 20 whole UTC days, has 3",)


class TestResults:
    """What the swarm hands over is checked where it arrives."""

    def test_lengths(self) -> None:
        with pytest.raises(ValueError, match="gross has 2 rows, ts has 3"):
            run_of([1.0, 2.0, 3.0], gross=np.zeros(2))

    def test_order(self) -> None:
        results = run_of([1.0, 2.0])
        with pytest.raises(ValueError, match="ts must rise strictly"):
            replace(results, ts=results.ts[::-1].copy())

    def test_before_the_start(self) -> None:
        with pytest.raises(ValueError, match="before identity"):
            run_of([1.0], first=-1)

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite(self, bad: float) -> None:
        with pytest.raises(ValueError, match="equity has a value that is not finite"):
            run_of([100.0, bad])
        with pytest.raises(ValueError, match="trade t1: pnl was"):
            run_of([100.0], trades=(trade(bad),))
        with pytest.raises(ValueError, match="costs : fees_paid was"):
            run_of([100.0], costs=replace(NO_COSTS, fees_paid=bad))

    def test_no_capital(self) -> None:
        with pytest.raises(ValueError, match="initial_equity was 0"):
            run_of([100.0], initial=0.0)

    def test_costs_are_a_share_of_the_capital(self) -> None:
        costs = CostRecord(
            fee_bps=10, slippage_bps=5, fees_paid=3.0, slippage_paid=1.0, traded_notional=500.0
        )
        assert value(run_of([100.0] * 3, costs=costs), "cost_share") == pytest.approx(0.04)
        assert value(run_of([100.0] * 3, costs=costs), "turnover") == pytest.approx(5.0)
