"""Agents that answer the same market otherwise than they used to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.answers import AnswerErrors
from mirrorcore.emergence.detector import Array, family_of, static_value
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.sequential import EDetector

_BLOCK = 32
_MEMORIES = (120.0, 480.0)
_RIDGE = 20.0
_MARGINS = (0.08, 0.08, 0.05)
_MOOD = 1.6
_LEANS = ((0.1,), (0.5,))  # that say nothing: of its errors, and of its response
_HELD = 0.2
_MOST = 0.6
_DELAY = 2
_ENOUGH = 384
_BET_FROM = 1536
_USUAL_FADES = 3000.0
_MISFIT_FADES = 3.0
_OTHERS = 0.75
_COMMON = 1.5
_GAIN_SPAN = 256.0
_GAIN_GAP = 32
_SILENCE = 4000
_ASPECTS = ("what it reacts to", "how strongly it reacts", "how often it acts")
_NULL = (
    "given the market, its inputs and its own past, the agent acts as in its own past, up to "
    f"{_MARGINS[0]} standard deviations and what moved a quarter of the agents"
)


class BehaviorDriftDetector:
    """Bets that an agent's forecast errors can be forecast from what it reacts to.

    The forecast is a regression of the action (and of whether there is one) on market, inputs read
    (``static["subs"]``, (N, I)) and own past, learned from all ticks before; up to
    ``static["baseline_end"]`` nothing is claimed. What of recent errors a short list of features
    explains is bet on in the next ticks. A change of the market itself moves many agents: what such
    bets gain from the upper quarter of them is taken off everyone's.

    A tick holds ``ret``, ``inputs`` (I), ``actions`` (N) in -1..1 and ``confidence`` (N).
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        name = "BehaviorDriftDetector"
        self._baseline_end = int(static_value(static, name, "baseline_end"))
        self._answers = AnswerErrors(
            name,
            static,
            _BLOCK,
            also="confidence",
            lean=True,
            delay=_DELAY,
            settled=max(self._baseline_end, _BET_FROM),
        )
        agents = self._answers.agents
        core = int(self._answers.features.core.sum())
        kinds, memories = len(_ASPECTS), len(_MEMORIES)
        self._grams = np.zeros((memories, core, core))
        self._crosses = np.zeros((memories, core, agents))
        self._shifts = np.zeros((memories, core, agents))
        self._powers = np.zeros((memories, 2, agents))
        self._sums = np.zeros((memories, 2, agents))
        self._leans = np.zeros((memories, 2, agents))
        self._gains = np.zeros((kinds, memories, agents))
        self._blocks = 0
        self._late_gains: list[Array] = []
        self._usual = np.zeros((kinds, memories, agents))
        # One e-detector whose statistics are aspects x memories x agents, averaged.
        self._evidence = EDetector(
            agents * kinds * memories, (1.0,), _BLOCK, 4 * _BLOCK, family_of(static)
        )
        self._silent_until = np.zeros(agents)

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        block = self._answers.take(tick)
        if block is None or self._answers.signed.learned < _ENOUGH:
            return ()
        core = block.rows[:, self._answers.features.core] * block.usable[:, None]
        single = np.stack([np.tanh(block.index), np.ones_like(block.index)])
        single *= block.usable[:, None]
        live = block.seen > max(self._baseline_end, _BET_FROM)
        worth = self._bet(core, single, block.errors, live=live)
        self._learn(core, single, block.errors, block.index)
        if worth is not None and worth.mean() >= self._evidence.threshold:
            return self._raise(worth)
        return ()

    def _bet(self, core: Array, single: Array, errors: Array, *, live: bool) -> Array | None:
        block = np.empty((_BLOCK, *self._gains.shape))
        # A slow mood of an agent's own bends its answers for as long as it lasts.
        mood = np.sqrt(self._answers.signed.moods)
        margin = np.array(_MARGINS)[:, None] + _MOOD * mood
        # In a small swarm the few that drift may not be taken for what moves them all.
        agents = self._answers.agents
        place = max(min(int(_OTHERS * agents), agents - 4), (agents - 1) // 2)
        least = margin
        for memory in range(len(_MEMORIES)):
            # One who leans to one side, or is held at one side by what it reads, acts more often.
            sided, held = np.maximum(np.abs(self._leans[memory]) - _LEANS, 0.0)
            margin = least + np.stack([0.0 * sided, sided, sided]) + _HELD * held
            alone = self._sums[memory] / (self._powers[memory] + _RIDGE)
            expected = np.stack([core @ self._shifts[memory], *(single * alone[:, None, :])])
            size = np.clip(np.abs(expected) - margin[:, None, :], 0.0, _MOST)
            bet = np.sign(expected) * size
            gain = bet * np.stack([errors[0], errors[0], errors[1]])
            common = _COMMON * np.partition(self._gains[:, memory], place, axis=1)[:, place]
            usual = np.maximum(self._usual[:, memory], common[:, None])
            paid = gain - margin[:, None, :] * size - usual[:, None, :]
            block[:, :, memory] = paid.transpose(1, 0, 2)
            seen = gain.mean(axis=1) - self._gains[:, memory]
            self._gains[:, memory] += seen * _BLOCK / _GAIN_SPAN
        # The most that such bets have gained from this agent before: its own way of varying.
        self._late_gains.append(self._gains.copy())
        self._blocks += 1
        if len(self._late_gains) > min(_GAIN_GAP, self._blocks // 2):
            # What a forecast that rested on few ticks did badly, it does better by now: its misfit
            # beyond the margins falls faster than the ticks it rests on grow.
            fade = max(1.0 / _USUAL_FADES, _MISFIT_FADES / self._answers.signed.learned)
            self._usual *= np.exp(-_BLOCK * fade)
            self._usual = np.maximum(self._usual, self._late_gains.pop(0))
        if not live:
            return None
        block[:, :, :, self._silent_until > self._answers.tick] = 0.0
        worth = self._evidence.update(block.reshape(_BLOCK, -1))
        return worth.reshape(self._gains.shape)

    def _learn(self, core: Array, single: Array, errors: Array, index: Array) -> None:
        for memory, span in enumerate(_MEMORIES):
            keep = np.exp(-_BLOCK / span)
            gram, cross = self._grams[memory], self._crosses[memory]
            gram *= keep
            gram += core.T @ core
            cross *= keep
            cross += core.T @ errors[0]
            self._shifts[memory] = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), cross)
            self._powers[memory] *= keep
            self._powers[memory] += (single**2).sum(axis=1)
            self._sums[memory] *= keep
            self._sums[memory] += (single * errors).sum(axis=1)
            self._leans[memory] *= keep
            self._leans[memory] += (1.0 - keep) * np.stack([errors[0], index]).mean(axis=1)

    def _raise(self, worth: Array) -> Sequence[Finding]:
        by_agent = worth.mean(axis=(0, 1))
        # Agents without which the sum would still be a finding stay unnamed.
        agent = int(by_agent.argmax())
        aspect, memory = np.unravel_index(worth[:, :, agent].argmax(), worth.shape[:2])
        self._evidence.forget(range(agent, worth.size, self._answers.agents))
        self._silent_until[agent] = self._answers.tick + _SILENCE
        effect = float(np.sqrt(max(self._gains[aspect, memory, agent], 0.0)))
        return (
            Finding(
                type="drift",
                agents=(agent,),
                effect=Effect(f"change of {_ASPECTS[aspect]}", effect, "sd of its own noise", "up"),
                null=_NULL,
                window=(max(self._answers.tick - int(_MEMORIES[memory]), 0), self._answers.tick),
                raised_at=self._answers.tick,
                e=self._evidence.e_value(float(worth.mean())),
                summary=(
                    f"Agent {agent} no longer answers the market and its inputs as it did: "
                    f"{_ASPECTS[aspect]} can be forecast better from its last "
                    f"{int(_MEMORIES[memory])} ticks than from all before. This does not say "
                    "whether the new behaviour is better, or what changed it."
                ),
                evidence={"threshold_e": self._evidence.e_value(self._evidence.threshold)},
            ),
        )
