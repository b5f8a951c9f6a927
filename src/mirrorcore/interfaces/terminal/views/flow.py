"""Screen 3: who is heard by whom: state changes from kinds of sources to kinds of agents."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, Piece, Scroller, line, title
from mirrorcore.interfaces.terminal.text import fit, number
from mirrorcore.interfaces.terminal.views.view import View

_NAME = 16
_COUNT = 12
_RATE = 6
_CELL = _COUNT + _RATE
_SHADES = " ░▒▓█"


class FlowView(View):
    """Deliveries by kind and kind, how many a second, and what was merged, lost or waits."""

    heading = "flow"

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self.pane = Scroller(self._lines, name="flow-pane")
        self._before: dict[tuple[int, int], int] = {}
        self._rates: dict[tuple[int, int], int] = {}

    def compose(self) -> ComposeResult:
        yield self.pane

    def draw(self) -> None:
        self.pane.update()

    def each_second(self) -> None:
        counts = {
            (row[0], row[1]): row[3] for row in self.board.seen.flow.get("m", ()) if len(row) >= 7
        }
        if self._before:
            self._rates = {
                pair: count - self._before.get(pair, 0) for pair, count in counts.items()
            }
        self._before = counts

    def copied(self) -> Any:
        return self.board.seen.flow

    def _lines(self, width: int, height: int) -> list[Line]:
        flow = self.board.seen.flow
        senders, readers = flow.get("from") or [], flow.get("to") or []
        cells = {(row[0], row[1]): row for row in flow.get("m", ()) if len(row) >= 7}
        if not cells:
            return [line(" no state change has been delivered yet", DIM)]
        room = max(1, (width - _NAME - 3) // (_CELL + 1))
        lines: list[Line] = [
            title(
                " DELIVERED",
                "changes since the run began, + in the last second; from rows to columns",
            ),
            line(""),
        ]
        for first in range(0, len(readers), room):
            lines += self._block(
                senders, readers, range(first, min(first + room, len(readers))), cells
            )
            lines.append(line(""))
        return [*lines, *_trouble(senders, readers, cells)]

    def _block(
        self, senders: list[str], readers: list[str], shown: range, cells: dict[Any, Any]
    ) -> list[Line]:
        most = max((row[3] for row in cells.values()), default=0) or 1
        heads = " ".join(fit(fit(readers[at], _COUNT, right=True), _CELL) for at in shown)
        lines: list[Line] = [((" " * (_NAME + 2), None), (heads, BOLD))]
        for number_, sender in enumerate(senders):
            pieces: list[Piece] = [(" " + fit(sender, _NAME) + " ", BOLD)]
            for at in shown:
                rate = self._rates.get((number_, at), 0)
                pieces += _cell(cells.get((number_, at)), most, rate)
            lines.append(pieces)
        return lines


def _cell(row: Any, most: int, rate: int) -> list[Piece]:
    """Deliveries as shade and number, those of the last second; ``!`` where some were lost."""
    if row is None:
        return [(fit("·", _COUNT, right=True) + " " * (_RATE + 1), DIM)]
    shade = _SHADES[min(4, 1 + int(4 * row[3] / (most + 1)))] if row[3] else " "
    lost = row[5] > 0
    said = f"{shade} {number(row[3], 0)}{'!' if lost else ''}"
    return [
        (fit(said, _COUNT, right=True), BAD if lost else None),
        (fit(f" +{number(rate, 0)}" if rate else "", _RATE) + " ", OK),
    ]


def _trouble(senders: list[str], readers: list[str], cells: dict[Any, Any]) -> list[Line]:
    """What was merged because a reader was slower, what was lost, what waits; the worst first."""
    rows = [row for row in cells.values() if row[4] or row[5] or row[6]]
    if not rows:
        return [line(" nothing merged, nothing lost, nothing waits", DIM)]
    rows.sort(key=lambda row: (-row[5], -row[6], -row[4]))
    lines: list[Line] = [
        title(" NOT ONE BY ONE", "merged: the reader saw the newest only; lost: it never saw it"),
        line(fit("  from → to", 36) + "".join(fit(word, 12, right=True) for word in
                                              ("published", "merged", "lost", "waiting")), DIM),
    ]  # fmt: skip
    for row in rows:
        names = f"  {senders[row[0]]} → {readers[row[1]]}"
        lines.append(
            (
                (fit(names, 36), None),
                (fit(number(row[2], 0), 12, right=True), None),
                (fit(number(row[4], 0), 12, right=True), WARN if row[4] else DIM),
                (fit(number(row[5], 0), 12, right=True), BAD if row[5] else DIM),
                (fit(number(row[6], 0), 12, right=True), None),
            )
        )
    return lines
