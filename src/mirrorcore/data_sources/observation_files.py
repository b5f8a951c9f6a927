"""Observations in a file of their own, to be replayed as a side channel.

One row a record: ``date`` (what it describes), ``released`` (when it became available), ``value``,
``series``, ``symbol``, ``source``. ``SeriesFile(path, series, released="released",
where={"series": series})`` reads it back, vintages and all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirrorcore.data_sources.fetching.whole_files import write_whole
from mirrorcore.market.records import Observation


def write_observations(
    path: Path, observations: Sequence[Observation], origin: Mapping[str, Any] | None = None
) -> None:
    """Write a parquet file, whole or not at all; ``origin`` says in it where it comes from.

    Raises
    ------
    DataError
        where the folder is not there or cannot be written to.
    """
    import polars as pl

    frame = pl.DataFrame(
        {
            "date": pl.Series([one.ts_event for one in observations], dtype=pl.Int64),
            "released": pl.Series([one.ts_avail for one in observations], dtype=pl.Int64),
            "value": pl.Series([one.value for one in observations], dtype=pl.Float64),
            "series": pl.Series([one.series for one in observations], dtype=pl.String),
            "symbol": pl.Series([one.symbol for one in observations], dtype=pl.String),
            "source": pl.Series([one.source for one in observations], dtype=pl.String),
        }
    ).with_columns(pl.col("date", "released").cast(pl.Datetime("ns", "UTC")))
    write_whole(path, frame, origin or {})
