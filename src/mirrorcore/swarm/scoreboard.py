"""How good each forecast was: running sums, for every voter and for the fused forecast.

All sums are cumulative, so that whoever reads them at its own pace takes differences and forgets
at its own rate. A forecast made at t is scored when its horizon is over, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats
from mirrorcore.market.features.filters import Lag, WindowSum

FIELDS = ("n", "hits", "claimed", "brier", "xx", "xy", "ic_xy", "ic_xx", "ic_yy")
"""n forecasts closed; hits; claimed Σ max(p, 1-p); brier Σ (p-y)²; xx Σ ¼x², xy Σ ½x(y-½) with
x the log-odds (clipped to .01 .. .99) and y 1 on a rise; ic_* the sums behind the correlation of
log-odds with the return over the volatility known when the forecast was made."""


class Scoreboard:
    """Running scores of N forecasts over S symbols.

    Parameters
    ----------
    horizons: in bars, one for each forecast.
    symbols: S.
    """

    def __init__(self, horizons: Sequence[int], symbols: int) -> None:
        self._symbols = symbols
        self._groups = [
            _Group(horizon, [i for i, h in enumerate(horizons) if h == horizon], symbols)
            for horizon in sorted(set(horizons))
        ]
        self._forecasts = len(horizons)
        self.totals = np.zeros((len(FIELDS), len(horizons)))

    def admit(self, horizon: int) -> None:
        """Score one more forecast from now on, as the last of all."""
        self._groups.append(_Group(horizon, [self._forecasts], self._symbols))
        self._forecasts += 1
        self.totals = np.pad(self.totals, ((0, 0), (0, 1)))

    def update(self, forecasts: Floats, returns: Floats, vol: Floats, present: Bools) -> Floats:
        """Score (T, S, N) forecasts; the cumulative sums after each tick, (T, fields, N).

        ``returns`` (T, S) are log returns of each bar, 0 where absent; ``vol`` (T, S) the per-bar
        volatility known at each tick, NaN where unknown.
        """
        gained = np.zeros((len(forecasts), len(FIELDS), self._forecasts))
        known_vol = np.where(np.isfinite(vol), vol, 0.0)
        for group in self._groups:
            gained[:, :, group.members] = group.score(forecasts, returns, known_vol, present)
        path = np.cumsum(np.concatenate([self.totals[None], gained]), axis=0)
        self.totals = path[-1].copy()
        return path[1:]

    def checkpoint(self) -> dict[str, Any]:
        return {
            "groups": [group.checkpoint() for group in self._groups],
            "totals": self.totals,
        }

    def restore(self, memory: dict[str, Any]) -> None:
        for group, state in zip(self._groups, memory["groups"], strict=True):
            group.restore(state)
        self.totals = memory["totals"]


class _Group:
    """The forecasts that share a horizon."""

    def __init__(self, horizon: int, members: list[int], symbols: int) -> None:
        self.members = members
        self._horizon = horizon
        self._made = Lag(horizon, columns=symbols * len(members))
        self._vol = Lag(horizon, columns=symbols)
        self._moved = WindowSum(horizon, columns=symbols)

    def score(self, forecasts: Floats, returns: Floats, vol: Floats, present: Bools) -> Floats:
        """(T, fields, members) what each tick adds."""
        ticks, symbols, _ = forecasts.shape
        made = forecasts[:, :, self.members]
        # No opinion is .5, and so is the time before there were forecasts: neither is scored.
        excess = np.where(np.isfinite(made), made - 0.5, 0.0).reshape(ticks, -1)
        p = 0.5 + self._made(excess).reshape(ticks, symbols, -1)
        moved = self._moved(returns)
        scale = self._vol(vol) * np.sqrt(float(self._horizon))
        z = np.divide(moved, scale, out=np.zeros_like(moved), where=scale > 0)
        z = np.clip(z, -4.0, 4.0)[:, :, None]
        counted = (p != 0.5) & (present & (moved != 0.0))[:, :, None]
        weight = counted.astype(np.float64)
        rise = (moved > 0)[:, :, None]
        y = rise.astype(np.float64)
        clipped = np.clip(p, 0.01, 0.99)
        x = np.log(clipped / (1.0 - clipped))
        parts = (
            weight,
            weight * ((p > 0.5) == rise),
            weight * np.maximum(p, 1.0 - p),
            weight * (p - y) ** 2,
            weight * (0.25 * x * x),
            weight * (0.5 * x * (y - 0.5)),
            weight * (x * z),
            weight * (x * x),
            weight * (z * z),
        )
        return np.stack([np.add.reduce(part, axis=1) for part in parts], axis=1)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "made": self._made.checkpoint(),
            "vol": self._vol.checkpoint(),
            "moved": self._moved.checkpoint(),
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._made.restore(memory["made"])
        self._vol.restore(memory["vol"])
        self._moved.restore(memory["moved"])
