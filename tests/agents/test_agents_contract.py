"""What every agent of the roster keeps to, in one parametrised suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from agents_world import (
    BAR,
    BLOCK_AGENTS,
    CONTEXT,
    START,
    SYMBOLS,
    TICK_AGENTS,
    VOTERS,
    Hours,
    Stage,
    analyze_block,
    attached,
    categorized,
    channels,
    check_schema,
    hidden,
    lone_tick,
    market_of,
    scaled,
    silence,
    standard_market,
    walk,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mirrorcore.agents.base import BlockInput, Tick
from mirrorcore.agents.checkpoint import decode_checkpoint
from mirrorcore.agents.roster import ROSTER, agent_class
from mirrorcore.clock import DAY, HOUR
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.contract import digest, same_bits

TICKS = 600
ANALYSTS = tuple(name for name in BLOCK_AGENTS if name not in ("OracleEngine", "Allocator"))
NOTHING_ON_WALKS = ("MeanReverter", "PairsArb")
"""Who finds nothing on random walks, and so has no confidence to lose."""
SUBSET_OF_VIEWS = ("performance", "execution")


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(standard_market(TICKS))


@pytest.fixture(scope="module")
def hours() -> Hours:
    return Hours(48)


def test_every_agent_is_a_block_or_a_tick_agent() -> None:
    assert set(BLOCK_AGENTS) | set(TICK_AGENTS) == set(ROSTER)
    assert not set(BLOCK_AGENTS) & set(TICK_AGENTS)


def test_the_voters_are_those_who_say_so() -> None:
    voting = {name for name in ROSTER if agent_class(name).votes}
    assert voting == set(VOTERS)
    assert all("forecast" in agent_class(name).state for name in voting)
    silent = {name for name in ROSTER if agent_class(name).votes is None}
    assert not silent, "each agent of the roster says whether it votes"


# -- block agents -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BLOCK_AGENTS)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_blocks_of_any_size_give_the_same_bits(stage: Stage, name: str, size: int) -> None:
    assert same_bits(stage.output(name), stage.run(name, size)) == []


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_the_future_changes_no_past_state(name: str) -> None:
    cut = 400
    whole = Stage(standard_market(TICKS))
    short = Stage(whole.data.rows(0, cut))
    before = {field: values[:cut] for field, values in whole.output(name).items()}
    assert same_bits(before, short.output(name)) == []


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_a_replay_of_blocks_has_the_same_hash(name: str) -> None:
    one, other = (digest(Stage(standard_market(200, seed=8)).output(name)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_a_block_agent_continues_from_its_checkpoint(stage: Stage, name: str) -> None:
    cut = 333
    agent, _ = attached(name)
    stage.feed(agent, 0, cut, 100)
    saved = agent.checkpoint()
    assert saved is not None
    # What happens after the checkpoint must not reach into it.
    stage.feed(agent, cut, TICKS, 100)
    fresh, _ = attached(name)
    fresh.restore(saved)
    rest = stage.feed(fresh, cut, TICKS, 50)
    assert same_bits({f: v[cut:] for f, v in stage.output(name).items()}, rest) == []


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_the_states_of_a_block_keep_to_the_schema(stage: Stage, name: str) -> None:
    agent, _ = attached(name)
    check_schema(agent, stage.output(name))


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_units_of_price_and_quantity_change_no_state(name: str) -> None:
    ticks, symbols = 500, len(SYMBOLS)
    block = market_of(walk(ticks), series=channels(ticks, symbols))
    plain = Stage(categorized(block)).output(name)
    other = Stage(categorized(scaled(block, 1000.0, 1e-3))).output(name)
    for field, values in plain.items():
        np.testing.assert_allclose(other[field], values, rtol=1e-6, atol=1e-9, err_msg=field)


@pytest.mark.parametrize("name", ANALYSTS)
def test_silence_lowers_the_confidence_of_a_block_agent(name: str) -> None:
    ticks, symbols = 900, len(SYMBOLS)
    data = categorized(market_of(walk(ticks), series=channels(ticks, symbols)))
    agent, _ = attached(name)
    heard = analyze_block(agent, data.rows(0, 600))
    deaf = analyze_block(agent, hidden(data.rows(600, ticks)))
    if name not in NOTHING_ON_WALKS:
        assert heard["confidence"][-1] > 0.5
    assert deaf["confidence"][-1] <= heard["confidence"][-1]
    assert deaf["confidence"][-1] < 0.05
    if agent.votes:
        if name != "PairsArb":  # it has no opinion on prices that go their own ways
            assert np.isfinite(heard["forecast"][-1]).all()
        assert np.isnan(deaf["forecast"][-1]).all(), "an opinion without data"


HUGE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-2, 2),
    st.sampled_from([0.0, -0.0, 1e308, -1e308, 1e-308, float("inf"), float("nan")]),
)


def wild_block(draw: Any, ticks: int, template: CategorizedBlock) -> CategorizedBlock:
    """The template's columns with anything in them, some of them missing."""
    shape = (ticks, len(SYMBOLS))
    columns = draw(hnp.arrays(np.float64, (6, *shape), elements=HUGE))
    numbers = iter(range(10**6))
    values: dict[Any, dict[str, Any]] = {}
    for category in CATEGORIES:
        named = sorted(template.values.get(category, {}))
        kept = [name for name in named if draw(st.booleans())]
        values[category] = {name: columns[next(numbers) % 6] for name in kept}
    now = np.repeat(template.market.ts[:ticks, None], shape[1], axis=1)
    known = draw(hnp.arrays(np.bool_, shape))
    stamps = {c: {n: np.where(known, now, 0) for n in vs} for c, vs in values.items()}
    market = template.market.rows(0, ticks)
    return CategorizedBlock(market, values, stamps)


@pytest.mark.parametrize("name", ANALYSTS)
def test_any_market_gives_bounded_states(stage: Stage, name: str) -> None:
    @given(st.data())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: Any) -> None:
        agent, _ = attached(name)
        block = wild_block(data.draw, data.draw(st.integers(1, 12)), stage.data)
        check_schema(agent, analyze_block(agent, block))
        calm = analyze_block(agent, stage.data.rows(12, 40))
        check_schema(agent, calm)

    check()


@pytest.mark.parametrize("name", BLOCK_AGENTS)
def test_a_block_agent_reads_declared_categories_alone(stage: Stage, name: str) -> None:
    read: set[str] = set()

    class Recorder(BlockInput):
        def value(self, category: str, name: str) -> Any:
            read.add(category)
            return BlockInput.value(self, category, name)

        def known_at(self, category: str, name: str) -> Any:
            read.add(category)
            return BlockInput.known_at(self, category, name)

    agent, _ = attached(name)
    others = {"OracleEngine": stage.output("OracleEngine")} if name == "Allocator" else {}
    agent._analyze(Recorder(stage.data, agent.data_interests, others, stage._votes()))
    assert read <= set(agent.data_interests)
    for category in sorted(read):
        fresh, _ = attached(name)
        rest = [interest for interest in fresh.data_interests if interest != category]
        with pytest.raises(PermissionError):
            fresh._analyze(BlockInput(stage.data, rest, others, stage._votes()))


# -- tick agents --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_a_replay_of_ticks_has_the_same_hash(hours: Hours, name: str) -> None:
    assert digest(hours.run(name)) == digest(hours.run(name))


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_the_states_of_ticks_keep_to_the_schema(hours: Hours, name: str) -> None:
    agent, handle = attached(name)
    for hour in range(hours.hours):
        check_schema(agent, hours.tick(agent, handle, hour))


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_a_tick_agent_sees_no_future(hours: Hours, name: str) -> None:
    cut = 20
    agent, handle = attached(name)
    short = Hours(cut)
    assert np.array_equal(short.data.market.ts, hours.data.market.ts[: len(short.data)])
    short.data = hours.data.rows(0, len(short.data))
    short.votes = Stage(short.data)
    short.performance, short.execution = hours.performance[:cut], hours.execution[:cut]
    truncated = [dict(short.tick(agent, handle, hour)) for hour in range(cut)]
    for one, other in zip(truncated, hours.run(name), strict=False):
        assert same_bits(one, other) == []


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_a_tick_agent_continues_from_its_checkpoint(hours: Hours, name: str) -> None:
    agent, handle = attached(name)
    for hour in range(24):
        hours.tick(agent, handle, hour)
    saved = agent.checkpoint()
    assert saved is not None
    fresh, other = attached(name)
    fresh.restore(saved)
    for hour in range(24, hours.hours):
        one = hours.tick(agent, handle, hour)
        assert same_bits(one, hours.tick(fresh, other, hour)) == []


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_a_checkpoint_is_not_written_to_after_it_was_taken(hours: Hours, name: str) -> None:
    agent, handle = attached(name)
    for hour in range(12):
        hours.tick(agent, handle, hour)
    memory = agent.remember()
    before = digest(memory)
    for hour in range(12, 24):
        hours.tick(agent, handle, hour)
    assert digest(memory) == before


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_missing_data_lowers_confidence_and_never_raises(hours: Hours, name: str) -> None:
    agent, handle = attached(name)
    for hour in range(30):
        state = hours.tick(agent, handle, hour)
    last = int(hours.data.market.ts[30 * hours.step - 1])
    confident = state["confidence"]
    assert confident > 0.2
    confidence = [confident]
    for later in range(1, 200):
        output = lone_tick(agent, handle, last + later * HOUR)
        check_schema(agent, output)
        confidence.append(output["confidence"])
    # An agent that appraises every few hours may still be noticing what came before the silence.
    assert all(b <= a for a, b in pairwise(confidence[6:]))
    assert confidence[-1] < 0.85 * confident


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_units_of_price_and_quantity_change_no_report(hours: Hours, name: str) -> None:
    other = Hours(hours.hours)
    other.data = categorized(scaled(hours.data.market, 1000.0, 1e-3))
    other.votes = hours.votes
    for one, two in zip(hours.run(name), other.run(name), strict=True):
        for field, value in one.items():
            if isinstance(value, str):
                assert two[field] == value
            else:
                np.testing.assert_allclose(two[field], value, rtol=1e-6, atol=1e-9, err_msg=field)


NUMBERS = st.one_of(
    HUGE,
    st.integers(-(10**30), 10**30),
    st.none(),
    st.text(max_size=3),
    st.booleans(),
    hnp.arrays(np.float64, hnp.array_shapes(max_dims=2, max_side=6), elements=HUGE),
    hnp.arrays(np.float64, (len(VOTERS) + 1,), elements=HUGE),
    hnp.arrays(np.float64, (len(SYMBOLS),), elements=HUGE),
    hnp.arrays(np.int64, (len(VOTERS) + 1,)),
)
FIELDS = sorted({*Hours(1).performance[0], *Hours(1).execution[0]})


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_any_view_gives_bounded_states(name: str) -> None:
    others = (
        *("m_ego", "m_fear", "fear", "m_greed", "m_herd", "risk_budget", "forecast", "signal"),
        *("target", "edge", "gate"),
    )

    @given(st.data())
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: Any) -> None:
        agent, handle = attached(name)
        template = silence(len(SYMBOLS), START)
        for step in range(data.draw(st.integers(1, 4))):
            ts = START + (step + 1) * data.draw(st.sampled_from([BAR, HOUR, DAY]))
            view = data.draw(st.dictionaries(st.sampled_from(FIELDS), NUMBERS, max_size=12))
            state = data.draw(st.dictionaries(st.sampled_from(others), NUMBERS, max_size=3))
            for other in (*VOTERS, *agent.agent_interests):
                handle.put(other, state, stale=data.draw(st.booleans()))
            row = data.draw(hnp.arrays(np.float64, (4, 1, len(SYMBOLS)), elements=HUGE))
            market = CategorizedBlock(
                template.market,
                {
                    **template.values,
                    "risk": {"vol_ratio": row[0], "jump_share": row[1], "vol_slow": row[2]},
                    "sentiment": {"fear_greed": row[3]},
                    "technical": {"close": row[0]},
                },
                template.known_at,
            )
            output = lone_tick(agent, handle, ts, data=market, performance=view, execution=view)
            check_schema(agent, output)
        assert decode_checkpoint(agent.checkpoint() or b"")

    check()


class Forbidden(Mapping[str, Any]):
    """A view nobody declared: whoever looks at it fails."""

    def __getitem__(self, name: str) -> Any:
        raise PermissionError(name)

    def get(self, name: str, default: Any = None) -> Any:
        raise PermissionError(name)

    def __iter__(self) -> Iterator[str]:
        raise PermissionError

    def __len__(self) -> int:
        raise PermissionError


@pytest.mark.parametrize("name", TICK_AGENTS)
def test_a_tick_agent_reads_declared_interests_alone(hours: Hours, name: str) -> None:
    agent, handle = attached(name)
    hours.tick(agent, handle, 0)
    row = 2 * hours.step - 1
    views: dict[str, Any] = {
        view: hours.__dict__[view][1] if view in agent.data_interests else Forbidden()
        for view in SUBSET_OF_VIEWS
    }
    read: set[str] = set()

    class Recorder(Tick):
        def value(self, category: str, name: str) -> Any:
            read.add(category)
            return Tick.value(self, category, name)

    ts = int(hours.data.market.ts[row])
    declared = agent.data_interests
    agent._analyze(Recorder(ts, row, hours.data, handle, declared, **views))  # type: ignore[arg-type]
    assert read == {interest for interest in declared if interest in CATEGORIES}
    for category in sorted(read):
        fresh, other = attached(name)
        rest = [interest for interest in declared if interest != category]
        with pytest.raises(PermissionError):
            fresh._analyze(Tick(ts, row, hours.data, other, rest, **views))  # type: ignore[arg-type]


def test_an_undeclared_state_is_refused() -> None:
    agent, handle = attached("ArchCtrl", ego="EgoProcessor")
    handle.interests = ("FearAnalyzer",)
    with pytest.raises(PermissionError):
        lone_tick(agent, handle, START)


@pytest.mark.parametrize("name", [*ROSTER])
def test_an_agent_runs_over_one_symbol_and_no_voters(name: str) -> None:
    from dataclasses import replace

    context = replace(CONTEXT, symbols=("AAA/USD",), voters=())
    agent, handle = attached(name, context)
    if name in TICK_AGENTS:
        check_schema(agent, lone_tick(agent, handle, START), context)
        return
    data = categorized(market_of(walk(50, 1), series=channels(50, 1)))
    block = Stage(data, replace(context, voters=("MomentumScout",)))
    if name in ANALYSTS:
        check_schema(agent, block.output(name), context)
    else:
        check_schema(attached(name, block.context)[0], block.output(name), block.context)
