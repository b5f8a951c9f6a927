"""The market as a whole in steps of an explicit clock: venue and participants together.

A step ends on a multiple of its length since 1970, so how a stretch of time is cut into calls
changes nothing: the same seed and the same start give the same trades.
"""

from __future__ import annotations

from collections.abc import Iterator

from mirrorcore.exchange.config import STEP, ExchangeConfig
from mirrorcore.exchange.participants import MOST_A_STEP, Crowd
from mirrorcore.exchange.venue import Listener, Venue

HISTORY_STEPS = 1_800
"""Most steps of history, so that its cost is bounded; a long one has longer steps."""
HISTORY_ORDERS = 4
"""Most orders of one kind in a step of history, for the same reason."""


class Simulation:
    """A venue with somebody on it. ``now`` is the end of the last step made."""

    def __init__(self, config: ExchangeConfig, start: int, listener: Listener) -> None:
        self.venue = Venue(config.listings, config.kept, listener)
        self.crowds = [
            Crowd(self.venue, market, config.seed, config.speed)
            for market in self.venue.markets.values()
        ]
        self.now = start - start % STEP

    def live_through_history(self, length: int) -> None:
        """Open the books, and make ``length`` ns of market that end at the start."""
        step = max(1, -(-length // (HISTORY_STEPS * STEP))) * STEP
        steps = length // step
        began = self.now - steps * step
        for crowd in self.crowds:
            crowd.open(began)
        for number in range(1, steps + 1):
            self._step(step, began + number * step, HISTORY_ORDERS)

    def pending(self, now: int) -> Iterator[int]:
        """Make every step that is due by ``now``; yields its end after each."""
        while self.now + STEP <= now:
            self.now += STEP
            self._step(STEP, self.now, MOST_A_STEP)
            yield self.now

    def _step(self, length: int, end: int, most: int) -> None:
        for market in self.venue.markets.values():
            market.tape.roll(end)
        for crowd in self.crowds:
            crowd.step(length, end, most)
