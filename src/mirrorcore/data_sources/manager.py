"""Asks all sources at once and brings their answers into one order; a failing one hurts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mirrorcore import clock
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.categories import DataCategorizer
from mirrorcore.market.conversion import records_from_row
from mirrorcore.market.merge import merge_records
from mirrorcore.market.records import Record


@runtime_checkable
class SnapshotSource(Protocol):
    """A source that answers with what is new since it was asked last."""

    @property
    def name(self) -> str:
        """How the source is called in failures."""

    async def collect(self) -> Sequence[Record]:
        """New records in order of ``ts_avail``; may raise, may take its time."""


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

    records: tuple[Record, ...]
    failures: Mapping[str, str]


class DataSourceManager:
    """The sources of a run, by the kind of data they bring.

    Parameters
    ----------
    sources: kind (``price``, ``onchain`` …) to its sources: histories, or anything with an
        asynchronous ``collect``. Their order is their rank among records of one instant.
    categorizer: turns records into the six categories.
    timeout_ns: a source that takes longer is left out of the round.

    Several histories keep one clock: a round takes the earliest tick due, from each history that
    has one at that instant.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[SnapshotSource | HistorySource]],
        *,
        categorizer: DataCategorizer | None = None,
        timeout_ns: int = 10 * clock.SECOND,
    ) -> None:
        self.sources: dict[str, list[SnapshotSource | HistoryFeed]] = {
            kind: [one if isinstance(one, SnapshotSource) else HistoryFeed(one) for one in members]
            for kind, members in sources.items()
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
        self._timeout = timeout_ns / clock.SECOND

    async def collect_all_data(self) -> dict[str, dict[str, dict[str, Any]]]:
        """One round over all sources in parallel, as ``{category: {symbol: {name: value}}}``.

        The records and the failures of the round are in ``last``.
        """
        self.last = await self.collect()
        return self.data_categorizer.process(self.last.records)

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
        brought: list[Sequence[Record]] = []
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

    async def _ask(self, source: SnapshotSource | HistoryFeed, due: int | None) -> Sequence[Record]:
        if isinstance(source, HistoryFeed):
            return source.take() if due is not None and source.next_ts() == due else []
        records = await asyncio.wait_for(source.collect(), self._timeout)
        return sorted(records, key=lambda record: (record.ts_avail, record.seq))


async def _due(source: SnapshotSource | HistoryFeed) -> int | None:
    return source.next_ts() if isinstance(source, HistoryFeed) else None


async def _fail(error: BaseException) -> Sequence[Record]:
    raise error


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    return f"{type(error).__name__}: {error}"
