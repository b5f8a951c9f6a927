"""What the page shows when its swarm is gone, and how it finds the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, until
from command_calls import PROGRAM
from page_world import Dashboard
from raw_http import ask

from mirrorcore.interfaces.api.discovery import Reach, reach_of
from mirrorcore.interfaces.api.tokens import Tokens

INK = """selector => {
    let ink = 0;
    for (const canvas of document.querySelectorAll(selector + ' .chart canvas')) {
        const { width, height } = canvas;
        if (width === 0 || height === 0) continue;
        const copy = new OffscreenCanvas(width, height);
        const pen = copy.getContext('2d');
        pen.drawImage(canvas, 0, 0);
        const { data } = pen.getImageData(0, 0, width, height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4) {
            seen.add((data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]);
        }
        ink += seen.size - 1;
    }
    return ink;
}"""
"""How many colours there are on the charts beside the ground."""


class Served:
    """`mirrorcore run` in a process of its own, that can be killed."""

    def __init__(self, runs: Path, port: int, log: Path, *more: str) -> None:
        self.runs = runs
        arguments = (
            "run", "--runs", str(runs), "--port", str(port), "--symbols", "3", "--speed", "900",
            "--warmup", "1d", "--bars", "100000", "--seconds", "0", "--no-report",
            *more,
        )  # fmt: skip
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        self.reach: Reach = until(self._reach, "the swarm is served", 60)

    def _reach(self) -> Reach | None:
        assert self.process.poll() is None, "it ended"
        for folder in self.runs.iterdir() if self.runs.is_dir() else ():
            found = reach_of(folder) if folder.is_dir() else None
            if found is not None and found.pid == self.process.pid:
                return found
        return None

    @property
    def port(self) -> int:
        return int(self.reach.url.rpartition(":")[2])

    def token(self, role: str = "operator") -> str:
        return Tokens.open(self.runs).secret(role)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def end(self) -> None:
        """As Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)


@contextmanager
def served(folder: Path, port: int = 0, *more: str) -> Iterator[Served]:
    one = Served(folder / "runs", port, folder / "said.txt", *more)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


def test_a_server_that_is_killed_and_the_next_one(chromium: Any, tmp_path: Path) -> None:
    with served(tmp_path) as first:
        port, token = first.port, first.token()
        with Dashboard(chromium, port, token) as dashboard:
            page = dashboard.page
            dashboard.after_frames(5)
            assert dashboard.js(INK, "#price") > 5
            assert page.locator("#grid .grid-row.stale").count() == 0
            run = dashboard.state("top.run")
            first.kill()
            killed = time.monotonic()
            page.locator("#banner").wait_for()
            assert time.monotonic() - killed < 3
            assert "STALE, disconnected" in dashboard.text("#banner")
            assert "disconnected" in dashboard.text("#top")

            # Once a bug: a resized canvas is empty, and nothing came that would have it drawn.
            for width in (1600, 1300, 1500):
                page.set_viewport_size({"width": width, "height": 900})
                until(lambda: dashboard.js(INK, "#price") > 5, "the price is still drawn")
                until(lambda: dashboard.js(INK, "#equity") > 5, "so is equity")
            # Once a bug: what is old looked new, for its age was that of the last frame.
            shown = page.locator("#grid .grid-row:not([hidden])")
            assert shown.count() == page.locator("#grid .grid-row.stale:not([hidden])").count() > 9
            old = ages(dashboard)
            until(lambda: ages(dashboard) != old, "ages go on")
            until(lambda: "<1s" not in ages(dashboard), "nothing looks new")
            # The stop says what to do where the server is dead.
            page.keyboard.down("F10")
            until(lambda: "mirrorcore ctl" in dashboard.text("#bottom .result"), "another way")
            page.keyboard.up("F10")

            with served(tmp_path, port) as second:
                listening = time.monotonic()
                assert second.port == port
                dashboard.until("window.mirrorcore.link.state() === 'live'", "it is back", 20)
                assert time.monotonic() - listening < 6
                until(lambda: page.locator("#banner").is_hidden(), "nothing is wrong any more")
                assert dashboard.state("top.run") == second.reach.run != run
                stale = page.locator("#grid .grid-row.stale:not([hidden])")
                until(lambda: stale.count() == 0, "rows are new")
                same_as_api(dashboard, second)
                second.end()
                page.locator("#banner", has_text="the run is over").wait_for()
                assert "ended" in dashboard.text("#top")
                assert not [one for one in dashboard.said if "ERR_CONNECTION" not in one]


HOLDER = """
import os

from mirrorcore import BaseAgent

HERE = os.path.dirname(os.path.abspath(__file__))


class Holder(BaseAgent):
    async def _analyze(self, data):
        if os.path.exists(HERE + "/hold"):
            os.close(os.open(HERE + "/pipe", os.O_RDONLY))  # in C, until somebody writes
        return {"signal": {}}
"""


def test_a_swarm_that_an_agent_holds_up_is_told_from_a_live_one(
    chromium: Any, tmp_path: Path
) -> None:
    """Once a bug: its server answered for it, so that it was live, healthy and its gateway open."""
    (tmp_path / "holder.py").write_text(HOLDER)
    settings = '[[agent]]\nid = "Holder"\nfile = "holder.py"\ninterests = ["technical"]\n'
    (tmp_path / "held.toml").write_text(settings)
    os.mkfifo(tmp_path / "pipe")
    with (
        served(tmp_path, 0, "--config", str(tmp_path / "held.toml")) as swarm,
        Dashboard(chromium, swarm.port, swarm.token()) as dashboard,
    ):
        page = dashboard.page
        dashboard.after_frames(3)
        (tmp_path / "hold").touch()
        page.locator("#banner", has_text="the swarm has not answered for").wait_for()
        assert "held up" in dashboard.text("#top")
        shown = page.locator("#grid .grid-row:not([hidden])")
        old = page.locator("#grid .grid-row.stale:not([hidden])")
        until(lambda: shown.count() == old.count() > 9, "what is old looks old")
        assert "gateway active" in " ".join(dashboard.text("#top").split())
        page.keyboard.down("F10")
        until(lambda: "halted: emergency stop" in dashboard.text("#top"), "the gateway is closed")
        page.keyboard.up("F10")
        until(lambda: "Holder holds it up" in dashboard.text("#bottom .result"), "it is named")
        (tmp_path / "hold").unlink()
        with (tmp_path / "pipe").open("w"):
            dashboard.until("window.mirrorcore.link.state() === 'live'", "it goes on", 20)
        until(lambda: page.locator("#banner").is_hidden(), "nothing is wrong any more")
        assert dashboard.state("top.gw") == "halted"


def ages(dashboard: Dashboard) -> list[str]:
    place = "#grid .grid-row:not([hidden]) > :nth-child(11)"
    return list(dashboard.page.locator(place).all_inner_texts())


def same_as_api(dashboard: Dashboard, swarm: Served) -> None:
    """No row is that of the earlier run: what the page holds is what the API says."""

    def same() -> bool:
        before = dashboard.state("top.number")
        said = ask(swarm.port, "/api/v1/agents", token=swarm.token("viewer")).document
        columns = dashboard.state("agents.c")
        if said["tick"] is None or dashboard.state("top.number") != before:
            return False
        rows = said["result"]["agents"]
        names = dashboard.state("enums")
        return [row["id"] for row in rows] == columns["id"] and all(
            (row["status"], row["version"], row["confidence"], row["paper_result_percent"])
            == (
                names["st"][columns["st"][at]],
                columns["v"][at],
                columns["conf"][at],
                columns["pnl"][at],
            )
            for at, row in enumerate(rows)
        )

    until(same, "page and API say the same of every agent at one moment", 30)


def test_a_page_that_hears_nothing_says_so_and_asks_again(chromium: Any, tmp_path: Path) -> None:
    """A server that stands still holds its connections open: silence alone must tell."""
    with served(tmp_path) as one, Dashboard(chromium, one.port, one.token()) as dashboard:
        os.kill(one.process.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            banner = dashboard.page.locator("#banner", has_text="STALE")
            banner.wait_for()
            assert 1.5 < time.monotonic() - stopped < 4.5
            dashboard.page.locator("#banner", has_text="disconnected").wait_for(timeout=20_000)
            assert time.monotonic() - stopped > 9
        finally:
            os.kill(one.process.pid, signal.SIGCONT)
        dashboard.until("window.mirrorcore.link.state() === 'live'", "it is back", 20)
        until(lambda: not banner.is_visible(), "nothing is wrong any more")
