"""Whether the server and the swarm still answer, measured all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.interfaces.live.picture import Picture, Row
from mirrorcore.trading.gateway import Gateway

_BEAT_S = 0.25
LAG_S = 1.0
"""Lag of the server's loop above which it is not healthy."""

HELD_S = 2.0
"""Seconds without an answer of the swarm after which every screen says so."""

SILENT_S = 5.0
"""Seconds without an answer of the swarm after which it is not ready."""

QUORUM = 0.5
"""Share of agents that must not be in bad health."""


class Pulse:
    """Asks the swarm for a sign of life again and again; used in the server's loop alone.

    Parameters
    ----------
    ask: has the swarm answer between two ticks; what it answers is of no interest.
    """

    def __init__(self, ask: Callable[[], Future[Any]]) -> None:
        self.lag_s = 0.0
        """How late the server's loop was last."""
        self.answer_s = 0.0
        """How long the swarm took to answer last."""
        self._ask = ask
        self._asked: asyncio.Future[Any] | None = None
        self._since = Stopwatch()

    @property
    def silent_s(self) -> float:
        """Seconds the swarm owes an answer."""
        return 0.0 if self._asked is None else self._since.wall_ns() / SECOND

    async def beat(self) -> None:
        """For as long as the server runs."""
        while True:
            watch = Stopwatch()
            await asyncio.sleep(_BEAT_S)
            self.lag_s = max(0.0, watch.wall_ns() / SECOND - _BEAT_S)
            if self._asked is None:
                self._since = Stopwatch()
                self._asked = asyncio.wrap_future(self._ask())
                self._asked.add_done_callback(self._answered)

    def _answered(self, asked: asyncio.Future[Any]) -> None:
        self.answer_s = self._since.wall_ns() / SECOND
        if asked.cancelled() or asked.exception() is not None:
            return  # the run has ended: it owes an answer for good
        self._asked = None


def aside(pulse: Pulse, gateway: Gateway) -> Callable[[Row], Row]:
    """What can be told of a swarm whose thread is held up, and the last picture does not know:
    for how long it has owed an answer, and that a stop has closed the gateway since."""

    def better(top: Row) -> Row:
        found: dict[str, Any] = {}
        if pulse.silent_s > HELD_S:
            found["held"] = int(pulse.silent_s)
        stopped = gateway.latched
        if stopped is not None and top.get("gw") != "halted":
            found |= {"gw": "halted", "gw_reason": stopped}
        return found

    return better


def unready(pulse: Pulse, picture: Picture) -> list[str]:
    """Why the swarm is not ready to trade; empty where it is."""
    top = picture.top
    reasons = []
    if pulse.silent_s > SILENT_S:
        reasons.append("swarm_silent")
    if not top["tick"]:
        reasons.append("no_tick_yet")
    if top["gw"] != "active":
        reasons.append(f"gateway_{top['gw']}")
    if top["n"] and top["hp"][2] > (1.0 - QUORUM) * top["n"]:
        reasons.append("agents_unhealthy")
    if any(not row["ok"] for row in picture.tables.get("src", {}).values()):
        reasons.append("source_not_ok")
    return reasons
