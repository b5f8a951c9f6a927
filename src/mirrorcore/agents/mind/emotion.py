"""What the swarm feels: emotions of hours over a mood of days over a temperament that stays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mirrorcore.agents.reading import clipped, halved
from mirrorcore.market.block import Floats

EMOTIONS: dict[str, tuple[float, float, float]] = {
    "joy": (0.40, 0.20, 0.10),
    "relief": (0.20, -0.30, 0.40),
    "disappointment": (-0.30, 0.10, -0.40),
    "fears confirmed": (-0.50, -0.30, -0.70),
    "hope": (0.20, 0.20, -0.10),
    "fear": (-0.64, 0.60, -0.43),
}
"""Pleasure, arousal, dominance of each emotion at full intensity, after ALMA (Gebhard, 2005)."""

AFRAID = 0.5
"""Fear above which a gain is a relief and a loss what was feared."""
_FULL = 3.0
"""Surprise, in deviations, of full intensity."""
_NOTICED = 0.01


class EmotionState:
    """Emotions as answers to prediction errors, in pleasure, arousal and dominance.

    The space is Mehrabian's (1996), the layers those of ALMA (Gebhard, 2005), the appraisals those
    of Ortony, Clore and Collins (1988) for events that were hoped for or feared:

    * what was earned beyond what was predicted, over its deviation, is the surprise s; intensity is
      min(1, |s| / 3). A gain is joy, or relief for who was afraid; a loss is a disappointment, or
      fears confirmed.
    * fear that rises is fear, fear that falls is hope; intensity is by how much.

    With E the emotion, M the mood, M0 the temperament, k how far a lasting emotion moves the mood:

        dE/dt = -λ_e E,    dM/dt = -λ_m (M - M0) + λ_m k E,    E jumps by each appraisal

    solved exactly, so that it does not matter how often one looks; all within [-1, 1].

    Parameters
    ----------
    emotion_ns, mood_ns: half-lives ln 2 / λ_e and ln 2 / λ_m; they differ.
    temperament: M0.
    weight: k, 0..1.
    """

    def __init__(
        self,
        emotion_ns: int,
        mood_ns: int,
        temperament: tuple[float, float, float] = (0.0, 0.0, 0.0),
        weight: float = 0.5,
    ) -> None:
        self.emotion_ns = emotion_ns
        self.mood_ns = mood_ns
        self._weight = weight * emotion_ns / (emotion_ns - mood_ns)
        self._temperament: Floats = np.array(temperament)
        self.emotion: Floats = np.zeros(3)
        self.mood: Floats = self._temperament.copy()
        self._intensities = dict.fromkeys(EMOTIONS, 0.0)

    def pass_time(self, elapsed_ns: int) -> None:
        """Let emotions fade and the mood follow them."""
        left, stays = halved(elapsed_ns, self.emotion_ns), halved(elapsed_ns, self.mood_ns)
        moved = self._weight * (left - stays) * self.emotion
        mood = self._temperament + stays * (self.mood - self._temperament) + moved
        self.mood = np.clip(mood, -1.0, 1.0)
        self.emotion = left * self.emotion
        self._intensities = {name: left * felt for name, felt in self._intensities.items()}

    def appraise(self, surprise: float, fear: float, fear_before: float) -> None:
        """Feel about a result and about what may come; NaN says nothing.

        ``surprise`` in deviations, ``fear`` now and at the last appraisal in 0..1.
        """
        if not math.isnan(surprise):
            afraid = fear_before > AFRAID
            gain, loss = ("relief", "fears confirmed") if afraid else ("joy", "disappointment")
            self._feel(gain if surprise > 0 else loss, abs(surprise) / _FULL)
        change = fear - fear_before
        if not math.isnan(change):
            self._feel("fear" if change > 0 else "hope", abs(change))

    def _feel(self, name: str, intensity: float) -> None:
        intensity = clipped(intensity, 0.0, 1.0)
        self.emotion = np.clip(self.emotion + intensity * np.array(EMOTIONS[name]), -1.0, 1.0)
        self._intensities[name] = min(1.0, self._intensities[name] + intensity)

    @property
    def strongest(self) -> tuple[str, float]:
        """The emotion felt most and how much, 0..1; ``none`` where it can hardly be noticed."""
        name = max(self._intensities, key=self._intensities.__getitem__)
        felt = self._intensities[name]
        return (name, felt) if felt >= _NOTICED else ("none", 0.0)

    def checkpoint(self) -> dict[str, Any]:
        return {
            "emotion": self.emotion,
            "mood": self.mood,
            "intensities": dict(self._intensities),
        }

    def restore(self, memory: dict[str, Any]) -> None:
        self.emotion, self.mood = memory["emotion"], memory["mood"]
        self._intensities = dict(memory["intensities"])


class Surprise:
    """How far a book's result was from what was predicted of it, in deviations.

    Predicted is no gain, with the book's own volatility: nothing better is known of a book whose
    conviction is already in its size.

    Parameters
    ----------
    bar_ns: what the volatility is quoted for.
    """

    def __init__(self, bar_ns: int) -> None:
        self._bar_ns = bar_ns
        self._equity = math.nan

    def after(self, equity: float, volatility: float, elapsed_ns: int) -> float:
        """Surprise since the last look, NaN while unknown or where nothing was at stake."""
        before = self._equity
        if not equity > 0.0:
            return math.nan
        self._equity = equity
        if not (before > 0.0 and volatility > 0.0 and elapsed_ns > 0):
            return math.nan
        usual = volatility * math.sqrt(elapsed_ns / self._bar_ns)
        change = math.log(equity / before)
        return clipped(change / usual, -1e6, 1e6) if change != 0.0 else math.nan

    def checkpoint(self) -> float:
        return self._equity

    def restore(self, equity: float) -> None:
        self._equity = equity
