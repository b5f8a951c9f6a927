"""DataSentry: how far each symbol's feed can be believed right now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mirrorcore.agents.analysts.decayed import DecayedSum, ratio
from mirrorcore.agents.analysts.filtered import FilteredAgent
from mirrorcore.agents.analysts.votes import Arrivals, bar_stamps, row_mean
from mirrorcore.agents.base import BlockInput, StateField
from mirrorcore.agents.parameters import Duration, duration, within
from mirrorcore.errors import ConfigError
from mirrorcore.market.block import Floats, Ints
from mirrorcore.market.records import Flag

DOUBTFUL = (
    Flag.PROVISIONAL
    | Flag.STALE
    | Flag.OUT_OF_ORDER
    | Flag.DUPLICATE
    | Flag.OUTLIER
    | Flag.REPAIRED
    | Flag.ZERO_VOLUME_MOVE
    | Flag.STALE_VALUE
)
"""Flags that put a bar's values in doubt; the others only say where it came from or what is odd."""


class DataSentry(FilteredAgent):
    """Quality of a feed as presence times soundness times freshness, each 0..1.

        presence  = bars that came / bars that should have come, decayed with half-life H
        soundness = 1 - doubtful bars / bars, decayed likewise
        freshness = 2^(-overdue / (N bars)), overdue being the age beyond one bar

    A symbol halts when its newest bar is older than N bars, or never came.

    Parameters
    ----------
    half_life: H.
    halt_after: N, in bars.
    """

    kind: ClassVar[str] = "data_sentry"
    votes: ClassVar[bool | None] = False
    parts = ("_came", "_doubtful", "_arrivals", "_start")
    state: ClassVar[Mapping[str, StateField]] = {
        "feed_quality": StateField("how far the feed can be believed", "", 0, 1, "symbols"),
        "stale_ns": StateField("age of the newest bar", "ns", 0, np.inf, "symbols"),
        "halt": StateField("1 where the feed is too old to trade on", "", 0, 1, "symbols"),
        "doubt": StateField("share of doubtful bars", "", 0, 1, "symbols"),
        "confidence": StateField("mean quality of all feeds", "", 0, 1),
    }

    def __init__(
        self,
        agent_id: str = "DataSentry",
        *,
        half_life: Duration = "6h",
        halt_after: int = 3,
    ) -> None:
        super().__init__(agent_id, ("technical", "risk"))
        self.half_life_ns = duration(half_life, "half_life")
        if within(halt_after, 1, 1e6, "halt_after") != int(halt_after):
            raise ConfigError(f"halt_after was {halt_after!r}, must be a whole number of bars")
        self.halt_after = int(halt_after)

    def prepare(self) -> None:
        symbols = len(self.context.symbols)
        self._came = DecayedSum(self.half_life_ns, symbols)
        self._doubtful = DecayedSum(self.half_life_ns, symbols)
        self._arrivals = Arrivals(symbols)
        self._start: Ints = np.zeros(1, dtype=np.int64)

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        market, ts = block.market.market, block.ts
        if self._start[0] == 0:
            self._start = ts[:1].copy()
        bar_ns = self.context.bar_ns
        present = market.present
        _, age, _ = self._arrivals(ts, bar_stamps(ts, present))
        # A feed that never came is as old as the run.
        running = (ts - self._start[0] + bar_ns)[:, np.newaxis]
        stale = np.where(age >= 0, age, running)
        came = self._came(ts, present.astype(np.float64))
        bad = self._doubtful(ts, (present & ((market.flags & int(DOUBTFUL)) != 0)) * 1.0)
        decay = -np.log(2.0) / self.half_life_ns
        due = np.expm1(running * decay) / np.expm1(bar_ns * decay)
        presence = np.minimum(came / due, 1.0)
        doubt = np.clip(ratio(bad, came), 0.0, 1.0)
        limit = self.halt_after * bar_ns
        fresh = np.exp2(-np.maximum(stale - bar_ns, 0) / limit)
        quality = presence * (1.0 - doubt) * fresh
        return {
            "feed_quality": quality,
            "stale_ns": stale.astype(np.float64),
            "halt": ((stale > limit) | (age < 0)) * 1.0,
            "doubt": doubt,
            "confidence": row_mean(quality),
        }
