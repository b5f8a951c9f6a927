"""Numbers, prices and sizes that cannot be; forms that cannot be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.faults.harness import (
    _APART,
    STRANGER,
    Clean,
    Generator,
    Outcome,
    changed,
    compared,
    damaged,
    first_bars,
    injects,
    intake,
    pick,
    places,
    processor_for,
    recorded,
    tried,
)
from mirrorcore.market.intake import Case
from mirrorcore.market.records import (
    Bar,
    BookDelta,
    Observation,
    Quote,
    Trade,
)


@injects(1)
def bars_without_number(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        name = pick(rng, "open", "high", "low", "close", "volume")
        return (changed(bar, **{name: pick(rng, math.nan, math.inf, -math.inf)}),)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.NOT_FINITE,), clean)


@injects(1)
def trades_without_number(clean: Clean, rng: Generator) -> Outcome:
    return _insert_trade(clean, rng, Case.NOT_FINITE, "price", math.nan, math.inf)


@injects(1)
def quotes_without_number(clean: Clean, rng: Generator) -> Outcome:
    return _change_quote(clean, rng, Case.NOT_FINITE, ("bid", "ask_size"), math.nan, math.inf)


@injects(1)
def book_without_number(clean: Clean, rng: Generator) -> Outcome:
    return _bad_level(clean, rng, (math.nan, 1.0), Case.NOT_FINITE)


@injects(2)
def bars_without_price(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        return (changed(bar, low=pick(rng, 0.0, -bar.low)),)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.PRICE_NOT_POSITIVE,), clean)


@injects(2)
def trades_without_price(clean: Clean, rng: Generator) -> Outcome:
    return _insert_trade(clean, rng, Case.PRICE_NOT_POSITIVE, "price", 0.0, -1.0)


@injects(2)
def quotes_without_price(clean: Clean, rng: Generator) -> Outcome:
    return _change_quote(clean, rng, Case.PRICE_NOT_POSITIVE, ("bid", "ask"), 0.0, -1.0)


@injects(2)
def book_without_price(clean: Clean, rng: Generator) -> Outcome:
    return _bad_level(clean, rng, (0.0, 1.0), Case.PRICE_NOT_POSITIVE)


@injects(3)
def bars_of_negative_volume(clean: Clean, rng: Generator) -> Outcome:
    bars = first_bars(clean)
    at = places(rng, len(bars))
    return tried(bars, at, lambda b: (changed(b, volume=-1.0),), (Case.NEGATIVE_VOLUME,), clean)


@injects(3)
def trades_of_negative_size(clean: Clean, rng: Generator) -> Outcome:
    return _insert_trade(clean, rng, Case.NEGATIVE_VOLUME, "quantity", -1.0, -1e-9)


@injects(3)
def quotes_of_negative_size(clean: Clean, rng: Generator) -> Outcome:
    return _change_quote(clean, rng, Case.NEGATIVE_VOLUME, ("bid_size", "ask_size"), -1.0)


@injects(3)
def book_of_negative_size(clean: Clean, rng: Generator) -> Outcome:
    return _bad_level(clean, rng, (1.0, -1.0), Case.NEGATIVE_VOLUME)


def _insert_trade(clean: Clean, rng: Generator, case: Case, name: str, *values: float) -> Outcome:
    """A bad copy before the good trade, so that no number is missing."""

    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, **{name: pick(rng, *values)}), trade

    return tried(clean.trades, places(rng, len(clean.trades)), how, (case,), clean)


def _change_quote(
    clean: Clean, rng: Generator, case: Case, names: Sequence[str], *values: float
) -> Outcome:
    def how(quote: Quote) -> Sequence[Quote]:
        return (changed(quote, **{pick(rng, *names): pick(rng, *values)}),)

    return tried(clean.quotes, places(rng, len(clean.quotes)), how, (case,), clean)


def _bad_level(clean: Clean, rng: Generator, level: tuple[float, float], case: Case) -> Outcome:
    def how(delta: BookDelta) -> Sequence[BookDelta]:
        return changed(delta, bids=(*delta.bids, level)), delta

    at = places(rng, len(clean.depth), first=_APART)
    return tried(clean.depth, at, how, (case,), clean)


@injects(4)
def bars_with_impossible_range(clean: Clean, rng: Generator) -> Outcome:
    def how(bar: Bar) -> Sequence[Bar]:
        if rng.random() < 0.5:
            return (changed(bar, high=min(bar.open, bar.close) * 0.999),)
        return (changed(bar, low=max(bar.open, bar.close) * 1.001),)

    bars = first_bars(clean)
    return tried(bars, places(rng, len(bars)), how, (Case.HIGH_LOW,), clean)


@injects(5)
def quotes_crossed_once(clean: Clean, rng: Generator) -> Outcome:
    def how(quote: Quote) -> Sequence[Quote]:
        return (changed(quote, bid=quote.ask * 1.0005),)

    return tried(clean.quotes, places(rng, len(clean.quotes)), how, (Case.CROSSED,), clean)


@injects(5)
def quotes_crossed_for_long(clean: Clean, rng: Generator) -> Outcome:
    at = places(rng, len(clean.quotes))
    lasting = [i + k for i in at for k in range(8)]
    before = intake(clean.quotes, clean)
    crossing = damaged(clean.quotes, lasting, lambda q: (changed(q, bid=q.ask * 1.0005),))
    found = compared(before, intake(crossing, clean), (Case.CROSSED_LONG,), len(at))
    return Outcome(found.injected, found.detected)


@injects(6)
def quotes_locked(clean: Clean, rng: Generator) -> Outcome:
    def how(quote: Quote) -> Sequence[Quote]:
        return (changed(quote, bid=quote.ask),)

    return tried(clean.quotes, places(rng, len(clean.quotes)), how, (Case.LOCKED,), clean)


@injects(24)
def strangers(clean: Clean, rng: Generator) -> Outcome:
    outcome = Outcome()
    for records in (first_bars(clean), clean.trades, clean.quotes):
        at = places(rng, len(records))
        outcome += tried(
            records, at, lambda r: (changed(r, symbol=STRANGER), r), (Case.UNKNOWN_SYMBOL,), clean
        )
    return outcome


@injects(25)
def another_unit(clean: Clean, rng: Generator) -> Outcome:
    """Bounds are known; a stretch in points, cents or thousands lies outside."""
    bars = first_bars(clean)
    low, high = min(b.low for b in bars), max(b.high for b in bars)

    def how(bar: Bar) -> Sequence[Bar]:
        factor = pick(rng, 100.0, 1e5, 1e-3)
        prices = {n: getattr(bar, n) * factor for n in ("open", "high", "low", "close")}
        return changed(bar, **prices), bar

    bounds = {bars[0].symbol: (low / 5, high * 5)}
    at = places(rng, len(bars))
    return tried(bars, at, how, (Case.OUT_OF_RANGE,), clean, bounds=bounds)


@injects(25)
def another_unit_of_a_series(clean: Clean, rng: Generator) -> Outcome:
    known = [one.value for one in clean.series if one.value is not None]
    bounds = {clean.series[0].series: (min(known) - 1.0, max(known) * 5 + 1.0)}

    def how(one: Observation) -> Sequence[Observation]:
        return (changed(one, value=(max(known) + 1.0) * 1e3),)

    at = places(rng, len(clean.series), first=1)
    return tried(clean.series, at, how, (Case.OUT_OF_RANGE,), clean, bounds=bounds)


@injects(26)
def values_of_another_type(clean: Clean, rng: Generator) -> Outcome:
    """As mappings, in the way of a service that writes numbers as text."""
    bars = [msgspec.structs.asdict(bar) for bar in first_bars(clean)]
    at = places(rng, len(bars))
    cases = (Case.MISSING_VALUE, Case.WRONG_TYPE)

    def how(bar: dict[str, Any]) -> Sequence[dict[str, Any]]:
        name = pick(rng, "open", "close", "volume")
        return {**bar, name: pick(rng, ".", "", None, "null", "12,5", [1.0])}, bar

    reports = []
    for version in (bars, damaged(bars, at, how)):
        processor = processor_for(first_bars(clean)[:1], clean)
        for start in range(0, len(version), 256):
            processor.validate(version[start : start + 256])
        reports.append(processor.report)
    return compared(reports[0], reports[1], cases, len(at))


@injects(26)
def trades_of_another_type(clean: Clean, rng: Generator) -> Outcome:
    def how(trade: Trade) -> Sequence[Trade]:
        return changed(trade, price=pick(rng, None, str(trade.price))), trade

    cases = (Case.MISSING_VALUE, Case.WRONG_TYPE)
    return tried(clean.trades, places(rng, len(clean.trades)), how, cases, clean)


@injects(27)
def recordings_cut_off(clean: Clean, rng: Generator) -> Outcome:
    before = recorded(clean.lines)
    half = len(clean.lines[-1]) // 2
    torn = [*clean.lines[:-1], clean.lines[-1][:half]]
    outcome = compared(before, recorded(torn), (Case.TRUNCATED,), 1)
    cut = int(rng.integers(9, 200))
    outcome += compared(before, recorded(clean.lines, cut=cut), (Case.TRUNCATED,), 1)
    at = places(rng, len(clean.lines), first=1)
    broken = damaged(clean.lines, at, lambda line: (line[: len(line) // 2] + b"\n", line))
    outcome += compared(before, recorded(broken), (Case.TRUNCATED,), len(at))
    return outcome


@injects(28)
def errors_instead_of_data(clean: Clean, rng: Generator) -> Outcome:
    bodies = (
        b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
        b'{"code":-1003,"msg":"Too many requests"}',
        b'{"error":{"code":2,"msg":"Invalid request"},"id":1}',
    )

    def how(line: bytes) -> Sequence[bytes]:
        return line.partition(b" ")[0] + b" " + pick(rng, *bodies) + b"\n", line

    at = places(rng, len(clean.lines), first=1)
    after = recorded(damaged(clean.lines, at, how))
    return compared(recorded(clean.lines), after, (Case.ERROR_BODY,), len(at))
