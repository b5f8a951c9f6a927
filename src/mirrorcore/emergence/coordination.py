"""Agents that act together more than what they share and their own habits explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.answers import AnswerErrors
from mirrorcore.emergence.detector import Array, Flags, family_of
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.indices import order_parameter
from mirrorcore.emergence.pairs import PairSums
from mirrorcore.emergence.sequential import EDetector

_BLOCK = 64
_LAGS = 3
_MEMORIES = (160.0, 400.0)
_BETS = (0.05, 0.1, 0.16)
_MARGIN = 0.03
_EARLY_MARGIN = 15.0
_MOOD = 2.0
_LEARN_FROM = 576
_BET_FROM = 960
_DIRECTIONS_EVERY = 256
_NEW_ENOUGH = 0.3
_MOST = 8.0
_SURE = 3.5
_MESSAGE_TAIL = 3
_CHANNELS = ("direction", "timing")
_NULL = (
    "given the market, the inputs each agent reads and its own past, agents act independently, up "
    f"to a residual correlation of {_MARGIN} a pair and whatever the run's own past showed"
)


class CoordinationDetector:
    """Bets that forecast errors of several agents go together, at lags 0 to 3.

    Errors are those of a regression of each agent's action, and of whether it acts at all, on the
    market, the inputs it reads (``static["subs"]``, (N, I)) and its own past. Which agents are bet
    on comes from earlier ticks; directions in which the errors went together before are left out.
    Ticks at which an agent received a direct message say nothing about it, and ticks unlike
    any that were learned from say nothing at all. Cost: O(N²) a block.

    A tick holds ``ret``, ``inputs`` (I), ``actions`` (N) in -1, 0, 1 and ``messages`` (N).
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        self._answers = AnswerErrors(
            "CoordinationDetector", static, _BLOCK, also="messages", early_refits=True
        )
        agents = self._answers.agents
        self._told = np.zeros((_MESSAGE_TAIL - 1, agents), dtype=bool)
        self._past = np.zeros((2, _LAGS, agents))
        self._pairs = PairSums(agents, len(_CHANNELS), _LAGS, _MEMORIES)
        # What is bet on: slots (a channel at a lag) x memories.
        slots = len(_CHANNELS) * (_LAGS + 1)
        self._left = np.zeros((slots, len(_MEMORIES), agents))
        self._right = np.zeros_like(self._left)
        self._ready = np.zeros((slots, len(_MEMORIES)), dtype=bool)
        self._evidence = EDetector(self._ready.size, _BETS, _BLOCK, 2 * _BLOCK, family_of(static))
        self._known = np.zeros((agents, agents), dtype=bool)

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        block = self._answers.take(tick)
        if block is None:
            return ()
        clean = block.errors * ~self._heard(block.also)
        lagged = np.concatenate([self._past, clean], axis=1)  # (2, lags + B, N)
        self._past = clean[:, -_LAGS:]
        worth = self._bet(clean, lagged) if block.seen > _BET_FROM else None
        if block.seen > _LEARN_FROM:
            slots = self._pairs.learn(clean, lagged, _DIRECTIONS_EVERY)
            self._left[slots], self._right[slots], new = self._pairs.aim(slots, self._known)
            self._ready[slots] = new > _NEW_ENOUGH
        if worth is not None and worth.mean() >= self._evidence.threshold:
            return self._raise(worth, block.actions)
        return ()

    def _heard(self, messages: Array) -> Flags:
        """Where an agent has just received a message, (B, N)."""
        long = np.concatenate([self._told, messages > 0])
        self._told = long[1 - _MESSAGE_TAIL :]
        size = len(messages)
        out: Flags = np.any([long[k : k + size] for k in range(_MESSAGE_TAIL)], axis=0)
        return out

    def _bet(self, clean: Array, lagged: Array) -> Array:
        """Worth of the stakes, one a slot and memory, after a block of errors (2, B, N)."""
        size = clean.shape[1]
        block = np.zeros((size, *self._ready.shape))
        # The fewer ticks the forecasts rest on, the more their mistakes have in common.
        least = _MARGIN + _EARLY_MARGIN / max(self._pairs.learned, 1)
        models = (self._answers.signed, self._answers.activity)
        for slot in np.flatnonzero(self._ready.any(axis=1)):
            channel, lag = divmod(int(slot), _LAGS + 1)
            left, right = self._left[slot], self._right[slot]
            now = clean[channel]
            then = lagged[channel, _LAGS - lag : _LAGS - lag + size]
            power = self._over_pairs(left**2, right**2) * (2.0 if lag == 0 else 1.0)
            # Slow moods of two agents agree for as long as they last, and by chance.
            wide_left, wide_right = np.abs(left), np.abs(right)
            mood = np.sqrt(models[channel].moods)
            margin = least * self._over_pairs(wide_left, wide_right)
            margin += _MOOD * self._over_pairs(wide_left * mood, wide_right * mood)
            for memory in np.flatnonzero(self._ready[slot] & (power > 1e-9)):
                gain = self._over_pairs(now * left[memory], then * right[memory]) - margin[memory]
                block[:, slot, memory] = np.minimum(gain / np.sqrt(power[memory]), _MOST)
        return self._evidence.update(block.reshape(size, -1))

    def _over_pairs(self, left: Array, right: Array) -> Array:
        """Sums of left times right, (.., N) each, over all pairs of two agents not known yet."""
        out: Array = left.sum(axis=-1) * right.sum(axis=-1) - (left * right).sum(axis=-1)
        members = np.flatnonzero(self._known.any(axis=1))
        if len(members):
            known = self._known[np.ix_(members, members)] & ~np.eye(len(members), dtype=bool)
            out -= ((left[..., members] @ known) * right[..., members]).sum(axis=-1)
        return out

    def _raise(self, worth: Array, actions: Array) -> Sequence[Finding]:
        slot, number = divmod(int(worth.argmax()), len(_MEMORIES))
        left, right, memory = self._left[slot, number], self._right[slot, number], _MEMORIES[number]
        channel, lag = divmod(slot, _LAGS + 1)
        together = self._pairs.recent(slot, number)
        np.fill_diagonal(together, 0.0)
        # How surely each agent goes with the others, in spreads of what chance would give it.
        size = np.sqrt(2.0 * memory / (1.0 + abs(left @ together @ right)))
        follows, leads = np.abs(together @ right), np.abs(left @ together)
        part = np.maximum(np.abs(left), np.abs(right))
        agents = np.flatnonzero((np.maximum(follows, leads) * size > _SURE) & (part > 0.15))
        self._evidence.reset()
        found = tuple(int(a) for a in agents)
        pairs = len(agents) * (len(agents) - 1)
        mean = float(np.abs(together[np.ix_(agents, agents)]).sum()) / max(pairs, 1)
        self._known[np.ix_(agents, agents)] = True
        tick = self._answers.tick
        evidence = {
            "lag": float(lag),
            "threshold_e": self._evidence.e_value(self._evidence.threshold),
            "pairs": pairs / 2,
        }
        if lag == 0 and pairs:
            # As they act together, the market's part included; over the last block.
            evidence["order_parameter"] = order_parameter(actions[:, agents])
        return (
            Finding(
                type="coordination",
                agents=found,
                effect=Effect(
                    f"residual correlation of {_CHANNELS[channel]}", mean, "a pair", "up"
                ),
                null=_NULL,
                window=(max(tick - int(memory), 0), tick),
                raised_at=tick,
                e=self._evidence.e_value(float(worth.mean())),
                summary=(
                    f"Agents {', '.join(map(str, found))} acted together"
                    f"{'' if lag == 0 else f', some {lag} ticks after others,'} more "
                    "than the shared market, their inputs and their own habits explain. This does "
                    "not show that they exchange information: a common input that is not logged "
                    "would look the same."
                ),
                evidence=evidence,
            ),
        )
