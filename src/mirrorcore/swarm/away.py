"""Members of the swarm that live in a process of their own: what is sent to them, and their end.

In the child the agent is a :class:`Member` as in the loop, called with a tick that was cut to its
interests and put together again there; so it does the same, wherever it lives.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import numpy as np

from mirrorcore.agents.base import BaseAgent, Context, ReadOnlyList
from mirrorcore.agents.checkpoint import decode_checkpoint, encode_checkpoint
from mirrorcore.market.block import MarketBlock, Series
from mirrorcore.market.categories import CategorizedBlock, Columns, Knowledge
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.drills import Drill
from mirrorcore.swarm.members import Form, Member, TickView
from mirrorcore.swarm.recipes import Recipe, describe
from mirrorcore.syncbus import Handlers, ProcessFactory, ProcessHandle, ProcessPolicy

_KEPT = b"\x00away"
"""Begins a checkpoint made in a process; one made in the loop is the agent's memory alone."""
_SAVED_EVERY = 64
"""Calls between two checkpoints: a process may end at any time."""

_FLOATS = ("open", "high", "low", "close", "volume")
_INTS = ("open_ts", "flags")
_ARRAYS = ("values", "known_at", "series", "series_known", "floats", "ints", "present")


class Terms(msgspec.Struct, frozen=True):
    """What a child has to know of the run and of its agent's place in it."""

    recipe: Recipe
    form: Form
    interests: tuple[str, ...]
    drill: str | None
    seed: int
    symbols: tuple[str, ...]
    bar_ns: int
    volatility_target: float
    drawdown_limit: float
    cost_per_side: float


class Packet(msgspec.Struct, frozen=True):
    """One tick for one agent: rows of its categories, stacked, with the names of the rows.

    ``values`` and ``series`` are (rows, S) float64, ``known_at`` and ``series_known`` (rows, S)
    int64; ``floats`` (5, S), ``ints`` (2, S) and ``present`` (S,) are the bars.
    """

    index: int
    ts: int
    value_names: tuple[tuple[str, str], ...]
    values: np.ndarray
    known_names: tuple[tuple[str, str], ...]
    known_at: np.ndarray
    series_names: tuple[str, ...]
    series: np.ndarray
    series_known: np.ndarray
    series_sources: tuple[tuple[str, ...], ...]
    series_units: tuple[tuple[str, ...], ...]
    floats: np.ndarray
    ints: np.ndarray
    present: np.ndarray
    performance: Mapping[str, Any]
    execution: Mapping[str, Any]
    voters: tuple[str, ...]
    struck: bool


# -- in the swarm's process ---------------------------------------------------------------------


class Courier:
    """Cuts ticks to what one member may see."""

    def __init__(self, member: Member, context: Context) -> None:
        self._member = member
        self._voters = context.voters
        self._interests = member.interests

    def __call__(self, handler: str, argument: Any) -> Any:
        if handler != "on_tick":
            return argument
        view: TickView = argument
        drill = self._member.drill
        struck = drill is not None and drill.strike(view.index)
        return packed(view, self._interests, tuple(self._voters), struck=struck)


def process_of(member: Member, context: Context, seed: int) -> ProcessFactory | None:
    """How ``member`` is made in a process; None for one that computes in blocks."""
    if member.recipe is None or member.form is Form.BLOCK:
        return None
    terms = Terms(
        recipe=member.recipe,
        form=member.form,
        interests=member.interests,
        drill=None if member.drill is None else member.drill.kind,
        seed=seed,
        symbols=tuple(context.symbols),
        bar_ns=context.bar_ns,
        volatility_target=context.volatility_target,
        drawdown_limit=context.drawdown_limit,
        cost_per_side=context.cost_per_side,
    )
    return ProcessFactory(
        "mirrorcore.swarm.away:make",
        {"terms": terms, "voters": tuple(context.voters)},
        ProcessPolicy(),
        Courier(member, context),
    )


def packed(
    view: TickView, interests: Sequence[str], voters: tuple[str, ...], *, struck: bool = False
) -> Packet:
    """The tick as it travels to an agent with these interests."""
    row, block = view.row, view.market
    market = block.market
    symbols = market.present.shape[1]
    wanted = [category for category in CATEGORIES if category in interests]
    value_names, values = _stacked(block.values, wanted, row, symbols, np.float64)
    known_names, known_at = _stacked(block.known_at, wanted, row, symbols, np.int64)
    series = {name: one for name, one in market.series.items() if name.partition(".")[0] in wanted}
    return Packet(
        index=view.index,
        ts=view.ts,
        value_names=value_names,
        values=values,
        known_names=known_names,
        known_at=known_at,
        series_names=tuple(series),
        series=_stack([one.value[row] for one in series.values()], symbols, np.float64),
        series_known=_stack([one.known_at[row] for one in series.values()], symbols, np.int64),
        series_sources=tuple(one.sources for one in series.values()),
        series_units=tuple(one.units for one in series.values()),
        floats=_stack([getattr(market, name)[row] for name in _FLOATS], symbols, np.float64),
        ints=_stack([getattr(market, name)[row] for name in _INTS], symbols, np.int64),
        present=market.present[row],
        performance=view.performance if "performance" in interests else {},
        execution=view.execution if "execution" in interests else {},
        voters=voters,
        struck=struck,
    )


def _stacked(
    columns: Mapping[Any, Mapping[str, np.ndarray]],
    wanted: Sequence[str],
    row: int,
    symbols: int,
    dtype: type,
) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
    named = [
        ((category, name), column[row])
        for category in wanted
        for name, column in columns.get(category, {}).items()
    ]
    rows = [values for _, values in named]
    return tuple(name for name, _ in named), _stack(rows, symbols, dtype)


def _stack(rows: list[np.ndarray], symbols: int, dtype: type) -> np.ndarray:
    if not rows:
        return np.zeros((0, symbols), dtype=dtype)
    return np.concatenate(rows).reshape(len(rows), symbols)


# -- in the agent's process ---------------------------------------------------------------------


def unpacked(packet: Packet) -> TickView:
    """The tick again, as a block of one row; read-only, as in the loop."""
    for name in _ARRAYS:
        getattr(packet, name).flags.writeable = False
    floats = {name: packet.floats[n : n + 1] for n, name in enumerate(_FLOATS)}
    ints = {name: packet.ints[n : n + 1] for n, name in enumerate(_INTS)}
    series = {
        name: Series(
            packet.series[n : n + 1],
            packet.series_known[n : n + 1],
            packet.series_sources[n],
            packet.series_units[n],
        )
        for n, name in enumerate(packet.series_names)
    }
    ts = np.array([packet.ts], dtype=np.int64)
    ts.flags.writeable = False
    market = MarketBlock(
        index=packet.index, ts=ts, present=packet.present[None, :], series=series, **floats, **ints
    )
    block = CategorizedBlock(
        market,
        cast(Columns, _by_category(packet.value_names, packet.values)),
        cast(Knowledge, _by_category(packet.known_names, packet.known_at)),
    )
    return TickView(packet.index, packet.ts, 0, block, packet.performance, packet.execution)


def _by_category(
    names: tuple[tuple[str, str], ...], rows: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for n, (category, name) in enumerate(names):
        found.setdefault(category, {})[name] = rows[n : n + 1]
    return found


def make(
    handle: ProcessHandle, checkpoint: bytes | None, terms: Terms, voters: Sequence[str]
) -> Handlers:
    """Build the agent in its own process and attach it."""
    resident = _Resident(handle, checkpoint, terms, voters)
    return Handlers(on_tick=resident.on_tick, on_signal=resident.on_signal)


class _Resident:
    """The agent of a child, with what it is called with."""

    def __init__(
        self,
        handle: ProcessHandle,
        checkpoint: bytes | None,
        terms: Terms,
        voters: Sequence[str],
    ) -> None:
        recipe = terms.recipe
        maker = recipe.maker()
        agent = maker()
        self._handle = handle
        self._voters = list(voters)
        self._calls = 0
        rng = generator(terms.seed, recipe.agent_id)
        context = Context(
            symbols=terms.symbols,
            bar_ns=terms.bar_ns,
            voters=ReadOnlyList(self._voters),
            volatility_target=terms.volatility_target,
            drawdown_limit=terms.drawdown_limit,
            cost_per_side=terms.cost_per_side,
        )
        self._member = member = Member(
            agent_id=recipe.agent_id,
            make=maker,
            agent=agent,
            form=terms.form,
            votes=None,
            cadence_ns=0,
            horizon_ns=0,
            essential=False,
            interests=terms.interests,
            agent_interests=(),
            schema=describe(recipe.agent_id, agent).schema,
        )
        if terms.drill is not None:
            member.drill = Drill(recipe.agent_id, 0, terms.drill, 0)
        member.bind(cast(Any, handle), handle.clock, rng, context)
        if checkpoint is not None:
            self._continue(checkpoint, rng)
        handlers = member.handlers()
        assert handlers.on_tick is not None
        assert handlers.on_signal is not None
        self._called: Callable[[TickView], Any] = handlers.on_tick
        self.on_signal = handlers.on_signal

    async def on_tick(self, packet: Packet) -> None:
        """One tick; now and then followed by a checkpoint."""
        self._voters[:] = packet.voters
        if packet.struck:
            assert self._member.drill is not None
            self._member.drill.left = 1
        result = self._called(unpacked(packet))
        if inspect.isawaitable(result):
            await result
        if self._calls % _SAVED_EVERY == 0:
            self._save()
        self._calls += 1

    def _save(self) -> None:
        agent, rng = self._member.agent, self._member.rng
        assert rng is not None
        memory = agent.checkpoint() if isinstance(agent, BaseAgent) else None
        if memory is not None:
            kept = {"memory": memory, "random": rng.bit_generator.state}
            self._handle.save(_KEPT + encode_checkpoint(kept))

    def _continue(self, checkpoint: bytes, rng: np.random.Generator) -> None:
        """Go on from the last checkpoint, also from one that was made in the loop."""
        agent = self._member.agent
        if checkpoint.startswith(_KEPT):
            kept = decode_checkpoint(checkpoint[len(_KEPT) :])
            checkpoint, rng.bit_generator.state = kept["memory"], kept["random"]
        if isinstance(agent, BaseAgent):
            agent.restore(checkpoint)


def generator(seed: int, agent_id: str) -> np.random.Generator:
    """Keyed by seed and id, so that an agent more or less changes nobody else's stream."""
    key = hashlib.sha256(agent_id.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(key[:8], "big")])
