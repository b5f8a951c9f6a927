"""How good forecasts were, from the sums of the scoreboard by day, with errors over the days."""

from __future__ import annotations

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.report.swarm_records import Skill
from mirrorcore.swarm.scoreboard import FIELDS

_LEAST_DAYS = 2


def skills(cumulative: Floats) -> list[Skill]:
    """The skill of each forecast from its sums (D, fields, N) at the end of each day.

    Errors treat days as independent and the forecasts within one as not: each figure is a ratio of
    sums, whose variance is that of the days' deviations from it (delta method with clusters: Liang
    and Zeger, 1986). With forecasts over more than a day they are somewhat too small.
    """
    days = np.diff(cumulative, axis=0, prepend=np.zeros((1, *cumulative.shape[1:])))
    return [_skill(dict(zip(FIELDS, days[:, :, i].T, strict=True))) for i in range(days.shape[2])]


def _skill(days: dict[str, Floats]) -> Skill:
    sums = {name: float(np.sum(column)) for name, column in days.items()}
    n = sums["n"]
    if not n:
        return Skill(forecasts=0)
    spoken = days["n"] > 0
    enough = int(np.count_nonzero(spoken)) >= _LEAST_DAYS
    hit_rate = sums["hits"] / n
    correlation, correlation_error = _correlation(days, sums)
    return Skill(
        forecasts=int(n),
        hit_rate=hit_rate,
        hit_error=_ratio_error(days["hits"], days["n"], hit_rate) if enough else None,
        ic=correlation,
        ic_error=correlation_error if enough else None,
        # P(rise) = ½ + s x/4 for log-odds x near 0, so Σ ½x(y-½) over Σ ¼x² is s/2.
        slope=2.0 * sums["xy"] / sums["xx"] if sums["xx"] > 0 else None,
        slope_error=2.0 * _ratio_error(days["xy"], days["xx"], sums["xy"] / sums["xx"])
        if enough and sums["xx"] > 0
        else None,
        brier=sums["brier"] / n,
    )


def _ratio_error(above: Floats, below: Floats, ratio: float) -> float:
    """Standard error of Σ above / Σ below."""
    off = above - ratio * below
    return float(np.sqrt(np.sum(off * off)) / np.sum(below))


def _correlation(
    days: dict[str, Floats], sums: dict[str, float]
) -> tuple[float | None, float | None]:
    """Σxz / sqrt(Σxx Σzz), and its error linearised in the three sums."""
    xx, zz = sums["ic_xx"], sums["ic_yy"]
    if not (xx > 0 and zz > 0):
        return None, None
    scale = float(np.sqrt(xx * zz))
    found = sums["ic_xy"] / scale
    off = days["ic_xy"] / scale - 0.5 * found * (days["ic_xx"] / xx + days["ic_yy"] / zz)
    return found, float(np.sqrt(np.sum(off * off)))
