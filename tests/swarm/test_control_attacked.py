"""Whatever is asked from whichever thread at whatever moment, a run obeys, adds up and repeats.

Hypothesis draws what happens where in which tick: between two ticks, while bars are matched, before
agents think, before a look at the gateway, after an order went out, while a tick is written down.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from commanded_paper import BY, LIVELY, bodies, same_again
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from swarm_world import configured, entries

from mirrorcore.errors import MirrorCoreError
from mirrorcore.journal import JournalReader
from mirrorcore.swarm.control.actions import (
    AdjustRisk,
    CancelOrder,
    Exit,
    Life,
    PauseEntries,
    Rebalance,
    ResumeEntries,
    ResumeTrading,
)
from mirrorcore.swarm.engine import Engine
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.swarm.scribe import Scribe
from mirrorcore.syncbus import SyncBus
from mirrorcore.trading.looks import Looks
from mirrorcore.trading.orders import Order
from mirrorcore.trading.venue import MatchingEngine, SimulatedVenue

FIRST, LAST = 288, 312
EXAMPLES = 8
AGENTS = """
    from mirrorcore import StateField, TickAgent

    class Listens(TickAgent):
        state = {"heard": StateField("stops heard"), "called": StateField("calls")}
        votes = False
        heard = called = 0.0

        def on_signal(self, command):
            self.heard += 1
            self.handle.publish({"heard": self.heard})

        def _analyze(self, tick):
            self.called += 1
            if self.called % 7 == 3:
                raise ValueError("now and then")
            return {"called": self.called}
"""
PLACES = ("between", "open", "think", "look", "submit", "write")
ACTIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Life,
        st.sampled_from(["pause", "resume", "restart", "isolate", "reset_breaker"]),
        st.sampled_from(
            [("MomentumScout",), ("OracleEngine",), ("ArchCtrl", "Listens"), ("Allocator",)]
        ),
    ),
    st.builds(AdjustRisk, st.sampled_from(["gross", "net", "per_symbol"]), st.floats(0.01, 1.2)),
    st.builds(Rebalance, st.dictionaries(st.just("MeanReverter"), st.floats(0, 3), min_size=1)),
    st.builds(Exit, st.sampled_from([("AAA/USD",), ("BBB/USD", "CCC/USD")])),
    st.sampled_from([PauseEntries(), ResumeEntries(), ResumeTrading("again"), ResumeTrading("!")]),
    st.just("working"),  # whatever order is working then is to be withdrawn
)
ASKED: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["cancel", "flatten", "cancel"]),
    ACTIONS,
    st.sampled_from(["full", "room", "audit", "restrict"]),
)
EVENTS = st.lists(
    st.tuples(st.integers(FIRST + 1, LAST - 4), st.sampled_from(PLACES), st.integers(0, 3), ASKED),
    min_size=2,
    max_size=9,
)


@dataclass
class Attack:
    """Fires what was drawn at its moment, each from a thread of its own."""

    events: list[tuple[int, str, int, Any]]
    run: Run | None = None
    told: list[Future[Any]] = field(default_factory=list)
    sent: list[tuple[Order, bool]] = field(default_factory=list)
    """Orders that went out, and whether the gateway had been closed in a call before."""
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)

    def at(self, place: str) -> None:
        """We are at this place again."""
        if self.run is None:
            return
        tick = self.run.control.tick
        number = self._counts[tick, place] = self._counts.get((tick, place), -1) + 1
        due = [one for one in self.events if one[:3] == (tick, place, number)]
        for one in due:
            thread = threading.Thread(target=self._fire, args=(self.run, one[3]))
            thread.start()
            thread.join(60)

    def _fire(self, run: Run, what: Any) -> None:
        control, path = run.control, run.swarm.parts.path
        if what in ("cancel", "flatten"):
            self.told.append(control.stop(what, "attacked", BY))
        elif what == "audit":
            self.told.append(control.audit({"told": "anything"}))
        elif what == "restrict":
            if run.scribe._deciding:
                path.gateway.restrict("found in the middle")
        elif what in ("full", "room"):
            self.told.append(control.ask(lambda run: _disk(run, full=what == "full")))
        elif what == "working":
            working = path.venue.working
            client = working[0].client_id if working else "nobody-1"
            self.told.append(control.act(CancelOrder(client), BY))
        else:
            self.told.append(control.act(what, BY))


def _disk(run: Run, *, full: bool) -> None:
    connection = run.scribe._journal._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}")


def attacked(config: Any, attack: Attack) -> RunOutcome:
    """A paper run with a hook at each place."""

    def before(owner: Any, name: str, place: str, patch: pytest.MonkeyPatch) -> None:
        plainly = getattr(owner, name)

        def hooked(*args: Any, **more: Any) -> Any:
            attack.at(place)
            return plainly(*args, **more)

        patch.setattr(owner, name, hooked)

    submit = MatchingEngine.submit

    def submitted(venue: MatchingEngine, order: Order, now: int) -> None:
        if attack.run is not None:
            gateway = attack.run.swarm.parts.path.gateway
            attack.sent.append(
                (order, gateway.latched is not None or gateway.state.value == "halted")
            )
        submit(venue, order, now)
        attack.at("submit")

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        attack.run = run
        run.control.on_change.append(lambda: attack.at("between"))
        run.control.ask(lambda run: None)
        yield

    with pytest.MonkeyPatch.context() as patch:
        before(Engine, "_open", "open", patch)
        before(SyncBus, "tick", "think", patch)
        before(Looks, "look", "look", patch)
        before(Scribe, "block", "write", patch)
        patch.setattr(SimulatedVenue, "submit", submitted)
        return run_paper(config, attach=attach)


def check(config: Any, events: list[tuple[int, str, int, Any]]) -> None:
    attack = Attack([*events, (LAST - 2, "between", 0, "room")])
    outcome = attacked(config, attack)
    assert outcome.results.accounting_residual == 0
    assert not [w for w in outcome.results.warnings if "unaccounted" in w]
    for future in attack.told:
        assert future.done(), "nobody is left without an answer"
        error = future.exception()
        assert error is None or isinstance(error, MirrorCoreError), error
    assert all(order.reason == "stop" for order, closed in attack.sent if closed)
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        assert reader.verify().holds
    assert len(bodies(outcome, "input")) == outcome.results.identity.ticks
    same_again(config)


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(EVENTS)
def test_a_run_that_is_attacked_is_repeated(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str, int, Any]]
) -> None:
    config = configured(
        tmp_path_factory.mktemp("attacked"),
        entries(["Listens"]),
        AGENTS,
        **{**LIVELY, "market__bars": LAST, "costs__participation": 0.0005},
    )
    check(config, events)
