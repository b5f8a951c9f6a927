"""MacroWatcher: what the market does in the hours after a macro release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSums, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.moves import MoveReader
from mirrorcore.agents.analysts.votes import CLIP, Arrivals, row_mean, stated
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, positive, within
from mirrorcore.market.block import Bools, Floats, Ints

_FEW = 8.0
"""Releases before their usual size is known."""


class MacroWatcher(FilteredAgent):
    """Drift of the whole market after the surprise of a release.

    Prices jump at a release; what can still be earned is the slower drift after it (Andersen,
    Bollerslev, Diebold and Vega, 2003; Bernard and Thomas, 1989, for earnings). With x the surprise
    in units of the rms of past surprises and y the mean over symbols of each bar's return in units
    of its volatility, over the bars that begin within ``window`` after the release:

        b = Σxy / Σxx            t = b / sqrt(σ² / Σxx),   σ² = Σyy / n

    with a memory of ``memory``. The vote is for all symbols the same, a bet on their common factor:
    log-odds k x (1 - c²/t²) sign(t) while |t| > c, else none (a positive-part James-Stein factor,
    1961, made strict). A year of weekly releases with a drift of .3 % against a factor of 81 % a
    year is worth one standard error: this agent speaks late, because it is hard to know.

    A value counts from the instant it became available, its first row; the bar of the release
    itself is not drift. A revision is a record with an instant of its own and news then; what was
    known before it is never rewritten.

    Parameters
    ----------
    window: how long after a release the drift lasts.
    memory: half-life of the sums.
    least_evidence: c, in standard errors.
    strength: k, log-odds per standard deviation of surprise.
    stale_after: age of the last release beyond which the feed counts as silent.
    series: name within ``macro``.
    """

    kind: ClassVar[str] = "macro_watcher"
    votes: ClassVar[bool | None] = True
    parts = ("_reader", "_arrivals", "_sizes", "_sums", "_held")
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the price rises", "probability", 0, 1, "symbols", True
        ),
        "surprise": StateField("last release", "rms", -CLIP, CLIP),
        "event_window": StateField("1 while a release may still be moving the market", "", 0, 1),
        "risk_on": StateField("surprise times its believed effect, in the window", "", -1, 1),
        "drift": StateField("t statistic of the drift after releases", "sd", -1e6, 1e6),
        "confidence": StateField("share of symbols with a live feed", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "MacroWatcher",
        *,
        window: Duration = "6h",
        memory: Duration = "3650d",
        least_evidence: float = 2.0,
        strength: float = 0.08,
        stale_after: Duration = "14d",
        series: str = "surprise",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk", "macro"))
        self.window_ns = duration(window, "window")
        self.memory_ns = duration(memory, "memory")
        self.least_evidence = within(least_evidence, 0.0, 10.0, "least_evidence")
        self.strength = positive(strength, "strength")
        self.stale_after_ns = duration(stale_after, "stale_after")
        self.series = series

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._reader = MoveReader(symbols, self.context.bar_ns)
        self._arrivals = Arrivals(symbols)
        self._sizes = DecayedSums(self.memory_ns, 1, "square", "count")
        self._sums = DecayedSums(self.memory_ns, 1, "xy", "xx", "yy", "n")
        self._held: Floats = np.zeros(1)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        ts = block.ts
        value = np.clip(block.value("macro", self.series), -1e12, 1e12)
        known = np.isfinite(value)
        stamps = np.where(known, block.known_at("macro", self.series), 0)
        new, age, _ = self._arrivals(ts, stamps)
        live = known & (age >= 0) & (age <= self.stale_after_ns)
        z: Floats = self._standardised(ts, value, known, new)
        within_window = np.asarray((live & (age < self.window_ns)).any(axis=1))
        x: Floats = np.where(within_window, z, 0.0)
        t = self._evidence(block, x)
        size = np.maximum(np.abs(t), 1e-12)
        least = self.least_evidence
        believed: Floats = np.where(size > least, 1.0 - (least / size) ** 2, 0.0) * np.sign(t)
        pull: Floats = x * believed
        score = np.repeat(pull[:, np.newaxis], block.shape[1], axis=1)
        risk_on: Floats = np.clip(pull / CLIP, -1.0, 1.0)
        return {
            "forecast": stated(score, self.strength, live),
            "surprise": z,
            "event_window": within_window.astype(np.float64),
            "risk_on": risk_on,
            "drift": np.clip(t, -1e6, 1e6),
            "confidence": row_mean(live.astype(np.float64)),
        }

    def _standardised(self, ts: Ints, value: Floats, known: Bools, new: Bools) -> Floats:
        """(T,) the surprise in force over the rms of all so far, 0 before there are a few."""
        shown = row_mean(known.astype(np.float64))
        raw = ratio(row_mean(np.where(known, value, 0.0)), shown)
        released = np.asarray(new.any(axis=1), dtype=np.float64)
        power: Floats = released * raw * raw
        square = self._sizes("square", ts, power[:, np.newaxis])[:, 0]
        count = self._sizes("count", ts, released[:, np.newaxis])[:, 0]
        rms = np.sqrt(ratio(square, count))
        usable = (count >= 0.9 * _FEW) & (rms > 1e-12)
        return np.clip(np.where(usable, ratio(raw, rms), 0.0), -CLIP, CLIP)

    def _evidence(self, block: BlockInput, x: Floats) -> Floats:
        """(T,) t statistic of the drift, 0 without evidence; ``x`` is 0 outside windows."""
        moves = self._reader(block)
        shown = row_mean(moves.new.astype(np.float64))
        y: Floats = ratio(row_mean(moves.size), shown)
        # What a bar earns is held against what was known before it began.
        before = np.concatenate([self._held, x[:-1]])
        self._held = x[-1:].copy()
        counted = ((before != 0.0) & (shown > 0.0)).astype(np.float64)
        one = np.ones_like(y)
        product: Floats = before * y
        squares: Floats = before * before
        power: Floats = y * y
        parts: dict[str, Floats] = {"xy": product, "xx": squares, "yy": power, "n": one}
        sums = {
            name: self._sums(name, block.ts, (counted * part)[:, np.newaxis])[:, 0]
            for name, part in parts.items()
        }
        variance = ratio(sums["yy"], sums["n"])
        return ratio(sums["xy"], np.sqrt(sums["xx"] * variance))
