"""Paper runs: repeated to the same fingerprint, whoever answered late and however they end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from swarm_world import configured, entries

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.config import to_toml
from mirrorcore.config.model import RunConfig
from mirrorcore.journal import Journal, JournalReader, RunRegistry, RunStatus
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.syncbus import BusError, SyncBus

PAPER = {
    "market__bars": 330,
    "paper__speed": 1_000_000.0,
    "paper__warmup": "1d",
    "costs__fee_bps": 0,
    "costs__slippage_bps": 0,
}
SLOW = """
    import asyncio

    from mirrorcore import BaseAgent

    class Slow(BaseAgent):
        pause = 0.01

        async def _analyze(self, relevant_data):
            await asyncio.sleep(self.pause)
            rsi = {s: v.get("rsi_14", 50) for s, v in relevant_data["technical"].items()}
            return {"signal": {s: 0.5 if value > 50 else -0.5 for s, value in rsi.items()}}

    class Slower(Slow):
        pause = 0.015
        votes = False

    class Hangs(BaseAgent):
        async def _analyze(self, relevant_data):
            await asyncio.get_running_loop().create_future()
"""


def info(config: RunConfig, run_id: str = "last"):  # type: ignore[no-untyped-def]
    return RunRegistry(config.storage.runs).find(run_id)


def test_a_paper_run_is_repeated_to_the_same_fingerprint(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    outcome = run_paper(config)
    assert outcome.results.identity.ticks == 330 - 288
    assert outcome.results.identity.status == "finished"
    assert outcome.results.accounting_residual == 0
    again = rerun(info(config))
    assert again.differing == ()
    assert again.same
    assert again.outcome.run_id != outcome.run_id


@pytest.mark.parametrize("names", [["Slow"], ["Hangs"], ["Slow", "Slower", "Hangs"]])
def test_late_answers_are_admitted_where_the_record_has_them(
    tmp_path: Path, names: list[str]
) -> None:
    text = entries(names, 'interests = ["technical"]')
    config = configured(tmp_path, text, SLOW, **{**PAPER, "market__bars": 303})
    outcome = run_paper(config)
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        admitted = [entry.body for entry in reader.entries("admission")]
        assert reader.verify().holds
    assert bool(admitted) is ("Slow" in names)
    assert all("Hangs" not in body["agents"] for body in admitted)
    by_name = {agent.id: agent for agent in outcome.results.agents}
    if "Slow" in names:
        assert by_name["Slow"].votes
        assert by_name["Slow"].failures == 0
    if "Hangs" in names:
        assert by_name["Hangs"].isolations >= 1
        assert "beyond its deadline" in by_name["Hangs"].last_error
    again = rerun(info(config))
    assert again.differing == ()
    assert again.same


def test_a_slow_agent_in_history_costs_no_time_and_counts_in_its_own_tick(tmp_path: Path) -> None:
    text = entries(["Slow"], 'interests = ["technical"]')
    config = configured(tmp_path, text, SLOW, market__bars=200)
    first, second = replay_history(config), replay_history(config)
    slow = next(agent for agent in first.results.agents if agent.id == "Slow")
    assert (slow.calls, slow.failures) == (200, 0)
    assert slow.forecasts > 300
    assert first.fingerprint == second.fingerprint


# -- admissions -----------------------------------------------------------------------------------


def test_recorded_admissions_are_taken_all_or_none() -> None:
    import asyncio

    from mirrorcore.clock import VirtualTimeLoop

    bus = SyncBus(VirtualClock(), admission="tick")
    waits = {"a": 0.01, "b": 0.02}

    def handler(name: str):  # type: ignore[no-untyped-def]
        async def on_tick(view: object) -> None:
            await asyncio.sleep(waits[name])
            handles[name].publish({"done": 1.0})

        return on_tick

    handles = {name: bus.register(name, on_tick=handler(name)) for name in waits}

    async def work() -> None:
        bus.tick(None)
        await asyncio.sleep(0.015)
        with pytest.raises(BusError, match="'b'"):
            bus.admit(["a", "b"])
        assert bus.read("a").version == 0
        await asyncio.sleep(0.01)
        assert bus.admit(["b", "a"]) == ["b", "a"]
        assert bus.read("a").version == bus.read("b").version == 1
        with pytest.raises(BusError, match="'a'"):
            bus.admit(["a"])

    loop = VirtualTimeLoop(VirtualClock())
    loop.run_until_complete(work())
    loop.close()
    assert bus.accounting_residual() == 0


def test_an_answer_the_record_does_not_admit_is_late() -> None:
    import asyncio

    from mirrorcore.clock import VirtualTimeLoop

    clock = VirtualClock()
    bus = SyncBus(clock, admission="tick")

    async def on_tick(view: object) -> None:
        await asyncio.sleep(0.01)

    bus.register("quick", on_tick=on_tick)

    async def work() -> None:
        bus.tick(None)
        await asyncio.sleep(0.02)
        clock.advance_to(10 * SECOND)
        bus.sweep()
        assert bus.statistics("quick").expired == 0
        bus.sweep(unadmitted=True)
        assert bus.statistics("quick").expired == 1
        assert bus.admit() == []

    loop = VirtualTimeLoop(VirtualClock())
    loop.run_until_complete(work())
    loop.close()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_rerun_takes_no_answer_the_record_does_not_have(recorded: bool) -> None:
    import asyncio

    from mirrorcore.clock import VirtualTimeLoop
    from mirrorcore.swarm.pace import RecordedPace

    clock = VirtualClock()
    bus = SyncBus(clock, admission="tick")

    async def on_tick(view: object) -> None:
        await asyncio.sleep(0.01)
        handle.publish({"done": 1.0})

    handle = bus.register("quick", on_tick=on_tick)
    pace = RecordedPace(bus, clock, {(7, "voices"): ("quick",)} if recorded else {})

    async def work() -> None:
        bus.tick(None)
        await pace.quiet(7, "voices")
        await asyncio.sleep(0.05)
        await pace.reach(8, 300 * SECOND)

    loop = VirtualTimeLoop(VirtualClock())
    loop.run_until_complete(work())
    loop.close()
    assert bus.read("quick").version == int(recorded)
    assert bus.statistics("quick").expired == int(not recorded)


# -- how runs end ---------------------------------------------------------------------------------


def started(config: RunConfig, tmp_path: Path) -> subprocess.Popen[str]:
    """The run in a process of its own; it says when its tenth tick is done."""
    (tmp_path / "whole.toml").write_text(to_toml(config), encoding="utf-8")
    program = f"""
import sys
from mirrorcore.config import load_config
from mirrorcore.swarm.paper import run_paper

config = load_config({str(tmp_path / "whole.toml")!r}, {{}}).config

def watch(snapshot):
    if snapshot.tick == 10:
        print("running", flush=True)

outcome = run_paper(config, watch=watch)
print(outcome.results.identity.status, flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "running"
    return child


ENDLESS = {**PAPER, "market__bars": 20_000, "paper__speed": 6_000.0}


def test_interrupting_ends_a_run_in_order_with_results(tmp_path: Path) -> None:
    config = configured(tmp_path, **ENDLESS)
    child = started(config, tmp_path)
    child.send_signal(signal.SIGINT)
    said, errors = child.communicate(timeout=60)
    assert said.strip() == "interrupted", errors
    run = info(config)
    assert run.status is RunStatus.INTERRUPTED
    assert (run.path / "results.json").is_file()
    with JournalReader(run.journal) as reader:
        assert reader.verify().holds
        ticks = len(list(reader.entries("input")))
    assert ticks >= 10
    again = rerun(run)
    assert again.differing == ()


def test_a_killed_run_leaves_a_journal_that_holds_and_shows_as_interrupted(
    tmp_path: Path,
) -> None:
    config = configured(tmp_path, **ENDLESS)
    child = started(config, tmp_path)
    child.kill()
    child.communicate(timeout=60)
    run = info(config)
    assert run.status is RunStatus.INTERRUPTED
    assert not (run.path / "results.json").exists()
    with JournalReader(run.journal) as reader:
        assert reader.verify().holds
        assert len(list(reader.entries("input"))) >= 10


def test_a_full_journal_turns_the_gateway_to_reducing_and_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Journal.create

    def small(path: Path, *, flush_every: int = 50, max_bytes: int | None = None) -> Journal:
        return create(path, flush_every=flush_every, max_bytes=100_000)

    monkeypatch.setattr(Journal, "create", small)
    for mode in ("paper", "replay"):
        config = configured(tmp_path / mode, journal__mode="full", **{**PAPER, "market__bars": 500})
        outcome = run_paper(config) if mode == "paper" else replay_history(config)
        results = outcome.results
        assert results.identity.status == "finished"
        assert results.accounting_residual == 0
        told = [w for w in results.warnings if "gateway active → reducing" in w]
        assert told
        reasons = ("the journal cannot be written", "an order's intent could not be recorded")
        assert any(reason in told[0] for reason in reasons)
        assert any("entries are missing" in warning for warning in results.warnings)
        with JournalReader(outcome.path / "journal.sqlite") as reader:
            assert reader.verify().holds
        assert info(config).status is RunStatus.FINISHED


def test_paper_ends_after_its_seconds(tmp_path: Path) -> None:
    config = configured(tmp_path, **ENDLESS)
    begun = time.monotonic()
    outcome = run_paper(config, seconds=0.5)
    assert time.monotonic() - begun < 30
    assert outcome.results.identity.status == "finished"
    assert 0 < outcome.results.identity.ticks < 1_000


@pytest.mark.parametrize(
    ("warmup", "refit", "until"),
    [
        ("1d", "4h", ""),  # 289 bars are known with the first tick
        ("0s", "4h", "2025-01-02 00:05"),
        ("6h", "4h", "2025-01-02 00:05"),
        ("1d", "2d", "2025-01-03 00:00"),
    ],
)
def test_a_run_says_from_when_on_it_may_trade_where_its_warm_up_is_short(
    tmp_path: Path, warmup: str, refit: str, until: str
) -> None:
    settings = {**PAPER, "paper__warmup": warmup, "fusion__refit": refit, "paper__seconds": 0.05}
    outcome = run_paper(configured(tmp_path, **settings))
    told = [one for one in outcome.results.warnings if "warm-up" in one]
    assert [f"until {until} UTC" in one for one in told] == [True] * bool(until), told
