"""The part of a chain that has been read and may still be undone: pure bookkeeping.

A block is *final* when ``confirmations`` blocks lie on top of it. Final ones stay on the trail
until ``memory`` is used up, because a chain may be undone deeper than anybody expected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.data_sources.chain.rpc import Block


@dataclass(slots=True)
class Link:
    """One block read, with what was found in it; ``told`` once its final records went out.

    ``doubtful``: its header says that there may be logs, and none were answered.
    """

    block: Block
    found: list[Any] = field(default_factory=list)
    told: bool = False
    doubtful: bool = False


class Trail:
    """Blocks read so far, each the parent of the next.

    Parameters
    ----------
    confirmations: blocks on top that make one final; 0 makes each final at once.
    memory: blocks kept; a reorganisation deeper than that cannot be followed to its fork.
    """

    def __init__(self, confirmations: int, memory: int) -> None:
        if confirmations < 0 or memory <= confirmations:
            raise ValueError(
                f"confirmations was {confirmations} and memory {memory};"
                " needed: 0 <= confirmations < memory"
            )
        self.confirmations = confirmations
        self._memory = memory
        self._links: deque[Link] = deque()

    def __len__(self) -> int:
        return len(self._links)

    @property
    def tip(self) -> Block | None:
        """The newest block read; None before the first."""
        return self._links[-1].block if self._links else None

    @property
    def lowest(self) -> int:
        """Height of the oldest block remembered."""
        return self._links[0].block.number

    def hash_at(self, number: int) -> str | None:
        """The hash read at a height; None where nothing is remembered."""
        if not self._links:
            return None
        at = number - self.lowest
        return self._links[at].block.hash if 0 <= at < len(self._links) else None

    def append(self, block: Block, *, told: bool = False) -> Link:
        """Put the next block on top; ValueError where it does not follow the tip."""
        tip = self.tip
        if tip is not None and (block.parent_hash != tip.hash or block.number != tip.number + 1):
            raise ValueError(f"block {block.number} does not follow block {tip.number}")
        link = Link(block, told=told)
        self._links.append(link)
        while len(self._links) > self._memory and self._links[0].told:
            self._links.popleft()
        return link

    def untold(self) -> list[Link]:
        """Blocks that are final and were not told yet, oldest first."""
        tip = self.tip
        if tip is None:
            return []
        newest = tip.number - self.confirmations
        return [one for one in self._links if one.block.number <= newest and not one.told]

    def final(self) -> Iterator[Link]:
        """The same, each marked as told."""
        for link in self.untold():
            link.told = True
            yield link

    def retract(self, first: int) -> list[Link]:
        """Take away every block from height ``first`` on; they come back oldest first."""
        gone: deque[Link] = deque()
        while self._links and self._links[-1].block.number >= first:
            gone.appendleft(self._links.pop())
        return list(gone)
