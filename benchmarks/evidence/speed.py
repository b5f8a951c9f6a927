"""How fast a replay is at 1, 3, 8 and 100 symbols, and where the time goes."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from benchmarks import nautilus, replay
from benchmarks.evidence.record import Finding

CLAIM = (
    f"replay of 8 symbols, full roster and journal: at least {replay.AT_LEAST:,} symbol-bars per "
    "CPU second, best of five; half of it at 3 symbols; 4x NautilusTrader with 100 actors where "
    "that is installed"
)


def run(*, quick: bool = False) -> Finding:
    found = replay.run(quick=quick)
    rival = _rival(quick)
    bars = {3: found["at_least_3"], 8: found["at_least_8"]}
    simulated = [m for m in found["markets"] if m["market"] == "simulated"]
    fast = all(m["symbol_bars_per_cpu_s"]["best"] >= bars.get(m["symbols"], 0) for m in simulated)
    correct = all(
        m["same_fingerprint"] and float(m["accounting_residual"]) == 0 for m in found["markets"]
    )
    headline = [
        f"{m['market']}, {m['symbols']} symbols: {m['symbol_bars_per_cpu_s']['best']:,.0f}/s best, "
        f"{m['symbol_bars_per_cpu_s']['median']:,.0f}/s median, {m['us_per_tick_best']} us a tick"
        for m in found["markets"]
    ]
    eight = next(m for m in simulated if m["symbols"] == 8)
    largest = list(eight["shares"].items())[:5]
    headline.append("8 symbols: " + ", ".join(f"{stage} {share:.0%}" for stage, share in largest))
    ratio = rival["ratio_median"]["100 actors"] if rival else None
    headline.append(
        "NautilusTrader: not installed" if ratio is None else f"{ratio}x NautilusTrader, 100 actors"
    )
    return Finding(
        CLAIM,
        passed=fast and correct and (ratio is None or ratio >= nautilus.AT_LEAST["100 actors"]),
        headline=headline,
        figures={"replay": found, "nautilus": rival},
        seeds=[42],
    )


def _rival(quick: bool) -> dict[str, Any] | None:
    try:
        metadata.version("nautilus_trader")
    except metadata.PackageNotFoundError:
        return None
    return nautilus.run(bars=1_500, rounds=1) if quick else nautilus.run()
