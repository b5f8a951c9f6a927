"""What agents did that nothing they share and no habit of theirs forecasts, block by block.

The part that coordination and drift have in common: ticks are read and gathered into blocks, and of
each block the forecast errors of what every agent did, and of whether it acted at all, are taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.emergence.clockwork import Clockwork
from mirrorcore.emergence.detector import Array, TickReader, static_value
from mirrorcore.emergence.market_features import MarketFeatures
from mirrorcore.emergence.response import ResponseModel
from mirrorcore.errors import UsageError

_CLIP = 3.0
_STRANGE = 3.0
_REFIT_EVERY = 128
_EARLY = 1024


@dataclass(frozen=True)
class AnswerBlock:
    """Errors of a block of B ticks, N agents, in units of their usual spread.

    ``errors`` (2, B, N): of the signed action and of activity, clipped, zero at ticks unlike any
    learned from; ``usable`` (B,) says where they are not. ``actions`` (B, N) are what the errors
    are of, ``rows`` (B, P) the market features, ``index`` (B, N) what each agent makes of them,
    ``also`` (B, N) the further key that was asked for. ``seen`` counts the ticks up to the end of
    the block.
    """

    errors: Array
    usable: Array
    actions: Array
    rows: Array
    index: Array
    also: Array
    seen: int


class AnswerErrors:
    """Takes ticks with ``ret``, ``inputs`` (I), ``actions`` (N) in -1..1 and the key ``also`` (N).

    ``lean``: a shorter list of market features. ``delay``: how many refits the newest ticks wait to
    be learned. ``early_refits``: every block of the first ticks is learned at once.
    ``settled``: see :class:`~mirrorcore.emergence.response.ResponseModel`.
    """

    def __init__(
        self,
        name: str,
        static: Mapping[str, Any],
        block: int,
        *,
        also: str,
        lean: bool = False,
        delay: int = 0,
        early_refits: bool = False,
        settled: float = math.inf,
    ) -> None:
        subs = np.asarray(static_value(static, name, "subs"), dtype=np.float64)
        if subs.ndim != 2:
            raise UsageError(
                f"{name}: static['subs'] is not an (agents, inputs) array",
                hint="give one row an agent, 1 where it reads the input",
            )
        self.agents, inputs = subs.shape
        self.features = MarketFeatures(inputs)
        owner = self.features.owner
        # A column more that nobody reads: there may be no inputs at all.
        read = np.pad(subs, ((0, 0), (0, 1)))
        readable = np.where(owner[None, :] < 0, 1.0, read[:, np.maximum(owner, 0)] != 0)
        used = self.features.lean if lean else np.ones(len(owner), dtype=bool)
        self._columns = np.flatnonzero(used)
        self.signed, self.activity = (
            ResponseModel(readable[:, used], absolute=absolute, delay=delay, settled=settled)
            for absolute in (False, True)
        )
        self.tick = -1
        """Number of the last tick taken, counted from 0."""
        self._name, self._also, self._size = name, also, block
        self._early_refits = early_refits
        self._reader = TickReader(name, {"agents": self.agents, "inputs": inputs})
        self._clock = Clockwork()
        self._gathered: list[tuple[float, Array, Array, Array]] = []

    def take(self, tick: Mapping[str, Any]) -> AnswerBlock | None:
        """The block that this tick completes, once there is a forecast. Raises UsageError."""
        change = self._reader.number(tick, "ret")
        inputs = self._reader.array(tick, "inputs", "inputs")
        actions = self._reader.array(tick, "actions", "agents")
        also = self._reader.array(tick, self._also, "agents")
        if np.abs(actions).max(initial=0.0) > 1.0:
            raise UsageError(
                f"{self._name}: tick['actions'] holds a value outside -1 to 1",
                hint="give -1 for selling, 0 for nothing, 1 for buying",
            )
        self.tick += 1
        self._gathered.append((change, inputs, actions, also))
        if len(self._gathered) < self._size:
            return None
        block = [np.array(column) for column in zip(*self._gathered, strict=True)]
        self._gathered.clear()
        return self._block(*block)

    def _block(
        self, returns: Array, inputs: Array, actions: Array, also: Array
    ) -> AnswerBlock | None:
        settled = self.features.settled
        rows = self.features.rows(returns, inputs)
        told = rows[:, self._columns]
        fitted = self.signed.fitted
        index = self.signed.index(told)
        acts = np.abs(actions)
        clock = self._clock.rows(acts)
        if not settled:
            return None
        usable = (self.signed.strangeness(told) < _STRANGE).astype(np.float64)
        errors = np.empty((2, *actions.shape))
        errors[0] = self.signed.errors(told, actions, index, clock)
        errors[1] = self.activity.errors(told, acts, index, clock, self.signed.lean)
        seen = self.tick + 1
        if seen % _REFIT_EVERY == 0 or (self._early_refits and seen < _EARLY):
            self.signed.refit()
            self.activity.refit()
        if not fitted:
            return None
        errors = np.clip(errors, -_CLIP, _CLIP) * usable[:, None]
        return AnswerBlock(errors, usable, actions, rows, index, also, seen)
