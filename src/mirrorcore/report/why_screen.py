"""The answer to a *why* as one screen: a sentence, the proof, then tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from mirrorcore.report.explanation import (
    DecisionFacts,
    Explanation,
    FillFacts,
    Gate,
    OrderFacts,
    Proof,
    TradeFacts,
    Vote,
)
from mirrorcore.report.formatting import (
    ABSENT,
    count,
    duration,
    instant,
    percent,
    printable,
    quantity,
)
from mirrorcore.report.headline import block_text, clip_text

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 12
"""Rows of a trade's life, or votes; the rest is counted, and in the document."""


def render_why(answer: Explanation, console: Console) -> None:
    """Print an answer on ``console``, in at most its width."""
    _say(console, answer.headline, "bold")
    _proof(answer.proof, console)
    if answer.trade is not None:
        _trade(answer.trade, answer.currency, console)
        _life(answer, console)
    _decision(answer.decisions[0], console, in_full=True)
    if answer.trade is not None and not answer.trade.is_open and len(answer.decisions) > 1:
        _decision(answer.decisions[-1], console, in_full=False)
    if answer.trade is None:
        _orders(answer.orders, console)
        _fills(answer.fills, answer.currency, console)
        if answer.trades:
            _say(console, f"  part of {' and '.join(answer.trades)}: 'mirrorcore why' tells more")


def why_lines(answer: Explanation, width: int) -> list[str]:
    """The same as lines of plain text, for a screen that is no console."""
    from rich.console import Console

    page = io.StringIO()
    console = Console(file=page, width=width, color_system=None, force_terminal=False)
    render_why(answer, console)
    return [line.rstrip() for line in page.getvalue().splitlines()]


def proof_lines(proof: Proof) -> tuple[bool, list[str]]:
    """Whether all is well, and what was compared, in words."""
    begun = [
        "the start of the run" if tick is None else f"the checkpoint at tick {tick:,}"
        for tick in proof.begun_at
    ]
    where = begun[0] if len(begun) == 1 else f"{len(begun)} checkpoints"
    ran = f"{count(proof.ticks)} ticks run again from {where}"
    compared = (
        f"{count(proof.blocks)} block{'s' if proof.blocks != 1 else ''} of decisions and "
        f"{count(proof.orders_compared)} orders"
    )
    if proof.same:
        lines = [f"As recorded: {ran}, the same hash of {compared}."]
    elif proof.same is None:
        lines = [
            f"Not proven: {ran}; the journal ends before it has a hash of this block "
            f"({compared} compared)."
        ]
    else:
        lines = [f"NOT AS RECORDED: {ran}, and it came out otherwise; do not rely on this."]
        lines += [f"  {text}" for text in proof.differing[:MOST_ROWS]]
        if not proof.changes:
            lines.append("  nothing known has changed: perhaps the code, or an agent that is not")
            lines.append("  a function of its inputs ('mirrorcore check determinism' tells)")
    lines += [f"  changed since: {text}" for text in proof.changes]
    lines += [f"  {text}" for text in proof.remarks]
    return proof.same is not False, lines


def _proof(proof: Proof, console: Console) -> None:
    well, lines = proof_lines(proof)
    for line in lines:
        _say(console, line, "" if well and not proof.changes else "yellow" if well else "bold red")


def _trade(trade: TradeFacts, currency: str, console: Console) -> None:
    until = "still open" if trade.closed is None else instant(trade.closed)
    held = "" if trade.closed is None else f" ({duration(trade.closed - trade.opened)})"
    leaving = "" if trade.exit is None else f", out at {_decimal(trade.exit)}"
    so_far = "so far, without what is still held: " if trade.is_open else ""
    console.print()
    _say(
        console,
        f"Trade {trade.id}  {trade.side} {_decimal(trade.quantity)} {trade.symbol} at most, "
        f"{instant(trade.opened)} to {until}{held}",
        "bold",
    )
    _say(
        console,
        f"  in at {_decimal(trade.entry)}{leaving}; {so_far}gross {trade.gross:+,.2f}, fees "
        f"{trade.fees:,.2f}, net {trade.net:+,.2f} {currency}; slippage {trade.slippage:,.2f} is "
        "inside the prices",
    )


def _life(answer: Explanation, console: Console) -> None:
    """Every order of a trade with the decision behind it."""
    rows = []
    pairs = list(zip(answer.decisions, answer.orders, strict=True))
    shown = pairs if len(pairs) <= MOST_ROWS else [*pairs[: MOST_ROWS - 2], *pairs[-2:]]
    for decision, order in shown:
        rows.append(
            (
                f"O{order.number}",
                instant(decision.ts)[5:],
                _decimal(order.filled, signed=True),
                _decimal(order.average),
                _small(decision.fusion.edge if decision.fusion else None),
                percent(decision.target, signed=True),
                f"{decision.gate.share:.2f}",
                percent(decision.wanted, signed=True),
            )
        )
    heads = ("order", "decided", "filled", "price", "edge", "target", "gate", "wanted")
    _table(console, heads, rows, left=2)
    if len(shown) < len(pairs):
        left_out = len(pairs) - len(shown)
        _say(console, f"  {left_out} orders between the last two and the rest are in --json")


def _decision(decision: DecisionFacts, console: Console, *, in_full: bool) -> None:
    console.print()
    price = ABSENT if decision.price is None else quantity(decision.price)
    _say(
        console,
        f"Decision {decision.id}  {instant(decision.ts)} UTC  {decision.symbol} at {price}, "
        f"equity {decision.equity:,.2f}",
        "bold",
    )
    _votes(decision, console)
    if in_full:
        _reads(decision, console)
    _steps(decision, console)


def _votes(decision: DecisionFacts, console: Console) -> None:
    shown, rest = pulling_most(decision.votes)
    rows = [
        (
            printable(vote.agent),
            "none" if vote.forecast is None else f"{vote.forecast:.4f}",
            _small(vote.weight),
            _small(vote.pull),
            _small(vote.market_pull),
            "never" if vote.age_ns is None else duration(vote.age_ns) if vote.age_ns else "now",
        )
        for vote in shown
    ]
    if rest:
        pulls = (sum(vote.pull or 0.0 for vote in rest), sum(v.market_pull or 0.0 for v in rest))
        rows.append((f"{count(len(rest))} others", "", "", _small(pulls[0]), _small(pulls[1]), ""))
    fusion = decision.fusion
    if fusion is not None:
        rows.append(("sum", "", "", _small(fusion.edge_sum), _small(fusion.market_sum), ""))
    _table(console, ("vote", "P(rise)", "weight", "pull", "market", "age"), rows, left=1)
    if fusion is None:
        _say(console, "  no oracle has spoken: there is no edge")
        return
    if fusion.edge_sum is None:
        said = f"at {instant(fusion.said_at)}" if fusion.said_at != decision.ts else "now"
        _say(console, f"  {fusion.agent} spoke last {said} and does not tell what each vote pulled")
    clipped = "" if fusion.edge == fusion.edge_sum or fusion.edge_sum is None else " (clipped)"
    _say(
        console,
        f"  edge {_small(fusion.edge)}{clipped} sd per bar, of the market "
        f"{_small(fusion.market_edge)}; conviction {_share(fusion.conviction)}, consensus "
        f"{_share(fusion.consensus)}, P(rise) {_four(fusion.forecast)}, volatility "
        f"{_share(fusion.volatility)} a bar",
    )


def pulling_most(votes: Sequence[Vote]) -> tuple[list[Vote], list[Vote]]:
    """Those that are shown, in their own order, and those that are only counted.

    All where they are few; of many the ones that pulled most, on the symbol or on the market.
    """
    if len(votes) <= MOST_ROWS:
        return list(votes), []
    ranked = sorted(votes, key=lambda vote: -max(abs(vote.pull or 0), abs(vote.market_pull or 0)))
    most = {vote.agent: vote for vote in ranked[:MOST_ROWS]}
    return (
        [vote for vote in votes if vote.agent in most],
        [vote for vote in votes if vote.agent not in most],
    )


def _reads(decision: DecisionFacts, console: Console) -> None:
    rows = [
        (
            f"{read.category}.{read.name}",
            ABSENT if read.value is None else quantity(read.value),
            "never" if read.known_at is None else instant(read.known_at)[5:],
            "" if read.age_ns is None else duration(read.age_ns) if read.age_ns else "now",
            printable(", ".join(read.readers)),
        )
        for read in decision.reads
    ]
    if rows:
        _table(console, ("looked at", "value", "known at", "age", "by"), rows, left=1, last=True)


def _steps(decision: DecisionFacts, console: Console) -> None:
    budget = "" if decision.budget is None else f" for {percent(decision.budget)} a year"
    _say(
        console,
        f"  target {percent(decision.target, signed=True)} of equity{budget}, gate "
        f"{decision.gate.share:.4f}: wanted {percent(decision.wanted, signed=True)}, held "
        f"{percent(decision.held, signed=True)}",
    )
    _say(console, f"  gate: {_gate(decision.gate)}")
    if decision.gate.reasons:
        _say(console, f"  its reasons: {printable(decision.gate.reasons)}")
    parts = [clip_text(clip) for clip in decision.clips]
    parts += [block_text(name) for name in decision.blocked]
    limits = "; ".join(parts) or "none clipped, none vetoed"
    _say(console, f"  limits: {limits}; gateway {decision.gateway}")


def _gate(gate: Gate) -> str:
    if gate.agent is None:
        return "there is none, all of the targets may be held"
    if gate.said is None:
        return f"{gate.agent} has not spoken: nothing may grow"
    factors = ", ".join(f"{name} {value:.4g}" for name, value in gate.factors.items())
    silent = "; too old: nothing may grow" if gate.silent else ""
    followed = "" if gate.said == gate.share else f", {gate.share:.4f} is followed"
    return f"{gate.agent} says {gate.said:.4f}{followed} ({factors or 'no factors'}){silent}"


def _orders(orders: Sequence[OrderFacts], console: Console) -> None:
    if not orders:
        return
    console.print()
    rows = [
        (
            order.id,
            "buy" if order.quantity > 0 else "sell",
            _decimal(abs(order.quantity)),
            order.status,
            order.outcome or order.reason + (", reduces" if order.reduce_only else ""),
            _decimal(order.mark),
            _decimal(order.bound) if order.bound is not None else "none",
        )
        for order in orders
    ]
    heads = ("order", "side", "quantity", "status", "why", "mark", "worst price")
    _table(console, heads, rows, left=5)


def _fills(fills: Sequence[FillFacts], currency: str, console: Console) -> None:
    if not fills:
        return
    console.print()
    rows = [
        (
            fill.id,
            instant(fill.ts)[5:],
            instant(fill.known_at)[5:],
            _decimal(fill.quantity, signed=True),
            _decimal(fill.price),
            f"{fill.fee:,.2f}",
            f"{fill.slippage:,.2f}",
        )
        for fill in fills
    ]
    heads = ("fill", "at", "known at", "quantity", "price", f"fee {currency}", "slip")
    _table(console, heads, rows, left=3)


def _table(
    console: Console,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int,
    last: bool = False,
) -> None:
    """Columns, the first ``left`` of them (and the last, if so) aligned left."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for position, head in enumerate(heads):
        ends = last and position == len(heads) - 1
        justify: Literal["left", "right"] = "left" if position < left or ends else "right"
        table.add_column(head, justify=justify, no_wrap=not ends, overflow="fold")
    for row in rows:
        table.add_row(*(_spelt(console, cell) for cell in row))
    console.print(Padding(table, (0, 0, 0, 2)))


def _say(console: Console, text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(_spelt(console, text), style=style))


def _spelt(console: Console, text: str) -> str:
    """``text`` in the characters this console has."""
    if not console.options.ascii_only:
        return text
    return text.replace("×", "x").encode("ascii", "replace").decode()


def _small(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.4f}"


def _four(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.4f}"


def _share(value: float | None) -> str:
    return ABSENT if value is None else percent(value)


def _decimal(value: Decimal | None, *, signed: bool = False) -> str:
    if value is None:
        return ABSENT
    sign = "+" if signed and value > 0 else ""
    return sign + quantity(float(value))
