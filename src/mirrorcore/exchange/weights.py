"""Request weight: how much one address may ask for in a minute."""

from __future__ import annotations

from mirrorcore.clock import MINUTE, SECOND
from mirrorcore.exchange.refusals import too_many_requests


class Weights:
    """Weight used by each address in the current minute of the exchange's clock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = -1
        self._used: dict[str, int] = {}
        self.refused = 0

    def use(self, address: str, weight: int, now: int) -> int:
        """Book a request and say what is used; RefusalError (429) beyond the limit."""
        minute = now // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get(address, 0) + weight
        self._used[address] = used
        if used > self._limit:
            self.refused += 1
            raise too_many_requests(-(-(MINUTE - now % MINUTE) // SECOND))
        return used
