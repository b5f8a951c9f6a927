"""What runs a live source: when to connect, what was missed, whose clock is wrong, what to keep.

A source knows its protocol; everything here is the same for all of them. ``SourceRunner`` puts the
parts together, the manager runs any number of them. May import what ``data_sources`` may.
"""

from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.data_sources.running.runner import SourceRunner
from mirrorcore.data_sources.running.states import RunnerState

__all__ = ["RunnerPolicy", "RunnerState", "SourceHealth", "SourceRunner"]
