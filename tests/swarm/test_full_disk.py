"""A disk that is full for a while: what it did to a run is written later, and repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commanded_paper import (
    BY,
    LIVELY,
    acting,
    at_the_step,
    bodies,
    driven,
    orders_of,
    same_again,
    tick_instant,
)
from swarm_world import configured, entries

from mirrorcore.errors import DataError
from mirrorcore.journal import Journal, RunRegistry
from mirrorcore.swarm.control.actions import ResumeTrading
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.why import explain

FIRST = 288

NOISY = """
    from mirrorcore import TickAgent, StateField

    class Noisy(TickAgent):
        state = {"calls": StateField("calls so far")}
        votes = False

        def _analyze(self, tick):
            if tick.row == 0 and 1 <= tick.ts // 300_000_000_000 % 3:
                raise ValueError("now and then")
            return {"calls": 1.0}
"""


def disk(run: Run, *, full: bool) -> None:
    """The journal's file may grow no further, or may again."""
    connection = run.scribe._journal._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}")


def filled(run: Run) -> None:
    disk(run, full=True)


def emptied(run: Run) -> None:
    disk(run, full=False)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> int:
    """A tick at which orders that add risk go out."""
    plain, _ = driven(configured(tmp_path_factory.mktemp("plain"), **LIVELY), {})
    sent = {o.ts for o in orders_of(plain) if o.status.value == "filled" and not o.reduce_only}
    return next(tick for tick in range(FIRST + 2, 322) if tick_instant(plain, tick) in sent)


@pytest.mark.parametrize(("ahead", "flush_every"), [(0, 2_000), (2, 2_000), (1, 1)])
def test_a_disk_that_was_full_for_a_while_is_repeated(
    tmp_path: Path, busy: int, ahead: int, flush_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Journal.create
    monkeypatch.setattr(
        Journal, "create", lambda path: create(path, flush_every=flush_every)
    )  # with every entry its own batch, the disk is found full in the middle of ticks as well
    config = configured(tmp_path, entries(["Noisy"]), NOISY, **LIVELY)
    outcome, said = driven(
        config,
        {
            busy - ahead: filled,
            busy + 3: emptied,
            busy + 4: acting(ResumeTrading("there is room")),
        },
    )
    (reduced,) = [one for one in bodies(outcome, "command") if one["action"]["action"] == "reduce"]
    assert busy - ahead <= reduced["tick"] <= busy + 1
    assert said[busy + 4][0].result().result["before"] == "reducing"
    assert "active → reducing" in " ".join(outcome.results.warnings)
    same_again(config)
    run = RunRegistry(config.storage.runs).runs()[1]
    assert explain(run, f"D{busy + 2}").proof.same


def test_an_order_whose_intent_was_lost_is_lost_again(tmp_path: Path, busy: int) -> None:
    config = configured(tmp_path, **LIVELY)
    outcome, _ = driven(config, {busy: filled, busy + 2: emptied})
    (reduced,) = bodies(outcome, "command")
    assert reduced["within"] is not None
    assert reduced["action"]["unrecorded"] is True
    assert "unrecorded" in [order.outcome for order in orders_of(outcome)]
    again = rerun(RunRegistry(config.storage.runs).find(outcome.path.name))
    assert again.differing == ()
    assert bodies(again.outcome, "command") == [reduced], "what the record has is not found anew"


def test_a_disk_found_full_between_two_orders_is_found_there_again(
    tmp_path: Path, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that fails within the tick has an entry of its own, which finds the disk full."""
    config = configured(tmp_path, **LIVELY)
    outcome = at_the_step(
        config,
        monkeypatch,
        busy,
        lambda run: run.swarm.parts.path.gateway.restrict("found meanwhile"),
    )
    (reduced,) = bodies(outcome, "command")
    assert (reduced["tick"], reduced["within"]) == (busy + 1, 0)
    same_again(config)


def test_a_stop_that_the_disk_did_not_take_is_repeated(tmp_path: Path, busy: int) -> None:
    config = configured(tmp_path, **LIVELY)

    def stop(run: Run) -> Any:
        filled(run)
        return run.control.stop("flatten", "the disk is full: " + "x" * 50_000, BY)

    outcome, said = driven(config, {busy: stop, busy + 2: emptied})
    assert said[busy].result().seq is None
    assert [one["action"]["action"] for one in bodies(outcome, "command")] == ["emergency_stop"]
    same_again(config)


def test_a_run_that_outlived_its_disk_says_from_where_it_cannot_be_repeated(
    tmp_path: Path, busy: int
) -> None:
    config = configured(tmp_path, **LIVELY)
    driven(config, {busy: filled})
    recorded = RunRegistry(config.storage.runs).find("last")
    assert recorded.identity["journal_full"]["lost"] > 0
    with pytest.raises(DataError, match=r"from tick \d+ on: its disk was full .* tick 329"):
        rerun(recorded)


def test_a_replay_whose_disk_was_full_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Journal.create
    monkeypatch.setattr(
        Journal, "create", lambda path: create(path, flush_every=50, max_bytes=100_000)
    )
    config = configured(tmp_path, journal__mode="full", **{**LIVELY, "market__bars": 500})
    replay_history(config)
    with pytest.raises(DataError, match=r"cannot be repeated from .* its journal could not be"):
        rerun(RunRegistry(config.storage.runs).find("last"))
