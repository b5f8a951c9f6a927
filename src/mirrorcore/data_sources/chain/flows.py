"""Signed flows summed over windows of chain time, exactly, and taken back when a block is undone.

A window ends at a multiple of its length and is closed by the first block at or after its end: then
no block can still add to it, unless the chain is reorganised. A window without any flow is a true
zero, because every block of it was read. The first one, of which the reading may have missed the
beginning, is not told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """``amount`` smallest units of ``key``; positive where its holders bought."""

    key: str
    amount: int


@dataclass(frozen=True, slots=True)
class Window:
    """The flows of [start, end) ns, one sum for each key in the order given at construction."""

    start: int
    end: int
    sums: Mapping[str, int]


class FlowWindows:
    """Sums by window.

    Parameters
    ----------
    keys: everything that is summed; each window has a sum for all of them.
    length_ns: of a window.
    memory: blocks that can be taken back.
    """

    def __init__(self, keys: Sequence[str], length_ns: int, memory: int) -> None:
        if length_ns <= 0:
            raise ValueError(f"the window's length was {length_ns} ns, must be above 0")
        self._keys = tuple(keys)
        self._length = length_ns
        self._memory = memory
        self._blocks: deque[tuple[int, int, tuple[Flow, ...]]] = deque()
        self._first = 0

    def begin(self, below_ts: int) -> None:
        """Forget everything; the next block comes after one of this time (ns)."""
        self._blocks.clear()
        # The block below was not read and may have had flows: its window is not told.
        self._first = below_ts // self._length + 1

    def add(self, block: int, ts: int, flows: Sequence[Flow]) -> list[Window]:
        """The windows that this block closes, oldest first; its own flows belong to a later one."""
        unknown = [flow.key for flow in flows if flow.key not in self._keys]
        if unknown:
            raise ValueError(f"flows of {', '.join(unknown)} are not summed here")
        before = self._blocks[-1][1] // self._length if self._blocks else self._first - 1
        now = ts // self._length
        closed = [self._window(number) for number in range(max(before, self._first), now)]
        self._blocks.append((block, ts, tuple(flows)))
        self._prune()
        return closed

    def retract(self, first: int) -> None:
        """Blocks from ``first`` on did not happen; windows that they closed are open again."""
        while self._blocks and self._blocks[-1][0] >= first:
            self._blocks.pop()

    def _window(self, number: int) -> Window:
        sums = dict.fromkeys(self._keys, 0)
        start, end = number * self._length, (number + 1) * self._length
        for _, ts, flows in reversed(self._blocks):
            if ts < start:
                break
            if ts < end:
                for flow in flows:
                    sums[flow.key] += flow.amount
        return Window(start, end, sums)

    def _prune(self) -> None:
        """Drop blocks that can neither be taken back nor belong to a window still to be told."""
        while len(self._blocks) > self._memory:
            # With all that can be taken back gone, this one is the newest and its window is open.
            newest_left = self._blocks[len(self._blocks) - self._memory - 1]
            if self._blocks[0][1] // self._length >= newest_left[1] // self._length:
                return
            self._blocks.popleft()
