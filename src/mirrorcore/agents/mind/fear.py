"""The equations of fear, for one state of mind or for thousands side by side.

Every argument is a number or an array; arrays of one shape give that shape. FearAnalyzer and the
evidence about the gate call the same functions, so that what is shown is the agent's own behaviour.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LOSS_AVERSION = 2.25
"""A loss hurts this much more than a gain pleases (Tversky and Kahneman, 1992)."""
LARGEST_DRIVER = 10.0
WEIGHTS = {"drawdown": 1.0, "volatility": 0.5, "streak": 0.3, "jump": 0.2, "sentiment": 0.2}
LIMIT_SHARE = 0.5
"""Share of the hard drawdown limit that counts as a drawdown of 1.

With weight 1 half the limit leaves 1 - .8 (1 - 1/e) = .49 of the risk, as the optimal control of a
drawdown would (Grossman and Zhou, 1993: exposure in proportion to what is left to the limit).
"""
_LARGEST_SURPRISE = 3.0
_LOST_PER_FEAR = 0.8
_STREAK_GAIN = 1.5


def drawdown_driver(drawdown: Any, limit: float) -> Any:
    """a1: the drawdown over the one that counts as 1."""
    return np.clip(drawdown / limit, 0.0, LARGEST_DRIVER)


def streak_driver(streak: Any) -> Any:
    """a3 from the loss streak S."""
    return np.minimum(streak / 3.0, LARGEST_DRIVER)


def streak_after(streak: Any, change: Any, usual: Any, period_over_half_life: float) -> Any:
    """S after a period's log return ``change``, ``usual`` its deviation; forgetting not included.

    S' = max(0, S + 1.5 (A/H) (2.25 [r < 0] - [r > 0]) min(|r|/σ, 3)).
    """
    size = np.abs(change)
    most = _LARGEST_SURPRISE * usual
    divisor = np.where(usual > 0.0, usual, 1.0)
    surprise = np.where(size >= most, _LARGEST_SURPRISE, np.minimum(size, most) / divisor)
    felt = np.where(change < 0.0, LOSS_AVERSION, np.where(change > 0.0, -1.0, 0.0))
    return np.maximum(0.0, streak + _STREAK_GAIN * period_over_half_life * felt * surprise)


def target(pressure: Any) -> Any:
    """g = 1 - exp(-a) of the weighted drivers a."""
    return -np.expm1(-pressure)


def fear_after(fear: Any, aim: Any, kept: float) -> Any:
    """F': at once up to ``aim``, slowly down to it; ``kept`` is 2^(-dt / H)."""
    return np.maximum(aim, kept * fear + (1.0 - kept) * aim)


def gate_factor(fear: Any) -> Any:
    """m_fear = 1 - .8 F: some risk stays, so that there is something to learn from."""
    return 1.0 - _LOST_PER_FEAR * fear
