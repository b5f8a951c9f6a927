"""The operator's hand on a paper run: what each command does, and that a replay repeats it."""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from commanded_paper import (
    BY,
    PAPER,
    Script,
    acting,
    bodies,
    driven,
    orders_of,
    same_again,
    stopped_at_an_order,
    tick_instant,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from swarm_world import configured, entries
from threadpoolctl import threadpool_info, threadpool_limits

from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.control.actions import (
    Action,
    AdjustRisk,
    CancelOrder,
    Exit,
    Life,
    PauseEntries,
    Rebalance,
    ResumeEntries,
    ResumeTrading,
)
from mirrorcore.swarm.control.requests import Done, RunEndedError
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run
from mirrorcore.swarm.why import explain
from mirrorcore.trading.gateway import HALTED

FIRST = 288


def test_a_paused_agent_is_not_called_until_it_is_resumed(tmp_path: Path) -> None:
    calls: dict[str, int] = {}

    def count(name: str) -> Callable[[Run], None]:
        def look(run: Run) -> None:
            calls[name] = run.swarm.parts.bus.statistics("MomentumScout").calls
            calls[name + " other"] = run.swarm.parts.bus.statistics("MeanReverter").calls

        return look

    config = configured(tmp_path, **PAPER)
    pause, resume = Life("pause", ("MomentumScout",)), Life("resume", ("MomentumScout",))
    _, said = driven(
        config,
        {
            292: acting(pause),
            294: count("paused"),
            300: count("still"),
            301: acting(resume),
            310: count("resumed"),
        },
    )
    assert said[292][0].result().acked == ["MomentumScout"]
    assert said[292][0].result().result == {"states": {"MomentumScout": "paused"}}
    assert calls["still"] == calls["paused"]
    assert calls["still other"] == calls["paused other"] + 6
    assert calls["resumed"] > calls["still"]
    same_again(config)


def test_a_lower_limit_is_what_the_next_order_may_be(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    seen: dict[str, float] = {}

    def gross(run: Run) -> float:
        return float(run.recorder.columns.values["gross"][-1][-1])

    def cut(run: Run) -> Future[Done]:
        seen["before"] = gross(run)
        return run.control.act(AdjustRisk("gross", 0.02), BY)

    _, said = driven(config, {310: cut, 313: lambda run: seen.update(after=gross(run))})
    done = said[310].result()
    assert seen["before"] > 0.04
    assert done.result["after"] == 0.02
    assert seen["after"] <= 0.03
    same_again(config)


def test_weights_that_are_rebalanced_change_what_is_concluded(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    weights: dict[str, list[float]] = {}
    voters: list[str] = []
    loud: list[int] = []

    def note(name: str) -> Callable[[Run], None]:
        def look(run: Run) -> None:
            voters[:] = run.swarm.context.voters
            weights[name] = run.recorder.last_weights.tolist()

        return look

    def mute(run: Run) -> Future[Done]:
        note("before")(run)
        loud[:] = sorted(range(len(voters)), key=lambda i: -abs(weights["before"][i]))[:2]
        factors = {voters[loud[0]]: 0.0, voters[loud[1]]: 2.0}
        return run.control.act(Rebalance(factors), BY)

    plain, _ = driven(config, {})
    muted, said = driven(config, {295: mute, 296: note("after"), 329: note("late")})
    muted_one, doubled = loud
    assert said[295].result().result["factors"] == {voters[muted_one]: 0.0, voters[doubled]: 2.0}
    assert weights["before"][doubled] != 0.0
    assert weights["after"][muted_one] == weights["late"][muted_one] == 0.0
    assert weights["after"][doubled] == pytest.approx(2.0 * weights["before"][doubled])
    assert plain.parts["decisions"] != muted.parts["decisions"]
    same_again(config)


def test_a_stop_closes_in_the_call_itself_cancels_and_is_acknowledged(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    latched: list[object] = []

    def stop(run: Run) -> Future[Done]:
        future = run.control.stop("cancel", "enough", BY)
        latched.append(run.swarm.parts.path.gateway.latched)
        return future

    outcome, said = driven(config, {300: stop})
    done = said[300].result()
    assert latched == ["enough"]
    assert done.result["gateway"] == "halted"
    assert done.missing == {}
    assert len(done.acked) == len(outcome.results.agents)
    assert done.tick == 300
    after = [order for order in orders_of(outcome) if order.ts > tick_instant(outcome, 299)]
    assert all(order.status.value == "vetoed" for order in after)
    same_again(config)


def test_flatten_closes_every_position_although_the_gateway_is_halted(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    held: dict[str, list[int]] = {}

    def note(name: str) -> Callable[[Run], None]:
        return lambda run: held.update({name: list(run.swarm.parts.path.ledger.positions)})

    def stop(run: Run) -> Future[Done]:
        note("before")(run)
        return run.control.stop("flatten", "out", BY)

    _, said = driven(config, {310: stop, 329: note("after")})
    assert any(held["before"])
    assert not any(held["after"])
    assert said[310].result().result["open_positions"] == sum(1 for lots in held["before"] if lots)
    same_again(config)
    question = explain(RunRegistry(config.storage.runs).find("last"), "D312")
    assert question.proof.same


def test_trading_goes_on_after_a_stop_that_is_lifted(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    states: dict[int, str] = {}

    def state(run: Run) -> None:
        states[run.control.tick] = run.swarm.parts.path.gateway.state.value

    outcome, _ = driven(
        config,
        {
            295: lambda run: run.control.stop("flatten", "a look", BY),
            297: state,
            305: acting(ResumeTrading("it was nothing")),
            307: state,
        },
    )
    assert states == {297: "halted", 307: "active"}
    later = [fill for fill in orders_of(outcome) if fill.ts > tick_instant(outcome, 305)]
    assert any(order.status.value == "filled" for order in later)
    same_again(config)


def test_exit_closes_one_symbol_and_entries_stay_locked_until_resumed(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    held: dict[int, int] = {}
    symbol = "AAA/USD"

    def note(run: Run) -> None:
        place = run.swarm.context.symbols.index(symbol)
        held[run.control.tick] = run.swarm.parts.path.ledger.positions[place]

    out = acting(Exit((symbol,)))
    _, said = driven(
        config, {310: out, 311: note, 315: note, 316: acting(ResumeEntries()), 329: note}
    )
    assert said[310][0].result().result["locked"] == [symbol]
    assert held[311] == 0 or held[315] == 0
    assert held[315] == 0
    assert held[329] != 0
    same_again(config)


def test_paused_entries_let_positions_shrink_and_not_grow(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    sizes: list[list[int]] = []

    def note(run: Run) -> None:
        sizes.append([abs(lots) for lots in run.swarm.parts.path.ledger.positions])

    script: Script = {310: acting(PauseEntries())}
    script |= dict.fromkeys(range(312, 328), note)
    driven(config, script)
    for before, after in itertools.pairwise(sizes):
        assert all(now <= then for then, now in zip(before, after, strict=True))
    same_again(config)


def test_what_cannot_be_done_says_so_and_changes_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    wrong = acting(
        CancelOrder("nobody-1"),
        Exit(("XXX/YYY",)),
        AdjustRisk("gross", 100.0),
        AdjustRisk("colour", 1.0),
        Rebalance({"Nobody": 1.0}),
    )
    plain, _ = driven(config, {})
    tried, said = driven(config, {300: wrong})
    told = [str(future.exception()) for future in said[300]]
    assert "no order nobody-1 is working" in told[0]
    assert "XXX/YYY is not traded" in told[1]
    assert "at most" in told[2]
    assert "no limit 'colour'" in told[3]
    assert "Nobody does not vote" in told[4]
    assert tried.fingerprint == plain.fingerprint
    same_again(config)


def test_an_agent_hears_of_the_stop_also_while_it_is_paused(tmp_path: Path) -> None:
    agents = """
        from mirrorcore import TickAgent, StateField

        class Hears(TickAgent):
            state = {"heard": StateField("stops heard")}
            votes = False
            heard = 0

            def on_signal(self, command):
                self.heard += 1
                self.handle.publish({"heard": float(self.heard)})

            def _analyze(self, tick):
                return {"heard": float(self.heard)}

        class Deaf(Hears):
            def on_signal(self, command):
                raise ValueError("I do not listen")
    """
    config = configured(tmp_path, entries(["Hears", "Deaf"]), agents, **PAPER)
    _, said = driven(
        config,
        {
            292: acting(Life("pause", ("Hears",)), Life("isolate", ("MomentumScout",))),
            300: lambda run: run.control.stop("cancel", "", BY),
            302: lambda run: run.swarm.parts.bus.read("Hears").state["heard"],
        },
    )
    done = said[300].result()
    assert "Hears" in done.acked
    assert done.missing == {
        "Deaf": "it raised an error", "MomentumScout": "it is isolated",
    }  # fmt: skip
    assert said[302] == 1.0
    same_again(config)


def test_a_stop_in_the_middle_of_a_tick_is_found_there_and_repeated_there(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    plain, _ = driven(config, {})
    sent = [order for order in orders_of(plain) if order.status.value == "filled"]
    instants = [order.ts for order in sent if order.ts > tick_instant(plain, 300)]
    instant = next(ts for ts in instants if instants.count(ts) > 1)
    outcome, stopped = stopped_at_an_order(config, instant)
    done = stopped[0].result()
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        bodies = [entry.body for entry in reader.entries("command")]
    assert bodies[0]["tick"] == done.tick
    assert bodies[0]["within"] is not None
    same_again(config)


COUNTS = """
    from mirrorcore import StateField, TickAgent

    class Counts(TickAgent):
        state = {"heard": StateField("the turn after which a stop was heard")}
        votes = False
        heard = now = 0.0

        def on_signal(self, command):
            self.heard = self.now

        def _analyze(self, tick):
            self.now += 1.0
            return {"heard": self.heard}
"""


def in_a_pause(
    tick: int, pause: int, do: Callable[[Run], Any], said: list[Any]
) -> Callable[[Run], AbstractContextManager[None]]:
    """Attach to a run so that ``do(run)`` is called from another thread in a pause of a tick."""

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        plainly = run.engine.between
        assert plainly is not None

        def between(number: int) -> None:
            if (run.control.tick, number) == (tick, pause) and not said:
                thread = threading.Thread(target=lambda: said.append(do(run)))
                thread.start()
                thread.join()
            plainly(number)

        run.engine.between = between
        yield

    return attach


def test_a_stop_reaches_the_agents_between_the_turns_of_two_of_them(tmp_path: Path) -> None:
    names = [f"Counts{number:02d}" for number in range(40)]
    config = configured(tmp_path, entries(dict.fromkeys(names, "Counts")), COUNTS, **PAPER)
    said: list[Future[Done]] = []
    runs: list[Run] = []

    def stop(run: Run) -> Future[Done]:
        runs.append(run)
        return run.control.stop("flatten", "now", BY)

    outcome = run_paper(config, attach=in_a_pause(300, 2, stop, said))
    done = said[0].result()
    assert (done.tick, done.missing) == (300, {})
    assert len(done.acked) > 40
    (command,) = bodies(outcome, "command")
    assert (command["tick"], command["pause"], command["within"]) == (300, 2, None)
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        kinds = [(e.kind, e.body) for e in reader.entries() if e.kind in ("command", "decision")]
    at = next(place for place, (kind, _) in enumerate(kinds) if kind == "command")
    assert kinds[at + 1][1][0] == 300, "it was carried out before the tick was decided"
    late = [o for o in orders_of(outcome) if o.ts >= tick_instant(outcome, 300)]
    assert {o.reason for o in late if o.status.value == "filled"} <= {"stop"}
    same_again(config)
    # Some had had their turn, the others heard of it before theirs.
    heard = [runs[0].swarm.parts.bus.read(name).state["heard"] for name in names]
    assert sorted(set(heard)) == [300.0 - FIRST, 301.0 - FIRST]


def test_what_was_asked_before_a_stop_is_done_before_it(tmp_path: Path) -> None:
    config = configured(tmp_path, entries(["Counts"]), COUNTS, **PAPER)

    def both(run: Run) -> list[Future[Done]]:
        return [
            run.control.act(ResumeTrading("asked before"), BY),
            run.control.stop("cancel", "asked after", BY),
        ]

    said: list[list[Future[Done]]] = []
    outcome = run_paper(config, attach=in_a_pause(300, 0, both, said))
    assert [body["action"]["action"] for body in bodies(outcome, "command")] == [
        "resume_trading", "emergency_stop",
    ]  # fmt: skip
    assert said[0][1].result().tick == 301
    late = [o for o in orders_of(outcome) if o.ts >= tick_instant(outcome, 300)]
    assert {o.status.value for o in late} == {"vetoed"}
    same_again(config)


def test_the_collector_leaves_alone_what_stays_as_long_as_the_run(tmp_path: Path) -> None:
    config = configured(tmp_path, **{**PAPER, "market__bars": 302})
    _, said = driven(config, {300: lambda _: gc.get_freeze_count()})
    assert said[300] > 10_000
    assert gc.get_freeze_count() == 0


def threads_of_algebra() -> list[int]:
    """Of each library loaded, without repeats."""
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return list(dict.fromkeys(pools))


def test_algebra_takes_one_thread_for_as_long_as_the_run_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of the same run on more cores says the same, and small matrices cost no waiting."""
    with threadpool_limits(limits=2, user_api="blas"):
        config = configured(tmp_path, **{**PAPER, "market__bars": 302})
        while_finishing: list[list[int]] = []

        def look(run: Run) -> list[int]:
            assert run.emergence is not None
            close = run.emergence.close

            def closed() -> None:
                while_finishing.append(threads_of_algebra())
                close()

            monkeypatch.setattr(run.emergence, "close", closed)
            return threads_of_algebra()

        _, said = driven(config, {300: look})
        assert threads_of_algebra() == [2]
    assert said[300] == [1]
    assert while_finishing == [[1]], "what is left to be watched is looked at then"


def test_what_looks_at_a_run_again_takes_one_thread_too() -> None:
    async def work() -> None:
        said.append(threads_of_algebra())

    said: list[list[int]] = []
    with threadpool_limits(limits=2, user_api="blas"):
        drive(VirtualTimeLoop(VirtualClock()), work())
    assert said == [[1]]


@pytest.mark.parametrize("how", ["file", "signal", "console"])
def test_a_file_or_a_signal_stops_without_any_server(tmp_path: Path, how: str) -> None:
    config = configured(tmp_path, **{**PAPER, "paper__speed": 20_000.0})
    answered = threading.Event()
    runs: list[Run] = []

    def stop(run: Run) -> None:
        runs.append(run)
        if how == "signal":
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            door = {"console": "console\n", "file": ""}[how]
            (run.folder.path / "STOP").write_text(f"flatten\nfrom outside\n{door}")
        run.swarm.parts.path.gateway.on_close.append(lambda ts: answered.set())

    outcome, _ = driven(config, {295: stop})
    told = json.loads((outcome.path / "STOPPED.json").read_text())
    assert told["status"] == "stopped"
    assert told["result"]["level"] == ("cancel" if how == "signal" else "flatten")
    assert told["reason"] == ("" if how == "signal" else "from outside")
    address = "file" if how == "console" else ""
    by = {"name": "operator", "role": "operator", "origin": how, "address": address}
    (command,) = bodies(outcome, "command")
    assert told["by"] == command["by"] == by, "whichever way it came, one says whose it was alike"
    alerts = [alert.text for alert in runs[0].control.alerts.entries]
    assert f"emergency stop ({told['result']['level']}) by operator ({how})" in alerts
    if how == "signal":
        assert command["action"]["reason"] == "emergency stop by operator (signal)"
    assert answered.is_set()
    (audit,) = [one for one in bodies(outcome, "audit") if one["command"] == "emergency_stop"]
    assert (audit["by"], audit["status"]) == (by, "done")
    assert (audit["args"], audit["tick"]) == ({"level": told["result"]["level"]}, told["tick"])
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        assert [entry.seq for entry in reader.entries("audit")] == [told["audit_seq"]]
    same_again(config)


def test_questions_are_answered_between_ticks_and_after_the_end_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, **PAPER)
    kept: list[Run] = []

    def ask(run: Run) -> Future[int]:
        kept.append(run)
        return run.control.ask(lambda seen: seen.control.tick)

    _, said = driven(config, {300: ask})
    assert said[300].result() == 300
    with pytest.raises(RunEndedError, match="has ended"):
        kept[0].control.ask(lambda run: 1).result(timeout=1)
    with pytest.raises(RunEndedError, match="has ended"):
        kept[0].control.stop("cancel", "", BY).result(timeout=1)


LIVES = st.builds(
    Life,
    st.sampled_from(["pause", "resume", "restart", "isolate", "reset_breaker"]),
    st.sampled_from([("MomentumScout",), ("OracleEngine",), ("ArchCtrl",), ("EgoProcessor",)]),
)
ACTIONS = st.one_of(
    LIVES,
    st.builds(AdjustRisk, st.sampled_from(["gross", "net", "per_symbol"]), st.floats(0.01, 1.2)),
    st.builds(Rebalance, st.dictionaries(st.just("MeanReverter"), st.floats(0, 3), min_size=1)),
    st.just(PauseEntries()),
    st.just(ResumeEntries()),
    st.just(ResumeTrading("again")),
    st.just(Exit(("AAA/USD",))),
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.integers(FIRST + 1, 318), ACTIONS, min_size=2, max_size=6))
def test_whatever_an_operator_does_the_run_is_repeated(
    tmp_path_factory: pytest.TempPathFactory, commands: dict[int, Action]
) -> None:
    config = configured(tmp_path_factory.mktemp("run"), **{**PAPER, "market__bars": 320})
    script: Script = {tick: acting(action) for tick, action in commands.items()}
    outcome, said = driven(config, script)
    assert len(said) == len(commands)
    assert outcome.results.accounting_residual == 0
    same_again(config)


def test_a_latched_gateway_lets_nothing_pass() -> None:
    from mirrorcore.trading.gateway import Gateway

    gateway = Gateway()
    authority = gateway.claim_stop_authority()
    gateway.latch("stop")
    assert not gateway.admits_reduction(-1, 2)
    assert gateway.admits_reduction(-1, 2, authority)
    gateway.stop("stop", ts=1)
    assert (gateway.state, gateway.latched) == (HALTED, None)


def test_agents_of_other_processes_acknowledge_and_a_deaf_one_is_named(tmp_path: Path) -> None:
    agents = """
        import time

        from mirrorcore import TickAgent, StateField

        class Far(TickAgent):
            state = {"heard": StateField("stops heard")}
            votes = False

            def _analyze(self, tick):
                return {"heard": 0.0}

        class Deaf(Far):
            def on_signal(self, command):
                time.sleep(30)
    """
    text = entries(["Far", "Deaf"], 'isolation = "process"')
    config = configured(tmp_path, text, agents, **{**PAPER, "market__bars": 310})
    said: list[Future[Done]] = []
    run_paper(
        config, attach=in_a_pause(300, 0, lambda run: run.control.stop("cancel", "", BY), said)
    )
    done = said[0].result()
    assert "Far" in done.acked
    assert (done.tick, done.missing) == (300, {"Deaf": "no answer yet"})
    assert done.ms < 5_000
    assert done.closed_ms is not None
    assert done.closed_ms < 50
