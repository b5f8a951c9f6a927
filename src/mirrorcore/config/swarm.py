"""Settings of the swarm itself: who is in it, how votes become targets, drills."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mirrorcore.clock import DAY, HOUR
from mirrorcore.config.quantities import Delay, Duration, Location, Names, Params
from mirrorcore.config.section import IDENTIFIER, Section, setting


class AgentsConfig(Section):
    """``[agents]``: the roster to start from."""

    preset: Literal["standard", "none"] = setting(
        "standard", "standard is the whole roster, none leaves only the [[agent]] entries"
    )
    without: Names = setting((), "agents of the preset to leave out, for ablations")


class AgentEntry(Section):
    """``[[agent]]``: one agent more, or another setting for one of the preset."""

    id: str = setting(
        ..., "its name in the swarm; one of the preset's replaces it", pattern=IDENTIFIER
    )
    type: str | None = setting(
        None,
        "which agent of the roster it is",
        unset="the one in file, else the preset's agent of that id",
        min_length=1,
    )
    file: Location | None = setting(
        None, "Python file with an agent of your own", unset="none: type says", location=True
    )
    class_name: str | None = Field(
        None,
        alias="class",
        description="class of the agent within file",
        json_schema_extra={"unset": "the only agent there", "location": False},
        min_length=1,
    )
    params: Params = setting({}, "what the agent itself can be told")
    cadence: Duration | None = setting(
        None, "how often it is called, in market time", unset="the agent's own"
    )
    horizon: Duration | None = setting(None, "how far ahead it forecasts", unset="the agent's own")
    essential: bool = setting(
        False, "whether trading stops when it fails for good; most agents can be missed"
    )
    isolation: Literal["loop", "process"] = setting(
        "loop",
        "process gives it a process of its own in paper, for what computes long or is not trusted",
    )
    interests: Names | None = setting(
        None, "market categories, views and agents it reads", unset="the agent's own"
    )


class FusionConfig(Section):
    """``[fusion]``: how votes become one forecast, and forecasts targets."""

    half_life: Duration = setting(
        365 * DAY, "memory of who was right; trust needs months of it, a year ranks best"
    )
    short_half_life: Duration = setting(
        30 * DAY, "a second memory beside it, which sees sooner that skill has moved"
    )
    change: Duration = setting(
        30 * DAY,
        "time within which one change of skill is expected: the shorter, the sooner the short "
        "memory is believed, and the more of luck with it",
    )
    ridge_days: float = setting(
        100.0,
        "pull of the weights towards none, in days of one symbol's evidence, so that it means the "
        "same on every timeframe; recovers most of a planted skill",
        ge=0,
        le=1e9,
    )
    refit: Duration = setting(
        4 * HOUR, "how often the weights are solved again; a memory of months moves slowly"
    )
    residual: bool = setting(
        True,
        "forecast the residual to the cross-section (3 symbols or more): the common factor is most "
        "of the variance and drowns all else",
    )
    factor_share: float = setting(
        0.25, "size of the separate bet on the common factor, against the residual one", ge=0, le=1
    )
    smoothing: Delay = setting(
        4 * HOUR,
        "half-life of the targets where a side costs 5 bp, growing with the root of the cost; "
        "without it costs eat the forecast",
    )
    band: float = setting(
        1.0,
        "half-width of the no-trade band where a side costs 5 bp, in typical positions, growing "
        "with the cube root of the cost",
        ge=0,
        le=100,
    )
    clip: float = setting(
        2.5,
        "largest position, in typical ones; rare large forecasts are mostly wrong",
        gt=0,
    )


class FaultConfig(Section):
    """``[[faults]]``: a fault made on purpose, for drills."""

    agent: str = setting(..., "agent that fails", min_length=1)
    at: int = setting(..., "tick at which it begins", ge=0)
    kind: Literal["raise", "hang", "nan", "flood", "undeclared"] = setting(
        "raise",
        "raise an error, never return, answer NaN, flood the bus, or write a field not declared",
    )
    count: int = setting(1, "how many calls in a row are hit; one shows a recovery", ge=1)
