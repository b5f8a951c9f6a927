"""The ledger against a second ledger in fractions that knows nothing but the list of fills."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from trading_world import instrument

from mirrorcore.errors import ConfigError
from mirrorcore.trading import Fill, Ledger, Trade, trade_row

LISTED = [
    instrument("AAA/USDT"),
    instrument("BBB/USDT", tick=Decimal("0.5"), lot=Decimal(1), multiplier=Decimal("0.1")),
    instrument("CCC/USDT", tick=Decimal("1e-8"), lot=Decimal("1e-8")),
]
VALUE = [Fraction(i.tick) * Fraction(i.lot) * Fraction(i.multiplier) for i in LISTED]


def _fill(number: int, symbol: int, lots: int, price: int, fee: int, slippage: int = 0) -> Fill:
    return Fill(f"run-{number}", number, symbol, number, number, lots, price, fee, slippage)


class FillList:
    """Fractions of a currency, from nothing but the fills: no basis, no running totals."""

    def __init__(self, initial: Fraction, places: int) -> None:
        self.initial = initial
        self.quantum = Fraction(1, 10**places)
        self.fills: list[Fill] = []

    def cash(self) -> Fraction:
        paid = sum(
            (VALUE[f.symbol] * f.lots * f.price_ticks + f.fee * self.quantum for f in self.fills),
            Fraction(0),
        )
        return self.initial - paid

    def position(self, symbol: int) -> int:
        return sum(f.lots for f in self.fills if f.symbol == symbol)

    def equity(self, marks: list[int]) -> Fraction:
        held = (VALUE[s] * self.position(s) * marks[s] for s in range(len(LISTED)))
        return self.cash() + sum(held, Fraction(0))

    def trades(self, symbol: int) -> list[list[tuple[int, int, Fraction]]]:
        """(lots, price, fee) of each trade: cut where the position is flat or changes sign."""
        trades: list[list[tuple[int, int, Fraction]]] = [[]]
        position = 0
        for f in self.fills:
            if f.symbol != symbol:
                continue
            fee = f.fee * self.quantum
            after = position + f.lots
            if position * after < 0:
                share = (f.fee * abs(position) // abs(f.lots)) * self.quantum
                trades[-1].append((-position, f.price_ticks, share))
                trades.append([(after, f.price_ticks, fee - share)])
            else:
                trades[-1].append((f.lots, f.price_ticks, fee))
                if after == 0:
                    trades.append([])
            position = after
        return [trade for trade in trades if trade]

    def net(self, symbol: int, trade: list[tuple[int, int, Fraction]], mark: int) -> Fraction:
        left = sum(lots for lots, _, _ in trade)
        paid = sum((VALUE[symbol] * lots * price + fee for lots, price, fee in trade), Fraction(0))
        return VALUE[symbol] * left * mark - paid


lots = st.integers(-50, 50).filter(bool)
prices = st.integers(-20, 10**6)
fees = st.integers(0, 10**6)


class LedgerModel(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger(LISTED, Decimal("1000.25"))
        self.places = self.ledger.units.places
        self.model = FillList(Fraction("1000.25"), self.places)
        self.marks = [100, 7, 10**5]

    @rule(symbol=st.integers(0, 2), lots=lots, price=prices, fee=fees, slippage=fees)
    def fill(self, symbol: int, lots: int, price: int, fee: int, slippage: int) -> None:
        fill = _fill(len(self.model.fills) + 1, symbol, lots, price, fee, slippage)
        self.model.fills.append(fill)
        self.ledger.book(fill)

    @rule(symbol=st.integers(0, 2), price=prices, fee=fees)
    def close_exactly(self, symbol: int, price: int, fee: int) -> None:
        held = self.ledger.positions[symbol]
        if held:
            self.fill(symbol, -held, price, fee, 0)
            assert self.ledger.positions[symbol] == 0
            assert all(t.symbol != symbol for t in self.ledger.open_trades(self.marks))

    @rule(marks=st.lists(prices, min_size=3, max_size=3))
    def mark(self, marks: list[int]) -> None:
        self.marks = marks

    @rule()
    def restore(self) -> None:
        """A restored ledger goes on as if nothing had happened."""
        closed = self.ledger.trades
        plain = msgspec.json.decode(msgspec.json.encode(self.ledger.checkpoint()))
        self.ledger = Ledger(LISTED, Decimal(1))
        self.ledger.restore(plain)
        assert self.ledger.checkpoint() == plain
        assert self.ledger.trades == []
        # Closed trades are the journal's to keep; hand them back so that the model can count.
        self.ledger.trades.extend(closed)

    @invariant()
    def books_balance_to_the_last_quantum(self) -> None:
        assert self.ledger.residual(self.marks) == 0
        scale = 10**self.places
        assert self.ledger.equity(self.marks) == self.model.equity(self.marks) * scale
        assert self.ledger.cash == self.model.cash() * scale
        assert self.ledger.positions == [self.model.position(s) for s in range(3)]
        assert self.ledger.fees == sum(f.fee for f in self.model.fills)
        assert self.ledger.slippage == sum(f.slippage for f in self.model.fills)

    @invariant()
    def every_trade_is_counted_once_with_its_own_result(self) -> None:
        scale = 10**self.places
        found = sorted(
            (t.symbol, t.net, t.is_open, t.fills)
            for t in [*self.ledger.trades, *self.ledger.open_trades(self.marks)]
        )
        expected = sorted(
            (s, self.model.net(s, t, self.marks[s]) * scale, sum(n for n, _, _ in t) != 0, len(t))
            for s in range(3)
            for t in self.model.trades(s)
        )
        assert found == expected
        assert self.ledger.realised == sum(t.net for t in self.ledger.trades)
        assert self.ledger.trade_count == len(self.ledger.trades)

    @invariant()
    def a_trade_is_its_entries_exits_and_fees(self) -> None:
        for trade in self.ledger.trades:
            assert trade.gross == trade.exit_value - trade.entry_value
            assert trade.net == trade.gross - trade.entry_fees - trade.exit_fees
            assert trade.entry_lots == trade.exit_lots >= trade.peak_lots > 0

    @invariant()
    def float_mark_agrees(self) -> None:
        exact = self.ledger.equity(self.marks) / 10**self.places
        assert self.ledger.mark(self.marks) == pytest.approx(exact, rel=1e-9, abs=1e-3)


LedgerModel.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLedgerModel = LedgerModel.TestCase


def _booked(*fills: tuple[int, int, int]) -> Ledger:
    ledger = Ledger([instrument()], Decimal(1000))
    for number, (lots_, price, fee) in enumerate(fills, 1):
        ledger.book(_fill(number, 0, lots_, price, fee))
    return ledger


def test_average_cost_by_hand() -> None:
    # 10 lots at 100, 20 at 130: average 120; 15 sold at 150, the rest at 90. 1000 quanta a tick.
    ledger = _booked((10, 100, 3), (20, 130, 4), (-15, 150, 5), (-15, 90, 6))
    (trade,) = ledger.trades
    assert trade.gross == 1000 * (15 * (150 - 120) + 15 * (90 - 120)) == 0
    assert (trade.entry_fees, trade.exit_fees, trade.net) == (7, 11, -18)
    assert (trade.opened, trade.closed, trade.peak_lots, trade.fills) == (1, 4, 30, 4)
    assert (trade.opened_by, trade.closed_by) == ("run-1", "run-4")


def test_open_trade_shows_realised_and_marked_together_and_apart_from_closed() -> None:
    ledger = _booked((10, 100, 0), (-4, 110, 0))
    (trade,) = ledger.open_trades([130])
    assert trade.is_open
    assert trade.realised == 1000 * 4 * 10
    assert trade.gross == 1000 * (4 * 10 + 6 * 30)
    assert (trade.open_lots, trade.closed, trade.closed_by) == (6, 0, "")
    assert ledger.trades == []


def test_a_share_of_the_basis_is_rounded_down_and_nothing_is_lost() -> None:
    # 3 lots for 100 + 100 + 101 ticks: a third of the basis is not a whole number of ticks.
    ledger = Ledger([instrument(tick=Decimal("1e-8"), lot=Decimal(1))], Decimal(1))
    for number, (size, price) in enumerate([(1, 100), (1, 100), (1, 101), (-1, 110)], 1):
        ledger.book(_fill(number, 0, size, price, 0))
    (trade,) = ledger.open_trades([110])
    assert trade.realised == 110 - 301 // 3
    assert trade.gross == 330 - 301
    ledger.book(_fill(5, 0, -2, 110, 0))
    assert ledger.trades[0].realised == ledger.trades[0].gross == 330 - 301


def test_change_of_sign_ends_one_trade_and_begins_the_next() -> None:
    ledger = _booked((10, 100, 0), (-25, 120, 10))
    (closed,) = ledger.trades
    (opened,) = ledger.open_trades([110])
    assert (closed.side, closed.gross, closed.exit_fees) == (1, 1000 * 200, 4)
    assert (opened.side, opened.open_lots, opened.gross) == (-1, 15, 1000 * 150)
    assert opened.entry_fees == 6
    assert ledger.trades[0].closed == opened.opened == 2


def test_a_trade_as_the_trade_table_prints_it() -> None:
    ledger = _booked((10, 10_000, 1_000_000), (20, 13_000, 0), (-30, 12_500, 500_000))
    row = trade_row(ledger.trades[0], ledger.units)
    assert row["symbol"] == "AAA/USDT"
    assert (row["side"], row["is_open"], row["amount"]) == ("long", False, 0.03)
    assert (row["open_rate"], row["close_rate"]) == (Decimal(120), Decimal(125))
    assert row["stake"] == Decimal("3.6")
    assert (row["fee_open"], row["fee_close"]) == (Decimal("0.01"), Decimal("0.005"))
    assert row["profit_abs"] == Decimal("0.135")
    assert row["profit_ratio"] == pytest.approx(0.0375)
    assert row["close_date"] == "1970-01-01T00:00:00.000+00:00"
    short = _booked((-10, 10_000, 0), (4, 9_000, 0))
    row = trade_row(short.open_trades([9_500])[0], short.units)
    assert (row["side"], row["open_rate"], row["close_date"]) == ("short", Decimal(100), None)
    assert row["profit_abs"] == Decimal("0.07")
    assert trade_row(_booked((1, 5, 0)).open_trades([5])[0], short.units)["close_rate"] is None


@given(st.lists(st.tuples(lots, st.integers(1, 10**4)), min_size=1, max_size=12))
def test_exposure_and_weights_are_those_of_the_positions(fills: list[tuple[int, int]]) -> None:
    ledger = Ledger(LISTED, Decimal(10**6))
    for number, (size, price) in enumerate(fills, 1):
        ledger.book(_fill(number, number % 3, size, price, 0))
    marks = [50, 60, 70]
    values = [
        p * m * v for p, m, v in zip(ledger.positions, marks, ledger.units.value, strict=True)
    ]
    assert ledger.exposure(marks) == (sum(map(abs, values)), sum(values))
    equity = ledger.equity(marks)
    assert ledger.weights(marks) == [value / equity for value in values]


def test_an_account_without_money_weighs_nothing() -> None:
    ledger = _booked((10**6, 10_000, 0))
    assert ledger.equity([1]) < 0
    assert ledger.weights([1]) == [0.0]


def test_impossible_bookings_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Ledger([instrument()], Decimal(0))
    with pytest.raises(ValueError, match="no lots"):
        _booked((0, 100, 0))


def test_trades_are_in_the_order_they_closed() -> None:
    ledger = _booked((1, 5, 0), (-2, 6, 0), (3, 7, 0), (-2, 8, 0))
    assert [t.number for t in ledger.trades] == [1, 2, 3]
    assert all(a.closed <= b.closed for a, b in pairwise(ledger.trades))
    assert isinstance(ledger.trades[0], Trade)
