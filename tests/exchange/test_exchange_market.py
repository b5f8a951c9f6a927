"""The simulated market: the same from the same seed, alive, and a tape that adds up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import HOUR, MILLISECOND, MINUTE, SECOND
from mirrorcore.errors import UsageError
from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.config import STEP, Client, ExchangeConfig
from mirrorcore.exchange.orders import Fill, Order
from mirrorcore.exchange.simulation import HISTORY_STEPS, Simulation
from mirrorcore.exchange.tape import INTERVALS, Aggregate, Print, Series, Tape
from mirrorcore.exchange.venue import Market

START = 1_700_000_000 * SECOND


class Recorder:
    def __init__(self) -> None:
        self.trades: list[tuple[str, Print]] = []
        self.updates = 0

    def on_trades(
        self, market: Market, prints: Sequence[Print], aggregates: Sequence[Aggregate]
    ) -> None:
        self.trades += [(market.listing.id, print_) for print_ in prints]

    def on_book(self, market: Market, changes: Sequence[tuple[bool, int]], now: int) -> None:
        self.updates += len(changes)
        bid, ask = market.book.bids.best, market.book.asks.best
        assert bid is None or ask is None or bid < ask

    def on_order(self, order: Order, execution: str, fill: Fill | None, now: int) -> None:
        raise AssertionError("no client is there")

    def on_balances(self, account: Account, assets: Sequence[str], now: int) -> None:
        raise AssertionError("no client is there")


def lived(
    *, cuts: Sequence[int] = (60 * SECOND,), start: int = START, history: int = 0, **changes: object
) -> tuple[Simulation, Recorder]:
    """A market after the stretches of time in ``cuts``."""
    heard = Recorder()
    given = {"symbols": ("BTC/USDT", "ETH/USDT"), **changes}
    simulation = Simulation(ExchangeConfig(**given), start, heard)  # type: ignore[arg-type]
    simulation.live_through_history(history)
    now = start
    for cut in cuts:
        now += cut
        for _ in simulation.pending(now):
            pass
    return simulation, heard


def test_the_same_seed_gives_the_same_trades_however_time_is_cut() -> None:
    whole, cut, other = (
        lived()[1],
        lived(cuts=[17 * MILLISECOND, 20 * SECOND, 30 * SECOND, 10 * SECOND])[1],
        lived(seed=2)[1],
    )
    assert len(whole.trades) > 100
    assert whole.trades == cut.trades[: len(whole.trades)]
    assert whole.trades != other.trades


def test_another_symbol_changes_nobody_elses_path() -> None:
    alone = lived(symbols=("ETH/USDT",))[1].trades
    assert alone == [
        t for t in lived(symbols=("BTC/USDT", "ETH/USDT"))[1].trades if t[0] == "ETHUSDT"
    ]


def test_speed_makes_more_of_it_in_the_same_time() -> None:
    slow, fast = lived()[1], lived(speed=5.0)[1]
    assert 3 * len(slow.trades) < len(fast.trades) < 8 * len(slow.trades)
    assert fast.trades[-1][1].ts <= START + 60 * SECOND


def test_the_house_neither_makes_nor_loses_anything() -> None:
    simulation, _ = lived(cuts=())
    before = {a: simulation.venue.total(a) for a in ("BTC", "ETH", "USDT")}
    for _ in simulation.pending(START + 60 * SECOND):
        pass
    assert {a: simulation.venue.total(a) for a in before} == before
    assert all(crowd.refused == 0 for crowd in simulation.crowds)


def test_prices_follow_the_value_and_both_sides_stay_quoted() -> None:
    simulation, _ = lived(cuts=[5 * MINUTE])
    for crowd, market in zip(simulation.crowds, simulation.venue.markets.values(), strict=True):
        bid, ask = market.book.bids.best, market.book.asks.best
        assert bid is not None
        assert ask is not None
        middle = (bid + ask) / 2 * float(market.listing.tick)
        assert math.isclose(middle, crowd.value, rel_tol=5e-3)
        assert min(len(market.book.bids.levels(99)), len(market.book.asks.levels(99))) > 20


@pytest.mark.parametrize("history", [0, 3 * MINUTE, 2 * HOUR])
def test_history_ends_at_the_start_and_costs_a_bounded_number_of_steps(history: int) -> None:
    simulation, heard = lived(cuts=(), history=history, symbols=("BTC/USDT",))
    assert simulation.now == START
    times = [print_.ts for _, print_ in heard.trades]
    assert all(START - history <= ts <= START for ts in times)
    assert times == sorted(times)
    assert len(dict.fromkeys(times)) <= HISTORY_STEPS + 1
    if history:
        minutes = simulation.venue.markets["BTCUSDT"].tape.candles("1m", 0, START)
        assert len(minutes) in (history // MINUTE, history // MINUTE + 1)


PRINTS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(90, 110), st.integers(1, 5), st.booleans()),
    min_size=1,
    max_size=60,
)  # seconds since the last one, price, lots, side


@settings(max_examples=80, deadline=None)
@given(PRINTS, st.sampled_from(["1s", "1m", "3m", "15m", "1h"]))
def test_candles_are_what_the_prints_say(rows: list[tuple], interval: str) -> None:  # type: ignore[type-arg]
    tape, step, ts = Tape(1_000), INTERVALS[interval], START
    prints: list[Print] = []
    for wait, price, lots, maker in rows:
        ts += wait * SECOND
        tape.roll(ts)
        prints += tape.record(ts, maker, [(price, lots)])[0]
    first, last = prints[0].ts - prints[0].ts % step, ts - ts % step
    if interval == "1s":  # an hour of seconds is kept
        first = max(first, last - 3_599 * SECOND)
    candles = tape.candles(interval, first, ts + 1)
    assert [c.open_ts for c in candles] == list(range(first, last + 1, step))
    before = next((p.price for p in reversed(prints) if p.ts < first), None)
    for candle in candles:
        mine = [p for p in prints if 0 <= p.ts - candle.open_ts < step]
        prices = [p.price for p in mine] or [before]
        assert (candle.open, candle.high, candle.low) == (prices[0], max(prices), min(prices))
        assert candle.close == prices[-1]
        assert (candle.lots, candle.count) == (sum(p.lots for p in mine), len(mine))
        assert candle.notional == sum(p.price * p.lots for p in mine)
        assert candle.taker_lots == sum(p.lots for p in mine if not p.buyer_maker)
        assert (candle.first, candle.last) == (
            (mine[0].number, mine[-1].number) if mine else (-1, -1)
        )
        before = prices[-1]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 30),
    st.integers(1, 12),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 9),
)
def test_a_series_is_searched_as_a_list_would_be(
    length: int, kept: int, first: int, second: int, limit: int
) -> None:
    series: Series[Print] = Series(kept)
    everything = [Print(n, (n // 2) * 10, 1, 1, False) for n in range(1, length + 1)]
    for print_ in everything:
        series.append(print_)
    there = everything[-kept:] if length else []
    start, end = sorted((first * 10, second * 10))
    inside = [p for p in there if start <= p.ts <= end]
    assert series.between(start, end, limit) == inside[:limit]
    assert series.between(None, end, limit) == [p for p in there if p.ts <= end][-limit:]
    assert series.from_number(first, limit) == [p for p in there if p.number >= first][:limit]
    assert series.latest(limit) == there[-limit:]
    assert series.next_number == length + 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"symbols": ()}, "lists no symbol"),
        ({"symbols": ("BTC/USDT", "BTC_USDT")}, "listed twice"),
        ({"speed": 0.0}, "speed was 0"),
        ({"history": -1}, "history was -1"),
        ({"clients": (Client(), Client())}, "same key"),
    ],
)
def test_a_set_up_that_cannot_work_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ExchangeConfig(**changes)  # type: ignore[arg-type]


def test_steps_end_on_the_grid_of_time() -> None:
    simulation, heard = lived(start=START + 33 * MILLISECOND, cuts=[10 * SECOND])
    assert simulation.now % STEP == 0
    assert all(print_.ts % STEP == 0 for _, print_ in heard.trades)
