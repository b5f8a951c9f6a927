"""The filter language of every grid of agents, and its sort keys.

A filter is words between spaces, all of which have to hold:

==================  ==============================================================
``kind:risk``       the column begins with this text; several by comma: ``a,b``
``health:bad``      the word beside the number (ok, warn, bad), where there is one
``pnl>0``           a number compared: ``<  <=  >  >=  =  !=``; ``80%`` is 0.8
``fear``            any column of text contains it
``"two words"``     quotes keep what has spaces together
``!term``           the opposite of a term
==================  ==============================================================

Case does not matter. A value that is not there satisfies no comparison and no text, hence every
negation of one. Sort keys are columns by comma, ``-`` before one turns it: ``status,-pnl``.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from mirrorcore.errors import UsageError

Column = Sequence[Any]
"""Values by row; text, numbers, or None where there is nothing."""

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": le, ">=": ge, "!=": ne, "<": lt, ">": gt, "=": eq,
}  # fmt: skip
_TERM = re.compile(
    r"(?P<field>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>:|<=|>=|!=|<|>|=)(?P<value>.*)", re.S
)
_WORDS = re.compile(r'(?:[^\s"]|"[^"]*")+')


class FilterError(UsageError):
    """A filter or sort key that cannot be read; the message names the term."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column as a filter sees it.

    ``number`` columns are compared, others searched. ``words`` turns a number into the word that
    stands beside it, so that ``health:bad`` means what the screen shows. ``also`` are other names
    it goes by.
    """

    name: str
    number: bool = False
    words: Callable[[float], str] | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Term:
    """One condition on one column; ``columns`` has several where plain text is looked for."""

    columns: tuple[str, ...]
    holds: Callable[[Any], bool]
    negated: bool

    def select(self, columns: Mapping[str, Column], rows: Sequence[int]) -> list[int]:
        read = [columns[name] for name in self.columns]
        holds, wanted = self.holds, not self.negated
        if len(read) == 1:
            only = read[0]
            return [row for row in rows if holds(only[row]) is wanted]
        return [row for row in rows if any(holds(column[row]) for column in read) is wanted]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read; ``text`` is what it was read from."""

    text: str
    terms: tuple[_Term, ...]

    @classmethod
    def parse(cls, text: str, fields: Sequence[Field]) -> Filter:
        """Read ``text`` for grids with these ``fields``; :class:`FilterError` if it cannot be."""
        known = _by_name(fields)
        return cls(text, tuple(_term(word, known) for word in _words(text)))

    def select(self, columns: Mapping[str, Column], rows: Sequence[int]) -> list[int]:
        """Those of ``rows`` for which every term holds, in the order given."""
        found = list(rows)
        for term in self.terms:
            found = term.select(columns, found)
        return found


def _by_name(fields: Sequence[Field]) -> dict[str, Field]:
    """The fields by every name they have."""
    return {name: field for field in fields for name in (field.name, *field.also)}


def _words(text: str) -> list[str]:
    if text.count('"') % 2:
        raise FilterError(f"filter {text!r}: a quote is not closed", hint='write "two words"')
    return _WORDS.findall(text)


def _term(word: str, known: Mapping[str, Field]) -> _Term:
    negated = word.startswith("!")
    body = word[1:] if negated else word
    if not body:
        raise FilterError("filter: '!' stands alone", hint="write !term, as in !status:active")
    if body.startswith("!"):
        raise FilterError(
            f"filter {word!r}: one '!' turns a term round, a second is none",
            hint='write !term; "!" in quotes looks for the sign itself',
        )
    match = None if body.startswith('"') else _TERM.fullmatch(body)
    if match is None:
        texts = dict.fromkeys(field.name for field in known.values() if not field.number)
        return _Term(tuple(texts), _containing(body.replace('"', "")), negated)
    name, operator, value = match["field"].lower(), match["operator"], match["value"]
    field = known.get(name)
    if field is None:
        raise FilterError(f"filter {word!r}: there is no column {name!r}", hint=_near(name, known))
    name, value = field.name, value.replace('"', "")
    if not value:
        raise FilterError(f"filter {word!r}: nothing after {operator!r}", hint=_example(field))
    if operator == ":":
        return _Term((name,), _worded(field, word, value), negated)
    if not field.number:
        if operator in ("=", "!="):
            return _Term((name,), _same(value), negated != (operator == "!="))
        raise FilterError(f"filter {word!r}: {name} is text", hint=_example(field))
    compare, right = _COMPARE[operator], _number(word, field, value)
    return _Term((name,), lambda left: _there(left) and compare(left, right), negated)


def _containing(text: str) -> Callable[[Any], bool]:
    wanted = text.lower()
    return lambda value: value is not None and wanted in str(value).lower()


def _same(text: str) -> Callable[[Any], bool]:
    wanted = text.lower()
    return lambda value: value is not None and str(value).lower() == wanted


def _worded(field: Field, word: str, value: str) -> Callable[[Any], bool]:
    wanted = tuple(part for part in value.lower().split(",") if part)
    if not wanted:
        raise FilterError(f"filter {word!r}: nothing between the commas", hint=_example(field))
    if not field.number:
        return lambda found: found is not None and str(found).lower().startswith(wanted)
    words = field.words
    if words is None:
        numbers = [_number(word, field, part) for part in wanted]
        return lambda found: _there(found) and found in numbers
    return lambda found: _there(found) and words(found).startswith(wanted)


def _there(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _number(word: str, field: Field, text: str) -> float:
    try:
        found = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise FilterError(
            f"filter {word!r}: {text!r} is not a number", hint=_example(field)
        ) from None
    if math.isnan(found):
        raise FilterError(f"filter {word!r}: nan compares with nothing", hint=_example(field))
    return found


def _example(field: Field) -> str:
    return f"as in {field.name}>0.5" if field.number else f"as in {field.name}:text"


def _near(name: str, known: Mapping[str, Field]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "columns are " + ", ".join(dict.fromkeys(field.name for field in known.values()))


@dataclass(frozen=True, slots=True)
class Sort:
    """Keys to order rows by, the first counts most; without any the order is the rows' own."""

    keys: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def parse(cls, text: str, fields: Sequence[Field]) -> Sort:
        """Read ``status,-pnl``; :class:`FilterError` names a column that is not there."""
        known = _by_name(fields)
        keys = []
        for part in (part.strip().lower() for part in text.split(",")):
            name = part.removeprefix("-")
            if not name:
                continue
            if name not in known:
                raise FilterError(f"sort: there is no column {name!r}", hint=_near(name, known))
            keys.append((known[name].name, part.startswith("-")))
        return cls(tuple(keys))

    def text(self) -> str:
        """What :meth:`parse` reads back."""
        return ",".join(f"-{name}" if turned else name for name, turned in self.keys)

    def order(self, columns: Mapping[str, Column], rows: Sequence[int]) -> list[int]:
        """``rows`` by the keys; rows without a value come last either way, equals stay in order."""
        found = list(rows)
        for name, turned in reversed(self.keys):
            column = columns[name]
            there = [row for row in found if _there(column[row])]
            missing = [row for row in found if not _there(column[row])]
            there.sort(key=lambda row: _comparable(column[row]), reverse=turned)
            found = there + missing
        return found


def _comparable(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
