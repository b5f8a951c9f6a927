"""Puts a swarm together: bus, agents, order plane and views, from a configuration and a market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.agents.base import Context, ReadOnlyList
from mirrorcore.clock import HOUR, Clock, ReadOnlyClock, VirtualClock
from mirrorcore.config.model import RunConfig
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.market.features.engine import FeatureEngine
from mirrorcore.market.instruments import Instrument
from mirrorcore.swarm.alarms import Alarms
from mirrorcore.swarm.analysis import Analysis
from mirrorcore.swarm.away import generator, process_of
from mirrorcore.swarm.digests import RunDigests
from mirrorcore.swarm.engine import Parts
from mirrorcore.swarm.gate import GateFollower
from mirrorcore.swarm.members import Form, Member
from mirrorcore.swarm.recruiting import planned, recruit
from mirrorcore.swarm.scoreboard import Scoreboard
from mirrorcore.swarm.ungated import UngatedBook
from mirrorcore.swarm.views import Views
from mirrorcore.swarm.voter_books import VoterBooks
from mirrorcore.swarm.votes import Ballot
from mirrorcore.syncbus import AgentPolicy, Handlers, SyncBus
from mirrorcore.trading.costs import CostModel
from mirrorcore.trading.gateway import Gateway
from mirrorcore.trading.ledger import Ledger
from mirrorcore.trading.limit_config import LimitConfig
from mirrorcore.trading.limits import Limits
from mirrorcore.trading.path import OrderPath
from mirrorcore.trading.venue import SimulatedVenue

_GATE_PATIENCE = 3
"""A gate is silent after so many of its cadences without a word."""


Witness = Callable[[str, int, Mapping[str, Any]], None]
"""Told of a published delta: by whom, when, what."""


@dataclass(slots=True)
class Swarm:
    """An assembled swarm, ready for an engine."""

    config: RunConfig
    source: HistorySource
    parts: Parts
    digests: RunDigests
    members: Sequence[Member]
    context: Context
    alarms: Alarms
    witnesses: list[Witness] = field(default_factory=list)
    """Told of every published delta, after the digests."""

    def undecided(self) -> list[str]:
        """Kinds of deciding agents that nobody in the swarm can stand in for."""
        return [kind for kind in DECIDERS if role_of(self.members, kind) is None]


def assemble(
    config: RunConfig,
    source: HistorySource,
    run_id: str,
    *,
    without: Sequence[str] = (),
    cuts: Sequence[int] = (),
    processes: bool = False,
) -> Swarm:
    """Build every part and hand each agent what it may touch.

    ``cuts`` are instants at which the digests are kept as well. With ``processes`` the agents that
    are to have a process of their own get it; without, as in replay of history, they run here.
    Raises ConfigError for what cannot be built, before anything has run.
    """
    members = recruit(config, without, processes=processes)
    clock = VirtualClock()
    bus = SyncBus(
        clock,
        seed=config.seed,
        admission="tick",
        processes=processes,
        # What nobody may miss has failed: positions may shrink from here on, not grow.
        on_escalation=lambda agent_id: path.gateway.reduce(
            f"{agent_id}, which is essential, has failed for good", ts=clock.now()
        ),
    )
    costs = CostModel(config.costs.fee_bps, config.costs.slippage_bps)
    voters = [m.agent_id for m in members if m.votes]
    context = Context(
        symbols=source.symbols,
        bar_ns=source.bar_ns,
        voters=ReadOnlyList(voters),
        volatility_target=config.risk.volatility_target,
        drawdown_limit=config.risk.drawdown,
        cost_per_side=costs.rate,
    )
    venue = SimulatedVenue(source.instruments, costs, config.costs.participation)
    # The end of a run's id tells runs apart, its beginning is the day.
    path = _order_path(config, source.instruments, venue, run_id[-8:])
    digests = RunDigests(cuts)
    views = _views(bus, members, context, path)
    for member in members:
        _enlist(bus, ReadOnlyClock(clock), member, context, config.seed, digests)
    analysis = _analysis(config, bus, members, context, costs)
    gate_agent = _first_of_kind(members, "arch_ctrl", "ArchCtrl")
    gate = _gate(gate_agent)
    watchman = _first_of_kind(members, "self_awareness", "SelfAwarenessAgent")
    alarms = Alarms(_id_of(watchman))
    witnesses: list[Witness] = []
    bus.on_publish(_witness(digests, gate, _id_of(gate_agent), alarms, witnesses))
    parts = Parts(
        bus=bus,
        clock=clock,
        features=FeatureEngine(len(source.symbols), source.bar_ns),
        analysis=analysis,
        path=path,
        venue=venue,
        gate=gate,
        views=views,
        members=members,
        voters=voters,
        stale_ns=config.risk.stale_after * source.bar_ns,
        gate_agent=gate_agent.agent_id if gate_agent else None,
        fear_agent=_id_of(_first_of_kind(members, "fear_analyzer", "FearAnalyzer")),
        ego_agent=_id_of(_first_of_kind(members, "ego_processor", "EgoProcessor")),
    )
    return Swarm(config, source, parts, digests, members, context, alarms, witnesses)


def _gate(agent: Member | None) -> GateFollower:
    return GateFollower(
        watched=agent is not None,
        patience_ns=_GATE_PATIENCE * max(agent.cadence_ns if agent else 0, HOUR),
        # Rows of a block become state without being published one by one.
        every_tick=agent is not None and agent.form is Form.BLOCK,
    )


def _witness(
    digests: RunDigests,
    gate: GateFollower,
    gate_agent: str | None,
    alarms: Alarms,
    others: Sequence[Witness],
) -> Witness:
    """Sees every published delta: the digests take all, gate and alarms what is theirs."""

    def witness(source: str, ts: int, delta: Mapping[str, Any]) -> None:
        digests.state(source, ts, delta)
        if source == gate_agent:
            gate.stir()
        elif source == alarms.source:
            alarms.heard(ts, delta)
        for other in others:
            other(source, ts, delta)

    return witness


def _enlist(
    bus: SyncBus,
    clock: Clock,
    member: Member,
    context: Context,
    seed: int,
    digests: RunDigests,
) -> None:
    """Register an agent on the bus and attach it."""
    handlers = Handlers() if member.away else member.handlers()
    handle = bus.register(
        member.agent_id,
        kind=member.kind,
        interests=member.agent_interests,
        on_tick=handlers.on_tick,
        on_signal=handlers.on_signal,
        schema=member.bus_schema,
        policy=AgentPolicy(cadence_ns=max(member.cadence_ns, context.bar_ns)),
        factory=member.reborn,
        essential=member.essential,
        isolation="process" if member.away else "loop",
        process=process_of(member, context, seed),
    )
    member.bind(handle, clock, generator(seed, member.agent_id), context)
    digests.register(member.agent_id, named=not member.schema)


def _order_path(
    config: RunConfig, instruments: Sequence[Instrument], venue: SimulatedVenue, run_id: str
) -> OrderPath:
    risk = config.risk
    limits = LimitConfig(
        gross=risk.gross,
        net=risk.net,
        per_symbol=risk.per_symbol,
        daily_loss=risk.daily_loss,
        drawdown=risk.drawdown,
        order_rate=risk.orders_per_minute,
        price_collar=risk.price_collar,
        stale_bars=float(risk.stale_after),
    )
    return OrderPath(
        run_id,
        Ledger(instruments, config.account.balance, config.account.currency),
        venue,
        Limits(limits),
        Gateway(),
    )


def _views(bus: SyncBus, members: Sequence[Member], context: Context, path: OrderPath) -> Views:
    interested = {
        name: [m.agent_id for m in members if name in m.interests]
        for name in ("performance", "execution")
    }
    return Views(
        context,
        path,
        bus.open_source("performance", kind="view"),
        bus.open_source("execution", kind="view"),
        interested,
    )


def _analysis(
    config: RunConfig, bus: SyncBus, members: Sequence[Member], context: Context, costs: CostModel
) -> Analysis:
    oracle, allocator = (role_of(members, kind) for kind in DECIDERS)
    symbols = len(context.symbols)
    books = VoterBooks(
        symbols,
        context.bar_ns,
        context.volatility_target,
        costs.rate,
        smoothing_ns=config.fusion.smoothing,
        band=config.fusion.band,
        symbol_cap=planned(config.risk.per_symbol),
    )
    voters = [m for m in members if m.votes]
    books.admit(len(voters))
    # The fused forecast is scored as the first, over one bar.
    scoreboard = Scoreboard([1, *(context.bars(m.horizon_ns) for m in voters)], symbols)
    ballot = Ballot(context.symbols)
    for member in voters:
        fading = context.bars(member.horizon_ns) * context.bar_ns
        ballot.admit(member.agent_id, member.cadence_ns, fading)
    return Analysis(
        bus,
        context,
        [m for m in members if m.form is Form.BLOCK and m not in (oracle, allocator)],
        oracle,
        allocator,
        ballot,
        scoreboard,
        books,
        UngatedBook(symbols, costs.rate, context.bars(24 * HOUR)),
        tick_voters=any(m.form is not Form.BLOCK and m.votes is not False for m in members),
    )


DECIDERS: Mapping[str, frozenset[str]] = {
    "oracle": frozenset({"forecast", "weights"}),
    "allocator": frozenset({"target"}),
}
"""Kinds of the two agents that decide, with the fields that are read of them."""


def role_of(members: Sequence[Member], kind: str) -> Member | None:
    """The agent that fuses, or sizes: one in block form that publishes what is needed."""
    return next(
        (
            m
            for m in members
            if m.kind == kind and m.form is Form.BLOCK and DECIDERS[kind] <= m.schema.keys()
        ),
        None,
    )


def _first_of_kind(members: Sequence[Member], kind: str, standard: str) -> Member | None:
    """The agent of this kind, or somebody's own in the place of the standard one."""
    return next((m for m in members if m.kind == kind or m.agent_id == standard), None)


def _id_of(member: Member | None) -> str | None:
    return member.agent_id if member else None
