"""The screen's tables of agents: what each voter was worth, and whoever had trouble."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mirrorcore.report.formatting import (
    ABSENT,
    correlation,
    count,
    money,
    money_places,
    percent,
    ratio,
)
from mirrorcore.report.results import AgentRecord, RunResults
from mirrorcore.report.swarm_metrics import NORMAL_95

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MOST_AGENTS = 24
_WIDE = 96
_SOUND = 0.8


class ScreenAgents:
    """Two tables. ``text`` makes what may be printed of a text, in a style."""

    def __init__(
        self, results: RunResults, console: Console, text: Callable[[str, str], Text]
    ) -> None:
        self.results = results
        self.console = console
        self.make = text
        self.places = money_places(results.initial_equity)

    def show(self) -> None:
        ordered = sorted(self.results.agents, key=_interest)
        voters = [agent for agent in ordered if agent.votes][:MOST_AGENTS]
        if voters:
            self.console.print()
            self.console.print(self._voters(voters))
            self._explain()
        troubled = [agent for agent in ordered if agent.failures or _troubled(agent)]
        if troubled:
            self.console.print()
            self.console.print(self._lives(troubled[:MOST_AGENTS]))
        hidden = len(troubled[MOST_AGENTS:])
        if hidden:
            self._say(f"{hidden} more agents with failures")
        for agent in troubled[:MOST_AGENTS]:
            if agent.last_error:
                self.console.print(
                    self.make(f"{agent.id} failed last with: ", "red")
                    + self.make(agent.last_error, "")
                )
        sound = [agent.id for agent in ordered if agent not in troubled and not agent.votes]
        if sound:
            more = f" and {len(sound) - MOST_AGENTS} more" if len(sound) > MOST_AGENTS else ""
            self._say(f"No failure of {', '.join(sound[:MOST_AGENTS])}{more}")

    def _say(self, text: str) -> None:
        self.console.print(self.make(text, "dim"))

    def _table(self, *columns: tuple[str, bool]) -> Table:
        """A table whose numbers are never cut; names give way where the terminal is narrow."""
        from rich.table import Table

        gap = 2 if self.console.width >= _WIDE else 1
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
        for head, number in columns:
            table.add_column(
                self.make(head, ""), justify="right" if number else "left", no_wrap=number
            )
        return table

    def _name(self, text: str, style: str = "") -> Text:
        shown = self.make(text, style)
        shown.no_wrap, shown.overflow = True, "ellipsis"
        return shown

    # -- voters

    def _voters(self, voters: list[AgentRecord]) -> Table:
        shared = self.results.attribution is not None
        heads = [
            ("voter", False), ("earned", True), *([("Shapley", True)] if shared else []),
            ("alone", True), ("hit %", True), ("IC", True), ("slope", True), ("weight", True),
        ]  # fmt: skip
        table = self._table(*heads)
        for agent in voters:
            table.add_row(
                self._name(agent.id, "bold"),
                self._money(agent.contribution),
                *([self._money(self._shapley(agent))] if shared else []),
                self._signed(agent.shadow_pnl_net, percent),
                self.make(_hit(agent), ""),
                self.make(_correlation(agent), ""),
                self.make(_slope(agent), ""),
                self.make(_weight(agent), ""),
            )
        desk = self.results.swarm.desk
        if desk is not None:
            blanks = [""] * (len(heads) - 2)
            table.add_row(self._name("desk", "dim"), self._money(desk), *blanks)
            total = sum(agent.contribution or 0.0 for agent in self.results.agents) + desk
            table.add_row(self._name("run", "dim"), self._money(total), *blanks)
        return table

    def _explain(self) -> None:
        self._say(
            "earned: by its pull on the book, desk: the rest; alone: its paper book; "
            "±: half a 95 % interval over days; slope: 1 is calibrated"
        )
        found = self.results.attribution
        if found is not None:
            how = f"{found.orders} orders" if found.method == "sampled" else "all coalitions"
            self._say(
                f"Shapley: share of {money(found.whole - found.empty, self.places, signed=True)} "
                f"by replay without agents, {how}."
            )

    def _shapley(self, agent: AgentRecord) -> float | None:
        found = self.results.attribution
        share = None if found is None else found.of(agent.id)
        return None if share is None else share.shapley

    def _money(self, value: float | None) -> Text:
        return self._signed(value, lambda amount, signed: money(amount, self.places, signed=signed))

    def _signed(self, value: float | None, form: Callable[..., str]) -> Text:
        if value is None:
            return self.make(ABSENT, "dim")
        style = ("green" if value > 0 else "red") if value else ""
        return self.make(form(value, signed=True), style)

    # -- whoever had trouble

    def _lives(self, agents: list[AgentRecord]) -> Table:
        table = self._table(
            ("agent", False), ("state", False), ("health", True), ("calls", True),
            ("fails", True), ("restarts", True),
        )  # fmt: skip
        for agent in agents:
            table.add_row(
                self._name(agent.id, "bold" if agent.votes else ""),
                self._name(agent.state, _health_style(agent.health)),
                self.make(ratio(agent.health), _health_style(agent.health)),
                self.make(count(agent.calls), ""),
                self.make(count(agent.failures), "red" if agent.failures else ""),
                self.make(count(agent.restarts), "red" if agent.restarts else ""),
            )
        return table


def _interest(agent: AgentRecord) -> tuple[bool, bool, float, str]:
    """Voters by what they earned on their own, then those that failed, then the rest."""
    earned = agent.shadow_pnl_net if agent.shadow_pnl_net is not None else 0.0
    return (not agent.votes, not agent.failures, -earned, agent.id)


def _troubled(agent: AgentRecord) -> bool:
    """Whether something is to be said of an agent beside what it is worth."""
    return agent.health < _SOUND or bool(agent.restarts) or agent.state != "running"


def _health_style(health: float) -> str:
    if health >= _SOUND:
        return "green"
    return "yellow" if health >= 0.4 else "red"


def _hit(agent: AgentRecord) -> str:
    if agent.hit_rate is None:
        return ABSENT
    error = agent.skill.hit_error if agent.skill else None
    spread = "" if error is None else f"±{100 * NORMAL_95 * error:.1f}"
    return f"{100 * agent.hit_rate:.1f}{spread}"


def _correlation(agent: AgentRecord) -> str:
    skill = agent.skill
    if skill is None or skill.ic is None:
        return ABSENT
    spread = "" if skill.ic_error is None else f"±{NORMAL_95 * skill.ic_error:.3f}"
    return correlation(skill.ic) + spread


def _slope(agent: AgentRecord) -> str:
    return ABSENT if agent.skill is None or agent.skill.slope is None else ratio(agent.skill.slope)


def _weight(agent: AgentRecord) -> str:
    return ABSENT if agent.last_weight is None else f"{agent.last_weight:.3f}"
