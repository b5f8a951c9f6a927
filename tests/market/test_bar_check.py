"""Own bars beside the venue's: what differs is counted, what cannot be compared is not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mirrorcore.clock import MINUTE
from mirrorcore.market.bar_check import BarCheck, BarCounts
from mirrorcore.market.records import Bar, Flag, Trade

T0 = 1_700_000_040_000_000_000
BTC = "BTC/USDT"


def bar(minute: int, volume: float = 2.0, close: float = 11.0, symbol: str = BTC) -> Bar:
    start = T0 + minute * MINUTE
    return Bar(
        source="venue", symbol=symbol, ts_event=start, ts_recv=start + MINUTE,
        ts_avail=start + MINUTE, open=10.0, high=12.0, low=9.0, close=close, volume=volume,
    )  # fmt: skip


def compared(own: list[Bar], told: list[Bar], trades: list[Trade] | None = None) -> BarCounts:
    check = BarCheck(MINUTE)
    check.heed(trades or [])
    check.told(told)
    check.own(own)
    other = BarCheck(MINUTE)
    other.heed(trades or [])
    for mine in own:  # the venue's may come before ours and after
        other.own([mine])
        other.told([one for one in told if one.ts_event == mine.ts_event])
    assert other.counts.compared == check.counts.compared
    assert other.counts.different == check.counts.different
    return check.counts


def test_equal_bars_are_equal_however_their_volume_was_summed() -> None:
    own = [bar(n) for n in range(5)]
    told = [bar(n, volume=2.0 + 1e-15) for n in range(5)]
    assert compared(own, told) == BarCounts(4, 0, 0)


@pytest.mark.parametrize("other", [bar(2, volume=2.1), bar(2, close=11.1)])
def test_a_lost_trade_shows_in_volume_or_price(other: Bar) -> None:
    own = [bar(n) for n in range(4)]
    told = [bar(0), bar(1), other, bar(3)]
    assert compared(own, told) == BarCounts(3, 1, 0)


def test_a_bar_only_the_venue_has_is_missing_unless_nothing_was_traded_in_it() -> None:
    own = [bar(0), bar(1), bar(4)]
    told = [bar(0), bar(1), bar(2), bar(3, volume=0.0), bar(4)]
    assert compared(own, told) == BarCounts(2, 0, 1)


def test_the_first_bar_and_those_with_a_gap_are_not_compared() -> None:
    own = [bar(0, volume=0.5), replace(bar(1, volume=0.7), flags=int(Flag.AFTER_GAP)), bar(2)]
    assert compared(own, [bar(0), bar(1), bar(2)]) == BarCounts(1, 0, 0)


def test_where_the_venues_clock_was_corrected_intervals_are_others() -> None:
    corrected = Trade(
        source="venue", symbol=BTC, ts_event=T0 + 2 * MINUTE, ts_recv=T0 + 2 * MINUTE,
        ts_avail=T0 + 2 * MINUTE, flags=int(Flag.SKEW_CORRECTED), seq=1, price=10.0, quantity=1.0,
        side="", trade_id="1",
    )  # fmt: skip
    own = [bar(n, volume=1.0) for n in range(4)] + [bar(n) for n in range(4, 7)]
    assert compared(own, [bar(n) for n in range(7)], [corrected]) == BarCounts(3, 0, 0)


def test_symbols_are_compared_each_with_itself() -> None:
    own = [bar(n, symbol=symbol) for symbol in (BTC, "ETH/USDT") for n in range(3)]
    told = [bar(n, symbol="ETH/USDT", volume=3.0) for n in range(3)]
    assert compared(own, told) == BarCounts(2, 2, 0)
