"""Runs of a swarm in which something is planted that nobody is told of, and the same without it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.evidence.setting import Settings, configured
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.emergence.record import Found
from mirrorcore.market.block import Floats
from mirrorcore.swarm.emergence.watch import comparable
from mirrorcore.swarm.emergence.written import read_findings
from mirrorcore.swarm.replay import replay_history

AGENTS = Path(__file__).with_name("planted_agents.py")
TURNS_AT = 2100
"""Tick from which the market of a planted regime is rougher, as the agents' own from theirs."""
ROUGHER = 8.0
"""Times its volatility; markets of the simulator go up and down by a factor of 3 by themselves."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What is planted: agents by id and class, whom a finding of its type may name, since when.

    ``quiet`` are the same agents without it. ``roster`` are agents of the roster beside them.
    """

    type: str
    agents: Mapping[str, str]
    quiet: Mapping[str, str]
    named: tuple[str, ...]
    onset: int
    ticks: int
    symbols: int = 1
    settings: Settings = ()
    roster: tuple[str, ...] = ()
    rougher: bool = False


def _all(kind: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, kind)


_PRIVATE = _all("Private", "Anna", "Bert", "Carl", "Dora", "Emil", "Fred")
_STEADY = _all("Steady", "Anna", "Bert", "Carl", "Dora", "Emil")
_DARING = _all("Daring", "Anna", "Bert", "Carl", "Dora")
_BASELINE: Settings = (("emergence.baseline", 1600),)
_FUSED: Settings = (
    ("fusion.residual", False),
    ("fusion.ridge_days", 0.05),
    ("fusion.refit", "5m"),
    ("fusion.half_life", "10d"),
    ("fusion.short_half_life", "5d"),
    ("fusion.smoothing", "0s"),
)
_SEEN: Settings = (("fusion.smoothing", "0s"), ("fusion.band", 0.01))

PLANTS: Mapping[str, Plant] = {
    "two agents with one private feed": Plant(
        "coordination",
        {**_PRIVATE, "Xena": "Fed", "Yves": "Fed"},
        {**_PRIVATE, "Xena": "Private", "Yves": "Private"},
        ("Xena", "Yves"), 2000, 2900,
    ),
    "one agent changed half-way": Plant(
        "drift",
        {**_STEADY, "Tess": "Turned"}, {**_STEADY, "Tess": "Steady"},
        ("Tess",), TURNS_AT, 3300, settings=_BASELINE,
    ),
    "one outsider with skill": Plant(
        "novelty",
        {"Anna": "Private", "Bert": "Private", "Dora": "Seer"},
        {"Anna": "Private", "Bert": "Private", "Dora": "Private"},
        ("Dora",), 0, 900, settings=_SEEN,
    ),
    "agents that know different things": Plant(
        "collective",
        _all("Piece", *(f"Diverse{number}" for number in range(6))),
        _all("Piece", *(f"Clone{number}" for number in range(6))),
        (), 0, 2500, settings=_FUSED, roster=("OracleEngine", "Allocator"),
    ),
    "agents that settle": Plant(
        "specialisation",
        {**_all("Settler", *_PRIVATE), "Gina": "Roamer", "Hans": "Roamer"},
        _all("Roamer", *_PRIVATE, "Gina", "Hans"),
        tuple(_PRIVATE), TURNS_AT, 4200, symbols=3,
    ),
    "one agent that grows careful": Plant(
        "risk",
        {**_DARING, "Cara": "Careful"}, {**_DARING, "Cara": "Daring"},
        ("Cara",), TURNS_AT, 3000,
    ),
    "a market that switches, and is seen to": Plant(
        "regime", {}, {}, ("VolatilitySeer", "RegimeOracle"), TURNS_AT, 2400,
        roster=("MomentumScout", "VolatilitySeer", "RegimeOracle"), rougher=True,
    ),
}  # fmt: skip


def config_of(plant: Plant, folder: Path, seed: int, *, planted: bool = True) -> RunConfig:
    """A run with it, or without."""
    agents = plant.agents if planted else plant.quiet
    entries: list[dict[str, Any]] = [{"id": name, "type": name} for name in plant.roster]
    entries += [
        {"id": name, "file": AGENTS.as_posix(), "class": kind,
         "interests": ["technical", "risk"], "params": {"seed": seed}}
        for name, kind in agents.items()
    ]  # fmt: skip
    market: Settings = (
        ("market.preset", "null"),
        ("market.symbols", plant.symbols),
        ("market.bars", plant.ticks),
    )
    if plant.rougher:
        factor = ROUGHER if planted else 1.0
        write_market(folder / "market", seed, plant.ticks, plant.onset, factor)
        market = (("market.source", "recorded"), ("market.directory", str(folder / "market")))
    return configured(
        folder / "runs",
        [
            ("seed", seed),
            ("agents.preset", "none"),
            ("emergence.history", True),
            ("emergence.detectors", [plant.type]),
            *market,
            *plant.settings,
        ],
        entries,
    )


def findings_of(plant: Plant, seed: int, *, planted: bool = True, rows: int = 4096) -> list[Found]:
    """What a replay finds, in blocks of so many ticks at most."""
    with tempfile.TemporaryDirectory(prefix="mirrorcore-planted-") as folder:
        config = config_of(plant, Path(folder), seed, planted=planted)
        outcome = replay_history(config, block_rows=rows)
        return comparable(read_findings(outcome.path / "journal.sqlite").findings)


def write_market(folder: Path, seed: int, ticks: int, at: int, factor: float) -> None:
    """Candles of a null market of which all moves are ``factor`` times as large from a tick on."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = list(SimulatedSource("null", seed=seed, symbols=1, bars=ticks).blocks())

    def column(name: str) -> Floats:
        return np.concatenate([getattr(block, name)[:, 0] for block in blocks])

    logs = {name: np.log(column(name)) for name in ("open", "high", "low", "close")}
    before = np.concatenate([logs["open"][:1], logs["close"][:-1]])
    times = np.where(np.arange(ticks) < at, 1.0, factor)
    moved = np.concatenate([before[:1], before[0] + np.cumsum((logs["close"] - before) * times)])
    table = {
        "ts": np.concatenate([block.open_ts[:, 0] for block in blocks]) // 1_000_000,
        **{name: np.exp(moved[:-1] + (log - before) * times) for name, log in logs.items()},
        "volume": column("volume"),
    }
    pl.DataFrame(table).write_parquet(folder / "AAA_USD-5m.parquet")
