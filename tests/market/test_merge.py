"""One order for all records, ticks, as-of side channels, and blocks from either side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.errors import DataError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.columns import BarColumns
from mirrorcore.market.conversion import record_from_bar, records_from_row
from mirrorcore.market.merge import SeriesColumns, TickAssembler, Timeline, merge_records, ticks
from mirrorcore.market.records import Bar, Observation, Record

MINUTE = clock.MINUTE
START = 1_700_000_000 * clock.SECOND // MINUTE * MINUTE
SYMBOLS = ("A/USD", "B/USD", "C/USD")


def bar(symbol: str, minute: int, price: float = 1.0, **more: Any) -> Bar:
    made = record_from_bar(
        symbol,
        START + minute * MINUTE,
        (price, price + 1, price / 2, price + 0.5, 3.0),
        bar_ns=MINUTE,
        source="s",
    )
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return Bar(**{**fields, **more})


def seen(series: str, symbol: str, instant: int, value: float | None) -> Observation:
    return Observation(
        source="s",
        series=series,
        symbol=symbol,
        ts_event=instant,
        ts_recv=instant,
        ts_avail=instant,
        value=value,
    )


def test_records_come_in_order_of_availability_then_source_then_sequence() -> None:
    first = [bar("A/USD", 0, seq=5), bar("A/USD", 1, seq=1)]
    second = [bar("B/USD", 0, seq=1), bar("C/USD", 0, seq=2), bar("B/USD", 1, seq=0)]
    merged = list(merge_records([first, second]))
    assert [(r.symbol, r.seq) for r in merged] == [
        ("A/USD", 5),
        ("B/USD", 1),
        ("C/USD", 2),
        ("A/USD", 1),
        ("B/USD", 0),
    ]
    assert [(len(group)) for _, group in ticks(merged)] == [3, 2]


def test_a_source_that_runs_backwards_is_refused() -> None:
    with pytest.raises(DataError, match="s: a record available at"):
        list(merge_records([[bar("A/USD", 1), bar("A/USD", 0)]]))


def columns(bars: Sequence[Bar]) -> BarColumns:
    return BarColumns.of(bars)


def same(one: MarketBlock, other: MarketBlock) -> bool:
    names = ("ts", "present", "open_ts", "open", "high", "low", "close", "volume", "flags")
    if one.index != other.index or list(one.series) != list(other.series):
        return False
    pairs = [(getattr(one, n), getattr(other, n)) for n in names]
    for name, series in one.series.items():
        pairs.append((series.value, other.series[name].value))
        pairs.append((series.known_at, other.series[name].known_at))
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def joined(blocks: Sequence[MarketBlock]) -> MarketBlock:
    from mirrorcore.market.block import Series

    names = ("ts", "present", "open_ts", "open", "high", "low", "close", "volume", "flags")
    return MarketBlock(
        index=blocks[0].index,
        **{n: np.concatenate([getattr(b, n) for b in blocks]) for n in names},
        series={
            name: Series(
                np.concatenate([b.series[name].value for b in blocks]),
                np.concatenate([b.series[name].known_at for b in blocks]),
            )
            for name in blocks[0].series
        },
    )


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[list[Bar]], list[Observation]]:
    bars = []
    for symbol in SYMBOLS:
        minutes = sorted(draw(st.sets(st.integers(0, 25), max_size=20)))
        bars.append(
            [
                bar(symbol, minute, draw(st.floats(1, 9)), flags=draw(st.sampled_from([0, 64])))
                for minute in minutes
            ]
        )
    if not any(bars):
        bars[0].append(bar("A/USD", 3))
    observations = [
        seen(
            draw(st.sampled_from(["macro.x", "sentiment.y"])),
            draw(st.sampled_from(["*", *SYMBOLS])),
            START + draw(st.integers(0, 30)) * (MINUTE // 2),
            draw(st.one_of(st.none(), st.floats(-5, 5))),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    # One value an instant, series and symbol: which of two would count is the validator's to say.
    distinct = {(o.ts_avail, o.series, o.symbol): o for o in observations}
    return bars, sorted(distinct.values(), key=lambda o: o.ts_avail)


def timeline(bars: list[list[Bar]], observations: list[Observation]) -> Timeline:
    keys = sorted({(o.series, o.symbol) for o in observations})
    series = []
    for name, symbol in keys:
        chosen = [o for o in observations if (o.series, o.symbol) == (name, symbol)]
        values = [math.nan if o.value is None else o.value for o in chosen]
        instants = np.array([o.ts_avail for o in chosen], np.int64)
        series.append(SeriesColumns(name, symbol, instants, np.array(values)))
    return Timeline(SYMBOLS, [columns(one) for one in bars], series)


@settings(max_examples=60, deadline=None)
@given(markets(), st.integers(1, 9), st.integers(0, 30))
def test_blocks_are_the_same_however_they_are_cut(
    market: tuple[list[list[Bar]], list[Observation]], rows: int, start: int
) -> None:
    line = timeline(*market)
    (whole,) = line.blocks(0, 4096)
    assert same(joined(list(line.blocks(0, rows))), whole)
    assert (np.diff(whole.ts) > 0).all()
    if start < len(line):
        later = joined(list(line.blocks(start, rows)))
        assert same(later, whole.rows(start, len(whole)))


@settings(max_examples=60, deadline=None)
@given(markets())
def test_columns_and_live_records_make_the_same_blocks(
    market: tuple[list[list[Bar]], list[Observation]],
) -> None:
    bars, observations = market
    (expected,) = timeline(bars, observations).blocks()
    names = sorted({o.series for o in observations})
    assembler = TickAssembler(SYMBOLS)
    blocks = [assembler.block(group) for _, group in ticks(merge_records([observations, *bars]))]
    blocks = [block for block in blocks if len(block)]
    # Live knows a series from its first value on; before, every value was NaN.
    got = joined([with_series(block, names) for block in blocks])
    last = expected.ts[-1]
    assert same(got, with_series(expected, names)), last


def with_series(block: MarketBlock, names: Sequence[str]) -> MarketBlock:
    from dataclasses import replace

    from mirrorcore.market.block import Series

    unknown = Series(np.full(block.present.shape, np.nan), np.zeros(block.present.shape, np.int64))
    return replace(block, series={name: block.series.get(name, unknown) for name in names})


@settings(max_examples=60, deadline=None)
@given(markets())
def test_rows_to_records_and_back_is_the_same_block(
    market: tuple[list[list[Bar]], list[Observation]],
) -> None:
    bars, observations = market
    line = timeline(bars, observations)
    (block,) = line.blocks()
    assembler = TickAssembler(SYMBOLS)
    names = sorted(block.series)
    previous = 0
    rebuilt = []
    for row in range(len(block)):
        records = records_from_row(block, row, SYMBOLS, source="s", previous_ts=previous)
        assert max(record.ts_avail for record in records) == block.ts[row]
        rebuilt.append(with_series(assembler.block(records), names))
        previous = int(block.ts[row])
    assert same(joined(rebuilt), block)


def as_of(observations: list[Observation], name: str, symbol: str, instant: int) -> Any:
    """The last value known at an instant, looked for the slow way."""
    fits = [
        o
        for o in observations
        if o.series == name and o.symbol in ("*", symbol) and o.ts_avail <= instant
    ]
    if not fits:
        return (math.nan, 0)
    newest = max(fits, key=lambda o: (o.ts_avail, o.symbol != "*"))
    return (math.nan if newest.value is None else newest.value, newest.ts_avail)


@settings(max_examples=40, deadline=None)
@given(markets())
def test_a_tick_knows_the_last_value_available_and_none_after(
    market: tuple[list[list[Bar]], list[Observation]],
) -> None:
    bars, observations = market
    (block,) = timeline(bars, observations).blocks()
    for name, series in block.series.items():
        for row, instant in enumerate(block.ts.tolist()):
            for s, symbol in enumerate(SYMBOLS):
                value, known = as_of(observations, name, symbol, instant)
                got = float(series.value[row, s]), int(series.known_at[row, s])
                assert got == (value, known) or (math.isnan(value) and math.isnan(got[0]))
                assert got[1] == known <= instant


def test_a_backfill_of_several_bars_becomes_rows_in_order() -> None:
    late = START + 10 * MINUTE
    batch: list[Record] = [bar("A/USD", m, 1.0 + m, ts_avail=late, ts_recv=late) for m in (7, 8, 9)]
    batch.append(bar("B/USD", 9, 5.0))
    assembler = TickAssembler(SYMBOLS, index=40)
    block = assembler.block(batch)
    assert block.index == 40
    assert block.ts.tolist() == [late, late + 1, late + 2]
    assert block.open[:, 0].tolist() == [8.0, 9.0, 10.0]
    assert block.present[:, 1].tolist() == [False, False, True]
    after = assembler.block([bar("A/USD", 10)])
    assert (after.index, after.ts[0]) == (43, START + 11 * MINUTE)


def test_observations_alone_make_no_tick_and_are_there_at_the_next() -> None:
    assembler = TickAssembler(SYMBOLS)
    assert len(assembler.block([seen("macro.x", "*", START, 2.0)])) == 0
    block = assembler.block([bar("A/USD", 0)])
    assert (block.index, len(block)) == (0, 1)
    assert block.series["macro.x"].value.tolist() == [[2.0, 2.0, 2.0]]
    assert block.series["macro.x"].known_at.tolist() == [[START] * 3]


def test_the_unit_is_that_of_whoever_brought_the_value() -> None:
    units = {"one": {"fundamental.hashrate": "EH/s"}, "two": {"fundamental.hashrate": "TH/s"}}
    assembler = TickAssembler(SYMBOLS, units=units)

    def brought(source: str, symbol: str) -> Observation:
        told = seen("fundamental.hashrate", symbol, START, 2.0)
        return msgspec.structs.replace(told, source=source)

    records: list[Record] = [brought("one", "A/USD"), brought("two", "B/USD"), bar("A/USD", 0)]
    block = assembler.block(records)
    assert block.series["fundamental.hashrate"].units == ("EH/s", "TH/s", "")
    assert block.rows(0, 1).series["fundamental.hashrate"].units == ("EH/s", "TH/s", "")
    plain = TickAssembler(SYMBOLS).block(records)
    assert plain.series["fundamental.hashrate"].units == ("", "", "")


def test_a_block_once_handed_out_does_not_change() -> None:
    assembler = TickAssembler(SYMBOLS)
    first = assembler.block([seen("macro.x", "*", START, 2.0), bar("A/USD", 0)])
    assembler.block([seen("macro.x", "*", START + MINUTE, 3.0), bar("A/USD", 1)])
    assert first.series["macro.x"].value.tolist() == [[2.0, 2.0, 2.0]]


def test_the_assembler_names_a_stranger() -> None:
    with pytest.raises(DataError, match="'D/USD' is not part of this run"):
        TickAssembler(SYMBOLS).block([bar("D/USD", 0)])


def test_a_block_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="max_rows was 0"):
        list(Timeline(SYMBOLS, [columns([])] * 3).blocks(0, 0))
