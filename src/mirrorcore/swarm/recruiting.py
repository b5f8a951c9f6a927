"""Which agents a configuration asks for, as members in the order in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from mirrorcore.agents.base import ORDER_PLANE_VIEWS
from mirrorcore.agents.roster import ROSTER
from mirrorcore.config.model import AgentEntry, RunConfig
from mirrorcore.errors import ConfigError
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.asking import ask_elsewhere
from mirrorcore.swarm.drills import Drill
from mirrorcore.swarm.members import Form, Member
from mirrorcore.swarm.recipes import Recipe, describe
from mirrorcore.syncbus import ALL

STANDARD = (
    "DataSentry",
    "MomentumScout",
    "MeanReverter",
    "VolatilitySeer",
    "SentimentEar",
    "ChainWatcher",
    "MacroWatcher",
    "FlowReader",
    "FundamentalSage",
    "PairsArb",
    "RegimeOracle",
    "OracleEngine",
    "Allocator",
    "EgoProcessor",
    "FearAnalyzer",
    "GreedSensor",
    "RiskSentinel",
    "SelfAwarenessAgent",
    "ArchCtrl",
    "DecisionMirror",
    "ExecutionDaemon",
    "TradeAnalyst",
)
"""The preset of the same name, in the order of a tick: whoever reads others comes after them."""

ESSENTIAL = ("OracleEngine", "Allocator")
"""Without them there is nothing to trade on: when one fails for good, trading stops."""


def recruit(
    config: RunConfig, without: Sequence[str] = (), *, processes: bool = False
) -> list[Member]:
    """The members of the swarm; ConfigError names an agent that cannot be had.

    With ``processes`` those with ``isolation = "process"`` are not built here but asked elsewhere.
    """
    wanted = _entries(config)
    left_out = (*config.agents.without, *without)
    for name in left_out:
        if name not in wanted:
            raise ConfigError(
                f"there is no agent {name!r} to leave out", hint=_meant(name, list(wanted))
            )
    members = [
        _member(agent_id, entry, config, processes=processes)
        for agent_id, entry in wanted.items()
        if agent_id not in left_out
    ]
    _check_interests(config, members, left_out)
    for fault in config.faults:
        _drill(members, fault.agent, Drill(fault.agent, fault.at, fault.kind, fault.count))
    return in_reading_order(members)


def _check_interests(config: RunConfig, members: Sequence[Member], left_out: Sequence[str]) -> None:
    """ConfigError for an interest that names nothing there is, or was before it was left out."""
    known = [
        *CATEGORIES,
        *ORDER_PLANE_VIEWS,
        ALL,
        *(member.agent_id for member in members),
        *(member.kind for member in members),
        *left_out,
    ]
    for entry in config.agent:
        for name in entry.interests or ():
            if name not in known:
                raise ConfigError(
                    f"agent {entry.id!r} is interested in {name!r}, which is neither a category, "
                    "a view nor an agent",
                    hint=_meant(name, list(dict.fromkeys(known))),
                )


def _entries(config: RunConfig) -> dict[str, AgentEntry | None]:
    """Agent ids with the entry that describes them; None for the preset's own."""
    wanted: dict[str, AgentEntry | None] = {}
    if config.agents.preset == "standard":
        wanted.update(dict.fromkeys(STANDARD))
    for entry in config.agent:
        wanted[entry.id] = entry
    if not wanted:
        raise ConfigError(
            "the swarm has no agents",
            hint='set agents.preset = "standard" or add [[agent]] entries',
        )
    return wanted


def _member(
    agent_id: str, entry: AgentEntry | None, config: RunConfig, *, processes: bool
) -> Member:
    recipe = _recipe(agent_id, entry, config)
    isolated = entry is not None and entry.isolation == "process"
    if isolated and processes:
        # Not even its module is run in here.
        told = ask_elsewhere(recipe)
        make: Callable[[], Any] = partial(_not_here, agent_id)
        agent: Any = told
    else:
        make = recipe.maker()
        agent = make()
        told = describe(agent_id, agent)
    if isolated and told.form is Form.BLOCK:
        raise ConfigError(
            f"agent {agent_id!r} computes in blocks, which needs the market at hand, and cannot "
            "have a process of its own",
            hint='leave isolation at "loop", or write it as a TickAgent',
        )
    interests = told.data_interests
    if entry is not None and entry.interests is not None:
        interests = tuple(entry.interests)
    return Member(
        agent_id=agent_id,
        make=make,
        agent=agent,
        form=told.form,
        votes=told.votes,
        cadence_ns=_setting(entry, "cadence", told.cadence_ns),
        horizon_ns=_setting(entry, "horizon", told.horizon_ns),
        essential=agent_id in ESSENTIAL or bool(entry and entry.essential),
        interests=tuple(i for i in interests if i in (*CATEGORIES, *ORDER_PLANE_VIEWS)),
        agent_interests=(
            *told.agent_interests,
            *(i for i in interests if i not in (*CATEGORIES, *ORDER_PLANE_VIEWS)),
        ),
        schema=told.schema,
        recipe=recipe,
        away=isolated and processes,
    )


def _not_here(agent_id: str) -> Any:
    raise RuntimeError(f"agent {agent_id!r} is built in its own process alone")


def _recipe(agent_id: str, entry: AgentEntry | None, config: RunConfig) -> Recipe:
    params: dict[str, Any] = dict(entry.params) if entry else {}
    interests = None if entry is None or entry.interests is None else tuple(entry.interests)
    if entry is not None and entry.file is not None:
        file, class_name = str(entry.file), entry.class_name
        return Recipe(agent_id, agent_id, file, class_name, params, interests)
    kind = (entry.type if entry else None) or agent_id
    if kind not in ROSTER:
        raise ConfigError(
            f"agent {agent_id!r}: there is no agent type {kind!r} in the roster",
            hint=_meant(kind, list(ROSTER)) + '; an agent of your own needs file = "..."',
        )
    params = {**_fusion_params(kind, config), **params}
    return Recipe(agent_id, kind, None, None, params, interests)


def planned(limit: float) -> float:
    """How much of a hard limit is planned for: limits bite on what markets do, not on plans."""
    return 0.9 * limit


def _fusion_params(kind: str, config: RunConfig) -> dict[str, Any]:
    """What ``[fusion]`` says to the two agents that fuse and size."""
    from mirrorcore.clock import format_duration

    fusion, risk = config.fusion, config.risk
    if kind == "OracleEngine":
        return {
            "half_life": format_duration(fusion.half_life),
            "short_half_life": format_duration(fusion.short_half_life),
            "change": format_duration(fusion.change),
            "ridge_days": fusion.ridge_days,
            "refit": format_duration(fusion.refit),
            "residual": fusion.residual,
            "smoothing": format_duration(fusion.smoothing) if fusion.smoothing else "0s",
        }
    if kind == "Allocator":
        return {
            "factor_share": fusion.factor_share,
            "band": fusion.band,
            "clip": fusion.clip,
            "symbol_cap": planned(risk.per_symbol),
            "gross_cap": planned(risk.gross),
        }
    return {}


def _setting(entry: AgentEntry | None, name: str, own: int) -> int:
    configured = getattr(entry, name) if entry else None
    return own if configured is None else int(configured)


def _drill(members: Sequence[Member], agent_id: str, drill: Drill) -> None:
    member = next((m for m in members if m.agent_id == agent_id), None)
    if member is None:
        raise ConfigError(
            f"[[faults]]: there is no agent {agent_id!r}",
            hint=_meant(agent_id, [m.agent_id for m in members]),
        )
    if drill.kind == "hang" and member.form is Form.BLOCK:
        raise ConfigError(
            f"[[faults]]: {agent_id} computes in blocks and cannot be made to hang",
            hint='use kind = "raise"',
        )
    member.drill = drill


def in_reading_order(members: Sequence[Member]) -> list[Member]:
    """Block agents after those they read, otherwise in the given order.

    ConfigError when two of them read each other, or one reads an agent that works tick by tick.
    """
    by_id = {m.agent_id: m for m in members}
    ordered: dict[str, Member] = {}

    def place(member: Member, path: tuple[str, ...]) -> None:
        if member.agent_id in ordered:
            return
        if member.agent_id in path:
            raise ConfigError(
                f"block agents read each other in a circle: {' → '.join((*path, member.agent_id))}",
                hint="one of them has to be an agent that works tick by tick",
            )
        for name in member.agent_interests if member.form is Form.BLOCK else ():
            other = by_id.get(name)
            if other is None:
                continue
            if other.form is not Form.BLOCK and name in ESSENTIAL:
                # Somebody's own agent in the place of ours: its reader will have nothing to read.
                continue
            if other.form is not Form.BLOCK:
                raise ConfigError(
                    f"{member.agent_id} computes in blocks and cannot read {name}, which works "
                    "tick by tick",
                    hint="make it an agent that works tick by tick",
                )
            place(other, (*path, member.agent_id))
        ordered[member.agent_id] = member

    for member in members:
        place(member, ())
    return list(ordered.values())


def _meant(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else "known are: " + ", ".join(sorted(known))
