"""Is what the run earned evidence of anything? One rule, written here and printed with its result.

Three answers, as a reader needs them: act on it, wait, or let it be. A loss that is no chance is
*none* as well, with that as its reason: nobody who asks whether there is skill does otherwise
because of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from mirrorcore.report.bootstrap import Bootstrap, Interval
from mirrorcore.report.checks import Check

ENOUGH_TRADES = 30
ENOUGH_DAYS = 180
DEFLATED = 0.95

RULE = (
    "Evidence of skill needs books that balance, the lower bound of the 95 % bootstrap interval of "
    f"Sharpe above 0, a deflated Sharpe above {DEFLATED} (its trials are the distinct "
    "configurations with a Sharpe on the same data in the folder of runs, seeds excluded), at "
    f"least {ENOUGH_TRADES} closed trades and {ENOUGH_DAYS} days, and no failure of any check that "
    "'mirrorcore evaluate' made. Where the interval lies above 0 and something else is missing it "
    "is weak, otherwise none."
)

SHORT_RULE = (
    f"evidence = Sharpe interval above 0, deflated Sharpe > {DEFLATED}, {ENOUGH_TRADES} trades, "
    f"{ENOUGH_DAYS} days, books balance, no check failed; weak = interval above 0"
)
"""The same for a screen."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``evidence`` of skill, ``weak`` or ``none``, and the ``reasons`` in words."""

    evidence: Literal["evidence", "weak", "none"]
    reasons: tuple[str, ...]

    @property
    def headline(self) -> str:
        """One line."""
        return {
            "evidence": "Evidence of skill",
            "weak": "Weak evidence",
            "none": "No evidence of skill",
        }[self.evidence]


def judge(
    measures: Mapping[str, float | None],
    bootstrap: Bootstrap,
    *,
    residual: Decimal = Decimal(0),
    unread: int = 0,
    checks: Sequence[Check] = (),
) -> Verdict:
    """The verdict of :data:`RULE` on the figures of one run; None stands for *not available*.

    ``unread`` folders beside the run could not be read and so were not counted as trials.
    """
    if residual != 0:
        return Verdict(
            "none", (f"the books do not balance (residual {residual}): no figure can be trusted",)
        )
    interval = bootstrap.intervals.get("sharpe")
    if interval is None or measures["sharpe"] is None:
        return Verdict("none", (f"no interval of Sharpe: {bootstrap.reason or 'no Sharpe'}",))
    deflated, tried = _deflated(measures, unread)
    span = f"95 % interval of Sharpe {interval.low:.2f} to {interval.high:.2f}"
    if interval.low <= 0:
        return Verdict("none", (f"{span} {_around_zero(interval)}", tried))
    doubts = [] if deflated else [tried]
    trades, days = measures["trades"] or 0, measures["days"] or 0
    if trades < ENOUGH_TRADES:
        doubts.append(f"{trades:.0f} closed trades, needs {ENOUGH_TRADES}")
    if days < ENOUGH_DAYS:
        doubts.append(f"{days:.0f} days, needs {ENOUGH_DAYS}")
    failed = [f"{c.label} failed: {c.shown}, needs {c.bar}" for c in checks if c.passed is False]
    doubts += failed
    above = f"{span} lies above 0"
    if doubts:
        return Verdict("weak", (above, *doubts))
    return Verdict(
        "evidence",
        (above, tried, f"{trades:.0f} closed trades in {days:.0f} days", *_made(checks)),
    )


def _around_zero(interval: Interval) -> str:
    return "lies below 0: the loss is no chance" if interval.high < 0 else "includes 0"


def _deflated(measures: Mapping[str, float | None], unread: int) -> tuple[bool, str]:
    """Whether the deflated Sharpe is high enough, and in words."""
    value, trials = measures["deflated_sharpe"], measures["trials"] or 1
    tried = f"{trials:.0f} configuration{'s' if trials != 1 else ''} tried"
    missed = f", {unread} more folders unreadable and not counted" if unread else ""
    if value is None:
        return False, f"no deflated Sharpe ({tried}{missed})"
    # Cut, not rounded: .9499 is not enough and must not read as if it were.
    shown = int(value * 1000) / 1000
    return value > DEFLATED, f"deflated Sharpe {shown:.3f} ({tried}{missed})"


def _made(checks: Sequence[Check]) -> tuple[str, ...]:
    made = [check.label for check in checks if check.passed]
    if not checks:
        return ("no further check was made",)
    return (f"passed {', '.join(made)}",) if made else ()
