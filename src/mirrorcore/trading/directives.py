"""What a desk wants: a target weight for each symbol, and why.

Targets, not order soup: whoever decides says which share of equity a symbol should be; the order
path works out what must be bought or sold to get there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class Directive(msgspec.Struct, frozen=True):
    """One wish for one symbol.

    Attributes
    ----------
    symbol: index in the run's symbol order.
    target_weight: wanted notional as a share of equity, negative for short.
    confidence: 0..1, for explanation; it is already inside ``target_weight``.
    horizon_ns: for how long the view is meant to hold, in nanoseconds.
    reasons: who or what led to it, most important first.
    """

    symbol: int
    target_weight: float
    confidence: float
    horizon_ns: int
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.target_weight):
            raise ValueError(f"target_weight was {self.target_weight}, must be finite")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence was {self.confidence}, must be in 0..1")
        if self.horizon_ns <= 0:
            raise ValueError(f"horizon_ns was {self.horizon_ns}, must be above 0")


def net_targets(directives: Iterable[Directive], symbols: int) -> list[float]:
    """Target weight of each of ``symbols`` symbols: the sum over the directives that name it.

    Wishes of several desks for one symbol cross here, before any order, and cost nothing. A symbol
    that nobody names has target 0.
    """
    targets = [0.0] * symbols
    for directive in directives:
        if not 0 <= directive.symbol < symbols:
            raise ValueError(f"symbol was {directive.symbol}, must be in 0..{symbols - 1}")
        targets[directive.symbol] += directive.target_weight
    return targets
