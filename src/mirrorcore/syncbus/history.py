"""Past states in columns, bounded in bytes; readers get views, not copies.

A column's buffer has room for twice what it keeps. When it is full the newest half moves to a new
buffer: views handed out before keep the old one alive and never change.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

_FIRST_ROWS = 64
_MOST_ROWS = 4096
_NUMBERS = frozenset({float, int, bool})
_LARGEST = 1 << 1023
"""Beyond it an integer is no float."""


_FEW = 8
_COLUMN_BYTES = 1024
"""A source remembers as many fields as have that much each within its cap, and a few at least."""

_WEIGHTLESS: deque[int] = deque(maxlen=0)
_NONE = -1
STAGED_ROWS = 128
_STAGED_BYTES = STAGED_ROWS * 16


class Series(msgspec.Struct, frozen=True, eq=False):
    """The past of one field, oldest first, read-only: ``t`` (n,) ns, ``values`` (n,) or (n, S).

    Values that are no numbers stand in an object array.
    """

    t: npt.NDArray[np.int64]
    values: npt.NDArray[Any]


class Column:
    """The kept rows of one field.

    Of values that are no numbers (``holds_objects``) ``_held`` estimates the bytes in the buffer,
    ``_kept`` those of the rows kept, ``_weights`` those of each; ``_most`` bounds them, but the
    newest is always kept. ``plain`` says that each row is one number.
    """

    __slots__ = (
        "_held", "_keep", "_kept", "_most", "_start", "_stop", "_t", "_values", "_weights",
        "holds_objects", "plain",
    )  # fmt: skip

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], cap_bytes: int) -> None:
        width = prod(shape) * 8 + 8
        self.holds_objects = dtype.kind == "O"
        self.plain = not shape and not self.holds_objects
        if self.holds_objects:
            cap_bytes //= 2  # the other half is for what the rows refer to
        self._most = cap_bytes // 2
        self._keep = max(1, min(_MOST_ROWS, (cap_bytes - _STAGED_BYTES) // (2 * width)))
        rows = min(_FIRST_ROWS, 2 * self._keep)
        self._t = np.empty(rows, np.int64)
        self._values = np.empty((rows, *shape), dtype)
        self._weights: deque[int] = deque() if self.holds_objects else _WEIGHTLESS
        self._held = self._kept = 0
        self._start = self._stop = 0

    @property
    def nbytes(self) -> int:
        return self._t.nbytes + self._values.nbytes + self._held

    def fits(self, value: Any) -> bool:
        """Whether ``value`` has the shape and kind of this column."""
        shape, dtype = _layout(value)
        return bool(dtype == self._values.dtype) and shape == self._values.shape[1:]

    def append(self, t: int, value: Any) -> None:
        if self._stop == len(self._t):
            self._make_room(1)
        self._t[self._stop] = t
        self._values[self._stop] = value
        self._stop += 1
        self._trim()
        if self.holds_objects:
            self._weigh(value)

    def extend(self, t: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> None:
        keep = self._keep
        if len(t) > keep:
            t, values = t[-keep:], values[-keep:]
        if self._stop + len(t) > len(self._t):
            self._make_room(len(t))
        start, self._stop = self._stop, self._stop + len(t)
        self._t[start : self._stop] = t
        self._values[start : self._stop] = values
        self._trim()

    def series(self, since: int | None, limit: int | None) -> Series:
        start = self._start
        if since is not None:
            start += int(np.searchsorted(self._t[start : self._stop], since))
        if limit is not None:
            start = max(start, self._stop - limit)
        t, values = self._t[start : self._stop], self._values[start : self._stop]
        t.flags.writeable = values.flags.writeable = False
        return Series(t, values)

    @property
    def newest(self) -> int:
        """When its newest row was published."""
        return int(self._t[self._stop - 1])

    def rebuilt(self, cap_bytes: int, *, as_objects: bool = False) -> Column:
        """The same rows, as many as fit, under another cap or for a field that changed its kind."""
        t, values = self._t[self._start : self._stop], self._values[self._start : self._stop]
        if not (as_objects or self.holds_objects):
            column = Column(values.shape[1:], values.dtype, cap_bytes)
            column.extend(t, values)
            return column
        column = Column((), np.dtype(object), cap_bytes)
        for instant, value in zip(t, values, strict=True):
            column.append(int(instant), value.item() if isinstance(value, np.generic) else value)
        return column

    def _trim(self) -> None:
        if self._stop - self._start > self._keep:
            self._start = self._stop - self._keep

    def _weigh(self, value: Any) -> None:
        """The newest row holds ``value``: as many before it stay as are not too much together."""
        weights, weight = self._weights, weight_of(value)
        weights.append(weight)
        self._held += weight
        self._kept += weight
        while len(weights) > 1 and (
            self._kept > self._most or len(weights) > self._stop - self._start
        ):
            self._kept -= weights.popleft()
        self._start = self._stop - len(weights)
        if self._held > 2 * self._most and self._held > self._kept:
            self._make_room(0)

    def _make_room(self, rows: int) -> None:
        kept = slice(max(self._start, self._stop + rows - self._keep), self._stop)
        count = max(0, kept.stop - kept.start)
        size = min(2 * self._keep, max(2 * (count + rows), _FIRST_ROWS))
        t = np.empty(max(size, count + rows), np.int64)
        values = np.empty((len(t), *self._values.shape[1:]), self._values.dtype)
        if count:
            t[:count] = self._t[kept]
            values[:count] = self._values[kept]
        self._t, self._values, self._start, self._stop = t, values, 0, count
        while len(self._weights) > count:
            self._kept -= self._weights.popleft()
        self._held = self._kept


class History:
    """The columns of one source.

    ``values(delta)`` are those of a delta that has the same ``width`` fields as the one published
    last, KeyError where it has others; no delta has the ``width`` where that one did not suit.
    Whoever has seen that they are floats, each finite, may stage them by itself: one more entry in
    ``times``, as many in ``staged`` as there are fields, a flush when there are ``rows`` of them.

    Most sources publish the same few fields again and again: those are staged row by row and moved
    to their columns many rows at a time, 128 of numbers, fewer of vectors.
    """

    __slots__ = (
        "_cap_bytes", "_columns", "_floats", "_heavy", "_names", "_room", "rows", "staged", "times",
        "values", "width",
    )  # fmt: skip

    def __init__(self, cap_bytes: int) -> None:
        self._cap_bytes = cap_bytes
        self._room = 4  # columns that share the cap
        self._columns: dict[str, Column] = {}
        self._names: tuple[str, ...] = ()
        self.rows = STAGED_ROWS
        self._heavy = 0
        self._floats = True
        self.width = _NONE
        self.values: Callable[[Mapping[str, Any]], tuple[Any, ...]] = _nothing
        self.staged: list[Any] = []
        self.times: list[int] = []

    @property
    def nbytes(self) -> int:
        columns = sum(column.nbytes for column in self._columns.values())
        return columns + len(self._columns) * _STAGED_BYTES

    def shrink_to(self, cap_bytes: int) -> None:
        """From now on keep no more than ``cap_bytes``; rows beyond that are forgotten."""
        if cap_bytes < self._cap_bytes:
            self._cap_bytes = cap_bytes
            self._rebuild()

    def append(self, t: int, delta: Mapping[str, Any]) -> bool:
        """One published delta; whether it has the same fields as the one before."""
        if len(delta) == self.width:
            try:
                values = self.values(delta)
            except KeyError:
                pass
            else:
                self.stage(t, values)
                self._note_weight(values)
                return True
        self.flush()
        self._expect(delta)
        if self._names:
            self.stage(t, self.values(delta))
        else:
            for name, value in delta.items():
                self._column(name, value).append(t, value)
        return False

    def stage(self, t: int, values: tuple[Any, ...]) -> None:
        """One published delta of the same fields as the last one: their ``values``, in order."""
        self._floats = False
        self.staged += values
        self.times.append(t)
        if len(self.times) >= self.rows:
            self.flush()

    def _note_weight(self, values: tuple[Any, ...]) -> None:
        """What is staged is no number each, and must not become much before it is bounded."""
        for value in values:
            if type(value) not in _NUMBERS:
                self._heavy += weight_of(value)
        if self._heavy > _STAGED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Move what is staged to its columns."""
        self._heavy = 0
        times, names, rows = self.times, self._names, self.staged
        if not times:
            return
        # A new column may make all of them smaller, which flushes what is staged.
        self.times, self.staged = [], []
        t = np.array(times, np.int64)
        floats, self._floats = self._floats, True
        if floats:
            table = _as_floats(rows).reshape(-1, len(names))
            for number, name in enumerate(names):
                column = self._columns.get(name)
                if column is None or not column.plain:
                    column = self._column(name, rows[number])
                if column.plain:
                    column.extend(t, table[:, number])
                    continue
                for instant, value in zip(times, rows[number :: len(names)], strict=True):
                    column.append(instant, value)
            return
        for number, name in enumerate(names):
            values = rows[number :: len(names)]
            numbers = _numbers(values)
            column = self._column(name, values[0])
            if numbers is None or column.holds_objects:
                for instant, value in zip(times, values, strict=True):
                    self._column(name, value).append(instant, value)
            else:
                column.extend(t, numbers)

    def _expect(self, delta: Mapping[str, Any]) -> None:
        """From now on deltas with the fields of this one are staged, if at least two fit in."""
        names = tuple(delta)
        widest = max((v.nbytes for v in delta.values() if isinstance(v, np.ndarray)), default=8)
        self.rows = min(STAGED_ROWS, _STAGED_BYTES // (widest + 8))
        if self.rows < 2:
            names = ()
        self._names = names
        self.width = len(names) or _NONE
        if len(names) > 1:
            self.values = itemgetter(*names)
        elif names:
            self.values = partial(_one, names[0])

    def extend(self, t: npt.NDArray[np.int64], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Rows of a block, all at once."""
        self.flush()
        # Whatever is published next does not follow on its like.
        self._names, self.width = (), _NONE
        for name, values in arrays.items():
            column = self._column(name, _sample(values))
            if values.dtype.kind in "fiub" and column.fits(_sample(values)):
                column.extend(t, values)
                continue
            for instant, value in zip(t, values, strict=True):
                column.append(int(instant), value.item() if values.ndim == 1 else value)

    def read(
        self, fields: tuple[str, ...] | None, since: int | None, limit: int | None
    ) -> dict[str, Series]:
        self.flush()
        names = self._columns if fields is None else [f for f in fields if f in self._columns]
        return {name: self._columns[name].series(since, limit) for name in names}

    def _share(self) -> int:
        return self._cap_bytes // self._room

    def _rebuild(self) -> None:
        self.flush()
        for name, column in self._columns.items():
            self._columns[name] = column.rebuilt(self._share())

    def _column(self, name: str, value: Any) -> Column:
        column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= max(_FEW, self._cap_bytes // _COLUMN_BYTES):
                # Names without end must not cost memory without end.
                del self._columns[min(self._columns, key=lambda name: self._columns[name].newest)]
            if len(self._columns) == self._room:
                self._room *= 2
                self._rebuild()
            column = self._columns[name] = Column(*_layout(value), self._share())
        elif not column.fits(value) and not column.holds_objects:
            column = self._columns[name] = column.rebuilt(self._share(), as_objects=True)
        return column


def weight_of(value: Any) -> int:
    """Roughly the bytes of a value of a state, beyond the reference to it.

    By its type alone: what an object says of its own size is code of the agent.
    """
    kind = type(value)
    if kind is float:
        return 24
    if value is None or kind is bool:
        return 0
    if kind in (int, str, bytes):
        return int(value.__sizeof__())
    if kind is np.ndarray:
        return int(value.nbytes) + 112
    if kind is tuple:
        return 56 + sum(8 + weight_of(inner) for inner in value)
    if issubclass(kind, Mapping):
        return 112 + sum(100 + weight_of(key) + weight_of(inner) for key, inner in value.items())
    if issubclass(kind, msgspec.Struct):
        return 56 + sum(8 + weight_of(getattr(value, field)) for field in kind.__struct_fields__)
    return 64


def _nothing(_delta: Mapping[str, Any]) -> tuple[Any, ...]:
    return ()


def _one(name: str, delta: Mapping[str, Any]) -> tuple[Any, ...]:
    return (delta[name],)


def _numbers(values: list[Any]) -> npt.NDArray[np.float64] | None:
    """The values as floats; None where one of them is no number, or too large for one."""
    if isinstance(values[0], np.ndarray):
        return _vectors(values)
    if not _NUMBERS.issuperset(map(type, values)):
        return None  # anything else says by code of its own which float it is, if any
    try:
        return _as_floats(values)
    except (struct.error, OverflowError):
        return None


def _as_floats(values: list[Any]) -> npt.NDArray[np.float64]:
    """Many numbers at once; there is no quicker way."""
    return np.frombuffer(struct.pack(f"{len(values)}d", *values))


def _vectors(values: list[Any]) -> npt.NDArray[np.float64] | None:
    """The vectors as rows; None where one of them is no vector of numbers, or of another shape."""
    shape = values[0].shape
    for value in values:
        if (
            not isinstance(value, np.ndarray)
            or value.shape != shape
            or value.dtype.kind not in "fiub"
        ):
            return None
    return np.array(values, np.float64)


def _sample(values: npt.NDArray[Any]) -> Any:
    """One row of a block's column as it would be published on its own."""
    row = values[0]
    return row.item() if isinstance(row, np.generic) else row


def _layout(value: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    kind = type(value)
    if kind is float or (kind in _NUMBERS and abs(value) < _LARGEST):
        return (), np.dtype(np.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return value.shape, np.dtype(np.float64)
    return (), np.dtype(object)
