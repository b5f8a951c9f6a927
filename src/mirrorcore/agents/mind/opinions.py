"""How many independent opinions a crowd of voters holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorcore.agents.base import Context, Tick
from mirrorcore.agents.reading import clipped, halved
from mirrorcore.clock import DAY
from mirrorcore.market.block import Floats

_NOW = 7 * DAY
_USUAL = 90 * DAY
_TOLERANCE = 0.8
_ENOUGH = 72.0
"""Looks at the votes before the crowd has a usual state to compare with."""


class Opinions:
    """Effective number of opinions from the correlation of votes.

        N_eff = (Σ λ)² / Σ λ² = N² / Σ_ij ρ_ij²

    λ the eigenvalues of the votes' correlation matrix ρ (participation ratio; Bretherton et al.,
    1999), over symbols and time, with a memory of a week (now) and of 90 days (usual). Votes that
    crowd more than they are used to are herding: factor = min(1, now / usual / .8).

    Parameters
    ----------
    voters, symbols: N, S.
    """

    def __init__(self, voters: int, symbols: int) -> None:
        self._symbols = symbols
        self._now: Floats = np.zeros((voters, voters))
        self._long: Floats = np.zeros((voters, voters))
        self._looks = 0.0
        self.usual = float(voters)
        self.coherence = 0.0
        self.factor = 1.0

    def hear(self, tick: Tick, context: Context, elapsed_ns: int) -> bool:
        """Fold in the votes as they stand; whether there was any."""
        votes = np.zeros((len(context.voters), self._symbols))
        heard = False
        for row, voter in enumerate(context.voters):
            view = tick.state(voter)
            if view is not None and not view.stale:
                lean = _lean(view.state, context.symbols)
                if lean is not None:
                    votes[row] = lean
                    heard = True
        moment = np.einsum("is,js->ij", votes, votes)
        self._now = halved(elapsed_ns, _NOW) * self._now + moment
        kept = halved(elapsed_ns, _USUAL)
        self._long = kept * self._long + moment
        self._looks = kept * self._looks + (1.0 if heard else 0.0)
        self._count()
        return heard

    def _count(self) -> None:
        now, voters = effective_number(self._now)
        self.usual, members = effective_number(self._long)
        self.coherence = clipped((voters - now) / (voters - 1), 0.0, 1.0) if voters > 1 else 0.0
        enough = self._looks >= _ENOUGH and voters > 1 and voters == members and self.usual > 0
        self.factor = min(1.0, now / self.usual / _TOLERANCE) if enough else 1.0

    def checkpoint(self) -> dict[str, Any]:
        return {
            "now": self._now,
            "long": self._long,
            "numbers": [self._looks, self.usual, self.coherence, self.factor],
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self._now, self._long = memory["now"], memory["long"]
        self._looks, self.usual, self.coherence, self.factor = memory["numbers"]


def effective_number(moment: Floats) -> tuple[float, int]:
    """N_eff of the correlation matrix behind a moment matrix, and how many rows are not empty."""
    power = np.diagonal(moment)
    active = np.flatnonzero(power > 1e-300)
    if not active.size:
        return 0.0, 0
    deviation = np.sqrt(power[active])
    correlation = moment[np.ix_(active, active)] / deviation / deviation[:, np.newaxis]
    return float(active.size**2 / np.sum(correlation * correlation)), int(active.size)


def _lean(state: Mapping[str, Any], symbols: tuple[str, ...]) -> Floats | None:
    """(S,) how far a vote leans from one half, 0 without an opinion; None where it is no vote."""
    vote, center, scale = state.get("forecast"), 0.5, 1.0
    if vote is None:
        vote, center, scale = state.get("signal"), 0.0, 0.5
    if isinstance(vote, Mapping):
        vote = np.array([_plain(vote.get(symbol)) for symbol in symbols])
    elif not isinstance(vote, np.ndarray):
        vote = np.full(len(symbols), _plain(vote))
    if vote.shape != (len(symbols),) or vote.dtype.kind not in "fiu":
        return None
    lean = (vote - center) * scale
    known = np.isfinite(lean)
    return np.where(known, np.clip(lean, -0.5, 0.5), 0.0) if known.any() else None


def _plain(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else float("nan")
