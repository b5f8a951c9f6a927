"""Files that are there whole or not at all, and say themselves where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mirrorcore.errors import DataError
from mirrorcore.journal.files import parquet_bytes, write_atomic

if TYPE_CHECKING:
    import polars as pl

_KEY = "mirrorcore"
"""Of our entry in a parquet file's metadata."""


def write_whole(path: Path, frame: pl.DataFrame, origin: Mapping[str, Any]) -> None:
    """Write a parquet file with ``origin`` in its metadata: beside its place first, then moved.

    Raises
    ------
    DataError
        where the folder is not there, is full or cannot be written to.
    """
    keep_whole(path, parquet_bytes(frame, {_KEY: msgspec.json.encode(origin).decode()}))


def keep_whole(path: Path, content: bytes) -> None:
    """Write any file: beside its place first, then moved; DataError as of :func:`write_whole`."""
    try:
        write_atomic(path, content)
    except OSError as error:
        raise DataError(
            f"{path}: the file cannot be written ({error.strerror or error})",
            hint="check the folder and how much room it has",
        ) from error


def origin_of(path: Path) -> dict[str, Any] | None:
    """What :func:`write_whole` was told of a file; None where somebody else wrote it.

    Raises
    ------
    DataError
        where it is no parquet file.
    """
    import polars as pl

    try:
        told = pl.read_parquet_metadata(path).get(_KEY)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{path}: the file cannot be read, it may be cut off or of another format ({reason})",
            hint="move it out of the way",
        ) from error
    if told is None:
        return None
    found: dict[str, Any] = msgspec.json.decode(told)
    return found
