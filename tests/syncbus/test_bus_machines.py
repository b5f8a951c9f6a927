"""Breaker, restart window and life cycle as state machines under a virtual clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mirrorcore.clock import HOUR, MILLISECOND, MINUTE, SECOND, VirtualClock
from mirrorcore.syncbus import (
    AgentDown,
    AgentPolicy,
    BreakerPolicy,
    BusEvent,
    EventKind,
    LifeState,
    RestartPolicy,
    SyncBus,
)
from mirrorcore.syncbus.breaker import Breaker, BreakerState
from mirrorcore.syncbus.faults import IllegalStepError
from mirrorcore.syncbus.supervision import RestartWindow, step

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


# -- the tables -------------------------------------------------------------------------------

LIFE = {
    ("running", "isolated"),
    ("running", "failed"),
    ("running", "removed"),
    ("isolated", "probing"),
    ("isolated", "failed"),
    ("isolated", "removed"),
    ("probing", "running"),
    ("probing", "isolated"),
    ("probing", "failed"),
    ("probing", "removed"),
    ("failed", "isolated"),
    ("failed", "removed"),
}
"""Written out a second time on purpose: a step more or less in the code is a change of contract."""


@pytest.mark.parametrize(
    ("state", "to"),
    [pair for pair in itertools.product(LifeState, LifeState) if "paused" not in pair],
)
def test_every_step_of_a_life(state: LifeState, to: LifeState) -> None:
    if (str(state), str(to)) in LIFE:
        assert step("a", state, to) is to
    else:
        with pytest.raises(IllegalStepError, match=f"'a' is {state} and cannot become {to}"):
            step("a", state, to)


def breaker_in(state: BreakerState) -> Breaker:
    breaker = Breaker(BreakerPolicy(consecutive=1, probes=1))
    if state is not CLOSED:
        breaker.open(0, np.random.default_rng(0))
    if state is HALF_OPEN:
        breaker.half_open()
    return breaker


@pytest.mark.parametrize("state", BreakerState)
def test_every_step_of_a_breaker(state: BreakerState) -> None:
    def close(breaker: Breaker) -> None:
        if not breaker.succeeded():
            raise IllegalStepError("it does not close")

    steps: list[tuple[BreakerState, BreakerState, Callable[[Breaker], None]]] = [
        (CLOSED, OPEN, lambda b: b.open(0, None)),
        (HALF_OPEN, OPEN, lambda b: b.open(0, None)),
        (OPEN, HALF_OPEN, lambda b: b.half_open()),
        (HALF_OPEN, CLOSED, close),
    ]
    for to in BreakerState:
        for start, end, move in steps:
            if end is not to:
                continue
            breaker = breaker_in(state)
            if any(pair[:2] == (state, to) for pair in steps):
                move(breaker)
                assert breaker.state is to
            elif start is not state:
                with pytest.raises(IllegalStepError):
                    move(breaker)
                assert breaker.state is state


# -- the breaker against its rules, counted out -----------------------------------------------


class NaiveBreaker:
    """The rules of the docstring over the whole list of calls."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.calls: list[bool] = []
        self.since = 0  # calls before this one are forgiven
        self.probes = 0
        self.level = 0
        self.last_failure = 0
        self.state = CLOSED

    def called(self, ok: bool, now: int) -> bool:
        """True when the breaker has to open (a failure) or closes (a success on probation)."""
        self.calls.append(ok)
        policy = self.policy
        if ok:
            if self.state is not HALF_OPEN:
                return False
            self.probes += 1
            if self.probes < policy.probes:
                return False
            self.state = CLOSED
            self.since = len(self.calls)
            return True
        self.level = max(0, self.level - (now - self.last_failure) // policy.quiet_ns)
        self.last_failure = now
        if self.state is HALF_OPEN:
            return True
        known = [True] * self.since + self.calls[self.since :]
        run = len(known) - 1 - max((i for i, fine in enumerate(known) if fine), default=-1)
        recent = known[-policy.window :]
        failures = recent.count(False)
        too_many = len(recent) >= policy.minimum and failures > policy.rate * len(recent)
        return run >= policy.consecutive or too_many


POLICIES = st.builds(
    BreakerPolicy,
    consecutive=st.integers(1, 6),
    window=st.integers(2, 12),
    rate=st.sampled_from([0.0, 0.25, 0.5, 0.9]),
    minimum=st.integers(1, 8),
    base_ns=st.just(500 * MILLISECOND),
    cap_ns=st.just(4 * SECOND),
    probes=st.integers(1, 4),
    quiet_ns=st.just(MINUTE),
)
CALLS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 1, SECOND, MINUTE, 5 * MINUTE])), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(POLICIES, CALLS, st.integers(0, 59), st.sampled_from([0, 1, 3]))
def test_a_breaker_follows_its_rules(
    policy: BreakerPolicy, calls: list[tuple[bool, int]], kept_at: int, early: int
) -> None:
    """Also when it is written down and read back in the middle, and where a try comes early."""
    breaker, naive = Breaker(policy), NaiveBreaker(policy)
    rng, same = np.random.default_rng(7), np.random.default_rng(7)
    now = 0
    for index, (ok, wait) in enumerate(calls):
        now += wait
        if index == kept_at:
            copy = Breaker(policy)
            copy.restore(breaker.checkpoint())
            breaker = copy
        if ok:
            assert breaker.succeeded() == naive.called(True, now)
        else:
            opens = breaker.failed(index + 1, now)
            assert opens == naive.called(False, now)
            assert breaker.level == naive.level
            if opens:
                bound = min(policy.cap_ns, policy.base_ns * 2**naive.level)
                assert breaker.longest_wait_ns() == bound
                breaker.open(now, rng)
                assert breaker.retry_at == now + round(same.random() * bound)
                assert now <= breaker.retry_at <= now + bound
                naive.level += 1
                assert breaker.state is OPEN
                breaker.half_open()
                assert breaker.retry_at is None
                naive.state, naive.probes = HALF_OPEN, 0
        assert breaker.state is naive.state


def test_a_failure_leaves_the_window_with_its_call() -> None:
    """Window 4, more than half: failures at calls 1, 3 and 5 are two of the last four."""
    breaker = Breaker(BreakerPolicy(consecutive=9, window=4, minimum=4))
    assert [breaker.failed(call, 0) for call in (1, 3, 5)] == [False, False, False]
    assert breaker.failed(6, 0)  # 3, 5 and 6 of 3 .. 6


def test_what_led_to_the_opening_is_forgiven_at_the_closing() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=9, window=4, minimum=4, probes=1))
    assert [breaker.failed(call, 0) for call in (2, 3, 4)] == [False, False, True]
    breaker.open(0, None)
    assert breaker.retry_at is None
    breaker.half_open()
    assert breaker.succeeded()
    assert not breaker.failed(6, 0)  # 3, 4 and 6 of 3 .. 6, were they not forgiven


def test_by_command_nothing_is_drawn_and_an_older_draw_is_forgotten() -> None:
    breaker = Breaker(BreakerPolicy())
    breaker.open(0, np.random.default_rng(0))
    assert breaker.level == 1
    breaker.half_open()
    breaker.retry_at = 7
    breaker.open(0, None)
    assert breaker.retry_at is None
    assert breaker.level == 1


def test_full_jitter_is_uniform_and_reproducible() -> None:
    """Kolmogorov-Smirnov at 0.1 %: 2,000 draws from 0 .. bound at each level up to the cap."""
    policy = BreakerPolicy(cap_ns=3 * SECOND)
    rng = np.random.default_rng(11)
    draws: dict[int, list[float]] = {}
    for _ in range(2000):
        breaker = Breaker(policy)
        for level in range(5):
            bound = min(policy.cap_ns, policy.base_ns << level)
            breaker.open(0, rng)
            assert breaker.retry_at is not None
            assert 0 <= breaker.retry_at <= bound
            draws.setdefault(level, []).append(breaker.retry_at / bound)
            breaker.half_open()
    for sample in draws.values():
        ordered = np.sort(sample)
        steps = np.arange(1, len(ordered) + 1) / len(ordered)
        assert np.abs(ordered - steps).max() < 1.95 / np.sqrt(len(ordered))
    # Neither between levels nor from draw to draw is anything shared.
    assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 0.08
    assert abs(np.corrcoef(draws[2][:-1], draws[2][1:])[0, 1]) < 0.08


def test_the_longest_wait_doubles_up_to_its_cap_and_never_overflows() -> None:
    breaker = Breaker(BreakerPolicy())
    bounds = []
    for level in (0, 1, 2, 5, 6, 40, 41, 5000):
        breaker.level = level
        bounds.append(breaker.longest_wait_ns())
    half = 500 * MILLISECOND
    assert bounds == [half, 2 * half, 4 * half, 32 * half, 30 * SECOND, *[30 * SECOND] * 3]
    endless = Breaker(BreakerPolicy(cap_ns=1 << 200))
    endless.level = 41
    assert endless.longest_wait_ns() == half << 40


def test_the_cadence_stretches_base_cap_and_quiet() -> None:
    breaker = Breaker(BreakerPolicy(base_cadences=2, cap_cadences=4), cadence_ns=HOUR)
    assert breaker.longest_wait_ns() == 2 * HOUR
    breaker.level = 1
    assert breaker.longest_wait_ns() == 4 * HOUR
    breaker.level = 9
    assert breaker.longest_wait_ns() == 4 * HOUR
    breaker.failed(1, 0)
    breaker.failed(2, 4 * HOUR - 1)
    assert breaker.level == 9
    breaker.failed(3, 8 * HOUR - 1)
    assert breaker.level == 8


def test_the_defaults_are_those_of_the_contract() -> None:
    policy = BreakerPolicy()
    assert (policy.consecutive, policy.window, policy.rate, policy.minimum) == (5, 20, 0.5, 10)
    assert (policy.base_ns, policy.cap_ns) == (SECOND // 2, 30 * SECOND)
    assert (policy.base_cadences, policy.cap_cadences) == (1, 20)
    assert (policy.probes, policy.quiet_ns) == (3, MINUTE)
    restart = RestartPolicy()
    assert (restart.intensity, restart.period_ns, restart.period_cadences) == (3, MINUTE, 50)
    with pytest.raises(AttributeError):
        policy.probes = 4  # type: ignore[misc]
    with pytest.raises(AttributeError):
        restart.intensity = 4  # type: ignore[misc]


# -- the restart window -----------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 4),
    st.lists(st.sampled_from([0, 1, SECOND, 10 * SECOND, 59 * SECOND, MINUTE]), max_size=40),
    st.integers(0, 39),
)
def test_a_window_never_lets_more_through_than_its_intensity(
    intensity: int, waits: list[int], kept_at: int
) -> None:
    policy = RestartPolicy(intensity=intensity)
    window = RestartWindow(policy)
    allowed: list[int] = []
    now = 0
    for index, wait in enumerate(waits):
        now += wait
        if index == kept_at:
            copy = RestartWindow(policy)
            copy.restore(window.checkpoint())
            window = copy
        recent = [t for t in allowed if t > now - MINUTE]
        assert window.recent(now) == len(recent)
        assert window.share(now) == min(1.0, len(recent) / max(1, intensity))
        assert window.allow(now) == (len(recent) < intensity)
        if len(recent) < intensity:
            allowed.append(now)
    window.forget()
    assert window.recent(now) == 0
    assert window.checkpoint() is None


def test_the_period_follows_the_cadence() -> None:
    window = RestartWindow(RestartPolicy(intensity=1, period_cadences=3), cadence_ns=HOUR)
    assert window.allow(0)
    assert not window.allow(3 * HOUR - 1)
    assert window.allow(3 * HOUR)


# -- lives, on a bus --------------------------------------------------------------------------


class Lives(RuleBasedStateMachine):
    """Two agents, one essential, called and commanded in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(SECOND)
        self.escalated: list[str] = []
        self.bus = SyncBus(self.clock, seed=5, on_escalation=self.escalated.append)
        self.events: list[BusEvent] = []
        self.bus.on_event(self.events.append)
        self.restarts: dict[str, list[int]] = {}
        self.by_command = ""
        self.broken_factory = False
        policy = AgentPolicy(
            breaker=BreakerPolicy(consecutive=2, probes=2), restart=RestartPolicy(intensity=2)
        )
        for name in ("plain", "vital"):
            self.restarts[name] = []
            self.bus.register(name, policy=policy, essential=name == "vital", factory=self.factory)
        self.was = dict.fromkeys(self.restarts, LifeState.RUNNING)

    def factory(self, *_: Any) -> None:
        if self.broken_factory:
            raise ValueError("broken factory")

    names = st.sampled_from(["plain", "vital"])

    @rule(name=names, ok=st.booleans(), times=st.integers(1, 3))
    def call(self, name: str, ok: bool, times: int) -> None:
        for _ in range(times):
            self.bus.guarded(name, (lambda: 1) if ok else (lambda: 1 // 0))

    @rule(wait=st.sampled_from([0, SECOND, 31 * SECOND, 2 * MINUTE]))
    def sweep(self, wait: int) -> None:
        self.clock.advance_to(self.clock.now() + wait)
        before = {name: self.bus.status(name) for name in self.restarts}
        began = len(self.events)
        self.bus.sweep()
        for event in self.events[began:]:
            if event.kind is EventKind.RESTART:
                assert before[event.agent_id] not in (LifeState.FAILED, LifeState.RUNNING)
                self.restarts[event.agent_id].append(self.clock.now())

    @rule(name=names)
    def isolate(self, name: str) -> None:
        self.bus.isolate(name)
        assert self.bus._agent(name).down

    @rule(name=names)
    def restart(self, name: str) -> None:
        done = self.bus.restart(name)
        assert done is not self.broken_factory
        self.restarts[name].clear()  # a clean sheet

    @rule(name=names)
    def pause_or_resume(self, name: str) -> None:
        (self.bus.resume if self.bus._agent(name).paused else self.bus.pause)(name)

    @rule()
    def break_or_mend_the_factory(self) -> None:
        self.broken_factory = not self.broken_factory

    @invariant()
    def state_and_breaker_agree(self) -> None:
        wanted = {
            LifeState.RUNNING: CLOSED,
            LifeState.PROBING: HALF_OPEN,
            LifeState.ISOLATED: OPEN,
            LifeState.FAILED: OPEN,
        }
        for name in self.restarts:
            agent = self.bus._agent(name)
            assert agent.breaker.state is wanted[agent.state]
            assert agent.down == (agent.breaker.state is OPEN)
            assert (agent.token is None) == agent.down
            assert agent.mailbox.gated == (agent.down or agent.paused)
            if agent.breaker.retry_at is not None and agent.state is LifeState.ISOLATED:
                assert self.bus._dispatcher.watched[name] is agent

    @invariant()
    def restarts_are_within_the_limit(self) -> None:
        for name, times in self.restarts.items():
            now = self.clock.now()
            assert len([t for t in times if t > now - MINUTE]) <= 2, name

    @invariant()
    def only_the_failed_essential_escalate(self) -> None:
        failed = [e.agent_id for e in self.events if e.kind is EventKind.FAILED]
        assert self.escalated == [name for name in failed if name == "vital"]
        told = [e.detail for e in self.events if e.kind is EventKind.ESCALATION]
        assert told == ["essential" if name == "vital" else "ordinary" for name in failed]

    @invariant()
    def a_failed_agent_answers_to_a_command_alone(self) -> None:
        for name in self.restarts:
            agent = self.bus._agent(name)
            if agent.state is LifeState.FAILED:
                assert name not in self.bus._dispatcher.watched
                with pytest.raises(AgentDown):
                    agent.handle.publish({"x": 1})
                with pytest.raises(AgentDown):
                    self.bus.send(name, 1)


Lives.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLives = Lives.TestCase


def test_every_life_an_agent_can_lead_is_told_in_order() -> None:
    """Running, isolated, probing, isolated, probing, running, ... failed, restarted, removed."""
    clock = VirtualClock(SECOND)
    bus = SyncBus(clock, seed=2)
    events: list[tuple[str, str]] = []
    bus.on_event(lambda e: events.append((str(e.kind), e.detail.split(";")[0])))
    policy = AgentPolicy(
        breaker=BreakerPolicy(consecutive=1, probes=2), restart=RestartPolicy(intensity=2)
    )
    bus.register("a", kind="k", policy=policy)

    def fail() -> None:
        assert bus.guarded("a", lambda: 1 // 0) == (False, None)

    def later() -> None:
        clock.advance_to(clock.now() + 30 * SECOND)
        bus.sweep()

    fail()
    assert bus.status("a") is LifeState.ISOLATED
    later()
    assert bus.status("a") is LifeState.PROBING
    bus.guarded("a", lambda: 1)
    assert bus.status("a") is LifeState.PROBING
    bus.guarded("a", lambda: 1)
    assert bus.status("a") is LifeState.RUNNING
    fail()
    later()
    fail()
    bus.sweep()
    clock.advance_to(clock.now() + SECOND)
    bus.sweep()  # the third within a minute
    later()
    assert bus.status("a") is LifeState.FAILED
    assert bus.restart("a")
    assert bus.status("a") is LifeState.PROBING
    bus.remove("a")
    zero = "ZeroDivisionError: integer division or modulo by zero"
    out = [("failure", zero), ("breaker", "closed -> open"), ("isolated", zero)]
    again = [("failure", zero), ("breaker", "half_open -> open"), ("isolated", zero)]
    assert events == [
        ("registered", "kind k"),
        *out,
        ("breaker", "open -> half_open"),
        ("restart", "incarnation 2"),
        ("breaker", "half_open -> closed"),
        ("recovered", "incarnation 2"),
        *out,
        ("breaker", "open -> half_open"),
        ("restart", "incarnation 3"),
        *again,
        ("failed", "restarts too often"),
        ("escalation", "ordinary"),
        ("breaker", "open -> half_open"),
        ("restart", "incarnation 4"),
        ("removed", "incarnation 4"),
    ]
