"""ConsoleMonitor: every agent of a bus or a run as one plain grid."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import mirrorcore
from mirrorcore import ConsoleMonitor, SyncBus, load_config, run_paper
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.watching import look


async def guide_bus() -> SyncBus:
    bus = SyncBus()
    for name in ("FearAnalyzer", "evil\x1b[2J\x07", "Momentum"):
        await bus.register_agent(name)
    await bus.update_agent_state(
        "FearAnalyzer",
        {"confidence": 0.731, "last_signal": "SELL", "pnl": -12.5, "status": "own word"},
    )
    await bus.update_agent_state(
        "Momentum", {"confidence": np.array([0.2, 0.4]), "signal": {"A": 0.5, "B": 0.1}}
    )
    return bus


def test_a_bare_bus_as_the_guide_has_it() -> None:
    async def shown() -> str:
        bus = await guide_bus()
        out = io.StringIO()
        await ConsoleMonitor(bus, out).display_agent_grid()
        return out.getvalue()

    text = asyncio.run(shown())
    assert text.splitlines() == [
        "Agent         Status       Conf    Signal         PnL  Health",
        "FearAnalyzer  running      0.73      SELL      -12.50  ● ok   1.00",
        "evil␛[2J␇     running         –         –           –  ● ok   1.00",
        "Momentum      running      0.30     +0.30           –  ● ok   1.00",
    ]


def test_life_and_health_are_the_bus_s_own() -> None:
    async def shown() -> list[str]:
        bus = await guide_bus()
        await bus.send_command("Momentum", "isolate")
        return await ConsoleMonitor(bus).lines()

    line = asyncio.run(shown())[3]
    assert "isolated" in line
    assert "■ bad  0.00" in line


def test_nothing_steers_a_pipe_and_a_terminal_is_cleared() -> None:
    master, slave = pty.openpty()

    async def shown() -> None:
        with os.fdopen(slave, "w", encoding="utf-8") as out:
            await ConsoleMonitor(await guide_bus(), out).display_agent_grid()
            out.flush()
            nonlocal text
            text = os.read(master, 65536).decode()

    text = ""
    asyncio.run(shown())
    os.close(master)
    assert text.startswith("\x1b[H\x1b[2J")
    assert text.count("\x1b") == 2
    assert "evil␛[2J␇" in text


def test_no_agents() -> None:
    assert asyncio.run(ConsoleMonitor(SyncBus()).lines())[-1] == "no agents"


def test_what_is_neither_bus_nor_run() -> None:
    with pytest.raises(TypeError, match="takes a SyncBus or a Run, not dict"):
        ConsoleMonitor({})  # type: ignore[arg-type]


def test_a_run_with_its_money(tmp_path: Path) -> None:
    """The figures are those of the run's own snapshot, at the end of a short paper run."""
    config = load_config(
        None,
        {},
        [
            ("market.symbols", 2),
            ("market.bars", 5000),
            ("paper.warmup", "1d"),
            ("paper.speed", 1e6),
            ("storage.runs", str(tmp_path)),
        ],
    ).config
    kept: list[Run] = []

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        kept.append(run)
        yield

    run_paper(config, seconds=0.3, attach=attach)
    lines = asyncio.run(ConsoleMonitor(kept[0]).lines())
    snapshot = look(kept[0])
    assert lines[0].startswith("PAPER  ")
    assert f"equity {snapshot.equity:,.2f} {snapshot.currency}" in lines[0]
    assert f"tick {snapshot.tick:,}" in lines[0]
    assert len(lines) == 2 + len(snapshot.agents)
    for line, row in zip(lines[2:], snapshot.agents, strict=True):
        assert line.startswith(row.id)
        assert f"{row.health:.2f}" in line
        assert row.confidence is None or f"{row.confidence:,.2f}" in line


def test_it_is_a_name_of_the_package() -> None:
    assert "ConsoleMonitor" in mirrorcore.__all__
