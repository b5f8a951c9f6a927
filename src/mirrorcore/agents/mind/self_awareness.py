"""SelfAwarenessAgent: whom the swarm may trust, who has changed, and how many opinions it has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import StateField, Tick, TickAgent
from mirrorcore.agents.mind.emotion import EmotionState, Surprise
from mirrorcore.agents.mind.opinions import Opinions
from mirrorcore.agents.parameters import Duration, duration, positive
from mirrorcore.agents.reading import Freshness, Pulse, halved, number
from mirrorcore.clock import DAY, HOUR
from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Floats

_PRIOR_SPREAD = 0.02
"""Spread of true information coefficients believed before there is evidence."""
_PERIODS = 24.0
_FORGET_DRIFT = 14 * DAY
_SUMS = ("n", "ic_xy", "ic_xx", "ic_yy")


class SelfAwarenessAgent(TickAgent):
    """Metacognition over the scored forecasts of every voter.

    Trust is the posterior mean of a voter's information coefficient IC (its probability saturates
    and ranks nobody). From sums that forget with half-life H, r = Σxy / sqrt(Σxx Σyy) with error
    sqrt(φ/n), φ >= 1 the dispersion of the periods' sums (votes on symbols that move together are
    not independent). Prior N(m, τ²) over the family of voters by the method of moments
    (DerSimonian and Laird, 1986; empirical Bayes), with three voters or more; else N(0, .02²).

    Drift is a cumulative sum against lost skill (Page, 1954). With IC0 the voter's own trust, or
    ``reference_ic``, and n standardised products x in a period:

        S' = max(0, S - IC0 (Σx - n IC0 / 2) / φ), at most 2h;  drift = min(1, S / h), alarm at 1

    Its mean delay after a loss is (h - 1) / (IC0² / 2) observations; it falls again when skill
    returns. A voter whose trust is below ``least_ic`` has nothing to lose and its S fades.

    Opinions: see :class:`~mirrorcore.agents.mind.opinions.Opinions`. Mood: what the shadow book
    earned against what was predicted, and how fear moves, appraised as emotions
    (:class:`~mirrorcore.agents.mind.emotion.EmotionState`). The mood is reported and gates nothing.

    Parameters
    ----------
    half_life: H.
    period: how often scores are appraised.
    threshold: h.
    reference_ic: IC0 of all voters; None takes each voter's own trust.
    least_ic: smallest |IC0| that is watched.
    fear: id of the agent whose fear moves the mood.
    emotion, mood: half-lives of the two.
    """

    kind: ClassVar[str] = "self_awareness"
    votes: ClassVar[bool | None] = False
    cadence_ns = HOUR
    agent_interests = ("all",)
    state: ClassVar[Mapping[str, StateField]] = {
        "trust": StateField(
            "posterior mean information coefficient", "correlation", -1, 1, "voters"
        ),
        "trust_error": StateField("posterior deviation of trust", "correlation", 0, 1, "voters"),
        "drift": StateField("evidence of lost skill, 1 is an alarm", "", 0, 1, "voters"),
        "opinions": StateField("effective number of independent voters", "voters", 0, np.inf),
        "coherence": StateField("0 all votes independent, 1 all alike", "", 0, 1),
        "m_herd": StateField("gate factor", "", 0, 1),
        "pleasure": StateField("mood: 1 pleased, -1 displeased", "", -1, 1),
        "arousal": StateField("mood: 1 excited, -1 calm", "", -1, 1),
        "dominance": StateField("mood: 1 in control, -1 helpless", "", -1, 1),
        "emotion": StateField("the emotion felt most", shape="text"),
        "intensity": StateField("of that emotion", "", 0, 1),
        "confidence": StateField("how fresh scores and votes are", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "SelfAwarenessAgent",
        *,
        half_life: Duration = "90d",
        period: Duration = "4h",
        threshold: float = 4.6,
        reference_ic: float | None = None,
        least_ic: float = 0.003,
        fear: str = "FearAnalyzer",
        emotion: Duration = "8h",
        mood: Duration = "3d",
    ) -> None:
        super().__init__(agent_id, ("performance",))
        self.half_life_ns = duration(half_life, "half_life")
        self.period_ns = duration(period, "period")
        self.threshold = positive(threshold, "threshold")
        self.reference_ic = reference_ic
        if reference_ic is not None:
            positive(reference_ic, "reference_ic")
        self.least_ic = positive(least_ic, "least_ic")
        self.fear = fear
        self.emotion_ns = duration(emotion, "emotion")
        self.mood_ns = duration(mood, "mood")
        if self.emotion_ns == self.mood_ns:
            raise ConfigError(
                "emotion and mood have one half-life", hint="an emotion passes faster than a mood"
            )

    def prepare(self) -> None:
        voters = len(self.context.voters)
        self._pulse = Pulse(self.period_ns)
        self._fresh = Freshness(7 * DAY, scores=1.0, votes=1.0)
        self._opinions = Opinions(voters, len(self.context.symbols))
        self._last: Floats = np.full((len(_SUMS), voters), np.nan)
        self._sums: Floats = np.zeros((len(_SUMS), voters))
        self._spread: Floats = np.zeros((2, voters))  # Σ (Σx - n IC)², Σ n
        self._cusum: Floats = np.zeros(voters)
        self._trust: Floats = np.zeros(voters)
        self._error: Floats = np.full(voters, _PRIOR_SPREAD)
        self._phi: Floats = np.ones(voters)
        self._appraised = 0
        self._emotion = EmotionState(self.emotion_ns, self.mood_ns)
        self._surprise = Surprise(self.context.bar_ns)
        self._fear = math.nan
        self._felt = 0

    def remember(self) -> dict[str, Any]:
        return {
            "pulse": self._pulse.checkpoint(),
            "fresh": self._fresh.checkpoint(),
            "opinions": self._opinions.checkpoint(),
            "arrays": [self._last, self._sums, self._spread],
            "voters": [self._cusum, self._trust, self._error, self._phi],
            "appraised": self._appraised,
            "emotion": self._emotion.checkpoint(),
            "surprise": self._surprise.checkpoint(),
            "fear": self._fear,
            "felt": self._felt,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._pulse.restore(memory["pulse"])
        self._fresh.restore(memory["fresh"])
        self._opinions.restore(memory["opinions"])
        self._last, self._sums, self._spread = memory["arrays"]
        self._cusum, self._trust, self._error, self._phi = memory["voters"]
        self._appraised = memory["appraised"]
        self._emotion.restore(memory["emotion"])
        self._surprise.restore(memory["surprise"])
        self._fear, self._felt = memory["fear"], memory["felt"]

    def _analyze(self, tick: Tick) -> Mapping[str, Any]:
        self._emotion.pass_time(tick.ts - self._felt if self._felt else 0)
        self._felt = tick.ts
        if self._pulse.beats(tick.ts):
            elapsed = tick.ts - self._appraised if self._appraised else 0
            self._appraised = tick.ts
            self._grow(len(self.context.voters))
            self._appraise(tick, elapsed)
            self._feel(tick, elapsed)
            if self._opinions.hear(tick, self.context, elapsed, self.period_ns):
                self._fresh.saw("votes", tick.ts)
        pleasure, arousal, dominance = self._emotion.mood.tolist()
        emotion, intensity = self._emotion.strongest
        return {
            "trust": self._trust,
            "trust_error": self._error,
            "drift": np.minimum(self._cusum / self.threshold, 1.0),
            "opinions": self._opinions.usual,
            "coherence": self._opinions.coherence,
            "m_herd": self._opinions.factor,
            "pleasure": pleasure,
            "arousal": arousal,
            "dominance": dominance,
            "emotion": emotion,
            "intensity": intensity,
            "confidence": self._fresh.value(tick.ts),
        }

    def _feel(self, tick: Tick, elapsed: int) -> None:
        equity = number(tick.performance, "shadow_equity")
        volatility = number(tick.performance, "shadow_volatility")
        view = tick.state(self.fear)
        fear = math.nan if view is None or view.stale else number(view.state, "fear")
        surprise = self._surprise.after(equity, volatility, elapsed)
        self._emotion.appraise(surprise, fear, self._fear)
        self._fear = fear

    def _grow(self, voters: int) -> None:
        """Room for voters that have joined at the end; what is known of the others stays."""
        more = voters - len(self._cusum)
        if more <= 0:
            return
        wider = ((0, 0), (0, more))
        self._last = np.pad(self._last, wider)
        self._sums = np.pad(self._sums, wider)
        self._spread = np.pad(self._spread, wider)
        self._cusum = np.pad(self._cusum, (0, more))
        self._trust = np.pad(self._trust, (0, more))
        self._error = np.pad(self._error, (0, more), constant_values=_PRIOR_SPREAD)
        self._phi = np.pad(self._phi, (0, more), constant_values=1.0)
        self._opinions.grow(voters)

    def _appraise(self, tick: Tick, elapsed: int) -> None:
        kept = halved(elapsed, self.half_life_ns)
        added = self._added(tick, len(self.context.voters))
        self._spread = kept * self._spread
        if added is None:
            self._sums = kept * self._sums
        else:
            self._fresh.saw("scores", tick.ts)
            products = self._products(added)
            self._watch(added[0], products, elapsed)
            self._sums = kept * self._sums + added
            surprise = products - added[0] * self._raw_ic()
            self._spread = self._spread + np.array((surprise * surprise, added[0]))
        self._judge()

    def _added(self, tick: Tick, voters: int) -> Floats | None:
        """(4, N) what the scores of the voters gained since the last look; None while unknown."""
        rows = []
        for name in _SUMS:
            row = tick.performance.get(f"score_{name}")
            if not isinstance(row, np.ndarray) or row.shape != (voters + 1,):
                return None
            if row.dtype.kind not in "fiu":
                return None
            rows.append(row[:-1])
        total = np.array(rows, dtype=np.float64)
        if not np.isfinite(total).all():
            return None
        last, self._last = self._last, total
        if np.isnan(last).any() or not voters:
            return None if not voters else np.zeros_like(total)
        change = np.clip(total - last, -1e12, 1e12)
        # A voter whose counts shrank was started anew.
        change[:, (change[0] < 0) | (change[2] < 0) | (change[3] < 0)] = 0.0
        return change

    def _products(self, added: Floats) -> Floats:
        """(N,) sum of the period's standardised products; its mean is n IC, its variance n φ."""
        n, _, xx, yy = self._sums
        scale = np.sqrt(xx) * np.sqrt(yy)
        usable = (scale > 0) & (n > 0)
        products = np.divide(added[1] * n, scale, out=np.zeros_like(scale), where=usable)
        limit = 4.0 * added[0]
        bounded: Floats = np.clip(products, -limit, limit)
        return bounded

    def _raw_ic(self) -> Floats:
        """(N,) decayed correlation, 0 without evidence."""
        scale = np.sqrt(self._sums[2]) * np.sqrt(self._sums[3])
        raw = np.divide(self._sums[1], scale, out=np.zeros_like(scale), where=scale > 0)
        bounded: Floats = np.clip(raw, -1.0, 1.0)
        return bounded

    def _dispersion(self) -> Floats:
        """(N,) φ with a prior of 1 worth 24 periods of the usual size."""
        spread, count = self._spread
        prior = np.where(count > 0, count, 1.0) * (_PERIODS / self._periods())
        dispersion: Floats = np.maximum(1.0, (spread + prior) / (count + prior))
        return dispersion

    def _periods(self) -> float:
        """Periods the sums effectively hold."""
        return 1.4427 * self.half_life_ns / self.period_ns

    def _judge(self) -> None:
        """Trust: posterior mean and deviation of each information coefficient."""
        self._phi = self._dispersion()
        precision = np.maximum(self._sums[0], 0.0) / self._phi
        raw = self._raw_ic()
        center, spread = _family(raw, precision)
        believed = 1.0 / (spread * spread)
        total = precision + believed
        self._trust = np.clip((precision * raw + center * believed) / total, -1.0, 1.0)
        self._error = 1.0 / np.sqrt(total)

    def _watch(self, n: Floats, products: Floats, elapsed: int) -> None:
        """Move the cumulative sums by one period."""
        reference = self._trust
        if self.reference_ic is not None:
            reference = np.full_like(self._trust, self.reference_ic)
        evidence = -reference * (products - 0.5 * n * reference) / self._phi
        watched = np.abs(reference) >= self.least_ic
        faded = self._cusum * halved(elapsed, _FORGET_DRIFT)
        moved = np.where(watched, self._cusum + evidence, faded)
        self._cusum = np.clip(moved, 0.0, 2.0 * self.threshold)


def _family(raw: Floats, precision: Floats) -> tuple[float, float]:
    """Mean and spread of the true coefficients in the family (DerSimonian and Laird, 1986)."""
    scored = precision > 0
    count = int(np.count_nonzero(scored))
    if count < 3:
        return 0.0, _PRIOR_SPREAD
    weights, values = precision[scored], raw[scored]
    total = float(np.sum(weights))
    center = float(np.sum(weights * values)) / total
    excess = float(np.sum(weights * (values - center) ** 2)) - (count - 1)
    room = total - float(np.sum(weights * weights)) / total
    variance = excess / room if room > 0 else 0.0
    spread = math.sqrt(max(variance, 0.0))
    return center, max(spread, 0.1 * _PRIOR_SPREAD)
