"""The surroundings of one agent, as a replay of its own swarm had them: market, views, others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorcore.agents.base import Context
from mirrorcore.clock import SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.config.model import RunConfig
from mirrorcore.market.block import Floats, Ints, Series
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.swarm.assembly import Swarm, assemble
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, BlockRecord, Engine
from mirrorcore.swarm.members import Form
from mirrorcore.swarm.pace import HistoryPace
from mirrorcore.swarm.sources import open_source
from mirrorcore.swarm.stalls import watching
from mirrorcore.syncbus import BusEvent, EventKind, Field

Deltas = list[tuple[int, Mapping[str, Any]]]

DEADLINE_NS = SECOND
"""How long a call may hold the loop: much longer than any may live."""

_WRONG = (
    EventKind.FAILURE,
    EventKind.EXPIRED,
    EventKind.BLOCKED,
    EventKind.FLOOD,
    EventKind.REJECTED_PUBLISH,
    EventKind.UNREADABLE,
)


@dataclass(frozen=True, slots=True)
class World:
    """T ticks as an agent may see them.

    Attributes
    ----------
    market: (T, S) columns of all categories.
    blocks: (T, …) outputs of every other block agent, by id.
    states: deltas of every other agent and view with their instants, by id, in order.
    kinds, schemas: kind of each of them, and what its state may hold where it says so.
    votes: (T, S, N) of the voters in ``context``, NaN for those that do not work in blocks.
    deaf_from: tick from which on nothing is heard any more; None for never.
    """

    market: CategorizedBlock
    context: Context
    blocks: Mapping[str, Mapping[str, Floats]]
    states: Mapping[str, Deltas]
    kinds: Mapping[str, str]
    schemas: Mapping[str, Mapping[str, Field] | None]
    votes: Floats
    deaf_from: int | None = None

    def __len__(self) -> int:
        return len(self.market)

    @property
    def ts(self) -> Ints:
        return self.market.market.ts

    def until(self, tick: int) -> World:
        """The same world with nothing after ``tick`` ticks."""
        last = int(self.ts[tick - 1])
        return replace(
            self,
            market=self.market.rows(0, tick),
            blocks={
                name: {field: column[:tick] for field, column in outputs.items()}
                for name, outputs in self.blocks.items()
            },
            states={
                name: deltas[: bisect_right([ts for ts, _ in deltas], last)]
                for name, deltas in self.states.items()
            },
            votes=self.votes[:tick],
        )

    def silent_from(self, tick: int) -> World:
        """The same ticks, but from ``tick`` on there is no bar, no value and no word of others."""
        deaf = np.arange(len(self)) >= tick
        last = int(self.ts[tick - 1])
        present = self.market.market.present & ~deaf[:, None]
        market = replace(
            self.with_values(lambda _, column: np.where(deaf[:, None], np.nan, column)).market,
            known_at={
                category: {name: _frozen_at(column, tick) for name, column in named.items()}
                for category, named in self.market.known_at.items()
            },
        )
        return replace(
            self,
            market=replace(market, market=replace(market.market, present=present)),
            blocks={
                name: {field: _frozen_at(column, tick) for field, column in outputs.items()}
                for name, outputs in self.blocks.items()
            },
            states={
                name: [(ts, delta) for ts, delta in deltas if ts <= last]
                for name, deltas in self.states.items()
            },
            votes=np.where(deaf[:, None, None], np.nan, self.votes),
            deaf_from=tick,
        )

    def with_values(self, change: Callable[[str, Floats], Floats]) -> World:
        """The same world with every (T, S) column of values put through ``change(name, column)``.

        The side channels behind them are changed alike. Bars stay as they are: they are what a
        validator has let through.
        """
        market = self.market.market
        series = {
            name: Series(change(name, one.value), one.known_at, one.sources, one.units)
            for name, one in market.series.items()
        }
        values = {
            category: {name: change(name, column) for name, column in named.items()}
            for category, named in self.market.values.items()
        }
        changed = replace(market, series=series)
        return replace(self, market=replace(self.market, market=changed, values=values))


def _frozen_at(column: npt.NDArray[Any], tick: int) -> npt.NDArray[Any]:
    """The column as it stays when nothing is added to it from ``tick`` on."""
    kept = column.copy()
    kept[tick:] = column[tick - 1]
    return kept


@dataclass(frozen=True, slots=True)
class Taken:
    """How the agent did in its swarm: the surroundings, and what went wrong, in order.

    ``endless`` says that a call held the loop until it was ended: alone nothing would end it.
    """

    world: World
    troubles: list[str]
    endless: bool


def record_world(config: RunConfig, agent_id: str) -> Taken:
    """Replay the swarm of ``config`` once and keep what surrounded one of its agents.

    The history is to be no longer than one block.
    """
    source = open_source(config)
    swarm = assemble(config, source, "contract")
    listener = _Listener(swarm, agent_id)
    swarm.parts.bus.on_publish(listener.publish)
    swarm.parts.bus.on_event(listener.event)
    engine = Engine(swarm.parts, [listener])
    pace = HistoryPace(swarm.parts.bus, swarm.parts.clock)

    async def work() -> None:
        for block in source.blocks(max_rows=CHECKPOINT_TICKS):
            if listener.record is not None:
                raise ValueError(f"a contract is checked on at most {CHECKPOINT_TICKS} ticks")
            swarm.parts.clock.advance_to(int(block.ts[0]) - source.bar_ns)
            await engine.run(block, pace)

    with watching(swarm, DEADLINE_NS):
        drive(VirtualTimeLoop(VirtualClock()), work())
    return Taken(listener.world(), listener.troubles, listener.endless)


def _columns(deltas: Deltas, instants: Ints) -> dict[str, Floats]:
    """What was published row by row as the columns of a block, NaN before the first word."""
    state: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    told = 0
    for ts in instants.tolist():
        while told < len(deltas) and deltas[told][0] <= ts:
            state = {**state, **deltas[told][1]}
            told += 1
        rows.append(state)
    shapes = {name: np.shape(value) for name, value in state.items()}
    return {
        name: np.stack([_grown(row.get(name, np.full(shape, np.nan)), shape) for row in rows])
        for name, shape in shapes.items()
    }


def _grown(value: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The value as long as it is in the end: there is one place more for each new voter."""
    array = np.asarray(value)
    if not shape:
        return array
    return np.pad(array, [(0, max(0, n - m)) for n, m in zip(shape, array.shape, strict=True)])


class _Listener:
    """Looks on in a replay: others' states, the market, and the troubles of one agent."""

    def __init__(self, swarm: Swarm, agent_id: str) -> None:
        self._swarm = swarm
        self._agent_id = agent_id
        self._states: dict[str, Deltas] = {}
        self.record: BlockRecord | None = None
        self.troubles: list[str] = []
        self.endless = False

    def publish(self, source: str, ts: int, delta: Mapping[str, Any]) -> None:
        if source != self._agent_id:
            self._states.setdefault(source, []).append((ts, delta))

    def event(self, event: BusEvent) -> None:
        if event.agent_id == self._agent_id and event.kind in _WRONG:
            self.troubles.append(f"{event.kind}: {event.detail}")
            self.endless |= event.kind in (EventKind.BLOCKED, EventKind.EXPIRED)

    def block(self, record: BlockRecord) -> None:
        self.record = record

    def world(self) -> World:
        assert self.record is not None
        swarm, stage = self._swarm, self.record.stage
        blocks = {
            name: dict(outputs) for name, outputs in stage.outputs.items() if name != self._agent_id
        }
        members = {member.agent_id: member for member in swarm.members}
        states = {name: one for name, one in self._states.items() if name not in blocks}
        for name in [name for name in states if name in members]:
            if members[name].form is Form.BLOCK:  # it was called bar by bar, as live
                blocks[name] = _columns(states.pop(name), stage.market.market.ts)
        kinds = {name: members[name].kind if name in members else "view" for name in states}
        kinds |= {name: members[name].kind for name in blocks}
        schemas = {name: members[name].bus_schema for name in kinds if name in members}
        context = replace(swarm.context, voters=tuple(swarm.context.voters))
        shape = stage.market.market.present.shape
        silence = np.full(shape, np.nan)
        votes = [blocks.get(name, {}).get("forecast", silence) for name in context.voters]
        stacked = np.stack(votes, axis=2) if votes else np.empty((*shape, 0))
        return World(stage.market, context, blocks, states, kinds, schemas, stacked)
