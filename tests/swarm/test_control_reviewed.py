"""What a review of the operator's hand found: stops that got lost, and replays that differed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commanded_paper import (
    BY,
    PAPER,
    at_the_step,
    bodies,
    driven,
    orders_of,
    same_again,
    tick_instant,
)
from swarm_world import configured

from mirrorcore.agents.desk.oracle_engine import OracleEngine
from mirrorcore.journal import Journal, JournalError
from mirrorcore.swarm.control import stop_signs
from mirrorcore.swarm.control.actions import AdjustRisk, Rebalance, ResumeTrading
from mirrorcore.swarm.control.effects import ConflictError
from mirrorcore.swarm.control.requests import Done, RunEndedError
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import ALL, Command
from mirrorcore.trading.gateway import ACTIVE, HALTED, Gateway
from mirrorcore.trading.looks import Looks


def test_a_stop_cannot_be_taken_back(tmp_path: Path) -> None:
    def stop(run: Run) -> Future[Done]:
        future = run.control.stop("flatten", "now", BY)
        future.cancel()  # as a wait for it does when its time is up
        return future

    config = configured(tmp_path, **PAPER)
    outcome, said = driven(config, {310: stop})
    assert said[310].result().result["gateway"] == "halted"
    assert [body["action"]["level"] for body in bodies(outcome, "command")] == ["flatten"]
    same_again(config)


def test_what_is_no_stop_can_be_taken_back_while_nobody_has_begun_it(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    act = AdjustRisk("gross", 0.1)
    outcome, said = driven(config, {310: lambda run: run.control.act(act, BY).cancel()})
    assert said[310] is True
    assert bodies(outcome, "command") == []


def test_an_entry_of_the_audit_is_written_also_where_nobody_waits_for_it(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    outcome, _ = driven(config, {310: lambda run: run.control.audit({"told": "me"}).cancel()})
    assert bodies(outcome, "audit") == [{"told": "me"}]


def test_what_is_asked_within_the_last_tick_is_done_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = driven(configured(tmp_path / "plain", **PAPER), {})
    sent = [order.ts for order in orders_of(plain) if order.status.value == "filled"]
    last = next(tick for tick in range(301, 330) if tick_instant(plain, tick) in sent)
    config = configured(tmp_path / "cut", **{**PAPER, "market__bars": last + 1})
    said: list[Future[Any]] = []

    def ask(run: Run) -> None:
        said.append(run.control.stop("cancel", "at the end", BY))
        said.append(run.control.audit({"told": "at the end"}))

    outcome = at_the_step(config, monkeypatch, last, ask)
    assert said[0].result().tick == last + 1
    (command,) = bodies(outcome, "command")
    assert command["within"] == 0
    assert bodies(outcome, "audit") == [{"told": "at the end"}]
    of_that_tick = [order for order in orders_of(outcome) if order.ts == tick_instant(plain, last)]
    assert {order.status.value for order in of_that_tick} == {"vetoed"}
    same_again(config)


def test_an_audit_that_waits_when_the_run_breaks_off_is_still_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Future[Any]] = []

    def ask(run: Run) -> None:
        waiting.append(run.control.audit({"told": "too late"}))
        waiting.append(run.control.act(ResumeTrading("x"), BY))
        raise KeyboardInterrupt

    outcome = at_the_step(configured(tmp_path, **PAPER), monkeypatch, 310, ask)
    assert bodies(outcome, "audit") == [{"told": "too late"}]
    with pytest.raises(RunEndedError):
        waiting[1].result(timeout=1)


def test_of_two_stops_within_one_step_the_first_is_the_one_that_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, **PAPER)
    plain, _ = driven(config, {})
    sent = Counter(order.ts for order in orders_of(plain) if order.status.value == "filled")
    at = next(ts for ts in sent if ts > tick_instant(plain, 300) and sent[ts] > 1)
    runs: list[Run] = []
    stops: list[Future[Done]] = []
    plainly = Looks.look

    def look(looks: Looks, ts: int) -> None:
        if runs and ts == at and looks.number == len(stops) < 2:
            thread = threading.Thread(
                target=lambda: stops.append(runs[0].control.stop("cancel", "", BY))
            )
            thread.start()
            thread.join()
        plainly(looks, ts)

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        runs.append(run)
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Looks, "look", look)
        outcome = run_paper(config, attach=attach)
    assert len(stops) == 2
    assert [body["within"] for body in bodies(outcome, "command")] == [1, 1]
    same_again(config)


def test_a_resume_does_not_take_away_a_stop_that_was_given_after_it() -> None:
    gateway = Gateway()
    gateway.stop("first", ts=1)
    gateway.latch("second")
    gateway.resume("was asked for before", ts=2, confirmed=True)
    assert (gateway.state, gateway.latched) == (ACTIVE, "second")
    gateway.stop("second", ts=3)
    assert (gateway.state, gateway.latched) == (HALTED, None)


def test_what_a_stop_has_latched_waits_for_its_request(tmp_path: Path) -> None:
    """A thread that is held up between the latch and its request is waited for."""
    between, go_on = threading.Event(), threading.Event()
    later: list[Future[Done]] = []

    def slowly(run: Run) -> threading.Thread:
        gateway = run.swarm.parts.path.gateway

        class Slow(type(gateway)):  # type: ignore[misc]
            __slots__ = ()

            def latch(self, reason: str) -> None:
                super().latch(reason)
                between.set()
                assert go_on.wait(20)

        gateway.__class__ = Slow
        thread = threading.Thread(target=lambda: later.append(run.control.stop("cancel", "", BY)))
        thread.start()
        assert between.wait(20)
        threading.Timer(0.05, go_on.set).start()
        return thread

    config = configured(tmp_path, **PAPER)
    _, said = driven(config, {310: slowly})
    said[310].join()
    assert later[0].result().tick == 310
    same_again(config)


def test_a_reason_that_has_no_bytes_stops_as_well_and_ends_in_a_report(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    outcome, said = driven(config, {310: lambda run: run.control.stop("flatten", "\ud800", BY)})
    assert said[310].result().result["level"] == "flatten"
    assert bodies(outcome, "command")[0]["reason"] == "?"
    same_again(config)


def test_a_stop_is_carried_out_whatever_ails_the_journal(tmp_path: Path) -> None:
    def stop(run: Run) -> Future[Done]:
        def refuse(*_: object) -> int:
            raise JournalError("somebody else has written to it")

        patch = pytest.MonkeyPatch()
        patch.setattr(Journal, "commit_before", refuse)
        future = run.control.stop("flatten", "", BY)
        future.add_done_callback(lambda _: patch.undo())
        return future

    _, said = driven(configured(tmp_path, **PAPER), {310: stop})
    assert said[310].result().seq is None
    assert said[310].result().result["gateway"] == "halted"


def test_a_stop_that_cancels_leaves_nothing_working(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    held: dict[str, list[int]] = {}
    stopped: list[Future[Done]] = []
    at: list[int] = []

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        path = run.swarm.parts.path

        def look() -> None:
            if not stopped and any(order.reduce_only for order in path.venue.working):
                held["before"] = list(path.ledger.positions)
                stopped.append(run.control.stop("cancel", "", BY))
                at.append(run.control.tick)
            elif at and run.control.tick == at[0] + 3:
                held["after"] = list(path.ledger.positions)

        run.control.on_change.append(look)
        yield

    run_paper(config, attach=attach)
    assert stopped[0].result().result["cancelled"] >= 1
    assert held["after"] == held["before"]
    same_again(config)


def test_a_stop_that_came_over_the_bus_itself_is_nobodys_failure(tmp_path: Path) -> None:
    def signal(run: Run) -> list[int]:
        bus = run.swarm.parts.bus
        bus.signal(ALL, Command("emergency_stop", {"level": "cancel"}, 0))
        bus.settle()
        return [bus.statistics(member.agent_id).failures for member in run.swarm.members]

    _, said = driven(configured(tmp_path, **PAPER), {300: signal})
    assert not any(said[300])


def test_an_oracle_that_fails_over_its_weights_is_told_and_fails_again_in_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: OracleEngine, factors: object) -> None:
        raise ValueError("not these")

    monkeypatch.setattr(OracleEngine, "rebalance", fails)
    config = configured(tmp_path, **PAPER)
    action = Rebalance({"MeanReverter": 0.5})
    _, said = driven(config, {310: lambda run: run.control.act(action, BY)})
    with pytest.raises(ConflictError, match="OracleEngine takes no weights: ValueError: not these"):
        said[310].result()
    same_again(config)


def test_a_stop_by_file_stands_where_the_disk_takes_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    looks = Path.stat
    refused: list[Path] = []

    def stat(path: Path, **more: Any) -> Any:
        if path.name == "STOP" and not refused:
            refused.append(path)
            raise PermissionError(13, "Permission denied")  # the watch goes on all the same
        return looks(path, **more)

    monkeypatch.setattr(stop_signs, "write_atomic", full)
    monkeypatch.setattr(Path, "stat", stat)
    config = configured(tmp_path, **{**PAPER, "paper__speed": 20_000.0})
    outcome, _ = driven(config, {295: lambda run: (run.folder.path / "STOP").write_text("flatten")})
    assert refused
    assert [body["action"]["level"] for body in bodies(outcome, "command")] == ["flatten"]
    assert "STOPPED.json cannot be written: No space left on device" in outcome.results.warnings
    assert not caplog.records, "no traceback is logged"
