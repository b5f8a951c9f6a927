"""A picture as plain data, whole or as its difference to an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorcore.interfaces.live.picture import (
    COLUMNS,
    LOGS,
    PLACES,
    TABLES,
    Agents,
    Array,
    Curve,
    Log,
    Picture,
    Row,
    Table,
)

_MOSTLY = 0.8
"""Share of the rows from which on it is cheaper to send all of them than to name them."""
_EXACT = 2.0**53
"""Up to here every whole number is one of JSON's."""


def whole(picture: Picture) -> dict[str, Any]:
    """Every section of a picture, as a ``snap`` carries them."""
    return {
        "enums": picture.enums,
        "top": picture.top,
        "agents": {"n": picture.agents.n, "c": _cells(picture.agents, 0, picture.ts)},
        "px": picture.candles,
        "eq": {"k": picture.eq.k, "p": picture.eq.points},
        "emo": {"k": picture.emo.k, "p": picture.emo.points},
        **{name: picture.tables.get(name, {}) for name in TABLES},
        **{name: picture.logs[name].rows if name in picture.logs else () for name in LOGS},
        "flow": picture.flow,
    }


def changes(before: Picture, after: Picture) -> dict[str, Any]:
    """The sections that differ, as a ``d`` carries them; empty where none does."""
    found: dict[str, Any] = {
        "enums": _changed(before.enums, after.enums),
        "top": _changed(before.top, after.top),
        "agents": _agents(before.agents, after.agents, after.ts),
        "px": _candles(before, after),
        "eq": _curve(before.eq, after.eq),
        "emo": _curve(before.emo, after.emo),
    }
    for name in TABLES:
        found[name] = _table(before.tables.get(name, {}), after.tables.get(name, {}))
    for name in LOGS:
        found[name] = _log(before.logs.get(name, Log()), after.logs.get(name, Log()))
    if before.flow is not after.flow and before.flow != after.flow:
        found["flow"] = after.flow
    return {name: change for name, change in found.items() if change}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    if before is after:
        return {}
    return {key: value for key, value in after.items() if key not in before or before[key] != value}


def _table(before: Table, after: Table) -> dict[str, Any]:
    if before is after:
        return {}
    gone = [key for key in before if key not in after]
    new: dict[str, Row] = {}
    for key, row in after.items():
        old = before.get(key)
        if old is row or old == row:
            continue
        if old is not None and old.keys() == row.keys():
            new[key] = {name: value for name, value in row.items() if value != old[name]}
            continue
        new[key] = row
        if old is not None:  # it has lost a field: nothing of what it was is to be kept
            gone.append(key)
    return {**({"del": gone} if gone else {}), **({"set": new} if new else {})}


def _log(before: Log, after: Log) -> list[Any]:
    new = after.total - before.total
    return list(after.rows[-new:]) if new > 0 else []


def _curve(before: Curve, after: Curve) -> dict[str, Any]:
    if before is after:
        return {}
    last = before.points[-1][0] if before.points else -1
    new = []
    for point in reversed(after.points):
        if point[0] <= last:
            break
        new.append(point)
    return {"k": after.k, "p": new[::-1]} if new or before.k != after.k else {}


def _candles(before: Picture, after: Picture) -> dict[str, Any]:
    found = {}
    for symbol, candles in after.candles.items():
        known = before.candles.get(symbol, ())
        if candles is known:
            continue
        new = []
        for candle in reversed(candles):
            if known and candle[0] <= known[-1][0]:
                if candle[0] == known[-1][0] and candle != known[-1]:
                    new.append(candle)
                break
            new.append(candle)
        if new or symbol not in before.candles:
            found[symbol] = new[::-1]
    return found


# -- columns ---------------------------------------------------------------------------------------


def _agents(before: Agents, after: Agents, ts: int) -> dict[str, Any]:
    if before is after:
        return {}
    found: dict[str, Any] = {}
    if after.n > before.n:
        found["add"] = {"n": after.n - before.n, "c": _cells(after, before.n, ts)}
    differing = _differing(before, after)
    if not differing:
        return found
    rows = _common(differing, after.n)
    dense: dict[str, Any] = {}
    sparse: dict[str, Any] = {}
    for name, own in differing.items():
        # Names of rows cost as much as values: a column with few changes, or others, names its own.
        if 2 * len(own) >= len(rows) and np.isin(own, rows, assume_unique=True).all():
            dense[name] = _brief(_values(name, after.columns[name], rows, ts))
        else:
            sparse[name] = [_steps(own), _values(name, after.columns[name], own, ts)]
    if dense:
        if len(rows) < after.n:
            found["i"] = _steps(rows)
        found["d"] = dense
    if sparse:
        found["s"] = sparse
    return found


def _differing(before: Agents, after: Agents) -> dict[str, Array]:
    """Rows that differ, by column; rows that are new are not among them."""
    n, found = before.n, {}
    for name, column in after.columns.items():
        known = before.columns[name]
        if column is known:
            continue
        if isinstance(column, tuple):
            rows = np.array([i for i in range(n) if column[i] != known[i]], dtype=np.int64)
        else:
            assert not isinstance(known, tuple)
            # As bits: none (NaN) is equal to none.
            rows = np.flatnonzero(column[:n].view(np.int64) != known.view(np.int64))
        if len(rows):
            found[name] = rows
    return found


def _common(differing: Mapping[str, Array], n: int) -> Array:
    """Rows of the column with most changes, for others to share; all where that is most of them."""
    rows = max(differing.values(), key=len)
    return np.arange(n) if len(rows) >= _MOSTLY * n else rows


def _steps(rows: Array) -> list[int]:
    """Rows in rising order, each as its distance to the one before, the first to 0."""
    steps: list[int] = np.diff(rows, prepend=0).tolist()
    return steps


def _cells(agents: Agents, first: int, ts: int) -> dict[str, Any]:
    rows = np.arange(first, agents.n)
    return {name: _values(name, agents.columns[name], rows, ts) for name in COLUMNS}


def _values(name: str, column: Array | tuple[str, ...], rows: Array, ts: int) -> list[Any]:
    if isinstance(column, tuple):
        return [column[i] for i in rows.tolist()]
    chosen = column[rows]
    if name in PLACES:
        return _multiples(chosen, PLACES[name])
    values: list[Any] = chosen.tolist()
    if COLUMNS[name] == "instant":
        return [ts - value if value else None for value in values]
    return values  # NaN becomes null when it is encoded


def _multiples(values: Array, places: int) -> list[Any]:
    """Numbers of so many decimals as whole multiples of the last: half as long."""
    found = np.rint(values * 10**places)
    whole = np.abs(found) < _EXACT  # no NaN is
    if whole.all():
        exact: list[Any] = found.astype(np.int64).tolist()
        return exact
    return [int(v) if w else v for v, w in zip(found.tolist(), whole.tolist(), strict=True)]


def _brief(values: list[Any]) -> Any:
    """One value where all are alike."""
    first = values[0]
    return first if values.count(first) == len(values) else values
