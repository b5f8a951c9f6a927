"""What is known about a running source, counted since it started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mirrorcore.data_sources.running.reconnect import BreakerState
from mirrorcore.data_sources.running.states import RunnerState


@dataclass(slots=True)
class Counts:
    """The counters of one source while it runs."""

    records: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    replayed: int = 0
    backfilled: int = 0
    gaps: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    unfilled: int = 0
    connections: int = 0
    reconnects: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    stale: int = 0


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source at one instant. All counts are since its start; durations in ns.

    Parameters
    ----------
    records: what was passed on, by kind.
    duplicates, replayed: dropped because they came before, and because a new connection began
        with what the old one had brought already.
    backfilled: records that came late, by asking for them.
    gaps, filled, unfilled: holes by what told of them; how many were closed, and how many not.
    conflated, dropped: superseded before the consumer read them, and lost to a consumer too slow
        (each told by a gap record).
    faults: failures by case.
    stale, stale_symbols: how often a symbol fell silent, and who is silent now.
    silence_ns: since anything was heard; None before the first.
    skew_ns: the source's clock against ours: what to add to its times; None while unknown.
    skew_alarms: jumps of its clock.
    """

    name: str
    state: RunnerState
    reason: str
    breaker: BreakerState
    records: Mapping[str, int]
    duplicates: int
    replayed: int
    backfilled: int
    gaps: Mapping[str, int]
    filled: int
    unfilled: int
    conflated: int
    dropped: int
    pending: int
    connections: int
    reconnects: int
    faults: Mapping[str, int]
    stale: int
    stale_symbols: tuple[str, ...]
    silence_ns: int | None
    skew_ns: int | None
    skew_alarms: int

    @property
    def ok(self) -> bool:
        """Live, and no symbol of it silent."""
        return self.state is RunnerState.LIVE and not self.stale_symbols
