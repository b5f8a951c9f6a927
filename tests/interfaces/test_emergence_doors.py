"""A finding on every door: command, API, metric, live wire, alert, journal, report."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_world import LiveSwarm
from chromium import browser
from command_calls import Caller
from page_world import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from raw_http import until

from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.record import Found, found
from mirrorcore.interfaces.live.findings import Findings
from mirrorcore.interfaces.live.model import ClientModel
from mirrorcore.interfaces.live.panel import Panel
from mirrorcore.interfaces.live.wire import snapshot
from mirrorcore.recent import Recent
from mirrorcore.swarm.run import Run

AGENTS = ("Anna", "<b>Bert</b>")


def made_finding(kind: str, agents: tuple[int, ...]) -> Finding:
    """As a detector makes it."""
    return Finding(
        kind,  # type: ignore[arg-type]
        agents,
        Effect("residual correlation", 0.41234567, "a pair", "up"),
        "agents act independently",
        (10, 90),
        90,
        "Agents 0, 1 acted together. This does not show why.",
        e=123.45678,
        evidence={"lag": 1.0},
    )


def made(kind: str, number: int, explained: str = "") -> Found:
    """A finding as a detector and the run's monitor make it."""
    one = made_finding(kind, (0, 1))
    return found(one, number, AGENTS, ("price",), (110, 190), 190, 1_735_700_000_000_000_000,
                 explained, "AAA/USD")  # fmt: skip


def noted(run: Run) -> None:
    """What the monitor's thread has found reaches the run."""
    watch = run.emergence
    assert watch is not None
    for number, why in enumerate(("", "at the same time: restart Anna by op"), start=1):
        watch.note(made("coordination", number, why))
        watched = watch.watched["coordination"]
        watched.findings, watched.explained = 1, number - 1


RATE = (
    "3 of 40 quiet runs of 10,000 ticks alarmed (7.5%, up to 19.9% by its 95 % interval; "
    "in the worst world 20.0%)"
)


@pytest.fixture(scope="module", autouse=True)
def measured() -> Iterator[None]:
    """As if the bench had been run and had found this."""
    with pytest.MonkeyPatch.context() as patch:
        rates = {"coordination": (3, 40, 0.1986, 0.2)}
        patch.setattr("mirrorcore.emergence.standing.MEASURED", rates)
        yield


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    detectors = ["coordination", "collective"]
    folder = tmp_path_factory.mktemp("findings")
    with LiveSwarm(folder, emergence__detectors=detectors) as alive:
        alive.run.control.ask(noted).result(30)
        yield alive


def test_the_api_has_findings_with_their_evidence(swarm: LiveSwarm) -> None:
    told = swarm.get("/api/v1/findings").document["result"]
    second, first = told["findings"]
    assert (first["id"], first["type"], first["guide_type"]) == (
        "F1", "coordination", "spontaneous_sync",
    )  # fmt: skip
    assert first["agents"] == list(AGENTS)
    assert first["e_value"] == 123.5
    assert first["p_value"] is None
    assert first["effect"] == {
        "name": "residual correlation", "value": 0.4123, "unit": "a pair", "direction": "up",
    }  # fmt: skip
    assert first["window"] == [110, 190]
    assert first["null"] == "agents act independently"
    assert "does not show" in first["summary"]
    assert first["experimental"] is True
    assert first["explained"] == ""
    assert first["symbol"] == "AAA/USD"
    assert second["explained"].startswith("at the same time")
    assert second["alert"] is None
    row = told["detectors"]["coordination"]
    assert (row["findings"], row["explained"]) == (1, 1)
    assert (row["symbols"], row["measured"]) == (len(swarm.run.swarm.context.symbols), RATE)
    assert row["false_findings_budget"] == pytest.approx(0.05 * row["ticks"] / 10_000, abs=1e-4)
    assert [one["id"] for one in swarm.get("/api/v1/findings?limit=1").document["result"][
        "findings"]] == ["F2"]  # fmt: skip


def test_a_finding_that_nothing_explains_is_an_alert_to_acknowledge(swarm: LiveSwarm) -> None:
    (alert,) = [
        one
        for one in swarm.get("/api/v1/alerts").document["result"]["alerts"]
        if one["text"].startswith("coordination: ")
    ]
    assert alert["about"] == "Anna, <b>Bert</b>"
    assert swarm.command("ack_alert", "operator", "seen", id=alert["id"]).status == 200
    first = swarm.get("/api/v1/findings").document["result"]["findings"][1]
    assert (first["alert"], first["acknowledged_by"]) == (alert["id"], "operator")


def test_a_command_given_at_a_door_is_known_to_the_monitor(swarm: LiveSwarm) -> None:
    assert swarm.command("pause_agent", "operator", "p", target="MeanReverter").status == 200
    assert swarm.command("resume_agent", "operator", "r", target="MeanReverter").status == 200

    def why(run: Run, agent: str) -> str:
        watch, now = run.emergence, run.control.tick
        assert watch is not None
        one = made_finding("drift", (0,))
        return watch.causes.of(one, [agent], (now - 9, now), (0, 0), np.zeros((1, 1), dtype=bool))

    said = swarm.run.control.ask(lambda run: (why(run, "MeanReverter"), why(run, "FlowReader")))
    assert said.result(30) == ("at the same time: resume MeanReverter by operator (http)", "")


def test_findings_are_counted_for_prometheus(swarm: LiveSwarm) -> None:
    families = text_string_to_metric_families(swarm.get("/metrics").body.decode())
    (family,) = [one for one in families if one.name == "mcx_emergence"]
    counts = {sample.labels["type"]: sample.value for sample in family.samples}
    assert counts == {"coordination": 1.0, "collective": 0.0}


def test_the_wire_carries_them_to_a_client(swarm: LiveSwarm) -> None:
    def look(run: Run) -> bytes:
        panel = Panel(run)
        try:
            return snapshot(1, 0, panel.look(), "hello")
        finally:
            panel.close()

    client = ClientModel()
    client.receive(swarm.run.control.ask(look).result(30))
    assert [one["id"] for one in client.logs["em"]] == ["F1", "F2"]
    assert client.logs["em"][0]["agents"] == list(AGENTS)
    assert client.tables["watch"]["collective"]["exp"] is False


def test_rows_come_once_and_only_new_ones() -> None:
    class Watch:
        findings: Recent[Found]
        watched: dict[str, Any]

    watch = Watch()
    watch.findings, watch.watched = Recent(9), {}
    seen = Findings(watch)  # type: ignore[arg-type]
    empty = seen.log()
    assert (empty.total, seen.log()) == (0, empty)
    for number in range(1, 4):
        watch.findings.append(made("drift", number))
    assert [row["id"] for row in seen.log().rows] == ["F1", "F2", "F3"]
    assert seen.log() is seen.log()
    assert Findings(None).table() == {}
    assert Findings(None).log().rows == ()


def test_the_report_reads_a_run_from_its_journal(call: Caller, tmp_path: Path) -> None:
    with LiveSwarm(tmp_path, emergence__detectors=["coordination"]) as alive:
        alive.run.control.ask(noted).result(30)
        (alert,) = [
            one
            for one in alive.get("/api/v1/alerts").document["result"]["alerts"]
            if one["text"].startswith("coordination")
        ]
        alive.command("ack_alert", "operator", "seen", id=alert["id"])
        folder = alive.run.folder.path.parent
    told = call("emergence", "report", "last", "--runs", str(folder), "--json").document
    first, second = told["findings"]
    assert first["agents"] == list(AGENTS)
    assert first["acknowledged_by"] == "operator"
    assert second["acknowledged_by"] is None
    assert told["detectors"]["coordination"]["findings"] == 1
    assert told["detectors"]["coordination"]["experimental"] is True
    assert told["ticks"] > 0
    shown = call("emergence", "report", "last", "--runs", str(folder))
    text = " ".join(shown.out.split())
    for part in (
        "coordination 1 found, 1 explained away; luck alone makes at most 0.0",
        f"experimental: its bars are not proven; measured: {RATE}",
        "F1 coordination (spontaneous_sync) in AAA/USD, tick 190",
        "effect: residual correlation 0.4123 a pair, up",
        "e = 123.5, ticks 110 to 190",
        "seen by operator",
        "explained away: at the same time: restart Anna by op",
    ):
        assert part in text, text


def test_a_run_that_goes_on_or_was_killed_is_told_from_one_nobody_watched(
    call: Caller, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    with LiveSwarm(tmp_path / "on", emergence__detectors=["coordination"]) as alive:
        alive.run.control.ask(noted).result(30)
        runs = alive.folder.parent
        report = ("emergence", "report", "last", "--runs")
        until(lambda: call(*report, str(runs), "--json", runs=False).document["findings"])
        going = call(*report, str(runs), runs=False)
        copied = killed / alive.folder.name
        copied.mkdir(parents=True)
        # What a kill leaves: what is committed, run.json of a run that goes on, nobody's lock.
        (copied / "run.json").write_bytes((alive.folder / "run.json").read_bytes())
        source = sqlite3.connect(alive.run.folder.journal)
        kept = sqlite3.connect(copied / "journal.sqlite")
        source.backup(kept)
        source.close()
        kept.close()
    assert "watched, and the run goes on; findings so far: 2. What each" in going.out
    assert "F1 coordination" in going.out
    dead = call(*report, str(killed), runs=False)
    assert "watched, until the run was killed; findings so far: 2. What each" in dead.out
    assert "F1 coordination" in dead.out
    save = ("emergence", "baseline", "save", "last", str(tmp_path / "f"), "--runs", str(killed))
    saved = call(*save, runs=False)
    assert saved.code == 2
    assert "a killed run leaves no baseline" in saved.err
    assert "emergence.history" not in saved.err


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("", "emergence.history = false, and this is a replay of history"),
        ("history = true\nenabled = false", "emergence.enabled = false"),
        ("history = true\ndetectors = []", "emergence.detectors = []"),
    ],
)
def test_the_setting_for_which_nothing_was_watched_is_named(
    call: Caller, tmp_path: Path, settings: str, why: str
) -> None:
    file = tmp_path / "swarm.toml"
    file.write_text(f"[emergence]\n{settings}\n", encoding="utf-8")
    done = call("backtest", "-c", str(file), "--bars", "50", "--symbols", "2", "--no-report")
    assert done.code == 0, done.err
    assert f"nothing was watched for: {why}" in call("emergence", "report", "last").out
    saved = call("emergence", "baseline", "save", "last", str(tmp_path / "f"))
    assert f"it was not watched, for {why.partition(',')[0]}" in saved.err


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


def test_the_dashboard_shows_when_on_what_evidence_and_about_whom(
    chromium: Any, swarm: LiveSwarm
) -> None:
    with Dashboard(chromium, swarm.port, swarm.token("operator"), tab="emergence") as dashboard:
        rows = dashboard.page.locator("#side tbody tr")
        first = rows.filter(has_text="acted together").last
        first.wait_for()
        text = first.inner_text()
        for part in (
            "Experimental",
            "Anna, <b>Bert</b>",
            "residual correlation 0.4123 a pair, up",
            "e = 123.5 over 10,000 ticks; ticks 110–190",
            "Against: agents act independently",
        ):
            assert part in text, text
        assert (
            "Explained away: at the same time" in rows.filter(has_text="acted").first.inner_text()
        )
        detector = rows.filter(has_text="its bars are not proven").first.inner_text()
        assert "coordination" in detector
        assert f"measured: {RATE}" in detector
        assert "AAA/USD" in text
        assert dashboard.page.locator("#side .timeline i").count() == 2
        assert dashboard.page.locator("#side b").count() == 0, "names are text"
