"""What SyncBus is compared with, one rival a file."""

from __future__ import annotations

from benchmarks.bus.rivals.bare import BareLoop
from benchmarks.bus.rivals.base import Rival
from benchmarks.bus.rivals.blinker_signals import Blinker
from benchmarks.bus.rivals.equal_queues import EqualQueues
from benchmarks.bus.rivals.floor import Floor
from benchmarks.bus.rivals.nautilus_bus import Nautilus
from benchmarks.bus.rivals.ours import Eager, EveryDelta, Ours
from benchmarks.bus.rivals.psygnal_signals import Psygnal
from benchmarks.bus.rivals.queues import JoinedQueues, Queues
from benchmarks.bus.rivals.sketch import Sketch, WholeSketch

RIVALS: tuple[type[Rival], ...] = (
    BareLoop,
    Ours,
    Queues,
    JoinedQueues,
    EqualQueues,
    Sketch,
    WholeSketch,
    Blinker,
    Psygnal,
    Nautilus,
)

MODES: tuple[type[Rival], ...] = (EveryDelta, Eager, Floor)
"""SyncBus for readers that ask for more than the latest, and the least that it could do: they only
differ in what a delivery costs."""


def present() -> list[type[Rival]]:
    """Those that can be run here."""
    return [rival for rival in RIVALS if rival.version() is not None]


def left_out() -> list[type[Rival]]:
    """Those whose distribution is not installed: the extra ``bench`` has them all."""
    return [rival for rival in RIVALS if rival.version() is None]


__all__ = [
    "MODES",
    "RIVALS",
    "BareLoop",
    "Blinker",
    "EqualQueues",
    "Floor",
    "JoinedQueues",
    "Nautilus",
    "Ours",
    "Psygnal",
    "Queues",
    "Rival",
    "Sketch",
    "WholeSketch",
    "left_out",
    "present",
]
