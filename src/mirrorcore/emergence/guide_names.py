"""The detectors under the guide's names, with ``analyze(states, history)`` beside ``update(tick)``.

Built from static facts they take arrays, one tick at a time. Built from nothing they take what a
bare bus knows; :mod:`mirrorcore.emergence.states` says what is made of it, and what is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.emergence import collective, coordination, drift, novelty, specialisation
from mirrorcore.emergence.detector import Array, Detector
from mirrorcore.emergence.finding import Finding
from mirrorcore.emergence.record import found
from mirrorcore.emergence.states import History, StateFeed, subscriptions
from mirrorcore.emergence.textbook import TEXTBOOK, Textbook
from mirrorcore.errors import UsageError

BASELINE = 2000
"""Ticks from which drift learns on a bare bus what is usual."""


class _Analysed:
    """A detector that can be built later, from what the first history shows."""

    _kind: type[Detector]

    def __init__(self, static: Mapping[str, Any] | None = None) -> None:
        self._inner: Detector | None = None if static is None else self._kind(static)
        self._feed = StateFeed()
        self._textbook = Textbook()
        self.idle = ""
        """Why the last history could not be used; empty where it could."""

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. UsageError on a bad tick, or without static facts."""
        if self._inner is None:
            raise UsageError(
                f"{type(self).__name__}() was built without static facts and takes no ticks",
                hint=f"build it with {type(self).__name__}({{…}}), or call analyze",
            )
        return self._inner.update(tick)

    async def analyze(
        self, states: Mapping[str, Mapping[str, Any]], historical_data: History
    ) -> list[dict[str, Any]]:
        """Findings of what is new in ``historical_data``, as the guide's dictionaries.

        ``states`` is what the bus holds now; it is all in the history as well.
        """
        del states
        new = self._feed.ticks(historical_data)
        self.idle = self._feed.idle
        if self._inner is None and not self.idle:
            static = self._static(self._feed)
            if isinstance(static, str):
                self.idle = static
            else:
                self._inner = self._kind(static)
        if self._inner is None or self.idle:
            return []
        told: list[dict[str, Any]] = []
        for tick in new:
            rules: Array = self._textbook.update(tick["ret"])
            for one in self._inner.update({**tick, "known": rules}):
                names = self._feed.agents
                record = found(one, 0, names, ("price",), one.window, one.raised_at, 0, "")
                told.append(record.dictionary())
        return told

    def _static(self, feed: StateFeed) -> dict[str, Any] | str:
        """Static facts of a bare bus, or why there are none."""
        return {} if len(feed.agents) > 1 else "fewer than two agents vote"


class CoordinationDetector(_Analysed):
    """Agents that act together more than what they share and their own habits explain."""

    _kind = coordination.CoordinationDetector

    def _static(self, feed: StateFeed) -> dict[str, Any] | str:
        if len(feed.agents) < 2:
            return "fewer than two agents vote"
        return {"subs": subscriptions(feed.agents)}


class BehaviorDriftDetector(_Analysed):
    """Agents that answer the same market otherwise than they used to."""

    _kind = drift.BehaviorDriftDetector

    def _static(self, feed: StateFeed) -> dict[str, Any] | str:
        return {"subs": subscriptions(feed.agents), "baseline_end": BASELINE}


class SwarmIntelligenceDetector(_Analysed):
    """A swarm that forecasts better than every one of its members."""

    _kind = collective.SwarmIntelligenceDetector


class NovelStrategyDetector(_Analysed):
    """Agents that earn with what no known strategy does."""

    _kind = novelty.NovelStrategyDetector

    def _static(self, feed: StateFeed) -> dict[str, Any] | str:
        return {"known_names": TEXTBOOK}


class SpecializationDetector(_Analysed):
    """Agents that come to prefer tasks of their own."""

    _kind = specialisation.SpecializationDetector

    def _static(self, feed: StateFeed) -> dict[str, Any] | str:
        if feed.tasks < 2:
            return "the agents do not all publish which of several tasks they work on, as 'task'"
        return {"n_tasks": feed.tasks}


GUIDE_DETECTORS: tuple[type[_Analysed], ...] = (
    CoordinationDetector,
    BehaviorDriftDetector,
    SwarmIntelligenceDetector,
    NovelStrategyDetector,
    SpecializationDetector,
)
"""In the guide's order."""
