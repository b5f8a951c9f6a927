"""What a generator gives: a run in arrays, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """``columns`` hold one row a tick; ``onset`` is the tick of the planted effect, if any."""

    static: Mapping[str, Any]
    columns: Mapping[str, Array]
    onset: int | None = None
    agents: tuple[int, ...] = ()
    truth: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def ticks(self) -> Iterator[dict[str, Any]]:
        """The run as a detector meets it."""
        keys = list(self.columns)
        for row in zip(*self.columns.values(), strict=True):
            yield dict(zip(keys, row, strict=True))


def smooth(noise: Array, memory: float | Array) -> Array:
    """Unit-variance first-order autoregression along the first axis; one memory for each column."""
    if np.ndim(memory) == 0:
        rho = float(memory)
        out: Array = lfilter([np.sqrt(1 - rho**2)], [1.0, -rho], noise, axis=0)
        return out
    each = [smooth(noise[:, i], float(m)) for i, m in enumerate(np.asarray(memory))]
    return np.stack(each, axis=1)


def returns(rng: np.random.Generator, ticks: int, scale: float = 0.001) -> Array:
    """Returns with clustered volatility and heavy tails."""
    log_vol = 0.5 * smooth(rng.normal(size=ticks), 0.985)
    shock = rng.standard_t(5, size=ticks) / np.sqrt(5 / 3)
    out: Array = scale * np.exp(log_vol) * shock
    return out


def unit(values: Array) -> Array:
    """Scaled to a spread of one."""
    out: Array = values / values.std()
    return out


def momentum(changes: Array, span: float) -> Array:
    """Exponential moving average of returns, scaled to a spread of one."""
    alpha = 2.0 / (span + 1.0)
    return unit(lfilter([alpha], [1.0, alpha - 1.0], changes))


def onset_of(rng: np.random.Generator, ticks: int) -> int:
    """Somewhere between 40 and 60 % of the run."""
    return int(ticks * rng.uniform(0.4, 0.6))
