"""The answer to a *why* in a sentence."""

from __future__ import annotations

from decimal import Decimal

from mirrorcore.report.explanation import (
    Clip,
    DecisionFacts,
    FillFacts,
    OrderFacts,
    TradeFacts,
    Vote,
)
from mirrorcore.report.formatting import instant, percent, quantity

_MOST_NAMED = 2


def trade_headline(trade: TradeFacts, opening: DecisionFacts, currency: str) -> str:
    """Of a trade: how it was opened and why, and what came of it."""
    verb = "Bought" if trade.side == "long" else "Sold"
    side = "" if trade.side == "long" else " short"
    if trade.is_open:
        result = f"It is still open, {_money(trade.net)} {currency} so far."
    else:
        word = "gained" if trade.net > 0 else "lost"
        amount = f"{_money(abs(trade.net))} {currency} after fees"
        result = f"It {word} {amount}." if trade.net else "It came out even after fees."
    return (
        f"{verb} {trade.symbol}{side} at {_price(trade.entry)} on {instant(trade.opened)}"
        f"{_because(opening)}; {_gate(opening)}; {_clips(opening)}. {result}"
    )


def order_headline(order: OrderFacts, decision: DecisionFacts, fills: tuple[FillFacts, ...]) -> str:
    """Of an order, filled or not."""
    buys = order.quantity > 0
    if order.status == "vetoed":
        wish = "buy" if buys else "sell"
        return (
            f"Wanted to {wish} {_amount(order)} {order.symbol} on {instant(order.ts)}"
            f"{_because(decision)}, and was not allowed to: {order.outcome} vetoed it."
        )
    purpose = " to hold less" if order.reduce_only else ""
    verb = "Bought" if buys else "Sold"
    if fills:
        paid = sum(fill.price * fill.quantity for fill in fills) / sum(f.quantity for f in fills)
        said = f"{verb} {_amount(order, filled=True)} {order.symbol}{purpose} at {_price(paid)}"
        said += f" on {instant(fills[0].ts)}"
    else:
        wish = "buy" if buys else "sell"
        why = f" ({order.outcome})" if order.outcome else ""
        said = f"Ordered to {wish} {_amount(order)} {order.symbol}{purpose} on {instant(order.ts)}"
        said += f", which is {order.status}{why}"
    if order.reason != "target":
        return f"{said}, on account of {order.reason}; {_gate(decision)}; {_clips(decision)}."
    return f"{said}{_because(decision)}; {_gate(decision)}; {_clips(decision)}."


def decision_headline(decision: DecisionFacts) -> str:
    """Of a decision that may have led to nothing."""
    change = decision.wanted - decision.held
    if decision.orders:
        did = f"sent {len(decision.orders)} order{'s' if len(decision.orders) > 1 else ''}"
    elif decision.clips:
        did = "sent nothing"
    else:
        did = "sent nothing: the position is as wanted, or too near to it to be worth an order"
    return (
        f"{instant(decision.ts)}: {decision.symbol} was {percent(decision.held, signed=True)} of "
        f"equity and wanted {percent(decision.wanted, signed=True)}"
        f"{_because(decision) if change else ''}; {_gate(decision)}; {_clips(decision)}; {did}."
    )


def _because(decision: DecisionFacts) -> str:
    """Who pulled the symbol to where it was wanted, who against."""
    sign = 1.0 if decision.target > 0 else -1.0
    pulls = [vote for vote in decision.votes if vote.pull]
    if decision.target == 0.0 or not pulls:
        return f", the target being {percent(decision.target, signed=True)}"
    ranked = sorted(pulls, key=lambda vote: -sign * (vote.pull or 0.0))
    helped = [v for v in ranked if sign * (v.pull or 0.0) > 0][:_MOST_NAMED]
    against = [v for v in reversed(ranked) if sign * (v.pull or 0.0) < 0][:1]
    grows = abs(decision.wanted) > abs(decision.held) or decision.wanted * decision.held < 0
    word = "because" if grows else "though"
    way = "up" if sign > 0 else "down"
    if helped:
        said = f" {word} {' and '.join(_puller(v) for v in helped)} pulled {way}"
        said += f", {_puller(against[0])} against" if against else ""
    else:
        said = f", held only by what was decided before: {_puller(against[0])} pulls against"
    target = f"target {percent(decision.target, signed=True)}"
    return f"{said} ({target}, {percent(decision.held, signed=True)} held)"


def _puller(vote: Vote) -> str:
    assert vote.pull is not None
    weight = "" if vote.weight is None else f"weight {vote.weight:.4f}, "
    return f"{vote.agent} ({weight}{vote.pull:+.4f})"


def _gate(decision: DecisionFacts) -> str:
    gate = decision.gate
    if gate.silent:
        return "the gate was silent, so nothing might grow"
    if gate.agent is None:
        return "there is no gate"
    if gate.share == 0.0:
        return "the gate was shut"
    if gate.share == 1.0:
        return "the gate let all of it through"
    return f"the gate let {gate.share:.0%} of it through"


def _clips(decision: DecisionFacts) -> str:
    parts = [clip_text(clip) for clip in decision.clips]
    parts += [block_text(name) for name in decision.blocked]
    return ", ".join(parts) or "no limit clipped it"


def block_text(limit: str) -> str:
    """What a limit that was reached earlier still does, in words."""
    if limit == "drawdown":
        return "the drawdown limit has been reached, so every position is closed"
    return f"the limit {limit} has been reached, so no new risk is taken"


def clip_text(clip: Clip) -> str:
    """What a limit did, in words."""
    of = clip.symbol or "the book"
    if clip.limit == "gateway":
        # What was asked of it is an order's change, often too small to be told as a share.
        return f"the gateway was stopped, so no order was sent in {of}"
    if clip.allowed == 0.0:
        return f"{clip.limit} allowed nothing of {quantity(clip.asked)} in {of}"
    return f"{clip.limit} cut {of} from {quantity(clip.asked)} to {quantity(clip.allowed)}"


def _amount(order: OrderFacts, *, filled: bool = False) -> str:
    return quantity(abs(float(order.filled if filled else order.quantity)))


def _price(price: Decimal | float) -> str:
    return quantity(float(price))


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
