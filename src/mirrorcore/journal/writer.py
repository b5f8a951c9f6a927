"""Writes a journal: in batches, or durably before a venue is called."""

from __future__ import annotations

import sqlite3
from enum import Enum
from hashlib import blake2b
from pathlib import Path

from mirrorcore.journal.coding import encode
from mirrorcore.journal.database import check_schema, connect, lay_out, prepare, told
from mirrorcore.journal.entries import (
    GENESIS,
    HASH_SIZE,
    KIND_BYTES,
    JournalError,
    JournalFullError,
    Kind,
    pack_position,
)

FLUSH_EVERY = 2_000
"""Entries a batch: larger ones save nothing more, and a crash loses at most one of a replay."""
FLUSH_BYTES = 8 << 20
MOST_WAITING = 200_000
"""Entries kept while the disk refuses them; then the run cannot go on."""

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?)"
_ROWS_A_STATEMENT = 100
# One statement of many rows costs a quarter less than many statements.
_INSERT_MANY = _INSERT + ", (?, ?, ?, ?, ?)" * (_ROWS_A_STATEMENT - 1)
_Waiting = tuple[int, str, bytes]


class JournalState(Enum):
    """OPEN writes; FAILING holds what the disk refused and tries again; CLOSED is the end."""

    OPEN = "open"
    FAILING = "failing"
    CLOSED = "closed"


_STEPS: dict[JournalState, tuple[JournalState, ...]] = {
    JournalState.OPEN: (JournalState.OPEN, JournalState.FAILING, JournalState.CLOSED),
    JournalState.FAILING: (JournalState.FAILING, JournalState.OPEN, JournalState.CLOSED),
    JournalState.CLOSED: (),
}


class Journal:
    """The journal of a run, open for writing. Made by :meth:`create` and :meth:`resume`.

    One process writes, any number may read meanwhile. Not for use from several threads.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        seq: int,
        head: bytes,
        flush_every: int = FLUSH_EVERY,
    ) -> None:
        self.path = path
        self._connection = connection
        self._state = JournalState.OPEN
        self._stored = seq
        self._head = head
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._flush_every = flush_every
        self._flush_at = flush_every
        self._flush_at_bytes = FLUSH_BYTES

    @classmethod
    def create(
        cls, path: Path, *, flush_every: int = FLUSH_EVERY, max_bytes: int | None = None
    ) -> Journal:
        """A new journal at ``path``.

        ``max_bytes`` caps the file, so that one run cannot fill the disk of all others.

        Raises
        ------
        JournalError: there is a file already.
        JournalFullError: it cannot be written there.
        """
        if path.exists():
            raise JournalError(
                f"{path} is there already", hint="a journal is never overwritten: start a new run"
            )
        try:
            connection = connect(path, writable=True)
        except sqlite3.OperationalError as error:
            raise told(path, error) from error
        try:
            prepare(connection, max_bytes)
            lay_out(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise told(path, error) from error
        return cls(path, connection, seq=0, head=GENESIS, flush_every=flush_every)

    @classmethod
    def resume(
        cls, path: Path, *, flush_every: int = FLUSH_EVERY, max_bytes: int | None = None
    ) -> Journal:
        """An existing journal, to be continued where it ends, even if that was a kill.

        Raises
        ------
        JournalError: there is none, or it is damaged.
        JournalFullError: it cannot be written to.
        """
        if not path.is_file():
            raise JournalError(f"there is no journal at {path}")
        connection = connect(path, writable=True)
        try:
            check_schema(connection, path)
            prepare(connection, max_bytes)
            last = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
            seq, head = last.fetchone() or (0, GENESIS)
        except JournalError:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
            connection.close()
            raise told(path, error) from error
        return cls(path, connection, seq=seq, head=head, flush_every=flush_every)

    @property
    def state(self) -> JournalState:
        return self._state

    @property
    def head(self) -> str:
        """The hash of the last entry on disk, 32 hex digits: it names all that came before."""
        return self._head.hex()

    @property
    def stored(self) -> int:
        """Entries on disk, those of earlier processes included."""
        return self._stored

    @property
    def waiting(self) -> int:
        """Entries accepted and not yet on disk."""
        return len(self._waiting)

    def append(self, kind: Kind, ts: int, body: object) -> int:
        """Accept an entry, to be written with the next batch; its sequence number.

        Raises
        ------
        JournalFullError: the batch was due and the disk refused it. The entry stays accepted,
            unless too many wait already.
        TypeError: ``body`` holds what no journal can.
        """
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING or self._state is JournalState.CLOSED:
            self._reject()
        if kind not in KIND_BYTES:
            raise ValueError(f"was {kind!r}, must be a kind of journal entry")
        data = encode(body)
        waiting.append((ts, kind, data))
        self._waiting_bytes += len(data)
        seq = self._stored + len(waiting)
        if len(waiting) >= self._flush_at or self._waiting_bytes >= self._flush_at_bytes:
            self.flush()
        return seq

    def commit_before(self, kind: Kind, ts: int, body: object) -> int:
        """Accept an entry and have it on disk before returning: an order's intent.

        Raises
        ------
        JournalFullError: it is not on disk and was withdrawn, as if it had never been written. What
            it announced must not be done.
        """
        before = len(self._waiting)
        try:
            seq = self.append(kind, ts, body)
            self.flush()
        except JournalFullError:
            while len(self._waiting) > before:
                self._waiting_bytes -= len(self._waiting.pop()[2])
            raise
        return seq

    def flush(self) -> None:
        """Write all that waits, in one durable transaction.

        Raises
        ------
        JournalFullError: the disk refused; everything stays accepted and waits.
        JournalError: somebody else has written to the file, or it is damaged.
        """
        self._require_open()
        if not self._waiting:
            return
        try:
            head = self._write()
        except sqlite3.DatabaseError as error:
            refusal = told(self.path, error)
            if isinstance(refusal, JournalFullError):
                self._step(JournalState.FAILING)
                self._flush_at = len(self._waiting) + self._flush_every
                self._flush_at_bytes = self._waiting_bytes + FLUSH_BYTES
            raise refusal from error
        self._step(JournalState.OPEN)
        self._head = head
        self._stored += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._flush_at = self._flush_every
        self._flush_at_bytes = FLUSH_BYTES

    def close(self) -> None:
        """Write all that waits and leave one plain file. Once closed, nothing more is accepted.

        Raises
        ------
        JournalFullError: the rest could not be written; the journal stays open and keeps it.
        """
        if self._state is JournalState.CLOSED:
            return
        self.flush()
        self._step(JournalState.CLOSED)
        try:
            # One file without companions can be copied, and read where nothing can be written.
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            # Somebody is reading: the companions stay, and the content is the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise told(self.path, error) from error
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Let go of a file that refuses what waits: what is on disk stays, the rest is lost."""
        if self._state is not JournalState.CLOSED:
            self._step(JournalState.CLOSED)
            self._connection.close()

    def _write(self) -> bytes:
        """Chain and insert what waits, in one transaction; the hash of the last entry."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            if self._state is JournalState.FAILING:
                # A commit that failed may have reached the disk all the same, with an entry that
                # was withdrawn since: what is accepted now is the truth.
                execute("DELETE FROM entries WHERE seq > ?", (self._stored,))
            head = self._head
            for first in range(0, len(self._waiting), _ROWS_A_STATEMENT):
                values, head = self._chained(first, head)
                if len(values) == 5 * _ROWS_A_STATEMENT:
                    execute(_INSERT_MANY, values)
                else:
                    rows = zip(*(iter(values),) * 5, strict=True)
                    self._connection.executemany(_INSERT, rows)
            execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        return head

    def _chained(self, first: int, head: bytes) -> tuple[list[object], bytes]:
        """A statement's worth of columns, row after row, and the hash of the last row."""
        seq = self._stored + first
        values: list[object] = []
        for ts, kind, data in self._waiting[first : first + _ROWS_A_STATEMENT]:
            seq += 1
            # entries.link, written out: this line runs for every entry of a replay.
            said = head + pack_position(seq, ts) + KIND_BYTES[kind] + data
            head = blake2b(said, digest_size=HASH_SIZE).digest()
            values += (seq, ts, kind, data, head)
        return values, head

    def _step(self, to: JournalState) -> None:
        if to not in _STEPS[self._state]:
            raise JournalError(f"a journal that is {self._state.value} cannot become {to.value}")
        self._state = to

    def _require_open(self) -> None:
        if self._state is JournalState.CLOSED:
            raise JournalError(f"the journal {self.path} is closed")

    def _reject(self) -> None:
        self._require_open()
        raise JournalFullError(
            f"{len(self._waiting)} entries wait for the journal {self.path}: the run cannot go on",
            hint="make room on the disk",
        )
