"""How many independent opinions a crowd of voters holds."""

from __future__ import annotations

import math
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

    def grow(self, voters: int) -> None:
        """Room for voters that have joined at the end; they have said nothing so far."""
        more = max(0, voters - len(self._now))
        self._now = np.pad(self._now, (0, more))
        self._long = np.pad(self._long, (0, more))

    def hear(self, tick: Tick, context: Context, elapsed_ns: int, oldest_ns: int) -> bool:
        """Fold in the votes that are not older than ``oldest_ns``; whether there was any."""
        votes = np.full((len(context.voters), self._symbols), 0.5)
        heard = False
        for row, voter in enumerate(context.voters):
            view = tick.state(voter)
            if view is not None and not view.stale and view.age <= oldest_ns:
                forecast = _forecast(view.state, context.symbols)
                if forecast is not None:
                    votes[row] = forecast
                    heard = True
        votes -= 0.5
        votes[np.isnan(votes)] = 0.0
        np.clip(votes, -0.5, 0.5, out=votes)
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
    active = power > 1e-300
    members = int(np.count_nonzero(active))
    if not members:
        return 0.0, 0
    if members < len(power):
        moment, power = moment[np.ix_(active, active)], power[active]
    squares = moment * moment / power / power[:, np.newaxis]
    return float(members**2 / np.add.reduce(squares, axis=None)), members


def _forecast(state: Mapping[str, Any], symbols: tuple[str, ...]) -> Any:
    """(S,) probabilities or one for all, NaN without an opinion; None where it is no vote."""
    vote = state.get("forecast")
    if isinstance(vote, np.ndarray):
        return vote if vote.shape == (len(symbols),) and vote.dtype.kind in "fiu" else None
    if vote is None:
        signal = state.get("signal")
        if isinstance(signal, Mapping):
            return [0.5 + 0.5 * _plain(signal.get(symbol)) for symbol in symbols]
        vote = 0.5 + 0.5 * _plain(signal)
    vote = _plain(vote)
    return None if math.isnan(vote) else vote


def _plain(value: Any) -> float:
    return float(value) if isinstance(value, float | int) and abs(value) < 1e300 else math.nan
