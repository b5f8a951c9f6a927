"""What a stop is told: how many orders it withdrew, and which of two stops is in force."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from commanded_paper import (
    BY,
    LIVELY,
    bodies,
    driven,
    orders_of,
    same_again,
    stopped_at_an_order,
    tick_instant,
)
from swarm_world import configured

from mirrorcore.errors import UsageError
from mirrorcore.journal import RunRegistry
from mirrorcore.swarm.control.actions import CancelOrder, ResumeTrading
from mirrorcore.swarm.control.requests import Done
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run
from mirrorcore.trading.path import OrderPath


def test_a_stop_in_the_middle_of_a_tick_counts_what_was_withdrawn_there(tmp_path: Path) -> None:
    config = configured(tmp_path, **LIVELY)
    plain, _ = driven(config, {})
    grown = Counter(
        order.ts
        for order in orders_of(plain)
        if order.status.value == "filled" and not order.reduce_only
    )
    instant = next(ts for ts in grown if ts > tick_instant(plain, 290) and grown[ts] > 1)
    outcome, stopped = stopped_at_an_order(config, instant, times=2)
    of_that_tick = [order for order in orders_of(outcome) if order.ts == instant]
    withdrawn = [order for order in of_that_tick if order.status.value == "cancelled"]
    assert len(withdrawn) == 1
    assert [one.result().result["cancelled"] for one in stopped] == [1, 0]
    same_again(config)


@pytest.mark.parametrize("second", ["cancel", "flatten"])
def test_a_lower_stop_does_not_end_a_flatten_and_says_so(tmp_path: Path, second: str) -> None:
    config = configured(tmp_path, **{**LIVELY, "costs__participation": 0.00001})
    held: dict[int, int] = {}

    def note(run: Run) -> None:
        held[run.control.tick] = sum(map(abs, run.swarm.parts.path.ledger.positions))

    _, said = driven(
        config,
        {
            295: lambda run: run.control.stop("flatten", "out", BY),
            296: note,
            297: lambda run: run.control.stop(second, "out", BY),  # type: ignore[arg-type]
            298: note,
            302: note,
            303: lambda run: run.control.act(ResumeTrading("so far"), BY),
            304: lambda run: run.control.stop("cancel", "stay", BY),
            305: note,
            309: note,
        },
    )
    result = said[297].result().result
    assert held[298] > 0, "there was something left to close"
    assert held[302] < held[298], "and it went on being closed"
    assert (result["level"], result["in_force"]) == (second, "flatten")
    assert result["cancelled"] == 0
    assert ("resume_trading" in result.get("note", "")) is (second == "cancel")
    ended = said[304].result().result
    assert (ended["in_force"], "note" in ended) == ("cancel", False)
    assert held[309] == held[305] > 0
    same_again(config)


def test_a_signal_before_the_run_is_ready_stops_it_before_its_first_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = RunRegistry.create

    def signalled(self: RunRegistry, *args: Any, **more: Any) -> Any:
        made = create(self, *args, **more)
        os.kill(os.getpid(), signal.SIGUSR1)  # unheard, it would end this process here
        return made

    monkeypatch.setattr(RunRegistry, "create", signalled)
    before = signal.getsignal(signal.SIGUSR1)
    config = configured(tmp_path, **LIVELY)
    outcome, _ = driven(config, {})
    (command,) = bodies(outcome, "command")
    assert (command["tick"], command["by"]["origin"]) == (288, "signal")
    assert not bodies(outcome, "fill")
    assert json.loads((outcome.path / "STOPPED.json").read_text())["status"] == "stopped"
    assert signal.getsignal(signal.SIGUSR1) is before
    monkeypatch.undo()
    same_again(config)


def test_a_file_that_is_about_to_be_written_is_read_when_it_is(tmp_path: Path) -> None:
    """An editor makes the file first and writes into it then: that is one stop, not two."""
    config = configured(tmp_path, **{**LIVELY, "paper__speed": 20_000.0})
    real, looks = Path.stat, list[int]()

    def stat(path: Path, **more: Any) -> Any:
        found = real(path, **more)
        if path.name == "STOP":
            looks.append(found.st_size)
            if len(looks) == 1:
                path.write_text("flatten\n")
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "stat", stat)
        outcome, _ = driven(config, {295: lambda run: (run.folder.path / "STOP").touch()})
    assert looks[:2] == [0, 8]
    assert [one["action"]["level"] for one in bodies(outcome, "command")] == ["flatten"]


@pytest.mark.parametrize("mode", ["paper", "replay"])
def test_a_run_broken_off_in_the_middle_of_a_tick_says_it_cannot_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    config = configured(tmp_path, **LIVELY)
    steps, plainly = count(), OrderPath.step

    def step(self: OrderPath, *args: Any) -> Any:
        sent = plainly(self, *args)
        if next(steps) == 5:
            raise KeyboardInterrupt  # as the second Ctrl-C does
        return sent

    with monkeypatch.context() as patched:
        patched.setattr(OrderPath, "step", step)
        outcome = run_paper(config) if mode == "paper" else replay_history(config)
    assert outcome.results.identity.status == "interrupted"
    with pytest.raises(UsageError, match="broken off in the middle of a tick"):
        rerun(RunRegistry(config.storage.runs).find("last"))


def test_an_order_that_was_withdrawn_is_withdrawn_in_the_repetition(tmp_path: Path) -> None:
    """Ids of orders begin with the id of their run, so there it has another."""
    config = configured(tmp_path, **LIVELY)

    def withdraw(run: Run) -> Future[Done] | None:
        working = run.swarm.parts.path.venue.working
        return run.control.act(CancelOrder(working[0].client_id), BY) if working else None

    outcome, said = driven(config, dict.fromkeys(range(289, 296), withdraw))
    done = [future.result() for future in said.values() if future is not None]
    assert len(done) > 2
    withdrawn = [order for order in orders_of(outcome) if order.outcome == "command"]
    assert len(withdrawn) == len(done)
    same_again(config)
    assert rerun(RunRegistry(config.storage.runs).find("last")).same, "and of that one too"


def test_a_book_that_a_stop_kept_is_still_there_when_it_is_lifted(tmp_path: Path) -> None:
    """Two hours later, longer than the gate's agent waits between two looks; with a full roster."""
    held: dict[int, list[int]] = {}

    def look(run: Run) -> None:
        held[run.control.tick] = list(run.swarm.parts.path.ledger.positions)

    def stop(run: Run) -> None:
        look(run)
        run.control.stop("cancel", "to think", BY)

    def lift(run: Run) -> None:
        look(run)
        run.control.act(ResumeTrading("thought"), BY)

    config = configured(tmp_path, **{**LIVELY, "market__bars": 400})
    driven(config, {320: stop, 346: lift, **dict.fromkeys(range(347, 358), look)})
    assert any(held[320])
    assert held[346] == held[320]
    # The market has gone on, so positions change; none of it is sold for the sake of the stop.
    assert min(sum(map(abs, held[tick])) for tick in range(347, 358)) > 0
