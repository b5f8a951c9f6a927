"""FundamentalSage: what a network is worth to its users, and what is about to come free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.clock import DAY
from mirrorcore.market.block import Bools, Floats

_FARTHEST = 3650.0
"""Days to an event beyond which it is none."""
_LARGEST = 1e18


class FundamentalSage(FilteredAgent):
    """Valuation by use of the network, and the pressure of unlocks that are due.

    With x = ln(price x supply / activity), the logarithm of the ratio of network value to
    transactions (Woo, 2017; that value follows use: Wheatley, Sornette et al., 2019), and its mean
    m and deviation s with a memory of 180 days,

        gap = (x - m) / s

    is how dear the network is against its own past, and the vote leans against it. Coins that come
    free are sold by those who waited, from before the day on: with u the share of the supply that
    is unlocked within the calendar's horizon,

        pressure = u / c          score = -(gap + pressure)

    ``event_risk`` is 2^(-d/H) of the next event in d days; an event has no sign and no vote.

    A value counts from when it became available. That an unlock or event is due is known ahead;
    that is what makes it useful and no look into the future.

    Parameters
    ----------
    memory: half-life of mean and deviation.
    settle: history without which there is no gap.
    event_half_life: H.
    unlock_scale: c, the share of supply that presses like one standard deviation.
    strength: k, log-odds per standard deviation.
    stale_after: age of a value beyond which it is not used.
    activity: name of the use of the network within ``fundamental``.
    """

    kind: ClassVar[str] = "fundamental_sage"
    votes: ClassVar[bool | None] = True
    parts = ("_slow", "_activity", "_supply", "_anchor")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "fair_gap": StateField(
            "value per use against its past, 0 while unknown", "sd", -CLIP, CLIP, "symbols"
        ),
        "unlock_pressure": StateField("of coins about to come free", "sd", 0, CLIP, "symbols"),
        "event_risk": StateField("nearness of the next event", "", 0, 1, "symbols"),
        "days_to_event": StateField(
            "days to the next event", "days", 0, _FARTHEST, "symbols", True
        ),
        "confidence": StateField("share of symbols with fresh fundamentals", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "FundamentalSage",
        *,
        memory: Duration = "180d",
        settle: Duration = "1d",
        event_half_life: Duration = "2d",
        unlock_scale: float = 0.01,
        strength: float = 0.08,
        stale_after: Duration = "7d",
        activity: str = "activity",
    ) -> None:
        super().__init__(agent_id, ("fundamental", "technical"))
        self.memory_ns = duration(memory, "memory")
        self.settle_ns = duration(settle, "settle")
        self.event_half_life_ns = duration(event_half_life, "event_half_life")
        self.unlock_scale = positive(unlock_scale, "unlock_scale")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")
        self.activity = activity

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._slow = DecayedSums(self.memory_ns, symbols, "x", "square", "count")
        self._activity, self._supply = Arrivals(symbols), Arrivals(symbols)
        # The first x of each symbol: sums of the rest do not cancel, nor do units enter them.
        self._anchor: Floats = np.full(symbols, np.nan)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        if self._nothing(block):
            return _silence(block.shape)
        gap, valued = self._gap(block)
        pressure, due = self._unlocks(block)
        days = self._days(block)
        risk = np.exp2(-days * (DAY / self.event_half_life_ns))
        score = -(np.where(valued, gap, 0.0) + pressure)
        opinion: Bools = valued | due
        return {
            "forecast": stated(score, self.strength, opinion),
            "fair_gap": np.where(valued, gap, 0.0),
            "unlock_pressure": pressure,
            "event_risk": np.where(np.isfinite(risk), risk, 0.0),
            "days_to_event": days,
            "confidence": row_mean(opinion.astype(np.float64)),
        }

    def _nothing(self, block: BlockInput) -> bool:
        """Neither now nor ever before was there anything to read: then it costs nothing."""
        read = ("supply", self.activity, "unlock_share", "event_in_days")
        if any(block.has("fundamental", name) for name in read):
            return False
        return not (self._activity.latest.any() or self._supply.latest.any())

    def _positive(self, block: BlockInput, category: str, name: str) -> tuple[Floats, Bools]:
        """(T, S) logarithm of a value that must be above 0, and where it is known."""
        value = block.value(category, name)
        known: Bools = (value > 1.0 / _LARGEST) & (value < _LARGEST)
        return np.log(np.where(known, value, 1.0)), known

    def _gap(self, block: BlockInput) -> tuple[Floats, Bools]:
        price, priced = self._positive(block, "technical", "close")
        supply, counted = self._positive(block, "fundamental", "supply")
        activity, used = self._positive(block, "fundamental", self.activity)
        ages = []
        for name, arrivals, known in (
            ("supply", self._supply, counted),
            (self.activity, self._activity, used),
        ):
            stamps = np.where(known, block.known_at("fundamental", name), 0)
            _, age, elapsed = arrivals(block.ts, stamps)
            ages.append((age >= 0) & (age <= self.stale_after_ns))
        priced &= block.known_at("technical", "close") > 0
        usable: Bools = priced & counted & used & ages[0] & ages[1]
        x = self._anchored(price + supply - activity, usable)
        one = usable.astype(np.float64)
        count = self._slow("count", block.ts, one)
        mean = ratio(self._slow("x", block.ts, one * x), count)
        square = ratio(self._slow("square", block.ts, one * x * x), count)
        deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
        settled = (elapsed >= self.settle_ns) & (deviation > 1e-6)
        gap = np.clip(ratio(x - mean, deviation), -CLIP, CLIP)
        return gap, usable & settled

    def _anchored(self, x: Floats, usable: Bools) -> Floats:
        unknown = np.isnan(self._anchor) & usable.any(axis=0)
        if unknown.any():
            first = x[np.argmax(usable, axis=0), np.arange(x.shape[1])]
            self._anchor = np.where(unknown, first, self._anchor)
        return np.where(usable, x - np.where(np.isnan(self._anchor), 0.0, self._anchor), 0.0)

    def _fresh(self, block: BlockInput, name: str) -> tuple[Floats, Bools, Floats]:
        """(T, S) a value, where it may be used, and its age in days."""
        value = block.value("fundamental", name)
        known_at = block.known_at("fundamental", name)
        age = block.ts[:, np.newaxis] - known_at
        usable: Bools = np.isfinite(value) & (known_at > 0) & (age <= self.stale_after_ns)
        return value, usable, age / DAY

    def _days(self, block: BlockInput) -> Floats:
        """(T, S) days to the next event, NaN where none is known ahead."""
        value, usable, age = self._fresh(block, "event_in_days")
        days = np.where(usable, value, 0.0) - age
        ahead = usable & (days >= 0) & (days <= _FARTHEST)
        return np.where(ahead, days, np.nan)

    def _unlocks(self, block: BlockInput) -> tuple[Floats, Bools]:
        """(T, S) pressure of the unlocks that are due, and where there are any."""
        share, usable, _ = self._fresh(block, "unlock_share")
        due: Bools = usable & (share > 0) & (share <= 1)
        pressure = np.where(due, share, 0.0) / self.unlock_scale
        return np.minimum(pressure, CLIP), due


def _silence(shape: tuple[int, int]) -> dict[str, Floats]:
    unknown, nothing = np.full(shape, np.nan), np.zeros(shape)
    return {
        "forecast": unknown,
        "fair_gap": nothing,
        "unlock_pressure": nothing,
        "event_risk": nothing,
        "days_to_event": unknown,
        "confidence": np.zeros(shape[0]),
    }
