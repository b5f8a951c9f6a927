"""The page's records: limits that bit, data intake, and what the run was made of."""

from __future__ import annotations

from mirrorcore.clock import format_duration, iso
from mirrorcore.report.formatting import count, instant, money, money_places, quantity
from mirrorcore.report.markup import (
    Cell,
    Column,
    Markup,
    definitions,
    element,
    note,
    section,
    table,
)
from mirrorcore.report.results import RunResults

_TRANSLATION = "what the rate did to results since the trades ended"


def limits_section(results: RunResults) -> Markup:
    if not results.limits:
        return section("limits", "Limits that bit", note("No limit cut or vetoed anything."))
    columns = (
        Column("Limit"),
        Column("Symbol"),
        Column("Times", number=True),
        Column("First"),
        Column("Last"),
        Column("Asked", number=True, hint="of the largest cut"),
        Column("Allowed", number=True, hint="of the largest cut"),
    )
    rows = [
        (
            hit.limit,
            hit.symbol or "whole book",
            Cell(count(hit.hits), float(hit.hits)),
            instant(hit.first_ts),
            instant(hit.last_ts),
            quantity(hit.asked),
            quantity(hit.allowed),
        )
        for hit in sorted(results.limits, key=lambda hit: (-hit.hits, hit.limit, hit.symbol))
    ]
    return section("limits", "Limits that bit", table(columns, rows, sortable=True))


def intake_section(results: RunResults) -> Markup:
    if not results.intake:
        return section("intake", "Data intake", note("Every record passed without a remark."))
    columns = (Column("Source"), Column("Case"), Column("Action"), Column("Records", number=True))
    rows = [
        (met.source, met.case, met.action, Cell(count(met.count), float(met.count)))
        for met in sorted(results.intake, key=lambda v: (-v.count, v.source, v.case))
    ]
    return section("intake", "Data intake", table(columns, rows, sortable=True))


def cash_section(results: RunResults) -> Markup:
    """The account by currency, for one that has several."""
    places = money_places(results.initial_equity)
    columns = (
        Column("Currency"),
        Column("Cash", number=True, hint="below 0 is borrowed"),
        Column("Positions", number=True, hint="at the mark"),
        Column("Results", number=True, hint="of all trades, after fees"),
        Column("Fees", number=True),
        Column("Rate", number=True, hint=f"in {results.currency}"),
        Column(f"Worth, {results.currency}", number=True),
        Column(f"Translation, {results.currency}", number=True, hint=_TRANSLATION),
    )
    rows = [
        (
            row.currency,
            *(
                money(getattr(row, name), places)
                for name in ("cash", "positions", "results", "fees")
            ),
            quantity(row.rate),
            money(row.worth, places),
            money(row.translation, places),
        )
        for row in results.cash
    ]
    return section("cash", "Cash by currency", table(columns, rows))


def identity_section(results: RunResults) -> Markup:
    run = results.identity
    rate = f"{run.symbol_bars / run.cpu_s:,.0f} per CPU s" if run.cpu_s > 0 else "no CPU time kept"
    blocks = (
        (
            "Run",
            (
                ("id", run.run_id),
                ("mode", run.mode),
                ("status", run.status),
                ("data", run.data),
                ("symbols", ", ".join(run.symbols)),
                ("bars", format_duration(run.bar_ns)),
                ("from", iso(run.period_start)),
                ("to", iso(run.period_end)),
                ("accounting residual", str(results.accounting_residual)),
            ),
        ),
        (
            "Made by",
            (
                ("code", run.code_version),
                ("config hash", run.config_hash),
                *((f"seed {name}", str(seed)) for name, seed in run.seeds.items()),
                *((f"input {name}", digest) for name, digest in run.input_digests.items()),
                ("processor", run.processor or "not recorded"),
                ("packages", ", ".join(f"{n} {v}" for n, v in run.package_versions.items())),
            ),
        ),
        ("Fingerprint", (("whole", run.fingerprint), *run.fingerprint_parts.items())),
        (
            "Cost of computing",
            (
                ("symbol bars", f"{count(run.symbol_bars)} ({rate})"),
                ("ticks", count(run.ticks)),
                ("CPU time", f"{run.cpu_s:,.1f} s"),
                ("wall time", f"{run.wall_s:,.1f} s"),
                ("peak memory", f"{run.peak_rss_mb:,.0f} MB"),
            ),
        ),
    )
    built = (
        element(
            "div",
            element("h3", title),
            definitions((name, element("code", value)) for name, value in pairs),
            class_="block wide",
        )
        for title, pairs in blocks
    )
    return section("identity", "Run identity", element("div", *built, class_="blocks"))
