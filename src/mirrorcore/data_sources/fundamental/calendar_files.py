"""A calendar of events and the supply it is measured against, from files and from JSON."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from mirrorcore.clock import DAY
from mirrorcore.data_sources.fundamental.event_calendar import CalendarEntry
from mirrorcore.data_sources.fundamental.json_mapping import at_path
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.tables import Table
from mirrorcore.data_sources.values import instant_of
from mirrorcore.errors import DataError
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.market.intake import told_row
from mirrorcore.market.parsing import MISSING_WORDS

_COLUMNS = ("id", "symbol", "kind", "at", "announced", "amount", "withdrawn")
_DAY_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}")
_COINS = "give the coins that come free, as 1250000.5; an event that is off is withdrawn"
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


def read_calendar(path: Path) -> list[CalendarEntry]:
    """The announcements of a table with the columns id, symbol, kind, at, announced, amount,
    withdrawn. An announcement dated with a day alone counts from the end of that day (UTC).

    Raises
    ------
    DataError
        where the file, a column or a time is missing, a cell cannot be read, or an amount is
        negative: an event that is left out silently is an unlock nobody saw coming.
    """
    if not path.is_file():
        raise DataError(f"there is no calendar {path}", hint="check the path")
    table = Table(path)
    hint = f"name them in the file itself: a calendar has {', '.join(_COLUMNS)}"
    names = table.columns(_COLUMNS, {name: name for name in _COLUMNS}, hint=hint)
    at = _instants(table, names["at"], days_end=False)
    announced = _instants(table, names["announced"], days_end=True)
    amounts = table.amounts(names["amount"])
    places = [f"{path}: {told_row(row)}" for row in range(len(table))]
    _require_amounts(amounts, places)
    texts = {name: table.texts(names[name]) for name in ("id", "symbol", "kind", "withdrawn")}
    return [
        CalendarEntry(
            id=texts["id"][row],
            symbol=_symbol(texts["symbol"][row], places[row]),
            kind=texts["kind"][row].strip().lower(),
            at=at[row],
            announced=announced[row],
            amount=amounts[row],
            withdrawn=_truth(texts["withdrawn"][row], places[row]),
            where=places[row],
        )
        for row in range(len(table))
    ]


@dataclass(frozen=True, slots=True)
class CalendarMapping:
    """Where in a JSON document the announcements stand: paths from the document to the rows, and
    from each row. ``symbol`` empty: all are of ``of``. ``announced`` empty: known from receipt."""

    rows: str
    at: str = "at"
    id: str = "id"
    kind: str = "kind"
    amount: str = "amount"
    announced: str = "announced"
    symbol: str = "symbol"
    of: str = ""

    def read(self, body: Any, *, received: int, where: str) -> list[CalendarEntry]:
        """The announcements of a document parsed with exact numbers; SourceError where it is not
        as the mapping says."""
        rows = at_path(body, self.rows, where)
        if not isinstance(rows, list):
            raise SourceError(f"{where}: {self.rows} is no list")
        return [self._entry(row, received, where) for row in rows]

    def _entry(self, row: Any, received: int, where: str) -> CalendarEntry:
        symbol = str(at_path(row, self.symbol, where)) if self.symbol else self.of
        announced = received
        if self.announced:
            announced = instant_of(at_path(row, self.announced, where), where)
        try:
            canonical = _symbol(symbol, where)
        except DataError as error:
            raise SourceError(error.message, hint=error.hint) from None
        return CalendarEntry(
            id=str(at_path(row, self.id, where)),
            symbol=canonical,
            kind=str(at_path(row, self.kind, where)).strip().lower(),
            at=instant_of(at_path(row, self.at, where), where),
            announced=announced,
            amount=_amount(at_path(row, self.amount, where, None), where),
        )


class SupplyTable:
    """Circulating supply by symbol as it became known, in whole or exact coins.

    A table with the columns symbol, released, supply; the newest value released by an instant is
    the one known then.
    """

    def __init__(self, path: Path) -> None:
        table = Table(path)
        wanted = ("symbol", "released", "supply")
        hint = f"name them in the file itself: a table of supply has {', '.join(wanted)}"
        names = table.columns(wanted, {name: name for name in wanted}, hint=hint)
        released = _instants(table, names["released"], days_end=True)
        supplies = table.amounts(names["supply"])
        symbols = table.texts(names["symbol"])
        rows = sorted(
            (_symbol(symbol, str(path)), instant, number)
            for number, (symbol, instant) in enumerate(zip(symbols, released, strict=True))
        )
        self._instants: dict[str, list[int]] = {}
        self._supplies: dict[str, list[Decimal | None]] = {}
        for symbol, instant, number in rows:
            self._instants.setdefault(symbol, []).append(instant)
            self._supplies.setdefault(symbol, []).append(supplies[number])

    def __call__(self, symbol: str, instant: int) -> Decimal | None:
        at = bisect_right(self._instants.get(symbol, ()), instant) - 1
        return self._supplies[symbol][at] if at >= 0 else None


def _instants(table: Table, name: str, *, days_end: bool) -> list[int]:
    """A column of instants, ns, every one of them there; text may mix days and times.

    With ``days_end`` a day alone stands for its end: by then it had surely been announced.
    """
    if not table.is_text(name):
        times = table.times(name, unit=None)
        if table.faults.any():
            row = int(table.faults.argmax())
            raise DataError(
                f"{table.path}: column {name}, {told_row(row)}: no time", hint="fill it in"
            )
        days = days_end and bool((times % DAY == 0).all())
        return [int(time) + DAY * days for time in times.tolist()]
    found = []
    for row, text in enumerate(table.texts(name)):
        where = f"{table.path}: column {name}, {told_row(row)}"
        try:
            instant = instant_of(text, where)
        except SourceError as error:
            raise DataError(error.message, hint="write 2024-03-01 or 2024-03-01T14:00Z") from None
        found.append(instant + DAY * (days_end and _DAY_ALONE.fullmatch(text.strip()) is not None))
    return found


def _symbol(text: str, where: str) -> str:
    try:
        return canonical_symbol(text)
    except ValueError as error:
        raise DataError(f"{where}: the symbol {error}", hint="write BTC/USDT") from None


def _truth(text: str, where: str) -> bool:
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise DataError(f"{where}: withdrawn was {text[:20]!r}", hint="write true or false")
    return word in _YES


def _require_amounts(amounts: list[Decimal | None], places: list[str]) -> None:
    for amount, where in zip(amounts, places, strict=True):
        if amount is not None and amount < 0:
            raise DataError(f"{where}: the amount is {amount}, and below zero", hint=_COINS)


def _amount(raw: object, where: str) -> Decimal | None:
    if raw is None or (isinstance(raw, str) and raw.strip().lower() in MISSING_WORDS):
        return None
    try:
        amount = Decimal(str(raw))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(raw, bool) or not amount.is_finite() or amount < 0:
        raise SourceError(f"{where}: the amount is {str(raw)[:40]!r}", hint=_COINS)
    return amount
