"""Several settlement currencies: the ledger against decimals, rates, and what a stale one stops."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from trading_world import BAR, START, instrument, limit_config

from mirrorcore.errors import ConfigError
from mirrorcore.market.instruments import Instrument
from mirrorcore.trading import (
    CostModel,
    Fill,
    Gateway,
    Ledger,
    Limits,
    Order,
    OrderPath,
    SimulatedVenue,
)

LISTED = [
    instrument("AAA/USD"),
    instrument("BBB/EUR"),
    instrument("CCC/JPY", tick=Decimal(1), lot=Decimal(1)),
    instrument("EUR/USD", tick=Decimal("0.0001"), lot=Decimal(100)),
    instrument("USD/JPY", lot=Decimal(100)),
]
SETTLED = ["USD", "EUR", "JPY", "USD", "JPY"]
MARKS = [10_000, 5_000, 2_000, 11_000, 14_950]
WORTH = [Fraction(i.tick) * Fraction(i.lot) for i in LISTED]


def _fill(number: int, symbol: int, lots: int, price: int, fee: int = 0) -> Fill:
    return Fill(f"run-{number}", number, symbol, number, number, lots, price, fee, 0)


class DecimalAccount:
    """Amounts by currency in decimals, from nothing but the list of fills."""

    def __init__(self, initial: Decimal, places: int) -> None:
        self.initial, self.quantum = initial, Decimal(1).scaleb(-places)
        self.fills: list[Fill] = []

    def amounts(self, marks: list[int]) -> dict[str, Decimal]:
        found = {"USD": self.initial, "EUR": Decimal(0), "JPY": Decimal(0)}
        with localcontext(prec=60):
            for fill in self.fills:
                one = LISTED[fill.symbol].tick * LISTED[fill.symbol].lot
                gained = one * fill.lots * (marks[fill.symbol] - fill.price_ticks)
                found[SETTLED[fill.symbol]] += gained - fill.fee * self.quantum
        return found

    def equity(self, marks: list[int]) -> int:
        """In quanta; each foreign amount rounded down."""
        rates = {
            "USD": Fraction(1),
            "EUR": marks[3] * Fraction(LISTED[3].tick),
            "JPY": 1 / (marks[4] * Fraction(LISTED[4].tick)),
        }
        scale = Fraction(1) / Fraction(self.quantum)
        return sum(
            floor(Fraction(amount) * scale * rates[currency])
            for currency, amount in self.amounts(marks).items()
        )


lots = st.integers(-30, 30).filter(bool)
moves = st.lists(st.integers(-3, 3), min_size=5, max_size=5)


class LedgerMachine(RuleBasedStateMachine):
    """Any fills and any moves of prices and rates, with a restart now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(LISTED, Decimal(100_000), "USD")
        self.model = DecimalAccount(Decimal(100_000), self.ledger.units.places)
        self.marks = list(MARKS)
        self.ledger.reprice(self.marks)
        self.closed = 0
        self.number = 0

    @rule(symbol=st.integers(0, 4), lots=lots, away=st.integers(-5, 5), fee=st.integers(0, 10**7))
    def trade(self, symbol: int, lots: int, away: int, fee: int) -> None:
        self.number += 1
        fill = _fill(self.number, symbol, lots, self.marks[symbol] + away, fee)
        self.ledger.book(fill)
        self.model.fills.append(fill)

    @rule(moves=moves)
    def move(self, moves: list[int]) -> None:
        self.marks = [
            mark + mark * step // 50 for mark, step in zip(self.marks, moves, strict=True)
        ]
        self.marks = [max(mark, 100) for mark in self.marks]
        self.ledger.reprice(self.marks)

    @rule()
    def restart(self) -> None:
        self.closed += sum(self._closed_results())
        fresh = Ledger(LISTED, Decimal(100_000), "USD")
        fresh.restore(self.ledger.checkpoint())
        self.ledger = fresh

    def _closed_results(self) -> list[int]:
        return [self.ledger.in_account(trade, self.marks)[0] for trade in self.ledger.trades]

    @invariant()
    def every_currency_balances(self) -> None:
        assert self.ledger.residuals(self.marks) == [0, 0, 0]

    @invariant()
    def amounts_are_the_models(self) -> None:
        scale = 10**self.ledger.units.places
        model = self.model.amounts(self.marks)
        with localcontext(prec=60):
            assert [int(model[c] * scale) for c in self.ledger.units.currencies] == (
                self.ledger.amounts(self.marks)
            )

    @invariant()
    def equity_is_the_models(self) -> None:
        assert self.ledger.equity(self.marks) == self.model.equity(self.marks)

    @invariant()
    def trades_and_translation_explain_equity(self) -> None:
        assert self.ledger.residual(self.marks) == 0
        gained = self.ledger.equity(self.marks) - self.ledger.initial
        closed = self.closed + sum(self._closed_results())
        opened = [
            self.ledger.in_account(trade, self.marks)[0]
            for trade in self.ledger.open_trades(self.marks)
        ]
        rest = gained - closed - self.ledger.translated(self.marks) - sum(opened)
        # One by one each open trade is rounded down, where their currency is rounded as a whole.
        assert 0 <= rest <= 2 * len(opened)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_result_counts_at_the_rate_of_its_end_and_translates_from_then_on() -> None:
    ledger = Ledger(LISTED, Decimal(1_000), "USD")
    quantum = 10**ledger.units.places
    ledger.reprice(MARKS)
    ledger.book(_fill(1, 1, 1_000, 5_000))  # one BBB at 50 EUR
    assert ledger.balances[1] == -50 * quantum
    assert ledger.equity(MARKS) == 1_000 * quantum
    at_120 = [10_000, 6_000, 2_000, 12_000, 14_950]  # 60 EUR, EUR at 1.20
    ledger.reprice(at_120)
    ledger.book(_fill(2, 1, -1_000, 6_000))
    assert ledger.realised == 12 * quantum  # 10 EUR
    assert ledger.equity(at_120) == 1_012 * quantum
    at_100 = [10_000, 6_000, 2_000, 10_000, 14_950]
    assert ledger.translated(at_100) == -2 * quantum
    ledger.reprice(at_100)
    assert ledger.realised == 12 * quantum
    assert ledger.translation.gains[1] == -2 * quantum
    assert ledger.equity(at_100) == 1_010 * quantum
    assert ledger.residual(at_100) == 0


def test_what_is_rounded_is_rounded_down_once_a_currency() -> None:
    ledger = Ledger(LISTED, Decimal(1_000), "USD")
    ledger.reprice(MARKS)
    ledger.book(_fill(1, 2, 1, 2_000, fee=1))
    down = ledger.initial - 1  # one quantum of a yen, owed, is a cent of a quantum of a dollar
    assert ledger.equity(MARKS) == down
    assert ledger.fees == 1


def test_a_wrong_balance_shows_in_its_own_currency() -> None:
    ledger = Ledger(LISTED, Decimal(1_000), "USD")
    ledger.reprice(MARKS)
    ledger.book(_fill(1, 1, 10, 5_000))
    ledger.balances[1] += 1
    assert ledger.residuals(MARKS) == [0, 1, 0]
    assert ledger.residual(MARKS) != 0


def test_rates_go_the_shortest_way_also_backwards() -> None:
    ledger = Ledger(LISTED, Decimal(1_000), "EUR")
    assert ledger.rates is not None
    assert ledger.units.currencies == ("EUR", "USD", "JPY")
    rates = ledger.rates.at(MARKS)
    assert [Fraction(*rate) for rate in rates if rate] == [
        1,
        1 / Fraction(11, 10),
        1 / Fraction("149.5") / Fraction(11, 10),
    ]
    table = ledger.rates.matrix(np.array([MARKS, [0] * 5], dtype=np.float64))
    assert table[0, 2] == pytest.approx(1 / 149.5 / 1.1, rel=1e-15)
    # Row 1 has no prices: the last are carried.
    assert table[1].tolist() == table[0].tolist()


def test_coin_settled_is_counted_at_the_coins_price() -> None:
    pair = [instrument("ETH/BTC", tick=Decimal("0.00001")), instrument("BTC/USDT")]
    ledger = Ledger(pair, Decimal(10_000), "USDT")
    marks = [5_000, 4_000_000]  # 0.05 BTC, 40,000 USDT
    ledger.reprice(marks)
    ledger.book(_fill(1, 0, 1_000, 4_000))
    assert ledger.equity(marks) - ledger.initial == 400 * 10**ledger.units.places


@pytest.mark.parametrize(
    ("listed", "currency", "words"),
    [
        ([instrument("AAA/EUR")], "USD", r"rate of EUR \(AAA/EUR\) in USD"),
        ([instrument("AAA/EUR"), instrument("BBB/USD")], None, "2 currencies"),
        ([instrument("BTC/USD", settlement="BTC")], None, "inverse contract"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    listed: list[Instrument], currency: str | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Ledger(listed, Decimal(1_000), currency)
    assert caught.value.hint


class World:
    """An order path over BBB/EUR and EUR/USD, account in USD."""

    def __init__(self) -> None:
        self.listed = [LISTED[1], LISTED[3]]
        costs = CostModel(10.0, 5.0)
        self.ledger = Ledger(self.listed, Decimal(10_000), "USD")
        self.venue = SimulatedVenue(self.listed, costs, 0.1)
        self.limits = Limits(limit_config(per_symbol=0.4))
        self.path = OrderPath("run", self.ledger, self.venue, self.limits, Gateway())
        self.ts = START
        self.marks = [0, 0]

    def tick(
        self,
        weights: list[float],
        marks: list[int],
        fresh: tuple[bool, bool] = (True, True),
        halted: dict[int, str] | None = None,
    ) -> list[Order]:
        opened, self.ts = self.ts, self.ts + BAR
        prices = [float(i.tick * m) for i, m in zip(self.listed, marks, strict=True)]
        present = [mark > 0 for mark in marks]
        fills = self.venue.match(self.ts, [opened] * 2, present, prices, [1e9] * 2)
        self.path.book(self.ts, fills)
        self.marks = [new or old for new, old in zip(marks, self.marks, strict=True)]
        equity = self.ledger.equity(self.marks)
        sent = self.path.step(self.ts, weights, self.marks, equity, list(fresh), halted)
        assert self.ledger.residual(self.marks) == 0
        return list(sent)

    def causes(self) -> set[str]:
        return {hit.limit for hit in self.limits.hits.rows()}


def test_sizes_and_limits_see_notional_in_the_accounts_currency() -> None:
    w = World()
    w.tick([0.3, 0.0], [5_000, 12_500])
    w.tick([0.3, 0.0], [5_000, 12_500])
    # 3,000 USD are 2,400 EUR at 1.25, and 48 BBB at 50 EUR.
    assert w.ledger.positions[0] == pytest.approx(48_000, abs=1)
    assert w.ledger.weights(w.marks)[0] == pytest.approx(0.3, abs=2e-3)
    gross, net = w.ledger.exposure(w.marks)
    assert gross == net == pytest.approx(3_000 * 10**w.ledger.units.places, rel=1e-3)
    w.tick([0.9, 0.0], [5_000, 12_500])
    w.tick([0.9, 0.0], [5_000, 12_500])
    assert "per_symbol" in w.causes()
    assert w.ledger.weights(w.marks)[0] <= 0.4


def test_without_a_rate_nothing_is_bought_and_the_cause_is_written_down() -> None:
    w = World()
    assert not w.tick([0.3, 0.0], [5_000, 0])
    assert w.causes() == {"no_rate"}
    assert w.tick([0.3, 0.0], [5_000, 12_500])


def test_a_stale_rate_lets_a_position_shrink_but_not_grow() -> None:
    w = World()
    w.tick([0.2, 0.0], [5_000, 12_500])
    w.tick([0.2, 0.0], [5_000, 12_500])
    held = w.ledger.positions[0]
    assert not w.tick([0.3, 0.0], [5_000, 12_500], fresh=(True, False))
    assert w.causes() == {"stale_rate"}
    w.tick([0.1, 0.0], [5_000, 12_500], fresh=(True, False))
    w.tick([0.1, 0.0], [5_000, 12_500], fresh=(True, False))
    assert 0 < w.ledger.positions[0] < held


def test_an_order_does_not_outlive_the_rate_it_was_decided_on() -> None:
    w = World()
    assert w.tick([0.2, 0.0], [5_000, 12_500])
    w.tick([0.2, 0.0], [0, 0], fresh=(True, False))
    assert not w.venue.working
    assert next(order.outcome for order in w.path.orders) == "stale_rate"


@pytest.mark.parametrize("cause", ["diverged", "halted", "stale"])
def test_a_halted_symbol_takes_no_new_risk_and_the_others_do(cause: str) -> None:
    w = World()
    sent = w.tick([0.2, 0.21], [5_000, 12_500], halted={0: cause})
    assert [order.symbol for order in sent] == [1]
    assert w.causes() == {cause}
    sent = w.tick([0.2, 0.21], [5_000, 12_500])
    assert [order.symbol for order in sent] == [0]
    w.tick([0.0, 0.21], [5_000, 12_500], halted={0: cause})
    w.tick([0.0, 0.21], [5_000, 12_500], halted={0: cause})
    assert w.ledger.positions[0] == 0


def test_the_rate_of_a_halted_pair_is_no_rate_to_grow_on() -> None:
    w = World()
    assert not w.tick([0.2, 0.0], [5_000, 12_500], halted={1: "diverged"})
    assert w.causes() == {"stale_rate"}


@given(
    weights=st.lists(st.tuples(*[st.floats(-1, 1)] * 2), min_size=1, max_size=12),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_no_series_of_targets_takes_a_symbol_over_its_limit(
    weights: list[tuple[float, float]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    w = World()
    marks = [5_000, 12_500]
    for pair in weights:
        w.tick(list(pair), marks)
        # Filled at the same marks: what an order adds stays below the limit, costs included.
        before = [abs(weight) for weight in w.ledger.weights(w.marks)]
        w.tick(list(pair), marks)
        for now, was in zip(map(abs, w.ledger.weights(w.marks)), before, strict=True):
            # But for the costs of closing the other side first.
            assert now <= max(0.4, was) * 1.002
        marks = [int(mark * rng.uniform(0.95, 1.05)) for mark in marks]
