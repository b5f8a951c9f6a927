"""Results on disk: two tables of columns and one document, so that a report can be made again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mirrorcore.errors import DataError, MirrorCoreError
from mirrorcore.journal import write_atomic
from mirrorcore.journal.files import parquet_bytes
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.attribution import load_attribution
from mirrorcore.report.results import (
    COLUMNS,
    AgentRecord,
    CashRecord,
    CostRecord,
    IntakeRecord,
    LimitRecord,
    RunIdentity,
    RunResults,
    TradeRecord,
    WeightPath,
)
from mirrorcore.report.swarm_records import SwarmRecord, VoterPath

if TYPE_CHECKING:
    import polars as pl

TABLE, WEIGHTS, DOCUMENT = "results.parquet", "weights.parquet", "results.json"
VOTERS = "voters.parquet"
_RECORDS: dict[str, Any] = {
    "identity": RunIdentity,
    "costs": CostRecord,
    "trades": tuple[TradeRecord, ...],
    "agents": tuple[AgentRecord, ...],
    "limits": tuple[LimitRecord, ...],
    "intake": tuple[IntakeRecord, ...],
}
_LATER: dict[str, Any] = {"swarm": SwarmRecord, "cash": tuple[CashRecord, ...]}
"""What runs of earlier versions do not have."""
_PLAIN = ("currency", "initial_equity", "warnings", "orders", "fills")


def save_results(results: RunResults, folder: Path) -> None:
    """Write the results of a run into its folder; each file is there whole or not at all.

    Raises
    ------
    MirrorCoreError
        where the folder is full or cannot be written to.
    """
    try:
        _save(results, folder)
    except OSError as error:
        raise MirrorCoreError(
            f"{error.filename}: the results of the run cannot be written"
            f" ({error.strerror or error})",
            hint="make room there or name another folder with --runs, and run again",
        ) from error


def _save(results: RunResults, folder: Path) -> None:
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
    if results.voters is not None:
        books = results.voters
        net = {"ts": books.ts, **{n: books.net[:, i] for i, n in enumerate(books.names)}}
        _write_table(pl.DataFrame(net), folder / VOTERS)
    document = {name: getattr(results, name) for name in (*_RECORDS, *_LATER, *_PLAIN)}
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
        fields.update(
            {
                name: msgspec.convert(document[name], kind)
                for name, kind in _LATER.items()
                if name in document
            }
        )
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
        voters=_voters(folder),
        attribution=load_attribution(folder),
        **columns,
    )


def _weights(folder: Path) -> WeightPath | None:
    found = _matrix(folder / WEIGHTS)
    return None if found is None else WeightPath(ts=found[0], names=found[1], matrix=found[2])


def _voters(folder: Path) -> VoterPath | None:
    found = _matrix(folder / VOTERS)
    return None if found is None else VoterPath(*found)


def _matrix(path: Path) -> tuple[Ints, tuple[str, ...], Floats] | None:
    """Instants, names and values by name of a table; None where there is no such file."""
    import polars as pl

    if not path.is_file():
        return None
    table = pl.read_parquet(path)
    names = tuple(name for name in table.columns if name != "ts")
    matrix = table.select(names).to_numpy().astype(np.float64)
    return table["ts"].to_numpy().astype(np.int64), names, matrix


def _write_table(table: pl.DataFrame, path: Path) -> None:
    write_atomic(path, parquet_bytes(table))
