"""What a run adds up to: one digest for each part, and the fingerprint over them.

Digests do not depend on how ticks are cut into blocks, nor on the run's id, its mode, bus sequence
numbers or anything a wall clock said.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from mirrorcore.market.block import Floats, Ints

_SIZE = 16
_GATHERED = 128
"""Rows hashed at once; they wait as bytes, those of each agent by themselves."""


class Digest:
    """A running hash over rows; rows are gathered and hashed in batches.

    Parameters
    ----------
    cuts: instants, rising. For each, ``prefixes`` has the hash over the rows up to it, so that a
        run that ends there can be compared with this one.
    """

    __slots__ = ("_cuts", "_hash", "_rows", "prefixes")

    def __init__(self, cuts: Sequence[int] = ()) -> None:
        self._hash = hashlib.blake2b(digest_size=_SIZE)
        self._rows: list[bytes] = []
        self._cuts = deque(cuts)
        self.prefixes: dict[int, str] = {}

    def add(self, ts: int, row: bytes) -> None:
        """One row that belongs to instant ``ts``; instants never fall."""
        if self._cuts and ts > self._cuts[0]:
            self._cut(ts)
        self._rows.append(row)
        if len(self._rows) >= _GATHERED:
            self._flush()

    def add_rows(self, ts: Ints, table: Floats) -> None:
        """The rows of a (T, K) table, one after the other."""
        self._flush()
        table = np.ascontiguousarray(table)
        start = 0
        while self._cuts and self._cuts[0] < ts[-1]:
            stop = int(np.searchsorted(ts, self._cuts[0], side="right"))
            self._hash.update(table[start:stop].data)
            self._cut(self._cuts[0] + 1)
            start = stop
        self._hash.update(table[start:].data)

    def _cut(self, ts: int) -> None:
        """Keep the hash for every cut before ``ts``."""
        while self._cuts and self._cuts[0] < ts:
            self.prefixes[self._cuts.popleft()] = self.hexdigest()

    def _flush(self) -> None:
        if self._rows:
            self._hash.update(b"".join(self._rows))
            self._rows.clear()

    def hexdigest(self) -> str:
        self._flush()
        return self._hash.copy().hexdigest()

    def at(self, cut: int) -> str:
        """The hash over the rows up to ``cut``."""
        return self.prefixes.get(cut) or self.hexdigest()


class RunDigests:
    """The digests of a run: one for each agent's published states, and of the three outcomes."""

    def __init__(self, cuts: Sequence[int] = ()) -> None:
        self._cuts = tuple(cuts)
        self._agents: dict[str, Digest] = {}
        self._named: set[str] = set()
        self.decisions, self.orders, self.fills = (Digest(cuts) for _ in range(3))

    def register(self, agent_id: str, *, named: bool = False) -> None:
        """One agent more; ``named`` where its fields vary, so that their names count as well."""
        self._agents[agent_id] = Digest(self._cuts)
        if named:
            self._named.add(agent_id)

    def block(self, agent_id: str, ts: Ints, columns: Mapping[str, Floats]) -> None:
        """T states of a block agent at once; the same bytes as T single ones."""
        table = [ts.view(np.float64)[:, None]]
        table.extend(
            column if column.ndim == 2 else column[:, None] for _, column in sorted(columns.items())
        )
        self._agents[agent_id].add_rows(ts, np.concatenate(table, axis=1))

    def state(self, agent_id: str, ts: int, delta: Mapping[str, Any]) -> None:
        """One published delta."""
        digest = self._agents.get(agent_id)
        if digest is not None:
            digest.add(ts, _encoded(ts, delta, named=agent_id in self._named))

    def _all(self) -> dict[str, Digest]:
        return {
            "decisions": self.decisions,
            "orders": self.orders,
            "fills": self.fills,
            **{f"agent:{name}": digest for name, digest in self._agents.items()},
        }

    def results(self) -> dict[str, str]:
        """Part by name, over the whole run."""
        return {name: digest.hexdigest() for name, digest in self._all().items()}

    def at(self, cut: int) -> dict[str, str]:
        """Part by name, over the run up to one of its cuts."""
        return {name: digest.at(cut) for name, digest in self._all().items()}


def _encoded(ts: int, delta: Mapping[str, Any], *, named: bool = False) -> bytes:
    parts = [ts.to_bytes(8, "little", signed=True)]
    for name, value in sorted(delta.items()):
        if named:
            parts.append(msgspec.msgpack.encode(name))
        if type(value) is float:
            parts.append(np.float64(value).tobytes())
        elif isinstance(value, np.ndarray):
            parts.append(value.tobytes())
        else:
            parts.append(_packed([name, value]))
    return b"".join(parts)


def _packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value, enc_hook=_plain)
    except OverflowError:  # a whole number beyond 64 bits somewhere in it
        return repr(value).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return repr(value)


def row_bytes(row: Iterable[int | str]) -> bytes:
    """An order's or a fill's row as bytes."""
    return msgspec.msgpack.encode(tuple(row))


def fingerprint(parts: Mapping[str, str]) -> str:
    """The one hash over all parts, by name."""
    whole = hashlib.blake2b(digest_size=_SIZE)
    for name in sorted(parts):
        whole.update(f"{name}={parts[name]}\n".encode())
    return whole.hexdigest()
