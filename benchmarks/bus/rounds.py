"""Fair rounds: everybody takes a turn in each, the first one warms up, garbage is everybody's own.

What all of them set up is set aside from the garbage collector, and garbage is collected before
each turn, so that nobody pays for objects of others; within a turn the collector runs as always,
and its time is part of the turn.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.measure import Spread
from mirrorcore.clock import Stopwatch

Turn = Callable[[], Awaitable[float]]
"""One turn of one competitor: its figure."""

Figures = dict[str, list[float]]
"""Those of each competitor, round by round."""


@contextmanager
def set_aside() -> Iterator[None]:
    """What exists by now is not looked at by the collector again until the end."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def fresh_watch() -> Stopwatch:
    """A watch that has just started, with no garbage of others left lying about."""
    gc.collect()
    return Stopwatch()


async def interleaved(turns: Mapping[str, Turn], rounds: int, *, warm_up: bool = True) -> Figures:
    """``rounds`` rounds of figures; a round of warming up is thrown away before."""
    found: Figures = {name: [] for name in turns}
    for number in range(rounds + warm_up):
        for name, turn in turns.items():
            figure = await turn()
            if number >= warm_up:
                found[name].append(figure)
    return found


def ratio(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The quotients of two competitors, round by round."""
    return [a / b for a, b in zip(above, below, strict=True)]


def spread(figures: Sequence[float], digits: int = 0) -> dict[str, float | int]:
    """Best, median and worst of figures of which less is better."""
    return Spread.of(figures).rounded(digits)
