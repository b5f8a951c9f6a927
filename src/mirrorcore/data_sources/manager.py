"""Asks all sources at once and brings their answers into one order; a failing one hurts nobody.

Histories and services are asked in rounds (:meth:`DataSourceManager.collect`); live sources run on
their own and their records come in batches closed by the clock (:meth:`DataSourceManager.batches`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mirrorcore import clock
from mirrorcore.data_sources.live import PolledSource, StreamSource
from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.data_sources.running.merging import Batch, Merger
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.data_sources.running.price_check import PriceCheck
from mirrorcore.data_sources.running.runner import SourceRunner
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.categories import DataCategorizer
from mirrorcore.market.conversion import records_from_row
from mirrorcore.market.merge import merge_records
from mirrorcore.market.records import Bar, FeedRecord, GapRecord, Observation, Record


@runtime_checkable
class SnapshotSource(Protocol):
    """A source that answers with what is new since it was asked last."""

    @property
    def name(self) -> str:
        """How the source is called in failures."""

    async def collect(self) -> Sequence[FeedRecord]:
        """New records in order of ``ts_avail``; may raise, may take its time."""


Member = SnapshotSource | HistorySource | StreamSource | PolledSource
"""What a manager takes."""


class HistoryFeed:
    """A history read tick by tick, for the manager. ``done`` is True after the last tick."""

    def __init__(self, source: HistorySource) -> None:
        self.name = source.name
        self._source = source
        self._ticks = self._records()
        self._ahead: tuple[int, list[Record]] | None = None

    def _records(self) -> Iterator[tuple[int, list[Record]]]:
        previous = 0
        for block in self._source.blocks():
            for row in range(len(block)):
                yield int(block.ts[row]), self._row(block, row, previous)
                previous = int(block.ts[row])

    def _row(self, block: MarketBlock, row: int, previous: int) -> list[Record]:
        return records_from_row(
            block, row, self._source.symbols, source=self.name, previous_ts=previous
        )

    def next_ts(self) -> int | None:
        """When the next tick becomes available, None after the last."""
        if self._ahead is None:
            self._ahead = next(self._ticks, None)
        return None if self._ahead is None else self._ahead[0]

    def take(self) -> list[Record]:
        """The next tick's records; none after the last."""
        self.next_ts()
        ahead, self._ahead = self._ahead, None
        return [] if ahead is None else ahead[1]


@dataclass(frozen=True, slots=True)
class Collection:
    """What one round brought: records by availability, and who failed, with the reason."""

    records: tuple[FeedRecord, ...]
    failures: Mapping[str, str]


class DataSourceManager:
    """The sources of a run, by the kind of data they bring.

    Parameters
    ----------
    sources: kind (``price``, ``onchain`` …) to its sources: histories, anything with an
        asynchronous ``collect``, live sources. Their order is their rank among records of one
        instant.
    categorizer: turns records into the six categories.
    timeout_ns: a source that takes longer is left out of the round.
    time, rng: clock and generator of live sources. With them every stream and polled source is
        given a :class:`SourceRunner`; without them a stream source is refused, and a polled one is
        asked in each round.
    policy: how live sources are run.
    check: compares the prices of venues that quote one symbol.

    Several histories keep one clock: a round takes the earliest tick due, from each history that
    has one at that instant. ``async with manager:`` runs its live sources.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Member]],
        *,
        categorizer: DataCategorizer | None = None,
        timeout_ns: int = 10 * clock.SECOND,
        time: clock.Clock | None = None,
        rng: np.random.Generator | None = None,
        policy: RunnerPolicy | None = None,
        check: PriceCheck | None = None,
    ) -> None:
        self._time = time
        self._rng = rng
        self._policy = policy
        self.sources: dict[str, list[SnapshotSource | HistoryFeed]] = {
            kind: [self._member(one) for one in members] for kind, members in sources.items()
        }
        names = [one.name for members in self.sources.values() for one in members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"two sources are called {', '.join(twice)}", hint="give each its own name"
            )
        self.data_categorizer = DataCategorizer() if categorizer is None else categorizer
        self.last: Collection = Collection((), {})
        self.failures: dict[str, int] = dict.fromkeys(names, 0)
        """How often each source failed so far."""
        self.check = PriceCheck() if check is None else check
        self._timeout = timeout_ns / clock.SECOND
        self._merger = Merger(self.runners, self.check)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def runners(self) -> tuple[SourceRunner, ...]:
        """The live sources, in order of rank."""
        members = (one for group in self.sources.values() for one in group)
        return tuple(one for one in members if isinstance(one, SourceRunner))

    def _member(self, source: Member) -> SnapshotSource | HistoryFeed:
        if isinstance(source, StreamSource | PolledSource):
            if self._time is not None and self._rng is not None:
                (own,) = self._rng.spawn(1)
                return SourceRunner(source, clock=self._time, rng=own, policy=self._policy)
            if isinstance(source, StreamSource):
                raise UsageError(
                    f"{source.spec.name} is a live source and has no clock to run by",
                    hint="give the manager time= and rng=",
                )
        return source if isinstance(source, SnapshotSource) else HistoryFeed(source)

    async def __aenter__(self) -> DataSourceManager:
        """Let every live source run, each in a task of its own."""
        if self._tasks:
            raise UsageError("the sources are running already")
        self._tasks = [asyncio.create_task(one.run(), name=one.name) for one in self.runners]
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        # One that had ended by a defect has told so in its health; the others end all the same.
        await asyncio.gather(*tasks, return_exceptions=True)

    async def batches(
        self, every_ns: int = clock.SECOND, *, empty: bool = False
    ) -> AsyncIterator[Batch]:
        """Batches of the running sources, closed at each multiple of ``every_ns`` by the clock.

        Without ``empty`` a batch comes only when there is something in it. Ends never; leave the
        loop. A loop that is late gets one larger batch, not several.
        """
        if self._time is None:
            raise UsageError("batches need a clock", hint="give the manager time= and rng=")
        while True:
            due = (self._time.now() // every_ns + 1) * every_ns
            while (now := self._time.now()) < due:
                await asyncio.sleep((due - now) / clock.SECOND)
            batch = self._merger.close(now)
            if batch.records or empty:
                yield batch

    def health(self) -> dict[str, SourceHealth]:
        """Every live source by name."""
        return {one.name: one.health() for one in self.runners}

    async def collect_all_data(self) -> dict[str, dict[str, dict[str, Any]]]:
        """One round over all sources in parallel, as ``{category: {symbol: {name: value}}}``.

        The records and the failures of the round are in ``last``.
        """
        self.last = await self.collect()
        # Trades, books and the like are for whoever makes bars and features of them.
        readable = [
            one for one in self.last.records if isinstance(one, Bar | Observation | GapRecord)
        ]
        return self.data_categorizer.process(readable)

    async def collect(self) -> Collection:
        """One round over all sources in parallel. A source that raises is named, not fatal."""
        members = [one for group in self.sources.values() for one in group]
        instants = await asyncio.gather(*map(_due, members), return_exceptions=True)
        due = min((at for at in instants if isinstance(at, int)), default=None)
        # A history that cannot go on says so when it is looked at; it is not asked again.
        answers = await asyncio.gather(
            *(
                self._ask(one, due) if at is None or isinstance(at, int) else _fail(at)
                for one, at in zip(members, instants, strict=True)
            ),
            return_exceptions=True,
        )
        brought: list[Sequence[FeedRecord]] = []
        failures: dict[str, str] = {}
        for one, answer in zip(members, answers, strict=True):
            if isinstance(answer, Exception):
                failures[one.name] = _reason(answer, self._timeout)
                self.failures[one.name] += 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                brought.append(answer)
        return Collection(tuple(merge_records(brought)), failures)

    async def _ask(
        self, source: SnapshotSource | HistoryFeed, due: int | None
    ) -> Sequence[FeedRecord]:
        if isinstance(source, HistoryFeed):
            return source.take() if due is not None and source.next_ts() == due else []
        async with asyncio.timeout(self._timeout):
            records = await source.collect()
        return sorted(records, key=lambda record: (record.ts_avail, record.seq))


async def _due(source: SnapshotSource | HistoryFeed) -> int | None:
    return source.next_ts() if isinstance(source, HistoryFeed) else None


async def _fail(error: BaseException) -> Sequence[FeedRecord]:
    raise error


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    return f"{type(error).__name__}: {error}"
