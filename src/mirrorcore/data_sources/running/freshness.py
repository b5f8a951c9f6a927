"""Which symbols have fallen silent: one deadline each, each change told once."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorcore.market.records import ALL_SYMBOLS


class Freshness:
    """Deadlines by symbol. Instants are ns; a symbol counts from ``start`` on."""

    def __init__(self, symbols: Sequence[str], stale_after_ns: int, start: int) -> None:
        self._limit = stale_after_ns
        self._heard: dict[str, int] = dict.fromkeys(symbols, start)
        self._stale: dict[str, None] = {}
        self._suspended: dict[str, None] = {}

    def begin(self, now: int) -> None:
        """Every deadline counts from now."""
        self._heard = dict.fromkeys(self._heard, now)

    @property
    def stale(self) -> tuple[str, ...]:
        """The symbols that are silent now, in the order in which they fell silent."""
        return tuple(self._stale)

    @property
    def all_stale(self) -> bool:
        return bool(self._heard) and len(self._stale) == len(self._heard)

    def heard(self, symbol: str, instant: int, now: int) -> bool:
        """Something of ``symbol`` happened at ``instant``; True when that ends its silence.

        News that is old already ends no silence. A symbol the source did not name counts for
        ``*`` where it covers the whole market.
        """
        if symbol not in self._heard:
            if ALL_SYMBOLS not in self._heard:
                return False
            symbol = ALL_SYMBOLS
        if instant > self._heard[symbol]:
            self._heard[symbol] = min(instant, now)
        self._suspended.pop(symbol, None)
        if symbol in self._stale and now - self._heard[symbol] <= self._limit:
            del self._stale[symbol]
            return True
        return False

    def suspend(self, symbol: str) -> None:
        """The market is closed or halted: silence is no fault until it speaks again."""
        names = tuple(self._heard) if symbol == ALL_SYMBOLS else (symbol,)
        for name in names:
            self._suspended[name] = None
            self._stale.pop(name, None)

    def resume(self, symbol: str, now: int) -> None:
        """The market is open again; deadlines count from now."""
        names = tuple(self._suspended) if symbol == ALL_SYMBOLS else (symbol,)
        for name in names:
            if name in self._suspended:
                del self._suspended[name]
                self._heard[name] = now

    def expire(self, now: int) -> list[str]:
        """Symbols whose deadline has passed since the last look."""
        late = [
            symbol
            for symbol, at in self._heard.items()
            if now - at > self._limit
            and symbol not in self._stale
            and symbol not in self._suspended
        ]
        self._stale.update(dict.fromkeys(late))
        return late

    def next_deadline(self) -> int | None:
        """When the next symbol would fall silent; None while there is nobody to wait for."""
        waiting = [
            at
            for symbol, at in self._heard.items()
            if symbol not in self._stale and symbol not in self._suspended
        ]
        return min(waiting) + self._limit if waiting else None
