"""All figures of a run, each with its value or the reason why it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from mirrorcore.clock import DAY, iso
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report import bootstrap, deflation, metrics, trade_metrics
from mirrorcore.report.bootstrap import Bootstrap, Interval
from mirrorcore.report.catalogue import HEADLINES, METRICS
from mirrorcore.report.checks import Check
from mirrorcore.report.metrics import Curve, Drawdown
from mirrorcore.report.results import RunResults
from mirrorcore.report.swarm_metrics import swarm_figures
from mirrorcore.report.trials import Standing, Trials
from mirrorcore.report.verdict import RULE, Verdict, judge

SHORTEST_YEAR = 30.0
"""Days below which nothing is compounded to a year."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure's value, always finite, or None and the ``reason`` why there is none."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What screens and files show. ``measures`` holds every name of ``METRICS``.

    ``shadow`` and ``market`` hold the headlines of the ungated book and of buy & hold, and nothing
    where those were not recorded. ``checks`` are those that were made beside the run.
    """

    measures: Mapping[str, Measure]
    shadow: Mapping[str, Measure]
    market: Mapping[str, Measure]
    bootstrap: Bootstrap
    drawdowns: tuple[Drawdown, ...]
    months: tuple[tuple[str, float], ...]
    verdict: Verdict
    trials: Trials
    checks: tuple[Check, ...]
    swarm_intervals: Mapping[str, Interval] = field(default_factory=dict)

    def interval(self, name: str) -> Interval | None:
        """The 95 % interval of a headline or of a figure of the swarm, None where it or the figure
        itself has no value."""
        if self.measures[name].value is None:
            return None
        return self.bootstrap.intervals.get(name) or self.swarm_intervals.get(name)


def evaluate(results: RunResults, standing: Standing | None = None) -> Evaluation:
    """Every figure of ``results``. The same results give the same figures, intervals included.

    ``standing`` is what was tried and checked beside the run; left out, it stands alone.
    """
    beside = standing or Standing()
    curve = _curve(results, results.equity)
    market = _curve(results, results.benchmark) if len(results.benchmark) else None
    shadow = _curve(results, results.shadow_equity) if len(results.shadow_equity) else None
    found = metrics.drawdowns(curve)
    figures, swarm_intervals = swarm_figures(results)
    measures = (
        curve_measures(curve)
        | _trial_measures(curve, beside.trials)
        | _drawdown_measures(curve, found)
        | _market_measures(curve, market)
        | _trade_measures(results)
        | _exposure_measures(results, curve)
        | {name: Measure(*figure) for name, figure in figures.items()}
    )
    measures = {name: measures[name] for name in METRICS}
    spread = bootstrap.intervals(curve, np.random.default_rng(bootstrap.SEED))
    return Evaluation(
        measures=measures,
        shadow=_headlines(shadow),
        market=_headlines(market),
        bootstrap=spread,
        drawdowns=tuple(found),
        months=tuple(metrics.monthly_returns(curve)) if len(results.ts) else (),
        verdict=judge(
            {name: m.value for name, m in measures.items()},
            spread,
            residual=results.accounting_residual,
            unread=beside.trials.unread,
            checks=beside.checks,
        ),
        trials=beside.trials,
        checks=beside.checks,
        swarm_intervals=swarm_intervals,
    )


def summarise(results: RunResults, evaluation: Evaluation | None = None) -> dict[str, Any]:
    """The figures for a JSON file: numbers or null, never NaN or infinity.

    ``metrics`` maps each name to its number or null, ``not_available`` the null ones to the reason,
    ``intervals`` each headline to ``{"low", "high"}``. Durations are in seconds. Beside them:
    ``verdict`` with its rule, the ``trials`` and ``checks`` it rests on, ``drawdowns`` (deepest
    first) and how the intervals were made (``bootstrap``).
    """
    found = evaluation or evaluate(results)
    intervals = {name: found.interval(name) for name in (*HEADLINES, *found.swarm_intervals)}
    return {
        "metrics": {name: _plain(name, m.value) for name, m in found.measures.items()},
        "not_available": {name: m.reason for name, m in found.measures.items() if m.value is None},
        "intervals": {
            name: {"low": interval.low, "high": interval.high}
            for name, interval in intervals.items()
            if interval is not None
        },
        "bootstrap": {
            "level": bootstrap.LEVEL,
            "resamples": found.bootstrap.resamples,
            "days": found.bootstrap.days,
            "block_days": found.bootstrap.block_days,
            "seed": found.bootstrap.seed,
            "reason": found.bootstrap.reason,
        },
        "shadow": {name: m.value for name, m in found.shadow.items()},
        "buy_and_hold": {name: m.value for name, m in found.market.items()},
        "drawdowns": [
            {
                "depth": d.depth,
                "amount": d.amount,
                "peak": iso(d.peak),
                "trough": iso(d.trough),
                "recovered": None if d.recovered is None else iso(d.recovered),
            }
            for d in found.drawdowns
        ],
        "verdict": {
            "evidence": found.verdict.evidence,
            "reasons": list(found.verdict.reasons),
            "rule": RULE,
        },
        "trials": asdict(found.trials),
        "checks": [asdict(check) for check in found.checks],
    }


def _plain(name: str, value: float | None) -> float | int | None:
    if value is None:
        return None
    if METRICS[name].unit == "duration":
        return value / 1e9
    return int(value) if METRICS[name].unit == "count" else value


def _curve(results: RunResults, equity: Floats) -> Curve:
    return metrics.with_start(
        results.ts, equity, results.identity.period_start, results.initial_equity
    )


def _headlines(curve: Curve | None) -> dict[str, Measure]:
    if curve is None:
        return {}
    found = curve_measures(curve) | _drawdown_measures(curve, metrics.drawdowns(curve, 1))
    return {name: found[name] for name in HEADLINES}


def curve_measures(curve: Curve) -> dict[str, Measure]:
    """Everything that one equity curve says by itself, drawdowns apart."""
    _, closes = metrics.daily_closes(curve)
    returns = metrics.daily_returns(closes)
    few = _too_few(curve, closes, returns)
    flat = few or ("daily returns never vary" if not metrics.volatility(returns) > 0 else "")
    no_loss = few or ("no day lost money" if not np.any(returns < 0) else "")
    year = ""
    if curve.days < SHORTEST_YEAR:
        year = f"hidden below {SHORTEST_YEAR:.0f} days, run has {curve.days:.3g}"
    growth = metrics.cagr(curve.equity, curve.days)
    depth = float(metrics.drawdown(curve.equity).max())
    ratio, downside = metrics.sharpe(returns), metrics.sortino(returns)
    penalty = metrics.autocorrelation_penalty(returns)
    at_most = _too_few(curve, closes, returns, 20)
    one = _too_few(curve, closes, returns, 1)
    return {
        "total_return": measure(
            metrics.total_return(curve.equity), "" if len(curve.ts) > 1 else "no tick was recorded"
        ),
        "cagr": measure(growth, year),
        "sharpe": measure(ratio, flat),
        "sortino": measure(downside, no_loss),
        "calmar": measure(
            metrics.calmar(growth, depth), year or ("" if depth > 0 else "equity never fell")
        ),
        "omega": measure(metrics.omega(returns), no_loss),
        "smart_sharpe": measure(ratio / penalty, flat or _too_few(curve, closes, returns, 3)),
        "smart_sortino": measure(downside / penalty, no_loss or flat),
        "probabilistic_sharpe": measure(metrics.probabilistic_sharpe(returns), flat),
        "volatility": measure(metrics.volatility(returns), few),
        "ulcer": measure(metrics.ulcer(closes), few),
        "cvar_95": measure(metrics.cvar_95(returns), at_most),
        "best_day": measure(np.max(returns, initial=-np.inf), one),
        "worst_day": measure(np.min(returns, initial=np.inf), one),
        "days": measure(len(returns)),
    }


def _trial_measures(curve: Curve, trials: Trials) -> dict[str, Measure]:
    """The Sharpe ratio in view of what else was tried, and of how long it has been shown."""
    _, closes = metrics.daily_closes(curve)
    returns = metrics.daily_returns(closes)
    none = _too_few(curve, closes, returns)
    none = none or ("" if metrics.volatility(returns) > 0 else "daily returns never vary")
    above = none or ("" if metrics.sharpe(returns) > 0 else "Sharpe is not above 0")
    return {
        "trials": measure(trials.count),
        "deflated_sharpe": measure(
            deflation.deflated_sharpe(returns, trials.count, trials.variance)
        )
        if not none
        else Measure(None, none),
        "track_record": measure(deflation.minimum_track_record(returns) * DAY)
        if not above
        else Measure(None, above),
    }


def _too_few(curve: Curve, closes: Floats, returns: Floats, least: int = 2) -> str:
    """Why ``returns`` cannot carry a figure that needs ``least`` days; empty where they can."""
    if len(closes) > 1 and np.any(closes <= 0):
        fell = int(curve.ts[np.argmax(curve.equity <= 0)])
        return f"equity fell to 0 or below at {iso(fell)}"
    if len(returns) < least:
        return f"needs {least} whole UTC day{'s' if least > 1 else ''}, has {len(returns)}"
    return ""


def _drawdown_measures(curve: Curve, found: list[Drawdown]) -> dict[str, Measure]:
    none = "equity never fell" if len(curve.ts) > 1 else "no tick was recorded"
    if not found:
        depth = Measure(0.0) if len(curve.ts) > 1 else Measure(None, none)
        missing = Measure(None, none)
        return {
            "max_drawdown": depth,
            "max_drawdown_amount": depth,
            "drawdown_fall": missing,
            "drawdown_recovery": missing,
        }
    worst = found[0]
    return {
        "max_drawdown": measure(worst.depth),
        "max_drawdown_amount": measure(worst.amount),
        "drawdown_fall": measure(worst.fall),
        "drawdown_recovery": Measure(None, "not made good by the end of the run")
        if worst.recovery is None
        else measure(worst.recovery),
    }


def _market_measures(curve: Curve, market: Curve | None) -> dict[str, Measure]:
    names = ("benchmark_return", "alpha", "beta")
    if market is None or len(curve.ts) < 2:
        return dict.fromkeys(names, Measure(None, "buy & hold was not recorded"))
    _, closes = metrics.daily_closes(curve)
    _, held = metrics.daily_closes(market)
    returns, base = metrics.daily_returns(closes), metrics.daily_returns(held)
    reason = _too_few(curve, closes, returns) or _too_few(market, held, base)
    reason = reason or ("" if metrics.volatility(base) > 0 else "buy & hold never varied")
    return {
        "benchmark_return": measure(metrics.total_return(market.equity)),
        "alpha": measure(metrics.alpha(returns, base), reason),
        "beta": measure(metrics.beta(returns, base), reason),
    }


def _trade_measures(results: RunResults) -> dict[str, Measure]:
    closed = results.closed_trades
    profits = np.array([trade.pnl for trade in closed])
    held = np.array([trade.duration for trade in closed], dtype=np.float64)
    none = "" if closed else "no trade was closed"
    no_win = none or ("" if np.any(profits > 0) else "no trade made money")
    no_loss = none or ("" if np.any(profits < 0) else "no trade lost money")
    one = none or ("" if len(closed) > 1 else "needs 2 closed trades, has 1")
    same = one or ("" if np.ptp(profits) > 0 else "all trades made the same profit")
    return {
        "trades": measure(len(closed)),
        "open_trades": measure(len(results.open_trades)),
        "win_rate": measure(trade_metrics.win_rate(profits), none),
        "profit_factor": measure(trade_metrics.profit_factor(profits), no_loss),
        "average_win": measure(trade_metrics.average_win(profits), no_win),
        "average_loss": measure(trade_metrics.average_loss(profits), no_loss),
        "payoff": measure(trade_metrics.payoff(profits), no_win or no_loss),
        "expectancy": measure(trade_metrics.expectancy(profits), none),
        "expectancy_ratio": measure(trade_metrics.expectancy_ratio(profits), no_win or no_loss),
        "sqn": measure(trade_metrics.system_quality(profits), same),
        "p_value": measure(trade_metrics.mean_profit_p_value(profits), same),
        "best_trade": measure(np.max(profits, initial=-np.inf), none),
        "worst_trade": measure(np.min(profits, initial=np.inf), none),
        "mean_duration": measure(held.mean() if closed else np.nan, none),
        "win_streak": measure(trade_metrics.longest_streak(profits > 0), none),
        "loss_streak": measure(trade_metrics.longest_streak(profits < 0), none),
    }


def _exposure_measures(results: RunResults, curve: Curve) -> dict[str, Measure]:
    ts: Ints = results.ts
    reason = "" if len(ts) > 1 else "needs 2 recorded ticks"
    gross = reason or ("" if len(results.gross) else "exposure was not recorded")
    held = results.gross if len(results.gross) == len(ts) else np.zeros(len(ts))
    capital = metrics.time_mean(curve.ts, curve.equity)
    funded = reason or ("" if capital > 0 else "mean equity was 0 or below")
    costs = results.costs
    paid = costs.fees_paid + costs.slippage_paid
    return {
        "exposure": measure(metrics.time_mean(ts, (held > 0).astype(np.float64)), gross),
        "mean_gross": measure(metrics.time_mean(ts, held), gross),
        "turnover": measure(costs.traded_notional / capital if not funded else np.nan, funded),
        "fees_paid": measure(costs.fees_paid),
        "slippage_paid": measure(costs.slippage_paid),
        "cost_share": measure(paid / results.initial_equity),
    }


def measure(value: Any, reason: str = "") -> Measure:
    """``value`` where it is finite and no ``reason`` speaks against showing it."""
    number = float(value)
    if reason:
        return Measure(None, reason)
    if not np.isfinite(number):
        return Measure(None, "the formula has no finite value for these figures")
    return Measure(number)
