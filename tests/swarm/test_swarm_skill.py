"""Skill, days, lives and alarms against figures worked out by hand or by another library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from swarm_world import configured, entries

from mirrorcore.clock import DAY, HOUR
from mirrorcore.report.swarm_records import OutageRecord
from mirrorcore.swarm.alarms import Alarms
from mirrorcore.swarm.daily import Daily
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.scoreboard import FIELDS, Scoreboard
from mirrorcore.swarm.skill import skills
from mirrorcore.syncbus import BusEvent, EventKind

TICKS_A_DAY = 96


def planted(days: int, slope: float, seed: int = 1, noise: float = 1.0) -> np.ndarray:
    """Cumulative daily sums of a forecaster whose log-odds are ``slope`` times too modest."""
    rng = np.random.default_rng(seed)
    ticks = days * TICKS_A_DAY
    # A forecast made at t is about the return of t + 1.
    said = np.clip(0.4 * rng.standard_normal(ticks), -4, 4)
    rises = rng.random(ticks) < 1 / (1 + np.exp(-slope * said))
    returns = np.where(rises, 1.0, -1.0) * 0.01 * noise
    board = Scoreboard([1], 1)
    sums = board.update(
        (1 / (1 + np.exp(-said)))[:, None, None],
        np.concatenate([[0.0], returns[:-1]])[:, None],
        np.full((ticks, 1), 0.01),
        np.ones((ticks, 1), dtype=bool),
    )
    return np.asarray(sums[TICKS_A_DAY - 1 :: TICKS_A_DAY])


@pytest.mark.parametrize("slope", [1.0, 0.4, 2.0])
def test_the_slope_of_calibration_is_found(slope: float) -> None:
    skill = skills(planted(400, slope))[0]
    assert skill.slope is not None
    assert skill.slope_error is not None
    # The linear formula is for log-odds near 0; at .4 it gives a little less.
    assert skill.slope == pytest.approx(slope, rel=0.12)
    assert 0 < skill.slope_error < 0.1


def test_correlation_and_its_error_agree_with_scipy_where_days_are_single_forecasts() -> None:
    rng = np.random.default_rng(7)
    x, z = rng.standard_normal(4000), rng.standard_normal(4000)
    z += 0.1 * x
    sums = np.zeros((4000, len(FIELDS), 1))
    for name, column in (
        ("n", np.ones(4000)),
        ("ic_xy", x * z),
        ("ic_xx", x * x),
        ("ic_yy", z * z),
    ):
        sums[:, FIELDS.index(name), 0] = np.cumsum(column)
    skill = skills(sums)[0]
    assert skill.ic == pytest.approx(stats.pearsonr(x, z).statistic, abs=0.003)
    assert skill.ic_error == pytest.approx((1 - 0.1**2) / np.sqrt(4000), rel=0.06)


def test_the_error_of_the_hit_rate_is_binomial_where_forecasts_are_independent() -> None:
    rng = np.random.default_rng(8)
    hits = rng.random((2000, 10)) < 0.55
    sums = np.zeros((2000, len(FIELDS), 1))
    sums[:, FIELDS.index("n"), 0] = np.cumsum(np.full(2000, 10))
    sums[:, FIELDS.index("hits"), 0] = np.cumsum(hits.sum(axis=1))
    skill = skills(sums)[0]
    assert skill.hit_rate == pytest.approx(0.55, abs=0.01)
    assert skill.hit_error == pytest.approx(np.sqrt(0.55 * 0.45 / 20_000), rel=0.06)


def test_forecasts_that_stand_or_fall_together_are_not_counted_ten_times() -> None:
    rng = np.random.default_rng(9)
    days = rng.random(2000) < 0.55
    sums = np.zeros((2000, len(FIELDS), 1))
    sums[:, FIELDS.index("n"), 0] = np.cumsum(np.full(2000, 10))
    sums[:, FIELDS.index("hits"), 0] = np.cumsum(10 * days)
    assert skills(sums)[0].hit_error == pytest.approx(np.sqrt(0.55 * 0.45 / 2000), rel=0.06)


def test_one_day_has_figures_and_no_error() -> None:
    skill = skills(planted(1, 1.0))[0]
    assert skill.hit_rate is not None
    assert skill.brier is not None
    assert (skill.hit_error, skill.ic_error, skill.slope_error) == (None, None, None)


def test_nobody_who_never_spoke_has_skill() -> None:
    skill = skills(np.zeros((3, len(FIELDS), 1)))[0]
    assert skill.forecasts == 0
    assert skill.hit_rate is None


@pytest.mark.parametrize("length", [1, 5, 48])
def test_days_end_at_midnight_in_any_blocks(length: int) -> None:
    ts = DAY * 100 + HOUR * np.arange(20, 20 + 48, dtype=np.int64)  # 20:00 to 19:00 two days on
    scores = np.arange(48.0)[:, None, None] * np.ones((1, len(FIELDS), 2))
    pnl = np.arange(48.0)[:, None, None] * np.ones((1, 2, 1))
    daily = Daily()
    daily.begin(np.ones((len(FIELDS), 2)), np.ones((2, 1)))
    for first in range(0, 48, length):
        rows = slice(first, first + length)
        daily.block(ts[rows], list(scores[rows]), list(pnl[rows]))
    ends, found, net = daily.table()
    # 00:00 belongs to the day it ends: ticks 4 and 28, and the last of all.
    assert ends.tolist() == [int(ts[4]), int(ts[28]), int(ts[47])]
    assert (ends[:2] % DAY).tolist() == [0, 0]
    assert found[:, 0, 0].tolist() == [3.0, 27.0, 46.0]
    assert net[:, 0].tolist() == [3.0, 27.0, 46.0]


def event(t: int, kind: EventKind, agent: str = "A") -> BusEvent:
    return BusEvent(t, kind, agent, "")


def test_an_agent_is_away_from_its_isolation_until_it_has_recovered() -> None:
    lives = LifeLog()
    for told in (
        event(10, EventKind.ISOLATED),
        event(20, EventKind.RESTART),
        event(21, EventKind.ISOLATED),  # the probation failed
        event(40, EventKind.RECOVERED),
        event(50, EventKind.ISOLATED, "B"),
        event(60, EventKind.FAILED, "B"),
        event(70, EventKind.ISOLATED),
        event(75, EventKind.RECOVERED),
    ):
        lives.note(told)
    assert list(lives.outages()) == [
        OutageRecord(agent="A", start=10, end=40),
        OutageRecord(agent="A", start=70, end=75),
        OutageRecord(agent="B", start=50, end=None),
    ]


def test_outages_of_a_run_are_in_its_results(tmp_path: Path) -> None:
    text = '[[faults]]\nagent = "ChainWatcher"\nat = 100\nkind = "raise"\ncount = 6\n'
    results = replay_history(configured(tmp_path, text)).results
    outages = results.swarm.outages
    assert {outage.agent for outage in outages} == {"ChainWatcher"}
    assert all(outage.end is not None and outage.end > outage.start for outage in outages)
    assert results.identity.period_start < outages[0].start < results.identity.period_end


def test_an_alarm_is_a_rise_of_drift_to_one_and_followed_until_the_weight_has_halved() -> None:
    alarms = Alarms("Watch")
    ts = HOUR * np.arange(1, 11, dtype=np.int64)
    weights = [np.array([0.4, w]) for w in (1.0, -1.0, 0.8, 0.6, 0.6, -0.4, 0.1, 1.0, 1.0, 1.0)]
    alarms.heard(2 * HOUR, {"drift": np.array([0.9, 1.0])})
    alarms.heard(3 * HOUR, {"drift": np.array([0.9, 1.0])})
    alarms.heard(3 * HOUR, {"trust": np.array([0.9, 1.0])})
    for first in range(0, 10, 4):
        alarms.follow(ts[first : first + 4], weights[first : first + 4])
    assert [(a.voter, a.ts, a.weight, a.halved) for a in alarms.raised] == [
        (1, 2 * HOUR, 1.0, 6 * HOUR)
    ]
    # It fell and rises again: another alarm, and a weight that stays.
    alarms.heard(9 * HOUR, {"drift": np.array([0.9, 0.2])})
    alarms.heard(10 * HOUR, {"drift": np.array([1.0, 1.0])})
    alarms.follow(ts[9:] + HOUR, weights[9:])
    assert [(a.voter, a.weight, a.halved) for a in alarms.raised[1:]] == [
        (0, 0.4, None), (1, 1.0, None),
    ]  # fmt: skip


def test_alarms_reach_the_results_of_a_run(tmp_path: Path) -> None:
    """A voter that is right until half-way and wrong from then on."""
    agents = """
        import numpy as np

        from mirrorcore import StateField, TickAgent


        class Watch(TickAgent):
            kind = "self_awareness"
            cadence_ns = 3_600_000_000_000
            votes = False
            state = {"drift": StateField("", "", 0, 1, "voters")}

            def prepare(self):
                self.turn = 0

            def _analyze(self, tick):
                self.turn += 1
                return {"drift": np.full(len(self.context.voters), float(self.turn > 20))}
    """
    text = entries({"SelfAwarenessAgent": "Watch"})
    results = replay_history(configured(tmp_path, text, agents)).results
    voters = [agent.id for agent in results.agents if agent.votes]
    assert sorted(alarm.voter for alarm in results.swarm.alarms) == sorted(voters)
    assert results.swarm.watched
    assert all(alarm.weight is not None for alarm in results.swarm.alarms)
