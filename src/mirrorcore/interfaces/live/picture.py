"""A picture: everything one frame shows, immutable once made, so that any thread may look at it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorcore.syncbus import LifeState

Array = npt.NDArray[Any]
Row = Mapping[str, Any]
Table = Mapping[str, Row]

ENUMS: Mapping[str, tuple[str, ...]] = {
    "st": tuple(str(state) for state in LifeState),
    "cb": ("closed", "open", "half_open"),
    "sev": ("info", "warn", "bad"),
}
"""Names behind small numbers; ``kind`` is added by the run."""

COLUMNS: Mapping[str, str] = {
    "id": "text", "kind": "int", "st": "int", "conf": "number", "lean": "number", "pnl": "number",
    "t": "instant", "w": "number", "cb": "int", "mb": "int", "hp": "number", "calls": "int",
    "fails": "int", "rest": "int", "lat": "number", "v": "int", "err": "text",
}  # fmt: skip
"""Columns over agents: text (tuples), whole numbers, numbers (NaN is none), instants in ms (0 is
none)."""

PLACES: Mapping[str, int] = {"conf": 2, "lean": 2, "pnl": 2, "w": 3, "hp": 2}
"""Decimals of those numbers that have so many; they are sent as whole multiples of the last."""

_HELD = 0.02


def action_of(lean: float | None) -> str:
    """What an agent does whose vote leans so: none, sell, hold or buy."""
    if lean is None or math.isnan(lean):
        return "none"
    return "hold" if abs(lean) <= _HELD else "buy" if lean > 0 else "sell"


TABLES = ("pos", "ord", "dec", "risk", "src", "alerts", "watch")
LOGS: Mapping[str, int] = {"fills": 500, "tr": 200, "ev": 500, "em": 200}
"""Rows that are only ever added, and how many of the newest are kept."""
CANDLES = 500
"""Candles kept of each symbol."""
POINTS = 1024
"""Most points of a curve over the whole run."""

SCHEMA = hashlib.sha256(
    json.dumps(
        [list(COLUMNS.items()), list(PLACES.items()), TABLES, list(LOGS.items()), CANDLES, POINTS]
    ).encode()
).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Agents:
    """Columns over agents, by name; what they hold says :data:`COLUMNS`."""

    n: int
    columns: Mapping[str, Array | tuple[str, ...]]

    @classmethod
    def empty(cls) -> Agents:
        """No agents."""
        return cls(0, {name: blank(kind, 0) for name, kind in COLUMNS.items()})


def blank(kind: str, n: int) -> Array | tuple[str, ...]:
    """A column of ``n`` rows of which nothing is known."""
    if kind == "text":
        return ("",) * n
    return np.full(n, np.nan) if kind == "number" else np.zeros(n, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve over the run: points ``(n, …)`` whose ``n`` is a multiple of ``k``, and the last."""

    k: int = 1
    points: tuple[tuple[Any, ...], ...] = ()


def thinned(points: Sequence[tuple[Any, ...]], k: int) -> tuple[tuple[Any, ...], ...]:
    """Points whose number is a multiple of ``k``, and the last one."""
    return tuple(p for i, p in enumerate(points) if p[0] % k == 0 or i == len(points) - 1)


@dataclass(frozen=True, slots=True)
class Log:
    """The newest rows of a log, oldest first, and how many there ever were."""

    total: int = 0
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One look at a run. ``ts`` and ``wall`` in ms, of the market's clock and the wall's."""

    ts: int
    wall: int
    top: Row
    agents: Agents
    enums: Mapping[str, tuple[str, ...]]
    candles: Mapping[str, tuple[tuple[Any, ...], ...]] = field(default_factory=dict)
    eq: Curve = field(default_factory=Curve)
    emo: Curve = field(default_factory=Curve)
    tables: Mapping[str, Table] = field(default_factory=dict)
    logs: Mapping[str, Log] = field(default_factory=dict)
    flow: Row = field(default_factory=dict)

    @classmethod
    def blank(cls) -> Picture:
        """Nothing, before there is anything."""
        return cls(0, 0, {}, Agents.empty(), {**ENUMS, "kind": ()})
