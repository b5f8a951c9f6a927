"""An agent that is called in each way there is, and a window that is struck from outside."""

from __future__ import annotations

from typing import Any

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.syncbus import Interest, SyncBus
from mirrorcore.syncbus.faults import AgentBlocked
from mirrorcore.syncbus.window import Window


class Struck(Window):
    """A window; as often as told, an exception from outside lands just before it is closed."""

    strikes = 0

    def __init__(self) -> None:
        self.open_for: Any = None
        super().__init__()

    @property  # type: ignore[override]
    def agent(self) -> Any:
        return self.open_for

    @agent.setter
    def agent(self, agent: Any) -> None:
        if agent is None and self.open_for is not None and self.strikes:
            self.strikes -= 1
            raise AgentBlocked("from outside")
        self.open_for = agent


class Called:
    """An agent that can be called in each way; what it does then is handed in."""

    def __init__(self, act: Any) -> None:
        self.bus = SyncBus(VirtualClock(SECOND))
        self.window = self.bus._dispatcher.window = Struck()
        self.act = act
        self.other = self.bus.register("other")
        self.eager = self.bus.register("eager")
        self.handle = self.bus.register(
            "a",
            interests=["other", Interest("eager", None, "eager")],
            on_update=act,
            on_message=act,
            on_signal=act,
            on_tick=act,
        )

    def call(self, way: str) -> Any:
        bus, answer = self.bus, None
        if way == "update":
            self.other.publish({"x": 1})
        elif way == "eager":
            self.eager.publish({"x": 1})
        elif way == "message":
            bus.send("a", 1)
        elif way == "signal":
            bus.signal("a", 1)
        elif way == "guarded":
            answer = bus.guarded("a", self.act, 1)
        elif way == "ahead":
            answer = bus.ahead("a", 3, self.act, 1)
        else:
            bus.tick(None)
        bus.settle()
        return answer
