"""What a run was worth: metrics, intervals, the terminal screen and the HTML page.

:class:`RunResults` is filled by the swarm; everything else here only reads it. Every figure is
computed by one function, defined in one catalogue (:data:`METRICS`), and printed with that
definition. May import: journal, market, config, clock, errors. ``rich`` is imported by the screen
alone, and plotly's JavaScript is read from its package without importing plotly.
"""

from mirrorcore.report.catalogue import HEADLINES, METRICS, Metric
from mirrorcore.report.evaluation import Evaluation, Measure, evaluate, summarise
from mirrorcore.report.page import write_page
from mirrorcore.report.results import (
    AgentRecord,
    CostRecord,
    IntakeRecord,
    LimitRecord,
    RunIdentity,
    RunResults,
    TradeRecord,
    WeightPath,
)
from mirrorcore.report.screen import render_screen

__all__ = [
    "HEADLINES",
    "METRICS",
    "AgentRecord",
    "CostRecord",
    "Evaluation",
    "IntakeRecord",
    "LimitRecord",
    "Measure",
    "Metric",
    "RunIdentity",
    "RunResults",
    "TradeRecord",
    "WeightPath",
    "evaluate",
    "render_screen",
    "summarise",
    "write_page",
]
