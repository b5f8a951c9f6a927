"""Where the time of a replay goes, by stage, measured from outside.

While a :class:`StageClock` is in force, the functions at the border of each stage are replaced by
ones that look at the clock. A stage is charged what passes while it is the innermost one, so the
shares add up to the whole. What no stage claims is ``rest``: the engine's own loop.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

from mirrorcore.data_sources.recorded import RecordedSource
from mirrorcore.data_sources.simulated import SimulatedSource
from mirrorcore.market.features.engine import FeatureEngine
from mirrorcore.swarm import replay, run
from mirrorcore.swarm.engine import Engine
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.recorder import Recorder
from mirrorcore.swarm.scoreboard import Scoreboard
from mirrorcore.swarm.scribe import Scribe
from mirrorcore.swarm.ungated import UngatedBook
from mirrorcore.swarm.views import Views
from mirrorcore.swarm.voter_books import VoterBooks
from mirrorcore.syncbus import AgentHandle
from mirrorcore.syncbus.ticks import Ticks

REST = "rest"
_FUSING = ("oracle", "allocator")

BORDERS: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("intake", replay, ("open_source",)),
    ("intake", SimulatedSource, ("digest",)),
    ("intake", RecordedSource, ("digest",)),
    ("features", FeatureEngine, ("update",)),
    ("scores and books", Scoreboard, ("update",)),
    ("scores and books", VoterBooks, ("update",)),
    ("scores and books", UngatedBook, ("update",)),
    ("bus", Ticks, ("reach", "sweep", "end_block", "credit")),
    ("bus", AgentHandle, ("load_block",)),
    ("tick agents", Ticks, ("tick",)),
    ("tick agents", Views, ("publish",)),
    ("order path", Engine, ("_open", "_decide", "_mark")),
    ("digests and tables", Recorder, ("block", "finish")),
    ("journal", Scribe, ("block", "finish")),
    ("set-up and results", run, ("results_of", "save_results", "assemble")),
)
"""Stage, class or module, and the functions that lie at its border."""


class StageClock:
    """Charges wall time to the innermost stage; use as a context manager around a replay."""

    def __init__(self) -> None:
        self.spent_ns: dict[str, int] = {REST: 0}
        self._open = [REST]
        self._since = 0
        self._undo = ExitStack()

    def __enter__(self) -> StageClock:
        for stage, owner, names in BORDERS:
            for name in names:
                self._replace(owner, name, self._timed(stage, vars(owner)[name]))
        self._replace(Member, "evaluate", self._by_kind(Member.evaluate))
        for source in (SimulatedSource, RecordedSource):
            self._replace(source, "blocks", self._stream("intake", vars(source)["blocks"]))
        self._since = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turn()
        self._undo.close()

    def shares(self) -> dict[str, float]:
        """Part of the whole by stage, the largest first."""
        whole = max(sum(self.spent_ns.values()), 1)
        found = sorted(self.spent_ns.items(), key=lambda item: -item[1])
        return {stage: round(spent / whole, 4) for stage, spent in found}

    def _replace(self, owner: Any, name: str, substitute: Any) -> None:
        self._undo.callback(setattr, owner, name, vars(owner)[name])
        setattr(owner, name, substitute)

    def _turn(self) -> None:
        now = time.perf_counter_ns()
        stage = self._open[-1]
        self.spent_ns[stage] = self.spent_ns.get(stage, 0) + now - self._since
        self._since = now

    @contextmanager
    def _within(self, stage: str) -> Iterator[None]:
        self._turn()
        self._open.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            # Written out: these are called every tick, and a context manager costs a microsecond.
            self._turn()
            self._open.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._open.pop()

        return timed

    def _by_kind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(member: Member, *args: Any, **kwargs: Any) -> Any:
            stage = "fusion and allocation" if member.kind in _FUSING else "block analysts"
            with self._within(stage):
                return function(member, *args, **kwargs)

        return timed

    def _stream(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            stream = function(*args, **kwargs)
            while True:
                with self._within(stage):
                    block = next(stream, None)
                if block is None:
                    return
                yield block

        return timed
