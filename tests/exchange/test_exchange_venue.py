"""Accounts, orders and settlement: nothing is made, nothing is lost, nothing stays locked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.errors import UsageError
from mirrorcore.exchange.accounts import Account, fee
from mirrorcore.exchange.listings import UNIT, Listing, listing_of, units_text
from mirrorcore.exchange.matching import Duration, SelfTrade
from mirrorcore.exchange.orders import Fill, Kind, Order, OrderRequest, OrderStatus
from mirrorcore.exchange.refusals import RefusalError
from mirrorcore.exchange.tape import Aggregate, Print
from mirrorcore.exchange.venue import Market, Venue

COIN = Listing(symbol="COIN/USDT", price=Decimal(100), tick=Decimal("0.01"), lot=Decimal("0.001"))


@dataclass
class Heard:
    """Everything the venue told."""

    prints: list[Print] = field(default_factory=list)
    aggregates: list[Aggregate] = field(default_factory=list)
    orders: list[tuple[int, str, str]] = field(default_factory=list)
    updates: int = 0

    def on_trades(
        self, market: Market, prints: Sequence[Print], aggregates: Sequence[Aggregate]
    ) -> None:
        self.prints += prints
        self.aggregates += aggregates

    def on_book(self, market: Market, changes: Sequence[tuple[bool, int]], now: int) -> None:
        self.updates += len(changes)
        assert self.updates == market.book.update_id

    def on_order(self, order: Order, execution: str, fill: Fill | None, now: int) -> None:
        assert (fill is not None) is (execution == "TRADE")
        self.orders.append((order.number, execution, order.status.value))

    def on_balances(self, account: Account, assets: Sequence[str], now: int) -> None:
        assert assets == ("COIN", "USDT")


class World:
    def __init__(self, ppm: int = 1_000) -> None:
        self.heard = Heard()
        self.venue = Venue([COIN], 1_000, self.heard)
        self.market = self.venue.markets["COINUSDT"]
        self.people = [
            self.venue.open_account(name, maker_ppm=ppm, taker_ppm=ppm, house=False)
            for name in ("ann", "bob", "eve")
        ]
        for account in self.people:
            account.credit("COIN", 100 * UNIT)
            account.credit("USDT", 10_000 * UNIT)

    def order(self, who: int, buy: bool, lots: int, price: int | None = None, **more: object):  # type: ignore[no-untyped-def]
        kind = more.pop("kind", Kind.MARKET if price is None else Kind.LIMIT)
        request = OrderRequest(buy, kind, lots, price, **more)  # type: ignore[arg-type]
        return self.venue.submit(self.people[who], self.market, request, now=1)

    def have(self, who: int) -> dict[str, str]:
        account = self.people[who]
        return {
            f"{asset} {word}": units_text(part[asset])
            for asset in ("COIN", "USDT")
            for word, part in (("free", account.free), ("locked", account.locked))
            if part.get(asset)
        }


def test_a_trade_moves_both_assets_and_fees_come_off_what_arrives() -> None:
    world = World()
    world.order(0, False, 2_000, 10_000)  # ann sells 2 coins at 100.00
    assert world.have(0)["COIN locked"] == "2.00000000"
    world.order(1, True, 1_500, 10_100)  # bob would pay 101.00 for 1.5
    assert world.have(0) == {
        "COIN free": "98.00000000",
        "COIN locked": "0.50000000",
        "USDT free": "10149.85000000",
    }
    # 1.5 coins less a fee of 1 ‰; the difference to his limit is free again.
    assert world.have(1) == {"COIN free": "101.49850000", "USDT free": "9850.00000000"}
    fees = world.venue.accounts[0].free
    assert {asset: units_text(units) for asset, units in fees.items()} == {
        "COIN": "0.00150000",
        "USDT": "0.15000000",
    }


def test_a_fee_is_rounded_against_the_account() -> None:
    assert (fee(1, 1_000), fee(1_000, 1_000), fee(1_001, 1_000), fee(5, 0)) == (1, 1, 2, 0)


def test_an_order_beyond_the_funds_changes_nothing() -> None:
    world = World()
    before = world.have(0)
    with pytest.raises(RefusalError) as refused:
        world.order(0, True, 100_000, 10_001)
    assert refused.value.code == -2010
    assert (world.have(0), world.market.book.update_id, world.heard.orders) == (before, 0, [])


def test_a_cancel_frees_what_was_locked() -> None:
    world = World()
    order = world.order(0, True, 1_000, 9_000)
    assert world.have(0)["USDT locked"] == "90.00000000"
    world.venue.cancel(order, now=2)
    assert "USDT locked" not in world.have(0)
    assert order.status is OrderStatus.CANCELED
    with pytest.raises(ValueError, match="not in the book"):
        world.venue.cancel(order, now=3)


def test_an_order_ends_once() -> None:
    world = World()
    order = world.order(0, True, 1_000, 9_000)
    order.end(OrderStatus.CANCELED, 2)
    with pytest.raises(ValueError, match="is CANCELED already"):
        order.end(OrderStatus.EXPIRED, 3)


def test_a_client_is_told_each_step_of_an_order() -> None:
    world = World()
    world.order(0, False, 1_000, 10_000)
    world.order(1, True, 3_000, 10_000)
    world.order(2, False, 2_000, 9_900)
    assert world.heard.orders == [
        (1, "NEW", "NEW"),
        (2, "NEW", "NEW"),
        (1, "TRADE", "FILLED"),
        (2, "TRADE", "PARTIALLY_FILLED"),
        (3, "NEW", "NEW"),
        (2, "TRADE", "FILLED"),
        (3, "TRADE", "FILLED"),
    ]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"duration": Duration.IOC}, OrderStatus.EXPIRED),
        ({"duration": Duration.FOK}, OrderStatus.EXPIRED),
        ({}, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_what_is_left_lapses_or_rests(more: dict[str, object], status: OrderStatus) -> None:
    world = World()
    world.order(0, False, 1_000, 10_000)
    order = world.order(1, True, 3_000, 10_000, **more)
    assert order.status is status
    assert order.filled == (0 if more.get("duration") is Duration.FOK else 1_000)
    assert bool(world.people[1].locked["USDT"]) is (status is OrderStatus.PARTIALLY_FILLED)


def test_post_only_is_refused_where_it_would_take() -> None:
    world = World()
    world.order(0, False, 1_000, 10_000)
    before = world.have(1)
    with pytest.raises(RefusalError, match="immediately match"):
        world.order(1, True, 1, 10_000, kind=Kind.LIMIT_MAKER, duration=Duration.POST_ONLY)
    assert world.have(1) == before


def test_prevention_of_self_trades_expires_the_resting_order_and_frees_its_funds() -> None:
    world = World()
    old = world.order(0, False, 1_000, 10_000)
    new = world.order(0, True, 1_000, 10_000)
    assert (old.status, old.prevented) == (OrderStatus.EXPIRED_IN_MATCH, 1_000)
    assert (new.status, world.heard.prints) == (OrderStatus.NEW, [])
    assert world.have(0)["COIN free"] == "100.00000000"


@pytest.mark.parametrize(("amount", "filled"), [("250", 2_450), ("99.99", 999), ("0.05", 0)])
def test_a_market_order_by_amount_spends_no_more(amount: str, filled: int) -> None:
    world = World(ppm=0)
    world.order(0, False, 1_000, 10_000)
    world.order(0, False, 9_000, 10_344)
    budget = int(Decimal(amount) * UNIT) // COIN.notional_units
    order = world.order(1, True, 10**12, budget=budget)
    assert order.filled == filled
    assert order.notional <= budget
    assert order.status is (OrderStatus.FILLED if filled else OrderStatus.EXPIRED)
    assert "USDT locked" not in world.have(1)


def test_fills_of_one_order_at_one_price_are_one_aggregate() -> None:
    world = World()
    for price in (10_000, 10_000, 10_001):
        world.order(0, False, 1_000, price)
    world.order(1, True, 2_500, 10_001)
    assert [(p.number, p.price, p.lots) for p in world.heard.prints] == [
        (1, 10_000, 1_000), (2, 10_000, 1_000), (3, 10_001, 500),
    ]  # fmt: skip
    assert [(a.number, a.lots, a.first, a.last) for a in world.heard.aggregates] == [
        (1, 2_000, 1, 2), (2, 500, 3, 3),
    ]  # fmt: skip


ORDERS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.booleans(),
        st.integers(9_995, 10_005) | st.none(),
        st.integers(1, 40_000),
        st.sampled_from([Duration.GTC, Duration.GTC, Duration.IOC, Duration.FOK]),
        st.sampled_from(SelfTrade),
        st.integers(0, 3),  # 0 cancels the oldest open order first
    ),
    max_size=50,
)


@settings(max_examples=120, deadline=None)
@given(ORDERS, st.sampled_from([0, 1_000, 333]))
def test_nothing_is_made_and_nothing_lost(orders: list[tuple], ppm: int) -> None:  # type: ignore[type-arg]
    world = World(ppm)
    before = {asset: world.venue.total(asset) for asset in ("COIN", "USDT")}
    for who, buy, price, lots, duration, policy, cancel in orders:
        mine = world.venue.clients[world.people[who].number].open
        if cancel == 0 and mine:
            world.venue.cancel(next(iter(mine.values())), now=1)
        with suppress(RefusalError):  # funds are short at times
            world.order(who, buy, lots, price, duration=duration, self_trade=policy)
        assert {asset: world.venue.total(asset) for asset in before} == before
        for account in world.people:
            held = dict.fromkeys(("COIN", "USDT"), 0)
            for order in world.venue.clients[account.number].open.values():
                held[order.held_asset] += order.held
                worst = (order.request.price or 0) * order.left * COIN.notional_units
                assert order.held == (worst if order.request.buy else order.left * COIN.lot_units)
            assert {asset: account.locked.get(asset, 0) for asset in held} == held
            assert min(account.free.values()) >= 0
    assert [print_.number for print_ in world.heard.prints] == list(
        range(1, len(world.heard.prints) + 1)
    )
    for account in world.people:
        known = world.venue.clients[account.number]
        assert all(o.status.final is (o.number not in known.open) for o in known.by_number.values())
        assert all(o.filled == sum(f.lots for f in o.fills) for o in known.by_number.values())


def test_closed_orders_beyond_what_is_kept_are_forgotten() -> None:
    world = World()
    world.venue.clients[1]._kept = 2
    numbers = [world.order(0, True, 1, 9_000, client_id=f"n{n}").number for n in range(4)]
    for number in numbers[:3]:
        world.venue.cancel(world.venue.orders[number], now=2)
    known = world.venue.clients[1]
    assert list(known.by_number) == numbers[1:]
    assert known.named("COINUSDT", "n0") is None
    assert known.named("COINUSDT", "n3") is known.open[numbers[3]]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tick": Decimal(0)}, "tick was 0"),
        ({"lot": Decimal("1e-9")}, "lot was 1E-9, must be a whole multiple of 1e-8"),
        ({"tick": Decimal("1e-5"), "lot": Decimal("1e-4")}, "tick × lot"),
        ({"price": Decimal("0.5")}, "less than 100 ticks"),
        ({"minimum": Decimal("NaN")}, "minimum was NaN"),
    ],
)
def test_a_listing_that_cannot_be_counted_in_units_is_refused(
    changes: dict[str, Decimal], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Listing(**{"symbol": "A/B", "price": Decimal(100), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "nothing"])
def test_what_is_not_a_spot_symbol_is_not_listed(symbol: str) -> None:
    with pytest.raises(UsageError):
        listing_of(symbol)
