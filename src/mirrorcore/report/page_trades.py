"""The page's part about the trades: by symbol and side, open, closed, and what they cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from mirrorcore.report.formatting import (
    count,
    duration,
    instant,
    money,
    money_places,
    percent,
    quantity,
)
from mirrorcore.report.markup import (
    Cell,
    Column,
    Markup,
    element,
    joined,
    note,
    section,
    signed,
    table,
)
from mirrorcore.report.results import RunResults, TradeRecord

MOST_TRADES = 500
MOST_SYMBOLS = 40


def trades_section(results: RunResults) -> Markup:
    closed, still_open = results.closed_trades, results.open_trades
    if not closed and not still_open:
        return section(
            "trades", "Trades", note(f"No trade. {results.orders} orders, {results.fills} fills.")
        )
    parts = [_by_symbol(results)]
    if still_open:
        parts += [
            element("h3", "Open at the end, marked to market"),
            _trade_table(still_open, results),
        ]
    if closed:
        shown, how = _most_telling(closed, results)
        parts += [
            element("h3", "Closed"),
            note(how),
            element("div", _trade_table(shown, results), class_="tall"),
        ]
    return section("trades", "Trades", *parts)


def _most_telling(
    closed: Sequence[TradeRecord], results: RunResults
) -> tuple[list[TradeRecord], str]:
    """The trades to list, in order of their start, and a sentence on what is left out."""
    largest = sorted(closed, key=lambda trade: -abs(trade.pnl))[:MOST_TRADES]
    shown = sorted(largest, key=lambda trade: (trade.open_ts, trade.close_ts))
    if len(shown) == len(closed):
        return shown, f"All {count(len(closed))} closed trades, in order of their start."
    rest = sum(t.pnl for t in closed) - sum(t.pnl for t in shown)
    amount = money(rest, money_places(results.initial_equity), signed=True)
    return shown, (
        f"The {MOST_TRADES} of {count(len(closed))} closed trades that won or lost most, in order "
        f"of their start; the {count(len(closed) - MOST_TRADES)} not shown sum to {amount} "
        f"{results.currency}."
    )


def _trade_table(trades: Sequence[TradeRecord], results: RunResults) -> Markup:
    columns = (
        Column("Id"),
        Column("Symbol"),
        Column("Side"),
        Column("Opened"),
        Column("Held", number=True),
        Column("Quantity", number=True),
        Column("Entry", number=True),
        Column("Exit", number=True),
        Column(f"P&L, {results.currency}", number=True, hint="net of fees and slippage"),
        Column("P&L, %", number=True, hint="of the entry notional"),
        Column("Fees", number=True),
        Column("Slippage", number=True),
        Column("Lead voters", hint="with the weight each had when the day of the entry began"),
    )
    places = money_places(results.initial_equity)
    rows = (_trade_row(trade, places) for trade in trades)
    return table(columns, rows, sortable=True, style="trades")


def _trade_row(trade: TradeRecord, places: int) -> tuple[str | Cell, ...]:
    return (
        trade.id,
        trade.symbol,
        trade.side,
        instant(trade.open_ts),
        Cell(duration(trade.duration), float(trade.duration)),
        Cell(quantity(trade.quantity), trade.quantity),
        Cell(quantity(trade.open_price), trade.open_price),
        Cell(quantity(trade.close_price), trade.close_price),
        signed(money(trade.pnl, places, signed=True), trade.pnl),
        signed(f"{100 * trade.pnl_ratio:+.2f}", trade.pnl_ratio),
        Cell(money(trade.fees, places), trade.fees),
        Cell(money(trade.slippage, places), trade.slippage),
        ", ".join(f"{name} {weight:+.4f}" for name, weight in trade.voters),
    )


def _by_symbol(results: RunResults) -> Markup:
    groups: dict[tuple[str, str], list[TradeRecord]] = defaultdict(list)
    for trade in results.closed_trades:
        groups[trade.symbol, trade.side].append(trade)
    ordered = sorted(groups.items(), key=lambda item: (-sum(t.pnl for t in item[1]), item[0]))
    columns = (
        Column("Symbol"),
        Column("Side"),
        Column("Trades", number=True),
        Column("Won", number=True),
        Column(f"P&L, {results.currency}", number=True),
        Column("per trade", number=True),
        Column("Fees", number=True),
        Column("Slippage", number=True),
        Column("Mean held", number=True),
    )
    places = money_places(results.initial_equity)
    rows = [_group_row(*key, trades, places) for key, trades in ordered[:MOST_SYMBOLS]]
    costs = results.costs
    rates = (
        f"{count(results.orders)} orders, {count(results.fills)} fills. Rates: fee "
        f"{costs.fee_bps:g} bp, slippage {costs.slippage_bps:g} bp; paid "
        f"{money(costs.fees_paid, places)} and {money(costs.slippage_paid, places)} "
        f"{results.currency} on {money(costs.traded_notional, places)} traded."
    )
    more = len(ordered) - MOST_SYMBOLS
    cut = f" The {more} groups with the lowest P&L are not shown." if more > 0 else ""
    listed = table(columns, rows, sortable=True) if rows else note("No trade was closed.")
    return joined((listed, note(rates + cut)))


def _group_row(
    symbol: str, side: str, trades: Sequence[TradeRecord], places: int
) -> tuple[str | Cell, ...]:
    total = sum(t.pnl for t in trades)
    fees, slippage = sum(t.fees for t in trades), sum(t.slippage for t in trades)
    held = sum(t.duration for t in trades) / len(trades)
    return (
        symbol,
        side,
        Cell(count(len(trades)), float(len(trades))),
        percent(sum(t.pnl > 0 for t in trades) / len(trades)),
        signed(money(total, places, signed=True), total),
        signed(money(total / len(trades), places, signed=True), total / len(trades)),
        Cell(money(fees, places), fees),
        Cell(money(slippage, places), slippage),
        Cell(duration(held), held),
    )
