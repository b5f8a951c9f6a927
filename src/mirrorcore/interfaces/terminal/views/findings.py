"""Screen 7: what nobody coded, with its evidence, beside the number that luck alone makes."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.look import BOLD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, Scroller, line, title
from mirrorcore.interfaces.terminal.text import fit, number, wrap
from mirrorcore.interfaces.terminal.views.view import View, day_and_moment

_NAME = 16
_INDENT = "    "


class FindingsView(View):
    """How each detector does, and under it every finding, the newest first."""

    heading = "findings"

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self.pane = Scroller(self._lines, name="findings-pane")

    def compose(self) -> ComposeResult:
        yield self.pane

    def draw(self) -> None:
        self.pane.update()

    def copied(self) -> Any:
        return self.board.seen.logs["em"]

    def _lines(self, width: int, height: int) -> list[Line]:
        seen = self.board.seen
        watch = seen.tables["watch"]
        if not watch:
            return [line(" nobody watches: [emergence] enabled is false in this run", DIM)]
        lines: list[Line] = [
            title(" WATCHED FOR", "found, explained away, and what luck alone makes at most")
        ]
        for kind, row in watch.items():
            lines += _watched(kind, row)
        lines += [line(""), title(" FOUND", "the newest first; ack_alert acknowledges")]
        for row in reversed(seen.logs["em"]):
            lines += self._finding(row, width)
        if not seen.logs["em"]:
            lines.append(line(" nothing that nobody coded has been found", DIM))
        return lines

    def _finding(self, row: dict[str, Any], width: int) -> list[Line]:
        alert = self.board.seen.tables["alerts"].get(str(row.get("alert")))
        seen_by = alert.get("ack") if alert else None
        if row["why"]:
            state, style = f"explained away: {row['why']}", DIM
        elif seen_by:
            state, style = f"seen by {seen_by}", DIM
        elif row["alert"] is None:
            state, style = "no alert", DIM
        else:
            state, style = f"alert {row['alert']}, not acknowledged", WARN
        effect = row["eff"]
        evidence = f"p = {row['p']:g}" if row["p"] is not None else f"e = {row['e']:,g}"
        lines: list[Line] = [
            (
                (f" {row['id']} ", BOLD), (f"{day_and_moment(row['t'])} ", DIM),
                (f"{row['type']} ", style if row["why"] else WARN),
                (f"{row['sym']} " if row["sym"] else "", None),
                ("experimental " if row["exp"] else "", DIM),
            ),
        ]  # fmt: skip
        room = max(20, width - len(_INDENT) - 1)
        told = (
            (row["text"], None),
            (f"{effect['name']} {effect['value']:g} {effect['unit']}, {effect['direction']}; "
             f"{evidence}; ticks {row['w'][0]:,} to {row['w'][1]:,}", None),
            (f"against: {row['null']}", DIM),
            (state, style),
        )  # fmt: skip
        for text, look in told:
            lines += [((_INDENT + part, look),) for part in wrap(str(text), room)]
        return lines


def _watched(kind: str, row: dict[str, Any]) -> list[Line]:
    if row["idle"]:
        return [((" " + fit(kind, _NAME), BOLD), (f"not at work: {row['idle']}", DIM))]
    return [(
        (" " + fit(kind, _NAME), BOLD),
        (fit(f"{row['n']} found", 10), WARN if row["n"] else OK),
        (fit(f"{row['expl']} explained", 14), DIM),
        (f"luck {row['budget']:.3f} in {number(row['ticks'], 0)} ticks", None),
        ("  experimental: its bars are not proven" if row["exp"] else "", DIM),
    ), (
        (" " + fit("", _NAME), None), (f"measured: {row['rate']}", DIM),
    )]  # fmt: skip
