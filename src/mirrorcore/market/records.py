"""The one contract of everything that comes from outside: simulated, recorded, paper or live.

Three instants, each in nanoseconds UTC: ``ts_event`` when it happened by the source's clock (a bar
carries its *open*), ``ts_recv`` when it reached us, ``ts_avail`` the first moment a decision may
use it (a bar at its close, a macro value at its release). Nothing may be used before ``ts_avail``.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Literal

import msgspec

Category = Literal["technical", "fundamental", "sentiment", "risk", "onchain", "macro"]
CATEGORIES: tuple[Category, ...] = (
    "technical",
    "fundamental",
    "sentiment",
    "risk",
    "onchain",
    "macro",
)

ALL_SYMBOLS = "*"
"""The symbol of an observation that belongs to the whole market."""


class Flag(IntFlag):
    """What the intake noticed about a record; a flag never changes its values."""

    NONE = 0
    BACKFILL = 1
    PROVISIONAL = 2
    REVISED = 4
    STALE = 8
    OUT_OF_ORDER = 16
    DUPLICATE = 32
    OUTLIER = 64
    REPAIRED = 128
    SKEW_CORRECTED = 256
    AFTER_GAP = 512
    SYNTHETIC = 1024
    ZERO_VOLUME_MOVE = 2048
    VOLUME_SPIKE = 4096
    STALE_VALUE = 8192


class Bar(msgspec.Struct, frozen=True, kw_only=True, tag="bar"):
    """One candle. Prices in quote currency, volume in base currency."""

    source: str
    symbol: str
    ts_event: int
    ts_recv: int
    ts_avail: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    seq: int = 0
    epoch: int = 0
    flags: int = 0


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag="observation"):
    """One value of a side channel: a sentiment score, a whale flow, a macro release.

    ``series`` is ``category.name`` (``onchain.whale_flow``); ``value`` None means *missing*, which
    is not zero.
    """

    source: str
    series: str
    symbol: str
    ts_event: int
    ts_recv: int
    ts_avail: int
    value: float | None
    seq: int = 0
    epoch: int = 0
    flags: int = 0


class GapRecord(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """Records that should have come and did not: [start, end) in event time."""

    source: str
    symbol: str
    ts_event: int
    ts_recv: int
    ts_avail: int
    start: int
    end: int
    reason: str
    seq: int = 0
    epoch: int = 0
    flags: int = 0


Record = Bar | Observation | GapRecord
