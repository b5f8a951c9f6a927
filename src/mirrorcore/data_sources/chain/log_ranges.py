"""Logs of many blocks, in as few questions as the node allows."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorcore.data_sources.chain.events import Log
from mirrorcore.data_sources.chain.rpc import Node
from mirrorcore.data_sources.chain.rpc_errors import RangeTooLargeError
from mirrorcore.data_sources.live import SourceError

MOST_BLOCKS = 2_000


class LogRanges:
    """Asks for ranges; halves one the node refuses, and widens again slowly when it answers.

    Providers limit the blocks, the logs or the bytes of an answer, and say so each in its own way;
    what they allow is found out rather than configured.
    """

    def __init__(self, node: Node, *, most_blocks: int = MOST_BLOCKS) -> None:
        self._node = node
        self._most = most_blocks
        self.width = most_blocks
        self.splits = 0
        """How often a range was refused so far."""

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[Log]:
        """Logs of blocks ``first`` to ``last`` in order of the chain."""
        found: list[Log] = []
        while first <= last:
            until = min(last, first + self.width - 1)
            try:
                found += await self._node.logs(first, until, addresses, topics)
            except RangeTooLargeError as refused:
                blocks = until - first + 1
                if blocks == 1:
                    raise SourceError(
                        f"not even one block's logs are answered: {refused}",
                        hint="ask a node with a larger allowance",
                    ) from refused
                self.width = blocks // 2
                self.splits += 1
                continue
            first = until + 1
            self.width = min(self._most, self.width + max(1, self.width // 16))
        return sorted(found, key=lambda log: (log.block, log.index))
