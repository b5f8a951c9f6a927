"""What lies over the screens: stop, confirm, an answer in full, the keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, WARN
from mirrorcore.interfaces.terminal.pane import Line, Pane, Scroller, line
from mirrorcore.interfaces.terminal.text import wrap
from mirrorcore.interfaces.terminal.unfold import said

_BOX = """
{name} {{ align: center middle; background: $background 60%; }}
{name} > Vertical {{ width: {width}; height: {height}; max-height: 90%; max-width: 96%;
    background: $surface; border: {border}; padding: 1 2; }}
"""


def _box(name: str, width: str, height: str, border: str) -> str:
    return _BOX.format(name=name, width=width, height=height, border=border)


class StopDialog(ModalScreen[str | None]):
    """The one deliberate gesture: the key that opened this, once more. Answers a level or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("X", "stop('cancel')"),
        Binding("f", "stop('flatten')"),
        Binding("escape,n,q", "stop('')"),
    ]
    AUTO_FOCUS = "*"
    DEFAULT_CSS = _box("StopDialog", "72", "14", "heavy red")

    def __init__(self, positions: int, orders: int) -> None:
        super().__init__()
        self._positions = positions
        self._orders = orders

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Pane(self._text)

    def _text(self, width: int, height: int) -> list[Line]:
        return [
            line("■ EMERGENCY STOP", BAD),
            line(""),
            line(f"{self._orders} working orders, {self._positions} open positions"),
            line(""),
            (("F10 again ", BAD), ("  close the gateway, cancel all orders, keep positions", None)),
            line(""),
            (("f         ", BAD), ("  the same, and close all positions", None)),
            line(""),
            (("Esc       ", BOLD), ("  do nothing", None)),
        ]

    def action_stop(self, level: str) -> None:
        self.dismiss(level or None)


class ConfirmDialog(ModalScreen[bool]):
    """What a command would do, before it does: the swarm asked for a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q", "answer(False)"),
        Binding("up", "move(-1)"),
        Binding("down", "move(1)"),
    ]
    AUTO_FOCUS = "*"
    DEFAULT_CSS = _box("ConfirmDialog", "84", "22", "heavy orange")

    def __init__(self, name: str, args: Mapping[str, Any], error: Mapping[str, Any]) -> None:
        super().__init__()
        self._command = name
        self._args = args
        self._error = error
        self._pane = Scroller(self._text)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._pane

    def _text(self, width: int, height: int) -> list[Line]:
        asked = " ".join(f"{key}={said(value)}" for key, value in self._args.items())
        targets = self._error.get("targets") or []
        lines: list[Line] = [
            (("▲ CONFIRM ", WARN + BOLD), (f"{self._command} {asked}", BOLD)),
            line(""),
            *(line(part) for part in wrap(str(self._error.get("message", "")), width)),
            line(""),
        ]
        if targets:
            lines.append(line(f"It is about {len(targets)}:", BOLD))
            lines += [line(f"  {part}") for part in wrap(", ".join(map(str, targets)), width - 2)]
            lines.append(line(""))
        lines.append(
            (("y ", WARN + BOLD), ("do it      ", None), ("n, Esc ", BOLD), ("leave it", None))
        )
        return lines

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_move(self, by: int) -> None:
        self._pane.action_move(by)


class TextDialog(ModalScreen[None]):
    """An answer longer than a line; ``y`` copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "close"),
        Binding("y", "copy"),
    ]
    AUTO_FOCUS = "*"
    DEFAULT_CSS = _box("TextDialog", "96%", "90%", "round $accent")

    def __init__(
        self, heading: str, draw: Callable[[int], Sequence[Line]], document: Any = None
    ) -> None:
        super().__init__()
        self._heading = heading
        self._lines_of = draw
        self._document = document

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Scroller(self._text)

    def _text(self, width: int, height: int) -> list[Line]:
        keys = "Esc closes" + ("" if self._document is None else " · y copies as JSON")
        return [((self._heading, BOLD), (f"   {keys}", DIM)), line(""), *self._lines_of(width)]

    def action_close(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        if self._document is not None:
            self.app.copy_to_clipboard(json.dumps(self._document, ensure_ascii=False, default=str))
            self.dismiss(None)
