"""Widgets that draw lines of plain text: nothing in them is ever read as markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from mirrorcore.interfaces.terminal.look import BOLD, DIM
from mirrorcore.interfaces.terminal.text import fit, harmless

Piece = tuple[str, Style | None]
Line = Sequence[Piece]
_KEPT = 256
"""Lines a pane remembers having painted."""

Draw = Callable[[int, int], Sequence[Line]]


def line(text: str, style: Style | None = None) -> Line:
    """A line of one piece."""
    return ((text, style),)


def title(text: str, note: str = "") -> Line:
    """The head of a section."""
    return ((f"{text} ", BOLD), (note, DIM))


class Pane(Widget):
    """Draws what ``draw(width, height)`` gives; more lines than fit are cut, or scrolled to."""

    DEFAULT_CSS = "Pane { height: 1fr; }"

    def __init__(self, draw: Draw, name: str | None = None, classes: str = "") -> None:
        super().__init__(id=name, classes=classes)
        self._draw = draw
        self._lines: Sequence[Line] | None = None
        self._from = 0
        self._base: Style | None = None
        self._painted: dict[tuple[Piece, ...], Strip] = {}

    def update(self) -> None:
        """Draw again."""
        self._lines = None
        self.refresh()

    @property
    def lines(self) -> Sequence[Line]:
        """What is drawn, all of it."""
        if self._lines is None:
            self._lines = self._draw(self.size.width, self.size.height)
        return self._lines

    def notify_style_update(self) -> None:
        self._forget()
        super().notify_style_update()

    def on_resize(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._lines = self._base = None
        self._painted.clear()

    def render_line(self, y: int) -> Strip:
        at = y + self._from
        pieces = tuple(self.lines[at]) if at < len(self.lines) else ()
        found = self._painted.get(pieces)
        if found is None:
            if self._base is None:  # asking for it walks through all parents
                self._base = self.rich_style
            if len(self._painted) > _KEPT:
                self._painted.clear()
            width = self.size.width
            strip = Strip(list(segments(pieces, width, self._base)), width)
            found = self._painted[pieces] = strip
        return found


def segments(pieces: Line, width: int, base: Style) -> Sequence[Segment]:
    """A line of exactly ``width`` cells; what does not fit is cut at the end."""
    found: list[Segment] = []
    left = width
    for text, style in pieces:
        if left <= 0:
            break
        segment = Segment(harmless(text), base if style is None else base + style)
        if segment.cell_length > left:
            segment = Segment(fit(text, left), segment.style)
        found.append(segment)
        left -= segment.cell_length
    if left > 0:
        found.append(Segment(" " * left, base))
    return found


class Scroller(Pane, can_focus=True):
    """A pane longer than the screen, moved line by line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "leaf(-1)", show=False),
        Binding("pagedown,space", "leaf(1)", show=False),
        Binding("home,g", "top", show=False),
    ]

    def action_move(self, by: int) -> None:
        last = max(0, len(self.lines) - self.size.height)
        self._from = max(0, min(self._from + by, last))
        self.refresh()

    def action_leaf(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - 1))

    def action_top(self) -> None:
        self._from = 0
        self.refresh()

    def on_mouse_scroll_down(self) -> None:
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-3)
