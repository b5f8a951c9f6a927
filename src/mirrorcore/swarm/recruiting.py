"""Which agents a configuration asks for, as members in the order in which they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mirrorcore.agents.base import ORDER_PLANE_VIEWS, BaseAgent, StateField
from mirrorcore.agents.roster import ROSTER, construct, load_agent_class, parameters
from mirrorcore.config.model import AgentEntry, RunConfig
from mirrorcore.errors import ConfigError
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.drills import Drill
from mirrorcore.swarm.members import Form, Member, form_of
from mirrorcore.syncbus import ALL

STANDARD = (
    "DataSentry",
    "MomentumScout",
    "MeanReverter",
    "VolatilitySeer",
    "SentimentEar",
    "ChainWatcher",
    "OracleEngine",
    "Allocator",
    "EgoProcessor",
    "FearAnalyzer",
    "RiskSentinel",
    "SelfAwarenessAgent",
    "ArchCtrl",
    "ExecutionDaemon",
    "TradeAnalyst",
)
"""The preset of the same name, in the order of a tick: whoever reads others comes after them."""

ESSENTIAL = ("OracleEngine", "Allocator")
"""Without them there is nothing to trade on: when one fails for good, trading stops."""


def recruit(config: RunConfig, without: Sequence[str] = ()) -> list[Member]:
    """The members of the swarm; ConfigError names an agent that cannot be had."""
    wanted = _entries(config)
    left_out = (*config.agents.without, *without)
    for name in left_out:
        if name not in wanted:
            raise ConfigError(
                f"there is no agent {name!r} to leave out", hint=_meant(name, list(wanted))
            )
    members = [
        _member(agent_id, entry, config)
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


def _member(agent_id: str, entry: AgentEntry | None, config: RunConfig) -> Member:
    make = _maker(agent_id, entry, config)
    agent = make()
    interests = _interests(agent, entry)
    schema = _schema(agent_id, agent)
    return Member(
        agent_id=agent_id,
        make=make,
        agent=agent,
        form=form_of(agent),
        votes=_declared_vote(agent_id, agent, schema),
        cadence_ns=_setting(entry, "cadence", agent, "cadence_ns"),
        horizon_ns=_setting(entry, "horizon", agent, "horizon_ns"),
        essential=agent_id in ESSENTIAL or bool(entry and entry.essential),
        interests=tuple(i for i in interests if i in (*CATEGORIES, *ORDER_PLANE_VIEWS)),
        agent_interests=(
            *getattr(agent, "agent_interests", ()),
            *(i for i in interests if i not in (*CATEGORIES, *ORDER_PLANE_VIEWS)),
        ),
        schema=schema,
    )


def _maker(agent_id: str, entry: AgentEntry | None, config: RunConfig) -> Callable[[], Any]:
    params: dict[str, Any] = dict(entry.params) if entry else {}
    if entry is not None and entry.file is not None:
        cls = load_agent_class(entry.file, entry.class_name)
        return lambda: _built(cls, agent_id, entry, params)
    kind = (entry.type if entry else None) or agent_id
    if kind not in ROSTER:
        raise ConfigError(
            f"agent {agent_id!r}: there is no agent type {kind!r} in the roster",
            hint=_meant(kind, list(ROSTER)) + '; an agent of your own needs file = "..."',
        )
    params = {**_fusion_params(kind, config), **params}
    return lambda: construct(kind, agent_id, params)


def _built(cls: type, agent_id: str, entry: AgentEntry, params: Mapping[str, Any]) -> Any:
    """A user's agent, as the guide constructs it: id, interests, then its own parameters."""
    interests = None if entry.interests is None else list(entry.interests)
    if issubclass(cls, BaseAgent) and "data_interests" not in parameters(cls) and not interests:
        return construct(cls, agent_id, params)
    given: tuple[Any, ...] = () if interests is None else (interests,)
    try:
        return cls(agent_id, *given, **params)
    except ConfigError as error:
        raise ConfigError(
            f"agent {agent_id!r} ({cls.__name__}): {error.message}", hint=error.hint
        ) from error
    except (Exception, SystemExit) as error:  # a user's constructor may raise anything
        raise ConfigError(
            f"agent {agent_id!r}: {cls.__name__} cannot be built: {type(error).__name__}: {error}",
            hint="it is called with its id, with the interests of its [[agent]] entry if there "
            "are any, and with params by name",
        ) from error


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


def _declared_vote(agent_id: str, agent: Any, schema: Mapping[str, StateField]) -> bool | None:
    """Whether its class says that it votes; an instance's own field of that name says nothing."""
    declared = getattr(type(agent), "votes", None)
    votes = declared if isinstance(declared, bool) else None
    if form_of(agent) is not Form.BLOCK:
        return votes
    forecast = schema.get("forecast")
    if votes and (forecast is None or forecast.shape != "symbols"):
        raise ConfigError(
            f"agent {agent_id!r} votes, and its state declares no forecast for each symbol",
            hint='add "forecast": StateField("vote", "probability", 0, 1, "symbols", True)',
        )
    # One in blocks says beforehand what it publishes: with a forecast it votes unless it denies it.
    return votes if votes is not None else forecast is not None and forecast.shape == "symbols"


def _schema(agent_id: str, agent: Any) -> Mapping[str, StateField]:
    """The schema its class declares; an own attribute ``state`` is the agent's affair."""
    declared = getattr(type(agent), "state", None)
    if not isinstance(declared, Mapping):
        return {}
    wrong = [name for name, entry in declared.items() if not isinstance(entry, StateField)]
    if wrong and is_ours(agent):
        raise ConfigError(
            f"agent {agent_id!r}: the class's state declares {', '.join(map(str, wrong))} as "
            "something else than a StateField",
            hint="write StateField(doc, unit, low, high), or leave the schema out",
        )
    return {} if wrong else declared


def _interests(agent: Any, entry: AgentEntry | None) -> tuple[str, ...]:
    if entry is not None and entry.interests is not None:
        return tuple(entry.interests)
    return tuple(getattr(agent, "data_interests", ()))


def _setting(entry: AgentEntry | None, name: str, agent: Any, attribute: str) -> int:
    configured = getattr(entry, name) if entry else None
    return int(configured if configured is not None else getattr(agent, attribute, 0))


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


def is_ours(agent: Any) -> bool:
    """Whether the agent is built on :class:`BaseAgent`; a guide reader may bring its own class."""
    return isinstance(agent, BaseAgent)
