"""What an agent is: a small class with an id, interests, a typed state and ``_analyze``.

Three forms, from the simplest to the fastest:

* :class:`BaseAgent` is the guide's form: ``async def _analyze(relevant_data) -> new_state``, called
  every tick with ``{category: {symbol: {name: value}}}``.
* :class:`TickAgent` is called at its own ``cadence`` with a :class:`Tick`, vectors over symbols.
* :class:`BlockAgent` reads the market (and other block agents) alone and computes whole blocks of
  ticks at once; live it is called with blocks of one and gives the same bits.

Everything an agent may touch is handed to it by :meth:`BaseAgent.attach` before the first tick.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np

from mirrorcore.agents.checkpoint import decode_checkpoint, encode_checkpoint
from mirrorcore.market.block import Floats, Ints
from mirrorcore.market.records import CATEGORIES

if TYPE_CHECKING:
    from mirrorcore.clock import Clock
    from mirrorcore.market.categories import CategorizedBlock
    from mirrorcore.syncbus import AgentHandle, StateView

_HANDED_IN = frozenset({"syncbus", "handle", "clock", "rng", "context"})

ORDER_PLANE_VIEWS = ("performance", "execution")
"""Read-only views of the order plane an agent may be interested in besides the market."""


@dataclass(frozen=True, slots=True)
class StateField:
    """One published field: what it is, its unit, and the bounds it never leaves.

    ``shape`` is ``scalar``, ``symbols`` (one value per symbol, in run order), ``voters`` (one per
    voting agent, in run order) or ``text``. ``missing`` allows NaN for *no opinion*.
    """

    doc: str
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    shape: str = "scalar"
    missing: bool = False


class ReadOnlyList(Sequence[str]):
    """A list that somebody else may add to, as whoever holds this sees."""

    __slots__ = ("_items",)

    def __init__(self, items: list[str]) -> None:
        self._items = items

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True, slots=True)
class Context:
    """The facts of a run an agent may know."""

    symbols: tuple[str, ...]
    bar_ns: int
    voters: Sequence[str] = ()
    """Ids of the voting agents, in the order of all vectors over voters. It grows at the end when
    an agent that was not known to vote casts its first vote."""
    volatility_target: float = 0.10
    drawdown_limit: float = 0.20
    cost_per_side: float = 0.0
    """Fee plus slippage of one side, as a fraction."""

    def bars(self, duration_ns: int) -> int:
        """How many bars last ``duration_ns``, at least 1."""
        return max(1, round(duration_ns / self.bar_ns))


class BaseAgent:
    """The guide's agent. Subclass it and write ``_analyze``.

    Parameters
    ----------
    agent_id: unique within the swarm.
    data_interests: market categories, and ``performance`` or ``execution``.
    """

    kind: ClassVar[str] = "agent"
    state: ClassVar[Mapping[str, StateField]] = {}
    """The schema of the published state; empty means free fields, none of them checked."""
    votes: ClassVar[bool | None] = None
    """Whether it publishes ``forecast``; None: perhaps, then also as the guide's ``signal``."""
    cadence_ns: int = 0
    """Market time between two calls; 0 means every tick."""
    horizon_ns: int = 0
    """Over which time its forecast is meant; 0 means one bar."""
    agent_interests: tuple[str, ...] = ()
    """Other agents (or kinds, or ``all``) whose states it reads."""
    acts_with: ClassVar[tuple[str, ...]] = ()
    """Other agents or kinds it is written to act together with: that they do is no finding."""
    believes: ClassVar[Mapping[str, Mapping[str, float]]] = {}
    """What it takes the market to be: ``log_volatility`` and ``trend``, in any unit, each as the
    published fields whose weighted sum is the belief. Nothing where it has none."""

    def __init__(self, agent_id: str, data_interests: Sequence[str] = ()) -> None:
        self.agent_id = agent_id
        self.data_interests = list(data_interests)

    def attach(
        self,
        handle: AgentHandle,
        clock: Clock,
        rng: np.random.Generator,
        context: Context,
    ) -> None:
        """Hand over everything the agent may touch; called before the first tick."""
        self.syncbus = BusFacade(handle)
        self.handle = handle
        self.clock = clock
        self.rng = rng
        self.context = context
        self.prepare()

    def prepare(self) -> None:
        """Set up what depends on the run (symbols, bar length). Nothing by default."""

    async def process_market_update(self, categorized_data: Mapping[str, Any]) -> None:
        """Analyse what the agent is interested in and publish the new state."""
        relevant_data = {
            category: data
            for category, data in categorized_data.items()
            if category in self.data_interests
        }
        new_state = self._analyze(relevant_data)
        if inspect.isawaitable(new_state):
            new_state = await new_state
        if new_state:
            await self.syncbus.update_agent_state(self.agent_id, new_state)

    def _analyze(self, relevant_data: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no _analyze method; an agent needs one")

    def on_signal(self, command: Any) -> None:
        """The operator stops all trading: ``command.name`` and ``command.params``. Before anything
        else, also while the agent is paused. Nothing by default; returning acknowledges it."""

    def remember(self) -> dict[str, Any]:
        """What the agent holds beyond what was handed in; plain data and arrays."""
        return {name: value for name, value in vars(self).items() if name not in _HANDED_IN}

    def recall(self, memory: dict[str, Any]) -> None:
        """Continue from what :meth:`remember` gave; what came up since is forgotten."""
        own = vars(self)
        for name in [name for name in own if name not in memory and name not in _HANDED_IN]:
            del own[name]
        own.update(memory)

    def checkpoint(self) -> bytes | None:
        """The memory as bytes; None where it cannot be encoded, then a restart begins fresh."""
        try:
            return encode_checkpoint(self.remember())
        except TypeError:
            return None

    def restore(self, checkpoint: bytes) -> None:
        self.recall(decode_checkpoint(checkpoint))


class BusFacade:
    """What a guide-style agent sees as ``self.syncbus``: its own state and its own interests."""

    __slots__ = ("_handle",)

    def __init__(self, handle: AgentHandle) -> None:
        self._handle = handle

    async def update_agent_state(self, agent_id: str, state_delta: Mapping[str, Any]) -> int:
        """Publish; PermissionError for anybody's state but one's own."""
        if agent_id != self._handle.agent_id:
            error = PermissionError(
                f"{self._handle.agent_id} tried to write the state of {agent_id}; "
                "an agent publishes its own state alone"
            )
            self._handle.deny(error)
            raise error
        return self._handle.publish(state_delta)

    async def get_relevant_states(self, requesting_agent_id: str) -> dict[str, Mapping[str, Any]]:
        """The states this agent declared an interest in, immutable."""
        if requesting_agent_id != self._handle.agent_id:
            raise PermissionError(f"{self._handle.agent_id} asked as {requesting_agent_id}")
        return self._handle.relevant_states()


@dataclass(slots=True)
class Tick:
    """One tick as a :class:`TickAgent` sees it; only declared interests can be read."""

    ts: int
    row: int
    market: CategorizedBlock
    handle: AgentHandle
    data_interests: Sequence[str]
    performance: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)

    def value(self, category: str, name: str) -> Floats:
        """(S,) the value each symbol has now, NaN where unknown."""
        self._check(category)
        column = self.market.values.get(category, {}).get(name)  # type: ignore[call-overload]
        if column is None:
            return np.full(self.market.market.present.shape[1], np.nan)
        row: Floats = column[self.row]
        return row

    def age_ns(self, category: str, name: str) -> Ints:
        """(S,) how old the record behind the value is, -1 where there is none."""
        self._check(category)
        column = self.market.known_at.get(category, {}).get(name)  # type: ignore[call-overload]
        if column is None:
            return np.full(self.market.market.present.shape[1], -1, dtype=np.int64)
        known: Ints = column[self.row]
        return np.where(known > 0, self.ts - known, -1)

    def state(self, agent_id: str) -> StateView | None:
        """Another agent's state with its age, or None where it never published."""
        return self.handle.read(agent_id)

    def _check(self, category: str) -> None:
        if category not in self.data_interests:
            raise PermissionError(
                f"{self.handle.agent_id} read {category}, which is not among its interests "
                f"{list(self.data_interests)}"
            )


class TickAgent(BaseAgent):
    """Called at its cadence with a :class:`Tick`; returns the fields to publish, or None."""

    def _analyze(self, tick: Tick) -> Mapping[str, Any] | None:
        raise TypeError(f"{type(self).__name__} has no _analyze method; an agent needs one")


@dataclass(frozen=True, slots=True)
class BlockInput:
    """What a :class:`BlockAgent` may read: T ticks of its categories and of other block agents."""

    market: CategorizedBlock
    data_interests: Sequence[str]
    others: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    votes: Floats | None = None
    """(T, S, N) forecasts of all voters, NaN where one has no opinion; for the oracle alone."""

    @property
    def ts(self) -> Ints:
        return self.market.market.ts

    @property
    def shape(self) -> tuple[int, int]:
        """(T, S)"""
        ticks, symbols = self.market.market.present.shape
        return ticks, symbols

    def value(self, category: str, name: str) -> Floats:
        """(T, S), NaN where unknown."""
        if category not in self.data_interests:
            raise PermissionError(
                f"{category} is not among the agent's interests {list(self.data_interests)}"
            )
        column = self.market.values.get(category, {}).get(name)  # type: ignore[call-overload]
        return np.full(self.shape, np.nan) if column is None else column

    def has(self, category: str, name: str) -> bool:
        """Whether the market has such a value at all."""
        return name in self.market.values.get(category, {})  # type: ignore[call-overload]

    def known_at(self, category: str, name: str) -> Ints:
        """(T, S) when the record behind the value became available, 0 for never."""
        column = self.market.known_at.get(category, {}).get(name)  # type: ignore[call-overload]
        return np.zeros(self.shape, dtype=np.int64) if column is None else column


class BlockAgent(BaseAgent):
    """Computes T ticks at once; carries its filters from block to block.

    ``_analyze(block)`` returns arrays of shape (T,), (T, S) or (T, N). The result must not depend
    on how the ticks are cut into blocks, to the bit; the contract suite tests blocks of 1, 7 and
    4,096.
    """

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        raise TypeError(f"{type(self).__name__} has no _analyze method; an agent needs one")


def market_categories(interests: Sequence[str]) -> tuple[str, ...]:
    """Those of ``interests`` that are market categories, in the project's order."""
    return tuple(category for category in CATEGORIES if category in interests)
