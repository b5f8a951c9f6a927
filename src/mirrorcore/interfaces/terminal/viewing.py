"""What a person does with the view: turn, filter, sort, pause, follow, copy."""

from __future__ import annotations

import json

from mirrorcore.interfaces.live.filtering import Filter, FilterError, Sort
from mirrorcore.interfaces.terminal.board import FIELDS, TRENDS
from mirrorcore.interfaces.terminal.dialogs import TextDialog
from mirrorcore.interfaces.terminal.frame import Frame
from mirrorcore.interfaces.terminal.help import help_lines
from mirrorcore.interfaces.terminal.look import BAD, WARN
from mirrorcore.interfaces.terminal.text import fit

SORTS = ("", "-pnl", "health", "-mailbox", "-fails", "status", "kind", "agent")
"""What the sort key goes through; anything else is typed after ``:sort``."""


class Viewing(Frame):
    """Keys that change what is shown."""

    def _inspect(self, row: int) -> None:
        self.agent.turn_to(self.board.columns["agent"][row])
        self.action_screen_number(1)

    def action_leave(self) -> None:
        if self.view is not self.agents:
            self.action_screen_number(0)
        elif self.board.filter.text:
            self.board.filter = Filter.parse("", FIELDS)
            self._reorder()

    def action_neighbour(self, by: int) -> None:
        if self.view is self.agent:
            self.agents.grid.action_step(by)
            row = self.agents.grid.row
            if row is not None:
                self.agent.turn_to(self.board.columns["agent"][row])
                self._ask_for(self.agent)

    def action_help(self) -> None:
        self.push_screen(
            TextDialog("KEYS AND COMMANDS", lambda width: help_lines(self.catalogue, width))
        )

    def action_pause(self) -> None:
        if self.board.paused:
            self.board.resume()
            self.say("shows the newest again")
        else:
            self.board.pause()
            self.say("view paused; the swarm goes on. space shows the newest again", WARN)
        self._drawn = -1
        self.view.draw()
        self.status.update()

    def action_sort(self) -> None:
        now = self.board.sort.text()
        at = SORTS.index(now) + 1 if now in SORTS else 0
        self._sort(SORTS[at % len(SORTS)])

    def action_turn_sort(self) -> None:
        keys = self.board.sort.keys
        if keys:
            (name, turned), *rest = keys
            self.board.sort = Sort(((name, not turned), *rest))
            self._reorder()

    def _sort(self, text: str) -> None:
        self.board.sort = Sort.parse(text, FIELDS)
        self.say(f"sorted by {text}" if text else "in the order of the run")
        self._reorder()

    def _reorder(self) -> None:
        self.agents.order()
        self.agents.draw()

    def action_follow(self) -> None:
        grid = self.agents.grid
        grid.follow = not grid.follow
        self.say("the cursor follows its row" if grid.follow else "the cursor keeps its place")
        self.agents.draw()

    def action_trend(self) -> None:
        at = TRENDS.index(self.board.trend) + 1
        self.board.follow_trend(TRENDS[at % len(TRENDS)])
        self.say(f"sparklines show {self.board.trend}, a point a second")

    def action_copy(self) -> None:
        found = self.view.copied()
        if found is None:
            self.say("nothing to copy here", WARN)
            return
        text = json.dumps(found, ensure_ascii=False, default=str)
        self.copy_to_clipboard(text)
        self.say(f"copied {len(text)} characters: {fit(text, 60).rstrip()}")

    # -- the filter --------------------------------------------------------------------------

    def action_ask_filter(self) -> None:
        if self.view is not self.agents:
            self.action_screen_number(0)
        self._filter_before = self.board.filter
        self.ask_for_line("filter", self._complete_filter, self.board.filter.text)
        self.say(
            "filter: kind:risk status:paused health<0.8 pnl>0 text !not   Enter keeps, Esc drops"
        )

    def _complete_filter(self, text: str) -> list[str]:
        before, space, word = text.rpartition(" ")
        start, name = f"{before}{space}", word.removeprefix("!")
        mark = "!" if word.startswith("!") else ""
        column, colon, value = name.partition(":")
        if colon and column in ("kind", "status", "signal", "circuit"):
            found = {str(one) for one in self.board.columns[column] if one}
            values = sorted(one for one in found if one.startswith(value))
            return [f"{start}{mark}{column}:{one}" for one in values]
        if not name:
            return []
        return [
            f"{start}{mark}{field.name}{'>' if field.number else ':'}"
            for field in FIELDS
            if field.name.startswith(name)
        ]

    def _try_filter(self, text: str) -> bool:
        try:
            self.board.filter = Filter.parse(text, FIELDS)
        except FilterError as error:
            self.say(f"{error.message} · {error.hint}", BAD)
            return False
        self._reorder()
        self.say(f"{len(self.agents.grid.rows):,} of {self.board.count():,} agents")
        return True
