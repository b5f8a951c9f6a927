"""The page's part about the agents: what each was worth, its failures, how it was trusted."""

from __future__ import annotations

from collections.abc import Callable

from mirrorcore.report.charts import MOST_VOTERS
from mirrorcore.report.formatting import correlation, count, percent, ratio
from mirrorcore.report.markup import (
    Cell,
    Column,
    Markup,
    absent,
    element,
    note,
    section,
    signed,
    table,
)
from mirrorcore.report.results import AgentRecord, RunResults
from mirrorcore.report.swarm_metrics import NORMAL_95
from mirrorcore.report.swarm_records import Skill

_COIN = 0.25
"""Brier score of saying one half each time."""

_COLUMNS = (
    Column("Agent"),
    Column("Kind"),
    Column("State"),
    Column("Health", number=True, hint="0 to 1: success, latency, backlog, breaker, restarts"),
    Column("Calls", number=True),
    Column("Failures", number=True),
    Column("Isolated", number=True, hint="times its breaker opened"),
    Column("Restarts", number=True),
    Column("Shadow gross", number=True, hint="sum of its paper returns before costs"),
    Column("Shadow net", number=True, hint="sum of its paper returns after costs"),
    Column("Hit rate", number=True, hint="share of its forecasts whose direction came true"),
    Column("± hit", number=True, hint="half its 95 % interval, days taken as independent"),
    Column("Forecasts", number=True),
    Column("IC", number=True, hint="correlation of its log-odds with what followed"),
    Column("± IC", number=True, hint="half its 95 % interval, days taken as independent"),
    Column("Slope", number=True, hint="1 is calibrated, below 1 overconfident, below 0 contrary"),
    Column("Brier skill", number=True, hint="1 − Brier/0.25: better than saying ½ each time"),
    Column("Mean weight", number=True, hint="in the fusion, over the run"),
    Column("Last weight", number=True, hint="in the fusion, at the end"),
)


def agents_section(results: RunResults, hidden_voters: int) -> Markup:
    """Table of all agents, last errors, and the weights of the voters over time."""
    if not results.agents:
        return section("agents", "Agents", note("No agent took part."))
    ordered = sorted(results.agents, key=lambda a: (not a.votes, a.id))
    parts = [table(_COLUMNS, map(_row, ordered), sortable=True, style="agents")]
    failed = [agent for agent in ordered if agent.last_error]
    if failed:
        columns = (Column("Agent"), Column("Last error"))
        rows = [(agent.id, Cell(element("code", agent.last_error))) for agent in failed]
        parts += [element("h3", "Last errors"), table(columns, rows)]
    if results.weights is not None and len(results.weights.ts) and results.weights.names:
        parts += [
            element("h3", "Weight of each voter"),
            element(
                "div", id="weights-figure", class_="chart", role="img", aria_label="Voter weights"
            ),
        ]
        if hidden_voters:
            parts.append(
                note(f"The {MOST_VOTERS} heaviest voters; {hidden_voters} lighter ones not shown.")
            )
    return section("agents", "Agents", *parts)


def _row(agent: AgentRecord) -> tuple[str | Cell, ...]:
    return (
        Cell(element("strong", agent.id) if agent.votes else agent.id),
        agent.kind,
        Cell(element("span", agent.state, class_=f"chip {_tone(agent)}")),
        Cell(_health(agent.health), agent.health),
        _tally(agent.calls),
        _tally(agent.failures, alarming=True),
        _tally(agent.isolations, alarming=True),
        _tally(agent.restarts, alarming=True),
        _fraction(agent, agent.shadow_pnl_gross),
        _fraction(agent, agent.shadow_pnl_net),
        Cell(_missing(agent))
        if agent.hit_rate is None
        else Cell(percent(agent.hit_rate), agent.hit_rate),
        _skill(agent, _hit_spread, percent),
        _tally(agent.forecasts) if agent.votes else Cell(_missing(agent)),
        _skill(agent, lambda skill: skill.ic, correlation),
        _skill(agent, _ic_spread, lambda value: f"{value:.3f}"),
        _skill(agent, lambda skill: skill.slope, ratio),
        _skill(agent, _brier_skill, lambda value: percent(value, signed=True)),
        _weight(agent, agent.mean_weight),
        _weight(agent, agent.last_weight),
    )


def _tone(agent: AgentRecord) -> str:
    if agent.health >= 0.8:
        return "good"
    return "fair" if agent.health >= 0.4 else "bad"


def _health(health: float) -> Markup:
    filled = min(1.0, max(0.0, health))
    bar = element("i", Markup(f'<i style="width:{100 * filled:.0f}%"></i>'), class_="meter")
    return element("span", bar, ratio(health), class_="health")


def _tally(number: int, *, alarming: bool = False) -> Cell:
    return Cell(count(number), float(number), "alarm" if alarming and number else "")


def _fraction(agent: AgentRecord, value: float | None) -> Cell:
    if value is None:
        return Cell(_missing(agent))
    return signed(percent(value, signed=True), value)


def _weight(agent: AgentRecord, value: float | None) -> Cell:
    return Cell(_missing(agent)) if value is None else Cell(f"{value:.3f}", value)


def _skill(
    agent: AgentRecord, pick: Callable[[Skill], float | None], form: Callable[[float], str]
) -> Cell:
    value = None if agent.skill is None else pick(agent.skill)
    return Cell(_missing(agent)) if value is None else Cell(form(value), value)


def _hit_spread(skill: Skill) -> float | None:
    return None if skill.hit_error is None else NORMAL_95 * skill.hit_error


def _ic_spread(skill: Skill) -> float | None:
    return None if skill.ic_error is None else NORMAL_95 * skill.ic_error


def _brier_skill(skill: Skill) -> float | None:
    return None if skill.brier is None else 1.0 - skill.brier / _COIN


def _missing(agent: AgentRecord) -> Markup:
    if agent.votes:
        return absent("not recorded in this run")
    return element("span", "–", title="does not vote", class_="absent")
