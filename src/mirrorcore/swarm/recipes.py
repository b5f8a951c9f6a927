"""How an agent is built, wherever it is to live, and what it then says of itself.

A recipe is plain data, so that it can be followed in another process; a description is what comes
back where the agent itself stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from mirrorcore.agents.base import BaseAgent, StateField
from mirrorcore.agents.roster import construct, load_agent_class, parameters
from mirrorcore.errors import ConfigError
from mirrorcore.swarm.members import Form, form_of

BELIEFS = ("log_volatility", "trend")
"""What an agent may declare to believe about the market."""


class Recipe(msgspec.Struct, frozen=True):
    """An agent of the roster (``kind``), or the class in a ``file`` of the user's own.

    ``interests`` are those of its ``[[agent]]`` entry, None where it has none.
    """

    agent_id: str
    kind: str
    file: str | None
    class_name: str | None
    params: Mapping[str, Any]
    interests: tuple[str, ...] | None

    def maker(self) -> Callable[[], Any]:
        """What builds a fresh instance at each call; ConfigError where there is no such class."""
        if self.file is None:
            return lambda: construct(self.kind, self.agent_id, self.params)
        cls = load_agent_class(Path(self.file), self.class_name)
        return lambda: self._built(cls)

    def _built(self, cls: type) -> Any:
        """A user's agent, as the guide constructs it: id, interests, then its own parameters."""
        agent_id, params = self.agent_id, self.params
        interests = None if self.interests is None else list(self.interests)
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
                f"agent {agent_id!r}: {cls.__name__} cannot be built: "
                f"{type(error).__name__}: {error}",
                hint="it is called with its id, with the interests of its [[agent]] entry if there "
                "are any, and with params by name",
            ) from error


class Description(msgspec.Struct, frozen=True):
    """What the swarm has to know of an agent: its form, its schema, its own settings."""

    form: Form
    kind: str
    votes: bool | None
    cadence_ns: int
    horizon_ns: int
    data_interests: tuple[str, ...]
    agent_interests: tuple[str, ...]
    schema: Mapping[str, StateField]
    acts_with: tuple[str, ...] = ()
    believes: Mapping[str, Mapping[str, float]] = {}


def describe(agent_id: str, agent: Any) -> Description:
    """ConfigError where what its class declares contradicts itself."""
    schema = _schema(agent_id, agent)
    return Description(
        form=form_of(agent),
        kind=str(getattr(agent, "kind", "agent")),
        votes=_declared_vote(agent_id, agent, schema),
        cadence_ns=int(getattr(agent, "cadence_ns", 0)),
        horizon_ns=int(getattr(agent, "horizon_ns", 0)),
        data_interests=tuple(getattr(agent, "data_interests", ())),
        agent_interests=tuple(getattr(agent, "agent_interests", ())),
        schema=schema,
        acts_with=tuple(getattr(agent, "acts_with", ())),
        believes=_believed(agent_id, agent, schema),
    )


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


def _believed(
    agent_id: str, agent: Any, schema: Mapping[str, StateField]
) -> Mapping[str, Mapping[str, float]]:
    """What its class declares to believe about the market, of fields that it publishes."""
    declared = getattr(type(agent), "believes", {})
    named = isinstance(declared, Mapping) and all(isinstance(f, Mapping) for f in declared.values())
    if not named or not set(declared) <= set(BELIEFS):
        raise ConfigError(
            f"agent {agent_id!r}: the class's believes is {declared!r}",
            hint='a mapping such as {"log_volatility": {"field": weight}}, or "trend", or both',
        )
    fields = [field for thing in declared.values() for field in thing]
    unknown = [field for field in fields if schema and field not in schema]
    if unknown:
        raise ConfigError(
            f"agent {agent_id!r} believes by {', '.join(unknown)}, which it does not publish",
            hint="name fields of its state: " + ", ".join(schema),
        )
    return {thing: dict(fields) for thing, fields in declared.items()}


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
    if wrong:
        return {}
    return {
        str(name): replace(entry, low=float(entry.low), high=float(entry.high))
        for name, entry in declared.items()
    }


def is_ours(agent: Any) -> bool:
    """Whether the agent is built on :class:`BaseAgent`; a guide reader may bring its own class."""
    return isinstance(agent, BaseAgent)
