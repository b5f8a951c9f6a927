"""False alarms in quiet worlds; made by scripts/measured_rates.py, do not edit.

By type: runs that alarmed, runs of 10,000 ticks, the upper end of Wilson's 95 % interval of that
share, and the share in the world in which it was largest.
"""

from __future__ import annotations

from collections.abc import Mapping

MEASURED: Mapping[str, tuple[int, int, float, float]] = {
    "coordination": (22, 4000, 0.0083, 0.075),
    "drift": (6, 1600, 0.0082, 0.01),
    "specialisation": (4, 2000, 0.0051, 0.01),
    "novelty": (16, 1000, 0.0258, 0.025),
    "collective": (0, 1600, 0.0024, 0.0),
    "risk": (50, 2800, 0.0235, 0.075),
    "regime": (28, 1600, 0.0252, 0.045),
}
