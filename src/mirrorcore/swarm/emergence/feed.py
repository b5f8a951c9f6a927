"""From finished ticks of a run to the arrays that detectors take, symbol by symbol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Floats
from mirrorcore.swarm.emergence.batch import MOST_INPUTS, Batch, Name, cut
from mirrorcore.swarm.emergence.beliefs import Beliefs
from mirrorcore.swarm.emergence.cast import Cast, settle
from mirrorcore.swarm.emergence.series import Habits, Series
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.members import Member

SETTLING = 64
"""Ticks of a run after which it is settled who votes; who votes later is not watched."""


@dataclass(slots=True)
class Shown:
    """One tick of one symbol as detectors see it: the run's tick number, its instant, the number of
    the symbol, all arrays by name."""

    tick: int
    ts: int
    symbol: int
    values: Mapping[str, Any]

    def of(self, kind: str) -> Mapping[str, Any]:
        """For the detector of a type: that of risk is told what whole paper books earned."""
        if kind == "risk":
            return {**self.values, "pnl": self.values["gain"]}
        return self.values


class Feed:
    """Cuts blocks in the swarm's loop (:meth:`take`), makes arrays elsewhere (:meth:`ticks`).

    Parameters
    ----------
    watched: numbers of the symbols that are watched.
    learned: what an earlier run has learned about a symbol, once the cast is settled.
    """

    def __init__(
        self,
        members: Sequence[Member],
        symbols: Sequence[str],
        watched: Sequence[int],
        learned: Callable[[Cast, int], Habits | None] | None = None,
    ) -> None:
        self._members = {member.agent_id: member for member in members}
        self._symbols = tuple(symbols)
        self._watched = tuple(watched)
        self._learned = learned
        self.beliefs = Beliefs(members, len(symbols))
        self._known: dict[Name, None] = {}
        self._names: tuple[Name, ...] = ()
        self.cast: Cast | None = None
        self.series: dict[int, Series] = {}
        self._rows = 0
        self._heard: deque[tuple[int, str]] = deque()
        self._touched: deque[tuple[int, str, float]] = deque()

    # -- in the swarm's loop

    def take(
        self,
        record: BlockRecord,
        voters: Sequence[str],
        heard: Sequence[tuple[int, str]],
        touched: Sequence[tuple[int, str, float]],
    ) -> Batch:
        """What of a finished block is looked at."""
        batch = cut(record, voters)
        batch.heard, batch.touched = heard, touched
        batch.ahead, batch.said = self.beliefs.take(record.stage.outputs)
        return batch

    # -- in the monitor's thread

    def ticks(self, batch: Batch) -> Iterator[Shown]:
        """The ticks at which a symbol had a bar, each with what was decided at the one before."""
        self._heard += batch.heard
        self._touched += batch.touched
        moves = np.where(np.isfinite(batch.moves), batch.moves, 0.0)
        average = moves.mean(axis=1)
        busy = np.abs(moves)
        demand = busy / np.maximum(busy.sum(axis=1, keepdims=True), 1e-12)
        beliefs = self.beliefs.rows(batch.ts, batch.ahead or {}, batch.said)
        told = self._told(batch)
        for row, ts in enumerate(batch.ts.tolist()):
            self._rows += 1
            there = [s for s in self._watched if batch.present[row, s]]
            for s in there:
                shown = self.series[s].opened(float(batch.open[row, s])) if self.series else None
                if shown is not None:
                    yield Shown(batch.index + row, ts, s, shown)
            if self._rows <= SETTLING or not (there or self.cast):
                continue
            if self.cast is None:
                self._settle(batch, row)
                told = self._told(batch)
                for s in there:
                    self.series[s].opened(float(batch.open[row, s]))
            shared = {
                **self._shared(batch, row, ts),
                "told": told[row],
                "move": average[row],
                "demand": demand[row],
            }
            for s in there:
                self.series[s].decide(batch, row, shared, beliefs[row, s])
        if self.cast is None:
            self._learn_names(batch, len(batch))

    def _settle(self, batch: Batch, row: int) -> None:
        self._learn_names(batch, row + 1)
        self._names = names = tuple(name for name in batch.inputs if name in self._known)[
            :MOST_INPUTS
        ]
        self.cast = cast = settle(
            batch.voters[: batch.votes[row].shape[1]],
            self._members,
            names,
            len(self._symbols),
            self.beliefs.agents,
            self.beliefs.things(),
        )
        n = len(cast.voters)
        self._task = np.zeros(n)
        self._until, self._latest = np.zeros(n), 0.0
        self._places = {name: i for i, name in enumerate(cast.voters)}
        self.series = {
            s: Series(cast, s, len(names), self._learned and self._learned(cast, s))
            for s in self._watched
        }

    def _learn_names(self, batch: Batch, rows: int) -> None:
        """Which values of the market are known in the first rows: what comes later is no input."""
        for name, column in batch.inputs.items():
            if np.isfinite(column[:rows]).any():
                self._known[name] = None

    def _told(self, batch: Batch) -> Floats:
        """(T, inputs, S) of the market; a value that has gone is unknown."""
        rows, symbols = batch.present.shape
        told = np.full((rows, len(self._names), symbols), np.nan)
        for number, name in enumerate(self._names):
            if name in batch.inputs:
                told[:, number] = batch.inputs[name]
        return told

    def _shared(self, batch: Batch, row: int, ts: int) -> dict[str, Any]:
        """What agents do that all symbols have in common at a tick; each is told of messages."""
        cast = self.cast
        assert cast is not None
        n = len(cast.voters)
        stances = batch.votes[row][:, :n] - 0.5
        stances[np.isnan(stances)] = 0.0
        strength = np.abs(stances)
        best = strength.argmax(axis=0)
        self._task = np.where(strength.max(axis=0) > 0, best, self._task)
        received = self._messages(cast, batch.index + row, ts)
        if received is not None:
            for series in self.series.values():
                series.message(received)
        return {"stances": stances, "tasks": self._task}

    def _messages(self, cast: Cast, tick: int, ts: int) -> Floats | None:
        """(N,) direct messages since the tick before; one where an operator has a hand in it.
        None where there is nothing of either."""
        heard = bool(self._heard) and self._heard[0][0] <= ts
        touched = bool(self._touched) and self._touched[0][0] <= tick
        if not (heard or touched or tick < self._latest):
            return None
        count = np.zeros(len(cast.voters))
        while self._heard and self._heard[0][0] <= ts:
            _, name = self._heard.popleft()
            if name in self._places:
                count[self._places[name]] += 1.0
        while self._touched and self._touched[0][0] <= tick:
            _, name, until = self._touched.popleft()
            if name in self._places:
                self._until[self._places[name]] = until
        self._latest = float(self._until.max(initial=0.0))
        count += self._until > tick
        return count
