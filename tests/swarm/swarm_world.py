"""Small swarms for the tests: configurations, agents as a user writes them, digests of a run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.checks import digests_of
from mirrorcore.swarm.sources import open_source
from mirrorcore.syncbus import AgentStatistics

MARKET = {"market.symbols": 3, "market.bars": 800, "seed": 7}

FAULTY = """
    import asyncio

    import numpy as np

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent


    class Raises(BaseAgent):
        async def _analyze(self, relevant_data):
            raise ValueError("I always do this")


    class Hangs(BaseAgent):
        async def _analyze(self, relevant_data):
            await asyncio.get_running_loop().create_future()


    class Unknown(BaseAgent):
        async def _analyze(self, relevant_data):
            return {"signal": float("nan"), "confidence": float("nan")}


    class Floods(BaseAgent):
        async def _analyze(self, relevant_data):
            for number in range(5_000):
                await self.syncbus.update_agent_state(self.agent_id, {"number": number})


    class Undeclared(BaseAgent):
        state = {"confidence": StateField("declared", low=0, high=1)}

        async def _analyze(self, relevant_data):
            return {"confidence": 0.5, "secret": 1.0}
"""
FAULTY_CLASSES = ("Raises", "Hangs", "Unknown", "Floods", "Undeclared")


def configured(folder: Path, text: str = "", agents: str = "", **settings: Any) -> RunConfig:
    """A configuration with a small simulated market, runs under ``folder`` and own agents.

    ``text`` is TOML, ``agents`` the Python of agents.py beside it; settings with ``__`` for dots.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.toml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / "agents.py").write_text(textwrap.dedent(agents), encoding="utf-8")
    wanted = {**MARKET, **{name.replace("__", "."): value for name, value in settings.items()}}
    overrides = [*wanted.items(), ("storage.runs", str(folder / "runs"))]
    return load_config(file, {}, overrides).config


def entries(classes: Mapping[str, str] | Sequence[str], extra: str = "") -> str:
    """[[agent]] entries: id -> class of agents.py; ids are the classes' names in a sequence."""
    named = classes if isinstance(classes, Mapping) else {name: name for name in classes}
    return "\n".join(
        f'[[agent]]\nid = "{agent_id}"\nfile = "agents.py"\nclass = "{name}"\n{extra}\n'
        for agent_id, name in named.items()
    )


def digests(config: RunConfig, rows: int = 4096, **options: Any) -> tuple[dict[str, str], Swarm]:
    """The parts of the fingerprint, and the swarm at the end of the run."""
    return digests_of(config, open_source(config), rows=rows, **options)


def statistics(swarm: Swarm, agent_id: str) -> AgentStatistics:
    return swarm.parts.bus.statistics(agent_id)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Names of the parts that are not the same, of those that both have."""
    return sorted(name for name in one.keys() & other.keys() if one[name] != other[name])


def candles(
    folder: Path, *, changed: int | None = None, ticks: int = 700, symbols: int = 3
) -> Path:
    """Files as a user has them, from the simulator; the close of one bar a little higher."""
    folder.mkdir(parents=True)
    source = SimulatedSource("default", seed=3, symbols=symbols, bars=ticks)
    for s, symbol in enumerate(source.symbols):
        blocks = list(source.blocks())
        table = {
            "ts": np.concatenate([b.open_ts[:, s] for b in blocks]) // 1_000_000,
            **{
                name: np.concatenate([getattr(b, name)[:, s] for b in blocks])
                for name in ("open", "high", "low", "close", "volume")
            },
        }
        if changed is not None and s == 1:
            table["close"][changed] = np.nextafter(table["close"][changed], 0)
        pl.DataFrame(table).write_parquet(folder / f"{symbol.replace('/', '_')}-5m.parquet")
    return folder


def on_candles(folder: Path, data: Path, text: str = "", agents: str = "") -> RunConfig:
    """A configuration over recorded candles."""
    return configured(
        folder,
        text,
        agents,
        market__symbols=None,
        market__bars=None,
        market__source="recorded",
        market__directory=str(data),
    )
