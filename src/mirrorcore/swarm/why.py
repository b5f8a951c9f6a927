"""Why: the answer for a decision, order, fill or trade of a recorded run.

Found by running the run's own stretch again from the checkpoint before it, with recording on, and
by comparing what comes out with the journal: the hash of every block on the way, and every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mirrorcore.errors import CheckFailedError
from mirrorcore.journal import RunInfo
from mirrorcore.market.block import MarketBlock
from mirrorcore.report.explanation import DecisionFacts, Explanation, Proof
from mirrorcore.report.headline import decision_headline, order_headline, trade_headline
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.books import Books
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.moments import moment, most_moved
from mirrorcore.swarm.questions import Question, read_question
from mirrorcore.swarm.recorded import BlockNote, Recorded
from mirrorcore.swarm.stretch import Again, Cut, run_again
from mirrorcore.trading.orders import INTENT, Order


def explain(info: RunInfo, question: str) -> Explanation:
    """The answer to one question about a recorded run.

    Raises
    ------
    UsageError: the run has nothing of that name.
    JournalError: its journal was changed. DataError: its market is gone.
    """
    return explain_all(info, [question])[0]


def explain_all(info: RunInfo, questions: Sequence[str]) -> list[Explanation]:
    """Several answers at once: what they have in common is run again once."""
    with Recorded(info) as recorded:
        books = Books(recorded.reader, recorded.units)
        asked = [read_question(text, recorded, books) for text in questions]
        wishes = [_wishes(question, books) for question in asked]
        everything = [wish for group in wishes for wish in group]
        again, remarks = _look(recorded, books, everything)
        return [
            _answer(question, group, recorded, books, again, remarks)
            for question, group in zip(asked, wishes, strict=True)
        ]


def what_there_is(info: RunInfo, most: int) -> tuple[list[str], list[str], list[str]]:
    """Ids of the last trades, orders and decisions one may ask for, without running anything."""
    with Recorded(info) as recorded:
        books = Books(recorded.reader, recorded.units)
        trades = [
            f"{fact.id} {fact.side} {fact.symbol}"
            for number in list(books.trades)[-most:]
            for fact in [books.trade_facts(number)]
        ]
        orders = [
            f"O{order.sequence} {'buy' if order.lots > 0 else 'sell'} "
            f"{recorded.source.symbols[order.symbol]}, {order.status}"
            for order in list(books.orders.values())[-most:]
        ]
        notes = recorded.notes
        ticks = [f"D{notes[0].first}", f"D{notes[-1].stop - 1}"] if notes else []
        return trades, orders, ticks


@dataclass(slots=True)
class _Wish:
    """A tick to be looked at, by number or by instant; ``symbol`` None is the one that moved."""

    tick: int | None = None
    ts: int | None = None
    symbol: int | None = None
    answer: DecisionFacts | None = None

    def note(self, recorded: Recorded) -> BlockNote:
        if self.tick is not None:
            return recorded.note_at(self.tick) or recorded.tail
        assert self.ts is not None
        return recorded.note_of(self.ts) or recorded.tail

    def row(self, block: MarketBlock) -> int | None:
        """Its row in a block; None where it is in another one."""
        if self.tick is not None:
            row = self.tick - block.index
            return row if 0 <= row < len(block) else None
        assert self.ts is not None
        if self.ts > block.ts[-1]:
            return None
        return max(0, int(np.searchsorted(block.ts, self.ts, side="right")) - 1)


def _wishes(question: Question, books: Books) -> list[_Wish]:
    if question.kind == "decision":
        return [_Wish(question.tick, question.ts, question.symbol)]
    ids = [question.order]
    if question.kind == "trade":
        fills = [books.fills[name] for name in books.trades[question.number].fills]
        ids = list(dict.fromkeys(fill.client_id for fill in fills))
    orders = [books.orders[client_id] for client_id in ids]
    return [_Wish(ts=order.ts, symbol=order.symbol) for order in orders]


@dataclass(slots=True)
class _Observer:
    """Matches ticks with wishes, and takes down what each wanted to know."""

    wishes: Sequence[_Wish]
    _at: dict[int, list[_Wish]] = field(default_factory=dict)

    def wanted(self, block: MarketBlock) -> list[int]:
        rows = []
        for wish in self.wishes:
            row = wish.row(block) if wish.answer is None else None
            if row is not None:
                self._at.setdefault(block.index + row, []).append(wish)
                rows.append(row)
        return rows

    def look(
        self, swarm: Swarm, record: BlockRecord, cuts: Sequence[Cut], ended: Sequence[Order]
    ) -> None:
        held = swarm.parts.path.ledger.weights(record.prices[-1])
        for wish in self._at.get(record.block.index, ()):
            symbol = most_moved(record, held) if wish.symbol is None else wish.symbol
            wish.answer = moment(swarm, record, cuts, ended, symbol)


def _look(
    recorded: Recorded, books: Books, wishes: Sequence[_Wish]
) -> tuple[Again, tuple[str, ...]]:
    """Run again what the wishes need; from the start where a checkpoint leads elsewhere."""
    notes = list(dict.fromkeys(wish.note(recorded) for wish in wishes))
    observer = _Observer(wishes)
    again = run_again(recorded, notes, observer.wanted, observer.look)
    _require_all(wishes, recorded)
    by_checkpoint = any(start is not None for start in again.begun)
    if not by_checkpoint or recorded.changes or not _differing(again, books):
        return again, ()
    for wish in wishes:
        wish.answer = None
    observer = _Observer(wishes)
    whole = run_again(recorded, notes, observer.wanted, observer.look, from_start=True)
    _require_all(wishes, recorded)
    if _differing(whole, books):
        return whole, ()
    return whole, (
        "run again from the start: from its checkpoint the run came out otherwise, so an agent of "
        "yours keeps something that it does not remember in its checkpoint",
    )


def _require_all(wishes: Sequence[_Wish], recorded: Recorded) -> None:
    if any(wish.answer is None for wish in wishes):
        raise CheckFailedError(
            f"run {recorded.info.id} has no such tick any more: its market has become shorter",
            hint="a run can be repeated on the same data only",
        )


def _differing(again: Again, books: Books) -> list[str]:
    """What came out otherwise than it was journalled."""
    found = [
        f"decisions of ticks {note.first} to {note.stop - 1}: recorded {note.decisions[:12]}, "
        f"found {hash_[:12]}"
        for note, hash_ in again.hashes
        if hash_ != note.decisions
    ]
    for order in again.orders:
        before = books.orders.get(order.client_id)
        if before is not None and before.status is not INTENT and before.row() != order.row():
            found.append(f"order O{order.sequence}: {before.status} then, {order.status} now")
    return found


def _answer(
    question: Question,
    wishes: Sequence[_Wish],
    recorded: Recorded,
    books: Books,
    again: Again,
    remarks: tuple[str, ...],
) -> Explanation:
    decisions = tuple(wish.answer for wish in wishes if wish.answer is not None)
    currency = books.units.currency
    orders: list[str] = []
    fills: list[str] = []
    trade = None
    identity = question.order
    if question.kind == "decision":
        identity = decisions[0].id
        orders = [name for name in decisions[0].orders if name in books.orders]
        fills = [fill for name in orders for fill in books.fills_of(name)]
        headline = decision_headline(decisions[0])
    elif question.kind == "trade":
        trade = books.trade_facts(question.number)
        # Amounts of single trades are in what their symbol settles in.
        currency = books.units.currency_of(books.trades[question.number].symbol)
        identity, fills = trade.id, list(trade.fills)
        orders = list(dict.fromkeys(books.fills[name].client_id for name in fills))
        headline = trade_headline(trade, decisions[0], currency)
    else:
        orders = [question.order]
        currency = books.units.currency_of(books.orders[question.order].symbol)
        fills = [question.fill] if question.fill else list(books.fills_of(question.order))
        identity = question.fill or question.order
        told = tuple(books.fill_facts(name) for name in fills)
        headline = order_headline(books.order_facts(question.order), decisions[0], told)
    return Explanation(
        kind=question.kind,
        id=identity,
        run_id=recorded.info.id,
        currency=currency,
        headline=headline,
        proof=_proof(wishes, recorded, books, again, remarks),
        decisions=decisions,
        orders=tuple(books.order_facts(name) for name in orders),
        fills=tuple(books.fill_facts(name) for name in fills),
        trade=trade,
        trades=tuple(
            f"T{number}" for name in orders for number in books.trades_of(name) if trade is None
        ),
    )


def _proof(
    wishes: Sequence[_Wish],
    recorded: Recorded,
    books: Books,
    again: Again,
    remarks: tuple[str, ...],
) -> Proof:
    differing = _differing(again, books)
    hashed = {note for note, _ in again.hashes}
    unhashed = [note for wish in wishes if (note := wish.note(recorded)) not in hashed]
    same: bool | None = not differing
    if same and unhashed:
        same = None
    return Proof(
        same=same,
        blocks=len(again.hashes),
        differing=tuple(differing),
        begun_at=tuple(again.begun),
        ticks=again.ticks,
        orders_compared=sum(order.client_id in books.orders for order in again.orders),
        changes=recorded.changes,
        remarks=remarks,
    )
