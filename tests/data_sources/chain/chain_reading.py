"""Takes records off a source until there are enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from chain_evm import GENESIS

from mirrorcore import clock
from mirrorcore.clock import VirtualClock
from mirrorcore.data_sources.chain.source import ChainRules, ChainSource
from mirrorcore.data_sources.live import Cursor
from mirrorcore.market.records import (
    ChainBlock,
    FeedRecord,
    Flag,
    Observation,
    Status,
    Swap,
    Transfer,
)

T = TypeVar("T")

LATER = (GENESIS + 1_000_000) * clock.SECOND
"""What our clock says: after anything that happens on the machines of the tests."""

Enough = Callable[[Sequence[FeedRecord]], bool]


def now() -> VirtualClock:
    return VirtualClock(LATER)


def rules(confirmations: int = 3, **others: Any) -> ChainRules:
    """Of the machines of the tests; looks at the head every 5 ms."""
    settings: dict[str, Any] = {
        "chain_id": 31337,
        "memory": 64,
        "poll_ns": 5 * clock.MILLISECOND,
        **others,
    }
    return ChainRules(confirmations=confirmations, **settings)


async def take(
    source: ChainSource,
    enough: Enough,
    since: Cursor | None = None,
    taken: list[FeedRecord] | None = None,
) -> list[FeedRecord]:
    """What comes until there is enough of it, after what was ``taken`` before; fails after 10 s."""
    taken = [] if taken is None else taken
    async with asyncio.timeout(10), aclosing(_stream(source, since or {})) as records:
        async for record in records:
            taken.append(record)
            if enough(taken):
                return taken
    raise AssertionError("the stream ended")


def _stream(source: ChainSource, since: Cursor) -> Any:
    return source.stream(since)


async def all_of(records: AsyncIterator[FeedRecord]) -> list[FeedRecord]:
    async with asyncio.timeout(10):
        return [record async for record in records]


def until_block(number: int, *, provisional: bool = False) -> Enough:
    """Until a source that tells blocks told this one."""

    def enough(taken: Sequence[FeedRecord]) -> bool:
        last = taken[-1]
        return (
            isinstance(last, ChainBlock)
            and last.seq >= number
            and bool(last.flags & Flag.PROVISIONAL) == provisional
        )

    return enough


def until_swaps(count: int, *, provisional: bool = False) -> Enough:
    """Until so many swaps were told."""
    return lambda taken: len(swaps(taken, provisional=provisional)) >= count


def until_swap_at(block: int, *, provisional: bool = False) -> Enough:
    """Until a swap of this block was told."""
    return lambda taken: any(one.block == block for one in swaps(taken, provisional=provisional))


def until_reorg(taken: Sequence[FeedRecord]) -> bool:
    return isinstance(taken[-1], Status)


def final(records: Sequence[FeedRecord]) -> list[FeedRecord]:
    return [one for one in records if not one.flags & Flag.PROVISIONAL]


def _of(records: Sequence[FeedRecord], kind: type[T], provisional: bool) -> list[T]:
    return [
        one
        for one in records
        if isinstance(one, kind) and bool(one.flags & Flag.PROVISIONAL) == provisional  # type: ignore[attr-defined]
    ]


def swaps(records: Sequence[FeedRecord], *, provisional: bool = False) -> list[Swap]:
    return _of(records, Swap, provisional)


def transfers(records: Sequence[FeedRecord], *, provisional: bool = False) -> list[Transfer]:
    return _of(records, Transfer, provisional)


def observed(
    records: Sequence[FeedRecord], series: str, *, provisional: bool = False
) -> list[Observation]:
    return [one for one in _of(records, Observation, provisional) if one.series == series]


def identity(record: Swap | Transfer) -> tuple[str, str, int]:
    return record.block_hash, record.transaction, record.log_index


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)
