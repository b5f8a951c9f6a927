"""How well the swarm did as a swarm: each figure measured, or absent with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import numpy as np

from mirrorcore.clock import SECOND
from mirrorcore.market.block import Floats
from mirrorcore.report import metrics
from mirrorcore.report.bootstrap import Interval
from mirrorcore.report.paired import Paired, paired
from mirrorcore.report.results import RunIdentity, RunResults
from mirrorcore.report.swarm_records import OutageRecord

NORMAL_95 = 1.959963984540054
"""Half the central 95 % of a standard normal."""

_UNWATCHED = "no self-awareness agent took part"

Figure = tuple[float | None, str]
"""A value, or None and the reason why there is none."""


def swarm_figures(results: RunResults) -> tuple[Mapping[str, Figure], Mapping[str, Interval]]:
    """All figures of :data:`SWARM_METRICS`, and the intervals of those that have one."""
    gap, reason = _collective(results)
    figures = {
        **_performance(results),
        **_reliability(results),
        "collective": (None if gap is None else gap.sharpe, reason),
        **_opinions(results),
        **_adaptability(results),
    }
    intervals = {}
    if gap is not None and gap.sharpe_interval is not None:
        intervals["collective"] = gap.sharpe_interval
    fused = results.swarm.fused
    if fused is not None and fused.ic is not None and fused.ic_error is not None:
        half = NORMAL_95 * fused.ic_error
        intervals["fused_ic"] = Interval(fused.ic - half, fused.ic + half)
    return figures, intervals


def _known(value: float | None, reason: str) -> Figure:
    return (value, "") if value is not None else (None, reason)


def _performance(results: RunResults) -> dict[str, Figure]:
    run, bus = results.identity, results.swarm.bus
    no_time = "" if run.cpu_s > 0 else "CPU time was not recorded"
    no_ticks = no_time or ("" if run.ticks else "no tick was recorded")
    no_bus = "the bus's counters were not recorded"
    return {
        "throughput": _known(None if no_time else run.symbol_bars / run.cpu_s, no_time),
        "tick_time": _known(None if no_ticks else run.cpu_s * SECOND / run.ticks, no_ticks),
        "peak_memory": _known(run.peak_rss_mb or None, "memory was not recorded"),
        "conflated": _known(
            None if bus is None or not bus.published else bus.conflated / bus.published,
            no_bus if bus is None else "nothing was delivered",
        ),
        "backlog": _known(None if bus is None else float(bus.pending), no_bus),
    }


def _reliability(results: RunResults) -> dict[str, Figure]:
    run, outages = results.identity, results.swarm.outages
    span = run.period_end - run.period_start
    calls = sum(agent.calls for agent in results.agents)
    away = sum(_within(run, outage) for outage in outages)
    recovered = [outage.end - outage.start for outage in outages if outage.end is not None]
    nobody = "" if results.agents else "no agent took part"
    no_span = nobody or ("" if span > 0 else "no time passed")
    return {
        "uptime": _known(None if no_span else 1.0 - away / (span * len(results.agents)), no_span),
        "recovery": _known(
            float(median(recovered)) if recovered else None,
            "no agent that was away came back" if outages else "no agent was ever away",
        ),
        "outages": _known(None if nobody else float(len(outages)), nobody),
        "error_rate": _known(
            sum(agent.failures for agent in results.agents) / calls if calls else None,
            nobody or "no agent was called",
        ),
        "restarts": _known(
            None if nobody else float(sum(agent.restarts for agent in results.agents)), nobody
        ),
    }


def _within(run: RunIdentity, outage: OutageRecord) -> int:
    """Nanoseconds of the run in which the agent was away."""
    end = run.period_end if outage.end is None else min(outage.end, run.period_end)
    return max(0, end - max(outage.start, run.period_start))


def _opinions(results: RunResults) -> dict[str, Figure]:
    swarm = results.swarm
    fused = swarm.fused
    unmeasured = "it has not been measured yet" if swarm.watched else _UNWATCHED
    return {
        "opinions": _known(swarm.opinions, unmeasured),
        "fused_ic": _known(
            None if fused is None else fused.ic,
            "votes were not fused" if fused is None else "no fused forecast was scored",
        ),
    }


def _adaptability(results: RunResults) -> dict[str, Figure]:
    swarm = results.swarm
    alarms = swarm.alarms
    weighed = [alarm for alarm in alarms if alarm.weight]
    followed = [alarm.halved - alarm.ts for alarm in alarms if alarm.halved is not None]
    unwatched = "" if swarm.watched else _UNWATCHED
    none = unwatched or ("" if alarms else "no alarm was raised")
    return {
        "alarms": _known(None if unwatched else float(len(alarms)), unwatched),
        "alarms_heeded": _known(
            len(followed) / len(weighed) if weighed else None,
            none or "no voter had a weight when its alarm came",
        ),
        "reaction": _known(
            float(median(followed)) if followed else None, none or "no weight has halved since"
        ),
        "swap_recovery": (None, "measured by 'make evidence', on a market whose truth is known"),
    }


def _collective(results: RunResults) -> tuple[Paired | None, str]:
    """The ungated book against the best paper book of a voter, or why there is none."""
    path = results.voters
    if path is None or not len(results.shadow_equity):
        return None, "no voter's paper book was recorded"
    curve = metrics.with_start(
        results.ts, results.shadow_equity, results.identity.period_start, results.initial_equity
    )
    midnights, closes = metrics.daily_closes(curve)
    returns = metrics.daily_returns(closes)
    known = np.searchsorted(path.ts, midnights, side="right")
    so_far = np.concatenate([np.zeros((1, path.net.shape[1])), path.net])[known]
    daily: Floats = np.diff(so_far, axis=0)
    if len(returns) != len(daily):
        return None, "the ungated book fell to 0 or below"
    if len(returns) < 2 or not metrics.volatility(returns) > 0:
        return None, "the ungated book's daily returns never vary"
    moved = [i for i in range(daily.shape[1]) if metrics.volatility(daily[:, i]) > 0]
    if not moved:
        return None, "no voter's paper book ever moved"
    best = max(moved, key=lambda i: (float(metrics.sharpe(daily[:, i])), -i))
    found = paired(returns, daily[:, best])
    return found, found.reason
