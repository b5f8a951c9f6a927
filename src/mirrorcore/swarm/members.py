"""One agent of the swarm as the assembly keeps it: its form, its handle, how it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mirrorcore.agents.base import (
    BaseAgent,
    BlockAgent,
    BlockInput,
    BusFacade,
    Context,
    StateField,
    Tick,
    TickAgent,
)
from mirrorcore.clock import Clock
from mirrorcore.market.block import Floats
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.swarm.drills import Drill
from mirrorcore.swarm.obedience import Obedience
from mirrorcore.swarm.reads import Reads
from mirrorcore.syncbus import AgentHandle, Field, Handlers
from mirrorcore.syncbus.schema import freeze_block

if TYPE_CHECKING:
    from mirrorcore.swarm.recipes import Recipe

LARGEST_WEIGHT = 10.0
"""No target is larger, in shares of equity: the hard limits cannot be set higher either."""


class Form(Enum):
    """How an agent is called."""

    BLOCK = "block"
    TICK = "tick"
    GUIDE = "guide"


@dataclass(frozen=True, slots=True)
class TickView:
    """What travels on the market lane: one tick, not yet cut to anybody's interests."""

    index: int
    ts: int
    row: int
    market: CategorizedBlock
    performance: Mapping[str, Any]
    execution: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """A block agent as it was: its checkpoint and the state of its random numbers."""

    held: bytes
    random: Mapping[str, Any]


@dataclass(slots=True)
class Member:
    """An agent with everything the swarm needs to call it.

    ``make`` builds a fresh instance, for the start and for every restart.
    """

    agent_id: str
    make: Callable[[], Any]
    agent: Any
    form: Form
    votes: bool | None
    cadence_ns: int
    horizon_ns: int
    essential: bool
    interests: tuple[str, ...]
    agent_interests: tuple[str, ...]
    handle: AgentHandle | None = None
    clock: Clock | None = None
    rng: np.random.Generator | None = None
    context: Context | None = None
    last_due: int = -1
    seen_version: int = 0
    schema: Mapping[str, StateField] = field(default_factory=dict)
    drill: Drill | None = None
    portable: bool | None = None
    """Whether its memory can be kept and given back; None while nobody has tried."""
    kept: bytes | None = None
    """Its memory as :meth:`save` gave it to the bus last; None where it could not."""

    obedience: Obedience | None = None
    """Has calls end as a record says they did; None in every first run."""

    reads: Reads | None = None
    """Takes note of what it reads of the market, where somebody asks why; None in every run."""

    recipe: Recipe | None = None
    """How it is built elsewhere."""
    heard: int = 0
    """Number of the last signal it has acknowledged."""
    away: bool = False
    """Whether the agent lives in a process of its own; then ``agent`` is not what is called."""

    bus_schema: Mapping[str, Field] | None = field(init=False)

    def __post_init__(self) -> None:
        self.bus_schema = bus_schema(self.schema)
        if self.form is not Form.BLOCK or self.bus_schema is None:
            return
        # What others calculate with has to be sane, whatever the agent's own schema allows.
        if self.votes or self.kind == "oracle":
            self._within("forecast", 0.0, 1.0)
        if self.kind == "allocator":
            self._within("target", -LARGEST_WEIGHT, LARGEST_WEIGHT, nan_ok=False)

    def _within(self, name: str, low: float, high: float, *, nan_ok: bool = True) -> None:
        assert self.bus_schema is not None
        declared = self.bus_schema.get(name)
        if declared is not None:
            bounded = msgspec.structs.replace(
                declared,
                low=max(low, declared.low),
                high=min(high, declared.high),
                nan_ok=nan_ok and declared.nan_ok,
            )
            self.bus_schema = {**self.bus_schema, name: bounded}

    @property
    def kind(self) -> str:
        return str(getattr(self.agent, "kind", "agent"))

    def bind(
        self, handle: AgentHandle, clock: Clock, rng: np.random.Generator, context: Context
    ) -> None:
        self.handle, self.clock, self.rng, self.context = handle, clock, rng, context
        if not self.away:
            self._attach()

    def _attach(self) -> None:
        assert self.handle is not None
        assert self.clock is not None
        assert self.rng is not None
        assert self.context is not None
        if isinstance(self.agent, BaseAgent):
            self.agent.attach(self.handle, self.clock, self.rng, self.context)
        else:
            self.agent.syncbus = BusFacade(self.handle)

    def reborn(self, handle: AgentHandle, checkpoint: bytes | None) -> Handlers:
        """A new instance for a new incarnation, with what its checkpoint holds."""
        self.handle = handle
        self._own(self._remake, checkpoint)
        return self.handlers()

    def _remake(self, checkpoint: bytes | None) -> None:
        self.agent = self.make()
        self._attach()
        if checkpoint is not None and isinstance(self.agent, BaseAgent):
            self.agent.restore(checkpoint)

    def handlers(self) -> Handlers:
        if self.form is Form.BLOCK:
            return Handlers(on_signal=self._signal)
        call = self._tick if self.form is Form.TICK else self._guide_tick
        if self.drill is not None and self.drill.kind == "hang":
            return Handlers(on_tick=self._hanging_tick, on_signal=self._signal)
        return Handlers(on_tick=call, on_signal=self._signal)

    def _signal(self, command: Any) -> None:
        """Tell the agent; that it came back is its acknowledgement."""
        hook = getattr(self.agent, "on_signal", None)
        if hook is not None:
            self._own(hook, command)
        # One that was given over the bus itself has no number.
        self.heard = max(self.heard, command.params.get("number", 0))

    async def _hanging_tick(self, view: TickView) -> None:
        assert self.drill is not None
        if self.drill.strike(view.index):
            await self.drill.hang()
        if self.form is Form.TICK:
            self._tick(view)
        else:
            await self._guide_tick(view)

    def _strike(self, tick: int) -> None:
        """Fail on purpose, if a drill says so."""
        drill = self.drill
        if drill is not None and drill.kind != "hang" and drill.strike(tick):
            drill.misbehave(self.handle, self.schema)

    def _tick(self, view: TickView) -> None:
        self._strike(view.index)
        handle = self.handle
        assert handle is not None
        tick = Tick(
            ts=view.ts,
            row=view.row,
            market=self._seen(view.market, view.row),
            handle=handle,
            data_interests=self.interests,
            performance=view.performance if "performance" in self.interests else {},
            execution=view.execution if "execution" in self.interests else {},
        )
        handle.acknowledge()
        state = self._own(self.agent._analyze, tick)
        if state:
            handle.publish(state)

    async def _guide_tick(self, view: TickView) -> None:
        self._strike(view.index)
        assert self.context is not None
        assert self.handle is not None
        self.handle.acknowledge()  # what it asks for of others' states is as they are then
        market = self._seen(view.market, view.row)
        data: dict[str, Any] = dict(market.view(view.row, self.context.symbols))
        data["performance"] = view.performance
        data["execution"] = view.execution
        if self.obedience is None:
            await self.agent.process_market_update(data)
        else:
            await self.obedience.steps(self, partial(self.agent.process_market_update, data))

    def _own(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run the agent's own code, or what a record says became of it."""
        if self.obedience is None:
            return function(*args)
        return self.obedience.call(self, partial(function, *args))

    def _seen(self, market: CategorizedBlock, row: int) -> CategorizedBlock:
        return market if self.reads is None else self.reads.of(market, row)

    def evaluate(
        self,
        market: CategorizedBlock,
        others: Mapping[str, Mapping[str, Floats]],
        votes: Floats | None = None,
    ) -> dict[str, Floats]:
        """The block agent's arrays, checked against its schema; raises what the agent raises."""
        if self.drill is not None:
            first, ticks = market.market.index, len(market)
            if ticks == 1:
                self._strike(first)
            elif self.drill.reaches(first, ticks):
                raise self.drill.error()
        seen = self._seen(market, len(market) - 1)
        block = BlockInput(seen, self.interests, others, votes)
        return checked(self, self._own(self.agent._analyze, block), block)

    def evaluate_ahead(
        self,
        market: CategorizedBlock,
        others: Mapping[str, Mapping[str, Floats]],
        votes: Floats | None = None,
    ) -> dict[str, Floats]:
        """The same for a whole block ahead of the loop: values are checked as publishing would."""
        if self.obedience is not None:
            self.obedience.ahead(self, len(market))
        outputs = self.evaluate(market, others, votes)
        return freeze_block(self.agent_id, outputs, len(market), self.bus_schema)

    def memory(self) -> Memory | None:
        """What :meth:`put_back` needs; None where the agent's memory cannot be kept."""
        assert self.rng is not None
        if self.portable is False:
            return None
        try:
            held = self.agent.checkpoint()
            if held is not None and self.portable is None:
                self.agent.restore(held)
        except Exception:
            # A user's own way to remember: what is wrong with it is counted when it is saved.
            held = None
        self.portable = held is not None
        return None if held is None else Memory(held, self.rng.bit_generator.state)

    def put_back(self, memory: Memory) -> None:
        """Make the agent again what it was, its random numbers included."""
        assert self.rng is not None
        self.rng.bit_generator.state = memory.random
        self.agent.restore(memory.held)

    def evaluate_and_publish(
        self,
        market: CategorizedBlock,
        others: Mapping[str, Mapping[str, Floats]],
        votes: Floats | None = None,
    ) -> dict[str, Floats]:
        """One bar of a block agent, published as its state."""
        outputs = self.evaluate(market, others, votes)
        assert self.handle is not None
        self.handle.publish(
            {
                name: float(column[0]) if column.ndim == 1 else column[0]
                for name, column in outputs.items()
            }
        )
        return outputs

    def save(self) -> None:
        """Give the bus what a restart continues from."""
        self.kept = None
        if self.away:
            # It saves itself, where it is.
            return
        if isinstance(self.agent, BaseAgent) and self.handle is not None:
            memory = self.agent.checkpoint()
            if memory is not None:
                self.handle.save(memory)
                self.kept = memory

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`continued`, beside the memory, which the bus holds."""
        assert self.rng is not None
        return {
            "last_due": self.last_due,
            "seen_version": self.seen_version,
            "drill": None if self.drill is None else self.drill.left,
            "random": dict(self.rng.bit_generator.state),
        }

    def continued(self, state: Mapping[str, Any], handle: AgentHandle, *, alive: bool) -> None:
        """Become the agent again whose :meth:`checkpoint` this is, as a restart would.

        One that is down has no memory but what its restart will be given.
        """
        memory = handle.checkpoint if alive else None
        self.agent = self.make()
        self.handle = handle
        self._attach()
        if memory is not None:
            self.agent.restore(memory)
        assert self.rng is not None
        self.rng.bit_generator.state = state["random"]
        self.last_due, self.seen_version = state["last_due"], state["seen_version"]
        if self.drill is not None:
            self.drill.left = state["drill"]


def checked(member: Member, result: Any, block: BlockInput) -> dict[str, Floats]:
    """``result`` if it is what the schema declares; ValueError names the field that is not."""
    ticks, symbols = block.shape
    assert member.context is not None
    shapes = {
        "scalar": (ticks,),
        "symbols": (ticks, symbols),
        "voters": (ticks, len(member.context.voters)),
    }
    if not isinstance(result, Mapping):
        raise ValueError(
            f"{member.agent_id} returned a {type(result).__name__}, must be arrays by field name"
        )
    for name in result:
        if name not in member.schema:
            raise ValueError(f"{member.agent_id} wrote {name!r}, which it did not declare")
    for name, wanted in member.schema.items():
        column = result.get(name)
        if column is None:
            raise ValueError(f"{member.agent_id} left out {name!r}, which it declares")
        if not isinstance(column, np.ndarray):
            raise ValueError(
                f"{member.agent_id}.{name} was a {type(column).__name__}, "
                f"must be a float64 array {shapes[wanted.shape]}"
            )
        if column.shape != shapes[wanted.shape] or column.dtype != np.float64:
            raise ValueError(
                f"{member.agent_id}.{name} was {column.dtype} {column.shape}, "
                f"must be float64 {shapes[wanted.shape]}"
            )
    return dict(result)


def bus_schema(fields: Mapping[str, StateField]) -> dict[str, Field] | None:
    """An agent's schema in the bus's terms; None for an agent that declares none."""
    if not fields:
        return None
    types = {"scalar": "float", "symbols": "array", "voters": "array", "text": "str"}
    return {
        name: Field(
            type=types[f.shape],  # type: ignore[arg-type]
            unit=f.unit,
            low=f.low,
            high=f.high,
            nan_ok=f.missing,
        )
        for name, f in fields.items()
    }


def form_of(agent: Any) -> Form:
    """How an agent is to be called, by its class."""
    if isinstance(agent, BlockAgent):
        return Form.BLOCK
    if isinstance(agent, TickAgent):
        return Form.TICK
    return Form.GUIDE
