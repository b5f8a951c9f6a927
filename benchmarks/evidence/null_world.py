"""Where there is nothing to find, nothing is found: the swarm in a market without an edge.

Preset ``null`` is a martingale by construction, so no strategy has an expected gain in it before
costs. One year a seed, everything as a user would have it but for the costs; the Sharpe ratio and
the verdict are the report's own.
"""

from __future__ import annotations

from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import Settings
from benchmarks.evidence.years import FIVE, FREE, Year, balanced, interval, verdicts, years
from benchmarks.replay import YEAR_BARS

SYMBOLS = 8
SEEDS = 30
LEAST, MOST = -2.0, 0.3
MOST_EVIDENCE = 3
COSTS: dict[str, Settings] = {"cost 0": FREE, "5 bp a side": FIVE}
CLAIM = (
    f"null preset, {SEEDS} seeds of one year: mean Sharpe at cost 0 within its 99 % interval of "
    f"0, mean net Sharpe at 5 bp a side in {LEAST:g} .. {MOST:g}, verdict evidence in at most "
    f"{MOST_EVIDENCE} runs"
)


def run(*, quick: bool = False) -> Finding:
    seeds, bars = (range(2), 1_500) if quick else (range(SEEDS), YEAR_BARS)
    market: Settings = (
        ("market.preset", "null"),
        ("market.symbols", SYMBOLS),
        ("market.bars", bars),
    )
    found = years(
        [
            Year(seed, (*market, *costs), tables={"costs": name})
            for name, costs in COSTS.items()
            for seed in seeds
        ]
    )
    figures: dict[str, Any] = {"symbols": SYMBOLS, "bars": bars}
    headline = []
    for name in COSTS:
        mine = [year for year in found if year["costs"] == name]
        said = verdicts(mine)
        figures[name] = {
            **interval([year["sharpe"] for year in mine]),
            "ungated": interval([year["ungated_sharpe"] for year in mine]),
            "verdicts": said,
            "least_fills": min(year["fills"] for year in mine),
            "years": mine,
        }
        low, high = figures[name]["interval"]
        headline.append(
            f"{name}: mean Sharpe {figures[name]['mean']:+.2f} (99 % interval {low:+.2f} .. "
            f"{high:+.2f}), evidence in {said.get('evidence', 0)} of {len(mine)}, "
            f"fewest fills {figures[name]['least_fills']:,}"
        )
    free, dear = figures["cost 0"], figures["5 bp a side"]
    lucky = [figures[name]["verdicts"].get("evidence", 0) for name in COSTS]
    return Finding(
        CLAIM,
        passed=bool(
            free["covers_0"]
            and LEAST <= dear["mean"] <= MOST
            and max(lucky) <= MOST_EVIDENCE
            and balanced(found)
        ),
        headline=headline,
        figures=figures,
        seeds=list(seeds),
        data={f"null, seed {year['seed']}": year["market"] for year in free["years"]},
    )
