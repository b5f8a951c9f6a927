"""Simulated participants: who makes the market live when no client trades.

Each symbol has a value that follows a geometric Brownian motion without drift, and a crowd that
does not know it well: quotes arrive around the value with random distance and size, old quotes are
taken back, market orders of either side arrive at random. Prices move because new quotes around a
moved value meet old ones. There is no pattern in it to be found; what it is good for is flow.

A symbol's generator is keyed by the seed and the symbol's name, so another symbol more changes
nobody's path; time enters as the length of the step alone.
"""

from __future__ import annotations

import math
from collections import deque
from zlib import crc32

import numpy as np

from mirrorcore.clock import SECOND, YEAR
from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.listings import UNIT
from mirrorcore.exchange.matching import SelfTrade
from mirrorcore.exchange.orders import Kind, OrderRequest
from mirrorcore.exchange.refusals import RefusalError
from mirrorcore.exchange.venue import Market, Venue

MAKERS = 4
QUOTES_A_SIDE = 60
"""Quotes the crowd has out on each side at most; the oldest goes when another comes."""

QUOTES_PER_SECOND = 12.0
TRADES_PER_SECOND = 3.0
HALF_SPREAD = 1e-4
"""Least distance of a quote from the value, as a fraction of it."""

DEPTH = 1.5e-3
"""Mean further distance of a quote, exponential."""

SIZE_IN_QUOTE = 4_000.0
"""Median size of an order in quote currency, lognormal."""

MOST_A_STEP = 40
"""Orders of one kind in one step at most, so that the machine keeps up with any speed."""

WEALTH = 10**9 * UNIT
"""What each of the house has of each asset, in units."""


class Crowd:
    """The participants of one symbol."""

    def __init__(self, venue: Venue, market: Market, seed: int, speed: float) -> None:
        self._venue, self._market, self._speed = venue, market, speed
        self._rng = np.random.Generator(
            np.random.Philox(key=[seed, crc32(market.listing.id.encode())])
        )
        self.value = float(market.listing.price)
        self._quotes: dict[bool, deque[int]] = {True: deque(), False: deque()}
        house = [self._member(f"maker {n}") for n in range(MAKERS)]
        self._makers, self._taker = house, self._member("taker")
        self.refused = 0
        """Orders the venue refused, because the price met an end of its range."""

    def _member(self, role: str) -> Account:
        listing = self._market.listing
        account = self._venue.open_account(
            f"{listing.id} {role}", maker_ppm=0, taker_ppm=0, house=True
        )
        account.credit(listing.base, WEALTH)
        account.credit(listing.quote, WEALTH)
        return account

    def open(self, now: int) -> None:
        """Fill both sides of the empty book."""
        for _ in range(QUOTES_A_SIDE):
            self._quote(True, now)
            self._quote(False, now)

    def step(self, length: int, now: int, most: int = MOST_A_STEP) -> None:
        """What happened in the ``length`` ns up to ``now``, ``most`` orders of one kind in it."""
        seconds = length / SECOND * self._speed
        rng = self._rng
        spread = self._market.listing.volatility * math.sqrt(seconds * SECOND / YEAR)
        self.value *= math.exp(spread * rng.standard_normal() - spread * spread / 2)
        quotes = min(most, int(rng.poisson(QUOTES_PER_SECOND * seconds)))
        trades = min(most, int(rng.poisson(TRADES_PER_SECOND * seconds)))
        for _ in range(quotes):
            self._quote(bool(rng.random() < 0.5), now)
        for _ in range(trades):
            self._trade(bool(rng.random() < 0.5), now)

    def _quote(self, buy: bool, now: int) -> None:
        rng = self._rng
        away = HALF_SPREAD + DEPTH * rng.standard_exponential()
        wanted = self.value * (1 - away if buy else 1 + away)
        price = max(1, round(wanted / float(self._market.listing.tick)))
        maker = self._makers[int(rng.integers(MAKERS))]
        request = OrderRequest(
            buy, Kind.LIMIT, self._lots(), price, self_trade=SelfTrade.EXPIRE_MAKER
        )
        number = self._submit(maker, request, now)
        queue = self._quotes[buy]
        if number is not None:
            queue.append(number)
        if len(queue) > QUOTES_A_SIDE:
            old = self._venue.orders.get(queue.popleft())
            if old is not None:
                self._venue.cancel(old, now)

    def _trade(self, buy: bool, now: int) -> None:
        self._submit(self._taker, OrderRequest(buy, Kind.MARKET, self._lots()), now)

    def _submit(self, account: Account, request: OrderRequest, now: int) -> int | None:
        """Place an order; its number if it rests."""
        try:
            order = self._venue.submit(account, self._market, request, now)
        except RefusalError:
            self.refused += 1
            return None
        return None if order.status.final else order.number

    def _lots(self) -> int:
        size = SIZE_IN_QUOTE * math.exp(self._rng.standard_normal())
        return max(1, round(size / self.value / float(self._market.listing.lot)))
