"""What screens show is there: of events, notes and warnings the newest, of backlogs what is so."""

from __future__ import annotations

from pathlib import Path

import pytest
from commanded_paper import PAPER, bodies, driven, same_again
from swarm_world import configured, entries

from mirrorcore.interfaces.live.happenings import Happenings
from mirrorcore.interfaces.live.rules import Clips
from mirrorcore.recent import Recent, Remarks
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import BusEvent, EventKind
from mirrorcore.trading.gateway import Gateway

MANY = 20_000


def test_what_is_followed_is_seen_once_and_what_came_too_early_is_gone() -> None:
    log: Recent[int] = Recent(3)
    log.append(1)
    assert log.since(0) == ([1], 1)
    assert log.since(1) == ([], 1)
    for n in range(2, 7):
        log.append(n)
    assert log.since(1) == ([4, 5, 6], 6)
    assert log.since(5) == ([6], 6)
    assert (list(log), len(log), log.total) == ([4, 5, 6], 3, 6)


def test_a_remark_is_made_once_and_the_reader_is_told_how_many_are_gone() -> None:
    said = Remarks(2)
    for text in ("a", "a", "b", "c", "c"):
        said.append(text)
    assert said.told() == ("1 earlier warnings are no longer kept", "b", "c")


def test_a_flapping_agent_fills_no_memory_and_leaves_the_others_their_past() -> None:
    lives = LifeLog()
    lives.note(BusEvent(0, EventKind.ISOLATED, "Quiet", "once"))
    lives.note(BusEvent(1, EventKind.RECOVERED, "Quiet", ""))
    for t in range(2, MANY):
        lives.note(BusEvent(t, EventKind.FAILURE, "Flapping", str(t)))
    assert len(lives.events) == len(list(lives.events)) < 1_000
    assert len(lives.of("Flapping")) < 100
    assert [event.detail for event in lives.of("Quiet")] == ["once", ""]
    assert [outage.agent for outage in lives.outages()] == ["Quiet"]


def test_a_gateway_that_is_reduced_again_and_again_has_changed_once() -> None:
    gateway = Gateway()
    for t in range(MANY):
        gateway.reduce("the journal cannot be written", ts=t)
    assert [(one.ts, one.after) for one in gateway.changes] == [(0, "reducing")]
    for t in range(MANY):
        gateway.stop("stop", ts=t)
        gateway.resume("go on", ts=t, confirmed=True)
    assert len(gateway.changes) < 1_000


def test_a_run_keeps_the_newest_and_its_event_log_goes_on(tmp_path: Path) -> None:
    def busy(run: Run) -> tuple[int, int, list[str]]:
        hits = run.swarm.parts.path.limits.hits
        happened = Happenings(run, Clips(hits, run.swarm.context.symbols))
        happened.build(0)
        newest = []
        for n in range(MANY):
            run.control.note(n, "annotation", "tester", f"note {n}")
        newest.append(happened.build(MANY).rows[-1]["text"])
        for n in range(MANY):
            run.warnings.append(f"warning {n}")
        newest.append(happened.build(MANY).rows[-1]["text"])
        return len(run.control.notes), len(run.warnings), newest

    outcome, said = driven(configured(tmp_path, **PAPER), {300: busy})
    notes, warnings, newest = said[300]
    assert max(notes, warnings) < 1_000
    assert newest == [f"note {MANY - 1}", f"warning {MANY - 1}"]
    assert "earlier warnings are no longer kept" in outcome.results.warnings[0]
    assert bodies(outcome, "end"), "the run ended as any other"


def test_a_connection_lost_and_found_between_two_looks_is_told(tmp_path: Path) -> None:
    looks = [("connecting", 0), ("live", 0), ("live", 1), ("live", 1), ("connecting", 1)]

    def look(run: Run) -> list[str]:
        happened = Happenings(run, Clips(run.swarm.parts.path.limits.hits, ()))
        for now, (state, reconnects) in enumerate(looks):
            row = {"state": state, "reconnects": reconnects, "reason": "", "ok": state == "live"}
            happened.sources(now, {"venue": row})
        return [row["text"] for row in happened.build(9).rows if row["kind"] == "source"]

    _, said = driven(configured(tmp_path, **PAPER), {300: look})
    assert said[300] == ["connecting → live", "reconnected → live", "live → connecting"]


@pytest.mark.parametrize("isolation", ["", 'isolation = "process"'])
def test_a_guide_style_agent_has_no_backlog_that_is_not_there(
    tmp_path: Path, isolation: str
) -> None:
    agents = """
        from mirrorcore import BaseAgent

        class Reader(BaseAgent):
            agent_interests = ("MomentumScout", "MeanReverter")

            async def _analyze(self, relevant_data):
                states = await self.syncbus.get_relevant_states(self.agent_id)
                return {"heard": len(states)}
    """
    config = configured(tmp_path, entries(["Reader"], isolation), agents, **PAPER)

    def look(run: Run) -> tuple[int, int]:
        survey = run.swarm.parts.bus.survey()
        row = list(survey.ids).index("Reader")
        return survey.condition(row).pending, run.swarm.parts.bus.read("Reader").state["heard"]

    _, said = driven(config, dict.fromkeys((300, 310), look))
    assert said == {300: (0, 2), 310: (0, 2)}
    same_again(config)
