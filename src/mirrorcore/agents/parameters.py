"""Checks of agents' parameters, each with an error that says which value was wrong and why."""

from __future__ import annotations

import math
from typing import Annotated

from mirrorcore.clock import parse_duration
from mirrorcore.errors import ConfigError

Duration = Annotated[str | int, "duration"]
"""A length of time: text such as ``"12h"``, or nanoseconds from Python."""


def duration(value: Duration, name: str) -> int:
    """``value`` in nanoseconds, above 0; ConfigError names the parameter."""
    try:
        ns = parse_duration(value) if isinstance(value, str) else int(value)
    except ValueError as error:
        raise ConfigError(f"{name} {error}", hint=f'write {name} = "12h"') from None
    if ns <= 0:
        raise ConfigError(f"{name} was {value!r}, must be longer than 0")
    return ns


def positive(value: float, name: str) -> float:
    """A finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} was {value!r}, must be a finite number above 0")
    return float(value)


def within(value: float, low: float, high: float, name: str) -> float:
    """A number in [low, high]."""
    if not low <= value <= high:
        raise ConfigError(f"{name} was {value!r}, must lie between {low:g} and {high:g}")
    return float(value)
