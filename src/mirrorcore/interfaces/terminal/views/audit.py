"""Screen 6: who did what, when, from where, and what came of it; below it what is said in full."""

from __future__ import annotations

import json
from typing import Any

from textual.app import ComposeResult

from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.grid import Cell
from mirrorcore.interfaces.terminal.look import BAD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, Pane, Scroller, title
from mirrorcore.interfaces.terminal.unfold import unfold
from mirrorcore.interfaces.terminal.views.table import Row, Table, text
from mirrorcore.interfaces.terminal.views.view import View

_LIMIT = 200
_RESULTS = {"done": OK, "partial": WARN, "rejected": WARN, "failed": BAD, "dry_run": DIM}


class AuditView(View):
    """The newest entries of the journal's chain, the newest first."""

    heading = "audit"

    DEFAULT_CSS = """
    AuditView #audit-head { height: 1; }
    AuditView #audit { height: 3fr; }
    AuditView #audit-entry { height: 2fr; }
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self._trouble = ""
        self.head = Pane(self._head, name="audit-head")
        self.grid = Table(_HEADS, empty="nobody has done anything yet", name="audit")
        self.entry = Scroller(self._entry, name="audit-entry")

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.grid
        yield self.entry

    def draw(self) -> None:
        self.head.update()

    def questions(self) -> dict[str, dict[str, Any]]:
        return {"audit": {"limit": _LIMIT}}

    def answered(self, name: str, result: Any) -> None:
        self._trouble = ""
        entries = result.get("audit", result.get("entries")) if isinstance(result, dict) else result
        rows = [entry for entry in entries or [] if isinstance(entry, dict)]
        rows.sort(key=lambda row: row.get("seq") or 0, reverse=True)
        self.grid.fill(rows)
        self.entry.update()

    def refused(self, name: str, message: str) -> None:
        self._trouble = message

    def on_grid_moved(self) -> None:
        self.entry.action_top()
        self.entry.update()

    def copied(self) -> Any:
        return self.grid.item

    def _head(self, width: int, height: int) -> list[Line]:
        if self._trouble:
            return [((f" ■ {self._trouble}", BAD),)]
        return [title(" AUDIT", f"the last {_LIMIT} entries of the journal's chain")]

    def _entry(self, width: int, height: int) -> list[Line]:
        item = self.grid.item
        return [] if item is None else [title(" ENTRY"), *unfold(dict(item), width)]


def asked(entry: Row) -> str:
    """The arguments of a command as they may be typed."""
    args = entry.get("args")
    if not isinstance(args, dict):
        return ""
    return " ".join(f"{key}={_short(value)}" for key, value in args.items() if value is not None)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def who(entry: Row) -> str:
    """Who gave a command, and by which door."""
    by = entry.get("by")
    if not isinstance(by, dict):
        return str(by or "–")
    return f"{by.get('name', '–')} · {by.get('origin', '–')}"


def result(entry: Row) -> Cell:
    """How it ended; the code of the error where there is one."""
    status = str(entry.get("status") or "–")
    error = entry.get("error")
    return f"{status} {error}" if error else status, _RESULTS.get(status)


def _acks(entry: Row) -> Cell:
    acked, missing = len(entry.get("acked") or ()), len(entry.get("missing") or ())
    if not acked and not missing:
        return "–", DIM
    return f"{acked}/{acked + missing}", WARN if missing else None


_HEADS = (
    ("seq", 7, True, text("seq")),
    ("time", 19, False, lambda row: (str(row.get("wall") or "–")[:19].replace("T", " "), None)),
    ("who", 22, False, lambda row: (who(row), None)),
    ("command", 18, False, text("command")),
    ("arguments", 34, False, lambda row: (asked(row), None)),
    ("result", 20, False, result),
    ("acked", 9, True, _acks),
    ("reason", 30, False, text("reason")),
)
