"""Files that are never half-written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorcore.errors import MirrorCoreError

if TYPE_CHECKING:
    import polars as pl


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write ``path`` so that a reader finds the old content or the new, whatever happens.

    Into a file beside it, to the disk, then renamed over the old one. OSError that names ``path``
    where that fails; the old content stays, and nothing unfinished beside it.
    """
    raw = data.encode() if isinstance(data, str) else data
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        # A write that fails names no file, and the unfinished one is nobody's to know.
        error.filename = str(path)
        raise
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def parquet_bytes(frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> bytes:
    """A table as the content of a parquet file.

    Made in memory and written by :func:`write_atomic`: polars tells a full disk as an error of its
    own that cannot be told from one of the table.
    """
    file = BytesIO()
    frame.write_parquet(file, compression="zstd", metadata=dict(metadata) if metadata else None)
    return file.getvalue()


def make_folder(folder: Path, what: str) -> None:
    """Make a folder and those above it where they are missing; ``what`` it is for is told.

    Raises
    ------
    MirrorCoreError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MirrorCoreError(
            f"the folder of {what} {folder} cannot be made: {error.strerror}",
            hint="name another, or change the rights of the one above it",
        ) from error


def sync_folder(folder: Path) -> None:
    """Have the names within ``folder`` on the disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
