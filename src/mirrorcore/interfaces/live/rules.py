"""The hard limits of a run: what is used of each, and when one bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mirrorcore.clock import DAY
from mirrorcore.interfaces.live.figures import rounded
from mirrorcore.interfaces.live.picture import Row
from mirrorcore.trading.hits import HitLog
from mirrorcore.trading.limits import ADJUSTABLE
from mirrorcore.trading.path import OrderPath

_UNITS = {"order_rate": "orders/min", "price_collar": "price", "stale_after": "bars"}


class Clips:
    """Hears each time a limit binds: counts it, and keeps what bound within the present tick."""

    def __init__(self, hits: HitLog, symbols: Sequence[str]) -> None:
        self._hits = hits
        self._symbols = tuple(symbols)
        self._before = hits.on_note
        self.counts: Counter[str] = Counter()
        self.tick: list[Row] = []
        self.firsts: list[tuple[int, str, str, str]] = []
        """(ts, limit, symbol, text): each limit and symbol the first time in a day, until taken."""
        self._days: dict[tuple[str, str], int] = {}
        hits.on_note = self._note

    def close(self) -> None:
        """Hear no more."""
        self._hits.on_note = self._before

    def take_firsts(self) -> list[tuple[int, str, str, str]]:
        """What bound for the first time that day since the last call."""
        firsts, self.firsts = self.firsts, []
        return firsts

    def _note(self, ts: int, limit: str, symbol: int | None, asked: float, allowed: float) -> None:
        if self._before is not None:
            self._before(ts, limit, symbol, asked, allowed)
        name = "" if symbol is None else self._symbols[symbol]
        self.counts[limit] += 1
        self.tick.append(
            {
                "limit": limit,
                "sym": name,
                "asked": rounded(asked, 4),
                "allowed": rounded(allowed, 4),
            }
        )
        if self._days.get((limit, name)) != ts // DAY:
            self._days[limit, name] = ts // DAY
            where = name or "the whole book"
            # A closed gateway asks for no amount: it lets an order through or not.
            cut = (
                f"asked {asked:.4g}, got {allowed:.4g}" if asked else "an order was not let through"
            )
            self.firsts.append((ts, limit, name, f"{where}: {cut}"))


class DayStart:
    """Equity at the begin of the present UTC day: the last that was seen before it."""

    def __init__(self, equity: float) -> None:
        self._day = -1
        self.equity = self._last = equity

    def note(self, ts: int, equity: float) -> None:
        """Equity at a tick."""
        if ts // DAY != self._day:
            self._day, self.equity = ts // DAY, self._last
        self._last = equity

    def change(self) -> float:
        """Of equity since the day began, a fraction."""
        return self._last / self.equity - 1.0 if self.equity > 0 else 0.0


def risk_rows(
    path: OrderPath, prices: Sequence[int], ts: int, day: float, counts: Counter[str]
) -> dict[str, Row]:
    """A row for each limit; ``day`` is the change of equity since the day began."""
    limits = path.limits
    now = _used(path, prices, ts, day)
    rows: dict[str, Row] = {}
    for name in (*ADJUSTABLE, "stale_after"):
        field = "stale_bars" if name == "stale_after" else name
        limit = float(getattr(limits.config, field))
        configured = float(getattr(limits.configured, field))
        loosest = configured * (limits.configured.loosening if name in ADJUSTABLE else 1.0)
        rows[name] = {
            "now": rounded(now.get(name), 4),
            "limit": limit,
            "set": configured,
            "most": rounded(loosest, 6),
            "unit": _UNITS.get(name, "equity"),
            "hits": counts["stale_bars" if name == "stale_after" else name],
            "bound": _bound(path, name, ts),
        }
    return rows


def _used(path: OrderPath, prices: Sequence[int], ts: int, day: float) -> dict[str, Any]:
    weights = path.ledger.weights(prices)
    limits = path.limits
    return {
        "gross": sum(map(abs, weights)),
        "net": abs(sum(weights)),
        "per_symbol": max(map(abs, weights), default=0.0),
        "daily_loss": max(0.0, -day),
        "drawdown": limits.drawdown,
        "order_rate": limits.config.order_rate - limits.rate_left(ts),
    }


def _bound(path: OrderPath, name: str, ts: int) -> bool:
    """Whether a limit keeps new risk out now."""
    limits = path.limits
    if name == "drawdown":
        return limits.tripped
    if name == "daily_loss":
        return limits.day_blocked
    return name == "order_rate" and limits.rate_left(ts) <= 0
