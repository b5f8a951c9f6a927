"""Screen 2: one agent: how it does, what it said last and before, and what happened to it."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from mirrorcore.interfaces.terminal.board import Board
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, OK, WARN, health_cell
from mirrorcore.interfaces.terminal.pane import Line, Pane, Scroller, line, title
from mirrorcore.interfaces.terminal.text import age, number, share, sparkline, wrap
from mirrorcore.interfaces.terminal.views.inside import inside
from mirrorcore.interfaces.terminal.views.view import View, event_line

_HISTORY = 50


class AgentView(View):
    """The agent the cursor stood on; ``[`` and ``]`` turn to its neighbours in the grid."""

    heading = "agent"
    keys = (("[ ]", "neighbour"), ("p", "pause/resume agent"), ("tab", "other side"))

    DEFAULT_CSS = """
    AgentView Horizontal { height: 1fr; }
    AgentView #inspected { width: 3fr; }
    AgentView #happened { width: 2fr; padding-left: 1; }
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board, name)
        self.agent_id = ""
        self._found: Any = None
        self._trouble = ""
        self.facts = Pane(self._facts, name="facts")
        self.inspected = Scroller(self._inspected, name="inspected")
        self.happened = Scroller(self._happened, name="happened")

    def compose(self) -> ComposeResult:
        yield self.facts
        with Horizontal():
            yield self.inspected
            yield self.happened

    def turn_to(self, agent_id: str) -> None:
        """Show another agent."""
        if agent_id != self.agent_id:
            self.agent_id, self._found, self._trouble = agent_id, None, ""
            self.inspected.action_top()
        self.draw()

    def draw(self) -> None:
        self.facts.styles.height = len(self._facts(max(20, self.size.width), 0)) + 1
        for pane in (self.facts, self.inspected, self.happened):
            pane.update()

    def questions(self) -> dict[str, dict[str, Any]]:
        if not self.agent_id:
            return {}
        return {"inspect": {"agent": self.agent_id, "history": _HISTORY}}

    def answered(self, name: str, result: Any) -> None:
        self._found, self._trouble = result, ""
        self.inspected.update()

    def refused(self, name: str, message: str) -> None:
        self._trouble = message
        self.inspected.update()

    def copied(self) -> Any:
        row = self.board.row_of(self.agent_id)
        if row is None:
            return None
        found = {"agent": self.board.agent(row)}
        return {**found, "inspect": self._found} if self._found is not None else found

    def _facts(self, width: int, height: int) -> list[Line]:
        row = self.board.row_of(self.agent_id)
        if row is None:
            return [line(" choose an agent on screen 1 with enter", DIM)]
        agent = self.board.agent(row)
        health, style = health_cell(agent["health"])
        heard = agent["heard"]
        said = age(self.board.seen.ts - heard) + " ago" if heard is not None else "never"
        status = str(agent["status"])
        lines: list[Line] = [
            (
                (f" {self.agent_id} ", BOLD), (f" {agent['kind']} ", DIM),
                (f" {status} ", OK if status == "running" else BAD), (f" {health}", style),
                (" stale" if self.stale else "", WARN),
            ),
            (
                (" signal ", DIM), (f"{agent['signal']}", None),
                ("  lean ", DIM), (number(agent["lean"], signed=True), None),
                ("  confidence ", DIM), (number(agent["confidence"]), None),
                ("  own book ", DIM), (f"{number(agent['pnl'], signed=True)} %", None),
                ("  weight ", DIM), (number(agent["weight"], 3, signed=True), None),
            ),
            (
                (" last said ", DIM), (f"{said}, version {agent['version']}", None),
                ("  mailbox ", DIM), (number(agent["mailbox"], 0), None),
                ("  calls ", DIM), (number(agent["calls"], 0), None),
                ("  failed ", DIM), (number(agent["fails"], 0), WARN if agent["fails"] else None),
                ("  p99 ", DIM), (f"{number(agent['latency'], 3)} ms", None),
            ),
            (
                (" breaker ", DIM),
                (str(agent["circuit"]), None if agent["circuit"] == "closed" else BAD),
                ("  restarts ", DIM),
                (number(agent["restarts"], 0), WARN if agent["restarts"] else None),
                (f"  {self.board.trend} ", DIM), (sparkline(self.board.trend_of(row), 24), OK),
            ),
        ]  # fmt: skip
        if agent["error"]:
            lines += [((" ■ ", BAD), (part, WARN)) for part in wrap(agent["error"], width - 4)[:3]]
        return lines

    def _inspected(self, width: int, height: int) -> list[Line]:
        if not self.agent_id:
            return []
        lines = [line(f" ■ {self._trouble}", BAD)] if self._trouble else []
        if isinstance(self._found, dict):
            lines += inside(self._found, width - 1)
        elif not lines:
            lines.append(line(" asking it …", DIM))
        return lines

    def _happened(self, width: int, height: int) -> list[Line]:
        if not self.agent_id:
            return []
        seen = self.board.seen
        lines: list[Line] = [title("IN DECISIONS", "its part in the newest of each symbol")]
        for symbol, decision in sorted(seen.tables["dec"].items()):
            for vote in decision.get("votes") or ():
                if vote.get("a") == self.agent_id:
                    lines.append(
                        (
                            (f"{symbol:<12}", None), (f"rise {share(vote.get('p')):>6}", BOLD),
                            (f"  pull {number(vote.get('pull'), 4, signed=True)}", None),
                            (f"  {decision.get('id')}", DIM),
                        )
                    )  # fmt: skip
        if len(lines) == 1:
            lines.append(line("none", DIM))
        lines += [line(""), title("LIFE", "the newest first")]
        own = [event for event in seen.logs["ev"] if event.get("who") == self.agent_id]
        lines += [event_line(event) for event in reversed(own)]
        if not own:
            lines.append(line("nothing has happened to it", DIM))
        return lines
