"""The book: price-time priority, each kind of order, and agreement with a plain second book."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.exchange.matching import Duration, Incoming, Match, OrderBook, Outcome, SelfTrade


def limit(number: int, buy: bool, price: int, lots: int, **more: object) -> Incoming:
    return Incoming(number, more.pop("owner", number), buy, price, lots, **more)  # type: ignore[arg-type]


def market(number: int, buy: bool, lots: int, **more: object) -> Incoming:
    owner = more.pop("owner", number)
    return Incoming(number, owner, buy, None, lots, Duration.IOC, **more)  # type: ignore[arg-type]


def filled(*orders: Incoming) -> OrderBook:
    book = OrderBook()
    for order in orders:
        book.submit(order)
    return book


def test_the_better_price_trades_first_and_then_whoever_came_first() -> None:
    book = filled(limit(1, False, 101, 5), limit(2, False, 100, 5), limit(3, False, 100, 5))
    outcome = book.submit(limit(4, True, 101, 12))
    assert outcome.matches == [Match(2, 100, 5), Match(3, 100, 5), Match(1, 101, 2)]
    assert (outcome.left, outcome.rests) == (0, False)
    assert book.asks.levels(5) == [(101, 3)]


def test_what_a_limit_order_leaves_rests_at_its_price() -> None:
    book = filled(limit(1, False, 100, 5))
    assert book.submit(limit(2, True, 100, 8)) == Outcome(3, [Match(1, 100, 5)], rests=True)
    assert book.bids.levels(5) == [(100, 3)]
    assert book.asks.levels(5) == []


def test_a_market_order_takes_any_price_and_never_rests() -> None:
    book = filled(limit(1, True, 100, 5), limit(2, True, 1, 5))
    outcome = book.submit(market(3, False, 20))
    assert [match.price for match in outcome.matches] == [100, 1]
    assert (outcome.left, outcome.rests, book.orders) == (10, False, {})


def test_immediate_or_cancel_takes_what_there_is() -> None:
    book = filled(limit(1, False, 100, 5), limit(2, False, 102, 5))
    outcome = book.submit(limit(3, True, 101, 9, duration=Duration.IOC))
    assert (outcome.matches, outcome.left, outcome.rests) == ([Match(1, 100, 5)], 4, False)
    assert 3 not in book.orders


@pytest.mark.parametrize(("lots", "done"), [(10, True), (11, False)])
def test_fill_or_kill_is_all_or_nothing(lots: int, done: bool) -> None:
    book = filled(limit(1, False, 100, 5), limit(2, False, 101, 5), limit(3, False, 102, 5))
    before = book.asks.levels(9), book.update_id
    outcome = book.submit(limit(4, True, 101, lots, duration=Duration.FOK))
    assert (outcome.refused, bool(outcome.matches)) == (not done, done)
    assert ((book.asks.levels(9), book.update_id) == before) is not done


@pytest.mark.parametrize(("price", "refused"), [(99, False), (100, True), (101, True)])
def test_post_only_never_takes(price: int, refused: bool) -> None:
    book = filled(limit(1, False, 100, 5))
    outcome = book.submit(limit(2, True, price, 5, duration=Duration.POST_ONLY))
    assert (outcome.refused, outcome.rests, outcome.matches) == (refused, not refused, [])


def test_a_budget_buys_whole_lots_and_no_more() -> None:
    book = filled(limit(1, False, 100, 3), limit(2, False, 150, 9))
    outcome = book.submit(market(3, True, 10**9, budget=740))
    assert outcome.matches == [Match(1, 100, 3), Match(2, 150, 2)]
    assert outcome.spent


def test_a_cancelled_order_is_gone_and_its_level_with_it() -> None:
    book = filled(limit(1, True, 100, 5), limit(2, True, 100, 6))
    cancelled = book.cancel(1)
    assert cancelled is not None
    assert cancelled.lots == 5
    assert book.bids.levels(5) == [(100, 6)]
    assert book.cancel(1) is None
    book.cancel(2)
    assert (book.bids.best, book.bids.totals) == (None, {})


@pytest.mark.parametrize(
    ("policy", "matches", "expired", "rests"),
    [
        (SelfTrade.EXPIRE_MAKER, [Match(2, 101, 4)], [1], False),
        (SelfTrade.EXPIRE_TAKER, [], [], False),
        (SelfTrade.EXPIRE_BOTH, [], [1], False),
    ],
)
def test_nobody_trades_with_himself(
    policy: SelfTrade, matches: list[Match], expired: list[int], rests: bool
) -> None:
    book = filled(limit(1, False, 100, 5, owner=7), limit(2, False, 101, 5, owner=8))
    outcome = book.submit(limit(3, True, 101, 4, owner=7, self_trade=policy))
    assert (outcome.matches, outcome.expired, outcome.rests) == (matches, expired, rests)
    assert (1 in book.orders) is (policy is SelfTrade.EXPIRE_TAKER)


def test_own_orders_do_not_count_for_fill_or_kill() -> None:
    book = filled(limit(1, False, 100, 5, owner=7), limit(2, False, 100, 4, owner=8))
    assert book.submit(limit(3, True, 100, 5, owner=7, duration=Duration.FOK)).refused
    assert set(book.orders) == {1, 2}


@pytest.mark.parametrize(
    "order",
    [limit(9, True, 100, 0), limit(9, True, 0, 1), limit(1, True, 90, 1),
     Incoming(9, 9, True, None, 1, Duration.GTC)],
)  # fmt: skip
def test_what_is_no_order_is_refused(order: Incoming) -> None:
    book = filled(limit(1, True, 90, 1))
    with pytest.raises(ValueError, match="order"):
        book.submit(order)
    assert book.bids.levels(5) == [(90, 1)]


def test_each_touched_level_is_an_update() -> None:
    book = filled(limit(1, False, 100, 5), limit(2, False, 101, 5))
    book.submit(limit(3, True, 101, 12))
    assert book.changes == [(False, 100), (False, 101), (False, 100), (False, 101), (True, 101)]
    assert book.update_id == len(book.changes)


@dataclass
class Plain:
    """The oracle: one list, sorted and searched anew for each question."""

    orders: list[dict[str, int]]

    def rivals(self, order: Incoming) -> list[dict[str, int]]:
        other = [o for o in self.orders if bool(o["buy"]) is not order.buy]
        crossing = [
            o
            for o in other
            if order.price is None
            or (o["price"] <= order.price if order.buy else o["price"] >= order.price)
        ]
        return sorted(crossing, key=lambda o: (o["price"] if order.buy else -o["price"], o["at"]))

    def submit(self, order: Incoming, at: int) -> Outcome:
        rivals = self.rivals(order)
        outcome = Outcome(order.lots)
        if order.duration is Duration.POST_ONLY and rivals:
            outcome.refused = True
            return outcome
        if order.duration is Duration.FOK:
            there = 0
            for rival in rivals:
                if rival["owner"] == order.owner:
                    if order.self_trade is not SelfTrade.EXPIRE_MAKER:
                        break
                    continue
                there += rival["lots"]
            if there < order.lots:
                outcome.refused = True
                return outcome
        for rival in rivals:
            if outcome.left == 0:
                break
            if rival["owner"] == order.owner:
                if order.self_trade is not SelfTrade.EXPIRE_TAKER:
                    self.orders.remove(rival)
                    outcome.expired.append(rival["id"])
                if order.self_trade is not SelfTrade.EXPIRE_MAKER:
                    outcome.self_trade = True
                    break
                continue
            lots = min(outcome.left, rival["lots"])
            rival["lots"] -= lots
            outcome.left -= lots
            outcome.matches.append(Match(rival["id"], rival["price"], lots))
        self.orders = [o for o in self.orders if o["lots"]]
        if (
            outcome.left
            and not outcome.self_trade
            and order.duration in (Duration.GTC, Duration.POST_ONLY)
        ):
            assert order.price is not None
            self.orders.append(
                {"id": order.order_id, "owner": order.owner, "buy": order.buy,
                 "price": order.price, "lots": outcome.left, "at": at}
            )  # fmt: skip
            outcome.rests = True
        return outcome

    def levels(self, buy: bool) -> list[tuple[int, int]]:
        found: dict[int, int] = {}
        for order in self.orders:
            if bool(order["buy"]) is buy:
                found[order["price"]] = found.get(order["price"], 0) + order["lots"]
        return sorted(found.items(), reverse=buy)


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 3),  # owner; 3 cancels instead
        st.booleans(),
        st.integers(95, 105),
        st.integers(1, 9),
        st.sampled_from([*Duration, Duration.GTC, Duration.GTC, None]),
        st.sampled_from(SelfTrade),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_the_book_does_what_the_plain_one_does(actions: list[tuple]) -> None:  # type: ignore[type-arg]
    book, plain = OrderBook(), Plain([])
    asked = traded = cancelled = lapsed = 0
    for number, (owner, buy, price, lots, duration, policy) in enumerate(actions, 1):
        if owner == 3:
            victim = lots * number % max(number, 1) + 1
            found = book.cancel(victim)
            there = [o for o in plain.orders if o["id"] == victim]
            assert (found is not None) is bool(there)
            if found is not None:
                cancelled += found.lots
                plain.orders.remove(there[0])
            continue
        order = Incoming(
            number, owner, buy, None if duration is None else price, lots,
            duration or Duration.IOC, policy,
        )  # fmt: skip
        left_of = {n: o.lots for n, o in book.orders.items()}
        asked += lots
        cost = book.cost(order)
        outcome = book.submit(order)
        assert outcome == plain.submit(order, number)
        if not outcome.refused:
            assert cost == sum(match.price * match.lots for match in outcome.matches)
        traded += sum(match.lots for match in outcome.matches)
        cancelled += sum(left_of[n] for n in outcome.expired)
        lapsed += 0 if outcome.rests else outcome.left
        bid, ask = book.bids.best, book.asks.best
        assert bid is None or ask is None or bid < ask, "the book is crossed"
        assert book.bids.levels(99) == plain.levels(True)
        assert book.asks.levels(99) == plain.levels(False)
    resting = sum(order.lots for order in book.orders.values())
    # Every lot asked for traded (on two sides), rests, was cancelled or lapsed.
    assert asked == 2 * traded + resting + cancelled + lapsed
