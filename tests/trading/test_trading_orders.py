from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest
from trading_world import instrument

from mirrorcore.errors import ConfigError, RefusedError
from mirrorcore.trading import (
    CostModel,
    Fill,
    Gateway,
    GatewayState,
    IllegalStepError,
    Order,
    OrderStatus,
    SimulatedVenue,
    StopAuthority,
)
from mirrorcore.trading.gateway import NEXT_STATE, Trigger

LEGAL = {
    ("INTENT", "ACCEPTED"),
    ("INTENT", "VETOED"),
    ("ACCEPTED", "PARTIALLY_FILLED"),
    ("ACCEPTED", "FILLED"),
    ("ACCEPTED", "CANCELLED"),
    ("PARTIALLY_FILLED", "PARTIALLY_FILLED"),
    ("PARTIALLY_FILLED", "FILLED"),
    ("PARTIALLY_FILLED", "CANCELLED"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(OrderStatus, OrderStatus)))
def test_order_takes_the_steps_of_its_table_and_no_other(
    before: OrderStatus, after: OrderStatus
) -> None:
    order = Order("run-1", 1, 0, 5, 100, status=before)
    if (before.name, after.name) in LEGAL:
        order.move(after, 200)
        assert (order.status, order.updated) == (after, 200)
    else:
        with pytest.raises(IllegalStepError, match=f"{before.name} -> {after.name}"):
            order.move(after, 200)
        assert order.status is before


def test_rows_leave_out_the_run_and_fit_every_encoding() -> None:
    orders = [Order(f"{run}-7", 7, 2, 10**25, 100, mark=3, bound=4) for run in ("a", "b")]
    assert orders[0].row() == orders[1].row()
    fills = [Fill(f"{run}-7", 7, 2, 100, 101, 10**25, 5, 10**20, 10**21) for run in ("a", "b")]
    assert fills[0].row() == fills[1].row()
    encoded = msgspec.msgpack.encode([orders[0].row(), fills[0].row()])
    assert msgspec.msgpack.decode(encoded) == [list(orders[0].row()), list(fills[0].row())]


def test_every_field_of_an_order_shows_in_its_row() -> None:
    plain = Order("run-7", 7, 2, 10, 100)
    changed = {
        "sequence": 8, "symbol": 3, "lots": 11, "ts": 101, "reduce_only": True, "reason": "stop",
        "mark": 9, "bound": 10, "status": OrderStatus.ACCEPTED, "filled": 1, "outcome": "volume",
        "refused": 12, "updated": 5,
    }  # fmt: skip
    assert {*changed, "client_id"} == set(Order.__struct_fields__)
    for name, value in changed.items():
        assert msgspec.structs.replace(plain, **{name: value}).row() != plain.row(), name


def test_order_survives_dump_and_load() -> None:
    order = Order("run-7", 7, 2, -(10**25), 100, True, "stop", 5, 6)
    order.move(OrderStatus.ACCEPTED, 101)
    order.outcome, order.refused, order.filled = "price_collar", 7, -3
    plain = msgspec.json.decode(msgspec.json.encode(order.dump()))
    assert Order.load(plain) == order


# -- gateway

LEGAL_STATES = {
    ("ACTIVE", "REDUCE"): "REDUCING",
    ("ACTIVE", "STOP"): "HALTED",
    ("REDUCING", "REDUCE"): "REDUCING",
    ("REDUCING", "STOP"): "HALTED",
    ("REDUCING", "RESUME"): "ACTIVE",
    ("HALTED", "REDUCE"): "HALTED",
    ("HALTED", "STOP"): "HALTED",
    ("HALTED", "RESUME"): "ACTIVE",
}


def _gateway_in(state: GatewayState) -> Gateway:
    gateway = Gateway()
    gateway.restore({"state": state.value, "reason": "before"})
    return gateway


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(GatewayState, Trigger)))
def test_gateway_follows_its_table(state: GatewayState, trigger: Trigger) -> None:
    gateway = _gateway_in(state)
    call = {
        Trigger.STOP: lambda: gateway.stop("why", ts=5),
        Trigger.REDUCE: lambda: gateway.reduce("why", ts=5),
        Trigger.RESUME: lambda: gateway.resume("why", ts=5, confirmed=True),
    }[trigger]
    expected = LEGAL_STATES.get((state.name, trigger.name))
    if expected is None:
        with pytest.raises(IllegalStepError, match=f"{trigger.name} in {state.name}"):
            call()
        assert not list(gateway.changes)
        return
    call()
    assert gateway.state.name == expected
    changed = [(5, state.value, expected.lower(), "why")] if state.name != expected else []
    assert [(c.ts, c.before, c.after, c.reason) for c in gateway.changes] == changed


def test_nothing_but_a_resume_ever_opens_the_gateway() -> None:
    strictness = {GatewayState.ACTIVE: 0, GatewayState.REDUCING: 1, GatewayState.HALTED: 2}
    for (before, trigger), after in NEXT_STATE.items():
        assert trigger is Trigger.RESUME or strictness[after] >= strictness[before]


def test_resume_needs_a_confirmation() -> None:
    gateway = _gateway_in(GatewayState.HALTED)
    with pytest.raises(RefusedError, match="HALTED"):
        gateway.resume("all well", ts=1)
    assert gateway.state is GatewayState.HALTED
    gateway.resume("all well", ts=1, confirmed=True)
    assert (gateway.state, gateway.reason) == (GatewayState.ACTIVE, "")


@pytest.mark.parametrize("state", list(GatewayState))
@pytest.mark.parametrize(
    ("lots", "exposure", "reduces"),
    [(-3, 5, True), (-5, 5, True), (-6, 5, False), (3, 5, False), (3, -5, True), (3, 0, False)],
)
def test_a_claim_to_reduce_is_checked_and_halted_needs_the_authority(
    state: GatewayState, lots: int, exposure: int, reduces: bool
) -> None:
    gateway = _gateway_in(state)
    authority = gateway.claim_stop_authority()
    assert gateway.admits_reduction(lots, exposure, authority) is reduces
    halted = state is GatewayState.HALTED
    assert gateway.admits_reduction(lots, exposure) is (reduces and not halted)
    assert gateway.admits_reduction(lots, exposure, StopAuthority()) is (reduces and not halted)


def test_the_stop_authority_is_handed_out_once() -> None:
    gateway = Gateway()
    gateway.claim_stop_authority()
    with pytest.raises(RefusedError, match="handed out already"):
        gateway.claim_stop_authority()


def test_a_listener_that_raises_cannot_keep_the_gateway_open() -> None:
    gateway = Gateway()

    def broken(ts: int) -> None:
        raise RuntimeError("listener")

    gateway.on_close.append(broken)
    with pytest.raises(RuntimeError, match="listener"):
        gateway.stop("stop", ts=1)
    assert gateway.state is GatewayState.HALTED


# -- venue


def _venue(costs: CostModel | None = None) -> SimulatedVenue:
    return SimulatedVenue([instrument(), instrument("BBB/USDT")], costs or CostModel(10, 5), 0.1)


def _match(venue: SimulatedVenue, opened: int, price: float, volume: float) -> list[Fill]:
    return venue.match(
        opened + 300, [opened, 0], [True, False], [price, float("nan")], [volume, float("nan")]
    )


def test_fill_is_slipped_charged_and_rounded_against_us() -> None:
    for lots, ticks in ((1000, 10_006), (-1000, 9_994)):
        venue = _venue()
        order = Order("r-1", 1, 0, lots, 1000)
        venue.submit(order, 1000)
        (fill,) = _match(venue, 1000, 100.01, 1e6)
        # 5 bp of 10001 ticks is 5.0005, so 6; a lot and tick is 0.00001 USDT = 1000 quanta.
        assert fill.price_ticks == ticks + 1
        assert fill.slippage == 1000 * 6 * 1000
        assert fill.fee == -(-1000 * (ticks + 1) * 1000 * 10 // 10_000)
        assert (fill.ts, fill.ts_avail, fill.lots) == (1000, 1300, lots)
        assert order.status is OrderStatus.FILLED
        assert venue.working == []
        assert venue.working_lots == [0, 0]


def test_never_the_bar_of_the_decision() -> None:
    venue = _venue()
    venue.submit(Order("r-1", 1, 0, 10, 1000), 1000)
    assert _match(venue, 999, 100.0, 1e6) == []
    assert len(_match(venue, 1000, 100.0, 1e6)) == 1


def test_a_symbol_without_a_bar_waits() -> None:
    venue = _venue()
    order = Order("r-1", 1, 1, 10, 1000)
    venue.submit(order, 1000)
    assert _match(venue, 1000, 100.0, 1e6) == []
    assert order.status is OrderStatus.ACCEPTED


def test_a_tenth_of_the_volume_is_shared_in_order_and_the_rest_cancelled() -> None:
    venue = _venue()
    orders = [Order(f"r-{n}", n, 0, lots, 1000) for n, lots in ((1, 60), (2, 60), (3, 5))]
    for order in orders:
        venue.submit(order, 1000)
    fills = _match(venue, 1000, 100.0, 1.009)  # 1009 lots, a tenth rounded down is 100
    assert [fill.lots for fill in fills] == [60, 40]
    assert [order.status.name for order in orders] == ["FILLED", "CANCELLED", "CANCELLED"]
    assert [order.filled for order in orders] == [60, 40, 0]
    assert orders[1].outcome == "volume"
    assert venue.finished == orders


@pytest.mark.parametrize("volume", [0.0, float("nan")])
def test_a_bar_without_volume_fills_nothing(volume: float) -> None:
    venue = _venue()
    order = Order("r-1", 1, 0, 10, 1000)
    venue.submit(order, 1000)
    assert _match(venue, 1000, 100.0, volume) == []
    assert (order.status, order.outcome) == (OrderStatus.CANCELLED, "volume")


def test_new_risk_is_not_filled_beyond_its_bound() -> None:
    venue = _venue(CostModel(0, 0))
    kept = Order("r-1", 1, 0, 10, 1000, bound=10_000)
    refused = Order("r-2", 2, 0, 10, 1000, bound=9_999)
    sold = Order("r-3", 3, 0, -10, 1000, bound=10_001)
    for order in (kept, refused, sold):
        venue.submit(order, 1000)
    assert [fill.sequence for fill in _match(venue, 1000, 100.0, 1e6)] == [1]
    assert (refused.outcome, refused.refused) == ("price_collar", 10_000)
    assert sold.outcome == "price_collar"


def test_a_price_between_two_ticks_is_taken_on_the_worse_side() -> None:
    for lots, ticks in ((10, 10_001), (-10, 10_000)):
        venue = _venue(CostModel(0, 0))
        venue.submit(Order("r-1", 1, 0, lots, 1000), 1000)
        (fill,) = _match(venue, 1000, 100.005, 1e6)
        assert fill.price_ticks == ticks


def test_float_noise_of_a_price_on_the_grid_costs_nothing() -> None:
    listed = [instrument(tick=Decimal("1e-8"))]
    for price in (0.1 + 0.2, 69_420.12345678, 1.1 * 3):
        venue = SimulatedVenue(listed, CostModel(0, 0), 0.1)
        venue.submit(Order("r-1", 1, 0, 1, 0), 0)
        (fill,) = venue.match(1, [0], [True], [price], [1e9])
        assert fill.price_ticks == round(price * 1e8)


def test_venue_refuses_what_makes_no_sense() -> None:
    with pytest.raises(ConfigError, match="participation was 0"):
        SimulatedVenue([instrument()], CostModel(10.0, 5.0), 0.0)
    with pytest.raises(ValueError, match="no lots"):
        _venue().submit(Order("r-1", 1, 0, 0, 1000), 1000)


def test_venue_continues_from_its_checkpoint() -> None:
    first = _venue()
    first.submit(Order("r-1", 1, 0, 10, 1000, bound=10**9), 1000)
    first.submit(Order("r-2", 2, 1, -7, 1000, True), 1000)
    second = _venue()
    second.restore(msgspec.json.decode(msgspec.json.encode(first.checkpoint())))
    assert second.working == first.working
    assert second.working_lots == [10, -7]
    assert _match(second, 1000, 100.0, 1e6) == _match(first, 1000, 100.0, 1e6)
