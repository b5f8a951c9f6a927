"""The line at the bottom that is written on: a command after ``:``, a filter after ``/``."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

Complete = Callable[[str], list[str]]


class Prompt(Input):
    """One line of input with completion and a memory; hidden while nothing is asked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
        Binding("up", "recall(-1)", show=False, priority=True),
        Binding("down", "recall(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0 1; display: none; background: $surface; }
    Prompt:focus { border: none; }
    """

    class Left(Message):
        """Escape: what was asked is dropped."""

    def __init__(self) -> None:
        super().__init__(id="prompt", compact=True)
        self.asking = ""
        self.can_focus = False  # nothing is written on it before it is opened
        self._complete: Complete = lambda _text: []
        self._offers: list[str] = []
        self._offer = 0
        self._past: dict[str, list[str]] = {}
        self._at = 0

    def ask(self, what: str, complete: Complete, text: str = "") -> None:
        """Open the line for ``what``, with ``text`` in it."""
        self.asking = what
        self._complete = complete
        self._at = len(self._past.get(what, []))
        self.value = text
        self.cursor_position = len(text)
        self.display = self.can_focus = True
        self.screen.set_focus(self)  # at once: the next key may be on its way

    def close(self) -> None:
        """Hide the line."""
        self.asking = ""
        self.display = self.can_focus = False

    def offers(self) -> list[str]:
        """What the line may become; empty while there is nothing to offer."""
        return self._offers

    def chosen(self) -> int:
        """Which of the offers the next Tab takes."""
        return self._offer

    def refresh_offers(self) -> None:
        """The line was changed by hand: other offers."""
        if self.value not in self._offers:
            self._offers, self._offer = self._complete(self.value), 0

    def remember(self, text: str) -> None:
        """Keep a line for the up key."""
        past = self._past.setdefault(self.asking, [])
        if text and (not past or past[-1] != text):
            past.append(text)

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_complete(self) -> None:
        """Take the next offer; the only one is taken with a space after it."""
        if not self._offers:
            self._offers = self._complete(self.value)
        if not self._offers:
            return
        taken = self._offers[self._offer % len(self._offers)]
        alone = len(self._offers) == 1
        self._offer = (self._offer + 1) % len(self._offers)
        self.value = f"{taken} " if alone else taken
        self.cursor_position = len(self.value)

    def action_recall(self, by: int) -> None:
        past = self._past.get(self.asking, [])
        at = self._at + by
        if 0 <= at < len(past):
            self._at = at
            self.value = past[at]
        elif at >= len(past):
            self._at = len(past)
            self.value = ""
        self.cursor_position = len(self.value)
