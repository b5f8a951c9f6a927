"""The page's top: which run it is, the verdict, the headlines and the warnings."""

from __future__ import annotations

from mirrorcore.clock import format_duration
from mirrorcore.report import verdict
from mirrorcore.report.bootstrap import Interval
from mirrorcore.report.catalogue import METRICS
from mirrorcore.report.evaluation import Evaluation
from mirrorcore.report.formatting import (
    duration,
    instant,
    interval_text,
    measure_text,
    money,
    money_places,
)
from mirrorcore.report.markup import Markup, absent, element, escaped, joined
from mirrorcore.report.results import RunResults

_CARDS = ("total_return", "sharpe", "sortino", "calmar", "volatility", "max_drawdown")


def masthead(results: RunResults, found: Evaluation) -> Markup:
    """Who the run is, the verdict and the headlines: what ten seconds are enough for."""
    run = results.identity
    facts = (
        run.data,
        f"{len(run.symbols)} symbol{'s' if len(run.symbols) != 1 else ''}, "
        f"{format_duration(run.bar_ns)} bars",
        f"{instant(run.period_start)} to {instant(run.period_end)} UTC",
        f"{duration(run.period_end - run.period_start)}",
    )
    places = money_places(results.initial_equity)
    end = float(results.equity[-1]) if len(results.equity) else results.initial_equity
    return element(
        "header",
        element(
            "div",
            element("h1", "Run ", element("code", run.run_id)),
            element("span", run.mode, class_="chip"),
            element("span", run.status, class_=f"chip {_status_style(run.status)}"),
            class_="title",
        ),
        element("p", " · ".join(facts), class_="facts"),
        element(
            "p",
            element("strong", money(results.initial_equity, places)),
            " → ",
            element("strong", money(end, places)),
            f" {results.currency}",
            class_="balance",
        ),
        element(
            "div",
            element("strong", found.verdict.headline),
            element("span", "; ".join(found.verdict.reasons)),
            _checks(found),
            element("details", element("summary", "the rule"), element("p", verdict.RULE)),
            class_=f"verdict {found.verdict.evidence}",
        ),
        element("div", *(_card(name, found) for name in _CARDS), class_="cards"),
        _warnings(results),
    )


def _checks(found: Evaluation) -> Markup:
    """What 'mirrorcore evaluate' found, a line each; nothing where it was not run."""
    if not found.checks:
        return Markup("")
    lines = (
        element(
            "li",
            f"{check.label}: ",
            element("strong", check.outcome),
            f", {check.shown}; needs {check.bar}. {check.guards}",
        )
        for check in found.checks
    )
    return element("ul", *lines)


def _status_style(status: str) -> str:
    return "good" if status == "finished" else "bad"


def _card(name: str, found: Evaluation) -> Markup:
    metric, value = METRICS[name], found.measures[name]
    interval = found.interval(name)
    market = found.market.get(name)
    shown: Markup = (
        absent(value.reason) if value.value is None else escaped(measure_text(name, value))
    )
    below = (
        joined((_interval_bar(value.value, interval), escaped(interval_text(name, interval))))
        if interval is not None and value.value is not None
        else escaped(value.reason or found.bootstrap.reason)
    )
    return element(
        "a",
        element("span", metric.label, class_="label"),
        element("span", shown, class_=f"value {_tone(name, value.value)}".strip()),
        element("span", below, class_="interval"),
        element("span", f"buy & hold {measure_text(name, market)}", class_="beside"),
        class_="card",
        href=f"#def-{name}",
        title=f"{metric.formula}. {metric.definition}",
    )


def _tone(name: str, value: float | None) -> str:
    if value is None or name in ("volatility", "max_drawdown"):
        return ""
    return "gain" if value > 0 else "loss" if value < 0 else ""


def _interval_bar(value: float, interval: Interval) -> Markup:
    """A line from low to high with the value on it and a tick at 0, all on one scale."""
    least, most = min(interval.low, value, 0.0), max(interval.high, value, 0.0)
    span = (most - least) or 1.0

    def at(figure: float) -> str:
        return f"{2 + 96 * (figure - least) / span:.2f}"

    return element(
        "svg",
        Markup(f'<line x1="{at(0.0)}" x2="{at(0.0)}" y1="0" y2="10" class="zero"></line>'),
        Markup(
            f'<line x1="{at(interval.low)}" x2="{at(interval.high)}" y1="5" y2="5" class="span">'
            "</line>"
        ),
        # A dot that stays round however wide the card is: a line of no length with round ends.
        Markup(f'<line x1="{at(value)}" x2="{at(value)}" y1="5" y2="5" class="point"></line>'),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _warnings(results: RunResults) -> Markup:
    bad = []
    if results.accounting_residual != 0:
        bad.append(f"the books do not balance: residual {results.accounting_residual}")
    items = [*bad, *results.warnings]
    if not items:
        return Markup("")
    return element(
        "div",
        element("strong", f"{len(items)} warning{'s' if len(items) > 1 else ''}"),
        element("ul", *(element("li", text) for text in items)),
        class_="warnings",
    )
