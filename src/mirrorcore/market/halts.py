"""Which symbols may take no new risk, by what sources say of themselves and of each other.

A symbol is halted while anyone calls it ``diverged``, ``halted`` or ``closed``, and while every
source that was ever heard of for it is ``stale`` or ``down``: one that still speaks is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirrorcore.market.records import ALL_SYMBOLS, Status

_BY_ANYONE = ("diverged", "halted", "closed")
_BY_ALL = ("stale", "down")


class Halts:
    """Follows statuses; hands out what the order path takes.

    Parameters
    ----------
    symbols: of the run, in its order.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self._said: dict[str, dict[str, str]] = {symbol: {} for symbol in symbols}

    def take(self, status: Status) -> bool:
        """Take note; True if it concerned the run. A reorg halts nothing."""
        if status.state == "reorg":
            return False
        named = self.symbols if status.symbol == ALL_SYMBOLS else (status.symbol,)
        known = [symbol for symbol in named if symbol in self._said]
        for symbol in known:
            self._said[symbol][status.source] = status.state
        return bool(known)

    @property
    def causes(self) -> dict[int, str]:
        """Number of each halted symbol and the name of the cause."""
        found = {}
        for number, symbol in enumerate(self.symbols):
            cause = _cause(list(self._said[symbol].values()))
            if cause:
                found[number] = cause
        return found

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`."""
        return {symbol: dict(said) for symbol, said in self._said.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._said = {symbol: dict(state.get(symbol, {})) for symbol in self.symbols}


def _cause(states: list[str]) -> str:
    for state in _BY_ANYONE:
        if state in states:
            return state
    return states[0] if states and all(state in _BY_ALL for state in states) else ""
