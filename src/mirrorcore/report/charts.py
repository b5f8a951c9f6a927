"""The page's charts as plain plotly figures; colours are names that the page's style resolves.

Instants are sent as steps since the one before, in a unit that divides them all, because a page
with a year of ticks would otherwise be mostly digits of dates; ``page.js`` adds them up again.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from mirrorcore.clock import MILLISECOND
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.downsampling import BUCKETS, keep
from mirrorcore.report.formatting import printable
from mirrorcore.report.metrics import Curve, drawdown, with_start
from mirrorcore.report.results import RunResults, WeightPath

DIGITS = 7
MOST_VOTERS = 10
SERIES = 10
"""Colours the page's style has for voters."""


def run_figure(results: RunResults) -> dict[str, Any]:
    """Equity, drawdown, exposure and mind over one time axis; what was not recorded has no row."""
    rows = [_equity(results), _drawdown(results)]
    if len(results.gross):
        rows.append(_exposure(results))
    if len(results.gate) or len(results.fear) or len(results.confidence):
        rows.append(_mind(results))
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"height": 260 + 150 * len(rows)}
    shares = np.array([2.6, 1.2, 1.2, 1.0][: len(rows)])
    gap = 0.065
    heights = shares / shares.sum() * (1.0 - gap * (len(rows) - 1))
    top = 1.0
    for number, (row, height) in enumerate(zip(rows, heights, strict=True), start=1):
        suffix = "" if number == 1 else str(number)
        for trace in row["traces"]:
            traces.append(
                trace | {"xaxis": "x", "yaxis": f"y{suffix}", "legend": f"legend{suffix}"}
            )
        layout[f"legend{suffix}"] = {"y": round(top, 6)}
        layout[f"yaxis{suffix}"] = row["axis"] | {
            "domain": [max(0.0, round(top - float(height), 6)), round(top, 6)]
        }
        top -= float(height) + gap
    layout["xaxis"] = {"type": "date", "anchor": f"y{len(rows)}"}
    return {"traces": traces, "layout": layout}


def weights_figure(path: WeightPath) -> tuple[dict[str, Any], int]:
    """Fusion weight over time of the heaviest voters, and how many others that leaves out."""
    finite = np.where(np.isfinite(path.matrix), path.matrix, 0.0)
    heaviest = np.argsort(-np.abs(finite).mean(axis=0), kind="stable")[:MOST_VOTERS]
    traces = [
        _line(
            _label(path.names[column]),
            f"--series-{number % SERIES}",
            path.ts,
            path.matrix[:, column],
            buckets=BUCKETS // 3,
        )
        for number, column in enumerate(int(c) for c in heaviest)
    ]
    layout = {
        "height": 380,
        "legend": {"y": 1},
        "xaxis": {"type": "date"},
        "yaxis": {"title": {"text": "weight"}, "zeroline": True},
    }
    return {"traces": traces, "layout": layout}, len(path.names) - len(heaviest)


def _equity(results: RunResults) -> dict[str, Any]:
    traces = []
    for name, color, dash, values in (
        ("buy & hold", "--benchmark", "solid", results.benchmark),
        ("ungated shadow", "--shadow", "dot", results.shadow_equity),
        ("equity", "--equity", "solid", results.equity),
    ):
        if len(values) or name == "equity":
            curve = _curve(results, values)
            line = _line(name, color, curve.ts, curve.equity, dash=dash)
            line["line"]["width"] = 2 if name == "equity" else 1.3
            traces.append(line)
    return {
        "traces": traces,
        "axis": {"title": {"text": f"equity, {_label(results.currency)}"}, "tickformat": ",~r"},
    }


def _drawdown(results: RunResults) -> dict[str, Any]:
    curve = _curve(results, results.equity)
    line = _line("drawdown", "--loss", curve.ts, -drawdown(curve.equity))
    line |= {"fill": "tozeroy", "fillcolor": "--loss-soft", "showlegend": False}
    return {"traces": [line], "axis": {"title": {"text": "drawdown"}, "tickformat": ".1%"}}


def _exposure(results: RunResults) -> dict[str, Any]:
    traces = [_line("gross exposure", "--gross", results.ts, results.gross, shape="hv")]
    if len(results.net):
        traces.append(_line("net exposure", "--net", results.ts, results.net, shape="hv"))
    return {"traces": traces, "axis": {"title": {"text": "exposure"}, "tickformat": ".0%"}}


def _mind(results: RunResults) -> dict[str, Any]:
    columns = (
        ("gate", "--gate", results.gate),
        ("fear", "--fear", results.fear),
        ("confidence", "--confidence", results.confidence),
    )
    traces = [
        _line(name, color, results.ts, values, shape="hv")
        for name, color, values in columns
        if len(values)
    ]
    return {
        "traces": traces,
        "axis": {"title": {"text": "mind"}, "range": [-0.03, 1.03], "tickvals": [0, 0.5, 1]},
    }


def _label(name: str) -> str:
    """A name as plotly shall show it: it reads markup, links among it, in every text."""
    return html.escape(printable(name), quote=False)


def _curve(results: RunResults, values: Floats) -> Curve:
    return with_start(results.ts, values, results.identity.period_start, results.initial_equity)


def _line(
    name: str,
    color: str,
    ts: Ints,
    values: Floats,
    *,
    dash: str = "solid",
    shape: str = "linear",
    buckets: int = BUCKETS,
) -> dict[str, Any]:
    chosen = keep(values, buckets)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": steps(ts[chosen]),
        "y": _numbers(values[chosen]),
        "line": {"color": color, "width": 1.3, "dash": dash, "shape": shape},
    }


def steps(ts: Ints) -> dict[str, Any]:
    """Instants (n,) as ``{"first", "unit", "steps"}`` in milliseconds, the steps in units."""
    stamps = ts // MILLISECOND
    if not len(stamps):
        return {"first": 0, "unit": 1, "steps": []}
    gaps = np.diff(stamps)
    unit = max(1, int(np.gcd.reduce(gaps))) if len(gaps) else 1
    return {"first": int(stamps[0]), "unit": unit, "steps": (gaps // unit).tolist()}


def _numbers(values: Floats) -> list[float | None]:
    return [float(f"{v:.{DIGITS}g}") if np.isfinite(v) else None for v in values.tolist()]
