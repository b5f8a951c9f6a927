"""Cutting the future off changes nothing before the cut; an agent that cheats is caught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import Settings, configured
from benchmarks.measure import DATA
from benchmarks.replay import recorded
from mirrorcore.swarm.checks import CheckReport, check_lookahead
from mirrorcore.swarm.sources import open_source

CUTS = 10
REAL = "crypto_5m"
CHEATS = ("Prophet", "Peeker")
CLAIM = (
    f"cutting the future off at {CUTS} random ticks changes nothing before the cut, for every "
    "agent and every fill, on a simulated and a real market; a cheating agent is caught"
)


def checked(settings: Settings, agents: Sequence[dict[str, Any]] = ()) -> tuple[CheckReport, str]:
    """The verdict, and the digest of the market it is about."""
    config = configured("runs", settings, agents)
    return check_lookahead(config, cuts=CUTS), open_source(config).digest()


def told(verdict: CheckReport) -> dict[str, Any]:
    return {"passed": verdict.passed, "lines": verdict.lines, **verdict.details}


def caught(name: str, bars: int) -> dict[str, Any]:
    """Whether the check names the cheat, and what else it touched."""
    verdict, _ = checked([("market.bars", bars)], [{"id": name, "class": name}])
    return {**told(verdict), "caught": f"agent:{name}" in verdict.details["differing"]}


def run(*, quick: bool = False) -> Finding:
    bars = 1_000 if quick else 12_000
    markets: dict[str, Settings] = {"simulated": [("market.bars", bars)]}
    real = DATA / REAL
    if real.is_dir() and not quick:
        markets[REAL] = recorded(real)
    found, data = {}, {}
    for market, settings in markets.items():
        verdict, data[market] = checked(settings)
        found[market] = told(verdict)
    cheats = {name: caught(name, 600 if quick else 3_000) for name in CHEATS}
    honest = all(verdict["passed"] for verdict in found.values())
    return Finding(
        CLAIM,
        passed=honest and all(cheat["caught"] for cheat in cheats.values()),
        headline=[
            *(
                f"{market}: {'identical at every cut' if v['passed'] else v['differing']}"
                for market, v in found.items()
            ),
            *(
                f"{name}: {'caught' if cheat['caught'] else 'NOT CAUGHT'}"
                for name, cheat in cheats.items()
            ),
            *([] if real.is_dir() or quick else [f"{REAL}: skipped, no data"]),
        ],
        figures={"cuts": CUTS, "markets": found, "cheats": cheats},
        seeds=[42],
        data=data,
    )
