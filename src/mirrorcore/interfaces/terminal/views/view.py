"""What every screen is: it draws what the board has, and says what its row is when asked."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.style import Style
from textual.containers import Vertical
from textual.widget import Widget

from mirrorcore.clock import MILLISECOND, iso
from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.look import BAD, DIM, SHAPES, WARN
from mirrorcore.interfaces.terminal.pane import Line


class View(Vertical):
    """One screen; ``stale`` is set by the app while the figures are not of now."""

    heading: ClassVar[str] = ""
    keys: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Keys of this screen beside those of all, with what they do."""

    DEFAULT_CSS = "View { height: 1fr; }"

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(id=name)
        self.board = board
        self.stale = False

    @property
    def first(self) -> Widget | None:
        """What takes the keys when this screen is turned to; the first that can if None."""
        return None

    def draw(self) -> None:
        """The board has something new, or the view was turned to."""

    def each_second(self) -> None:
        """Once a second while this is the screen that is seen."""

    def copied(self) -> Any:
        """The row under the cursor, as JSON takes it; None where there is none."""
        return None

    def questions(self) -> dict[str, dict[str, Any]]:
        """Commands whose answers this screen shows, asked once a second while it is seen."""
        return {}

    def answered(self, name: str, result: Any) -> None:
        """The answer to one of :meth:`questions`."""

    def refused(self, name: str, message: str) -> None:
        """A question was answered with an error."""


SEVERITY: tuple[tuple[str, Style], ...] = (("·", DIM), (SHAPES["warn"], WARN), (SHAPES["bad"], BAD))


def moment(ms: object) -> str:
    """A time of day in UTC; a dash where there is none."""
    return iso(ms * MILLISECOND)[11:19] if isinstance(ms, int) else "–"


def day_and_moment(ms: object) -> str:
    """A date and a time of day in UTC; a dash where there is none."""
    return iso(ms * MILLISECOND)[5:19].replace("T", " ") if isinstance(ms, int) else "–"


def event_line(event: dict[str, Any]) -> Line:
    """An event or an alert on one line: time, shape, kind, who, text."""
    severity = event.get("sev")
    shape, style = SEVERITY[severity if isinstance(severity, int) and severity in (0, 1, 2) else 1]
    return (
        (f"{moment(event.get('t'))} ", DIM),
        (f"{shape} {event.get('kind', '')} ", style),
        (f"{event.get('who', '')} ", None),
        (str(event.get("text", "")), DIM),
    )
