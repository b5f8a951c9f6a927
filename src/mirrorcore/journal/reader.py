"""Reads a journal, also while it is being written, and verifies its chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from mirrorcore.journal.coding import T, decode_as
from mirrorcore.journal.database import check_schema, connect
from mirrorcore.journal.entries import (
    GENESIS,
    Entry,
    JournalError,
    Kind,
    link,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What :meth:`JournalReader.verify` found.

    ``first_bad`` is the sequence number of the first entry that is missing, added or altered, None
    where the chain holds; ``head`` the hash of the last good entry; ``ended`` whether the run wrote
    its end.
    """

    entries: int
    head: str
    first_bad: int | None
    reason: str
    ended: bool

    @property
    def holds(self) -> bool:
        return self.first_bad is None


class JournalReader:
    """A journal, open for reading.

    Raises
    ------
    JournalError: there is none at ``path``, or it is no journal of a known version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise JournalError(f"there is no journal at {path}")
        self._connection = connect(path, writable=False)
        try:
            check_schema(self._connection, path)
        except JournalError:
            self._connection.close()
            raise

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def entries(
        self,
        *kinds: Kind,
        after: int = 0,
        start: int | None = None,
        end: int | None = None,
    ) -> Iterator[Entry]:
        """Entries in order: of these kinds (none: all), seq > ``after``, ts in [start, end)."""
        where = ["seq > ?"]
        wanted: list[object] = [after]
        if kinds:
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            wanted.extend(kinds)
        if start is not None:
            where.append("ts >= ?")
            wanted.append(start)
        if end is not None:
            where.append("ts < ?")
            wanted.append(end)
        query = f"SELECT seq, ts, kind, body, hash FROM entries WHERE {' AND '.join(where)}"
        for row in self._rows(f"{query} ORDER BY seq", wanted):
            yield Entry(*row)

    def bodies(self, kind: Kind, as_type: type[T]) -> Iterator[tuple[int, T]]:
        """(ts, body) of every entry of a kind, each body as ``as_type``."""
        for entry in self.entries(kind):
            yield entry.ts, decode_as(entry.data, as_type)

    def counts(self) -> dict[str, int]:
        """How many entries of each kind there are, kinds in alphabetical order."""
        query = "SELECT kind, COUNT(*) FROM entries GROUP BY kind ORDER BY kind"
        return dict(self._rows(query, []))

    def last(self, kind: Kind, *, until: int | None = None) -> Entry | None:
        """The newest entry of a kind, with ts <= ``until`` if given: the checkpoint to begin at."""
        bound = until if until is not None else 2**63 - 1
        query = (
            "SELECT seq, ts, kind, body, hash FROM entries WHERE kind = ? AND ts <= ? "
            "ORDER BY seq DESC LIMIT 1"
        )
        for row in self._rows(query, [kind, bound]):
            return Entry(*row)
        return None

    def verify(self, expected_head: str | None = None) -> Verdict:
        """Recompute the chain from the first entry.

        A chain shows that nothing within it changed. That nothing was cut off its end shows only
        against a head kept elsewhere (``expected_head``, from the run's own file).
        """
        head, seq, last_kind = GENESIS, 0, ""
        try:
            for found, ts, kind, body, digest in self._rows(
                "SELECT seq, ts, kind, body, hash FROM entries ORDER BY seq", []
            ):
                if found != seq + 1:
                    reason = f"entry {seq + 1} is missing, {found} follows {seq}"
                    return Verdict(seq, head.hex(), seq + 1, reason, False)
                typed = isinstance(ts, int) and isinstance(kind, str) and isinstance(body, bytes)
                if not typed or link(head, found, ts, kind, body) != digest:
                    reason = f"entry {found} ({kind}) does not match its hash"
                    return Verdict(seq, head.hex(), found, reason, False)
                seq, head, last_kind = found, digest, kind
        except JournalError as error:
            return Verdict(seq, head.hex(), seq + 1, error.message, False)
        if expected_head is not None and expected_head != head.hex():
            reason = f"the journal ends after {seq} entries, before or beside the end recorded"
            return Verdict(seq, head.hex(), seq + 1, reason, last_kind == "end")
        return Verdict(seq, head.hex(), None, "", last_kind == "end")

    def _rows(self, query: str, values: list[object]) -> Iterator[Any]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise JournalError(f"the journal {self.path} is damaged: {error}") from error
