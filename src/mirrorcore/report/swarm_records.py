"""What a report may show of the swarm itself: its forecasts, its failures, its bus."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorcore.market.block import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How good the forecasts of one voter, or the fused ones, were; None where nothing says.

    ``ic`` is the correlation of log-odds with the return that followed; ``slope`` what log-odds
    have to be multiplied with to be calibrated (1 is calibrated, below 1 overconfident); ``brier``
    the mean of (p - y)², .25 for saying ½ each time. Errors are standard errors over days.
    """

    forecasts: int
    hit_rate: float | None = None
    hit_error: float | None = None
    ic: float | None = None
    ic_error: float | None = None
    slope: float | None = None
    slope_error: float | None = None
    brier: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageRecord:
    """A time in which an agent was isolated or failed; ``end`` is None where it did not return."""

    agent: str
    start: int
    end: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRecord:
    """An alarm that a voter had lost its skill. ``halved`` is the instant at which its weight in
    the fusion was at most half of what it was then (``weight``), None where that never came."""

    voter: str
    ts: int
    weight: float | None
    halved: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusRecord:
    """Deltas over all edges of the bus: published = delivered + conflated + pending + rejected, and
    those that streams dropped. What a reader that nobody calls was handed counts as delivered.
    ``edges`` is how many there are."""

    published: int
    delivered: int
    conflated: int
    pending: int
    rejected: int
    expired: int
    edges: int


@dataclass(frozen=True, slots=True)
class VoterPath:
    """Net results of the voters' own paper books, as shares of capital: ``net`` (n, len(names)) so
    far at the last tick of each UTC day, ``ts`` (n,)."""

    ts: Ints
    names: tuple[str, ...]
    net: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmRecord:
    """The swarm as a whole. ``desk`` is the part of the result, in money, that no voter's pull
    earned; ``opinions`` how many independent voters there were in effect, as the self-awareness
    agent last said."""

    fused: Skill | None = None
    desk: float | None = None
    opinions: float | None = None
    watched: bool = False
    """Whether an agent watched the voters for lost skill."""
    outages: tuple[OutageRecord, ...] = ()
    alarms: tuple[AlarmRecord, ...] = ()
    bus: BusRecord | None = None
