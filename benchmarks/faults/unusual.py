"""Prices and volumes out of the usual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.faults.harness import (
    Clean,
    Generator,
    Outcome,
    changed,
    first_bars,
    injects,
    pick,
    places,
    tried,
)
from mirrorcore.market.intake import Case
from mirrorcore.market.records import (
    Bar,
    Quote,
    Trade,
)

LOUD = 1000.0
"""A volume spike, in medians."""


@injects(17)
def bars_shifted(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        factor = 10.0 ** pick(rng, -8, -3, -2, -1, 1, 2, 3, 8)
        prices = {n: getattr(bar, n) * factor for n in ("open", "high", "low", "close")}
        return (changed(bar, **prices),)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.DECIMAL_SHIFT,), clean)


@injects(17)
def trades_shifted(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, price=trade.price * 10.0 ** pick(rng, -4, -1, 1, 4)), trade

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.DECIMAL_SHIFT,), clean)


@injects(17)
def quotes_shifted(clean: Clean, rng: Generator) -> Outcome:
    def how(quote: Quote) -> Sequence[Quote]:
        factor = 10.0 ** pick(rng, -2, -1, 1, 2)
        return (changed(quote, bid=quote.bid * factor, ask=quote.ask * factor),)

    return tried(clean.quotes, places(rng, len(clean.quotes)), how, (Case.DECIMAL_SHIFT,), clean)


@injects(18)
def bars_with_spikes(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return (changed(bar, high=bar.high * 1.2),)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.OUTLIER,), clean)


@injects(18)
def trades_with_spikes(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return (changed(trade, price=trade.price * pick(rng, 0.8, 1.2)),)

    return tried(clean.trades, places(rng, len(clean.trades)), how, (Case.OUTLIER,), clean)


@injects(18)
def quotes_with_spikes(clean: Clean, rng: Generator) -> Outcome:
    def how(quote: Quote) -> Sequence[Quote]:
        factor = pick(rng, 0.8, 1.2)
        return (changed(quote, bid=quote.bid * factor, ask=quote.ask * factor),)

    return tried(clean.quotes, places(rng, len(clean.quotes)), how, (Case.OUTLIER,), clean)


@injects(19)
def bars_without_volume(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    at = [i for i in places(rng, len(bars)) if bars[i].high != bars[i].low and bars[i].volume > 0]
    return tried(bars, at, lambda b: (changed(b, volume=0.0),), (Case.ZERO_VOLUME_MOVE,), clean)


@injects(20)
def bars_with_volume_spikes(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    loud = LOUD * float(np.median([bar.volume for bar in bars]))
    at = places(rng, len(bars))
    return tried(bars, at, lambda b: (changed(b, volume=loud),), (Case.VOLUME_SPIKE,), clean)


@injects(20)
def trades_with_volume_spikes(clean: Clean, rng: Generator) -> Outcome:
    loud = LOUD * float(np.median([trade.quantity for trade in clean.trades]))
    at = places(rng, len(clean.trades))
    how = (Case.VOLUME_SPIKE,)
    return tried(clean.trades, at, lambda t: (changed(t, quantity=loud),), how, clean)
