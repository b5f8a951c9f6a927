"""Watches a run for behaviour nobody wrote, in a thread of its own.

The swarm's loop cuts out what is looked at and goes on; detectors see tick after tick in the order
of the run, so what they find does not depend on how fast they are. A run ends when they have seen
its last tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from mirrorcore.config.model import EmergenceConfig
from mirrorcore.emergence.memory import DetectorMemoryError
from mirrorcore.emergence.record import Found
from mirrorcore.errors import ConfigError
from mirrorcore.recent import Recent
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.control.actions import Command
from mirrorcore.swarm.emergence.bank import Bank, Watched
from mirrorcore.swarm.emergence.baseline import Baseline, Memory, save
from mirrorcore.swarm.emergence.batch import Batch
from mirrorcore.swarm.emergence.cast import Cast
from mirrorcore.swarm.emergence.explained import Causes
from mirrorcore.swarm.emergence.feed import Feed, Shown
from mirrorcore.swarm.emergence.series import Habits
from mirrorcore.swarm.engine import CHECKPOINT_TICKS, BlockRecord
from mirrorcore.syncbus import BusEvent

_MOST_WAITING = 64
_MOST_TICKS = 2 * CHECKPOINT_TICKS
"""Blocks, and ticks, that may wait to be looked at: their columns are kept until then."""
_MOST_FINDINGS = 1000
MOST_SYMBOLS = 16
"""Symbols that are watched, each by detectors of its own; of more, the first."""
MOST_PAIRS = 400
"""Agents that may vote times symbols watched: of so many, fewer symbols, but one at least. With
all types on a pair takes 0.3 MB and some microseconds a tick."""


class EmergenceWatch:
    """An observer of one run's engine.

    Parameters
    ----------
    tell: called in the swarm's loop with each finding; what it returns is kept in its place.
    warn: called in the swarm's loop where a detector has failed.

    Raises
    ------
    ConfigError: ``[emergence]`` names a symbol that is not traded, or a baseline that does not fit.
    """

    def __init__(
        self,
        swarm: Swarm,
        config: EmergenceConfig,
        tell: Callable[[Found], Found] | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        symbols = swarm.context.symbols
        may_vote = sum(member.votes is not False for member in swarm.members)
        numbers = numbers_watched(config.symbol, symbols, may_vote)
        self.symbols = tuple(symbols[s] for s in numbers)
        """Those that are watched."""
        self.findings: Recent[Found] = Recent(_MOST_FINDINGS)
        """The newest last."""
        self._bank = Bank(config.detectors, symbols, numbers, config.baseline)
        self._voters = swarm.context.voters
        self._tell, self._warn = tell, warn
        self._swarm = swarm
        self._learned = None if config.learned is None else Baseline(config.learned)
        if self._learned is not None:
            self._learned.check(swarm, self.symbols)
        self._feed = Feed(swarm.members, symbols, numbers, self._habits)
        self.causes = Causes()
        """What was done to agents from outside."""
        self._broken = False
        self._heard: list[tuple[int, str]] = []
        self._touched: list[tuple[int, str, float]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="emergence")
        self._under_way: deque[tuple[int, Future[tuple[list[Found], list[str]]]]] = deque()
        self._waiting = 0
        swarm.parts.bus.on_post(self._posted)
        swarm.witnesses.append(self._feed.beliefs.heard)

    @property
    def watched(self) -> Mapping[str, Watched]:
        """How the detectors do, by type."""
        return self._bank.watched

    # -- in the swarm's loop

    def _posted(self, sender: str, target: str, ts: int) -> None:
        self._heard.append((ts, target))

    def command(self, command: Command) -> None:
        """An operator's command, before it is carried out."""
        self._touched += self.causes.command(command)

    def life(self, event: BusEvent) -> None:
        """A life event of an agent."""
        self.causes.life(event)

    def block(self, record: BlockRecord) -> None:
        """A block is finished: tell what was found meanwhile, and have this one looked at."""
        self._collect(_MOST_WAITING, _MOST_TICKS)
        heard, self._heard = self._heard, []
        touched, self._touched = self._touched, []
        if self._broken:
            self._feed.beliefs.take({})  # what believers say is kept until it is taken
            return
        try:
            batch = self._feed.take(record, self._voters, heard, touched)
        except Exception as error:  # whoever looks on has failed, the run has not
            self._say(self._end(error))
        else:
            self._waiting += len(batch)
            self._under_way.append((len(batch), self._thread.submit(self._look, batch)))

    def close(self) -> None:
        """Wait until everything is seen and told; nothing is watched any more."""
        self._collect(0, 0)
        self._thread.shutdown()

    def save(self, file: Path, *, run: str, version: str) -> None:
        """Keep what was learned, for a later run; nothing where nothing was. After the end."""
        cast, detectors = self._feed.cast, self._bank.memory()
        if cast is None or not detectors:
            return
        names = self._swarm.context.symbols
        habits = {names[s]: one.habits for s, one in self._feed.series.items()}
        memory = Memory(detectors, habits)
        try:
            save(file, self._swarm, self.symbols, cast, memory, run=run, version=version)
        except (OSError, DetectorMemoryError) as error:
            self._say(f"what the emergence monitor has learned was not saved: {error}")

    def abandon(self) -> None:
        """The run has failed: what has not been looked at never is."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _collect(self, blocks: int, ticks: int) -> None:
        """Tell what has been found; wait only while more blocks or ticks than these are waiting."""
        while self._under_way:
            size, look = self._under_way[0]
            if len(self._under_way) <= blocks and self._waiting <= ticks and not look.done():
                return
            self._under_way.popleft()
            self._waiting -= size
            raised, warnings = look.result()
            for text in warnings:
                self._say(text)
            for one in raised:
                self.note(one)

    def _say(self, text: str) -> None:
        if self._warn is not None:
            self._warn(text)

    def _end(self, error: Exception) -> str:
        """Nothing can be looked at any more; what to say of it."""
        self._broken = True
        text = f"{type(error).__name__}: {error}"
        for kind in self._bank.watched:
            self._bank.end(kind, f"the monitor failed: {text}")
        return f"the emergence monitor has ended: {text}"

    def note(self, one: Found) -> None:
        """Tell of a finding and keep it."""
        self.findings.append(one if self._tell is None else self._tell(one))

    # -- in the monitor's thread

    def _habits(self, cast: Cast, symbol: int) -> Habits | None:
        learned = self._learned
        if learned is None:
            return None
        learned.check_cast(cast)
        return learned.habits(self._swarm.context.symbols[symbol])

    def _look(self, batch: Batch) -> tuple[list[Found], list[str]]:
        raised: list[Found] = []
        warnings: list[str] = []
        if self._broken:
            return raised, warnings
        try:
            for shown in self._feed.ticks(batch):
                raised += self._see(shown, warnings)
        except Exception as error:  # whoever looks on has failed, the run has not
            warnings.append(self._end(error))
        return raised, warnings

    def _see(self, shown: Shown, warnings: list[str]) -> list[Found]:
        cast = self._feed.cast
        assert cast is not None
        if not self._bank.built:
            self._bank.build(cast, self._learned)
        return self._bank.update(shown, cast, self.causes, warnings)


def numbers_watched(wanted: str | None, symbols: Sequence[str], agents: int) -> list[int]:
    """Numbers of the symbols to watch; ConfigError for one that is not traded."""
    if wanted is None:
        most = max(1, min(MOST_SYMBOLS, MOST_PAIRS // max(agents, 1)))
        return list(range(min(len(symbols), most)))
    if wanted not in symbols:
        raise ConfigError(
            f"emergence.symbol is {wanted!r}, which is not traded in this run",
            hint="it has " + ", ".join(symbols),
        )
    return [symbols.index(wanted)]


def comparable(findings: Sequence[Found]) -> list[Found]:
    """Findings without what depends on other alerts of the same run."""
    return [msgspec.structs.replace(one, alert=0) for one in findings]
