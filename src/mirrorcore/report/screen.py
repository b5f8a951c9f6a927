"""The report as one screen of a terminal; the same words without colour where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mirrorcore.clock import format_duration
from mirrorcore.report.catalogue import HEADLINES, METRICS, NOTE_DAYS
from mirrorcore.report.catalogue_swarm import SWARM_GROUPS
from mirrorcore.report.evaluation import Evaluation, evaluate
from mirrorcore.report.formatting import (
    count,
    duration,
    instant,
    interval_text,
    measure_text,
    money,
    money_places,
    printable,
)
from mirrorcore.report.results import CashRecord, RunResults
from mirrorcore.report.screen_agents import ScreenAgents
from mirrorcore.report.verdict import SHORT_RULE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MOST_LINES = 4

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = str.maketrans(
    {
        "→": "->", "·": "|", "−": "-", "–": "-", "…": "...", "×": "x", "√": "sqrt ", "Σ": "sum ",
        "²": "^2", "≤": "<=", "Φ": "Phi", "γ": "g", "ρ": "rho", "β": "beta",
    }
)  # fmt: skip

_SHORT = {
    "throughput": "bars a CPU s",
    "tick_time": "tick",
    "peak_memory": "memory",
    "conflated": "deliveries merged",
    "uptime": "uptime",
    "recovery": "recovery",
    "error_rate": "errors",
    "restarts": "restarts",
    "collective": "Sharpe above the best voter",
    "opinions": "opinions",
    "fused_ic": "IC",
    "alarms": "alarms of lost skill",
    "alarms_heeded": "followed",
    "reaction": "reaction",
}
"""What the screen shows of the swarm, in fewer words than elsewhere."""

_VERDICT_STYLES = {"evidence": "green", "weak": "yellow", "none": "bold"}
_FIGURES = (
    ("trades", "win_rate", "profit_factor", "expectancy", "p_value"),
    ("exposure", "mean_gross", "turnover", "fees_paid", "slippage_paid"),
    ("alpha", "beta", "omega", "cvar_95", "ulcer"),
)


def render_screen(
    results: RunResults, console: Console, evaluation: Evaluation | None = None
) -> None:
    """Print the report of ``results`` on ``console``, in at most its width."""
    found = evaluation or evaluate(results)
    _Screen(results, found, console).show()


class _Screen:
    """One rendering: what is printed, in the characters that this console has."""

    def __init__(self, results: RunResults, found: Evaluation, console: Console) -> None:
        self.results = results
        self.found = found
        self.console = console
        self.places = money_places(results.initial_equity)
        self.ascii = console.options.ascii_only

    def show(self) -> None:
        self._top()
        self.console.print()
        self.console.print(self._headlines())
        self.console.print()
        self.console.print(self._figures())
        self._groups()
        if self.results.agents:
            ScreenAgents(self.results, self.console, self._text).show()
        self._remarks()
        self._identity()
        self._definitions()

    def _text(self, text: str, style: str = "") -> Text:
        """``text`` as it stands, never as markup, never steering the terminal."""
        from rich.text import Text

        shown = printable(text)
        if self.ascii:
            shown = shown.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return Text(shown, style=style)

    def _print(self, *parts: tuple[str, str] | str) -> None:
        from rich.text import Text

        line = Text()
        for part in parts:
            line.append_text(
                self._text(part) if isinstance(part, str) else self._text(part[0], part[1])
            )
        self.console.print(line, soft_wrap=False)

    def _top(self) -> None:
        results, run = self.results, self.results.identity
        symbols = f"{len(run.symbols)} symbol{'s' if len(run.symbols) != 1 else ''}"
        status = "green" if run.status == "finished" else "red"
        self._print(
            ("MirrorCore-X ", "bold"), f"· {run.mode} · run {run.run_id} · ", (run.status, status)
        )
        self._print(
            (
                f"{run.data} · {symbols}, {format_duration(run.bar_ns)} bars · "
                f"{instant(run.period_start)} to {instant(run.period_end)} UTC "
                f"({duration(run.period_end - run.period_start)})",
                "dim",
            )
        )
        end = float(results.equity[-1]) if len(results.equity) else results.initial_equity
        change = f"{money(results.initial_equity, self.places)} → {money(end, self.places)}"
        equity = f"Equity {change} {results.currency}  "
        line = sparkline(results, self.console.width - len(equity)) if not self.ascii else ""
        self._print((equity, "bold"), (line, "green" if end >= results.initial_equity else "red"))
        verdict = self.found.verdict
        self._print(
            (verdict.headline, _VERDICT_STYLES[verdict.evidence]),
            f": {'; '.join(verdict.reasons)}",
        )
        for check in self.found.checks:
            self._print(
                (f"  {check.label}: ", "dim"),
                (check.outcome, "" if check.passed else "yellow"),
                f", {check.shown}; needs {check.bar}",
            )

    def _table(self, *columns: tuple[str, bool], gap: int = 2) -> Table:
        """A table whose numbers are never cut; names give way where the terminal is narrow."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
        for head, number in columns:
            table.add_column(
                self._text(head), justify="right" if number else "left", no_wrap=number
            )
        return table

    def _headlines(self) -> Table:
        table = self._table(
            ("", False), ("run", True), ("95 % interval", True), ("ungated", True),
            ("buy & hold", True),
        )  # fmt: skip
        for name in HEADLINES:
            value = self.found.measures[name]
            interval = self.found.interval(name)
            spread = interval_text(name, interval)
            if interval is None and value.reason:
                spread = value.reason
            table.add_row(
                self._text(METRICS[name].label),
                self._text(measure_text(name, value), f"bold {_tone(name, value.value)}".strip()),
                self._text(spread, "dim"),
                self._text(measure_text(name, self.found.shadow.get(name))),
                self._text(measure_text(name, self.found.market.get(name))),
            )
        return table

    def _figures(self) -> Table:
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        for _ in _FIGURES:
            grid.add_column(style="dim", no_wrap=True)
            grid.add_column(justify="right", no_wrap=True)
        for row in zip(*_FIGURES, strict=True):
            cells = []
            for name in row:
                shown = measure_text(name, self.found.measures[name], self.places)
                cells += [self._text(METRICS[name].label), self._text(shown)]
            grid.add_row(*cells)
        return grid

    def _groups(self) -> None:
        """The guide's groups of success; its profitability are the headlines above."""
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column()
        for group, title in SWARM_GROUPS:
            parts = []
            for name in (n for n in _SHORT if METRICS[n].group == group):
                spread = self.found.swarm_intervals.get(name)
                shown = measure_text(name, self.found.measures[name], self.places)
                within = f" ({interval_text(name, spread)})" if spread else ""
                parts.append(f"{_SHORT[name]} {shown}{within}")
            grid.add_row(self._text(title), self._text(" · ".join(parts)))
        self.console.print()
        self.console.print(grid)

    def _remarks(self) -> None:
        results = self.results
        self.console.print()
        limits = [
            f"{hit.limit} {hit.symbol or 'whole book'} {count(hit.hits)}×"
            for hit in sorted(results.limits, key=lambda hit: (-hit.hits, hit.limit, hit.symbol))
        ]
        intake = [
            f"{met.case} {count(met.count)} {met.action}"
            for met in sorted(results.intake, key=lambda met: (-met.count, met.case))
        ]
        self._print(("Limits that bit ", "dim"), _some(limits) or "none")
        self._print(("Data intake     ", "dim"), _some(intake) or "no remark")
        for warning in results.warnings[:MOST_LINES]:
            self._print(("Warning         ", "yellow"), warning)
        if len(results.warnings) > MOST_LINES:
            self._print((f"{'':16}{len(results.warnings) - MOST_LINES} more", "yellow"))

    def _identity(self) -> None:
        results, run = self.results, self.results.identity
        balanced = results.accounting_residual == 0
        self._print(
            ("Books           ", "dim"),
            (
                f"balance, residual {results.accounting_residual}"
                if balanced
                else f"DO NOT BALANCE, residual {results.accounting_residual}",
                "" if balanced else "bold red",
            ),
        )
        for row in results.cash:
            self._print(("Cash            ", "dim"), _cash_line(row, results.currency, self.places))
        self._print(
            ("Computed        ", "dim"),
            f"{count(run.symbol_bars)} symbol bars, {run.cpu_s:.1f} CPU s, {run.wall_s:.1f} s",
        )
        seeds = ", ".join(f"{name} {seed}" for name, seed in run.seeds.items())
        self._print(("Seeds, code     ", "dim"), f"{seeds or 'none'} · {run.code_version}")
        self._print(("Fingerprint     ", "dim"), run.fingerprint)

    def _definitions(self) -> None:
        parts = [f"{METRICS[name].label} = {METRICS[name].formula}" for name in HEADLINES]
        self._print((f"{'; '.join(parts)}. {NOTE_DAYS}", "dim"))
        self._print((f"Verdict: {SHORT_RULE}.", "dim"))


def sparkline(results: RunResults, width: int) -> str:
    """Equity in ``width`` block characters, the last of each stretch; empty without room for it."""
    equity = np.concatenate(([results.initial_equity], results.equity))
    if width < 8 or len(equity) < 2:
        return ""
    ends = np.linspace(0, len(equity) - 1, min(width, len(equity))).round().astype(np.int64)
    values = equity[ends]
    span = float(np.ptp(values))
    if span <= 0:
        return _BLOCKS[0] * len(values)
    levels = ((values - values.min()) / span * (len(_BLOCKS) - 1)).round().astype(np.int64)
    return "".join(_BLOCKS[level] for level in levels.tolist())


def _cash_line(row: CashRecord, account: str, places: int) -> str:
    """One currency of the account in a line."""
    line = f"{money(row.cash, places)} {row.currency}, positions {money(row.positions, places)}"
    if row.currency == account:
        return line
    return (
        f"{line}, at {row.rate:.6g} worth {money(row.worth, places)} {account}, "
        f"translation {money(row.translation, places)}"
    )


def _tone(name: str, value: float | None) -> str:
    if value is None or value == 0 or name in ("volatility", "max_drawdown"):
        return ""
    return "green" if value > 0 else "red"


def _some(items: list[str]) -> str:
    more = f", {len(items) - MOST_LINES} more" if len(items) > MOST_LINES else ""
    return ", ".join(items[:MOST_LINES]) + more
