"""The parts of the page below its masthead, in order, and those about what the run was worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from mirrorcore.report.bootstrap import LEVEL
from mirrorcore.report.catalogue import HEADLINES, METRICS, NOTE_DAYS, Group
from mirrorcore.report.evaluation import Evaluation, Measure
from mirrorcore.report.formatting import (
    duration,
    instant,
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
from mirrorcore.report.page_agents import agents_section
from mirrorcore.report.page_record import (
    cash_section,
    identity_section,
    intake_section,
    limits_section,
)
from mirrorcore.report.page_swarm import attribution_section, swarm_section
from mirrorcore.report.page_trades import trades_section
from mirrorcore.report.results import RunResults

_GROUPS: tuple[tuple[Group, str], ...] = (
    ("return", "Return"),
    ("risk", "Risk"),
    ("trades", "Trades"),
    ("exposure", "Exposure and costs"),
    ("market", "Against the market"),
)


def sections(results: RunResults, found: Evaluation, hidden_voters: int) -> Iterable[Markup]:
    """The parts below the masthead, in order."""
    curves = (
        _chart("run-figure", "Curves of the run")
        if len(results.ts)
        else note("No tick was recorded, so there is nothing to draw.")
    )
    yield section("curves", "Equity, drawdown, exposure, mind", curves)
    yield _headline_section(found)
    yield _months_section(found)
    yield _drawdown_section(results, found)
    yield _figures_section(results, found)
    yield swarm_section(found)
    yield trades_section(results)
    yield attribution_section(results)
    yield agents_section(results, hidden_voters)
    if results.cash:
        yield cash_section(results)
    yield limits_section(results)
    yield intake_section(results)
    yield identity_section(results)
    yield _definitions_section(results, found)


def foot(results: RunResults) -> Markup:
    return element(
        "footer",
        f"MirrorCore-X {results.identity.code_version} · fingerprint ",
        element("code", results.identity.fingerprint),
        " · every figure is computed from this run's ledger and bus; definitions at the end",
    )


def _chart(identifier: str, label: str) -> Markup:
    blank = element("noscript", note("The charts need JavaScript; every figure below does not."))
    return element("div", blank, id=identifier, class_="chart", role="img", aria_label=label)


def _headline_section(found: Evaluation) -> Markup:
    rows = [
        (
            Cell(_link(name)),
            Cell(_value(name, found.measures[name])),
            interval_text(name, found.interval(name)),
            _beside(name, found.shadow),
            _beside(name, found.market),
        )
        for name in HEADLINES
    ]
    made = found.bootstrap
    how = (
        f"Interval: central {LEVEL:.0%} of {made.resamples:,} stationary block bootstraps of "
        f"{made.days} whole days, mean block {made.block_days:.1f} days, seed {made.seed}. "
        "Politis & Romano 1994, block length by Patton, Politis & White 2009."
        if not made.reason
        else f"No intervals: {made.reason}."
    )
    columns = (
        Column("Figure"),
        Column("Run", number=True),
        Column("95 % interval", number=True),
        Column("Ungated shadow", number=True, hint="the same targets without the mind's gates"),
        Column("Buy & hold", number=True, hint=METRICS["benchmark_return"].definition),
    )
    return section("headlines", "Headlines", table(columns, rows, style="brief"), note(how))


def _beside(name: str, measures: Mapping[str, Measure]) -> Cell:
    return Cell(_value(name, measures.get(name, Measure(None, "was not recorded"))))


def _value(name: str, measure: Measure, places: int = 2) -> Markup:
    if measure.value is None:
        return absent(measure.reason)
    return escaped(value_text(name, measure.value, places))


def _link(name: str) -> Markup:
    metric = METRICS[name]
    return element("a", metric.label, href=f"#def-{name}", title=metric.formula)


def _months_section(found: Evaluation) -> Markup:
    years: dict[str, dict[str, float]] = defaultdict(dict)
    for month, value in found.months:
        years[month[:4]][month[5:]] = value
    names = [f"{number:02d}" for number in range(1, 13)]
    heads = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows: list[tuple[str | Cell, ...]] = []
    for year, months in years.items():
        whole = 1.0
        for value in months.values():
            whole *= 1.0 + value
        cells = [_month(months.get(name)) for name in names]
        rows.append((year, *cells, signed(percent(whole - 1.0, signed=True), whole - 1.0)))
    columns = (
        Column("Year"),
        *(Column(head, number=True) for head in heads),
        Column("Year's", number=True),
    )
    return section(
        "months",
        "Months",
        table(columns, rows, style="months") if rows else note("No tick was recorded."),
        note("Return of equity within each calendar month, UTC; first and last may be parts."),
    )


def _month(value: float | None) -> Cell:
    if value is None:
        return Cell("")
    strength = min(4, 1 + int(abs(value) / 0.02)) if value else 0
    tone = f"up{strength}" if value > 0 else f"down{strength}" if value < 0 else ""
    return Cell(f"{100 * value:+.2f}", value, tone)


def _drawdown_section(results: RunResults, found: Evaluation) -> Markup:
    places = money_places(results.initial_equity)
    columns = (
        Column("Depth", number=True),
        Column(f"Amount, {results.currency}", number=True),
        Column("Peak"),
        Column("Trough"),
        Column("Recovered"),
        Column("Fall", number=True),
        Column("Recovery", number=True),
    )
    rows = [
        (
            percent(d.depth),
            money(d.amount, places),
            instant(d.peak),
            instant(d.trough),
            "not yet" if d.recovered is None else instant(d.recovered),
            duration(d.fall),
            "–" if d.recovery is None else duration(d.recovery),
        )
        for d in found.drawdowns
    ]
    built = table(columns, rows, style="brief") if rows else note("Equity never fell below a peak.")
    return section("drawdowns", "Deepest drawdowns", built)


def _figures_section(results: RunResults, found: Evaluation) -> Markup:
    blocks = []
    for group, title in _GROUPS:
        pairs = [
            (name, METRICS[name])
            for name in found.measures
            if METRICS[name].group == group and name not in HEADLINES
        ]
        rows = definitions(
            (metric.label, _with_unit(name, found.measures[name], results))
            for name, metric in pairs
        )
        blocks.append(element("div", element("h3", title), rows, class_="block"))
    return section("figures", "All other figures", element("div", *blocks, class_="blocks"))


def _with_unit(name: str, measure: Measure, results: RunResults) -> Markup:
    if measure.value is None:
        return joined((absent(measure.reason), element("small", measure.reason)))
    unit = f" {results.currency}" if METRICS[name].unit == "money" else ""
    places = money_places(results.initial_equity)
    return escaped(value_text(name, measure.value, places) + unit)


def _definitions_section(results: RunResults, found: Evaluation) -> Markup:
    places = money_places(results.initial_equity)
    columns = (Column("Figure"), Column("Value", number=True), Column("Formula"), Column("Meaning"))
    rows = [
        (
            Cell(element("span", metric.label, id=f"def-{name}")),
            Cell(_value(name, found.measures[name], places)),
            Cell(element("code", metric.formula)),
            _meaning(metric.definition, found.measures[name]),
        )
        for name, metric in METRICS.items()
    ]
    return section(
        "definitions",
        "Definitions",
        note(f"{NOTE_DAYS} Money in {results.currency}; instants in UTC."),
        table(columns, rows, style="definitions"),
    )


def _meaning(definition: str, measure: Measure) -> str:
    if measure.value is not None:
        return definition
    return f"{definition} Here not available: {measure.reason}."
