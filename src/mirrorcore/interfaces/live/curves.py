"""What is drawn: candles of each symbol, equity and emotions over the whole run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from mirrorcore.interfaces.live.figures import Scales, ms
from mirrorcore.interfaces.live.picture import CANDLES, POINTS, Curve, thinned
from mirrorcore.market.block import Bools, Floats, Ints, MarketBlock


class Candles:
    """The newest candles of each symbol, ``(t, open, high, low, close, volume)``."""

    def __init__(self, symbols: Sequence[str], scales: Scales) -> None:
        self._symbols = tuple(symbols)
        self._scales = scales
        self._known: list[deque[tuple[Any, ...]]] = [deque(maxlen=CANDLES) for _ in symbols]
        self._shown: dict[str, tuple[tuple[Any, ...], ...]] = dict.fromkeys(symbols, ())
        self._changed = [False] * len(self._symbols)
        # Blocks are of one tick each but for the warm-up's: no more can be of use.
        self._waiting: deque[tuple[Ints, Bools, tuple[Floats, ...]]] = deque(maxlen=CANDLES + 1)

    def note(self, block: MarketBlock) -> None:
        """The bars of a block; worked out when somebody looks."""
        self._waiting.append(
            (
                block.open_ts,
                block.present,
                (block.open, block.high, block.low, block.close, block.volume),
            )
        )

    def _catch_up(self) -> None:
        while self._waiting:
            opened, present, columns = self._waiting.popleft()
            for row in range(max(0, len(opened) - CANDLES), len(opened)):
                bars = zip(*(column[row].tolist() for column in columns), strict=True)
                instants, there = opened[row].tolist(), present[row].tolist()
                for symbol, bar in enumerate(bars):
                    if there[symbol]:
                        self._note(symbol, ms(instants[symbol]), bar)

    def _note(self, symbol: int, t: int, bar: tuple[float, ...]) -> None:
        *prices, volume = bar
        near, known = self._scales.near, self._known[symbol]
        if known and known[-1][0] >= t:
            if known[-1][0] > t:
                return
            known.pop()
        known.append((t, *(near(symbol, price) for price in prices), float(f"{volume:.6g}")))
        self._changed[symbol] = True

    def build(self) -> dict[str, tuple[tuple[Any, ...], ...]]:
        """All candles by symbol; the same objects where nothing is new."""
        self._catch_up()
        if any(self._changed):
            fresh = {
                name: tuple(self._known[i]) if self._changed[i] else self._shown[name]
                for i, name in enumerate(self._symbols)
            }
            self._shown, self._changed = fresh, [False] * len(self._symbols)
        return self._shown


class Tracing:
    """A curve as it grows: every point at first, then every second, fourth … one, and the last."""

    def __init__(self) -> None:
        self._k = 1
        self._points: list[tuple[Any, ...]] = []
        self._shown = Curve()

    def note(self, point: tuple[Any, ...]) -> None:
        """One point, ``(n, …)``; ``n`` rises."""
        points = self._points
        if points and points[-1][0] % self._k:
            points.pop()
        points.append(point)
        if len(points) > POINTS:
            self._k *= 2
            points[:] = thinned(points, self._k)

    def build(self) -> Curve:
        """The curve so far; the same object where nothing is new."""
        shown = self._shown
        if self._points and (not shown.points or shown.points[-1] is not self._points[-1]):
            self._shown = Curve(self._k, tuple(self._points))
        return self._shown
