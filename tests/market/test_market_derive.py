"""What is derived from trades, quotes, books and funding, against values by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.clock import HOUR, MINUTE
from mirrorcore.market.categories import DataCategorizer
from mirrorcore.market.derive import Derivation, spread_bps
from mirrorcore.market.features.catalogue import features
from mirrorcore.market.halts import Halts
from mirrorcore.market.records import (
    CATEGORIES,
    BookDelta,
    BookSnapshot,
    FeedRecord,
    Funding,
    Observation,
    Quote,
    Status,
    Text,
    Trade,
)
from mirrorcore.market.series import SERIES, unit_of

BAR = 5 * MINUTE
START = 1_000_000 * BAR
SYMBOL = "BTC/USDT"


def _stamp(after: int, symbol: str = SYMBOL, source: str = "venue") -> dict[str, Any]:
    ts = START + after
    return {"source": source, "symbol": symbol, "ts_event": ts, "ts_recv": ts, "ts_avail": ts}


def trade(after: int, quantity: float, side: str, **more: Any) -> Trade:
    return Trade(**_stamp(after, **more), price=100.0, quantity=quantity, side=side)  # type: ignore[arg-type]


def quote(after: int, bid: float, ask: float, bid_size: float = 1, ask_size: float = 1) -> Quote:
    return Quote(**_stamp(after), bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size)


def derived(records: list[FeedRecord], now: int = BAR) -> dict[str, float | None]:
    """The values of the first interval by series."""
    derivation = Derivation(BAR)
    found = [one for record in records for one in derivation.take(record)]
    found += derivation.advance(START + now)
    return {one.series: one.value for one in found if isinstance(one, Observation)}


def test_trades_give_who_was_in_a_hurry() -> None:
    trades: list[FeedRecord] = [trade(1, 3.0, "buy"), trade(2, 1.0, "sell"), trade(3, 9.0, "")]
    assert derived(trades) == {
        "technical.trade_imbalance": 0.5,
        "technical.trade_count": 3.0,
    }
    assert derived([trade(1, 9.0, "")])["technical.trade_imbalance"] is None


def test_the_last_quote_gives_spread_and_imbalance() -> None:
    assert derived([quote(1, 1, 2), quote(2, 99.0, 101.0, 3.0, 1.0)]) == {
        "risk.spread_bps": pytest.approx(200.0),
        "technical.quote_imbalance": 0.5,
    }
    assert spread_bps(101.0, 99.0) is None


def test_a_book_is_followed_through_its_changes() -> None:
    whole = BookSnapshot(
        **_stamp(1), seq=10, bids=((99.0, 1.0), (98.0, 1.0)), asks=((101.0, 2.0), (102.0, 4.0))
    )
    change = BookDelta(**_stamp(2), seq=12, first_seq=11, bids=((99.0, 3.0),), asks=((102.0, 0),))
    values = derived([whole, change])
    assert values["technical.book_imbalance"] == pytest.approx((4 - 2) / 6)
    assert values["risk.book_depth"] == pytest.approx(99 * 3 + 98 + 101 * 2)
    assert values["risk.spread_bps"] == pytest.approx(200.0)


def test_a_book_with_a_hole_is_missing_and_never_invented() -> None:
    whole = BookSnapshot(**_stamp(1), seq=10, bids=((99.0, 1.0),), asks=((101.0, 2.0),))
    late = BookDelta(**_stamp(2), seq=15, first_seq=14, bids=((99.0, 3.0),), asks=())
    assert derived([whole, late])["technical.book_imbalance"] is None
    only = BookDelta(**_stamp(2), seq=15, first_seq=14, bids=((99.0, 3.0),), asks=())
    assert derived([only])["risk.spread_bps"] is None
    assert "technical.book_imbalance" not in derived([trade(1, 1.0, "buy"), quote(2, 99, 101)])


def test_funding_passes_at_once_and_is_told_for_a_year() -> None:
    found = Derivation(BAR).take(Funding(**_stamp(3), rate=1e-4, interval_ns=8 * HOUR))
    (one,) = found
    assert isinstance(one, Observation)
    assert one.series == "risk.funding_rate"
    assert one.value == pytest.approx(1e-4 * 3 * 365)
    assert one.ts_avail == START + 3


def test_a_value_is_available_at_the_end_of_its_interval_and_not_before() -> None:
    derivation = Derivation(BAR)
    assert derivation.take(trade(1, 1.0, "buy")) == []
    assert derivation.advance(START + BAR - 1) == []
    assert derivation.take(trade(BAR, 1.0, "sell")) == []  # the end belongs to the interval
    found = derivation.take(trade(3 * BAR + 1, 1.0, "buy"))
    assert {one.ts_avail for one in found} == {START + BAR}
    assert [one.value for one in found if isinstance(one, Observation)][0] == 0.0  # noqa: RUF015
    # The interval without a trade has no value; the next ends a bar after it began.
    assert {one.ts_avail for one in derivation.advance(START + 9 * BAR)} == {START + 4 * BAR}


@given(
    after=st.lists(st.integers(1, 6 * BAR), min_size=1, max_size=30),
    sides=st.lists(st.sampled_from(["buy", "sell"]), min_size=30, max_size=30),
    cut=st.integers(1, 6 * BAR),
)
def test_the_future_changes_no_value(after: list[int], sides: list[str], cut: int) -> None:
    def values(until: int) -> list[tuple[int, str, float | None]]:
        derivation = Derivation(BAR)
        found = [
            one
            for moment, side in zip(sorted(after), sides, strict=False)
            if moment <= until
            for one in derivation.take(trade(moment, 1.0 + moment % 7, side))
        ]
        found += derivation.advance(START + 7 * BAR)
        return [(o.ts_avail, o.series, o.value) for o in found if isinstance(o, Observation)]

    known = START + cut // BAR * BAR
    whole, short = values(6 * BAR), values(cut // BAR * BAR)
    assert [one for one in whole if one[0] <= known] == [one for one in short if one[0] <= known]


def test_the_categorizer_fills_the_categories_from_records() -> None:
    text = Text(**_stamp(4), title="t", url="", digest="d")
    found = DataCategorizer((SYMBOL,)).process(
        [[trade(1, 3.0, "buy"), quote(2, 99.0, 101.0)], [text]]
    )
    assert tuple(found) == CATEGORIES
    assert found["technical"][SYMBOL]["trade_imbalance"] == 1.0
    assert found["risk"][SYMBOL]["spread_bps"] == pytest.approx(200.0)
    crossed = DataCategorizer((SYMBOL,)).process([quote(2, 101.0, 99.0)])
    assert math.isnan(crossed["risk"][SYMBOL]["spread_bps"])


def test_every_known_series_and_feature_has_a_unit() -> None:
    assert all(unit_of(info.category, info.name) == info.unit != "" for info in SERIES.values())
    assert all(unit_of(feature.category, feature.name) for feature in features(BAR))
    assert unit_of("technical", "ema_96") == "quote currency"
    assert unit_of("macro", "somebodys_own") == ""


def _status(state: str, source: str = "venue", symbol: str = SYMBOL) -> Status:
    return Status(**_stamp(1, symbol=symbol, source=source), state=state, reason="")  # type: ignore[arg-type]


def test_a_symbol_is_halted_while_anyone_doubts_it_or_nobody_speaks() -> None:
    halts = Halts((SYMBOL, "ETH/USDT"))
    assert halts.causes == {}
    assert not halts.take(_status("diverged", symbol="XRP/USDT"))
    halts.take(_status("diverged", "check"))
    assert halts.causes == {0: "diverged"}
    halts.take(_status("live", "check"))
    halts.take(_status("live", "other", "*"))
    halts.take(_status("down", "venue", "*"))
    assert halts.causes == {}
    halts.take(_status("stale", "other", "*"))
    halts.take(_status("stale", "check"))
    assert set(halts.causes) == {0, 1}
    again = Halts(halts.symbols)
    again.restore(halts.checkpoint())
    assert again.causes == halts.causes
    again.take(_status("live", "venue", "*"))
    assert again.causes == {}
