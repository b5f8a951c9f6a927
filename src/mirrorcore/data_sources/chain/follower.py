"""Follows a chain by block number: what is new, what is final, what was undone.

Newest blocks are read one by one, with their logs asked for by block *hash*: then no log of another
fork can slip in. A node may tell of a block before it can find the logs in it, and then answers
with none: where the header says that there may be some, it is asked again when the block becomes
final. Blocks that are final already are caught up with in chunks, their logs by ranges of numbers,
each compared with the hash of its block.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from mirrorcore.clock import Clock
from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.log_ranges import LogRanges
from mirrorcore.data_sources.chain.rpc import Block, Node
from mirrorcore.data_sources.chain.rpc_errors import MovedError
from mirrorcore.data_sources.chain.trail import Link, Trail
from mirrorcore.data_sources.live import SourceError
from mirrorcore.market.records import FeedRecord, Flag, Observation, Status

CHUNK = 32
"""Blocks read at once while catching up."""
_MOST_MOVES = 20
"""Polls in a row that found the chain changing under the reading before that is an error."""

_MOST_REVISIONS = 10_000
"""Observations remembered as told of undone blocks."""


class BlockReader(Protocol):
    """What makes records of a block. It is told of every block in order, and of those undone."""

    @property
    def addresses(self) -> Sequence[str]:
        """Contracts whose logs it reads."""

    @property
    def topics(self) -> Sequence[str]:
        """First topics of the logs it reads."""

    @property
    def full(self) -> bool:
        """Whether it reads the transactions too."""

    async def begin(self, node: Node, below: Block) -> None:
        """Forget everything; the next block read lies on top of ``below``."""

    async def read(self, node: Node, block: Block, logs: Sequence[Log]) -> list[FeedRecord]:
        """The records of a block in order, unstamped: ``ts_recv`` and ``ts_avail`` are 0."""

    def retract(self, first: int) -> None:
        """Blocks from this height on did not happen."""


class ChainFollower:
    """One walk along a chain; ``pending`` fills with records to be told in order.

    Parameters
    ----------
    node, reader: where blocks come from and what is made of them.
    clock: says when records reached us; None where the chain's own time counts, in a backfill.
    source, symbol: of its reorg statuses.
    trail: empty.
    block_ns: usual time between blocks.
    act_on_unconfirmed: observations are told at the head already, flagged PROVISIONAL; otherwise
        only when final, and provisional records are not available before they are to be expected
        final.
    """

    def __init__(
        self,
        node: Node,
        reader: BlockReader,
        clock: Clock | None,
        trail: Trail,
        *,
        source: str,
        symbol: str,
        block_ns: int,
        act_on_unconfirmed: bool = False,
    ) -> None:
        self.pending: deque[FeedRecord] = deque()
        self.trail = trail
        self.reorgs = 0
        """Reorganisations seen so far."""
        self.epoch = 0
        self._node = node
        self._reader = reader
        self._clock = clock
        self._source = source
        self._symbol = symbol
        self._block_ns = block_ns
        # Without confirmations every block is final at once: there is no head to act on.
        self._act = act_on_unconfirmed and trail.confirmations > 0
        self._ranges = LogRanges(node, most_blocks=CHUNK)
        self._moves = 0
        self._below = 0
        self._told: dict[tuple[str, str, int], None] = {}
        """Observations told of blocks undone since: the same told anew is a revision."""

    def start(self, below: int) -> None:
        """Read on from the block above height ``below``, whose hash is taken as it is found."""
        self._below = max(below, 0)

    async def _begin(self) -> None:
        block = await self._node.block(self._below)
        if block is None:
            raise SourceError(
                f"the node has no block {self._below}", hint="it may still be syncing"
            )
        await self._reader.begin(self._node, block)
        self.trail.append(block, told=True)

    @property
    def height(self) -> int:
        """The newest block read."""
        tip = self.trail.tip
        return self._below if tip is None else tip.number

    async def poll(self, until: int | None = None) -> bool:
        """Read on, at most one chunk and up to height ``until``; whether there is more at once."""
        try:
            more = await self._advance(until)
        except MovedError as moved:
            self._moves += 1
            if self._moves >= _MOST_MOVES:
                raise SourceError(f"the chain does not hold still: {moved}") from moved
            return False
        self._moves = 0
        return more

    async def _advance(self, until: int | None) -> bool:
        if self.trail.tip is None:
            await self._begin()
        tip = self.trail.tip
        newest = await self._node.block(None)
        if newest is None or tip is None:
            raise SourceError("the node has no newest block", hint="it may still be syncing")
        if newest.number <= tip.number:
            # Lower with a hash we know: a node behind the others. Another hash: a reorganisation.
            if self.trail.hash_at(newest.number) != newest.hash:
                await self._undo()
                return True
            return False
        last = newest.number if until is None else min(until, newest.number)
        settled = min(last, newest.number - self.trail.confirmations)
        if settled > tip.number:
            return await self._catch_up(tip.number + 1, min(settled, tip.number + CHUNK), last)
        if tip.number >= last:
            return False
        return await self._step(tip.number + 1, last)

    async def _step(self, number: int, last: int) -> bool:
        """Read one block near the head."""
        block = await self._node.block(number, full=self._reader.full)
        if block is None:
            return False  # announced by one node, asked of another
        if not await self._follows(block):
            return True
        logs = await self._node.block_logs(block.hash, self._reader.addresses, self._reader.topics)
        await self._put(block, logs, self.trail.confirmations == 0)
        return number < last

    async def _catch_up(self, first: int, until: int, last: int) -> bool:
        """Read a chunk of blocks that are final already."""
        asked = [self._node.block(at, full=self._reader.full) for at in range(first, until + 1)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        blocks = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                raise MovedError(f"a block of {first} to {until} is gone")
            blocks.append(answer)
        logs = await self._ranges.logs(first, until, self._reader.addresses, self._reader.topics)
        hashes = {block.number: block.hash for block in blocks}
        for log in logs:
            if hashes.get(log.block) != log.block_hash:
                raise MovedError(f"a log of block {log.block} is of another fork")
        for block in blocks:
            if not await self._follows(block):
                return True
            await self._put(block, await self._logs_of(block, logs), True)
        return until < last

    async def _logs_of(self, block: Block, logs: Sequence[Log]) -> Sequence[Log]:
        """The block's among the logs of a range. A node may answer a range with nothing where it
        has something; where the header says that there may be more, the block itself is asked."""
        found = [log for log in logs if log.block == block.number]
        if found or not self._may_hold(block):
            return found
        return await self._node.block_logs(block.hash, self._reader.addresses, self._reader.topics)

    def _may_hold(self, block: Block) -> bool:
        return block.may_hold(self._reader.addresses, self._reader.topics)

    async def _put(self, block: Block, logs: Sequence[Log], settled: bool) -> None:
        """Take a block in, tell of it, and of whatever became final by it."""
        found = await self._reader.read(self._node, block, logs)
        link = self.trail.append(block)
        link.found = found
        link.doubtful = not settled and not logs and self._may_hold(block)
        self._tell_head(link, settled)
        if await self._held_back():
            return
        for final in self.trail.final():
            self._tell_final(final)

    async def _held_back(self) -> bool:
        """Whether a block that is final now has logs which the node had not answered with. It is
        then read again, and so is everything above it."""
        reader = self._reader
        for link in self.trail.untold():
            if not link.doubtful:
                continue
            block = link.block
            if await self._node.block_logs(block.hash, reader.addresses, reader.topics):
                self._retract(block.number, f"the node held back logs of block {block.number}")
                return True
            link.doubtful = False
        return False

    async def _follows(self, block: Block) -> bool:
        """Whether a block lies on the tip; where it does not, what was undone is retracted."""
        tip = self.trail.tip
        if tip is not None and block.parent_hash == tip.hash:
            return True
        await self._undo()
        return False

    async def _undo(self) -> None:
        """Go down to the block that both forks share, and retract everything above it."""
        tip = self.trail.tip
        assert tip is not None, "nothing was read that could be undone"
        below = tip.number
        while (mine := self.trail.hash_at(below)) is not None:
            theirs = await self._node.block(below)
            if theirs is not None and theirs.hash == mine:
                break
            below -= 1
        if below == tip.number:
            # The block that did not follow is gone again: the fork it was on did not last.
            raise MovedError(f"block {below + 1} changed while it was read")
        unknown = self.trail.hash_at(below) is None
        count = tip.number - below
        reason = f"{count} blocks above {below} were replaced"
        if unknown:
            count = len(self.trail)
            reason = f"all {count} blocks remembered were replaced, perhaps more below {below}"
        self.reorgs += 1
        self._retract(below + 1, reason)
        if unknown:
            self.start(below)

    def _retract(self, first: int, reason: str) -> None:
        """What was read from height ``first`` on did not happen, or not as it was told."""
        gone = self.trail.retract(first)
        self._reader.retract(first)
        for link in gone:
            self._remember(link)
        self.tell_reorg(first, gone[0].block.ts, reason)

    def _remember(self, link: Link) -> None:
        """Whatever agents were told of an undone block will be revised when it is told again."""
        if not (self._act or link.told):
            return
        for record in link.found:
            if isinstance(record, Observation):
                self._told[(record.series, record.symbol, record.ts_event)] = None
        while len(self._told) > _MOST_REVISIONS:
            del self._told[next(iter(self._told))]

    def tell_reorg(self, first: int, ts: int, reason: str) -> None:
        """Everything told from height ``first`` on is retracted; ``ts`` is that block's time."""
        now = self._now(ts)
        self.pending.append(
            Status(
                source=self._source,
                symbol=self._symbol,
                ts_event=ts,
                ts_recv=now,
                ts_avail=max(now, ts),
                epoch=self.epoch,
                state="reorg",
                reason=reason,
                block=first,
            )
        )

    def _tell_head(self, link: Link, settled: bool) -> None:
        """The records of a block just read, which may still be undone unless it is ``settled``."""
        now = self._now(link.block.ts)
        expected = link.block.ts + self.trail.confirmations * self._block_ns
        for record in link.found:
            is_observation = isinstance(record, Observation)
            if (settled and not is_observation) or (is_observation and not self._act):
                continue  # told when final
            available = now if self._act else max(now, expected)
            self._tell(record, now, available, Flag.NONE if settled else Flag.PROVISIONAL)

    def _tell_final(self, link: Link) -> None:
        now = self._now(self._tip_ts())
        for record in link.found:
            if self._act and isinstance(record, Observation):
                continue  # told at the head
            self._tell(record, now, now, Flag.NONE)

    def _tip_ts(self) -> int:
        tip = self.trail.tip
        return 0 if tip is None else tip.ts

    def _tell(self, record: FeedRecord, now: int, available: int, flags: Flag) -> None:
        if isinstance(record, Observation):
            key = (record.series, record.symbol, record.ts_event)
            if key in self._told:
                del self._told[key]
                flags |= Flag.REVISED
        self.pending.append(
            msgspec.structs.replace(
                record,
                ts_recv=now,
                ts_avail=max(available, record.ts_event),
                flags=record.flags | flags,
                epoch=self.epoch,
            )
        )

    def _now(self, chain_time: int) -> int:
        return chain_time if self._clock is None else self._clock.now()
