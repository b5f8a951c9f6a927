"""The guide's AgentDashboard, over a bus in its own loop and over a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from raw_http import Said, ask, until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import mirrorcore
from mirrorcore import AgentDashboard, SyncBus, load_config, run_paper
from mirrorcore.errors import UsageError


def over_a_bus(work: Callable[[AgentDashboard, SyncBus], Awaitable[None]]) -> None:
    """``work`` beside a dashboard that is served in the loop of its bus."""

    async def all_of_it() -> None:
        bus = SyncBus()
        await bus.register_agent("scout")
        await bus.update_agent_state("scout", {"confidence": 0.7, "signal": 0.5})
        dashboard = AgentDashboard(bus, port=0)
        serving = asyncio.ensure_future(dashboard.serve())
        while not dashboard.port:
            await asyncio.sleep(0.01)
        try:
            await work(dashboard, bus)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(all_of_it())


async def asked(
    dashboard: AgentDashboard, token: str, path: str = "/agents/status", **more: str
) -> Said:
    return await asyncio.to_thread(ask, dashboard.port, path, token=token, **more)


def test_the_guide_s_status_is_served_behind_a_token() -> None:
    async def work(dashboard: AgentDashboard, bus: SyncBus) -> None:
        said = await asked(dashboard, dashboard.token)
        assert said.document == {
            "scout": {
                "status": "running", "confidence": 0.7, "last_action": "buy", "performance": None,
                "health": 1.0, "kind": bus.kind_of("scout"), "signal": 0.5, "mailbox": 0,
                "version": 1,
            }
        }  # fmt: skip
        assert said.document == await dashboard.get_agent_status()
        for token in ("", "x" * 43, dashboard.token[:-1]):
            assert (await asked(dashboard, token)).status == 401
        assert (await asked(dashboard, dashboard.token, host="evil.example")).status == 421
        assert (await asked(dashboard, dashboard.token, origin="http://evil.example")).status == 403
        own = f"http://127.0.0.1:{dashboard.port}"
        assert (await asked(dashboard, dashboard.token, origin=own)).status == 200

    over_a_bus(work)


def test_the_guide_s_socket_follows_the_bus() -> None:
    async def work(dashboard: AgentDashboard, bus: SyncBus) -> None:
        url = f"ws://127.0.0.1:{dashboard.port}/agents/live"
        async with connect(url) as client:
            await client.send(json.dumps({"token": dashboard.token}))
            first = json.loads(await asyncio.wait_for(client.recv(), 10))
            assert first["scout"]["confidence"] == 0.7
            await bus.update_agent_state("scout", {"confidence": 0.1, "signal": -1.0})
            second = json.loads(await asyncio.wait_for(client.recv(), 10))
            assert second["scout"]["confidence"] == 0.1
            assert second["scout"]["last_action"] == "sell"
        async with connect(url) as client:
            await client.send(json.dumps({"token": "x" * 43}))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), 10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401

    over_a_bus(work)


def test_over_a_bus_it_is_no_attachment() -> None:
    with pytest.raises(UsageError, match="in the loop of the bus"), AgentDashboard(SyncBus()):
        pass


def test_over_a_run_the_whole_server_comes_up(tmp_path: Path) -> None:
    given = {
        "market.symbols": 2, "market.bars": 310, "paper.warmup": "1d", "paper.speed": 1e6,
        "web.port": 0, "storage.runs": str(tmp_path),
    }  # fmt: skip
    config = load_config(None, {}, list(given.items())).config
    made: list[AgentDashboard] = []

    def attach(run: Any) -> AgentDashboard:
        made.append(AgentDashboard(run))
        return made[0]

    outcome = run_paper(config, attach=attach)
    assert outcome.results.identity.status == "finished"
    assert made[0].said[-1].startswith("Dashboard  http://127.0.0.1:")
    assert until(lambda: not list(tmp_path.glob("*/control.json")))


def test_it_is_a_public_name() -> None:
    assert "AgentDashboard" in mirrorcore.__all__
