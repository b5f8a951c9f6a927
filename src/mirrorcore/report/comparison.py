"""The same history with and without some agents, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorcore.errors import DataError
from mirrorcore.report import metrics
from mirrorcore.report.catalogue import HEADLINES, METRICS
from mirrorcore.report.evaluation import Evaluation, Measure
from mirrorcore.report.formatting import (
    ABSENT,
    measure_text,
    money,
    money_places,
    percent,
    printable,
    ratio,
    value_text,
)
from mirrorcore.report.paired import Paired, paired
from mirrorcore.report.results import RunResults

if TYPE_CHECKING:
    from rich.console import Console

COMPARED = (*HEADLINES, "trades", "turnover", "fees_paid", "slippage_paid")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of one history; every difference is the whole swarm minus the one without."""

    without: tuple[str, ...]
    whole: Mapping[str, Measure]
    other: Mapping[str, Measure]
    results: tuple[float, float]
    """Net results in settlement currency."""
    currency: str
    initial_equity: float
    paired: Paired

    def difference(self, name: str) -> float | None:
        first, second = self.whole[name].value, self.other[name].value
        return None if first is None or second is None else first - second

    @property
    def conclusion(self) -> str:
        """What may be said about those who were left out."""
        who = ", ".join(self.without)
        found = self.paired
        if found.reason:
            return f"Nothing can be said about {who}: {found.reason}."
        if found.mean == 0.0 and not found.beyond_luck and self.results[0] == self.results[1]:
            return f"{who} changed nothing: both runs earned the same every day."
        if not found.beyond_luck:
            return f"No contribution of {who} is shown: luck alone could make this difference."
        adds = found.mean is not None and found.mean > 0
        return f"{who} {'added' if adds else 'cost'} more than luck would explain."

    def document(self) -> dict[str, Any]:
        """For a JSON file: numbers or null."""
        return {
            "without": list(self.without),
            "result": {
                "with": self.results[0],
                "without": self.results[1],
                "difference": self.results[0] - self.results[1],
            },
            "metrics": {
                name: {
                    "with": self.whole[name].value,
                    "without": self.other[name].value,
                    "difference": self.difference(name),
                }
                for name in COMPARED
            },
            "paired": {**asdict(self.paired), "beyond_luck": self.paired.beyond_luck},
            "conclusion": self.conclusion,
        }


def compare(
    without: Sequence[str],
    whole: tuple[RunResults, Evaluation],
    other: tuple[RunResults, Evaluation],
) -> Comparison:
    """Compare a run with the same run ``without`` some agents.

    Raises
    ------
    DataError: the two runs are not of the same market.
    """
    first, second = whole[0], other[0]
    if (
        first.identity.input_digests != second.identity.input_digests
        or not np.array_equal(first.ts, second.ts)
    ):  # fmt: skip
        raise DataError(
            f"runs {first.identity.run_id} and {second.identity.run_id} are not of the same market",
            hint="did the data change between the two?",
        )
    return Comparison(
        without=tuple(without),
        whole=whole[1].measures,
        other=other[1].measures,
        results=(_gained(first), _gained(second)),
        currency=first.currency,
        initial_equity=first.initial_equity,
        paired=paired(_daily(first), _daily(second)),
    )


def _gained(results: RunResults) -> float:
    return float(results.equity[-1]) - results.initial_equity if len(results.equity) else 0.0


def _daily(results: RunResults) -> Any:
    curve = metrics.with_start(
        results.ts, results.equity, results.identity.period_start, results.initial_equity
    )
    return metrics.daily_returns(metrics.daily_closes(curve)[1])


def render_comparison(found: Comparison, out: Console) -> None:
    """The comparison as a table and what may be concluded from it."""
    from rich.table import Table
    from rich.text import Text

    places = money_places(found.initial_equity)
    who = printable(", ".join(found.without))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for head in ("whole swarm", "without", "difference"):
        table.add_column(head, justify="right", no_wrap=True)
    first, second = found.results
    table.add_row(
        f"Net result, {found.currency}",
        money(first, places, signed=True),
        money(second, places, signed=True),
        money(first - second, places, signed=True),
        style="bold",
    )
    for name in COMPARED:
        difference = found.difference(name)
        table.add_row(
            METRICS[name].label,
            measure_text(name, found.whole[name], places),
            measure_text(name, found.other[name], places),
            ABSENT if difference is None else _signed(name, difference, places),
        )
    out.print(Text(f"Without {who}", style="bold"))
    out.print(table)
    out.print()
    for line in _intervals(found.paired):
        out.print(line)
    style = "green" if found.paired.beyond_luck else "yellow"
    out.print(Text(found.conclusion, style=style))


def _signed(name: str, value: float, places: int) -> str:
    text = value_text(name, value, places)
    return f"+{text}" if value > 0 and not text.startswith("+") else text


def _intervals(found: Paired) -> list[str]:
    if found.mean is None or found.mean_interval is None:
        return []
    spread = found.mean_interval
    lines = [
        f"Return a year, with minus without: {percent(found.mean, signed=True)}, 95 % interval "
        f"{percent(spread.low, signed=True)} to {percent(spread.high, signed=True)}"
    ]
    if found.sharpe is not None and found.sharpe_interval is not None:
        gap = found.sharpe_interval
        lines.append(
            f"Sharpe, with minus without: {ratio(found.sharpe)}, 95 % interval "
            f"{ratio(gap.low)} to {ratio(gap.high)}"
        )
    lines.append(f"Paired over {found.days} days: what both runs share cancels.")
    return lines
