"""HTML built from text that is escaped unless it was built here."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mirrorcore.report.formatting import ABSENT, printable


class Markup(str):
    """Text that is HTML already. Only this module's functions and literals may make one."""

    __slots__ = ()


def escaped(text: str | Markup) -> Markup:
    """``text`` fit for an element or a quoted attribute; control characters made visible."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(printable(text), quote=True))


def element(tag: str, *children: str | Markup, **attributes: str) -> Markup:
    """``<tag …>children</tag>``; ``class_`` and ``data_x`` stand for ``class`` and ``data-x``."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{given}>{''.join(map(escaped, children))}</{tag}>")


def joined(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head, whether it holds numbers, and a ``hint`` shown on the head."""

    head: str
    number: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text, the value to sort it by where that differs, and its class."""

    text: str | Markup
    value: float | None = None
    style: str = ""


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    *,
    sortable: bool = False,
    style: str = "",
) -> Markup:
    """A table in a frame that scrolls sideways where the screen is narrow."""
    heads = joined(_head(column, sortable) for column in columns)
    body = joined(
        element("tr", *(_cell(cell, column) for cell, column in zip(row, columns, strict=True)))
        for row in rows
    )
    built = element(
        "table",
        element("thead", element("tr", heads)),
        element("tbody", body),
        class_=f"{style} sortable".strip() if sortable else style,
    )
    return element("div", built, class_="frame")


def _head(column: Column, sortable: bool) -> Markup:
    text = element("button", column.head, type="button") if sortable else escaped(column.head)
    attributes = {"scope": "col"}
    if column.number:
        attributes["class_"] = "n"
    if column.hint:
        attributes["title"] = column.hint
    return element("th", text, **attributes)


def _cell(cell: str | Cell, column: Column) -> Markup:
    shown = Cell(cell) if isinstance(cell, str) else cell
    attributes = {}
    style = " ".join(filter(None, ("n" if column.number else "", shown.style)))
    if style:
        attributes["class_"] = style
    if shown.value is not None and math.isfinite(shown.value):
        attributes["data_v"] = f"{shown.value:.12g}"
    return element("td", shown.text, **attributes)


def signed(text: str, value: float) -> Cell:
    """A cell that is coloured as a gain or a loss by the sign of its value."""
    return Cell(text, value, "gain" if value > 0 else "loss" if value < 0 else "")


def absent(reason: str) -> Markup:
    """``n/a`` with its reason beside it."""
    return element("span", ABSENT, class_="absent", title=reason)


def definitions(pairs: Iterable[tuple[str, str | Markup]]) -> Markup:
    """A list of names and what stands behind each."""
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in pairs),
    )


def section(identifier: str, title: str, *children: Markup) -> Markup:
    """A titled part of the page that the navigation can point to."""
    return element("section", element("h2", title), *children, id=identifier)


def note(text: str) -> Markup:
    return element("p", text, class_="note")
