from __future__ import annotations

import math
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_world import BAR, START, World, instrument, instruments, limit_config

from mirrorcore.clock import DAY, HOUR
from mirrorcore.errors import ConfigError, RefusedError
from mirrorcore.trading import (
    CostModel,
    GatewayState,
    Order,
    OrderStatus,
    StopAuthority,
)
from mirrorcore.trading.sizing import Sizer
from mirrorcore.trading.units import Units

FREE = CostModel(0, 0)


def world(count: int = 1, **changes: object) -> World:
    return World(instruments(count), costs=FREE, **changes)  # type: ignore[arg-type]


# -- from weight to order


def test_weight_becomes_lots_truncated_toward_zero_and_fills_one_bar_later() -> None:
    w = world(2)
    # 0.1 of 10,000 USDT at 101 is 9.90099 units: 9,900 lots of a thousandth and most of one more.
    sent = w.tick([0.1, -0.1], [10_100, 10_100])
    assert [(o.symbol, o.lots) for o in sent] == [(0, 9_900), (1, -9_900)]
    assert not any(o.reduce_only for o in sent)
    assert w.ledger.positions == [0, 0]
    assert w.fills == []
    w.tick([0.1, -0.1], [10_100, 10_100])
    assert w.ledger.positions == [sent[0].lots, sent[1].lots]
    assert [f.ts for f in w.fills] == [START + BAR] * 2
    assert [f.price_ticks for f in w.fills] == [10_100, 10_100]


def test_an_order_under_way_is_netted() -> None:
    w = world()
    (first,) = w.tick([0.1], [10_000])
    # No bar for the symbol: the first order still waits, the second asks for the difference.
    (second,) = w.tick([0.3], [10_000], present=[False])
    assert (first.lots, second.lots) == (10_000, 20_000)
    assert w.tick([0.3], [10_000], present=[False]) == ()
    w.tick([0.3], [10_000])
    assert w.ledger.positions == [30_000]


def test_a_change_of_mind_withdraws_instead_of_trading_against_itself() -> None:
    w = world()
    (first,) = w.tick([0.3], [10_000])
    (second,) = w.tick([0.1], [10_000], present=[False])
    assert (first.status, first.outcome) == (OrderStatus.CANCELLED, "replaced")
    assert second.lots == 10_000
    assert w.tick([0.0], [10_000], present=[False]) == []
    assert second.status is OrderStatus.CANCELLED
    assert w.venue.working_lots == [0]


def test_a_turn_is_one_order_that_closes_and_one_that_opens() -> None:
    w = world()
    w.tick([0.1], [10_000])
    sent = w.tick([-0.2], [10_000])
    assert [(o.lots, o.reduce_only, o.bound is None) for o in sent] == [
        (-10_000, True, True),
        (-20_000, False, False),
    ]
    w.tick([-0.2], [10_000])
    assert w.ledger.positions == [-20_000]
    assert w.ledger.trade_count == 1


def test_what_the_volume_did_not_give_is_asked_for_again() -> None:
    w = world()
    w.tick([0.1], [10_000])
    w.tick([0.1], [10_000], volume=40.0)
    assert w.ledger.positions == [4_000]
    assert [o.lots for o in w.venue.working] == [6_000]
    w.tick([0.1], [10_000])
    assert w.ledger.positions == [10_000]
    assert [(o.sequence, o.outcome) for o in w.path.orders] == [(1, "volume"), (2, "")]


@given(
    weight=st.floats(-0.4, 0.4).filter(lambda w: abs(w) > 0.01),
    price=st.integers(1, 10**6),
    volumes=st.lists(st.floats(0.05, 1e4), min_size=1, max_size=6),
)
def test_closing_leaves_no_dust(weight: float, price: int, volumes: list[float]) -> None:
    w = World([instrument(minimum=Decimal(10))], costs=FREE)
    w.tick([weight], [price])
    for volume in volumes:
        w.tick([weight], [price], volume=volume)
    w.tick([0.0], [price])
    w.tick([0.0], [price])
    assert w.ledger.positions == [0]
    assert w.ledger.open_trades(w.marks) == []
    assert w.venue.working == []


def test_small_changes_are_left_alone_but_corrected_within_the_hour() -> None:
    w = world()
    w.tick([0.1], [10_000])
    w.tick([0.1], [10_000])
    assert w.tick([0.1009], [10_000]) == []
    assert [o.lots for o in w.tick([0.1011], [10_000])] == [110]
    w.tick([0.1011], [10_000])
    # The price doubles under an unchanged target: nothing for an hour, then half is sold.
    sent = [w.tick([0.1011], [20_000]) for _ in range(HOUR // BAR)]
    assert [len(orders) for orders in sent] == [0] * (HOUR // BAR - 1) + [1]
    assert sent[-1][0].reduce_only


def test_below_the_minimum_nothing_is_opened_but_everything_can_be_closed() -> None:
    w = World([instrument(minimum=Decimal(500))], costs=FREE)
    assert w.tick([0.049], [10_000]) == []
    assert len(w.tick([0.06], [10_000])) == 1
    w.tick([0.06], [10_000])
    assert w.tick([0.1], [10_000]) == []
    (closing,) = w.tick([0.02], [10_000])
    assert (closing.lots, closing.reduce_only) == (-6_000, True)


def test_a_position_that_fell_below_the_minimum_can_be_closed() -> None:
    w = World([instrument(minimum=Decimal(500))], costs=FREE)
    w.tick([0.06], [10_000])
    w.tick([0.06], [10_000])
    w.tick([0.06], [5_000])
    (closing,) = w.tick([0.01], [5_000])
    assert closing.lots == -w.ledger.positions[0]


def test_a_caller_may_reuse_its_list_of_targets() -> None:
    w = world()
    targets = [0.1]
    fresh = [True]
    assert len(w.path.step(START, targets, [10_000], w.ledger.cash, fresh)) == 1
    targets[0] = 0.2
    assert len(w.path.step(START, targets, [10_000], w.ledger.cash, fresh)) == 1


def test_a_vetoed_wish_is_still_open_after_a_restart() -> None:
    w = world()
    w.tick([0.1], [10_000], fresh=[False])
    twin = world()
    twin.path.restore(w.path.checkpoint())
    twin.ts = w.ts
    assert len(twin.tick([0.1], [10_000])) == 1


def test_what_cannot_be_shorted_is_held_at_zero_and_said_so() -> None:
    w = World([instrument(shortable=False), instrument("BBB/USDT")], costs=FREE)
    assert [o.symbol for o in w.tick([-0.1, -0.1], [100, 100])] == [1]
    assert w.hits() == {("shortable", 0): 1}
    w.tick([0.1, 0.0], [100, 100])
    w.tick([0.1, 0.0], [100, 100])
    assert w.ledger.positions[0] > 0
    (closing,) = w.tick([-0.1, 0.0], [100, 100])
    assert (closing.lots, closing.reduce_only) == (-w.ledger.positions[0], True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_target_that_is_no_number_keeps_the_last_one(bad: float) -> None:
    w = world(2)
    w.tick([0.1, 0.1], [10_000, 10_000])
    w.tick([0.1, 0.1], [10_000, 10_000])
    assert [o.symbol for o in w.tick([bad, 0.2], [10_000, 10_000])] == [1]
    w.tick([bad, 0.2], [10_000, 10_000])
    assert w.ledger.positions == [10_000, 20_000]
    assert w.hits()["invalid_target", 0] >= 1


def test_without_a_price_nothing_is_opened() -> None:
    w = world(2)
    assert [o.symbol for o in w.tick([0.1, 0.1], [0, 10_000], present=[False, True])] == [1]


def test_wrong_shapes_and_types_are_refused_before_they_do_harm() -> None:
    w = world(2)
    with pytest.raises(ValueError, match="1 targets for 2 symbols"):
        w.path.step(START, [0.1], [1, 1], 10**12, [True, True])
    with pytest.raises(ValueError, match="prices of type float"):
        w.path.step(START, [0.1, 0.1], [1.0, 1.0], 10**12, [True, True])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="min_trade was 1"):
        Sizer(Units(instruments(1)), 1.0)


# -- limits


def test_no_new_risk_in_a_stale_symbol_but_out_of_it_at_any_time() -> None:
    w = world()
    assert w.tick([0.1], [10_000], fresh=[False]) == []
    assert [(o.status, o.outcome) for o in w.path.orders] == [(OrderStatus.VETOED, "stale_bars")]
    for _ in range(5):
        w.tick([0.1], [10_000], fresh=[False])
    assert w.hits() == {("stale_bars", 0): 6}
    assert len(w.path.orders) == 1, "repeated vetoes are counted, not listed"
    w.tick([0.1], [10_000])
    w.tick([0.1], [10_000])
    assert [o.lots for o in w.tick([0.0], [10_000], fresh=[False])] == [-10_000]


def test_an_order_that_adds_risk_is_withdrawn_when_its_symbol_goes_stale() -> None:
    w = world()
    (order,) = w.tick([0.1], [10_000])
    w.tick([0.1], [10_000], present=[False], fresh=[False])
    assert (order.status, order.outcome) == (OrderStatus.CANCELLED, "stale_bars")


def test_the_rate_holds_back_new_risk_and_nothing_else() -> None:
    w = world(4, limits=limit_config(order_rate=2))
    assert len(w.tick([0.1] * 4, [10_000] * 4)) == 2
    assert len(w.tick([0.1] * 4, [10_000] * 4)) == 2
    w.tick([0.1] * 4, [10_000] * 4)
    assert w.ledger.positions == [10_000] * 4
    sent = w.tick([-0.1] * 4, [10_000] * 4)
    assert [o.reduce_only for o in sent] == [True] * 4
    assert w.hits()["order_rate", 0] == 1


def test_a_gap_beyond_the_collar_stops_new_risk_and_not_the_way_out() -> None:
    w = world()
    (order,) = w.tick([0.1], [10_000])
    assert order.bound == 10_500
    w.tick([0.0], [10_501], opens=[10_501])
    assert (order.outcome, order.refused) == ("price_collar", 10_501)
    assert [h.asked for h in w.limits.hits.rows()] == [pytest.approx(0.0501)]
    w.tick([0.1], [10_000])
    w.tick([0.1], [10_000], opens=[10_500])
    assert w.ledger.positions == [10_000]
    w.tick([0.0], [10_000])
    w.tick([0.0], [5_000], opens=[5_000])
    assert w.ledger.positions == [0]


def test_daily_loss_withdraws_and_blocks_new_risk_until_midnight() -> None:
    w = world(2, limits=limit_config(daily_loss=0.01))
    w.tick([0.4, 0.0], [10_000, 10_000])
    w.tick([0.4, 0.0], [10_000, 10_000])
    (waiting,) = w.tick([0.4, 0.2], [10_000, 10_000])
    w.tick([0.4, 0.2], [9_700, 10_000], present=[True, False])
    assert (waiting.status, waiting.outcome) == (OrderStatus.CANCELLED, "daily_loss")
    assert w.tick([0.4, 0.2], [9_700, 10_000]) == []
    assert [o.reduce_only for o in w.tick([0.2, 0.2], [9_700, 10_000])] == [True]
    while w.ts % DAY:
        assert w.ledger.positions[1] == 0
        sent = w.tick([0.2, 0.2], [9_700, 10_000])
    assert [o.symbol for o in sent] == [1]


def test_drawdown_closes_everything_and_stays_closed_and_says_so() -> None:
    w = world(2, limits=limit_config(daily_loss=1.0))
    w.tick([0.4, -0.4], [10_000, 10_000])
    w.tick([0.4, -0.4], [10_000, 10_000])
    sent = w.tick([0.4, -0.4], [6_000, 12_000])
    assert w.gateway.state is GatewayState.REDUCING
    assert w.gateway.reason.startswith("drawdown 24.0% reached the limit of 20.0%")
    assert [(o.lots, o.reduce_only, o.reason) for o in sent] == [
        (-40_000, True, "drawdown"),
        (40_000, True, "drawdown"),
    ]
    for target in (0.4, 0.1, -0.3):
        assert w.tick([target, target], [6_000, 12_000]) == []
    assert w.ledger.positions == [0, 0]
    assert w.hits()["drawdown", None] == 1
    with pytest.raises(RefusedError):
        w.path.resume("looked into it", ts=w.ts)
    w.path.resume("looked into it", ts=w.ts, confirmed=True)
    assert len(w.tick([0.1, 0.1], [6_000, 12_000])) == 2


def test_a_resume_forgives_no_loss_that_did_not_trip() -> None:
    w = world()
    w.tick([0.4], [10_000])
    w.tick([0.4], [10_000])
    w.tick([0.4], [6_500])
    w.gateway.reduce("journal", ts=w.ts)
    w.path.resume("disk freed", ts=w.ts, confirmed=True)
    assert w.limits.drawdown == pytest.approx(0.14)


def test_gross_counts_the_worst_case_of_what_is_under_way() -> None:
    w = world(2, limits=limit_config(gross=1.0, per_symbol=1.0))
    w.tick([0.8, 0.0], [10_000, 10_000])
    w.tick([0.8, 0.0], [10_000, 10_000])
    # Rotating from one symbol to the other: until the first is sold only 0.2 may be bought.
    sent = w.tick([0.0, 0.8], [10_000, 10_000])
    assert [(o.symbol, o.lots) for o in sent] == [(0, -80_000), (1, 20_000)]
    assert w.hits()["gross", 1] == 1
    w.tick([0.0, 0.8], [10_000, 10_000])
    w.tick([0.0, 0.8], [10_000, 10_000])
    assert w.ledger.positions == [0, 80_000]


def test_over_a_limit_by_the_market_nothing_is_added_until_it_is_mended() -> None:
    w = world(limits=limit_config(gross=0.5, per_symbol=0.5, daily_loss=1.0))
    w.tick([-0.5], [10_000])
    w.tick([-0.5], [10_000])
    # Short half the account and the price rises: a turn may close, but not yet open.
    (closing,) = w.tick([0.3], [11_000])
    assert (closing.lots, closing.reduce_only) == (50_000, True)
    assert w.hits() == {("gross", 0): 1}
    assert [o.reduce_only for o in w.tick([0.3], [11_000])] == [False]


def test_the_cost_of_an_order_counts_against_its_limit() -> None:
    w = World(instruments(1), costs=CostModel(100, 100), limits=limit_config(per_symbol=0.4))
    for _ in range(3):
        w.tick([0.4], [10_000])
    exposure, _ = w.ledger.exposure(w.marks)
    assert 0.39 * w.equity < exposure <= 0.4 * w.equity


def test_a_limit_tightened_by_command_takes_effect_at_the_next_tick() -> None:
    w = world()
    w.tick([0.4], [10_000])
    w.tick([0.4], [10_000])
    w.path.adjust("per_symbol", 0.1)
    (order,) = w.tick([0.4], [10_000])
    assert (order.lots, order.reduce_only) == (-30_000, True)


# -- stop


def test_stop_closes_at_once_and_only_its_authority_gets_reductions_through() -> None:
    w = world(2)
    authority = w.gateway.claim_stop_authority()
    w.tick([0.2, 0.0], [10_000, 10_000])
    w.tick([0.2, 0.0], [10_000, 10_000])
    (waiting,) = w.tick([0.2, 0.2], [10_000, 10_000])
    w.gateway.stop("operator", ts=w.ts)
    assert (waiting.status, waiting.outcome) == (OrderStatus.CANCELLED, "gateway")
    assert w.venue.working == []
    for targets in ([0.0, 0.0], [0.4, 0.4], [-0.4, 0.1]):
        assert w.tick(targets, [10_000, 10_000]) == []
    assert list(w.path.flatten(w.ts, w.marks)) == []
    assert list(w.path.flatten(w.ts, w.marks, StopAuthority())) == []
    (closing,) = w.path.flatten(w.ts, w.marks, authority)
    assert (closing.lots, closing.reduce_only, closing.reason) == (-20_000, True, "stop")
    assert list(w.path.flatten(w.ts, w.marks, authority)) == [], "already under way"
    w.tick([0.4, 0.4], [10_000, 10_000], volume=50.0)
    assert w.ledger.positions == [15_000, 0]
    w.path.flatten(w.ts, w.marks, authority)
    w.tick([0.4, 0.4], [10_000, 10_000])
    assert w.ledger.positions == [0, 0]


def test_reducing_lets_reductions_through_and_nothing_else() -> None:
    w = world()
    w.tick([0.2], [10_000])
    w.tick([0.2], [10_000])
    w.gateway.reduce("journal cannot write", ts=w.ts)
    assert w.tick([0.3], [10_000]) == []
    assert [o.lots for o in w.tick([-0.1], [10_000])] == [-20_000]


def test_an_intent_that_cannot_be_recorded_leaves_only_the_way_out() -> None:
    w = world(2)
    w.tick([0.2, 0.0], [10_000, 10_000])
    w.tick([0.2, 0.0], [10_000, 10_000])
    asked: list[Order] = []

    def disk_full(order: Order) -> bool:
        assert order.status is OrderStatus.INTENT
        asked.append(order)
        return False

    w.path.before_submit = disk_full
    sent = w.tick([0.1, 0.1], [10_000, 10_000])
    assert [(o.symbol, o.reduce_only) for o in sent] == [(0, True)]
    assert len(asked) >= 1
    assert w.gateway.state is GatewayState.REDUCING
    assert w.tick([0.1, 0.1], [10_000, 10_000]) == []


def test_new_risk_that_cannot_be_recorded_is_not_sent() -> None:
    w = world()
    w.path.before_submit = lambda order: False
    assert w.tick([0.1], [10_000]) == []
    assert w.venue.working == []
    assert [(o.status, o.outcome) for o in w.path.orders] == [(OrderStatus.VETOED, "unrecorded")]


def test_intents_are_recorded_before_the_venue_hears_of_them() -> None:
    w = world()
    seen: list[tuple[str, int]] = []
    w.path.before_submit = lambda order: (
        seen.append((order.client_id, len(w.venue.working))) is None
    )
    w.tick([0.1], [10_000])
    assert seen == [("01234567-1", 0)]


# -- what the swarm journals


def test_drain_hands_out_each_event_once_and_close_ends_what_is_under_way() -> None:
    w = world()
    w.tick([0.1], [10_000])
    w.tick([0.2], [10_000])
    orders, fills, _ = w.path.drain()
    assert [o.sequence for o in orders] == [1]
    assert [f.sequence for f in fills] == [1]
    w.path.close(w.ts)
    orders, fills, hits = w.path.drain(final=True)
    assert [(o.sequence, o.outcome) for o in orders] == [(2, "end of run")]
    assert (fills, hits) == ([], [])


ticks = st.lists(
    st.tuples(
        st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, -0.1, -0.3, -0.6]), min_size=3, max_size=3),
        st.lists(st.integers(-300, 300), min_size=3, max_size=3),
        st.lists(st.integers(0, 9).map(bool), min_size=3, max_size=3),
        st.lists(st.sampled_from([0, 30_000, 3_000_000, 10**12]), min_size=3, max_size=3),
    ),
    min_size=1,
    max_size=25,
)


def _play(w: World, plan: list, prices: list[int], scale: int = 1) -> list[tuple[int | str, ...]]:
    """Rows of everything that happened, with lots as counted in the unscaled world."""
    rows: list[tuple[int | str, ...]] = []
    for targets, moves, present, volumes in plan:
        prices[:] = [max(1, p + p * m // 10_000) for p, m in zip(prices, moves, strict=True)]
        lots = [float(i.lot) for i in w.listed]
        w.tick(
            targets,
            prices,
            present=present,
            volume=[v * lot for v, lot in zip(volumes, lots, strict=True)],
        )
        rows += [order.row() for order in w.path.orders] + [fill.row() for fill in w.path.fills]
        w.path.drain()
    return rows


@settings(max_examples=60, deadline=None)
@given(plan=ticks, factor=st.sampled_from([Decimal(3), Decimal(1000), Decimal("0.07")]))
def test_price_times_c_and_quantity_by_c_change_no_decision(plan: list, factor: Decimal) -> None:
    steps = {"tick": Decimal("0.01"), "lot": Decimal("0.021")}
    scaled = {"tick": steps["tick"] * factor, "lot": steps["lot"] / factor}
    assert scaled["tick"] * scaled["lot"] == steps["tick"] * steps["lot"]
    plain = World(instruments(3, **steps), initial="100000")
    other = World(instruments(3, **scaled), initial="100000")
    start = [10_000, 500, 77_777]
    assert _play(plain, plan, list(start)) == _play(other, plan, list(start))
    assert plain.equity == other.equity


@settings(max_examples=60, deadline=None)
@given(plan=ticks, cut=st.integers(0, 25))
def test_a_restored_path_goes_on_to_the_bit(plan: list, cut: int) -> None:
    whole = World(instruments(3))
    start = [10_000, 500, 77_777]
    expected = _play(whole, plan, list(start))
    first, prices = World(instruments(3)), list(start)
    rows = _play(first, plan[:cut], prices)
    second = World(instruments(3), limits=limit_config(gross=0.1), initial="1")
    plain = msgspec.json.decode(msgspec.json.encode(first.path.checkpoint()))
    second.path.restore(plain)
    assert second.path.checkpoint() == first.path.checkpoint()
    second.ts, second.marks = first.ts, first.marks
    assert rows + _play(second, plan[cut:], prices) == expected
    assert second.path.checkpoint() == whole.path.checkpoint()


@settings(max_examples=30, deadline=None)
@given(plan=ticks)
def test_the_run_id_is_in_the_client_ids_and_nowhere_else(plan: list) -> None:
    start = [10_000, 500, 77_777]
    one, other = World(instruments(3), run_id="a" * 16), World(instruments(3), run_id="b" * 16)
    assert _play(one, plan, list(start)) == _play(other, plan, list(start))
    for fill, twin in zip(one.fills, other.fills, strict=True):
        assert (fill.client_id, twin.client_id) == (
            f"aaaaaaaa-{fill.sequence}",
            f"bbbbbbbb-{fill.sequence}",
        )
