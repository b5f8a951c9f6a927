"""What a command is worth whose record the disk does not take, and what stops are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from commanded_run import Commanded, commanded

from mirrorcore.interfaces.commands import Call, Caller
from mirrorcore.journal import JournalFullError, JournalReader
from mirrorcore.swarm.run import Run


@contextmanager
def full_disk(swarm: Commanded) -> Iterator[None]:
    """The journal takes nothing more for as long as the context lasts."""

    def fill(run: Run) -> None:
        journal = run.scribe._journal
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        with suppress(JournalFullError):
            while True:
                journal.commit_before("audit", 0, {"fills": "the last page"})

    def empty(run: Run) -> None:
        run.scribe._journal._connection.execute("PRAGMA max_page_count = 1000000")

    swarm.run.control.ask(fill).result(60)
    try:
        yield
    finally:
        swarm.run.control.ask(empty).result(60)


def test_what_cannot_be_recorded_has_failed_and_is_not_done(tmp_path: Path) -> None:
    with commanded(tmp_path) as swarm:
        assert swarm.say("emergency_stop")["status"] == "done"
        alert = swarm.say("alerts")["result"]["alerts"][0]["id"]
        with full_disk(swarm):
            remarked = swarm.say("annotate", text="nobody will read this")
            seen = swarm.say("ack_alert", id=alert)
            paused = swarm.say("pause_entries")
        told = (remarked, seen, paused)
        assert [one["status"] for one in told] == ["failed"] * 3
        assert [one["error"]["code"] for one in told] == ["journal_full"] * 3
        assert (
            "the journal cannot be written, so nothing is changed" in remarked["error"]["message"]
        )
        alerts = {one["id"]: one for one in swarm.say("alerts")["result"]["alerts"]}
        assert alerts[alert]["acknowledged_by"] is None
        assert "nobody will read this" not in [note.text for note in swarm.run.control.notes]
        again = swarm.say("ack_alert", id=alert), swarm.say("annotate", text="somebody will")
        assert [one["status"] for one in again] == ["done", "done"]
        alerts = {one["id"]: one for one in swarm.say("alerts")["result"]["alerts"]}
        assert alerts[alert]["acknowledged_by"] == "tester"
    with JournalReader(swarm.outcome[0].path / "journal.sqlite") as reader:
        audits = {entry.seq: entry.body for entry in reader.entries("audit")}
    written = [audits[one["audit_seq"]] for one in again]
    assert [(one["command"], one["status"]) for one in written] == [
        ("ack_alert", "done"), ("annotate", "done"),
    ]  # fmt: skip
    failed = [one["command"] for one in audits.values() if one.get("error") == "journal_full"]
    assert failed == ["annotate", "ack_alert", "pause_entries"]


def test_a_remark_that_is_being_written_when_its_time_is_up_is_recorded_once(
    tmp_path: Path,
) -> None:
    with commanded(tmp_path) as swarm:
        go_on, control = threading.Event(), swarm.run.control
        plainly = control.remark

        def slowly(body: dict[str, Any]) -> int:
            threading.Timer(0.3, go_on.set).start()
            assert go_on.wait(20)
            return plainly(body)

        control.remark = slowly  # type: ignore[method-assign]
        call = Call("annotate", {"text": "slow"}, Caller("hasty"), timeout_s=0.1)
        told = swarm.commands.execute_now(call)
        assert told["status"] == "done"
    with JournalReader(swarm.outcome[0].path / "journal.sqlite") as reader:
        (audit,) = [e for e in reader.entries("audit") if e.body["command"] == "annotate"]
    assert (audit.seq, audit.body["status"]) == (told["audit_seq"], "done")


def test_a_reason_that_has_no_bytes_resumes_trading_all_the_same(tmp_path: Path) -> None:
    with commanded(tmp_path) as swarm:
        assert swarm.say("emergency_stop")["status"] == "done"
        told = swarm.say("resume_trading", reason="\ud800", confirmed=True)
        assert (told["status"], told["error"]) == ("done", None)
