"""What agents take the market to be, as they declare it: log-volatility and trend.

Block agents say it for all rows of a block, others whenever they publish. What is not known yet,
or is not believed about at all, is 0: what never moves is no evidence of anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats, Ints
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.recipes import BELIEFS

Ahead = Mapping[str, Mapping[str, Floats]]
Said = tuple[int, str, Mapping[str, Any]]
"""When, who, and the fields that were published."""


class Beliefs:
    """The believers among the members, and what they believed last."""

    def __init__(self, members: Sequence[Member], symbols: int) -> None:
        self._declared: dict[str, Mapping[str, Mapping[str, float]]] = {
            member.agent_id: declared
            for member in members
            if (declared := getattr(member.agent, "believes", None))
        }
        self._symbols = symbols
        self._fields = {
            name: tuple(dict.fromkeys(f for thing in declared.values() for f in thing))
            for name, declared in self._declared.items()
        }
        self._said: list[Said] = []
        self._published = {
            name: {field: np.zeros(symbols) for field in fields}
            for name, fields in self._fields.items()
        }
        self._last = np.zeros((symbols, len(self._declared), len(BELIEFS)))

    @property
    def agents(self) -> tuple[str, ...]:
        """Who believes anything, in the order of all arrays over believers."""
        return tuple(self._declared)

    def things(self) -> tuple[str, ...]:
        """About what somebody believes something."""
        return tuple(t for t in BELIEFS if any(t in d for d in self._declared.values()))

    # -- in the swarm's loop

    def heard(self, source: str, ts: int, delta: Mapping[str, Any]) -> None:
        """A published delta; kept where it is a believer's."""
        fields = self._fields.get(source)
        if fields is not None:
            told = {name: delta[name] for name in fields if name in delta}
            if told:
                self._said.append((ts, source, told))

    def take(self, outputs: Ahead) -> tuple[Ahead, list[Said]]:
        """What believers said in a finished block: of whole blocks, and what was published."""
        ahead = {
            name: {field: outputs[name][field] for field in fields if field in outputs[name]}
            for name, fields in self._fields.items()
            if name in outputs
        }
        said, self._said = self._said, []
        return ahead, said

    # -- in the monitor's thread

    def rows(self, ts: Ints, ahead: Ahead, said: Sequence[Said]) -> Floats:
        """(T, S, B, 2) beliefs at each tick, carried on from the block before."""
        out = np.empty((len(ts), self._symbols, len(self._declared), len(BELIEFS)))
        for number, (name, declared) in enumerate(self._declared.items()):
            columns = self._columns(name, ts, ahead.get(name), said)
            for place, thing in enumerate(BELIEFS):
                total = np.zeros((len(ts), self._symbols))
                for field, weight in declared.get(thing, {}).items():
                    total = total + weight * columns[field]
                out[:, :, number, place] = total
        return self._known(out)

    def _columns(
        self, name: str, ts: Ints, ahead: Mapping[str, Floats] | None, said: Sequence[Said]
    ) -> dict[str, Floats]:
        """(T, S) of each field."""
        columns = {}
        for field, last in self._published[name].items():
            column = np.empty((len(ts), self._symbols))
            if ahead is not None and field in ahead:
                told = ahead[field]
                column[:] = told if told.ndim == 2 else told[:, None]
            else:
                column[:] = last
                for when, who, delta in said:
                    if who == name and field in delta:
                        column[int(np.searchsorted(ts, when)) :] = self._each(delta[field])
            self._published[name][field] = column[-1].copy()
            columns[field] = column
        return columns

    def _each(self, value: Any) -> Floats:
        """(S,) of a published value; unknown where it is no number, or of another length."""
        try:
            numbers = np.asarray(value, dtype=np.float64)
            return np.broadcast_to(numbers, (self._symbols,))
        except (TypeError, ValueError):
            return np.full(self._symbols, np.nan)

    def _known(self, beliefs: Floats) -> Floats:
        """In place of what is unknown, what was known last."""
        unknown = ~np.isfinite(beliefs)
        if unknown.any():
            for row in range(len(beliefs)):
                before = beliefs[row - 1] if row else self._last
                beliefs[row] = np.where(unknown[row], before, beliefs[row])
        self._last = beliefs[-1].copy()
        return beliefs
