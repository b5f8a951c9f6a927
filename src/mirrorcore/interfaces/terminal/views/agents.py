"""Screen 1: every agent in one grid, and beside it what moves the whole swarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from mirrorcore.interfaces.terminal.board import AgentColumns, Board
from mirrorcore.interfaces.terminal.grid import Cell, Column, Grid
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, WARN, health_cell
from mirrorcore.interfaces.terminal.pane import Line, Pane, Piece, line, title
from mirrorcore.interfaces.terminal.text import age, gauge, number, price, share, sparkline
from mirrorcore.interfaces.terminal.views.view import View, event_line

_SIDE = 48
_ROOM_FOR_SIDE = 124
_STALE_BARS = 3
_STATUS: Mapping[str, Style | None] = {
    "running": None, "paused": WARN, "probing": WARN, "isolated": BAD, "failed": BAD,
    "removed": DIM,
}  # fmt: skip
_SIGNAL: Mapping[str, tuple[str, Style | None]] = {
    "buy": ("↑ buy", OK), "sell": ("↓ sell", WARN), "hold": ("= hold", None), "none": ("–", DIM),
}  # fmt: skip


class AgentsView(View):
    """The grid of agents with filter and sort, and prices, equity, emotions, alerts and events."""

    heading: ClassVar[str] = "agents"
    keys = (
        ("/", "filter"), ("s", "sort"), ("S", "turn"), ("f", "follow row"), ("t", "trend of"),
        ("enter", "agent"),
    )  # fmt: skip

    DEFAULT_CSS = f"""
    AgentsView #side {{ width: {_SIDE}; padding-left: 1; }}
    AgentsView #agents-head {{ height: 1; }}
    AgentsView Horizontal {{ height: 1fr; }}
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self._columns: AgentColumns = board.columns
        self.grid = Grid(
            self._described(), empty="no agent passes this filter", give_up=_GIVEN_UP, name="grid"
        )
        self.head = Pane(self._head, name="agents-head")
        self.side = Pane(self._side, name="side")
        self._order: list[int] = []
        self._ordered_of = -1

    def compose(self) -> ComposeResult:
        yield self.head
        with Horizontal():
            yield self.grid
            yield self.side

    def on_resize(self, event: events.Resize) -> None:
        self.side.display = event.size.width >= _ROOM_FOR_SIDE

    def draw(self) -> None:
        self._columns = self.board.columns
        if len(self._columns["agent"]) != self._ordered_of:
            self.order()
        self.head.update()
        self.grid.show(self._order)
        if self.side.display:
            self.side.update()

    def each_second(self) -> None:
        # More often, rows would jump about under the eye while they are sorted by what changes.
        self.order()
        self.grid.show(self._order)

    def order(self) -> None:
        """Filter and sort anew."""
        self._columns = self.board.columns
        self._order = self.board.rows()
        self._ordered_of = len(self._columns["agent"])
        self.grid.marks = {name: "▼" if turned else "▲" for name, turned in self.board.sort.keys}

    def copied(self) -> Any:
        return None if self.grid.row is None else self.board.agent(self.grid.row)

    # -- the line above the grid ---------------------------------------------------------------

    def _head(self, width: int, height: int) -> list[Line]:
        shown, count = len(self._order), self.board.count()
        pieces: list[Piece] = [(f" {shown:,}/{count:,} agents", BOLD)]
        if self.board.filter.text:
            pieces += [("  filter ", DIM), (self.board.filter.text, WARN)]
        if self.board.sort.keys:
            pieces += [("  sort ", DIM), (self.board.sort.text(), None)]
        if self.grid.follow:
            pieces.append(("  following the row", WARN))
        return [pieces]

    # -- cells ---------------------------------------------------------------------------------

    def _described(self) -> tuple[Column, ...]:
        return (
            Column("agent", "agent", 20, self._agent),
            Column("kind", "kind", 15, self._plain("kind")),
            Column("status", "status", 9, self._status),
            Column("health", "health", 11, self._health),
            Column("signal", "signal", 7, self._signal),
            Column("confidence", "conf", 5, self._number("confidence"), right=True),
            Column("lean", "lean", 6, self._number("lean", signed=True), right=True),
            Column("pnl", "pnl %", 7, self._pnl, right=True),
            Column("weight", "weight", 7, self._number("weight", 3, signed=True), right=True),
            Column("mailbox", "box", 4, self._number("mailbox", 0), right=True),
            Column("age", "age", 5, self._age, right=True),
            Column("trend", "trend", 10, self._trend),
            Column("fails", "fails", 6, self._count("fails"), right=True),
            Column("restarts", "rest.", 5, self._count("restarts"), right=True),
            Column("latency", "p99 ms", 7, self._number("latency"), right=True),
        )

    def _dim(self, style: Style | None = None) -> Style | None:
        return DIM if self.stale else style

    def _agent(self, row: int) -> Cell:
        return str(self._columns["agent"][row]), self._dim()

    def _plain(self, name: str) -> Any:
        def cell(row: int) -> Cell:
            return str(self._columns[name][row] or "–"), DIM

        return cell

    def _status(self, row: int) -> Cell:
        status = self._columns["status"][row] or "unknown"
        return status, self._dim(_STATUS.get(status, WARN))

    def _health(self, row: int) -> Cell:
        text, style = health_cell(self._columns["health"][row])
        return text, self._dim(style)

    def _signal(self, row: int) -> Cell:
        text, style = _SIGNAL.get(self._columns["signal"][row] or "none", ("–", DIM))
        return text, self._dim(style)

    def _number(self, name: str, digits: int = 2, *, signed: bool = False) -> Any:
        def cell(row: int) -> Cell:
            return number(self._columns[name][row], digits, signed=signed), self._dim()

        return cell

    def _count(self, name: str) -> Any:
        def cell(row: int) -> Cell:
            count = self._columns[name][row]
            return number(count, 0), self._dim(WARN if count else DIM)

        return cell

    def _pnl(self, row: int) -> Cell:
        value = self._columns["pnl"][row]
        style = None if not value else OK if value > 0 else WARN
        return number(value, signed=True), self._dim(style)

    def _age(self, row: int) -> Cell:
        if self.stale:
            return "stale", WARN
        heard = self._columns["heard"][row]
        if heard is None:
            return "–", DIM
        late = self.board.seen.ts - heard
        bar = self.board.seen.top.get("bar") or 0
        return age(late), WARN if bar and late > _STALE_BARS * bar else None

    def _trend(self, row: int) -> Cell:
        return sparkline(self.board.trend_of(row), 10), DIM

    # -- beside the grid -----------------------------------------------------------------------

    def _side(self, width: int, height: int) -> list[Line]:
        room = width - 1
        lines = [*self._prices(room), line(""), *self._equity(room), line(""), *self._mind(room)]
        seen = self.board.seen
        alerts = [one for one in seen.tables["alerts"].values() if one.get("ack") is None]
        if alerts:
            alerts.sort(key=lambda one: one.get("t") or 0, reverse=True)
            lines += [line(""), title("ALERTS", str(len(alerts)))]
            lines += [event_line(one) for one in alerts[:4]]
        lines += [line(""), title("EVENTS")]
        left = max(1, height - len(lines))
        happened = [*seen.logs["ev"]][-left:]
        lines += [event_line(event) for event in reversed(happened)]
        if not happened:
            lines.append(line("nothing has happened yet", DIM))
        return lines

    def _prices(self, width: int) -> list[Line]:
        seen = self.board.seen
        lines: list[Line] = [title("PRICES", self._stale_word())]
        for symbol in (seen.top.get("symbols") or [])[:6]:
            closes = [candle[4] for candle in seen.candles.get(symbol, ())]
            if not closes:
                lines.append(((f"{symbol:<10} ", None), ("no candle yet", DIM)))
                continue
            room = min(len(closes), max(0, width - 31))
            change = closes[-1] / closes[-room] - 1.0 if room and closes[-room] else None
            halted = symbol in (seen.top.get("halted") or {})
            lines.append(
                (
                    (f"{symbol:<10} ", None),
                    (f"{price(closes[-1]):>11} ", BOLD),
                    (f"{share(change, 2, signed=True):>7} ", WARN if (change or 0) < 0 else OK),
                    ("■ halted", BAD) if halted else (sparkline(closes, room), DIM),
                )
            )
        return lines

    def _equity(self, width: int) -> list[Line]:
        seen = self.board.seen
        values = [point[2] for point in seen.eq]
        top = seen.top
        return [
            title("EQUITY", self._stale_word()),
            (
                (f"{number(top.get('eq')):>14} {top.get('cur', '')} ", BOLD),
                (sparkline(values, max(0, width - 20)), OK),
            ),
            (
                ("gross ", DIM), (f"{share(top.get('gross')):<7}", None),
                ("net ", DIM), (f"{share(top.get('net')):<7}", None),
                ("won ", DIM), (f"{top.get('won', '–')}/{top.get('trades', '–')}", None),
            ),
        ]  # fmt: skip

    def _mind(self, width: int) -> list[Line]:
        top = self.board.seen.top
        felt = top.get("emotion")
        greed = self.board.seen.emo[-1][5] if self.board.seen.emo else None
        lines: list[Line] = [title("MIND", f"feels {felt}" if felt else "")]
        for name, value in (
            ("fear", top.get("fear")), ("confidence", top.get("conf")), ("greed", greed),
            ("gate", top.get("gate")),
        ):  # fmt: skip
            bar = gauge(value, width - 18) if isinstance(value, int | float) else ""
            lines.append(((f"{name:<11}", None), (f"{number(value):>5} ", BOLD), (bar, DIM)))
        if top.get("silent"):
            lines.append(line("the gate is silent: positions may only shrink", WARN))
        return lines

    def _stale_word(self) -> str:
        return "stale" if self.stale else ""


_GIVEN_UP = (
    "latency", "restarts", "fails", "weight", "trend", "lean", "kind", "age", "mailbox",
    "confidence", "signal",
)  # fmt: skip
"""Columns that go when the screen is narrow, the first one first."""
