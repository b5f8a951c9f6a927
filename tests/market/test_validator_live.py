"""What comes in one by one: loose mappings, strangers, side channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore import clock
from mirrorcore.market.columns import ObservationColumns
from mirrorcore.market.instruments import undescribed
from mirrorcore.market.records import Bar, Flag, Observation
from mirrorcore.market.validator import Case, MarketDataProcessor

MINUTE = clock.MINUTE
START = 1_700_000_000 * clock.SECOND // MINUTE * MINUTE
BTC, ETH = "BTC/USDT", "ETH/USDT"


def processor(**options: Any) -> MarketDataProcessor:
    return MarketDataProcessor([undescribed(BTC), undescribed(ETH)], MINUTE, **options)


def loose(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "symbol": BTC,
        "ts": START // clock.MILLISECOND,
        "open": "100.0",
        "high": "101",
        "low": 99,
        "close": 100.5,
        "volume": "7.25",
    }
    fields.update(changes)
    return fields


def only_count(one: MarketDataProcessor) -> tuple[str, Case]:
    (key,) = [key for key, times in one.report.counts.items() if times]
    return key


def test_a_mapping_with_numbers_as_text_becomes_a_bar() -> None:
    (bar,) = processor(source="rest").validate(loose(), now=START + MINUTE + 5)
    assert bar == Bar(
        source="rest",
        symbol=BTC,
        ts_event=START,
        ts_recv=START + MINUTE + 5,
        ts_avail=START + MINUTE,
        open=100.0,
        high=101.0,
        low=99.0,
        close=100.5,
        volume=7.25,
    )


def test_a_mapping_by_symbol_is_one_record_each() -> None:
    fields = loose()
    del fields["symbol"]
    accepted = processor().validate({BTC: fields, ETH: fields})
    assert [record.symbol for record in accepted] == [BTC, ETH]


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_seconds_to_nanoseconds_are_told_by_their_magnitude(scale: int) -> None:
    (bar,) = processor().validate(loose(ts=START // clock.SECOND * scale))
    assert bar.ts_event == START


@pytest.mark.parametrize(
    ("changes", "case"),
    [
        ({"close": "."}, Case.MISSING_VALUE),
        ({"close": ""}, Case.MISSING_VALUE),
        ({"close": None}, Case.MISSING_VALUE),
        ({"close": "null"}, Case.MISSING_VALUE),
        ({"close": "abc"}, Case.WRONG_TYPE),
        ({"close": [1]}, Case.WRONG_TYPE),
        ({"close": True}, Case.WRONG_TYPE),
        ({"close": 10**400}, Case.WRONG_TYPE),
        ({"close": "nan"}, Case.NOT_FINITE),
        ({"ts": None}, Case.MISSING_VALUE),
        ({"ts": 12345}, Case.TIME_RANGE),
        ({"ts": 10**30}, Case.TIME_RANGE),
        ({"ts": math.inf}, Case.NOT_FINITE),
        ({"seq": math.inf}, Case.WRONG_TYPE),
        ({"symbol": "DOGE/USDT"}, Case.UNKNOWN_SYMBOL),
        ({"symbol": "BTCUSDT"}, Case.UNKNOWN_SYMBOL),
        ({"volume": "-1"}, Case.NEGATIVE_VOLUME),
    ],
)
def test_a_loose_record_with_a_fault_is_counted_and_not_used(
    changes: dict[str, Any], case: Case
) -> None:
    one = processor(source="rest")
    good = loose(symbol=ETH)
    assert [r.symbol for r in one.validate([loose(**changes), good])] == [ETH]
    assert only_count(one) == ("rest", case)
    assert one.report.seen["rest"] == 2
    assert [s.case for s in one.report.quarantine] == [case]


@pytest.mark.parametrize(
    ("field", "value", "case"),
    [
        ("close", "100", Case.WRONG_TYPE),
        ("close", None, Case.MISSING_VALUE),
        ("open", 10**400, Case.NOT_FINITE),
        ("ts_event", 1.5, Case.WRONG_TYPE),
        ("ts_event", 10**30, Case.TIME_RANGE),
        ("flags", -1, Case.WRONG_TYPE),
    ],
)
def test_a_ready_made_record_with_a_wrong_type_is_no_crash(
    field: str, value: Any, case: Case
) -> None:
    one = processor()
    (bar,) = processor().validate(loose())
    fields = {name: getattr(bar, name) for name in bar.__struct_fields__}
    assert one.validate(Bar(**{**fields, field: value})) == ()
    assert only_count(one)[1] is case


def test_what_is_no_market_data_at_all_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="records or mappings, not str"):
        processor().validate("BTC 100")


def test_without_instruments_symbols_are_taken_as_they_come() -> None:
    one = MarketDataProcessor()
    accepted = one.validate([loose(ts_avail=START + MINUTE), loose(symbol="XRP/USDT")])
    assert [record.symbol for record in accepted] == [BTC, "XRP/USDT"]
    assert one.validate(loose(ts_avail=START + MINUTE)) == ()
    assert one.report.counts["market", Case.DUPLICATE] == 1


# --- side channels -------------------------------------------------------------------------------


def seen(value: float | None, event: int, avail: int | None = None, **more: Any) -> Observation:
    at = START + event * MINUTE
    available = at if avail is None else START + avail * MINUTE
    fields: dict[str, Any] = {
        "source": "fng",
        "series": "sentiment.fear_greed",
        "symbol": "*",
        "ts_event": at,
        "ts_recv": available,
        "ts_avail": available,
        "value": value,
    }
    return Observation(**{**fields, **more})


def test_a_missing_observation_passes_as_missing() -> None:
    accepted = processor().validate([seen(None, 0), seen(0.0, 1)])
    assert [r.value for r in accepted if isinstance(r, Observation)] == [None, 0.0]


@pytest.mark.parametrize(
    ("record", "case"),
    [
        (seen(math.inf, 5), Case.NOT_FINITE),
        (seen(50.0, 5, 4, ts_recv=START + 5 * MINUTE), Case.LOOK_AHEAD),
        (seen(50.0, 5, ts_recv=START), Case.FUTURE),
        (seen(5000.0, 5), Case.OUT_OF_RANGE),
        (seen(50.0, 5, series="fear_greed"), Case.UNKNOWN_SERIES),
        (seen(50.0, 5, series="weather.rain"), Case.UNKNOWN_SERIES),
        (seen(50.0, 5, symbol="DOGE/USDT"), Case.UNKNOWN_SYMBOL),
        (seen(50.0, 5, ts_event=1_700_000_000), Case.TIME_RANGE),
        (seen(40.0, 1, 1), Case.DUPLICATE),
        (seen(30.0, 0, 6), Case.OLD_VINTAGE),
        (seen(30.0, 2, 2), Case.OUT_OF_ORDER),
    ],
)
def test_a_faulty_observation_is_refused(record: Observation, case: Case) -> None:
    one = processor(bounds={"sentiment.fear_greed": (0.0, 100.0)})
    before = [seen(40.0, 1, 1)] if case is not Case.OUT_OF_ORDER else [seen(40.0, 1, 3)]
    assert len(one.validate(before)) == 1
    assert one.validate(record) == ()
    assert only_count(one) == ("fng", case)


def test_the_first_day_of_1970_is_a_date_only_where_older_ones_came_before() -> None:
    before = seen(1.0, 0, ts_event=-31 * clock.DAY, series="macro.x")
    first = seen(2.0, 0, ts_event=0, series="macro.x")
    one = processor()
    assert one.validate(first) == ()
    assert only_count(one) == ("fng", Case.TIME_RANGE)
    assert processor().validate([before, first]) == (before, first)
    parts = processor()
    assert parts.validate(before) + parts.validate(first) == (before, first)


def test_a_revised_value_is_a_new_vintage_and_the_old_one_stays_before_it() -> None:
    one = processor()
    first, second = seen(40.0, 1, 1), seen(41.0, 1, 9)
    assert one.validate(first) == (first,)
    (revised,) = one.validate(second)
    assert isinstance(revised, Observation)
    assert (revised.value, revised.flags, revised.ts_avail) == (41.0, Flag.REVISED, second.ts_avail)
    assert only_count(one) == ("fng", Case.NEW_VINTAGE)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.integers(-1, 4), st.sampled_from([1.0, 2.0, math.nan, math.inf])
        ),
        max_size=30,
    ),
    st.integers(0, 30),
)
def test_observations_get_one_verdict_however_they_are_cut(
    rows: list[tuple[int, int, float]], cut: int
) -> None:
    event = START + MINUTE * np.array([r[0] for r in rows], np.int64)
    avail = event + MINUTE * np.array([r[1] for r in rows], np.int64)
    value = np.array([r[2] for r in rows], np.float64)
    columns = ObservationColumns(event, avail, avail, value, np.zeros(len(rows), np.int64))
    whole, parts = processor(), processor()
    expected = whole.judge_series("macro.x", "*", columns)
    got = [
        parts.judge_series("macro.x", "*", columns.take(piece))
        for piece in (slice(0, cut), slice(cut, None))
    ]
    assert np.concatenate([v.cases for v in got]).tolist() == expected.cases.tolist()
    assert np.concatenate([v.flags for v in got]).tolist() == expected.flags.tolist()
    kept = avail[expected.accepted]
    assert (np.diff(kept) >= 0).all()
    assert (np.diff(event[expected.accepted]) >= 0).all()
    assert parts.report.seen == whole.report.seen
