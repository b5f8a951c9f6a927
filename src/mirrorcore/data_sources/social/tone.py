"""From scored titles to observations: the tone of the news, for each symbol and for the market.

With s the scores of the texts known by an instant t and a their ages at t,

    w = 2^(-a / half-life)        sentiment.news = Σ w s / Σ w        sentiment.news_count = Σ w

so a text counts half after one half-life, and an old text that is found late counts as an old one.
Nothing that became available after t enters a value of t.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from mirrorcore.clock import HOUR, format_duration, iso
from mirrorcore.data_sources.social.scorer import Scorer
from mirrorcore.data_sources.social.titles import SeenTitles
from mirrorcore.errors import DataError
from mirrorcore.market.records import ALL_SYMBOLS, Observation, Text

TONE, COUNT = "sentiment.news", "sentiment.news_count"
_LEAST = 1e-3
"""Ten half-lives after its last text a symbol has no tone any more."""


class NewsTone:
    """The tone as it stands; texts are added in order of ``ts_avail``.

    Parameters
    ----------
    scorer: any; the same title must always get the same score.
    symbols: of the run. A text on BTC counts for every symbol with the base BTC and for the market
        (``*``); one that names none of them for the market alone.
    titles: headlines known elsewhere; each counts once, however many feeds tell it.
    """

    def __init__(
        self,
        scorer: Scorer,
        symbols: Sequence[str],
        *,
        half_life_ns: int = 6 * HOUR,
        source: str = "news",
        titles: SeenTitles | None = None,
    ) -> None:
        if half_life_ns <= 0:
            raise ValueError(f"half_life_ns was {half_life_ns}, must be above 0")
        self._scorer = scorer
        self._half_life = half_life_ns
        self._source = source
        self._titles = SeenTitles() if titles is None else titles
        self._at = 0
        # The market first: at one instant a symbol's own value counts in its place.
        self._sums: dict[str, list[float]] = {ALL_SYMBOLS: [0.0, 0.0]}
        self._sums.update((symbol, [0.0, 0.0]) for symbol in symbols)
        self._by_base: dict[str, list[str]] = {}
        for symbol in symbols:
            self._by_base.setdefault(symbol.partition("/")[0].upper(), []).append(symbol)

    @property
    def units(self) -> dict[str, str]:
        """Unit by series."""
        return {
            TONE: "score -1..1",
            COUNT: f"texts, each halved every {format_duration(self._half_life)}",
        }

    def add(self, texts: Iterable[Text]) -> list[Observation]:
        """The tone after each instant at which a new text became available.

        Raises
        ------
        DataError
            when a text became available before one already added.
        """
        found: list[Observation] = []
        for instant, group in groupby(texts, key=lambda text: text.ts_avail):
            if instant < self._at:
                raise DataError(
                    f"{self._source}: a text of {iso(instant)} came after one of {iso(self._at)}",
                    hint="texts are added in order of ts_avail",
                )
            if self._count(list(group), instant):
                found.extend(self._state(instant))
        return found

    def _count(self, texts: Sequence[Text], instant: int) -> bool:
        """Take texts of one instant into the sums; whether any of them was new."""
        new = [text for text in texts if not self._titles.again(text.title, text.ts_event)]
        if not new:
            return False
        kept = self._weight(instant - self._at)
        for sums in self._sums.values():
            sums[0] *= kept
            sums[1] *= kept
        self._at = instant
        for text in new:
            score = self._scorer.score(text.title)
            weight = self._weight(max(0, instant - text.ts_event))
            about = [s for base in score.symbols for s in self._by_base.get(base.upper(), ())]
            for symbol in dict.fromkeys((ALL_SYMBOLS, *about)):
                self._sums[symbol][0] += weight * score.value
                self._sums[symbol][1] += weight
        return True

    def _weight(self, age_ns: int) -> float:
        return float(2.0 ** (-age_ns / self._half_life))

    def _state(self, instant: int) -> list[Observation]:
        found = []
        for symbol, (total, weight) in self._sums.items():
            if weight < _LEAST:
                continue
            # Rounding may carry a mean of ones past one.
            tone = min(1.0, max(-1.0, total / weight))
            for series, value in ((TONE, tone), (COUNT, weight)):
                found.append(
                    Observation(
                        source=self._source,
                        symbol=symbol,
                        ts_event=instant,
                        ts_recv=instant,
                        ts_avail=instant,
                        series=series,
                        value=value,
                    )
                )
        return found
