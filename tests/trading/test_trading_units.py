from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_world import instrument, instruments

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import undescribed
from mirrorcore.trading import CostModel, Directive, Units, net_targets
from mirrorcore.trading.units import ratio_of

steps = st.decimals("0.00000001", "1000", allow_nan=False, allow_infinity=False, places=8)


@given(tick=steps, lot=steps, multiplier=steps, ticks=st.integers(1, 10**9), lots=st.integers())
def test_price_times_quantity_is_exact(
    tick: Decimal, lot: Decimal, multiplier: Decimal, ticks: int, lots: int
) -> None:
    units = Units([instrument(tick=tick, lot=lot, multiplier=multiplier), instrument()])
    notional = Fraction(tick) * ticks * Fraction(lot) * lots * Fraction(multiplier)
    assert lots * ticks * units.value[0] == notional * 10**units.places


def test_undescribed_instruments_count_money_in_sixteen_decimals() -> None:
    assert Units([undescribed("BTC/USDT")]).places == 16
    assert Units([instrument()]).places == 8


def test_two_currencies_are_named() -> None:
    with pytest.raises(ConfigError, match=r"EUR \(B/EUR\), USDT \(A/USDT\)"):
        Units([instrument("A/USDT"), instrument("B/EUR")])


def test_all_wrong_steps_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Units([instrument(tick=Decimal(0)), instrument("BBB/USDT", lot=Decimal(-1))])
    assert "AAA/USDT: tick was 0" in caught.value.message
    assert "BBB/USDT: lot was -1" in caught.value.message
    with pytest.raises(ConfigError, match="no instrument"):
        Units([])


def test_money_is_whole_quanta_with_a_currency() -> None:
    units = Units([instrument()])
    assert units.quanta(Decimal("1.5")) == 150_000_000
    assert str(units.money(-150_000_000)) == "-1.50000000 USDT"
    with pytest.raises(ConfigError, match="more than 8 decimals"):
        units.quanta(Decimal("0.000000001"))


@given(
    prices=st.lists(st.one_of(st.none(), st.integers(1, 10**7)), min_size=1, max_size=20),
    cut=st.integers(0, 20),
)
def test_ticks_carry_the_last_price_over_any_cut(prices: list[int | None], cut: int) -> None:
    units = Units([instrument()])
    column = np.array([[np.nan if p is None else p / 100] for p in prices])
    start = np.zeros(1, dtype=np.int64)
    whole = units.ticks(column, start)
    expected, last = [], 0
    for price in prices:
        last = last if price is None else price
        expected.append([last])
    assert whole.tolist() == expected
    head = units.ticks(column[:cut], start)
    tail = units.ticks(column[cut:], head[-1] if len(head) else start)
    assert [*head.tolist(), *tail.tolist()] == expected


def test_ratio_is_the_number_as_written() -> None:
    assert ratio_of(0.1) == (1, 10)
    assert ratio_of(2.5) == (5, 2)


@given(
    bps=st.integers(0, 9_999).map(lambda n: n / 10),
    notional=st.integers(-(10**24), 10**24),
)
def test_fee_is_the_exact_fee_rounded_up(bps: float, notional: int) -> None:
    fee = CostModel(fee_bps=bps, slippage_bps=5.0).fee(notional)
    exact = Fraction(abs(notional)) * Fraction(str(bps)) / 10_000
    assert exact <= fee < exact + 1


@given(bps=st.integers(0, 500), price=st.integers(-(10**9), 10**12), side=st.sampled_from([-1, 1]))
def test_slippage_is_always_against_us(bps: int, price: int, side: int) -> None:
    slipped = CostModel(fee_bps=10.0, slippage_bps=bps).slipped(price, side)
    exact = Fraction(abs(price)) * bps / 10_000
    assert exact <= (slipped - price) * side < exact + 1


@given(
    lots=st.integers(-(10**9), 10**9).filter(bool),
    price=st.integers(1, 10**8),
    value=st.integers(1, 10**6),
    fee=st.integers(0, 100),
    slippage=st.integers(0, 100),
)
def test_estimate_bounds_the_cost_of_a_fill_at_that_price(
    lots: int, price: int, value: int, fee: int, slippage: int
) -> None:
    costs = CostModel(fee, slippage)
    paid = costs.slipped(price, lots)
    actual = abs(lots * value * (paid - price)) + costs.fee(lots * paid * value)
    assert actual <= costs.estimate(lots, price, value)


@pytest.mark.parametrize("value", [-1.0, 10_000.0, float("nan"), float("inf")])
def test_impossible_costs_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="slippage_bps was"):
        CostModel(fee_bps=10.0, slippage_bps=value)


def test_directives_of_several_desks_are_netted() -> None:
    wishes = [Directive(1, 0.2, 0.6, 1), Directive(0, 0.1, 0.5, 1), Directive(1, -0.05, 1.0, 1)]
    assert net_targets(wishes, 3) == [0.1, 0.2 - 0.05, 0.0]
    with pytest.raises(ValueError, match=r"symbol was 3, must be in 0\.\.2"):
        net_targets([Directive(3, 0.1, 0.5, 1)], 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_weight": float("nan")}, "target_weight"),
        ({"confidence": 1.1}, "confidence"),
        ({"horizon_ns": 0}, "horizon_ns"),
    ],
)
def test_directives_out_of_bounds_are_refused(changes: dict[str, float], message: str) -> None:
    fields = {"symbol": 0, "target_weight": 0.1, "confidence": 0.5, "horizon_ns": 1, **changes}
    with pytest.raises(ValueError, match=message):
        Directive(**fields)  # type: ignore[arg-type]


def test_minimum_notional_is_rounded_up_to_quanta() -> None:
    listed = instruments(1, minimum=Decimal("5.000000001"))
    assert Units(listed).minimum == (500_000_001,)
