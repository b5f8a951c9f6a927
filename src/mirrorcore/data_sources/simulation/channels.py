"""Side channels: what else is known at a bar's close, and how much it is worth.

| series | says |
|---|---|
| onchain.whale_flow | latent alpha in noise: half of its information coefficient, per reading |
| sentiment.score | past return, mostly, and .3 of alpha: a herding trap with something behind it |
| onchain.gas | activity: goes with the size of the next moves, not with their direction |
| sentiment.fear_greed | calm, momentum and height of the market, once a day |
| macro.surprise | the weekly release: its drift can be traded, its impact cannot |
| onchain.decoy_flow, sentiment.decoy | nothing; distributed like their real counterparts |

With ``swap_hours`` the whale flow and its decoy exchange what they know when that time is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mirrorcore.clock import DAY, HOUR
from mirrorcore.data_sources.simulation.fear_greed import FearGreed
from mirrorcore.data_sources.simulation.filters import AutoRegression, autoregression
from mirrorcore.data_sources.simulation.presets import Parameters
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.market.block import Bools, Floats, Ints

_LARGEST_SHOCK = 6.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What channels may be made from, as of each bar's close; rows are symbols or the factor."""

    ts: Ints  # (BLOCK,) close of each bar
    alpha: Floats  # (S, BLOCK)
    standardised: Floats  # (S, BLOCK) return over its conditional volatility
    factor_return: Floats  # (1, BLOCK) log return of the factor
    factor_volume: Floats  # (1, BLOCK) log of the factor's volume about its usual
    released: Bools  # (BLOCK,)
    surprise: Floats  # (BLOCK,)


class Hold:
    """The last value published, and when; NaN and 0 before the first."""

    def __init__(self) -> None:
        self._value = np.nan
        self._known_at = 0

    def __call__(self, ts: Ints, published: Bools, value: Floats) -> tuple[Floats, Ints]:
        newest = np.maximum.accumulate(np.where(published, np.arange(BLOCK), -1))
        old = newest < 0
        held = np.where(old, self._value, value[newest])
        known_at = np.where(old, self._known_at, ts[newest])
        self._value, self._known_at = float(held[-1]), int(known_at[-1])
        return held, known_at


def flow(score: Floats) -> Floats:
    """A standard score as a heavy-tailed flow: sinh(1.2 x)."""
    return np.sinh(1.2 * score)


def mood(score: Floats) -> Floats:
    """A score as a bounded sentiment: tanh(x / 2)."""
    return np.tanh(0.5 * score)


def complement(*loads: float) -> float:
    """The load of the noise that completes ``loads`` to unit variance."""
    return float(np.sqrt(1.0 - sum(load * load for load in loads)))


@dataclass(frozen=True, slots=True)
class Setting:
    """What a channel is built from."""

    streams: Streams
    symbols: tuple[str, ...]
    parameters: Parameters
    bar_ns: int
    start_ns: int

    def process(self, stream: Stream, part: str, half_life_hours: float) -> AutoRegression:
        """An AR(1) of unit variance for each symbol, begun in its stationary law."""
        owners = tuple(f"{symbol}|{part}" for symbol in self.symbols)
        start = self.streams.start(owners, stream, 1)[:, 0]
        return autoregression(half_life_hours, self.bar_ns, start)


class Channel(Protocol):
    """One series: its value at each bar's close, (S or 1, BLOCK), and since when, (BLOCK,)."""

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]: ...


class _Flow:
    """sinh(1.2 (load * alpha + noise)), in which alpha is the market's or one of its own."""

    def __init__(self, setting: Setting, stream: Stream, *, knows: bool) -> None:
        self._setting = setting
        self._stream = stream
        self._load = setting.parameters.whale_load
        self._knows = knows
        hours = setting.parameters.swap_hours
        self._swap_ns = None if hours is None else setting.start_ns + round(hours * HOUR)
        own = not knows or hours is not None
        half_life = setting.parameters.alpha_half_life_hours
        self._own = setting.process(stream, "alpha", half_life) if own else None

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        streams, symbols = self._setting.streams, self._setting.symbols
        alpha = seen.alpha
        if self._own is not None:
            own = self._own(_part(streams, self._stream, symbols, "alpha", block))
            swapped = False if self._swap_ns is None else seen.ts > self._swap_ns
            alpha = np.where(np.equal(self._knows, swapped), own, alpha)
        noise = streams.normals(self._stream, symbols, block)
        return flow(self._load * alpha + complement(self._load) * noise), seen.ts


class WhaleFlow(_Flow):
    """Large transfers that lean the way price will go."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, Stream.WHALE, knows=True)


class DecoyFlow(_Flow):
    """The whale flow of an alpha that moves nothing."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, Stream.DECOY_FLOW, knows=False)


class Sentiment:
    """tanh((.6 momentum + .3 alpha + noise) / 2): the crowd follows price and knows a little."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        hours = setting.parameters.momentum_half_life_hours
        self._momentum = setting.process(Stream.SENTIMENT, "momentum", hours)

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        parameters = self._setting.parameters
        on_momentum, on_alpha = parameters.sentiment_momentum, parameters.sentiment_alpha
        momentum = self._momentum(np.clip(seen.standardised, -_LARGEST_SHOCK, _LARGEST_SHOCK))
        noise = self._setting.streams.normals(Stream.SENTIMENT, self._setting.symbols, block)
        score = on_momentum * momentum + on_alpha * seen.alpha
        return mood(score + complement(on_momentum, on_alpha) * noise), seen.ts


class DecoySentiment:
    """A sentiment with a momentum and an opinion that have nothing to do with price."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        parameters = setting.parameters
        self._momentum = setting.process(
            Stream.DECOY_SENTIMENT, "momentum", parameters.momentum_half_life_hours
        )
        self._alpha = setting.process(
            Stream.DECOY_SENTIMENT, "alpha", parameters.alpha_half_life_hours
        )

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        streams, symbols = self._setting.streams, self._setting.symbols
        stream = Stream.DECOY_SENTIMENT
        parameters = self._setting.parameters
        on_momentum, on_alpha = parameters.sentiment_momentum, parameters.sentiment_alpha
        momentum = self._momentum(_part(streams, stream, symbols, "momentum", block))
        alpha = self._alpha(_part(streams, stream, symbols, "alpha", block))
        noise = streams.normals(stream, symbols, block)
        score = on_momentum * momentum + on_alpha * alpha
        return mood(score + complement(on_momentum, on_alpha) * noise), seen.ts


class Gas:
    """Price of a transaction, in gwei: root of the market's volume times a mood of its own."""

    _USUAL = 18.0

    def __init__(self, setting: Setting) -> None:
        self._streams = setting.streams
        start = setting.streams.start((MARKET,), Stream.GAS, 1)[:, 0]
        self._own = autoregression(4.0, setting.bar_ns, start)

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        own = self._own(self._streams.normals(Stream.GAS, (MARKET,), block))
        return self._USUAL * np.exp(0.5 * seen.factor_volume + 0.45 * own), seen.ts


class FearGreedIndex:
    """The index of :class:`FearGreed`, published at midnight UTC."""

    def __init__(self, setting: Setting) -> None:
        self._index = FearGreed(setting.parameters.annual_volatility, setting.bar_ns)
        self._bar_ns = setting.bar_ns
        self._hold = Hold()

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        index = self._index.update(seen.factor_return)
        midnight = seen.ts % DAY < self._bar_ns
        value, known_at = self._hold(seen.ts, midnight, index)
        return value[np.newaxis, :], known_at


class MacroSurprise:
    """The last release's surprise, in standard deviations."""

    def __init__(self, setting: Setting) -> None:
        self._hold = Hold()

    def update(self, seen: Seen, block: int) -> tuple[Floats, Ints]:
        value, known_at = self._hold(seen.ts, seen.released, seen.surprise)
        return value[np.newaxis, :], known_at


CHANNEL_TYPES: dict[str, Callable[[Setting], Channel]] = {
    "onchain.whale_flow": WhaleFlow,
    "onchain.gas": Gas,
    "onchain.decoy_flow": DecoyFlow,
    "sentiment.score": Sentiment,
    "sentiment.fear_greed": FearGreedIndex,
    "sentiment.decoy": DecoySentiment,
    "macro.surprise": MacroSurprise,
}


def _part(
    streams: Streams, stream: Stream, symbols: tuple[str, ...], part: str, block: int
) -> Floats:
    """Normals of a channel's second stream: the symbol's name with the part's appended."""
    return streams.normals(stream, tuple(f"{symbol}|{part}" for symbol in symbols), block)
