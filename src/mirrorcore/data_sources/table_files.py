"""Files of tables as they stand: parquet, feather (arrow), CSV or JSON, by how the name ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mirrorcore.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_SEPARATORS = ";\t|"
"""Between the columns of a text file whose first line has no comma."""


def read_frame(path: Path) -> pl.DataFrame:
    """The whole file; of text files every cell as text.

    Raises
    ------
    DataError
        where it is empty, cut off or of another format than its name says.
    """
    import polars as pl

    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes)", hint="fetch or convert it again")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        if name.endswith((".feather", ".arrow", ".ipc")):
            return pl.read_ipc(path)
        if name.endswith((".jsonl", ".ndjson")):
            return pl.read_ndjson(path, infer_schema_length=None)
        if name.endswith(".json"):
            return pl.read_json(path, infer_schema_length=None)
        return pl.read_csv(path, infer_schema=False, separator=_separator(path))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"{path}: the file cannot be read, it may be cut off or of another format ({reason})",
            hint="fetch or convert it again",
        ) from error


def _separator(path: Path) -> str:
    """What stands between the columns of a text file: a comma, unless its first line has none."""
    import polars as pl

    names = pl.read_csv(path, infer_schema=False, n_rows=0).columns
    if len(names) > 1:
        return ","
    return next((one for one in _SEPARATORS if one in names[0]), ",")
