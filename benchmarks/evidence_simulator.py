"""Does the simulated market keep its promises? Stylised facts, known skill, no edge, speed.

``python -m benchmarks.evidence_simulator`` prints a table and one line of JSON; ``--seeds`` sets
how many markets stand behind each median (16 by default).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from mirrorcore.clock import MINUTE, YEAR, Stopwatch
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.data_sources.simulation import facts, oracle
from mirrorcore.market.block import Floats, MarketBlock

BARS = 105_120
BAR_NS = 5 * MINUTE
SKILL_IC = 0.02
"""High enough that the error of a year's Sharpe is a twentieth of it."""
SKILL_SYMBOLS = 8

_IC_BAND = 0.2
_DECOY_ERRORS = 3.0
_FASTEST = 0.5e6


def column(blocks: list[MarketBlock], name: str) -> Floats:
    """One series of a run, (T, S)."""
    return np.concatenate([block.series[name].value for block in blocks])


def correlation(x: Floats, y: Floats) -> float:
    """Pearson's, over all ticks and symbols together."""
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1])


def facts_of_seed(seed: int, preset: str = "default") -> dict[str, float]:
    """Stylised facts of one year of two symbols."""
    source = SimulatedSource(preset, seed=seed, symbols=2, bars=BARS)
    blocks = list(source.blocks())
    close = np.concatenate([block.close for block in blocks])
    volume = np.concatenate([block.volume for block in blocks])
    return facts.measure(close, volume, YEAR / BAR_NS)


def skill_of_seed(seed: int, preset: str = "plain", ic: float = SKILL_IC) -> dict[str, float]:
    """What one year of eight symbols gives to those who know the truth, or read a channel."""
    source = SimulatedSource(preset, seed=seed, symbols=SKILL_SYMBOLS, bars=BARS, ic=ic)
    known = oracle.truth(source)
    blocks = list(source.blocks())
    outcome = known.returns / known.sigma
    theory = oracle.theoretical_sharpe(source.parameters, SKILL_SYMBOLS)
    directional = oracle.sharpe(oracle.directional_positions(known), known.returns, BAR_NS)
    found = {
        "oracle_sharpe": directional,
        "oracle_over_theory": directional / theory,
        "neutral_sharpe": oracle.sharpe(oracle.neutral_positions(known), known.returns, BAR_NS),
        "alpha_ic": correlation(known.alpha, outcome),
    }
    readings = {
        "onchain.whale_flow": np.arcsinh,
        "sentiment.score": np.arctanh,
        "onchain.decoy_flow": np.arcsinh,
        "sentiment.decoy": np.arctanh,
    }
    for name, undo in readings.items():
        if name in source.parameters.channels:
            score = undo(column(blocks, name))
            found[name] = correlation(score[:-1], outcome[1:])
    return found


def edge_of_seed(seed: int) -> dict[str, float]:
    """t-statistics of what could be an edge in a market that has none; each about N(0, 1)."""
    source = SimulatedSource("null", seed=seed, symbols=SKILL_SYMBOLS, bars=BARS)
    known = oracle.truth(source)
    scaled = known.returns / known.sigma
    momentum = np.sign(np.cumsum(scaled, axis=0))[:-1]
    market = np.ones_like(scaled)
    positions = {
        "long": market[1:],
        "alpha": known.alpha[1:],
        "last_return": np.clip(scaled[:-1], -5.0, 5.0),
        "trend": momentum,
        "whale": np.arcsinh(column(list(source.blocks()), "onchain.whale_flow"))[:-1],
    }
    found = {}
    for name, position in positions.items():
        earned = (position * scaled[1:]).sum(axis=1)
        found[name] = float(earned.mean() / earned.std() * np.sqrt(len(earned)))
    return found


def speed(rounds: int = 5) -> dict[str, float]:
    """Symbol-bars a CPU second on one core, eight symbols, preset default, best of ``rounds``."""
    bare: list[float] = []
    validated: list[float] = []
    for seed in range(rounds):
        source = SimulatedSource("default", seed=seed, symbols=8, bars=10 * 4096)
        model = source.model()
        watch = Stopwatch()
        for _ in range(10):
            model.next_block()
        bare.append(8 * 10 * 4096 / watch.cpu_ns() * 1e9)
        watch = Stopwatch()
        ticks = sum(len(block) for block in source.blocks())
        validated.append(8 * ticks / watch.cpu_ns() * 1e9)
    return {"generated": max(bare), "generated_and_validated": max(validated)}


def prefix_invariant(preset: str = "default") -> bool:
    """Whether 20,000 ticks equal the first 20,000 of 50,000, to the bit and however cut."""

    def bytes_of(bars: int, max_rows: int) -> dict[str, bytes]:
        source = SimulatedSource(preset, seed=5, symbols=3, bars=bars)
        blocks = list(source.blocks(max_rows=max_rows))
        arrays = {
            name: np.concatenate([getattr(block, name) for block in blocks])
            for name in ("ts", "open_ts", "open", "high", "low", "close", "volume", "flags")
        }
        for name in blocks[0].series:
            arrays[name] = column(blocks, name)
            arrays[f"{name}.known_at"] = np.concatenate([b.series[name].known_at for b in blocks])
        return {name: values[:20_000].tobytes() for name, values in arrays.items()}

    return bytes_of(20_000, 4096) == bytes_of(50_000, 4096) == bytes_of(20_000, 7)


def _row(
    group: str,
    name: str,
    values: Floats,
    low: float,
    high: float,
    *,
    each: tuple[float, float] = (-np.inf, np.inf),
    judged: float | None = None,
) -> dict[str, Any]:
    """A line of the table: the median over seeds must lie in low..high, every seed in ``each``.

    ``judged`` takes the median's place where another summary of the seeds is the right one.
    """
    middle = float(np.median(values)) if judged is None else judged
    lowest, highest = float(values.min()), float(values.max())
    return {
        "group": group,
        "name": name,
        "value": middle,
        "lowest": lowest,
        "highest": highest,
        "band": [low, high],
        "holds": bool(low <= middle <= high and each[0] <= lowest and highest <= each[1]),
    }


def _rows(seeds: int) -> Iterator[dict[str, Any]]:
    found = [facts_of_seed(seed) for seed in range(seeds)]
    for name, band in facts.BANDS.items():
        yield _row("fact", name, np.array([f[name] for f in found]), band.low, band.high)

    for preset in ("plain", "default"):
        skill = [skill_of_seed(seed, preset) for seed in range(seeds)]
        values = {name: np.array([s[name] for s in skill]) for name in skill[0]}
        parameters = SimulatedSource(preset, ic=SKILL_IC).parameters
        group = f"skill {preset}"
        yield _row(
            group, "oracle_over_theory", values["oracle_over_theory"], 0.9, 1.1, each=(0.75, 1.25)
        )
        stated = {
            "alpha_ic": parameters.ic,
            "onchain.whale_flow": oracle.whale_ic(parameters, BAR_NS),
            "sentiment.score": oracle.sentiment_ic(parameters, BAR_NS),
        }
        for name, ic in stated.items():
            yield _row(group, name, values[name], ic * (1 - _IC_BAND), ic * (1 + _IC_BAND))
        bound = _DECOY_ERRORS / np.sqrt(BARS * seeds)
        for name in ("onchain.decoy_flow", "sentiment.decoy"):
            if name in values:
                yield _row(group, name, values[name], -bound, bound)

    edges = [edge_of_seed(seed) for seed in range(seeds)]
    for name in edges[0]:
        statistics = np.array([e[name] for e in edges])
        pooled = float(statistics.sum() / np.sqrt(seeds))
        yield _row("null, pooled t", name, statistics, -3.0, 3.0, judged=pooled)


def run(seeds: int = 16) -> dict[str, Any]:
    """All the evidence: ``rows`` of the table, ``speed``, ``prefix_invariant``, ``passed``."""
    rows = list(_rows(seeds))
    rates = speed()
    prefix = prefix_invariant()
    return {
        "name": "simulator",
        "seeds": seeds,
        "rows": rows,
        "speed": rates,
        "prefix_invariant": prefix,
        "passed": bool(
            prefix and all(row["holds"] for row in rows) and min(rates.values()) >= _FASTEST
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=16, help="markets behind each median")
    result = run(parser.parse_args().seeds)
    print(f"{'':16} {'':22} {'value':>9} {'lowest':>9} {'highest':>9}   band")
    for row in result["rows"]:
        low, high = row["band"]
        print(
            f"{row['group']:16} {row['name']:22} {row['value']:9.4f} {row['lowest']:9.4f} "
            f"{row['highest']:9.4f}   {low:.4f} .. {high:.4f}  {'ok' if row['holds'] else 'MISSED'}"
        )
    for name, rate in result["speed"].items():
        print(f"{name}: {rate / 1e6:.2f} M symbol-bars per CPU second (at least 0.5)")
    print(f"prefix-invariant to the bit: {result['prefix_invariant']}")
    print(json.dumps(result))
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
