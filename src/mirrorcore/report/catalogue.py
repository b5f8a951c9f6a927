"""The one list of figures: what each is called, its unit, its formula and what it means.

Every screen and page prints labels and definitions from here, so that no two of them can disagree.
"""

from __future__ import annotations

from mirrorcore.report.catalogue_swarm import SWARM_METRICS
from mirrorcore.report.metric import Group, Metric, Unit

_CATALOGUE = (
    # -- return --------------------------------------------------------------------------------
    Metric(
        "total_return", "Total return", "fraction", "return", "E_end/E_0 − 1",
        "Growth of equity, marked to market and net of all costs, from the start of the run to its "
        "last tick.",
    ),
    Metric(
        "cagr", "CAGR", "fraction", "return", "(E_end/E_0)^(365/days) − 1",
        "Compound annual growth rate. Hidden below 30 days, where it would extrapolate weeks to a "
        "year.",
    ),
    Metric(
        "sharpe", "Sharpe", "ratio", "return", "mean(r_d − rf)/std(r_d, ddof=1)·√365",
        "Mean daily return per unit of its standard deviation, annualised, risk-free rate 0 "
        "(Sharpe 1994).",
    ),
    Metric(
        "sortino", "Sortino", "ratio", "return", "mean(r_d)/√mean(min(r_d, 0)²)·√365",
        "As Sharpe, over the downside alone; the mean below the root is over all days, not over "
        "the losing ones (Sortino & Price 1994).",
    ),
    Metric(
        "calmar", "Calmar", "ratio", "return", "CAGR/max drawdown",
        "Annual growth per unit of the deepest fall (Young 1991). Hidden where CAGR is.",
    ),
    Metric(
        "omega", "Omega", "ratio", "return", "Σmax(r_d, 0)/Σmax(−r_d, 0)",
        "Sum of the daily gains over the sum of the daily losses, threshold 0 "
        "(Keating & Shadwick 2002).",
    ),
    Metric(
        "smart_sharpe", "Smart Sharpe", "ratio", "return",
        "Sharpe/√(1 + 2Σ_k (n−k)/n·|ρ|^k)",
        "Sharpe divided by a penalty for daily returns that follow one another; ρ is their first "
        "autocorrelation (Lo 2002).",
    ),
    Metric(
        "smart_sortino", "Smart Sortino", "ratio", "return",
        "Sortino/√(1 + 2Σ_k (n−k)/n·|ρ|^k)",
        "Sortino divided by the same penalty as smart Sharpe.",
    ),
    Metric(
        "probabilistic_sharpe", "P(Sharpe > 0)", "probability", "return",
        "Φ(SR·√(n−1)/√(1 − γ₃SR + (γ₄−1)/4·SR²))",
        "Probability that the true Sharpe ratio is above 0, given the number of days, their "
        "skewness γ₃ and kurtosis γ₄ (Bailey & López de Prado 2012). Assumes that this run is the "
        "only one that was tried.",
    ),
    Metric(
        "trials", "Trials", "count", "return", "N",
        "Distinct configurations in the folder of runs that produced a Sharpe on the same data, "
        "those that 'mirrorcore evaluate' tried as variations of another included; seeds make no "
        "difference.",
    ),
    Metric(
        "deflated_sharpe", "Deflated Sharpe", "probability", "return",
        "P(Sharpe > SR₀), SR₀ = √V·((1−γ)Z(1−1/N) + γZ(1−1/(Ne)))",
        "Probability that the true Sharpe ratio exceeds what the best of N trials without any "
        "skill is expected to show; V is the variance of the Sharpe over the trials, γ = 0.5772, Z "
        "the normal quantile. One trial deflates nothing (Bailey & López de Prado 2014).",
    ),
    Metric(
        "track_record", "Minimum track record", "duration", "return",
        "1 + (1 − γ₃SR + (γ₄−1)/4·SR²)·(Z(0.95)/SR)²",
        "How long a run with such returns must last before its Sharpe is above 0 at 95 % "
        "(Bailey & López de Prado 2012); has no value where Sharpe is not above 0.",
    ),
    # -- risk ----------------------------------------------------------------------------------
    Metric(
        "volatility", "Volatility", "fraction", "risk", "std(r_d, ddof=1)·√365",
        "Standard deviation of daily returns, annualised.",
    ),
    Metric(
        "max_drawdown", "Max drawdown", "fraction", "risk", "max(1 − E/cummax E)",
        "Deepest fall from a peak, marked to market at every recorded tick, the starting capital "
        "included as a peak.",
    ),
    Metric(
        "max_drawdown_amount", "Max drawdown, amount", "money", "risk", "E_peak − E_trough",
        "What that deepest fall cost.",
    ),
    Metric(
        "drawdown_fall", "Peak to trough", "duration", "risk", "t_trough − t_peak",
        "How long the deepest drawdown fell.",
    ),
    Metric(
        "drawdown_recovery", "Trough to new peak", "duration", "risk", "t_recovered − t_trough",
        "How long the deepest drawdown took to be made good.",
    ),
    Metric(
        "ulcer", "Ulcer index", "fraction", "risk", "√(Σdd_d²/(n − 1))",
        "Depth and length of all drawdowns in one figure, from daily closes (Martin 1987).",
    ),
    Metric(
        "cvar_95", "CVaR 95 %", "fraction", "risk", "mean of the worst 5 % of r_d",
        "Expected return of a day among the worst twentieth (Rockafellar & Uryasev 2000).",
    ),
    Metric("best_day", "Best day", "fraction", "risk", "max r_d", "Highest daily return."),
    Metric("worst_day", "Worst day", "fraction", "risk", "min r_d", "Lowest daily return."),
    Metric("days", "Whole days", "count", "risk", "n", "Whole UTC days with a daily return."),
    # -- market --------------------------------------------------------------------------------
    Metric(
        "benchmark_return", "Buy & hold", "fraction", "market", "B_end/B_0 − 1",
        "The initial equity held in equal parts of the run's symbols, without costs.",
    ),
    Metric(
        "alpha", "Alpha", "fraction", "market", "(1 + mean(r_d − β·b_d))^365 − 1",
        "Annual return that buy & hold does not explain (Jensen 1968); b_d are the daily returns "
        "of buy & hold.",
    ),
    Metric(
        "beta", "Beta", "ratio", "market", "cov(r_d, b_d)/var(b_d)",
        "How much the run moved with buy & hold, on the same days.",
    ),
    # -- trades --------------------------------------------------------------------------------
    Metric(
        "trades", "Closed trades", "count", "trades", "N",
        "Trades from flat, or a change of sign, to the next. All figures of this group are over "
        "closed trades, net of fees and slippage.",
    ),
    Metric(
        "open_trades", "Open trades", "count", "trades", "count",
        "Trades still open at the end; marked to market and in none of the figures of this group.",
    ),
    Metric(
        "win_rate", "Win rate", "fraction", "trades", "w = wins/N",
        "Share of trades that made money; one of exactly 0 is neither won nor lost.",
    ),
    Metric(
        "profit_factor", "Profit factor", "ratio", "trades", "Σwins/Σlosses",
        "Money won over money lost.",
    ),
    Metric("average_win", "Average win", "money", "trades", "mean of the wins", "Of a won trade."),
    Metric(
        "average_loss", "Average loss", "money", "trades", "mean of the losses",
        "Of a lost trade, as a positive figure.",
    ),
    Metric(
        "payoff", "Payoff", "ratio", "trades", "average win/average loss",
        "What a won trade brings per what a lost one costs.",
    ),
    Metric(
        "expectancy", "Expectancy", "money", "trades", "w·average win − l·average loss",
        "Expected profit of a trade; l is the share of lost trades.",
    ),
    Metric(
        "expectancy_ratio", "Expectancy ratio", "ratio", "trades", "(1 + payoff)·w − 1",
        "Expected profit per unit at risk.",
    ),
    Metric(
        "sqn", "SQN", "ratio", "trades", "√N·mean(p)/std(p, ddof=1)",
        "System quality number over the profits p of the trades (Tharp 2008).",
    ),
    Metric(
        "p_value", "p of mean profit", "probability", "trades", "two-sided t-test of mean(p) = 0",
        "How often trades without any edge would show a mean profit this far from 0 (Student "
        "1908). Takes trades as independent: overlapping ones make it too small.",
    ),
    Metric("best_trade", "Best trade", "money", "trades", "max p", "Highest profit of a trade."),
    Metric("worst_trade", "Worst trade", "money", "trades", "min p", "Lowest profit of a trade."),
    Metric(
        "mean_duration", "Mean duration", "duration", "trades", "mean(t_close − t_open)",
        "How long a closed trade was held.",
    ),
    Metric(
        "win_streak", "Longest win streak", "count", "trades", "max consecutive wins",
        "In order of the trades' ends.",
    ),
    Metric(
        "loss_streak", "Longest loss streak", "count", "trades", "max consecutive losses",
        "In order of the trades' ends.",
    ),
    # -- exposure and costs --------------------------------------------------------------------
    Metric(
        "exposure", "Time in market", "fraction", "exposure", "time with gross > 0/time",
        "Share of the run's time with any position.",
    ),
    Metric(
        "mean_gross", "Mean gross exposure", "times", "exposure", "mean Σ|position|/E",
        "Size of all positions as a multiple of equity, averaged over time.",
    ),
    Metric(
        "turnover", "Turnover", "times", "exposure", "traded notional/mean E",
        "How many times equity was traded in the whole run, each side counted.",
    ),
    Metric(
        "fees_paid", "Fees paid", "money", "exposure", "Σ fee of each fill", "To the venue.",
    ),
    Metric(
        "slippage_paid", "Slippage paid", "money", "exposure",
        "Σ |fill price − open price|·quantity",
        "What fills were worse than the open they were matched at.",
    ),
    Metric(
        "cost_share", "Fees and slippage, share of capital", "fraction", "exposure",
        "(fees + slippage)/E_0",
        "What trading cost, as a share of the initial equity.",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*_CATALOGUE, *SWARM_METRICS)}

HEADLINES = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "volatility",
    "max_drawdown",
)
"""The figures that come with an interval and beside those of the shadow book and buy & hold."""

NOTE_DAYS = (
    "r_d is the return of equity from 00:00 UTC to 00:00 UTC; stubs of a day at either end are "
    "left out. A year has 365 days."
)

__all__ = ["HEADLINES", "METRICS", "NOTE_DAYS", "Group", "Metric", "Unit"]
