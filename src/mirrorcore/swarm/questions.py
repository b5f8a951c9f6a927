"""What a *why* is about: a trade, an order, a fill, or a decision by tick or by instant.

=============================  ==================================================================
``T12``                        trade 12 of the run, as the report numbers them
``O17``, ``5f2c9a01-17``       order 17: by number, by client id, or by the beginning or end of an
                               id, if one order alone has it
``O17/1``, ``5f2c9a01-17/1``   its first fill
``D1234``, ``D1234 BTC/USDT``  the decision at tick 1234, about a symbol
``2025-03-01T12:05 BTC/USDT``  the decision at that instant (UTC), or at the last tick before it
``last``                       the trade that was closed last, else the last order, else decision
=============================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mirrorcore.clock import SECOND, iso
from mirrorcore.config.mistakes import near
from mirrorcore.errors import UsageError
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.swarm.books import Books
from mirrorcore.swarm.recorded import Recorded
from mirrorcore.trading.orders import Order

FORMS = (
    "T12 (a trade), O17 (an order), O17/1 (a fill), D1234 or 2025-03-01T12:05 (a decision), or last"
)
_NUMBERED = re.compile(r"([TtOoDd])(\d+)(?:/(\d+))?")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Question:
    """``kind`` says which of the others is set: ``number`` of a trade, ``order`` (with ``fill``),
    ``tick`` or ``ts`` of a decision, perhaps about ``symbol``."""

    kind: str
    number: int = 0
    order: str = ""
    fill: str = ""
    tick: int | None = None
    ts: int | None = None
    symbol: int | None = None


def read_question(text: str, recorded: Recorded, books: Books) -> Question:
    """The question that ``text`` asks of this run; UsageError says what there is instead."""
    words = text.strip()
    if words == "last":
        return _last(recorded, books)
    instant = _INSTANT.match(words)
    if instant and words[instant.end() :][:1] in ("", " "):
        symbol = _symbol(words[instant.end() :].strip(), recorded)
        return Question("decision", ts=_parsed(instant[0], recorded), symbol=symbol)
    head, _, rest = words.partition(" ")
    numbered = _NUMBERED.fullmatch(head)
    if numbered is None:
        return _order_by_id(words, recorded, books)
    letter, number, fill = numbered[1].upper(), int(numbered[2]), numbered[3]
    if letter == "D" and fill is None:
        return _decision(number, _symbol(rest.strip(), recorded), recorded)
    if rest or (fill is not None and letter != "O"):
        raise _unreadable(words)
    if letter == "T":
        return _trade(number, recorded, books)
    found = [order.client_id for order in books.orders.values() if order.sequence == number]
    if not found:
        raise UsageError(
            f"run {recorded.info.id} has no order O{number}", hint=_orders_there_are(books)
        )
    return _order(found[0], fill, books)


def _last(recorded: Recorded, books: Books) -> Question:
    """What happened last: a trade closed, else an order placed, else a decision made."""
    facts = [(number, books.trade_facts(number)) for number in books.trades]
    closed = [(fact.closed, number) for number, fact in facts if fact.closed is not None]
    if closed:
        return Question("trade", number=max(closed)[1])
    if books.orders:
        return Question("order", order=max(books.orders.values(), key=_sequence).client_id)
    if not recorded.notes:
        raise UsageError(f"run {recorded.info.id} has not decided anything yet")
    return Question("decision", tick=recorded.notes[-1].stop - 1)


def _sequence(order: Order) -> int:
    return order.sequence


def _trade(number: int, recorded: Recorded, books: Books) -> Question:
    if number in books.trades:
        return Question("trade", number=number)
    numbers = list(books.trades)
    there = f"its trades are T{numbers[0]} to T{numbers[-1]}" if numbers else "it has no trades"
    raise UsageError(f"run {recorded.info.id} has no trade T{number}", hint=there)


def _decision(tick: int, symbol: int | None, recorded: Recorded) -> Question:
    notes = recorded.notes
    if recorded.note_at(tick) is None:
        there = (
            f"its ticks are D{notes[0].first} to D{notes[-1].stop - 1}"
            if notes
            else "no block of it was journalled: it was killed too early"
        )
        raise UsageError(f"run {recorded.info.id} has no decision D{tick}", hint=there)
    return Question("decision", tick=tick, symbol=symbol)


def _parsed(text: str, recorded: Recorded) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no instant", hint="write it as 2025-03-01T12:05") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    ts = round(moment.timestamp()) * SECOND
    if not recorded.notes or ts > recorded.notes[-1].ts:
        ended = f"it ends at {iso(recorded.notes[-1].ts)}" if recorded.notes else "it is empty"
        raise UsageError(f"run {recorded.info.id} has no tick at {text}", hint=ended)
    began = _first_instant(recorded) if ts < recorded.notes[0].ts else ts
    if ts < began:
        reach = f"its decisions are from {iso(began)} to {iso(recorded.notes[-1].ts)}"
        raise UsageError(f"run {recorded.info.id} has no tick at {text} or before", hint=reach)
    before = [note.ts for note in recorded.notes if note.ts <= ts]
    # Within a bar of the end of a block that end is the tick before.
    return before[-1] if before and ts - before[-1] < recorded.source.bar_ns else ts


def _first_instant(recorded: Recorded) -> int:
    """The instant of the first tick that was decided, ns."""
    first = recorded.notes[0]
    block = next(iter(recorded.blocks(first.first)), None)
    return first.ts if block is None else int(block.ts[0])


def _symbol(text: str, recorded: Recorded) -> int | None:
    if not text:
        return None
    symbols = recorded.source.symbols
    try:
        name = canonical_symbol(text)
    except ValueError:
        name = text
    if name in symbols:
        return symbols.index(name)
    meant = near(name, symbols)
    hint = f"did you mean {meant}?" if meant else f"it trades {', '.join(symbols)}"
    raise UsageError(f"run {recorded.info.id} has no symbol {text!r}", hint=hint)


def _order_by_id(text: str, recorded: Recorded, books: Books) -> Question:
    """An order's client id or a part of it, perhaps with the number of a fill."""
    name, slash, number = text.partition("/")
    exact = [name] if name in books.orders else []
    found = exact or [o for o in books.orders if o.startswith(name) or o.endswith(name)]
    if not name or "-" not in name or (slash and not number.isdigit()) or not found:
        if "-" in name and name:
            raise UsageError(
                f"run {recorded.info.id} has no order {name!r}", hint=_orders_there_are(books)
            )
        raise _unreadable(text)
    if len(found) > 1:
        raise UsageError(f"{len(found)} orders fit {name!r}", hint=f"as {_some(found)}")
    return _order(found[0], number if slash else None, books)


def _order(client_id: str, fill: str | None, books: Books) -> Question:
    if fill is None:
        return Question("order", order=client_id)
    fill_id = f"{client_id}/{int(fill)}"
    if fill_id in books.fills:
        return Question("fill", order=client_id, fill=fill_id)
    fills = books.fills_of(client_id)
    hint = f"it has {_some(fills)}" if fills else f"it is {books.orders[client_id].status}"
    raise UsageError(f"order {client_id} has no fill {fill}", hint=hint)


def _orders_there_are(books: Books) -> str:
    orders = list(books.orders.values())
    if not orders:
        return "it has no orders"
    numbers = [order.sequence for order in orders]
    return f"its orders are O{min(numbers)} to O{max(numbers)}, the last {orders[-1].client_id}"


def _unreadable(text: str) -> UsageError:
    return UsageError(f"{text!r} names nothing a run has", hint=f"ask for {FORMS}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
