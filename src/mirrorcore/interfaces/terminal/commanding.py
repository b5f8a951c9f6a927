"""What a person tells the swarm: the command line, confirmations, the stop."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from textual import work

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.console.doors import Outcome
from mirrorcore.interfaces.console.lines import candidates
from mirrorcore.interfaces.console.reading import Request, read, words_of
from mirrorcore.interfaces.console.telling import explanation_of, missing_of
from mirrorcore.interfaces.live.filtering import Filter
from mirrorcore.interfaces.terminal.board import FIELDS
from mirrorcore.interfaces.terminal.dialogs import ConfirmDialog, StopDialog, TextDialog
from mirrorcore.interfaces.terminal.look import BAD, DIM, OK, WARN
from mirrorcore.interfaces.terminal.pane import Line, line
from mirrorcore.interfaces.terminal.unfold import said, unfold
from mirrorcore.interfaces.terminal.viewing import Viewing
from mirrorcore.interfaces.terminal.views.risk import RiskView
from mirrorcore.report.explanation import Explanation
from mirrorcore.report.why_screen import why_lines

OWN = ("filter", "sort", "quit")
"""Words after the colon that are the monitor's own; everything else goes to the swarm."""


class Commanding(Viewing):
    """Commands go out one by one; what came of the last one stands above the keys."""

    def action_ask_command(self) -> None:
        self._ask_command("")

    def _ask_command(self, text: str) -> None:
        self.ask_for_line("command", self._complete_command, text)
        self.say("Tab completes, Enter runs, Esc drops")

    def _complete_command(self, text: str) -> list[str]:
        columns = self.board.columns
        kinds = sorted({str(kind) for kind in columns["kind"] if kind})
        names = [*columns["agent"], *(f"kind:{kind}" for kind in kinds), "*"]
        start = text[: len(text) - len(text.rpartition(" ")[2])]
        found = candidates(text, self.catalogue, [shlex.quote(name) for name in names])
        own = [name for name in OWN if text and name.startswith(text)]
        return [f"{start}{word}" for word in dict.fromkeys((*found, *own))]

    def run_line(self, text: str) -> None:
        """Carry out a line that was typed: the monitor's own words, or a command of the swarm."""
        word, _, rest = text.partition(" ")
        try:
            if word == "quit":
                self.exit()
            elif word == "sort":
                self._sort(rest.strip())
            elif word == "filter":
                self.board.filter = Filter.parse(rest, FIELDS)
                self._reorder()
            else:
                self._typed(text)
        except MirrorCoreError as error:
            self.say(f"■ {error.message} · {error.hint}", BAD)

    @work(exclusive=False, exit_on_error=True)
    async def _typed(self, text: str) -> None:
        """A command as somebody typed it, who may be quicker than the list of commands."""
        if not self.catalogue.entries:
            await self.learn()
        try:
            self.command(read(words_of(text), self.catalogue))
        except MirrorCoreError as error:
            self.say(f"■ {error.message} · {error.hint}", BAD)

    def action_stop(self) -> None:
        """Ask once whether it is meant; the second F10 is the stop."""
        if isinstance(self.screen, StopDialog):
            self.screen.action_stop("cancel")
            return
        tables = self.board.seen.tables
        positions = sum(bool(one.get("qty")) for one in tables["pos"].values())
        working = ("intent", "accepted", "partially_filled")
        orders = sum(one.get("status") in working for one in tables["ord"].values())
        self.push_screen(StopDialog(positions, orders), self._stop)

    def _stop(self, level: str | None) -> None:
        if level is not None:
            self.command(Request("emergency_stop", {"level": level}))

    def action_pause_agent(self) -> None:
        """Write the command that pauses or resumes the agent under the cursor; Enter sends it."""
        name = self.agent.agent_id if self.view is self.agent else ""
        if self.view is self.agents and self.agents.grid.row is not None:
            name = self.board.columns["agent"][self.agents.grid.row]
        row = self.board.row_of(name)
        if row is not None:
            paused = self.board.columns["status"][row] == "paused"
            self._ask_command(f"{'resume' if paused else 'pause'}_agent {shlex.quote(name)}")

    def action_why(self) -> None:
        if isinstance(self.view, RiskView) and (found := self.view.why()):
            self.command(Request("why", {"id": found}))

    @work(exclusive=False, exit_on_error=True)
    async def command(self, request: Request, confirm: str | None = None) -> None:
        """Send a command and show what came of it; a confirmation is asked for where one is due."""
        name, args = request.name, request.args
        shown = " ".join((name, *(f"{key}={said(value)}" for key, value in args.items())))
        self.say(f"… {shown}", DIM)
        outcome = await self._call(request, confirm)
        if outcome is None:
            return
        error = outcome.get("error")
        if error and error.get("code") == "confirm_required" and confirm is None:
            if await self.push_screen_wait(ConfirmDialog(name, args, error)):
                self.command(request, str(error.get("confirm") or ""))
            else:
                self.say(f"not done: {shown}", WARN)
            return
        self._show(shown, outcome)

    async def _call(self, request: Request, confirm: str | None) -> Outcome | None:
        try:
            return await asyncio.to_thread(lambda: self._door().call_now(request, confirm))
        except MirrorCoreError as error:
            self.say(f"■ {request.name}: {error.message} · {error.hint}", BAD)
            return None

    def _show(self, shown: str, outcome: Outcome) -> None:
        error = outcome.get("error")
        if error:
            hint = f" · {error['hint']}" if error.get("hint") else ""
            self.say(f"■ {shown}: {error.get('message')}{hint}", BAD)
            return
        status = str(outcome.get("status"))
        missing = missing_of(outcome)
        acked = outcome.get("acked") or []
        count = outcome.get("target_count") or 0
        words = f"{shown}: {status}"
        if count:
            words += f", {len(acked)}/{count} agents acknowledged"
        if missing:
            named = (f"{agent} ({why})" for agent, why in missing.items())
            words += f", missing: {', '.join(named)}"
        self.say(words, OK if status == "done" and not missing else WARN)
        result = outcome.get("result")
        entry = self.catalogue.entries.get(str(outcome.get("name")))
        changed = entry is not None and entry.changes
        if result and not changed and not _short(result):
            explained = explanation_of(outcome)
            draw = _told(result) if explained is None else _explained(explained)
            self.push_screen(TextDialog(shown, draw, result))
        elif result:
            self.say(f"{words} · {said(result)}", OK if status == "done" else WARN)


def _told(result: Any) -> Callable[[int], Sequence[Line]]:
    return lambda width: unfold(result, width)


def _explained(found: Explanation) -> Callable[[int], Sequence[Line]]:
    return lambda width: [line(text) for text in why_lines(found, width)]


def _short(result: Any) -> bool:
    """Whether an answer fits the line above the keys."""
    if isinstance(result, dict):
        return len(result) <= 4 and not any(isinstance(one, dict | list) for one in result.values())
    return not isinstance(result, list)
