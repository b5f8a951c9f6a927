"""The monitor beside a run: it finds what was planted, names it, explains, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import numpy as np
import pytest
from swarm_world import configured, entries

from benchmarks.evidence.planted import AGENTS
from mirrorcore.config.model import RunConfig
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.record import found
from mirrorcore.emergence.standing import STANDINGS, Standing
from mirrorcore.errors import ConfigError
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.control.actions import By, Command, Life, PauseEntries, Rebalance
from mirrorcore.swarm.emergence.beliefs import Beliefs
from mirrorcore.swarm.emergence.explained import AFTERMATH, Causes
from mirrorcore.swarm.emergence.feed import SETTLING, Feed, Shown
from mirrorcore.swarm.emergence.rivals import Rivals
from mirrorcore.swarm.emergence.watch import comparable, numbers_watched
from mirrorcore.swarm.emergence.written import Written, read_findings
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import RunOutcome
from mirrorcore.syncbus import BusEvent, EventKind, SyncBus

OWN = AGENTS.read_text(encoding="utf-8")
QUIET = {f"A{number}": "Private" for number in range(6)}
TICKS = 2500


def watched(folder: Path, agents: Mapping[str, str], **settings: Any) -> RunConfig:
    """A swarm of these agents alone, on a market without any edge."""
    wanted = {
        "market__preset": "null",
        "market__symbols": 1,
        "market__bars": TICKS,
        "emergence__history": True,
        "emergence__detectors": ["coordination"],
        **settings,
    }
    text = '[agents]\npreset = "none"\n' + entries(agents, 'interests = ["technical"]')
    return configured(folder, text, OWN, **wanted)


def written(outcome: RunOutcome) -> Written:
    return read_findings(outcome.path / "journal.sqlite")


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, RunOutcome]:
    """Two of eight agents secretly have the same feed from tick 2,000 on."""
    agents = {**QUIET, "Xena": "Fed", "Yves": "Fed"}
    config = watched(tmp_path_factory.mktemp("fed"), agents)
    return config, replay_history(config)


def test_a_secret_feed_is_found_and_its_readers_are_named(
    fed: tuple[RunConfig, RunOutcome],
) -> None:
    told = written(fed[1])
    (one,) = told.findings
    assert (one.type, one.guide, one.agents) == (
        "coordination",
        "spontaneous_sync",
        ("Xena", "Yves"),
    )
    assert 2000 < one.tick < TICKS
    assert one.window[0] < one.window[1] == one.tick
    assert one.e is not None
    assert one.e >= 20
    assert "Xena, Yves" in one.summary
    assert "does not show" in one.summary
    assert "the market's mean return" in one.given
    assert one.experimental
    assert not one.explained
    assert one.alert > 0
    watch = told.watched["coordination"]
    assert (watch.findings, watch.explained, watch.idle) == (1, 0, "")
    assert watch.ticks == TICKS - SETTLING - 1
    assert watch.budget == pytest.approx(0.05 * watch.ticks / 10_000)


def test_the_chain_of_the_journal_holds_with_findings_in_it(
    fed: tuple[RunConfig, RunOutcome],
) -> None:
    with JournalReader(fed[1].path / "journal.sqlite") as reader:
        assert reader.verify().holds
        assert reader.counts()["finding"] == 2


def test_a_run_with_and_without_the_monitor_has_one_fingerprint(
    fed: tuple[RunConfig, RunOutcome],
) -> None:
    config, outcome = fed
    off = config.emergence.model_copy(update={"history": False})
    without = replay_history(config.model_copy(update={"emergence": off}))
    assert without.fingerprint == outcome.fingerprint
    assert written(without).findings == []
    assert written(without).watched == {}


def test_the_guides_dictionary_has_a_real_significance(fed: tuple[RunConfig, RunOutcome]) -> None:
    (one,) = written(fed[1]).findings
    told = one.dictionary()
    assert told["type"] == "spontaneous_sync"
    assert told["agents"] == ["Xena", "Yves"]
    assert told["significance_score"] == pytest.approx(1 - 1 / one.e)  # type: ignore[operator]
    assert told["null"] == one.null


def test_agents_that_have_nothing_in_common_are_not_reported(tmp_path: Path) -> None:
    agents = {**QUIET, "Xena": "Private", "Yves": "Private"}
    told = written(replay_history(watched(tmp_path, agents)))
    assert told.findings == []
    assert told.watched["coordination"].ticks == TICKS - SETTLING - 1


def test_what_agents_declare_explains_their_coordination(tmp_path: Path) -> None:
    agents = {**QUIET, "Xena": "Partner", "Yves": "Fed"}
    told = written(replay_history(watched(tmp_path, agents)))
    (one,) = told.findings
    assert one.agents == ("Xena", "Yves")
    assert one.explained.startswith("declared")
    assert one.alert == 0
    assert (told.watched["coordination"].findings, told.watched["coordination"].explained) == (0, 1)


def test_messages_explain_coordination(tmp_path: Path) -> None:
    agents = {**QUIET, "Xena": "Fed", "Yves": "Fed", "Zora": "Talker"}
    outcome = replay_history(watched(tmp_path, agents))
    told = written(outcome)
    assert told.findings == []
    assert told.watched["coordination"].ticks == TICKS - SETTLING - 1


def test_an_outsider_with_skill_is_found_in_a_paper_run_and_in_its_repetition(
    tmp_path: Path,
) -> None:
    config = watched(
        tmp_path,
        {"Anna": "Private", "Bert": "Private", "Dora": "Seer"},
        market__bars=648,
        emergence__history=False,
        emergence__detectors=["novelty", "collective"],
        paper__speed=1_000_000.0,
        paper__warmup="0s",
        fusion__smoothing="0s",
        fusion__band=0.01,
    )
    outcome = run_paper(config)
    told = written(outcome)
    (one,) = told.findings
    assert (one.type, one.guide, one.agents) == ("novelty", "novel_strategy", ("Dora",))
    assert one.given == ("holding", "reversal", "short momentum", "long momentum", "breakout")
    assert one.evidence["unexplained_share"] > 0.5
    assert not one.experimental
    again = rerun(RunRegistry(config.storage.runs).find("last"))
    assert again.same
    assert comparable(written(again.outcome).findings) == comparable(told.findings)
    assert written(again.outcome).watched == told.watched


DESK = """
    [agents]
    preset = "none"

    [[agent]]
    id = "OracleEngine"
    type = "OracleEngine"

    [[agent]]
    id = "Allocator"
    type = "Allocator"
"""


@pytest.mark.parametrize(("kind", "better"), [("Diverse", True), ("Clone", False)])
def test_a_swarm_is_better_than_its_members_only_where_they_know_different_things(
    kind: str, better: bool, tmp_path: Path
) -> None:
    agents = {f"{kind}{number}": "Piece" for number in range(6)}
    text = dedent(DESK) + entries(agents, 'interests = ["technical"]')
    config = configured(
        tmp_path,
        text,
        OWN,
        market__preset="null",
        market__symbols=1,
        market__bars=4000,
        emergence__history=True,
        emergence__detectors=["collective"],
        fusion__residual=False,
        fusion__ridge_days=0.05,
        fusion__refit="5m",
        fusion__half_life="10d",
        fusion__short_half_life="5d",
        fusion__smoothing="0s",
    )
    told = written(replay_history(config))
    assert told.watched["collective"].ticks == 4000 - SETTLING - 1
    if not better:
        assert told.findings == []
        return
    first = told.findings[0]
    assert (first.type, first.guide, first.agents) == (
        "collective",
        "collective_intelligence",
        (),
    )
    assert first.tick < 1000
    assert "closest rival is agent Diverse" in first.summary
    assert first.effect.value > 0.02


def test_rivals_are_given_the_calibration_their_past_asks_for() -> None:
    rng = np.random.default_rng(5)
    rivals = Rivals(4)
    told = []
    outcome = 1.0
    for _ in range(6000):
        chance = 0.5 + 0.2 * rng.choice([-1, 1])
        # One is right about it, one far too loud, one says the opposite, one nothing.
        stance = np.array([1.0, 2.4, -1.0, 0.0]) * (chance - 0.5)
        told.append((rivals.update(stance, outcome), chance))
        outcome = float(rng.random() < chance)
    said = np.array([votes for votes, _ in told[3000:]])
    chances = np.array([chance for _, chance in told[3000:]])
    assert np.abs(said[:, :3] - chances[:, None]).max() < 0.05  # four times what chance makes
    assert (said[:, 3] == 0.5).all()


def test_strategies_of_the_roster_are_known_and_never_novel(tmp_path: Path) -> None:
    config = configured(
        tmp_path, market__bars=300, emergence__history=True, emergence__detectors=["novelty"]
    )
    watch = written(replay_history(config)).watched["novelty"]
    assert "roster" in watch.idle
    assert watch.ticks == 0


def test_a_symbol_that_is_not_traded_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = watched(tmp_path, QUIET, emergence__symbol="XYZ/USD", market__bars=10)
    with pytest.raises(ConfigError, match=r"emergence\.symbol is 'XYZ/USD'"):
        replay_history(config)
    assert not list(config.storage.runs.glob("*"))


@pytest.mark.parametrize(
    ("agents", "symbols", "watched"), [(6, 3, 3), (12, 40, 16), (100, 8, 4), (1000, 8, 1)]
)
def test_how_many_symbols_are_watched_is_bounded(agents: int, symbols: int, watched: int) -> None:
    names = [f"S{number}" for number in range(symbols)]
    assert numbers_watched(None, names, agents) == list(range(watched))
    assert numbers_watched("S2", names, agents) == [2]


def test_every_symbol_is_watched_within_one_budget(tmp_path: Path) -> None:
    agents = {f"Diverse{number}": "Piece" for number in range(6)}
    config = configured(
        tmp_path,
        dedent(DESK) + entries(agents, 'interests = ["technical"]'),
        OWN,
        market__preset="null",
        market__symbols=2,
        market__bars=300,
        emergence__history=True,
        emergence__detectors=["collective", "specialisation"],
    )
    told = written(replay_history(config))
    for kind in ("collective", "specialisation"):
        watch = told.watched[kind]
        assert (watch.symbols, watch.ticks) == (2, 300 - SETTLING - 1)
        assert watch.budget == pytest.approx(0.05 * watch.ticks / 10_000)


class Breaks:
    """A detector with a defect of its own."""

    def __init__(self, static: Mapping[str, Any]) -> None:
        del static

    def update(self, tick: Mapping[str, Any]) -> list[Finding]:
        raise ArithmeticError(f"cannot count to {tick['ret']:.0f}")


def test_a_detector_that_fails_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {**STANDINGS, "coordination": Standing(Breaks, "spontaneous_sync", True)}
    monkeypatch.setattr("mirrorcore.swarm.emergence.bank.STANDINGS", broken)
    kinds = ["coordination", "collective"]
    config = watched(tmp_path, QUIET, market__bars=200, emergence__detectors=kinds)
    outcome = replay_history(config)
    told = written(outcome)
    assert "cannot count to" in told.watched["coordination"].idle
    assert told.watched["collective"].ticks == 200 - SETTLING - 1
    assert any("detector of coordination has ended" in text for text in outcome.results.warnings)


@pytest.mark.parametrize("method", ["take", "ticks"])
def test_a_monitor_that_fails_takes_nothing_with_it(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ArithmeticError("no arrays today")

    config = watched(tmp_path, QUIET, market__bars=100)
    before = replay_history(config)
    monkeypatch.setattr(Feed, method, fails)
    outcome = replay_history(config)
    assert outcome.fingerprint == before.fingerprint
    warnings = outcome.results.warnings
    assert [text for text in warnings if "monitor has ended: ArithmeticError: no arrays" in text]
    assert "no arrays today" in written(outcome).watched["coordination"].idle


def test_a_monitor_that_has_failed_keeps_nothing_of_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ArithmeticError("no arrays today")

    heard: list[int] = []
    taken: list[int] = []
    plainly = Beliefs.take

    def take(beliefs: Beliefs, outputs: Any) -> Any:
        beliefs._said.append((0, 0, ()))  # as a believer that publishes
        heard.append(len(beliefs._said))
        told = plainly(beliefs, outputs)
        taken.append(len(beliefs._said))
        return told

    monkeypatch.setattr(Beliefs, "take", take)
    monkeypatch.setattr(Feed, "ticks", fails)
    replay_history(watched(tmp_path, QUIET, market__bars=300), block_rows=30)
    assert len(heard) > 2
    assert {*heard} == {1}
    assert {*taken} == {0}


# -- what detectors are fed with


class Collects:
    """Feeds itself with a run as the monitor does, and keeps what it is shown and the record."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.feed = Feed(swarm.members, swarm.context.symbols, [0])
        swarm.witnesses.append(self.feed.beliefs.heard)
        self.shown: list[Shown] = []
        self.open: list[float] = []
        self.votes: list[Any] = []
        self.held: list[Any] = []

    def block(self, record: BlockRecord) -> None:
        self.open += record.block.open[:, 0].tolist()
        self.votes += [row[0] for row in record.stage.conclusions.votes]
        self.held += [row[0] for row in record.stage.conclusions.held]
        batch = self.feed.take(record, self.swarm.context.voters, (), ())
        self.shown += self.feed.ticks(batch)


def fed_with(config: RunConfig, rows: int) -> Collects:
    made: list[Collects] = []

    def observe(swarm: Swarm) -> Collects:
        made.append(Collects(swarm))
        return made[0]

    replay_history(config, observe=observe, block_rows=rows)
    return made[0]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collects, Collects]:
    """The standard swarm over three symbols, in one block and tick by tick."""
    folder = tmp_path_factory.mktemp("arrays")
    config = configured(folder, market__bars=160)
    return fed_with(config, 4096), fed_with(config, 1)


def test_what_is_shown_does_not_depend_on_how_ticks_are_cut(
    arrays: tuple[Collects, Collects],
) -> None:
    whole, single = arrays
    assert len(whole.shown) == len(single.shown) == 160 - SETTLING - 1
    for one, other in zip(whole.shown, single.shown, strict=True):
        assert (one.tick, one.ts) == (other.tick, other.ts)
        for name, value in one.values.items():
            np.testing.assert_array_equal(value, other.values[name], err_msg=name)


def test_a_decision_meets_the_price_at_which_it_could_first_be_filled(
    arrays: tuple[Collects, Collects],
) -> None:
    seen = arrays[0]
    cast = seen.feed.cast
    assert cast is not None
    assert cast.own == ()
    before = np.zeros(len(cast.voters))
    for shown in seen.shown:
        t, values = shown.tick, shown.values
        change = seen.open[t] / seen.open[t - 1] - 1
        assert values["ret"] == pytest.approx(change, abs=1e-15)
        assert values["outcome"] == float(change > 0)
        held = seen.held[t - 1]
        np.testing.assert_array_equal(values["known"][: len(held)], held[list(cast.coded)])
        stance = np.nan_to_num(seen.votes[t - 1] - 0.5)
        assert (np.sign(stance) * values["actions"] >= 0).all()
        before = held
    assert np.isfinite(before).all()


def test_each_agent_is_given_the_inputs_of_its_own_categories(
    arrays: tuple[Collects, Collects],
) -> None:
    cast = arrays[0].feed.cast
    assert cast is not None
    whale = cast.inputs.index("onchain.whale_flow")
    reads = {cast.voters[i] for i in np.flatnonzero(cast.subs[:, whale])}
    assert {"ChainWatcher", "FlowReader"} <= reads
    assert "MomentumScout" not in reads
    assert cast.subs[:, 0].all()


def test_what_an_operator_touched_counts_as_messages(tmp_path: Path) -> None:
    seen: list[Shown] = []

    class Touched(Collects):
        def block(self, record: BlockRecord) -> None:
            touched = [(100, "A1", 120.0), (130, "A2", np.inf)]
            heard = [(int(record.block.ts[90]), "A3")]
            batch = self.feed.take(record, self.swarm.context.voters, heard, touched)
            seen.extend(self.feed.ticks(batch))

    replay_history(watched(tmp_path, QUIET, market__bars=160), observe=Touched)
    # What was decided at a tick is shown at the next.
    told = np.array([shown.values["messages"] for shown in seen])
    ticks = np.array([shown.tick - 1 for shown in seen])
    assert ticks[told[:, 1] > 0].tolist() == list(range(100, 120))
    assert ticks[told[:, 2] > 0].tolist() == list(range(130, 159))
    assert ticks[told[:, 3] > 0].tolist() == [90]
    assert not told[:, [0, 4, 5]].any()


async def _told(sender: str) -> list[tuple[str, str, int]]:
    told: list[tuple[str, str, int]] = []
    bus = SyncBus()
    bus.on_post(lambda *one: told.append(one))
    bus.register("Reader", on_message=lambda message: None)
    bus.register("Sender")
    bus.send("Reader", "hello", sender=sender)
    await bus.aclose()
    return told


def test_the_bus_tells_of_every_direct_message() -> None:
    import asyncio

    ((sender, target, ts),) = asyncio.run(_told("Sender"))
    assert (sender, target) == ("Sender", "Reader")
    assert ts > 0


# -- what explains a finding away


def finding(kind: str, agents: tuple[int, ...]) -> Finding:
    effect = Effect("x", 1.0, "sd", "up")
    text = f"Agents {', '.join(map(str, agents))} do; the closest rival is agent 1."
    return Finding(kind, agents, effect, "null", (0, 9), 9, text, e=20.0)  # type: ignore[arg-type]


def why(causes: Causes, kind: str, agents: tuple[str, ...], linked: Any = None) -> str:
    places = tuple(range(len(agents)))
    pairs = np.zeros((9, 9), dtype=bool) if linked is None else linked
    return causes.of(finding(kind, places), agents, (1000, 1300), (50_000, 65_000), pairs)


def test_commands_explain_what_their_agents_do() -> None:
    causes = Causes()
    assert causes.command(Command(1100, PauseEntries(), By("op"))) == []
    assert why(causes, "coordination", ("a", "b")) == ""
    touched = causes.command(Command(1100, Life("restart", ("a", "b")), By("op")))
    assert touched == [(1100, "a", 1100 + AFTERMATH), (1100, "b", 1100 + AFTERMATH)]
    assert why(causes, "coordination", ("a", "b", "c")) == "at the same time: restart a, b by op"
    assert why(causes, "coordination", ("a", "c")) == ""
    assert why(causes, "drift", ("a",)).endswith("restart a, b by op")
    assert why(causes, "drift", ("c",)) == ""
    paused = causes.command(Command(1200, Life("pause", ("c",)), By("op")))
    assert paused == [(1200, "c", np.inf)]


@pytest.mark.parametrize(
    ("tick", "explains"), [(935, False), (936, True), (1300, True), (1301, False)]
)
def test_only_commands_near_the_window_explain(tick: int, explains: bool) -> None:
    causes = Causes()
    causes.command(Command(tick, Life("restart", ("a",)), By("op")))
    assert bool(why(causes, "drift", ("a",))) is explains


def test_other_weights_explain_a_better_swarm() -> None:
    causes = Causes()
    causes.command(Command(1100, Rebalance({"a": 0.5}), By("op")))
    assert "rebalance_weights" in why(causes, "collective", ())
    assert why(causes, "drift", ("a",)) == ""


def test_a_restart_explains_drift() -> None:
    causes = Causes()
    causes.life(BusEvent(60_000, EventKind.RESTART, "a", ""))
    causes.life(BusEvent(60_000, EventKind.RECOVERED, "b", ""))
    assert why(causes, "drift", ("a",)) == "at the same time: restart"
    assert why(causes, "drift", ("b",)) == ""


def test_declared_links_explain_only_those_they_link() -> None:
    linked = np.zeros((4, 4), dtype=bool)
    linked[0, 1] = linked[2, 1] = True
    assert why(Causes(), "coordination", ("a", "b", "c"), linked).startswith("declared")
    assert why(Causes(), "coordination", ("a", "b", "c", "d"), linked) == ""
    assert why(Causes(), "drift", ("a",), linked) == ""


def test_names_stand_where_detectors_say_numbers() -> None:
    one = found(finding("coordination", (0, 1)), 1, ("Anna", "Bert"), (), (0, 9), 9, 1, "")
    assert one.summary == "Agents Anna, Bert do; the closest rival is agent Bert."
    assert msgspec.convert(msgspec.to_builtins(one), type(one)) == one
