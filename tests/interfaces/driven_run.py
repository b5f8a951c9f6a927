"""A paper run driven tick by tick by a test, as fast as it goes."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mirrorcore.config import load_config
from mirrorcore.config.model import RunConfig
from mirrorcore.interfaces.live.panel import Panel
from mirrorcore.market.block import MarketBlock
from mirrorcore.swarm.pace import HistoryPace
from mirrorcore.swarm.paper import warm_up
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.sources import open_source


def configured_run(folder: Path, text: str = "", agents: str = "", **settings: Any) -> RunConfig:
    """A small simulated market, runs under ``folder``; settings with ``__`` for dots."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.toml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / "agents.py").write_text(textwrap.dedent(agents), encoding="utf-8")
    wanted = {"market.symbols": 3, "market.bars": 800, "seed": 7}
    wanted |= {name.replace("__", "."): value for name, value in settings.items()}
    overrides = [*wanted.items(), ("storage.runs", str(folder / "runs"))]
    return load_config(file, {}, overrides).config


class DrivenRun:
    """Use as a context; :meth:`ticks` decides that many more and tells the panel of each."""

    def __init__(
        self,
        folder: Path,
        text: str = "",
        agents: str = "",
        *,
        first: int = 300,
        shown: bool = True,
        **settings: Any,
    ) -> None:
        config = configured_run(folder, text, agents, **settings)
        self.source = open_source(config)
        self.run = Run.open(
            config, self.source, mode="paper", full=True, notes={"start_tick": first}
        )
        self.first = first
        self.shown = shown
        self._doors = ExitStack()
        self.loop = asyncio.new_event_loop()
        self._blocks: Iterator[MarketBlock] = iter(())
        self._begun = False

    def __enter__(self) -> DrivenRun:
        warm_up(self.run.engine, self.source, self.first)
        if self.shown:
            self.panel = self._doors.enter_context(Panel(self.run))
        self._blocks = iter(self.source.blocks(start_tick=self.first, max_rows=1))
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        self.outcome = self.run.finish()
        self._doors.close()

    async def decide(self, count: int) -> None:
        parts = self.run.swarm.parts
        pace = HistoryPace(parts.bus, parts.clock)
        for _ in range(count):
            block = next(self._blocks)
            if not self._begun:
                self.run.begin(int(block.ts[0]) - self.source.bar_ns, self.first)
                self._begun = True
            await self.run.control.carry_out()
            self.run.scribe.inputs(block)
            await self.run.engine.run(block, pace)
            self.run.control.changed()

    def ticks(self, count: int) -> None:
        self.loop.run_until_complete(self.decide(count))
