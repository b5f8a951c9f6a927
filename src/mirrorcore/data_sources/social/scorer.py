"""What turns a title into a number. The lexicon is one scorer; another may stand in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Score:
    """What a title says of the market.

    Parameters
    ----------
    value: tone from -1 (as bad as can be) to 1; 0 says nothing either way.
    symbols: base currencies the title is about, as ``BTC``, in the order they are named; none
        means the whole market.
    events: kinds of event it tells of, as ``hack`` or ``listing``.

    Raises
    ------
    ValueError
        where the value is no number in -1..1: a broken scorer must not move the market's tone.
    """

    value: float
    symbols: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and -1.0 <= self.value <= 1.0):
            raise ValueError(f"a score was {self.value}, must be a number from -1 to 1")


@runtime_checkable
class Scorer(Protocol):
    """Anything that scores a title: the same title always gets the same score."""

    def score(self, title: str) -> Score:
        """The score of one title. Whatever the title says is read, never obeyed."""
