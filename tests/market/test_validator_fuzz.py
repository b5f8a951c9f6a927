"""Whatever a field of a live record holds, the validator decides and counts; it never fails."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from validator_clean import clean_data

from mirrorcore.market.records import FeedRecord, Funding, Status, Swap
from mirrorcore.market.validator import MarketDataProcessor

CLEAN = clean_data()
AT = CLEAN.trades[0].ts_event
COMMON: dict[str, Any] = {"source": "clean", "ts_event": AT, "ts_recv": AT, "ts_avail": AT}
HASH = "0x" + "1" * 64
KINDS: tuple[FeedRecord, ...] = (
    CLEAN.bars["BTC/USDT"][0],
    CLEAN.series[0],
    CLEAN.trades[0],
    CLEAN.quotes[0],
    msgspec.structs.replace(CLEAN.depth[0], bids=((99.0, 1.0),), asks=((101.0, 1.0),)),
    CLEAN.depth[1],
    Funding(symbol="BTC/USDT", **COMMON, rate=0.0001, interval_ns=10**12),
    CLEAN.blocks[0],
    CLEAN.transfers[0],
    Swap(
        symbol="ETH/USDC",
        **COMMON,
        pool="0x" + "2" * 40,
        amount_base="1",
        amount_quote="-2",
        price="2",
        liquidity="5",
        block=1,
        block_hash=HASH,
        transaction=HASH,
        log_index=0,
    ),
    CLEAN.texts[0],
    Status(symbol="BTC/USDT", **COMMON, state="halted", reason="maintenance"),
)
JUNK = st.one_of(
    st.none(),
    st.sampled_from([math.nan, math.inf, -math.inf, -1, 0, 2**63, -(2**63), 2**256, 10**400, ""]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.lists(st.tuples(st.floats(), st.floats()), max_size=2).map(tuple),
    st.booleans(),
)


@pytest.mark.parametrize("record", KINDS, ids=lambda record: type(record).__name__)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_field_of_any_kind_can_make_it_fail(record: FeedRecord, data: st.DataObject) -> None:
    one = MarketDataProcessor(contiguous=("clean",), tokens={"0x" + "a0" * 20})
    names = [name for name in record.__struct_fields__ if name != "source"]
    batch = [
        msgspec.structs.replace(record, **{data.draw(st.sampled_from(names)): data.draw(JUNK)})
        for _ in range(3)
    ]
    usable = one.validate([*batch, record])
    assert one.report.seen["clean"] == 4
    assert len([r for r in usable if type(r) is type(record)]) <= 4
    assert one.validate(batch) is not None
