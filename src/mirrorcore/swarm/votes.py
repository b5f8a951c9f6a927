"""The votes of a tick: who says what, and how old it is.

A voter that stays silent keeps its last vote for as long as it may (its cadence), then the vote
fades to no opinion over its horizon. A fading vote never becomes someone else's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats


class Ballot:
    """The last vote of each voter.

    Parameters
    ----------
    symbols: names, in run order.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self._position: dict[str, int] = {}
        self._lasting = np.zeros(0, dtype=np.int64)
        self._fading = np.zeros(0, dtype=np.int64)
        self._votes = np.zeros((len(symbols), 0))
        self._cast_at = np.zeros(0, dtype=np.int64)

    def __contains__(self, voter: str) -> bool:
        return voter in self._position

    def admit(self, voter: str, lasting_ns: int, fading_ns: int) -> None:
        """Add a voter as the last column; its vote stays fresh, and then fades, for so long."""
        self._position[voter] = len(self._position)
        self._lasting = np.append(self._lasting, lasting_ns)
        self._fading = np.append(self._fading, max(fading_ns, 1))
        self._votes = np.column_stack([self._votes, np.full(len(self.symbols), np.nan)])
        self._cast_at = np.append(self._cast_at, 0)

    def cast(self, voter: str, ts: int, vote: Floats) -> None:
        """Take over the (S,) vote of a voter."""
        position = self._position[voter]
        self._votes[:, position] = vote
        self._cast_at[position] = ts

    def counted(self, ts: int) -> Floats:
        """(1, S, N) the votes as they count at ``ts``, faded by age; NaN for no opinion."""
        age = ts - self._cast_at
        left = 1.0 - (age - self._lasting) / self._fading
        left = np.where(self._cast_at > 0, np.clip(left, 0.0, 1.0), 0.0)
        faded = 0.5 + (self._votes - 0.5) * left
        faded = np.where(left >= 1.0, self._votes, faded)
        faded[:, left <= 0.0] = np.nan
        return faded[None, :, :]

    def cast_at(self) -> list[int]:
        """When each voter voted last, ns, in their order; 0 for never."""
        instants: list[int] = self._cast_at.tolist()
        return instants

    def checkpoint(self) -> dict[str, Any]:
        return {"votes": self._votes, "cast_at": self._cast_at}

    def restore(self, memory: dict[str, Any]) -> None:
        self._votes, self._cast_at = memory["votes"], memory["cast_at"]


def read_vote(state: Mapping[str, Any], symbols: Sequence[str]) -> Floats | None:
    """The vote within a state: (S,) probabilities, NaN where it says nothing; None for no vote.

    ``forecast`` is a probability of a rise, ``signal`` the guide's -1..1, read as (1 + s) / 2.
    Either may be an array in run order, one number for all symbols, or a mapping by symbol.
    """
    if "forecast" in state:
        vote = _vector(state["forecast"], symbols)
    elif "signal" in state:
        vote = (1.0 + _vector(state["signal"], symbols)) / 2.0
    else:
        return None
    outside = (vote < 0.0) | (vote > 1.0)
    return np.where(outside, np.nan, vote)


def _vector(value: Any, symbols: Sequence[str]) -> Floats:
    if isinstance(value, np.ndarray) and value.shape == (len(symbols),):
        plain = value.dtype.kind in "fiub"
        return value.astype(np.float64) if plain else np.full(len(symbols), np.nan)
    if isinstance(value, Mapping):
        return np.array([_number(value.get(symbol)) for symbol in symbols])
    return np.full(len(symbols), _number(value))


def _number(value: Any) -> float:
    try:
        return float(value) if isinstance(value, int | float | np.number) else float("nan")
    except OverflowError:  # a whole number beyond every float
        return float("nan")
