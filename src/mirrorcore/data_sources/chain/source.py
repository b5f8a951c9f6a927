"""What every source that follows a chain shares: connecting, resuming, reading history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from mirrorcore import clock
from mirrorcore.clock import Clock
from mirrorcore.data_sources.chain.follower import BlockReader, ChainFollower
from mirrorcore.data_sources.chain.numbering import height_of_position, height_of_record
from mirrorcore.data_sources.chain.rpc import Node, Rpc
from mirrorcore.data_sources.chain.trail import Trail
from mirrorcore.data_sources.live import Cursor, SourceError, SourceSpec
from mirrorcore.market.records import FeedRecord, Flag, Status

KINDS_OF_A_BLOCK = ("block", "transfer", "swap")
"""Kinds whose event time is their block's."""

_MOST_WAITS = 10
"""Looks in vain at a block that should be there before a backfill fails."""


@dataclass(frozen=True, slots=True)
class ChainRules:
    """How a chain is followed.

    Parameters
    ----------
    chain_id: the chain that the node has to follow; 1 is Ethereum.
    confirmations: blocks on top after which a block counts as final; 0 trusts the head.
    memory: blocks remembered; a deeper reorganisation cannot be followed to its fork.
    block_ns: usual time between blocks.
    poll_ns: between two looks at the head.
    act_on_unconfirmed: observations are made at the head, flagged PROVISIONAL, and told again as
        REVISED after a reorganisation. Otherwise nothing may act on a block that is not final.
    start_block: the first to read where no cursor says better; None for what comes next.
    """

    chain_id: int = 1
    confirmations: int = 12
    memory: int = 256
    block_ns: int = 12 * clock.SECOND
    poll_ns: int = 3 * clock.SECOND
    act_on_unconfirmed: bool = False
    start_block: int | None = None


class ChainReader(BlockReader, Protocol):
    """A reader of blocks that knows what has to be true of the contracts it reads."""

    async def verify(self, node: Node) -> None:
        """SourceError where a contract is not what the configuration says of it."""

    def needs_from(self, ts: int) -> int:
        """The event time from which blocks are needed to know everything as of ``ts`` (ns)."""


class Resumed:
    """What a cursor says was told already."""

    def __init__(self, since: Cursor, kinds: Sequence[str], symbols: Sequence[str]) -> None:
        self._positions = {
            (symbol, kind): position
            for (symbol, kind), position in since.items()
            if kind in kinds and symbol in symbols and position.seq > 0
        }
        heights = [
            height_of_position(kind, position.seq)
            for (_, kind), position in self._positions.items()
        ]
        self.height = max(heights, default=None)
        """The newest block of which something was told; None where nothing was."""

    def block_ts(self) -> int | None:
        """Event time of the newest block, where a record of it tells."""
        for (_, kind), position in self._positions.items():
            if kind in KINDS_OF_A_BLOCK and height_of_position(kind, position.seq) == self.height:
                return position.ts_event
        return None

    def told(self, record: FeedRecord) -> bool:
        """Whether a record went out before. Blocks go out whole and in order of the chain."""
        if self.height is None:
            return False
        height = height_of_record(record)
        if height != self.height:
            return height < self.height
        position = self._positions.get((record.symbol, kind_of(record)))
        return position is not None and record.seq <= position.seq


def kind_of(record: FeedRecord) -> str:
    """The tag under which a record stands in a cursor."""
    return str(type(record).__struct_config__.tag)


class ChainSource:
    """A source that follows one chain; subclasses say what is read of its blocks.

    The reading outlives its connection: a second ``stream`` goes on with the very next record. Only
    a source made anew needs the cursor, in which provisional records do not count.
    """

    def __init__(
        self, endpoint: str, clock: Clock, spec: SourceSpec, rules: ChainRules, symbol: str
    ) -> None:
        self._spec = spec
        self._rules = rules
        self._clock = clock
        self._symbol = symbol
        self._node = Rpc(endpoint, clock)
        self._verified = False
        self._epoch = 0
        self._resumed = Resumed({}, (), ())
        self._follower: ChainFollower | None = None

    @property
    def spec(self) -> SourceSpec:
        """What it is; never changes."""
        return self._spec

    @property
    def reorgs(self) -> int:
        """Reorganisations seen so far."""
        return 0 if self._follower is None else self._follower.reorgs

    def _reader(self) -> ChainReader:
        """A new reader that has read nothing."""
        raise RuntimeError(f"{type(self).__name__} does not say what it reads")

    async def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        """Follow the chain until cancelled; SourceError when the node fails."""
        await self._verify()
        self._epoch += 1
        if self._follower is None:
            self._follower = await self._begin(since)
        follower = self._follower
        follower.epoch = self._epoch
        while True:
            # Taken off before it is handed over: however the consumer leaves, it is told once.
            while follower.pending:
                record = follower.pending.popleft()
                if isinstance(record, Status):
                    self._retracted(record)
                    yield record
                elif not self._resumed.told(record):
                    yield record
            if not await follower.poll():
                if follower.pending:
                    continue
                await asyncio.sleep(self._rules.poll_ns / clock.SECOND)

    async def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        """Final blocks of [start, end) ns. ``ts_avail`` is the time of the block that made each
        final, as the chain itself tells it: what a follower could have known then."""
        await self._verify()
        newest = await self._height()
        reader = self._reader()
        first = await self._first_at(reader.needs_from(start), newest)
        last = min(newest, await self._first_at(end, newest) - 1 + self._rules.confirmations)
        resumed = Resumed(since, self._spec.kinds, self._spec.symbols)
        follower = self._new_follower(reader, None)
        follower.start(first - 1)
        waits = 0
        while first <= last and follower.height < last:
            if not await follower.poll(last) and follower.height < last:
                waits += 1
                if waits > _MOST_WAITS:
                    raise SourceError(f"the node does not give block {follower.height + 1}")
                await asyncio.sleep(self._rules.poll_ns / clock.SECOND)
            while follower.pending:
                record = follower.pending.popleft()
                if isinstance(record, Status):
                    raise SourceError("the chain was reorganised while its history was read")
                provisional = record.flags & Flag.PROVISIONAL
                if start <= record.ts_event < end and not provisional and not resumed.told(record):
                    yield msgspec.structs.replace(
                        record, ts_recv=self._clock.now(), flags=record.flags | Flag.BACKFILL
                    )

    async def aclose(self) -> None:
        """Give up connections; the source is not used again."""
        await self._node.aclose()

    async def _verify(self) -> None:
        if self._verified:
            return
        chain = await self._node.chain_id()
        if chain != self._rules.chain_id:
            raise SourceError(
                f"{self._spec.name}: the node follows chain {chain}, not {self._rules.chain_id}",
                hint="give the address of a node of that chain, or its chain_id",
                permanent=True,
            )
        await self._reader().verify(self._node)
        self._verified = True

    async def _begin(self, since: Cursor) -> ChainFollower:
        reader = self._reader()
        follower = self._new_follower(reader, self._clock)
        resumed = Resumed(since, self._spec.kinds, self._spec.symbols)
        if resumed.height is None:
            first = self._rules.start_block
            follower.start(await self._height() if first is None else first - 1)
            return follower
        newest = await self._height()
        last = await self._node.block(min(resumed.height, newest))
        if last is None:
            raise SourceError(f"the node has no block {resumed.height}")
        told_ts = resumed.block_ts()
        if last.number == resumed.height and told_ts in (None, last.ts):
            self._resumed = resumed
        else:
            # Only its height and time are known of what was told; how deep it goes is not.
            reason = f"block {resumed.height}, the last one told, was replaced meanwhile"
            follower.tell_reorg(last.number, last.ts, reason)
        first = await self._first_at(reader.needs_from(last.ts), last.number)
        follower.start(min(first, last.number) - 1)
        return follower

    def _new_follower(self, reader: ChainReader, clock: Clock | None) -> ChainFollower:
        return ChainFollower(
            self._node,
            reader,
            clock,
            Trail(self._rules.confirmations, self._rules.memory),
            source=self._spec.name,
            symbol=self._symbol,
            block_ns=self._rules.block_ns,
            act_on_unconfirmed=self._rules.act_on_unconfirmed,
        )

    def _retracted(self, status: Status) -> None:
        """What a reorganisation undid may be told again under the same numbers."""
        if self._resumed.height is not None and status.block <= self._resumed.height:
            self._resumed = Resumed({}, (), ())

    async def _height(self) -> int:
        newest = await self._node.block(None)
        if newest is None:
            raise SourceError("the node has no newest block", hint="it may still be syncing")
        return newest.number

    async def _first_at(self, ts: int, newest: int) -> int:
        """Height of the first block at or after ``ts`` ns; ``newest`` + 1 where there is none."""
        low, high = 0, newest + 1
        while low < high:
            middle = (low + high) // 2
            block = await self._node.block(middle)
            if block is None:
                raise SourceError(f"the node has no block {middle}")
            if block.ts >= ts:
                high = middle
            else:
                low = middle + 1
        return low
