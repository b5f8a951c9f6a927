"""Faults to put into clean market data, one way each, and whether the intake tells them.

Data is handed in as records, real or made up. Each injection takes a copy, damages a few places
chosen by a seeded generator, far enough apart, runs clean and damaged data through processors of
their own, and compares what was counted.
"""

from __future__ import annotations

import numpy as np

from benchmarks.faults import books, chain_and_text, sequence, unusual, values
from benchmarks.faults.harness import INJECTIONS, Clean, Outcome, intake

__all__ = ["INJECTIONS", "WAYS", "Clean", "Outcome", "inject", "intake"]

WAYS = (values, sequence, unusual, books, chain_and_text)
"""The modules that register ways to do a fault."""


def inject(number: int, clean: Clean, seed: int) -> Outcome:
    """All ways of one fault, each with a generator of its own."""
    total = Outcome()
    for way, one in enumerate(INJECTIONS[number]):
        total += one(clean, np.random.default_rng([seed, number, way]))
    return total
