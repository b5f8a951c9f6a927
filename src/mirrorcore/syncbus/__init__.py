"""SyncBus: agents share versioned states, not messages; nothing one does can hurt another.

``source`` and ``edge`` are the state lane, ``mailbox`` the three lanes of an agent, ``dispatcher``
the one place that calls agents, ``supervisor`` what happens when they fail, ``bus`` the public
face. May import: clock, errors.
"""

from mirrorcore.syncbus.agent import Handlers
from mirrorcore.syncbus.breaker import BreakerPolicy, BreakerState
from mirrorcore.syncbus.bus import HighPerformanceSyncBus, ResilientSyncBus, SyncBus
from mirrorcore.syncbus.faults import (
    AgentBlocked,
    AgentDown,
    AgentLost,
    AgentRaised,
    BusError,
    Expired,
    FloodError,
    LaneFull,
    RegistrationError,
    RequestFailed,
    StateError,
    UndeclaredReadError,
    UnknownAgentError,
)
from mirrorcore.syncbus.handle import AgentHandle, SourceHandle
from mirrorcore.syncbus.history import Series
from mirrorcore.syncbus.messages import (
    ALL,
    AgentStatistics,
    BusEvent,
    Command,
    DeadLetter,
    Ending,
    EventKind,
    Gap,
    Health,
    Interest,
    Missed,
    Reply,
    Stall,
    StateView,
    Update,
)
from mirrorcore.syncbus.policy import AgentPolicy, BusPolicy
from mirrorcore.syncbus.process_factory import ProcessFactory
from mirrorcore.syncbus.process_handle import ProcessHandle
from mirrorcore.syncbus.process_limits import ProcessPolicy
from mirrorcore.syncbus.schema import Field, thaw
from mirrorcore.syncbus.supervision import LifeState, RestartPolicy
from mirrorcore.syncbus.watch import Watch
from mirrorcore.syncbus.watchdog import StallCallback, Watchdog, WatchdogPolicy

__all__ = [
    "ALL",
    "AgentBlocked",
    "AgentDown",
    "AgentHandle",
    "AgentLost",
    "AgentPolicy",
    "AgentRaised",
    "AgentStatistics",
    "BreakerPolicy",
    "BreakerState",
    "BusError",
    "BusEvent",
    "BusPolicy",
    "Command",
    "DeadLetter",
    "Ending",
    "EventKind",
    "Expired",
    "Field",
    "FloodError",
    "Gap",
    "Handlers",
    "Health",
    "HighPerformanceSyncBus",
    "Interest",
    "LaneFull",
    "LifeState",
    "Missed",
    "ProcessFactory",
    "ProcessHandle",
    "ProcessPolicy",
    "RegistrationError",
    "Reply",
    "RequestFailed",
    "ResilientSyncBus",
    "RestartPolicy",
    "Series",
    "SourceHandle",
    "Stall",
    "StallCallback",
    "StateError",
    "StateView",
    "SyncBus",
    "UndeclaredReadError",
    "UnknownAgentError",
    "Update",
    "Watch",
    "Watchdog",
    "WatchdogPolicy",
    "thaw",
]
