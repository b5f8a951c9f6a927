"""Screen 4: where the data come from, how each source does, and which symbols are held back."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from mirrorcore.clock import MILLISECOND, wall_now
from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.grid import Cell
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, Pane, Piece, line, title
from mirrorcore.interfaces.terminal.text import age, number, price
from mirrorcore.interfaces.terminal.views.new_risk import kept_out
from mirrorcore.interfaces.terminal.views.table import Row, Table, text
from mirrorcore.interfaces.terminal.views.view import View, moment

_STATES = {"live": ("● live", OK), "stale": ("▲ stale", WARN), "connecting": ("○ connecting", WARN),
           "backing_off": ("▲ backing off", WARN), "open": ("■ given up for now", BAD),
           "stopped": ("○ stopped", DIM), "failed": ("■ failed", BAD)}  # fmt: skip
_COUNTS = (
    "records",
    "gaps",
    "unfilled",
    "dropped",
    "duplicates",
    "faults",
    "reconnects",
    "pending",
)


class SourcesView(View):
    """Sources of a live run as rows; below them the symbols that take no new risk, and why."""

    heading = "data sources"

    DEFAULT_CSS = """
    SourcesView #sources-head { height: 2; }
    SourcesView #sources { height: 2fr; }
    SourcesView #symbols { height: 1fr; min-height: 6; }
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self.head = Pane(self._head, name="sources-head")
        self.grid = Table(
            [
                ("source", 20, False, text("name")),
                ("state", 18, False, _state),
                ("heard", 6, True, _heard),
                *((word, max(8, len(word) + 1), True, _count(word)) for word in _COUNTS),
                ("silent symbols", 24, False, _silent),
                ("reason", 40, False, text("reason", WARN)),
            ],
            empty="this run has no live sources",
            name="sources",
        )
        self.symbols = Pane(self._symbols, name="symbols")

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.grid
        yield self.symbols

    def draw(self) -> None:
        self.head.update()
        sources = self.board.seen.tables["src"]
        self.grid.fill([{"name": name, **sources[name]} for name in sorted(sources)])
        self.symbols.update()

    def copied(self) -> Any:
        return self.grid.item

    def _head(self, width: int, height: int) -> list[Line]:
        top = self.board.seen.top
        real = top.get("real")
        what = "a venue as it trades now" if real else "not traded anywhere now"
        return [((" MARKET ", BOLD), (f"{top.get('source', '–')} ", None), (f"({what})", DIM))]

    def _symbols(self, width: int, height: int) -> list[Line]:
        seen = self.board.seen
        halted = seen.top.get("halted") or {}
        outside = ", ".join(kept_out(seen.top))
        held = f"none takes new risk: {outside}" if outside else f"{len(halted)} take no new risk"
        lines: list[Line] = [title(" SYMBOLS", held)]
        for symbol in seen.top.get("symbols") or []:
            candles = seen.candles.get(symbol)
            last = candles[-1] if candles else None
            said = (
                f"last candle {moment(last[0])}, close {price(last[4])}"
                if last
                else "no candle yet"
            )
            cause = halted.get(symbol)
            lines.append(
                (
                    (f" {symbol:<14}", None),
                    _held(cause, outside),
                    (said, DIM),
                )
            )
        return lines if len(lines) > 1 else [*lines, line(" none", DIM)]


def _held(cause: str | None, outside: str) -> Piece:
    """Whether a symbol takes new risk: by its own cause, else by what holds for the whole book."""
    if cause:
        return f"■ halted: {cause}  ", BAD
    return ("■ no new risk  ", BAD) if outside else ("● open  ", OK)


def _state(row: Row) -> Cell:
    return _STATES.get(str(row.get("state")), (str(row.get("state", "–")), WARN))


def _heard(row: Row) -> Cell:
    heard = row.get("heard")
    if not isinstance(heard, int):
        return "–", DIM
    return age(wall_now() / MILLISECOND - heard), None


def _count(name: str) -> Any:
    def cell(row: Row) -> Cell:
        count = row.get(name)
        bad = bool(count) and name in ("unfilled", "faults", "dropped")
        return number(count, 0), WARN if bad else None

    return cell


def _silent(row: Row) -> Cell:
    silent = row.get("stale") or []
    return (", ".join(str(one) for one in silent) or "–"), WARN if silent else DIM
