"""A grid that asks its model for a cell only when that cell is painted.

Textual's own table keeps every cell and costs five times as much at 1,000 rows. Here the rows are a
list of indices, filter and sort change that list alone, and what is drawn is what fits the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mirrorcore.interfaces.terminal.look import CURSOR, HEADER
from mirrorcore.interfaces.terminal.text import fit

Cell = tuple[str, Style | None]

_KEPT = 512
"""Lines a grid remembers having drawn."""

_NARROWEST = 6
"""Cells under which a column says nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``cell(row)`` is its text and style, ``width`` in cells."""

    name: str
    title: str
    width: int
    cell: Callable[[int], Cell]
    right: bool = False


class Grid(ScrollView, can_focus=True):
    """Rows by index, a fixed header, and a cursor that follows its row or its place.

    ``follow`` decides what the cursor holds on to when the order changes: the row it stands on, or
    the line of the screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", show=False),
        Binding("down,j", "step(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "jump(0)", show=False),
        Binding("end,G", "jump(-1)", show=False),
        Binding("enter", "choose", show=False),
    ]
    DEFAULT_CSS = "Grid { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }"

    class Chosen(Message):
        """Enter or a click on the cursor's row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """The cursor stands on another row."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        give_up: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        super().__init__(id=name)
        self.every_column = tuple(columns)
        self.columns = self.every_column
        """Those there is room for."""
        self._give_up = tuple(give_up)
        self.empty = empty
        self.rows: Sequence[int] = ()
        self.follow = False
        self.marks: dict[str, str] = {}
        """What stands beside a title: the direction of its sort."""
        self._line = 0
        self._row: int | None = None
        self._painted: dict[tuple[Any, ...], Strip] = {}
        self._base: Style | None = None

    @property
    def row(self) -> int | None:
        """The row under the cursor; None where there is none."""
        return self.rows[self._line] if self._line < len(self.rows) else None

    @property
    def line(self) -> int:
        """The cursor's place in the order."""
        return self._line

    def show(self, rows: Sequence[int]) -> None:
        """Another list of rows, or the same with other values."""
        resized = len(rows) != len(self.rows)
        self.rows = rows
        if self.follow and self.row != self._row and self._row in rows:
            self._line = rows.index(self._row)
            self._reveal()
        self._line = max(0, min(self._line, len(rows) - 1))
        if not self.follow or self._row is None:  # a followed row may come back to the list
            self._row = self.row
        if resized:
            self._measure()
        self.refresh()

    def select(self, row: int) -> None:
        """Put the cursor on ``row`` if it is listed."""
        if row in self.rows:
            self._move(self.rows.index(row))

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows) + 1)

    def notify_style_update(self) -> None:
        self._forget()
        super().notify_style_update()

    def _forget(self) -> None:
        self._painted.clear()
        self._base = None

    def on_resize(self, event: events.Resize) -> None:
        self._forget()
        self.columns = fitting(self.every_column, self._give_up, self.size.width - 1)
        self._measure()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        line = int(self.scroll_offset.y) + event.y - 1
        if event.y > 0 and line < len(self.rows):
            if line == self._line:
                self.action_choose()
            self._move(line)

    def action_step(self, by: int) -> None:
        self._move(self._line + by)

    def action_page(self, by: int) -> None:
        self._move(self._line + by * max(1, self.size.height - 2))

    def action_jump(self, to: int) -> None:
        self._move(to if to >= 0 else len(self.rows) - 1)

    def action_choose(self) -> None:
        if self.row is not None:
            self.post_message(self.Chosen(self.row))

    def _move(self, line: int) -> None:
        before, self._line = self._line, max(0, min(line, len(self.rows) - 1))
        self._row = self.row
        self._reveal()
        if before != self._line:
            top = int(self.scroll_offset.y) - 1
            for changed in (before, self._line):
                self.refresh(Region(0, changed - top, self.size.width, 1))
            self.post_message(self.Moved())

    def _reveal(self) -> None:
        """Scroll as little as brings the cursor into view; the header takes one line."""
        height = self.size.height - 1
        top = int(self.scroll_offset.y)
        if height <= 0:
            return
        if self._line < top:
            self.scroll_to(y=self._line, animate=False, force=True)
        elif self._line >= top + height:
            self.scroll_to(y=self._line - height + 1, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._base is None:  # asking for it walks through all parents
            self._base = self.rich_style
        if y == 0:
            return self._kept(("head", *self.marks.items()), lambda: self._header(width))
        line = int(self.scroll_offset.y) + y - 1
        if line >= len(self.rows):
            words = self.empty if not self.rows and y == 2 else ""
            return self._kept(("", words), lambda: self._plain(words, width))
        row, chosen = self.rows[line], line == self._line
        cells = [column.cell(row) for column in self.columns]
        return self._kept((chosen, *cells), lambda: self._draw(cells, chosen, width))

    def _header(self, width: int) -> Strip:
        parts = []
        for column in self.columns:
            mark = self.marks.get(column.name, "")
            parts.append(fit(f"{column.title}{mark}", column.width, right=column.right))
        return Strip([Segment(fit(" " + " ".join(parts), width), HEADER)], width)

    def _kept(self, key: tuple[Any, ...], draw: Callable[[], Strip]) -> Strip:
        """What was drawn before for the same texts is not drawn again."""
        found = self._painted.get(key)
        if found is None:
            if len(self._painted) > _KEPT:
                self._painted.clear()
            found = self._painted[key] = draw()
        return found

    def _plain(self, words: str, width: int) -> Strip:
        return Strip([Segment(fit("  " + words, width), self._base)], width)

    def _draw(self, cells: Sequence[Cell], chosen: bool, width: int) -> Strip:
        assert self._base is not None
        base = self._base + CURSOR if chosen else self._base
        segments = [Segment("▌" if chosen else " ", base)]
        used = 1
        run, run_style = "", base
        for column, (text, style) in zip(self.columns, cells, strict=True):
            own = base if style is None else base + style
            piece = fit(text, column.width, right=column.right) + " "
            used += column.width + 1
            if own == run_style:
                run += piece
                continue
            if run:
                segments.append(Segment(run, run_style))
            run, run_style = piece, own
        segments.append(Segment(run, run_style))
        return Strip(segments, used).adjust_cell_length(width, base)


def fitting(columns: Sequence[Column], give_up: Sequence[str], width: int) -> tuple[Column, ...]:
    """The columns there is room for: first those named go, then the last; the last one is cut."""
    kept = list(columns)
    for name in give_up:
        if sum(column.width + 1 for column in kept) <= width:
            return tuple(kept)
        kept = [column for column in kept if column.name != name]
    while len(kept) > 1 and (over := sum(column.width + 1 for column in kept) - width) > 0:
        last = kept.pop()
        if last.width - over >= _NARROWEST:
            return (*kept, replace(last, width=last.width - over))
    return tuple(kept)
