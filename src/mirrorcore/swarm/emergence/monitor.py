"""``EmergenceMonitor``: the guide's face of the monitor, over a running swarm or a bare bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirrorcore.emergence.guide_names import GUIDE_DETECTORS
from mirrorcore.errors import UsageError
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import SyncBus

_MOST_LOGGED = 1000


class EmergenceMonitor:
    """Call :meth:`monitor_emergence` every so many ticks.

    Over a run it tells what the run's own monitor has found since the last call, of the detectors
    that ``[emergence]`` switches on. Over a bare bus its detectors look at the states that were
    published since then; :attr:`idle` says of each that cannot why.

    Attributes
    ----------
    detectors: of a bare bus; a run has its own. emergence_log: the newest 1,000 findings.
    failures: what went wrong in detectors, as (detector, error).
    """

    def __init__(self, syncbus: SyncBus | Run) -> None:
        if not isinstance(syncbus, SyncBus | Run):
            raise UsageError(
                f"EmergenceMonitor was given a {type(syncbus).__name__}",
                hint="give it a SyncBus, or a running swarm",
            )
        if isinstance(syncbus, Run) and syncbus.emergence is None:
            raise UsageError(
                "this run is not watched",
                hint="set emergence.enabled = true; for a replay of history emergence.history too",
            )
        self.syncbus = syncbus
        self.detectors = [] if isinstance(syncbus, Run) else [kind() for kind in GUIDE_DETECTORS]
        self.emergence_log: list[dict[str, Any]] = []
        self.failures: list[tuple[str, str]] = []
        self._told = 0

    @property
    def idle(self) -> Mapping[str, str]:
        """Why a detector is not at work, by its name or type; those that are, are absent."""
        if isinstance(self.syncbus, Run):
            watch = self.syncbus.emergence
            rows = {} if watch is None else watch.watched
            return {kind: one.idle for kind, one in rows.items() if one.idle}
        return {type(one).__name__: one.idle for one in self.detectors if one.idle}

    async def monitor_emergence(self) -> list[dict[str, Any]]:
        """What is new since the last call, as the guide's dictionaries."""
        if isinstance(self.syncbus, Run):
            new = self._of_run(self.syncbus)
        else:
            new = await self._of_bus(self.syncbus)
        self.emergence_log = (self.emergence_log + new)[-_MOST_LOGGED:]
        return new

    def _of_run(self, run: Run) -> list[dict[str, Any]]:
        watch = run.emergence
        if watch is None:
            return []
        new, self._told = watch.findings.since(self._told)
        return [one.dictionary() for one in new if not one.explained]

    async def _of_bus(self, bus: SyncBus) -> list[dict[str, Any]]:
        states = await bus.get_all_states()
        history = await bus.get_historical_states()
        new: list[dict[str, Any]] = []
        for detector in self.detectors:
            try:
                new += await detector.analyze(states, history)
            except Exception as error:  # one that fails must not silence the others
                self.failures.append((type(detector).__name__, f"{type(error).__name__}: {error}"))
        return new
