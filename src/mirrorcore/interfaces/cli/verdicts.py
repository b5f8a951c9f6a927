"""What the validator said of a file, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorcore.interfaces.cli.answer import say

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.checked import Checked
    from mirrorcore.market.intake import IntakeReport, Sample

UNUSABLE = 4
"""The exit code of data that is too bad to trade on, as of :class:`DataError`."""

_SAID_ALREADY = ("source", "symbol", "ts_event", "ts_recv", "ts_avail", "bids", "asks")
"""Fields of a record that a line has no room for, or that it says otherwise."""


def counts(report: IntakeReport) -> dict[str, int]:
    """How often each case was met, over all sources, in order of the cases' names."""
    found: dict[str, int] = {}
    for _, case, times in report.rows():
        found[case.name] = found.get(case.name, 0) + times
    return dict(sorted(found.items()))


def described(one: Checked) -> dict[str, Any]:
    """A verdict as a document."""
    return {
        "path": one.path,
        "kind": one.kind,
        "records": one.records,
        "rejected_share": one.report.rejected_share(),
        "cases": counts(one.report),
        "samples": [sampled(sample) for sample in one.report.quarantine],
        "notes": one.notes,
        "usable": one.usable,
        "problem": one.problem or None,
        "hint": one.hint or None,
    }


def sampled(sample: Sample) -> dict[str, Any]:
    """One record of the quarantine as a document."""
    from mirrorcore.clock import iso

    return {
        "case": sample.case.name,
        "symbol": sample.symbol or None,
        "row": sample.counted_row,
        "time": iso(sample.ts_event) if sample.ts_event > 0 else None,
        "values": {key: _plain(value) for key, value in sample.values.items()},
        "detail": sample.detail or None,
    }


def _plain(value: object) -> object:
    """A value as JSON can hold it: what was wrong with it may be that it cannot."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN
        return value
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def verdict_line(one: Checked, out: Console) -> None:
    """A file in two or three lines."""
    if not one.usable:
        say(out, f"  unusable: {one.problem}", "red")
        if one.hint:
            say(out, f"    → {one.hint}")
        return
    found = ", ".join(f"{times:,} {case}" for case, times in counts(one.report).items())
    say(out, f"  {one.kind}: {one.records:,} records; {found or 'nothing to remark'}")
    for note in one.notes:
        say(out, f"  {note}", "dim")


def case_table(one: Checked, out: Console, *, samples: int) -> None:
    """The cases of a file with what is done about each, and the first records that showed them."""
    from rich.table import Table
    from rich.text import Text

    if not one.report.counts:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim")
    for head, number in (("case", False), ("times", True), ("done", False), ("means", False)):
        table.add_column(head, justify="right" if number else "left")
    seen: dict[str, tuple[int, str, str]] = {}
    for _, case, times in one.report.rows():
        before = seen.get(case.name, (0, "", ""))[0]
        seen[case.name] = (before + times, case.action.value, case.description)
    for name, (times, action, meaning) in sorted(seen.items()):
        table.add_row(Text(name), f"{times:,}", action, Text(meaning))
    out.print(table)
    if samples and any(sample.row is not None for sample in one.report.quarantine):
        say(out, "    for example (the first row below a header is row 1)", "dim")
    told: dict[str, int] = {}
    for sample in one.report.quarantine:
        told[sample.case.name] = told.get(sample.case.name, 0) + 1
        if told[sample.case.name] <= samples:
            say(out, f"    {_sample_text(sample)}", "dim")


def _sample_text(sample: Sample) -> str:
    from mirrorcore.clock import iso

    row = "" if sample.row is None else f" row {sample.counted_row}"
    time = f" at {iso(sample.ts_event)}" if sample.ts_event > 0 else ""
    told = [(key, value) for key, value in sample.values.items() if key not in _SAID_ALREADY]
    values = {key: _plain(value) for key, value in told[:6]}
    detail = f" ({sample.detail})" if sample.detail else ""
    return f"{sample.case.name}{row}{time}: {values}{detail}"
