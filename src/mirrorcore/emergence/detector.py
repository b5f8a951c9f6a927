"""What every detector has in common: how it is built, fed and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mirrorcore.emergence.finding import Finding
from mirrorcore.errors import UsageError

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
"""Numbers of ticks, agents or tasks."""

Flags = npt.NDArray[np.bool_]

BUDGET = 0.05
"""Expected false findings of one type in ``HORIZON`` ticks, at most."""

HORIZON = 10_000
"""Ticks the budget is for."""

_FLOAT = np.dtype(np.float64)


class Detector(Protocol):
    """Fed one tick at a time; a finding rests on the ticks given so far and nothing else."""

    def __init__(self, static: Mapping[str, Any]) -> None: ...

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes, mostly none. Raises UsageError on a bad tick."""
        ...


class TickReader:
    """Takes arrays out of a tick and says precisely what is wrong with one that does not fit.

    A size that is not known beforehand, such as the number of agents, is learned from the first
    tick and holds from then on.
    """

    def __init__(self, detector: str, sizes: Mapping[str, int] | None = None) -> None:
        self._detector = detector
        self._sizes: dict[str, int] = dict(sizes or {})
        self._shapes: dict[tuple[str, ...], tuple[int, ...]] = {}

    def number(self, tick: Mapping[str, Any], key: str) -> float:
        """A finite number. Raises UsageError otherwise."""
        value = tick.get(key)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        return float(self._finite(tick, key, ()))

    def array(self, tick: Mapping[str, Any], key: str, *axes: str) -> Array:
        """A finite array with one axis a name. Raises UsageError otherwise."""
        value = tick.get(key)
        # Nearly every tick is as the one before. The sum of squares is finite only if all are.
        if (
            isinstance(value, np.ndarray)
            and value.dtype is _FLOAT
            and value.shape == self._shapes.get(axes)
            and math.isfinite(np.vdot(value, value))
        ):
            return value
        value = self._finite(tick, key, axes)
        self._shapes[axes] = value.shape
        return value

    def _finite(self, tick: Mapping[str, Any], key: str, axes: tuple[str, ...]) -> Array:
        where = f"{self._detector}: tick[{key!r}]"
        if key not in tick:
            raise UsageError(f"{where} is missing", hint="give every key of this detector's table")
        try:
            value: Array = np.asarray(tick[key], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{where} is not numeric: {error}", hint="give numbers or an array of them"
            ) from error
        if value.ndim != len(axes):
            raise UsageError(
                f"{where} has {value.ndim} dimensions instead of {len(axes)}",
                hint=f"its axes are ({', '.join(axes)})" if axes else "give one number",
            )
        for axis, size in zip(axes, value.shape, strict=True):
            known = self._sizes.setdefault(axis, size)
            if size != known:
                raise UsageError(
                    f"{where} has {size} {axis} instead of {known}",
                    hint="the number may not change; build a new detector for another swarm",
                )
        if not np.isfinite(value).all():
            raise UsageError(
                f"{where} holds a value that is not finite",
                hint="leave the tick out, or give the last known value",
            )
        return value


def family_of(static: Mapping[str, Any]) -> int:
    """How many detectors of this type share the budget, as one a symbol: ``static["family"]``.

    Each of F asks for F times the evidence and tells an F-th of it, so that what it says holds for
    all of them together. By default there is one.
    """
    return int(static.get("family", 1))


def static_value(static: Mapping[str, Any], detector: str, key: str) -> Any:
    """A static fact, or a UsageError that names it."""
    if key not in static:
        raise UsageError(
            f"{detector}: static[{key!r}] is missing",
            hint=f"build it with {detector}({{{key!r}: …}})",
        )
    return static[key]
