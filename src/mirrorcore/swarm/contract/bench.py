"""Runs fresh instances of one agent in a recorded world, alone, with a bus of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mirrorcore.clock import ReadOnlyClock, VirtualClock, VirtualTimeLoop
from mirrorcore.market.block import Floats
from mirrorcore.swarm.away import generator
from mirrorcore.swarm.contract.world import World
from mirrorcore.swarm.driving import drive
from mirrorcore.swarm.members import Form, Member, TickView
from mirrorcore.swarm.reads import Reads
from mirrorcore.syncbus import AgentPolicy, SourceHandle, SyncBus
from mirrorcore.syncbus.schema import thaw

Wake = Callable[[int], Any]

_VIEWS = ("performance", "execution")
_SEED = 1


@dataclass(frozen=True, slots=True)
class Said:
    """One call: the row, the whole state after it, and whether anything was published in it."""

    row: int
    state: dict[str, Any]
    spoke: bool


@dataclass(slots=True)
class Outputs:
    """What an agent said: ``calls`` where it works tick by tick, ``columns`` where in blocks."""

    calls: list[Said] = field(default_factory=list)
    columns: dict[str, Floats] = field(default_factory=dict)

    def before(self, row: int) -> Outputs:
        """The same, as far as it was said before ``row``."""
        return Outputs(
            [call for call in self.calls if call.row < row],
            {name: column[:row] for name, column in self.columns.items()},
        )

    def plain(self) -> list[Any]:
        """Something that can be hashed."""
        return [[[call.row, call.spoke, call.state] for call in self.calls], self.columns]


class Bench:
    """One fresh instance of an agent in a world.

    Parameters
    ----------
    recruit: makes the member anew, as its swarm would.
    noting: whether to note what is read of the market, in :attr:`read`.
    """

    def __init__(
        self, world: World, recruit: Callable[[], Member], *, noting: bool = False
    ) -> None:
        self.world = world
        self.member = member = recruit()
        self.read: dict[tuple[str, str], None] = {}
        self._clock = VirtualClock(int(world.ts[0]) - world.context.bar_ns)
        self._bus = SyncBus(self._clock, seed=_SEED)
        self._others = self._open_others()
        self._told = dict.fromkeys(world.states, 0)
        self._views: dict[str, dict[str, Any]] = {name: {} for name in _VIEWS}
        if noting:
            member.reads = Reads()
        handle = self._bus.register(
            member.agent_id,
            kind=member.kind,
            interests=member.agent_interests,
            schema=member.bus_schema,
            policy=AgentPolicy(),
        )
        random = generator(_SEED, member.agent_id)
        member.bind(handle, ReadOnlyClock(self._clock), random, world.context)

    def _open_others(self) -> dict[str, SourceHandle]:
        world = self.world
        return {
            name: self._bus.open_source(name, kind=kind, schema=world.schemas.get(name))
            for name, kind in world.kinds.items()
        }

    @property
    def drew(self) -> bool:
        """Whether the agent has taken chance from what it was handed."""
        fresh, rng = generator(_SEED, self.member.agent_id), self.member.rng
        return rng is not None and rng.bit_generator.state != fresh.bit_generator.state

    def due(self) -> list[int]:
        """The rows at which the agent is called."""
        if self.member.cadence_ns <= 0:
            return list(range(len(self.world)))
        turns = self.world.ts // self.member.cadence_ns
        return np.flatnonzero(np.diff(turns, prepend=turns[0] - 1)).tolist()

    def run(self, first: int = 0, stop: int | None = None, *, size: int = 4096) -> Outputs:
        """Let it live through the ticks first..stop; blocks are cut at ``size`` ticks."""
        last = len(self.world) if stop is None else stop
        if self.member.form is Form.BLOCK:
            return self._run_blocks(first, last, size)
        rows = [row for row in self.due() if first <= row < last]
        found = Outputs()

        async def work() -> None:
            for row in rows:
                found.calls.append(await self._call(row))

        drive(VirtualTimeLoop(VirtualClock()), work())
        return found

    def _run_blocks(self, first: int, last: int, size: int) -> Outputs:
        parts: list[Mapping[str, Floats]] = []
        for start, stop in pairwise([*range(first, last, size), last]):
            self._clock.advance_to(int(self.world.ts[start]))
            outputs = self.member.evaluate_ahead(
                self.world.market.rows(start, stop),
                {
                    name: {
                        key: column[start:stop] for key, column in self.world.blocks[name].items()
                    }
                    for name in self._read_blocks()
                },
                self.world.votes[start:stop] if self.member.kind == "oracle" else None,
            )
            self._note()
            parts.append(outputs)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Outputs(columns=joined)

    def _read_blocks(self) -> Sequence[str]:
        world, wanted = self.world, self.member.agent_interests
        return [
            n for n in world.blocks if n in wanted or world.kinds[n] in wanted or "all" in wanted
        ]

    async def _call(self, row: int) -> Said:
        ts = int(self.world.ts[row])
        self._clock.advance_to(ts)
        self._tell_others(row, ts)
        before, _ = self._state()
        view = TickView(
            index=self.world.market.market.index + row,
            ts=ts,
            row=row,
            market=self.world.market,
            performance=self._views["performance"],
            execution=self._views["execution"],
        )
        on_tick = self.member.handlers().on_tick
        assert on_tick is not None
        waiting = on_tick(view)
        if waiting is not None:
            await waiting
        self._note()
        version, state = self._state()
        return Said(row, state, version > before)

    def _tell_others(self, row: int, ts: int) -> None:
        """What others have published by now; rows of blocks as they are at this tick."""
        deaf = self.world.deaf_from
        if deaf is not None and row >= deaf:
            self._views = {name: {} for name in _VIEWS}
            return
        for name, outputs in self.world.blocks.items():
            self._others[name].publish({key: _row(column[row]) for key, column in outputs.items()})
        for name, deltas in self.world.states.items():
            told = self._told[name]
            while told < len(deltas) and deltas[told][0] <= ts:
                self._others[name].publish(deltas[told][1])
                if name in self._views:
                    self._views[name] = {**self._views[name], **deltas[told][1]}
                told += 1
            self._told[name] = told

    def _state(self) -> tuple[int, dict[str, Any]]:
        """Version and content of the agent's published state as it stands."""
        assert self.member.handle is not None
        view = self.member.handle.read(self.member.agent_id)
        if view is None:
            return 0, {}
        return view.version, {name: thaw(value) for name, value in view.state.items()}

    def _note(self) -> None:
        if self.member.reads is not None:
            self.read.update(dict.fromkeys(self.member.reads.names))


def _row(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
