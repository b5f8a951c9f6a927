"""A swarm that goes on from its checkpoint is, to the bit, the swarm that never stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from swarm_world import candles, configured, entries, on_candles

from mirrorcore.clock import VirtualClock, VirtualTimeLoop
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import DataError
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.checkpoint import capture, restore
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.engine import BlockRecord, Engine
from mirrorcore.swarm.pace import HistoryPace
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.sources import open_source

OWN = """
    import asyncio

    from mirrorcore import BaseAgent, BlockAgent, StateField, TickAgent


    class Dip(BaseAgent):
        '''The guide's form: remembers, draws, votes late and reads another agent.'''

        def __init__(self, agent_id, interests=("technical",)):
            super().__init__(agent_id, list(interests))
            self.agent_interests = ("MomentumScout", "FearAnalyzer")
            self.seen = {}
            self.calls = 0

        async def _analyze(self, relevant_data):
            self.calls += 1
            await asyncio.sleep(0.01)
            states = await self.syncbus.get_relevant_states(self.agent_id)
            votes = {}
            for symbol, values in relevant_data["technical"].items():
                last = self.seen.get(symbol, values["close"])
                self.seen[symbol] = values["close"]
                votes[symbol] = max(-1.0, min(1.0, 200 * (last / values["close"] - 1)))
            if self.calls < 40:
                return {"calls": self.calls}
            return {"signal": votes, "luck": float(self.rng.normal()), "known": len(states)}


    class Collects(TickAgent):
        '''Looks at what changed since its last turn.'''

        votes = False
        cadence_ns = 3_600_000_000_000
        agent_interests = ("RiskSentinel", "Dip")

        def prepare(self):
            self.turns = 0

        def _analyze(self, tick):
            self.turns += 1
            fear = tick.state("RiskSentinel")
            return {"turns": self.turns, "version": fear.version if fear else 0}


    class Gathers(BaseAgent):
        '''Reads deltas, which it lets wait for several of its turns.'''

        def __init__(self, agent_id):
            super().__init__(agent_id, [])
            self.agent_interests = ("Dip", "ArchCtrl")
            self.calls = 0

        def _analyze(self, relevant_data):
            self.calls += 1
            if self.calls % 7:
                return None
            updates = self.handle.collect()
            return {"got": [[u.source, u.version, sorted(u.fields)] for u in updates]}


    class Sometimes(TickAgent):
        votes = False
        state = {"calls": StateField("calls so far")}

        def prepare(self):
            self.calls = 0

        def _analyze(self, tick):
            self.calls += 1
            if self.calls % 60 > 54:
                raise RuntimeError("not now")
            return {"calls": float(self.calls)}
"""

FAULTS = """
    [[faults]]
    agent = "ChainWatcher"
    at = 150
    count = 6

    [[faults]]
    agent = "FearAnalyzer"
    at = 200
    kind = "nan"
    count = 60
"""


def parts_of(swarm: Swarm) -> tuple[Engine, Recorder]:
    recorder = Recorder(swarm)
    return Engine(swarm.parts, [recorder]), recorder


def run_on(swarm: Swarm, engine: Engine, source: HistorySource, start: int, stop: int) -> None:
    """Ticks start .. stop of the history."""
    pace = HistoryPace(swarm.parts.bus, swarm.parts.clock)

    async def work() -> None:
        for block in source.blocks(start_tick=start):
            left = stop - block.index
            if left <= 0:
                return
            await engine.run(block.rows(0, min(len(block), left)), pace)

    drive(VirtualTimeLoop(VirtualClock()), work())


def begin_digests_anew(swarm: Swarm) -> None:
    """What has been hashed so far is forgotten: from here on two swarms can be compared."""
    swarm.digests.__init__()  # type: ignore[misc]
    for member in swarm.members:
        swarm.digests.register(member.agent_id, named=not member.schema)


def started(config: RunConfig, source: HistorySource) -> tuple[Swarm, Engine]:
    swarm = assemble(config, source, "run-12345678")
    engine, _ = parts_of(swarm)
    first = next(iter(source.blocks(max_rows=1)))
    swarm.parts.clock.advance_to(int(first.ts[0]) - source.bar_ns)
    engine.save_checkpoints()
    return swarm, engine


def same_from(config: RunConfig, cut: int, end: int) -> tuple[Swarm, Swarm]:
    """The swarm run straight through, and one that begins at its checkpoint before tick ``cut``."""
    source = open_source(config)
    straight, engine = started(config, source)
    run_on(straight, engine, source, 0, cut)
    engine.save_checkpoints()
    state = capture(straight, engine)
    assert state is not None
    begin_digests_anew(straight)
    run_on(straight, engine, source, cut, end)

    again = assemble(config, open_source(config), "run-12345678")
    second, _ = parts_of(again)
    restore(again, second, state)
    run_on(again, second, open_source(config), cut, end)
    assert again.digests.results() == straight.digests.results()
    one, other = straight.parts.path, again.parts.path
    assert other.checkpoint() == one.checkpoint()
    second.save_checkpoints()
    engine.save_checkpoints()
    assert capture(again, second) == capture(straight, engine)
    return straight, again


@pytest.mark.parametrize("cut", [1, 97, 300, 640])
def test_the_standard_swarm_goes_on_to_the_bit(tmp_path: Path, cut: int) -> None:
    straight, again = same_from(configured(tmp_path), cut, 800)
    assert again.parts.path.ledger.trade_count == straight.parts.path.ledger.trade_count > 0
    assert again.parts.bus.accounting_residual() == 0


@pytest.mark.parametrize("cut", [20, 45, 333, 500])
def test_own_agents_of_every_form_go_on_with_what_they_remember(tmp_path: Path, cut: int) -> None:
    text = entries(["Dip", "Collects", "Gathers", "Sometimes"])
    _, again = same_from(configured(tmp_path, text, OWN), cut, 640)
    # Dip votes from its 40th call on: before or after the cut, it is one of the voters.
    assert again.context.voters[-1] == "Dip"
    assert again.parts.bus.statistics("Sometimes").restarts >= (1 if cut > 100 else 0)


@pytest.mark.parametrize("cut", [151, 157, 160, 205, 260, 420])
def test_faults_isolation_and_restarts_go_on_where_they_were(tmp_path: Path, cut: int) -> None:
    config = configured(tmp_path, FAULTS)
    straight, again = same_from(config, cut, 640)
    for agent_id in ("ChainWatcher", "FearAnalyzer"):
        one, other = (s.parts.bus.statistics(agent_id) for s in (straight, again))
        assert other == one
        assert one.failures >= 5
        assert one.restarts >= 1


def test_an_agent_that_has_failed_for_good_stays_so(tmp_path: Path) -> None:
    raises = """
        from mirrorcore import BaseAgent

        class Raises(BaseAgent):
            async def _analyze(self, relevant_data):
                raise ValueError("always")
    """
    _, again = same_from(configured(tmp_path, entries(["Raises"]), raises), 600, 700)
    assert again.parts.bus.statistics("Raises").state == "failed"
    assert again.parts.bus.accounting_residual() == 0


def test_what_a_warm_up_taught_is_in_it(tmp_path: Path) -> None:
    config = configured(tmp_path)
    source = open_source(config)
    straight = assemble(config, source, "run-12345678")
    engine, _ = parts_of(straight)
    engine.warm(next(iter(source.blocks())).rows(0, 250))
    engine.save_checkpoints()
    state = capture(straight, engine)
    assert state is not None
    begin_digests_anew(straight)
    run_on(straight, engine, source, 250, 700)
    again = assemble(config, open_source(config), "run-12345678")
    second, _ = parts_of(again)
    restore(again, second, state)
    assert second.learned is not None
    run_on(again, second, open_source(config), 250, 700)
    assert again.digests.results() == straight.digests.results()


def test_no_checkpoint_where_a_memory_cannot_be_encoded(tmp_path: Path) -> None:
    agents = """
        from mirrorcore import BaseAgent

        class Holds(BaseAgent):
            def __init__(self, agent_id):
                super().__init__(agent_id, ["technical"])
                self.held = {object()}

            async def _analyze(self, relevant_data):
                return {"seen": 1}

        class Says(BaseAgent):
            async def _analyze(self, relevant_data):
                return {"by_number": {1: "one"}}
    """
    for name in ("Holds", "Says"):
        config = configured(tmp_path / name, entries([name]), agents)
        source = open_source(config)
        swarm, engine = started(config, source)
        run_on(swarm, engine, source, 0, 20)
        engine.save_checkpoints()
        assert capture(swarm, engine) is None, name


def test_no_checkpoint_while_an_agent_waits_for_something(tmp_path: Path) -> None:
    waits = """
        import asyncio

        from mirrorcore import BaseAgent

        class Waits(BaseAgent):
            async def _analyze(self, relevant_data):
                await asyncio.sleep(3600)
    """
    config = configured(tmp_path, entries(["Waits"]), waits)
    source = open_source(config)
    swarm = assemble(config, source, "run-12345678")
    taken: list[bool] = []

    class Looks:
        def block(self, record: BlockRecord) -> None:
            engine.save_checkpoints()
            taken.append(capture(swarm, engine) is not None)

    engine = Engine(swarm.parts, [Recorder(swarm), Looks()])
    run_on(swarm, engine, source, 0, 1)
    run_on(swarm, engine, source, 1, 2)
    # It hangs in the first tick; by the second it was given up and is isolated.
    assert taken == [False, True]


def test_a_checkpoint_of_another_swarm_or_none_at_all_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path)
    swarm, engine = started(config, open_source(config))
    with pytest.raises(DataError, match="cannot be read"):
        restore(swarm, engine, b"no checkpoint")


@pytest.mark.parametrize("cut", [100, 350])
def test_recorded_candles_go_on_as_well(tmp_path: Path, cut: int) -> None:
    data = candles(tmp_path / "data", ticks=600)
    straight, again = same_from(on_candles(tmp_path / "run", data), cut, 600)
    assert again.parts.clock.now() == straight.parts.clock.now() > 0
