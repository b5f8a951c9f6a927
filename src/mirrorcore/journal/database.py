"""The SQLite file below a journal: how it is opened, marked and laid out, and what it refuses."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mirrorcore.journal.entries import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    JournalError,
    JournalFullError,
)

_TABLE = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    ts INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
)
"""


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """A connection in which every transaction is begun and ended by hand."""
    mode = "rwc" if writable else "ro"
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5.0
    )


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """JournalError unless the file is a journal of a version known here."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{path} is no journal: {error}") from error
    if application != APPLICATION_ID:
        raise JournalError(f"{path} is no journal of MirrorCore-X")
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} has layout {version}, this version reads {SCHEMA_VERSION}",
            hint="read it with the version that wrote it",
        )


def lay_out(connection: sqlite3.Connection) -> None:
    """Make an empty file a journal, wholly or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute(_TABLE)
    connection.execute("COMMIT")


def prepare(connection: sqlite3.Connection, max_bytes: int | None) -> None:
    """Settings of a connection that writes."""
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit is on disk when it returns, which an order's intent relies on.
    connection.execute("PRAGMA synchronous = FULL")
    if max_bytes is not None:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_size)}")


_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_BUSY: "another process holds it",
}


def told(path: Path, error: sqlite3.DatabaseError) -> JournalError | JournalFullError:
    """An error of the database in our words; only what may pass counts as a disk that refuses."""
    if isinstance(error, sqlite3.IntegrityError):
        return JournalError(f"another process writes to {path}")
    if not isinstance(error, sqlite3.OperationalError):
        return JournalError(f"the journal {path} is damaged: {error}")
    cause = _CAUSES.get(error.sqlite_errorcode & 0xFF, str(error))
    return JournalFullError(
        f"the journal {path} cannot be written: {cause}",
        hint="make room or mend the disk; until then only risk-reducing orders are sent",
    )
