"""Results on disk: two tables of columns and one document, so that a report can be made again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mirrorcore.errors import DataError
from mirrorcore.journal import write_atomic
from mirrorcore.report.results import (
    COLUMNS,
    AgentRecord,
    CostRecord,
    IntakeRecord,
    LimitRecord,
    RunIdentity,
    RunResults,
    TradeRecord,
    WeightPath,
)

if TYPE_CHECKING:
    import polars as pl

TABLE, WEIGHTS, DOCUMENT = "results.parquet", "weights.parquet", "results.json"
_RECORDS: dict[str, Any] = {
    "identity": RunIdentity,
    "costs": CostRecord,
    "trades": tuple[TradeRecord, ...],
    "agents": tuple[AgentRecord, ...],
    "limits": tuple[LimitRecord, ...],
    "intake": tuple[IntakeRecord, ...],
}
_PLAIN = ("currency", "initial_equity", "warnings", "orders", "fills")


def save_results(results: RunResults, folder: Path) -> None:
    """Write the results of a run into its folder; each file is there whole or not at all."""
    import polars as pl

    table = {"ts": results.ts}
    for name in COLUMNS:
        column = getattr(results, name)
        if len(column):
            table[name] = column
    _write_table(pl.DataFrame(table), folder / TABLE)
    if results.weights is not None:
        path = results.weights
        weights = {"ts": path.ts, **{n: path.matrix[:, i] for i, n in enumerate(path.names)}}
        _write_table(pl.DataFrame(weights), folder / WEIGHTS)
    document = {name: getattr(results, name) for name in (*_RECORDS, *_PLAIN)}
    document["accounting_residual"] = str(results.accounting_residual)
    write_atomic(folder / DOCUMENT, msgspec.json.format(msgspec.json.encode(document)).decode())


def load_results(folder: Path) -> RunResults:
    """Read back what :func:`save_results` wrote; DataError where a run has no results."""
    import polars as pl

    if not (folder / DOCUMENT).is_file():
        raise DataError(
            f"{folder} has no results",
            hint="the run did not end by itself; 'mirrorcore runs list' shows which did",
        )
    try:
        document = msgspec.json.decode((folder / DOCUMENT).read_bytes())
        table = pl.read_parquet(folder / TABLE)
        fields: dict[str, Any] = {
            name: msgspec.convert(document[name], kind) for name, kind in _RECORDS.items()
        }
        fields.update({name: document[name] for name in _PLAIN})
        residual = document["accounting_residual"]
    except (msgspec.MsgspecError, pl.exceptions.PolarsError, KeyError, OSError) as error:
        raise DataError(f"the results in {folder} cannot be read: {error}") from error
    columns: dict[str, Any] = {
        name: table[name].to_numpy() for name in COLUMNS if name in table.columns
    }
    return RunResults(
        **{**fields, "warnings": tuple(fields["warnings"])},
        accounting_residual=Decimal(residual),
        ts=table["ts"].to_numpy().astype(np.int64),
        weights=_weights(folder),
        **columns,
    )


def _weights(folder: Path) -> WeightPath | None:
    import polars as pl

    if not (folder / WEIGHTS).is_file():
        return None
    table = pl.read_parquet(folder / WEIGHTS)
    names = tuple(name for name in table.columns if name != "ts")
    matrix = table.select(names).to_numpy().astype(np.float64)
    return WeightPath(ts=table["ts"].to_numpy().astype(np.int64), names=names, matrix=matrix)


def _write_table(table: pl.DataFrame, path: Path) -> None:
    fresh = path.with_suffix(".new")
    table.write_parquet(fresh, compression="zstd")
    fresh.replace(path)
