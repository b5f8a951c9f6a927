"""The monitor on a screen of its own: keys, filter, pause, commands, stop; no network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from terminal_world import Door, Feed, done, refused, shown_by
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import ContentSwitcher

from benchmarks.interfaces.invented_swarm import HEADLINE, HOSTILE, World
from mirrorcore.interfaces.console.catalogue import Catalogue
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.dialogs import ConfirmDialog, StopDialog, TextDialog
from mirrorcore.interfaces.terminal.link import LinkState
from mirrorcore.interfaces.terminal.pane import Pane
from mirrorcore.interfaces.terminal.prompt import Prompt


class Seat:
    """Somebody before the monitor."""

    def __init__(self, app: Monitor, pilot: Pilot[None], feed: Feed, door: Door) -> None:
        self.app, self.pilot, self.feed, self.door = app, pilot, feed, door

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """The last letter by its key, what is before it in one go, as when somebody pastes."""
        self.app.query_one(Prompt).insert_text_at_cursor(text[:-1])
        await self.press("space" if text.endswith(" ") else text[-1])

    async def frame(self, *, second: bool = True) -> None:
        """The screen is drawn, as its clock would have it."""
        if second:
            self.app.second()
        self.app.frame()
        await self.pilot.pause()

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(500):
            if holds():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it did not come; shown is:\n{self.shown()}")

    def shown(self) -> str:
        """The text of the screen."""
        return shown_by(self.app)

    def row(self) -> str:
        """The agent under the cursor."""
        row = self.app.agents.grid.row
        return "" if row is None else str(self.app.board.columns["agent"][row])


@asynccontextmanager
async def seat(
    agents: int = 30, size: tuple[int, int] = (160, 45), **answers: Any
) -> AsyncIterator[Seat]:
    feed, door = Feed(World(agents)), Door(answers)
    app = Monitor(feed, door, follow=False)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        for clock in app.clocks:  # frames and seconds pass when a test says so
            clock.pause()
        found = Seat(app, pilot, feed, door)
        await found.frame()
        await found.until(lambda: bool(app.catalogue.entries))
        yield found


def played(scene: Callable[[], Any]) -> None:
    asyncio.run(scene())


def test_what_the_first_screen_shows() -> None:
    async def scene() -> None:
        async with seat() as at:
            text = at.shown()
            for part in (
                "PAPER", "● live", "2025-01-01 08:20:00 UTC", "×1200", "100,000.00 USDT",
                "day +0.52%", "dd 1.23%", "● ACTIVE", "30 agents", "1 paused", "1 isolated",
                "30/30 agents", "FearAnalyzer", "● ok   0.97", "▲ warn 0.55", "■ bad  0.12",
                "PRICES", "BTC/USDT", "EQUITY", "MIND", "feels hope", "ALERTS 1", "EVENTS",
                "F10 STOP",
            ):  # fmt: skip
                assert part in text, part

    played(scene)


def test_hostile_names_and_headlines_reach_no_terminal() -> None:
    async def scene() -> None:
        async with seat() as at:
            for key in "123456":
                await at.press(key)
                text = at.shown()
                assert "\x1b" not in text
                assert "\x07" not in text
                assert "\u202e" not in text
                assert "\n" not in "".join(text.split("\n"))
            await at.press("1")
            assert HOSTILE.replace("\x1b", "␛").replace("\x07", "␇") in at.shown()
            assert "␛[31mBREAKING" in at.shown()
            assert HEADLINE not in at.shown()

    played(scene)


def test_new_figures_are_drawn_and_only_then() -> None:
    async def scene() -> None:
        async with seat() as at:
            before = at.shown()
            await at.frame(second=False)
            assert at.shown() == before
            at.feed.step()
            await at.frame(second=False)
            assert f"{at.feed.world.equity:,.2f} USDT" in at.shown()
            assert "08:25:00 UTC" in at.shown()
            row = at.feed.model.agents["pnl"][0]
            [line] = [one for one in at.shown().splitlines() if "FearAnalyzer" in one]
            assert f"{row:+.2f}" in line

    played(scene)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("2", "choose an agent on screen 1"),
        ("3", "11,500!"),
        ("4", "▲ backing off"),
        ("5", "per_symbol"),
        ("6", "nobody has done anything yet"),
        ("7", "1 found"),
        ("7", "e = 1,234.5"),
        ("7", "not at work: every voter is of the roster"),
        ("7", "luck 0.020 in 4,000 ticks"),
        ("7", "measured: 3 of 40 quiet runs"),
        ("7", "coordination AAA/USD"),
    ],
)
def test_the_other_screens(key: str, part: str) -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press(key)
            await at.frame()
            assert part in at.shown()
            await at.press("escape")
            assert at.app.view is at.app.agents

    played(scene)


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ({"gw": "halted", "gw_reason": "emergency stop by operator"}, "gateway halted"),
        ({"gw": "reducing"}, "gateway reducing"),
        ({"blocked": ["daily_loss"]}, "daily_loss"),
        ({"gw": "halted", "blocked": ["drawdown"]}, "gateway halted, drawdown"),
    ],
)
def test_what_keeps_new_risk_out_of_the_whole_book_is_said(top: dict[str, Any], said: str) -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("5")
            assert "nothing keeps new risk out" in at.shown()
            await at.press("escape", "4")
            assert "0 take no new risk" in at.shown()
            assert "● open" in at.shown()

            at.feed.give({**at.feed.world.delta(), "top": top})
            await at.frame()
            assert f"none takes new risk: {said}" in at.shown()
            assert "● open" not in at.shown()
            await at.press("escape", "5")
            await at.frame()
            assert f"■ no new risk: {said}" in at.shown()
            assert "nothing keeps new risk out" not in at.shown()

    played(scene)


def test_the_reasons_of_a_decision() -> None:
    async def scene() -> None:
        answer = done("why", {"id": "D1000", "because": {"vote": "FearAnalyzer said 0.61"}})
        async with seat(why=answer) as at:
            await at.press("5")
            text = at.shown()
            for part in (
                "WHY D1000 BTC/USDT", "53.4% that it rises", "× 0.85 = +7.65%",
                "▲ per_symbol on BTC/USDT: asked 9.00%, allowed 5.00%", "VOTES 3 of 9",
                "■ BINDS", "O12", "part filled", "50%",
            ):  # fmt: skip
                assert part in text, part
            await at.press("down")
            assert "WHY D1001 ETH/USDT" in at.shown()
            await at.press("w")
            await at.until(lambda: isinstance(at.app.screen, TextDialog))
            await at.pilot.pause()
            assert "FearAnalyzer said 0.61" in at.shown()
            assert ("why", {"id": "D1001 ETH/USDT"}, None) in at.door.calls

    played(scene)


def test_one_agent_and_its_neighbours() -> None:
    async def scene() -> None:
        inside = done("inspect", {"state": {"fear": 0.3125}, "history": [{"v": 7, "fear": 0.31}]})
        async with seat(inspect=inside) as at:
            await at.press("down", "down", "enter")
            await at.frame()
            await at.until(lambda: "0.3125" in at.shown())
            text = at.shown()
            assert "RiskSentinel" in text
            assert "ValueError: ␛[2Jfeed is empty" in text
            assert "closed to open" in text  # what happened to it
            assert ("inspect", {"agent": "RiskSentinel", "history": 50}, None) in at.door.calls
            await at.press("left_square_bracket", "left_square_bracket")
            assert "FearAnalyzer" in at.shown()
            assert "rise  61.0%" in at.shown()  # its part in decisions
            copied: list[str] = []
            at.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
            await at.press("y")
            assert json.loads(copied[0])["agent"]["agent"] == "FearAnalyzer"

    played(scene)


def test_a_filter_is_tried_while_it_is_typed() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("slash")
            await at.type("kind:ri")
            risky = sum(kind == "risk" for kind in at.app.board.columns["kind"])
            assert f"{risky}/30 agents" in at.shown()
            assert "risk" in at.shown()  # offered
            await at.press("tab")
            await at.type("helth<1")
            assert "no column 'helth'" in at.shown()
            assert "did you mean 'health'?" in at.shown()
            await at.press("enter")  # a mistake is not kept
            assert at.app.query_one(Prompt).display
            await at.press("escape")
            assert "30/30 agents" in at.shown()
            await at.press("slash")
            await at.type("!status:running")
            await at.press("enter")
            assert "2/30 agents" in at.shown()
            assert "filter !status:running" in at.shown()
            await at.press("escape")
            assert "30/30 agents" in at.shown()

    played(scene)


def test_sorting_holds_for_a_second_and_the_cursor_follows_if_told() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("s")
            shown = [at.app.board.columns["pnl"][row] for row in at.app.agents.grid.rows]
            assert shown == sorted(shown, reverse=True)
            assert "pnl %▼" in at.shown()
            await at.press("S")
            assert "pnl %▲" in at.shown()
            await at.press("f", "down", "down")
            name = at.row()
            at.feed.step()
            await at.frame(second=False)
            order = list(at.app.agents.grid.rows)
            assert at.row() == name
            await at.frame(second=True)
            assert list(at.app.agents.grid.rows) != order
            assert at.row() == name
            await at.press("f")  # now the cursor keeps its place
            line = at.app.agents.grid.line
            at.feed.step()
            await at.frame()
            assert at.app.agents.grid.line == line
            await at.press("colon")
            await at.type("sort status,-health")
            await at.press("enter")
            assert "sort status,-health" in at.shown()
            await at.press("colon")
            await at.type("sort helth")
            await at.press("enter")
            assert "no column 'helth'" in at.shown()

    played(scene)


def test_a_paused_view_stands_still_and_counts() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("space")
            at_pause = [one for one in at.shown().splitlines() if "Agent-" in one]
            for _ in range(3):
                at.feed.step()
            await at.frame()
            assert "PAUSED 3 updates behind" in at.shown()
            assert [one for one in at.shown().splitlines() if "Agent-" in one] == at_pause
            assert "08:20:00 UTC" in at.shown()
            await at.press("5")
            await at.press("1")
            assert [one for one in at.shown().splitlines() if "Agent-" in one] == at_pause
            await at.press("space")
            assert "PAUSED" not in at.shown()
            assert "08:35:00 UTC" in at.shown()
            assert [one for one in at.shown().splitlines() if "Agent-" in one] != at_pause

    played(scene)


def test_a_row_is_copied_as_json() -> None:
    async def scene() -> None:
        async with seat() as at:
            copied: list[str] = []
            at.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
            await at.press("down", "y")
            found = json.loads(copied[0])
            assert found["agent"] == "EgoProcessor"
            assert found["status"] == "running"
            assert found["health"] == 0.55
            await at.press("3", "y")
            assert json.loads(copied[1])["from"] == ["mind", "technical", "view"]

    played(scene)


def test_stale_never_looks_live() -> None:
    async def scene() -> None:
        async with seat() as at:
            assert not at.app.query_one("#banner", Pane).display
            at.feed.shown, at.feed.silent = LinkState.STALE, 3.2
            await at.frame(second=False)
            assert "▲ STALE" in at.shown()
            assert "nothing heard for 3 s" in at.shown()
            assert at.shown().count(" stale") >= 25  # the age of every row
            at.feed.shown, at.feed.trouble, at.feed.wait = LinkState.LOST, "nobody answers", 1.25
            await at.frame(second=False)
            assert "■ LOST" in at.shown()
            assert "NO CONNECTION: nobody answers" in at.shown()
            assert "again in 1.2 s" in at.shown()
            at.feed.shown = LinkState.LIVE
            await at.frame(second=False)
            assert "NO CONNECTION" not in at.shown()
            assert " stale" not in at.shown()

    played(scene)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("finished", "The run has ended (finished); this is its last state"),
        ("interrupted", "The run has ended (interrupted); this is its last state"),
        ("view failed", "The run goes on, but cannot be shown any more; its warnings say why"),
    ],
)
def test_the_end_is_told_as_it_was(status: str, said: str) -> None:
    async def scene() -> None:
        async with seat() as at:
            epoch, seq = at.feed.model.epoch, at.feed.model.seq
            at.feed.give({"t": "end", "epoch": epoch, "seq": seq, "status": status})
            at.feed.shown = LinkState.ENDED
            await at.frame()
            assert said in at.shown()

    played(scene)


def test_a_command_is_completed_and_run() -> None:
    async def scene() -> None:
        answer = done(
            "pause_agent",
            target_count=2,
            acked=["FearAnalyzer"],
            missing=[{"agent": "EgoProcessor", "why": "no answer"}],
        )
        answer["status"] = "partial"
        async with seat(pause_agent=answer) as at:
            await at.press("colon")
            await at.type("pau")
            assert "pause_agent" in at.shown()
            assert "pause_entries" in at.shown()
            await at.type("se_a")
            await at.press("tab")
            await at.type("Fea")
            await at.press("tab", "enter")
            await at.until(lambda: "acknowledged" in at.shown())
            assert at.door.made() == [("pause_agent", {"target": "FearAnalyzer"}, None)]
            assert "1/2 agents acknowledged, missing: EgoProcessor (no answer)" in at.shown()
            await at.press("colon", "up")
            assert at.app.query_one(Prompt).value.strip() == "pause_agent FearAnalyzer"

    played(scene)


def test_what_the_swarm_refuses_is_said() -> None:
    async def scene() -> None:
        no = refused(
            "adjust_risk", "exceeds_hard_limit", "gross may be 2 at most", hint="ask for less"
        )
        async with seat(adjust_risk=no) as at:
            await at.press("colon")
            await at.type("adjust_risk gross 5")
            await at.press("enter")
            await at.until(lambda: "gross may be 2 at most" in at.shown())
            assert "ask for less" in at.shown()
            assert at.door.made() == [("adjust_risk", {"name": "gross", "value": 5}, None)]
            await at.press("colon")
            await at.type("halt")
            await at.press("enter")
            await at.until(lambda: "there is no command 'halt'" in at.shown())
            await at.press("colon")
            await at.type("stopentry")
            await at.press("enter")
            await at.until(lambda: len(at.door.made()) == 2)
            assert at.door.made()[1] == ("pause_entries", {}, None)

    played(scene)


def test_what_is_said_is_said_to_its_end() -> None:
    """Once a refusal was cut where it said what to do."""
    hint = "the configuration sets it, and a running swarm loosens it by a quarter at most"
    no = refused("adjust_risk", "exceeds_hard_limit", "gross was to be 99, 2 at most", hint=hint)

    async def scene() -> None:
        async with seat(size=(80, 24), adjust_risk=no) as at:
            await at.press("colon")
            await at.type("adjust_risk gross 99")
            await at.press("enter")
            await at.until(lambda: "at most ·" in at.shown())
            assert hint in " ".join(at.shown().split())
            at.app.say("short")
            await at.pilot.pause()
            assert "short" in at.shown().splitlines()[-2]
            assert "quarter" not in at.shown()

    played(scene)


def test_a_confirmation_is_asked_for_and_given() -> None:
    def pause(args: dict[str, Any], confirm: str | None) -> dict[str, Any]:
        if confirm == "token-1":
            return done("pause_agent", target_count=2, acked=["a", "b"])
        return refused(
            "pause_agent", "confirm_required", "12 agents would wait", confirm="token-1",
            targets=["FearAnalyzer", HOSTILE],
        )  # fmt: skip

    async def scene() -> None:
        async with seat(pause_agent=pause) as at:
            for answer in ("n", "y"):
                await at.press("colon")
                await at.type("pause_agent *")
                await at.press("enter")
                await at.until(lambda: isinstance(at.app.screen, ConfirmDialog))
                await at.pilot.pause()
                assert "12 agents would wait" in at.shown()
                assert "It is about 2:" in at.shown()
                assert "evil␛[2J" in at.shown()
                await at.press(answer)
                await at.until(lambda: not isinstance(at.app.screen, ConfirmDialog))
                if answer == "n":
                    await at.until(lambda: "not done" in at.shown())
                    assert len(at.door.made()) == 1
            await at.until(lambda: "2/2 agents acknowledged" in at.shown())
            assert at.door.made()[-1] == ("pause_agent", {"target": "*"}, "token-1")

    played(scene)


def test_stop_is_one_gesture_and_no_accident() -> None:
    stopped = done("emergency_stop", target_count=30, acked=["x"] * 30)

    async def scene() -> None:
        async with seat(emergency_stop=stopped) as at:
            await at.press("f10")
            assert isinstance(at.app.screen, StopDialog)
            assert "1 working orders, 2 open positions" in at.shown()
            for key in ("enter", "space", "y", "a", "escape"):
                await at.press(key)
            assert at.door.made() == []
            await at.press("f10", "f10")
            await at.until(lambda: "30/30 agents acknowledged" in at.shown())
            assert at.door.made() == [("emergency_stop", {"level": "cancel"}, None)]
            await at.press("X", "f")
            await at.until(lambda: len(at.door.made()) == 2)
            assert at.door.made()[1] == ("emergency_stop", {"level": "flatten"}, None)

    played(scene)


def test_stop_can_be_reached_from_everywhere() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("colon")
            await at.press("p", "X")  # a letter where one writes
            assert at.app.query_one(Prompt).value == "pX"
            await at.press("f10", "f10")
            await at.until(lambda: bool(at.door.made()))
            assert at.door.made() == [("emergency_stop", {"level": "cancel"}, None)]
            await at.press("escape", "question_mark")
            await at.press("f10")
            assert isinstance(at.app.screen, StopDialog)

    played(scene)


def test_the_keys_and_commands_are_listed() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("question_mark")
            text = at.shown()
            assert "emergency stop" in text
            assert "health:bad" in text
            await at.press("pagedown")
            assert "pause_agent TARGET" in at.shown()
            await at.press("escape")
            assert "30/30 agents" in at.shown()

    played(scene)


def test_a_long_answer_is_shown_in_full() -> None:
    held = [
        {"symbol": "BTC/USDT", "qty": 0.25, "value": 10500.0},
        {"symbol": "ETH/USDT", "qty": -1.5, "value": None},
    ]

    async def scene() -> None:
        async with seat(positions=done("positions", {"positions": held})) as at:
            await at.press("colon")
            await at.type("positions")
            await at.press("enter")
            await at.until(lambda: isinstance(at.app.screen, TextDialog))
            await at.pilot.pause()
            assert "10500" in at.shown()
            copied: list[str] = []
            at.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
            await at.press("y")
            assert json.loads(copied[0]) == {"positions": held}

    played(scene)


def test_whoever_types_before_the_commands_are_known_is_understood() -> None:
    async def scene() -> None:
        async with seat() as at:
            at.app.catalogue = Catalogue()
            await at.press("colon")
            await at.type("pause_entries")
            await at.press("enter")
            await at.until(lambda: at.door.made() == [("pause_entries", {}, None)])

    played(scene)


def test_keys_right_after_the_one_that_opens_the_line_are_written_on_it() -> None:
    async def scene() -> None:
        async with seat() as at:
            for key in ("slash", "F", "e", "a", "r", "colon", "slash"):
                at.app.post_message(Key(key, {"slash": "/", "colon": ":"}.get(key, key)))
            await at.until(lambda: at.app.query_one(Prompt).value == "Fear:/")

    played(scene)


def test_what_a_change_brought_stays_on_its_line() -> None:
    brought = {"agents": {"FearAnalyzer": {"was": "running", "is": "paused"}}, "note": "x\x1b[2J"}

    async def scene() -> None:
        async with seat(pause_agent=done("pause_agent", brought)) as at:
            await at.press("colon")
            await at.type("pause_agent FearAnalyzer")
            await at.press("enter")
            await at.until(lambda: "note x␛[2J" in at.shown())
            assert len(at.app.screen_stack) == 1  # nothing lies over what is watched

    played(scene)


def test_p_writes_the_command_and_leaves_it_to_you() -> None:
    async def scene() -> None:
        async with seat() as at:
            await at.press("p")
            prompt = at.app.query_one(Prompt)
            assert prompt.value == "pause_agent FearAnalyzer"
            assert at.door.made() == []
            await at.press("escape", *["down"] * 5, "p")
            assert prompt.value == "resume_agent Agent-0005"  # which is paused

    played(scene)


def test_the_audit_is_asked_for_while_it_is_seen() -> None:
    entry = {
        "seq": 3, "wall": "2025-01-01T00:00:07+00:00", "command": "pause_agent",
        "by": {"name": "ann", "origin": "terminal"}, "args": {"target": "x\x1b[2J"},
        "status": "partial", "error": "", "acked": ["a"], "missing": ["b"], "reason": "too loud",
    }  # fmt: skip

    async def scene() -> None:
        async with seat(audit=done("audit", {"audit": [entry]})) as at:
            assert not [call for call in at.door.calls if call[0] == "audit"]
            await at.press("6")
            await at.until(lambda: "target=x␛[2J" in at.shown())
            for part in ("ENTRY", "2025-01-01 00:00:07", "ann · terminal", "1/2", "too loud"):
                assert part in at.shown(), part

    played(scene)


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (124, 30), (220, 60)])
def test_it_fits_every_screen(size: tuple[int, int]) -> None:
    async def scene() -> None:
        async with seat(agents=200, size=size) as at:
            for key in "123456":
                await at.press(key)
                await at.frame()
                assert len(at.shown().splitlines()) == size[1]
            await at.press("1", "end")
            assert at.row() == "Agent-0199"
            assert "Agent-0199" in at.shown()
            assert "F10 STOP" in at.shown()
            await at.press("home", "pagedown")
            assert at.row() in at.shown()

    played(scene)


def test_a_thousand_agents_scroll_and_click() -> None:
    async def scene() -> None:
        async with seat(agents=1000) as at:
            await at.press("end")
            assert at.row() == "Agent-0999"
            await at.press("pageup")
            assert "Agent-0999" in at.shown()
            await at.press("home")
            await at.pilot.click("#grid", offset=(5, 3))
            assert at.row() == "RiskSentinel"
            await at.pilot.click("#grid", offset=(5, 3))
            await at.pilot.pause()
            assert at.app.query_one(ContentSwitcher).current == "agent"

    played(scene)


def test_a_defect_gives_the_screen_back_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Monitor) -> None:
        raise ValueError("a defect of ours")

    monkeypatch.setattr(Monitor, "frame", broken)
    app = Monitor(Feed(World(3)), Door(), follow=False)  # type: ignore[arg-type]
    app.run(headless=True)
    assert isinstance(app.defect, ValueError)  # the command line says so, and keeps the traceback
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


def test_whoever_types_before_the_first_picture_is_heard() -> None:
    async def scene() -> None:
        app = Monitor(Feed(World(5)), Door(), follow=False)  # type: ignore[arg-type]
        async with app.run_test(size=(120, 30)) as pilot:
            assert app.focused is app.agents.grid
            await pilot.press("colon", "a")
            assert app.prompt.value == "a"

    played(scene)
