"""The page's parts about the swarm itself: whose the result was, and the guide's five groups."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorcore.report.attribution import Attribution
from mirrorcore.report.catalogue import METRICS
from mirrorcore.report.catalogue_swarm import PROFITABILITY, SWARM_GROUPS
from mirrorcore.report.evaluation import Evaluation
from mirrorcore.report.formatting import (
    interval_text,
    money,
    money_places,
    percent,
    value_text,
)
from mirrorcore.report.markup import (
    Cell,
    Column,
    Markup,
    absent,
    definitions,
    element,
    escaped,
    joined,
    note,
    section,
    signed,
    table,
)
from mirrorcore.report.results import RunResults


def swarm_section(found: Evaluation) -> Markup:
    """The guide's five groups of success, each figure measured or absent with its reason."""
    groups = [
        (title, [name for name, metric in METRICS.items() if metric.group == group])
        for group, title in SWARM_GROUPS
    ]
    groups.insert(3, ("Profitability", list(PROFITABILITY)))
    blocks = [
        element(
            "div",
            element("h3", title),
            definitions((METRICS[name].label, _shown(name, found)) for name in names),
            class_="block",
        )
        for title, names in groups
    ]
    return section("swarm", "The swarm", element("div", *blocks, class_="blocks"))


def _shown(name: str, found: Evaluation) -> Markup:
    measure = found.measures[name]
    if measure.value is None:
        return joined((absent(measure.reason), element("small", measure.reason)))
    spread = found.interval(name)
    text = escaped(value_text(name, measure.value, 2))
    if spread is None:
        return text
    return joined((text, element("small", f"95 %: {interval_text(name, spread)}")))


def attribution_section(results: RunResults) -> Markup:
    """Whose the result was: by pull in every run, by replay where somebody asked for it."""
    shared = results.attribution
    desk = results.swarm.desk
    if desk is None and shared is None:
        why = "Oracle and allocator of this run do not say who pulled on the targets."
        return section("attribution", "Whose result it was", note(why))
    columns = [
        Column("Agent"),
        Column(f"By its pull, {results.currency}", number=True, hint=_PULL),
        Column("of equity", number=True),
    ]
    if shared is not None:
        columns += [
            Column(f"Shapley, {results.currency}", number=True, hint=_SHAPLEY),
            Column("± error", number=True, hint="standard error; none where all were replayed"),
            Column("of equity", number=True),
            Column("Left out alone", number=True, hint="how the result changes without it"),
        ]
    built = table(columns, _rows(results, shared), style="brief")
    parts = [built, note(_PULL_NOTE)]
    if shared is None:
        parts.append(
            note(f"For Shapley values by replay: mirrorcore attribution {results.identity.run_id}")
        )
    else:
        parts += [note(_how(shared)), *map(note, shared.notes)]
    return section("attribution", "Whose result it was", *parts)


def _rows(results: RunResults, shared: Attribution | None) -> Iterator[list[str | Cell]]:
    named = {agent.id: agent.contribution for agent in results.agents if agent.votes}
    for share in shared.agents if shared is not None else ():
        named.setdefault(share.id, None)
    for name, pulled in sorted(named.items(), key=lambda item: (-(item[1] or 0.0), item[0])):
        yield [Cell(element("strong", name)), *_pair(results, pulled), *_share(results, name)]
    dash, blank = _amount(results, None), Cell("")
    whole = float(results.equity[-1]) - results.initial_equity if len(results.equity) else 0.0
    replayed = [dash, blank, blank, blank] if shared is not None else []
    yield ["Desk", *_pair(results, results.swarm.desk), *replayed]
    if shared is not None:
        empty = [_amount(results, shared.empty), blank, *_relative(results, shared.empty), blank]
        yield ["Run without all of them", dash, blank, *empty]
        replayed = [_amount(results, whole), blank, *_relative(results, whole), blank]
    yield [Cell(element("strong", "Run")), *_pair(results, whole), *replayed]


def _share(results: RunResults, name: str) -> list[str | Cell]:
    shared = results.attribution
    if shared is None:
        return []
    share = shared.of(name)
    if share is None:
        missing = Cell(absent("it was not in question"))
        return [missing, Cell(""), missing, missing]
    places = money_places(results.initial_equity)
    return [
        _amount(results, share.shapley),
        Cell("") if share.error is None else Cell(money(share.error, places), share.error),
        *_relative(results, share.shapley),
        _amount(results, 0.0 - share.left_out),
    ]


def _pair(results: RunResults, value: float | None) -> list[str | Cell]:
    return [_amount(results, value), *_relative(results, value)]


def _amount(results: RunResults, value: float | None) -> Cell:
    if value is None:
        return Cell(element("span", "–", title="pulls on no target", class_="absent"))
    places = money_places(results.initial_equity)
    return signed(money(value, places, signed=True), value)


def _relative(results: RunResults, value: float | None) -> list[Cell]:
    if value is None:
        return [Cell("")]
    return [signed(percent(value / results.initial_equity, signed=True), value)]


def _how(shared: Attribution) -> str:
    if shared.method == "exact":
        return f"Shapley values (1953) from replays of all {len(shared.coalitions)} coalitions."
    return (
        f"Shapley values (1953) from {shared.orders} orders, drawn in antithetic pairs with seed "
        f"{shared.seed}: {len(shared.coalitions)} coalitions replayed. They add up exactly all "
        "the same."
    )


_PULL = "what the market did to its part of the target: pull × weight of a unit of edge × gate"
_SHAPLEY = "what it adds to those who are there already, averaged over all orders of arrival"
_PULL_NOTE = (
    "By pull: what each vote asked the book to hold, and the market then did to it, before costs. "
    "The desk is what is left of the run's result: clips, caps, no-trade band, limits, fills at "
    "another price, fees and slippage."
)
