"""The figures about the swarm itself, in the guide's groups of success."""

from __future__ import annotations

from mirrorcore.report.metric import Group, Metric

SWARM_METRICS = (
    # -- performance ---------------------------------------------------------------------------
    Metric(
        "throughput", "Symbol bars a CPU second", "rate", "performance", "symbol bars/CPU time",
        "How much market one core gets through, everything included: features, agents, fusion, "
        "orders, journal.",
    ),
    Metric(
        "tick_time", "CPU time of a tick", "duration", "performance", "CPU time/ticks",
        "From a tick's records to the orders it leads to, on average.",
    ),
    Metric(
        "peak_memory", "Peak memory", "memory", "performance", "largest resident set",
        "Of the process that ran the swarm.",
    ),
    Metric(
        "conflated", "Deliveries merged", "fraction", "performance", "conflated/published",
        "Share of the bus's deliveries that a reader got as part of a later one, because it did "
        "not read in between. In replay readers are called at their cadence, so most are.",
    ),
    Metric(
        "backlog", "Backlog at the end", "count", "performance", "Σ pending over edges",
        "Deliveries nobody had read when the run ended. A reader that catches up gets one merged "
        "delta an edge, however many they are.",
    ),
    # -- reliability ---------------------------------------------------------------------------
    Metric(
        "uptime", "Uptime", "fraction", "reliability", "1 − Σ time away/(agents·time)",
        "Share of all agents' time in which they were neither isolated nor failed. An agent is "
        "away until it has come through its probation.",
    ),
    Metric(
        "recovery", "Median time to recover", "duration", "reliability", "median(t_back − t_away)",
        "Market time from an agent's isolation to its recovery, over those that recovered.",
    ),
    Metric(
        "outages", "Outages", "count", "reliability", "count", "Times an agent was away.",
    ),
    Metric(
        "error_rate", "Calls that failed", "fraction", "reliability", "failures/calls",
        "Over all agents: raised, answered what its schema forbids, flooded, or missed its "
        "deadline.",
    ),
    Metric(
        "restarts", "Restarts", "count", "reliability", "Σ restarts", "New incarnations of agents.",
    ),
    # -- intelligence --------------------------------------------------------------------------
    Metric(
        "collective", "Sharpe above the best voter", "ratio", "intelligence",
        "Sharpe(ungated book) − max Sharpe(voters' paper books)",
        "Whether the swarm is cleverer than the cleverest of its voters, chosen in hindsight; both "
        "on paper, after costs, before any gate. Its interval is that of paired days (Ledoit & "
        "Wolf 2008) against the one that was best.",
    ),
    Metric(
        "opinions", "Independent opinions", "ratio", "intelligence", "effective number of voters",
        "How many voters that know nothing of one another would disagree as much, as the "
        "self-awareness agent measured it last.",
    ),
    Metric(
        "fused_ic", "IC of the fused forecast", "correlation", "intelligence",
        "corr(log-odds, next return/volatility)",
        "Information coefficient of the swarm's one forecast over the next bar. Its interval takes "
        "days as independent.",
    ),
    # -- adaptability --------------------------------------------------------------------------
    Metric(
        "alarms", "Alarms of lost skill", "count", "adaptability", "count",
        "Times the self-awareness agent found that a voter had lost its skill (cumulative sums, "
        "Page 1954).",
    ),
    Metric(
        "alarms_heeded", "Alarms followed", "fraction", "adaptability", "halved/alarms",
        "Share of these alarms after which the voter's weight in the fusion fell to half or less.",
    ),
    Metric(
        "reaction", "Median time to half the weight", "duration", "adaptability",
        "median(t_half − t_alarm)",
        "Market time from an alarm until the voter's weight was half of what it had been, over the "
        "alarms that were followed.",
    ),
    Metric(
        "swap_recovery", "Recovery from a swap of skills", "duration", "adaptability",
        "t(trailing Sharpe ≥ .8·oracle's) − t_swap",
        "How long fusion takes back to 80 % of a swarm that knew of the swap. It takes a market "
        "whose truth is known, so it is measured by 'make evidence'.",
    ),
)  # fmt: skip

SWARM_GROUPS: tuple[tuple[Group, str], ...] = (
    ("performance", "Performance"),
    ("reliability", "Reliability"),
    ("intelligence", "Intelligence"),
    ("adaptability", "Adaptability"),
)

PROFITABILITY = ("total_return", "sharpe", "max_drawdown", "probabilistic_sharpe")
"""The guide's group of that name, from the figures every report has."""
