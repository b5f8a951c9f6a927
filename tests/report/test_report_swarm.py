"""The figures about the swarm itself, against cases worked out by hand."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_examples import START, identity, run_of
from rich.console import Console

from mirrorcore.clock import DAY, HOUR, SECOND
from mirrorcore.errors import MirrorCoreError
from mirrorcore.report import AgentRecord, RunResults, evaluate, render_screen, summarise
from mirrorcore.report.attribution import AgentShare, Attribution, save_attribution
from mirrorcore.report.catalogue import METRICS
from mirrorcore.report.catalogue_swarm import SWARM_GROUPS, SWARM_METRICS
from mirrorcore.report.page import render_page
from mirrorcore.report.store import load_results, save_results
from mirrorcore.report.swarm_metrics import swarm_figures
from mirrorcore.report.swarm_records import (
    AlarmRecord,
    BusRecord,
    OutageRecord,
    Skill,
    SwarmRecord,
    VoterPath,
)

END = START + 10 * DAY
BUS = BusRecord(
    published=100, delivered=60, conflated=30, pending=10, rejected=0, expired=2, edges=12
)


def agent(name: str, **changes: Any) -> AgentRecord:
    return AgentRecord(**({"id": name, "kind": name, "state": "running", "health": 1.0} | changes))


def swarm_run(**changes: Any) -> RunResults:
    """Ten days, four agents."""
    given: dict[str, Any] = {
        "equity": [100.0] * 10,
        "agents": tuple(agent(name, calls=250, failures=1) for name in "ABCD"),
        "swarm": SwarmRecord(bus=BUS, watched=True),
    }
    return run_of(**(given | changes))


def figures(results: RunResults) -> dict[str, tuple[float | None, str]]:
    return dict(swarm_figures(results)[0])


def test_performance() -> None:
    found = figures(swarm_run())
    run = identity()
    assert found["throughput"][0] == run.symbol_bars / run.cpu_s
    assert found["tick_time"][0] == pytest.approx(run.cpu_s / run.ticks * SECOND)
    assert found["peak_memory"][0] == run.peak_rss_mb
    assert found["conflated"][0] == 0.3
    assert found["backlog"][0] == 10


def test_uptime_and_recovery() -> None:
    outages = (
        OutageRecord(agent="A", start=START + DAY, end=START + 2 * DAY),
        OutageRecord(agent="B", start=START + DAY, end=START + DAY + HOUR),
        OutageRecord(agent="A", start=START + 3 * DAY, end=START + 3 * DAY + 5 * HOUR),
        OutageRecord(agent="C", start=START + 9 * DAY, end=None),
        OutageRecord(agent="D", start=START - DAY, end=START + HOUR),  # from the warm-up
    )
    found = figures(swarm_run(swarm=SwarmRecord(outages=outages)))
    away = 24 + 1 + 5 + 24 + 1
    assert found["uptime"][0] == pytest.approx(1 - away / (4 * 240))
    assert found["recovery"][0] == 14.5 * HOUR  # of 1, 5, 24 and 25 h
    assert found["outages"][0] == 5
    assert found["error_rate"][0] == pytest.approx(4 / 1000)
    assert found["restarts"][0] == 0


def test_nobody_away_and_nobody_back() -> None:
    assert figures(swarm_run())["recovery"] == (None, "no agent was ever away")
    gone = SwarmRecord(outages=(OutageRecord(agent="A", start=START, end=None),))
    found = figures(swarm_run(swarm=gone))
    assert found["recovery"] == (None, "no agent that was away came back")
    assert found["uptime"][0] == pytest.approx(0.75)


def voters_of(daily: np.ndarray) -> VoterPath:
    days, names = daily.shape
    ts = START + DAY * np.arange(1, days + 1, dtype=np.int64)
    return VoterPath(ts, tuple(f"v{i}" for i in range(names)), np.cumsum(daily, axis=0))


def test_the_swarm_against_its_best_voter() -> None:
    rng = np.random.default_rng(1)
    daily = 0.01 * rng.standard_normal((100, 3)) + [0.0, 0.002, -0.001]
    book = daily.mean(axis=1) + 0.001
    shadow = 100 * np.cumprod(1 + book)
    results = run_of(shadow, shadow_equity=shadow, voters=voters_of(daily))
    found, intervals = swarm_figures(results)
    ratios = daily.mean(axis=0) / daily.std(axis=0, ddof=1) * np.sqrt(365)
    own = book.mean() / book.std(ddof=1) * np.sqrt(365)
    gap = found["collective"][0]
    assert gap == pytest.approx(own - ratios.max(), rel=1e-9)
    assert intervals["collective"].low < gap < intervals["collective"].high


def test_a_voter_that_joined_late_or_never_moved() -> None:
    rng = np.random.default_rng(2)
    daily = 0.01 * rng.standard_normal((60, 2))
    daily[:, 1] = 0.0
    shadow = 100 * np.cumprod(1 + daily[:, 0])
    late = voters_of(daily)
    late = VoterPath(late.ts[30:], late.names, late.net[30:])
    assert figures(run_of(shadow, shadow_equity=shadow, voters=late))["collective"][0] is not None
    still = replace(late, net=np.zeros_like(late.net))
    assert figures(run_of(shadow, shadow_equity=shadow, voters=still))["collective"] == (
        None,
        "no voter's paper book ever moved",
    )


def test_the_fused_forecast_has_its_error() -> None:
    fused = Skill(forecasts=1000, hit_rate=0.51, ic=0.02, ic_error=0.005)
    found, intervals = swarm_figures(swarm_run(swarm=SwarmRecord(fused=fused, opinions=2.5)))
    assert found["fused_ic"][0] == 0.02
    assert found["opinions"][0] == 2.5
    assert intervals["fused_ic"].low == pytest.approx(0.02 - 1.96 * 0.005, abs=1e-5)


def test_alarms_and_what_followed() -> None:
    alarms = (
        AlarmRecord(voter="A", ts=START, weight=0.5, halved=START + 4 * HOUR),
        AlarmRecord(voter="B", ts=START, weight=0.5, halved=START + 10 * HOUR),
        AlarmRecord(voter="C", ts=START, weight=0.5, halved=None),
        AlarmRecord(voter="D", ts=START, weight=0.0, halved=None),  # had nothing to lose
    )
    found = figures(swarm_run(swarm=SwarmRecord(watched=True, alarms=alarms)))
    assert found["alarms"][0] == 4
    assert found["alarms_heeded"][0] == pytest.approx(2 / 3)
    assert found["reaction"][0] == 7 * HOUR


def test_every_figure_is_measured_or_absent_with_its_reason() -> None:
    names = {metric.name for metric in SWARM_METRICS}
    for results in (run_of([]), run_of([101.0]), swarm_run(), run_of([50.0, -1.0])):
        found = evaluate(results)
        assert names <= set(found.measures)
        for name in names:
            measure = found.measures[name]
            assert (measure.value is None) == bool(measure.reason), name
    assert {metric.group for metric in SWARM_METRICS} == {group for group, _ in SWARM_GROUPS}
    assert names <= set(METRICS)


def shared_run() -> RunResults:
    """Two voters that earned 30 and -10, a desk that cost 5."""
    skill = Skill(
        forecasts=900, hit_rate=0.51, hit_error=0.004, ic=0.02, ic_error=0.004, slope=0.8
    )  # fmt: skip
    agents = (
        agent("Seer", votes=True, contribution=30.0, skill=skill, hit_rate=0.51, forecasts=900),
        agent("Ear", votes=True, contribution=-10.0, skill=skill, hit_rate=0.51, forecasts=900),
        agent("Watch"),
    )
    return run_of([115.0] * 3, agents=agents, swarm=SwarmRecord(desk=-5.0, fused=skill))


def attribution(**changes: Any) -> Attribution:
    given: dict[str, Any] = {
        "run_id": "20240101-run",
        "fingerprint": "f1",
        "method": "exact",
        "orders": 0,
        "seed": 7,
        "currency": "USDT",
        "initial_equity": 100.0,
        "whole": 15.0,
        "empty": 2.0,
        "residual": 0.0,
        "agents": (
            AgentShare(id="Seer", shapley=21.0, error=None, left_out=19.0),
            AgentShare(id="Watch", shapley=-8.0, error=None, left_out=-8.5),
        ),
        "coalitions": (),
    }
    return Attribution(**(given | changes))


def screen(results: RunResults, width: int = 80) -> str:
    out = Console(width=width, file=StringIO(), record=True)
    render_screen(results, out)
    return out.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_tells_what_each_voter_was_worth(width: int) -> None:
    text = screen(replace(shared_run(), attribution=attribution()), width)
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert max(map(len, text.splitlines())) <= width
    for shown in ("+30.00", "+21.00", "51.0±0.8", "+0.020±0.008", "0.80"):
        assert shown in lines["Seer"]
    assert "-5.00" in lines["desk"]
    assert "+15.00" in lines["run"]
    assert "Shapley: share of +13.00" in text
    assert "Shapley" not in screen(shared_run(), width)


def cells(page: str, identifier: str) -> list[list[str]]:
    part = page.split(f'<section id="{identifier}">')[1].split("</section>", maxsplit=1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.S)
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        for row in rows[1:]
    ]


def test_the_page_adds_up_to_the_run() -> None:
    rows = cells(render_page(shared_run()), "attribution")
    assert rows == [
        ["Seer", "+30.00", "+30.00 %"],
        ["Ear", "-10.00", "-10.00 %"],
        ["Desk", "-5.00", "-5.00 %"],
        ["Run", "+15.00", "+15.00 %"],
    ]


def test_the_page_shows_replays_beside_pulls() -> None:
    page = render_page(replace(shared_run(), attribution=attribution()))
    rows = {row[0]: row[1:] for row in cells(page, "attribution")}
    assert rows["Seer"] == ["+30.00", "+30.00 %", "+21.00", "", "+21.00 %", "-19.00"]
    assert rows["Watch"] == ["–", "", "-8.00", "", "-8.00 %", "+8.50"]
    assert rows["Ear"][2] == "n/a"
    assert rows["Run without all of them"][2:5] == ["+2.00", "", "+2.00 %"]
    assert rows["Run"] == ["+15.00", "+15.00 %", "+15.00", "", "+15.00 %", ""]
    drawn = attribution(method="sampled", orders=10)
    assert "10 orders" in render_page(replace(shared_run(), attribution=drawn))


def test_a_run_that_does_not_say_is_told_so() -> None:
    page = render_page(run_of([100.0] * 3))
    assert "do not say who pulled on the targets" in page


def test_the_groups_are_on_the_page_with_reasons() -> None:
    page = render_page(swarm_run())
    part = page.split('<section id="swarm">')[1].split("</section>")[0]
    titles = ["Performance", "Reliability", "Intelligence", "Profitability", "Adaptability"]
    assert re.findall(r"<h3>(.*?)</h3>", part) == titles
    assert "no alarm was raised" in part
    assert "100.00 %" in part


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    outages = (OutageRecord(agent="A", start=START, end=None),)
    alarms = (AlarmRecord(voter="A", ts=START, weight=0.5, halved=None),)
    record = SwarmRecord(bus=BUS, outages=outages, alarms=alarms, desk=1.5, watched=True)
    daily = np.random.default_rng(3).standard_normal((10, 2))
    results = replace(shared_run(), swarm=record, voters=voters_of(daily))
    save_results(results, tmp_path)
    save_attribution(attribution(), tmp_path)
    back = load_results(tmp_path)
    assert back.swarm == record
    assert back.agents == results.agents
    assert back.attribution == attribution()
    assert back.voters is not None
    assert back.voters.names == ("v0", "v1")
    assert np.array_equal(back.voters.net, np.cumsum(daily, axis=0))


def test_a_run_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    save_results(shared_run(), tmp_path)
    document = tmp_path / "results.json"
    import json

    old = json.loads(document.read_text())
    del old["swarm"]
    for entry in old["agents"]:
        del entry["skill"], entry["contribution"]
    document.write_text(json.dumps(old))
    back = load_results(tmp_path)
    assert back.swarm == SwarmRecord()
    assert "do not say who pulled" in render_page(back)


def test_the_document_has_the_figures_and_their_intervals() -> None:
    fused = Skill(forecasts=10, ic=0.02, ic_error=0.005)
    document = summarise(swarm_run(swarm=SwarmRecord(fused=fused)))
    assert document["metrics"]["fused_ic"] == 0.02
    assert document["intervals"]["fused_ic"]["low"] < 0.02
    assert document["metrics"]["uptime"] == 1.0
    assert document["not_available"]["recovery"] == "no agent was ever away"


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_results_that_find_no_room_are_told_with_their_file(tmp_path: Path) -> None:
    import resource

    results = shared_run()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(
            MirrorCoreError, match=r"results\.parquet: .* cannot be written"
        ) as told:
            save_results(results, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "make room" in told.value.hint
    assert list(tmp_path.iterdir()) == []
