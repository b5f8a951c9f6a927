"""What the limits did: every clip and veto, one row for each limit, symbol and UTC day.

A limit that binds all day would otherwise write a row a tick, a million a year.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mirrorcore.clock import DAY


class LimitHit(msgspec.Struct):
    """A limit bound. ``asked`` and ``allowed`` are those of the largest cut of the row.

    Attributes
    ----------
    ts, last_ts: first and last instant, ns.
    limit: name of the limit, as in :class:`~mirrorcore.trading.limits.LimitConfig`, or
        ``shortable``, ``invalid_target``, ``minimum``, ``gateway``, ``no_rate``, ``stale_rate``, or
        the name a halt was given.
    symbol: index of the symbol; None where the whole book was cut.
    asked, allowed: weights (shares of equity) for what bounds a position, orders for the rate,
        relative change of price for the collar, loss as a share for drawdown and daily loss.
    count: how often within the row.
    """

    ts: int
    limit: str
    symbol: int | None
    asked: float
    allowed: float
    count: int = 1
    last_ts: int = 0

    def row(self) -> tuple[int | str, ...]:
        """Integers and text, for a digest."""
        return (
            self.ts,
            self.last_ts,
            self.limit,
            -1 if self.symbol is None else self.symbol,
            self.count,
            repr(self.asked),
            repr(self.allowed),
        )


class HitLog:
    """Gathers hits into rows.

    ``on_hit``, if set, is called with each new row as it begins, ``on_note`` with the arguments of
    every single :meth:`note`.
    """

    __slots__ = ("_day", "_done", "_open", "on_hit", "on_note")

    def __init__(self) -> None:
        self._open: dict[tuple[str, int | None], LimitHit] = {}
        self._done: list[LimitHit] = []
        self._day = -1
        self.on_hit: Callable[[LimitHit], None] | None = None
        self.on_note: Callable[[int, str, int | None, float, float], None] | None = None

    def note(self, ts: int, limit: str, symbol: int | None, asked: float, allowed: float) -> bool:
        """Count one clip or veto; True if it began a row, False if it joined one."""
        if self.on_note is not None:
            self.on_note(ts, limit, symbol, asked, allowed)
        if ts // DAY != self._day:
            self._day = ts // DAY
            self._finish()
        hit = self._open.get((limit, symbol))
        if hit is None:
            hit = LimitHit(ts, limit, symbol, asked, allowed, 1, ts)
            self._open[limit, symbol] = hit
            if self.on_hit is not None:
                self.on_hit(hit)
            return True
        hit.count += 1
        hit.last_ts = ts
        if abs(asked) - abs(allowed) > abs(hit.asked) - abs(hit.allowed):
            hit.asked = asked
            hit.allowed = allowed
        return False

    def _finish(self) -> None:
        self._done.extend(self._open.values())
        self._open.clear()

    def take(self, *, final: bool = False) -> list[LimitHit]:
        """Rows whose day is over, each handed out once; with ``final`` today's as well."""
        if final:
            self._finish()
        done, self._done = self._done, []
        return done

    def rows(self) -> list[LimitHit]:
        """All rows not yet taken, today's unfinished ones last."""
        return [*self._done, *self._open.values()]

    def checkpoint(self) -> dict[str, Any]:
        """Rows not yet taken."""
        return {
            "day": self._day,
            "open": [msgspec.to_builtins(hit) for hit in self._open.values()],
            "done": [msgspec.to_builtins(hit) for hit in self._done],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._day = state["day"]
        opened = [msgspec.convert(plain, LimitHit) for plain in state["open"]]
        self._open = {(hit.limit, hit.symbol): hit for hit in opened}
        self._done = [msgspec.convert(plain, LimitHit) for plain in state["done"]]
