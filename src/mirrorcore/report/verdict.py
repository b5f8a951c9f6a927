"""Is what the run earned evidence of anything? One rule, written here and printed with its result.

It judges a single run: how many configurations were tried before this one is unknown here, and
trying many makes luck look like skill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mirrorcore.report.bootstrap import Bootstrap

ENOUGH_TRADES = 30
ENOUGH_DAYS = 180
SIGNIFICANT = 0.05

RULE = (
    "Evidence of skill needs the 95 % interval of Sharpe above 0, a p of the mean profit below "
    f"{SIGNIFICANT}, at least {ENOUGH_TRADES} closed trades and {ENOUGH_DAYS} days; an interval "
    "above 0 alone is weak; an interval below 0 is evidence of loss. One run says nothing about "
    "how many were tried before it."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``evidence`` of skill, ``weak``, ``none`` or of ``loss``, and the ``reasons`` in words."""

    evidence: Literal["evidence", "weak", "none", "loss"]
    reasons: tuple[str, ...]

    @property
    def headline(self) -> str:
        """One line."""
        return {
            "evidence": "Evidence of skill",
            "weak": "Weak evidence",
            "none": "No evidence of skill",
            "loss": "Evidence of loss",
        }[self.evidence]


def judge(measures: Mapping[str, float | None], bootstrap: Bootstrap) -> Verdict:
    """The verdict of :data:`RULE` on the figures of one run; None stands for *not available*."""
    interval = bootstrap.intervals.get("sharpe")
    if interval is None or measures["sharpe"] is None:
        return Verdict("none", (f"no interval of Sharpe: {bootstrap.reason or 'no Sharpe'}",))
    span = f"95 % interval of Sharpe {interval.low:.2f} to {interval.high:.2f}"
    if interval.high < 0:
        return Verdict("loss", (f"{span} lies below 0",))
    if interval.low <= 0:
        return Verdict("none", (f"{span} includes 0",))
    p, trades, days = measures["p_value"], measures["trades"] or 0, measures["days"] or 0
    doubts = []
    if p is None or p >= SIGNIFICANT or (measures["expectancy"] or 0) <= 0:
        shown = "not available" if p is None else f"{p:.3f}"
        doubts.append(f"p of mean profit {shown}")
    if trades < ENOUGH_TRADES:
        doubts.append(f"{trades:.0f} closed trades")
    if days < ENOUGH_DAYS:
        doubts.append(f"{days:.0f} days")
    if doubts:
        return Verdict("weak", (f"{span} lies above 0", *doubts))
    return Verdict(
        "evidence",
        (f"{span} lies above 0", f"p of mean profit {p:.3f}", f"{trades:.0f} closed trades"),
    )
