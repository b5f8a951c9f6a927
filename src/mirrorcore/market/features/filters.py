"""Filters over (T, K) columns whose output bits do not depend on how time is cut into blocks.

Every value is built by the same elementwise operations in the same order, whether it arrives in a
block of one or of 4,096: window sums by doubling, exponential averages by a scan of fixed chunks.
A filter takes finite float64 only; for what is unknown the caller passes 0 and keeps a count.

Each filter is called with x (T, K) and returns y of the same shape. ``commit`` says how many rows
of x become part of the state (default all): the rows after it are looked at, not remembered, so a
caller can evaluate a row that is not final yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints

CHUNK = 64
"""Rows of one scan chunk. A constant of the definition: another value gives other last bits."""

State = dict[str, Any]


def decay_of(*, span: float | None = None, half_life_bars: float | None = None) -> float:
    """The decay b per row of an exponential average given by span or by half-life.

    span n: b = 1 - 2 / (n + 1), as in moving averages. half-life h: b = 2^(-1/h).
    """
    if (span is None) == (half_life_bars is None):
        raise ValueError("give span or half_life_bars, exactly one of them")
    if span is not None:
        if span < 1:
            raise ValueError(f"span was {span}, must be at least 1 row")
        return 1.0 - 2.0 / (span + 1.0)
    assert half_life_bars is not None
    if half_life_bars <= 0:
        raise ValueError(f"half_life_bars was {half_life_bars}, must be above 0")
    return float(np.exp2(-1.0 / half_life_bars))


def ema_weight(decay: float, rows: Ints) -> Floats:
    """The sum of weights 1 - decay^rows that ``rows`` rows have in an average started at zero.

    Dividing the average by it removes the bias of the start.
    """
    weight: Floats = -np.expm1(rows * np.log(decay))
    return weight


def cross_section_mean(x: Floats, present: Bools) -> Floats:
    """The mean over the symbols that are present, per tick; 0 where none is.

    Added up in symbol order, so an absent symbol changes no bit.

    Parameters
    ----------
    x, present : (T, S); x may be NaN where present is False.

    Returns
    -------
    (T,)
    """
    total: Floats = np.cumsum(np.where(present, x, 0.0), axis=1)[:, -1]
    mean: Floats = total / np.maximum(present.sum(axis=1), 1)
    return mean


def _checked(x: Floats, columns: int, commit: int | None) -> int:
    if x.ndim != 2 or x.shape[1] != columns:
        raise ValueError(f"the filter has {columns} columns, x had the shape {x.shape}")
    if commit is None:
        return len(x)
    if not 0 <= commit <= len(x):
        raise ValueError(f"commit was {commit}, must lie within the {len(x)} rows given")
    return commit


class Ema:
    """Exponential moving average, y[t] = b y[t-1] + (1 - b) x[t], from y = 0.

    The rows are cut into chunks of :data:`CHUNK`, counted from ``phase``. Within a chunk the
    recursion is solved by doubling (stage k adds b^(2^k) times the row 2^k earlier); the last row
    of the chunk before enters with its power of b (Blelloch 1990, prefix sums). Any half-life
    costs the same, and a state is one chunk of inputs.

    Parameters
    ----------
    columns : K.
    span, half_life_bars, decay : one of them; ``decay`` may be an array (K,), one per column.
    phase : number of the first row on the caller's grid. Two filters agree to the bit on rows
        they both see if their grids agree and the columns were 0 before.
    """

    def __init__(
        self,
        *,
        columns: int,
        span: float | None = None,
        half_life_bars: float | None = None,
        decay: float | Floats | None = None,
        phase: int = 0,
    ) -> None:
        if decay is None:
            decay = decay_of(span=span, half_life_bars=half_life_bars)
        elif span is not None or half_life_bars is not None:
            raise ValueError("give span, half_life_bars or decay, exactly one of them")
        b = np.broadcast_to(np.asarray(decay, dtype=np.float64), (columns,)).copy()
        if not bool(np.all((b >= 0) & (b < 1))):
            raise ValueError(f"decay was {decay}, must lie in [0, 1)")
        self.columns = columns
        self._gain = 1.0 - b
        # Powers by repeated products: np.power promises nothing about its last bit.
        self._fade = np.multiply.accumulate(np.broadcast_to(b, (CHUNK, columns)), axis=0)
        self._stages: list[tuple[int, Floats]] = []
        distance, power = 1, b
        while distance < CHUNK:
            self._stages.append((distance * columns, np.tile(power, CHUNK - distance)))
            distance, power = distance * 2, power * power
        self._open: Floats = np.zeros((phase % CHUNK, columns))
        self._before: Floats = np.zeros(columns)

    def __call__(
        self, x: Floats, *, begin: Bools | None = None, commit: int | None = None
    ) -> Floats:
        """Average x; where ``begin`` (T, K) is True the recursion starts with x itself.

        A column has to be 0 until it begins. Without ``begin`` it starts from 0.
        """
        commit = _checked(x, self.columns, commit)
        held, rows = len(self._open), len(x)
        chunks = -(-(held + rows) // CHUNK)
        y = np.empty((chunks * CHUNK, self.columns))
        fresh = y[held : held + rows]
        y[:held] = self._open
        np.multiply(x, self._gain, out=fresh)
        if begin is not None:
            np.copyto(fresh, x, where=begin)
        y[held + rows :] = 0.0
        full, rest = divmod(held + commit, CHUNK)
        self._open = y[full * CHUNK : full * CHUNK + rest].copy()
        self._scan(y.reshape(chunks, CHUNK * self.columns))
        by_chunk = y.reshape(chunks, CHUNK, self.columns)
        before = self._carry(by_chunk[:, -1])
        by_chunk += self._fade * before[:chunks, np.newaxis]
        self._before = before[full].copy()
        return fresh

    def _scan(self, flat: Floats) -> None:
        """Solve the recursion within each chunk, in place; rows are chunks, laid out flat."""
        scratch = np.empty_like(flat)
        for shift, power in self._stages:
            delayed = scratch[:, shift:]
            np.multiply(flat[:, :-shift], power, out=delayed)
            tail = flat[:, shift:]
            np.add(tail, delayed, out=tail)

    def _carry(self, ends: Floats) -> Floats:
        """The average just before each chunk and after the last, (chunks + 1, K)."""
        before = np.empty((len(ends) + 1, self.columns))
        before[0] = self._before
        across = self._fade[-1]
        for chunk, end in enumerate(ends):
            following = before[chunk + 1]
            np.multiply(before[chunk], across, out=following)
            np.add(following, end, out=following)
        return before

    def clear(self, columns: Bools) -> None:
        """Forget the past of the columns (K,) that are True."""
        self._open[:, columns] = 0.0
        self._before[columns] = 0.0

    def checkpoint(self) -> State:
        return {"open": self._open.copy(), "before": self._before.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._open = np.array(state["open"], dtype=np.float64).reshape(-1, self.columns)
        self._before = np.array(state["before"], dtype=np.float64)


class History:
    """The last ``rows`` rows of x, zeros before the first; joins them with the next block."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._past: Floats = np.zeros((rows, columns))

    def joined(self, x: Floats, *, commit: int | None = None) -> Floats:
        """(rows + T, K): the remembered rows and then x."""
        commit = _checked(x, self.columns, commit)
        both: Floats = np.concatenate((self._past, x))
        self._past = both[commit : commit + self.rows].copy()
        return both

    def clear(self, columns: Bools) -> None:
        """Forget the past of the columns (K,) that are True."""
        self._past[:, columns] = 0.0

    def checkpoint(self) -> State:
        return {"past": self._past.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._past = np.array(state["past"], dtype=np.float64).reshape(self.rows, self.columns)


class Lag:
    """y[t] = x[t - steps], 0 before the first row."""

    def __init__(self, steps: int, columns: int) -> None:
        if steps < 0:
            raise ValueError(f"steps was {steps}, a filter cannot look ahead")
        self._history = History(steps, columns)

    def __call__(self, x: Floats, *, commit: int | None = None) -> Floats:
        return self._history.joined(x, commit=commit)[: len(x)]

    def checkpoint(self) -> State:
        return self._history.checkpoint()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._history.restore(state)


def window_sums(x: Floats, n: int) -> Floats:
    """Sums of n consecutive rows: (R, K) to (R - n + 1, K), by doubling.

    The window is put together from the binary digits of n, so no running sum can drift and a
    window of zeros sums to exactly 0.
    """
    rows = len(x) - n + 1
    total: Floats | None = None
    partial, size, offset = x, 1, 0
    while True:
        if n & size:
            part = partial[offset : offset + rows]
            total = part.copy() if total is None else np.add(total, part, out=total)
            offset += size
        if size * 2 > n:
            break
        partial = partial[size:] + partial[:-size]
        size *= 2
    assert total is not None
    return total


class Moments:
    """Count, mean and sum of squared deviations of stretches of rows, mergeable.

    Merging is Chan, Golub and LeVeque (1979): no subtraction of large squares, a stretch of equal
    values has a deviation of exactly 0, and a shift of all values changes nothing but rounding.
    """

    __slots__ = ("count", "deviation", "mean")

    def __init__(self, count: Floats | float, mean: Floats, deviation: Floats) -> None:
        self.count, self.mean, self.deviation = count, mean, deviation

    def rows(self, start: int, stop: int) -> Moments:
        count = self.count if isinstance(self.count, float) else self.count[start:stop]
        return Moments(count, self.mean[start:stop], self.deviation[start:stop])

    def merged(self, other: Moments) -> Moments:
        """The moments of both stretches together; a count of 0 adds nothing."""
        count = self.count + other.count
        share = other.count / (count if isinstance(count, float) else np.maximum(count, 1.0))
        apart = other.mean - self.mean
        mean = apart * share
        mean += self.mean
        np.multiply(apart, apart, out=apart)
        np.multiply(apart, share * self.count, out=apart)
        apart += self.deviation
        apart += other.deviation
        return Moments(count, mean, apart)


def window_moments(
    x: Floats, known: Floats | float, lengths: tuple[int, ...]
) -> dict[int, Moments]:
    """Moments of n consecutive rows for each n of ``lengths`` (rising), by doubling.

    Parameters
    ----------
    x : (R, K), 0 where not known.
    known : (R, K) or (R, 1), 1.0 where x counts and 0.0 where it does not; 1.0 if all of it does.

    Returns
    -------
    n -> :class:`Moments` of R - n + 1 rows; row i covers x[i : i + n].
    """
    found: dict[int, Moments | None] = dict.fromkeys(lengths)
    offsets = dict.fromkeys(lengths, 0)
    partial, size = Moments(known, x, np.zeros_like(x)), 1
    while True:
        for n in lengths:
            if n & size:
                part = partial.rows(offsets[n], offsets[n] + len(x) - n + 1)
                so_far = found[n]
                found[n] = part if so_far is None else so_far.merged(part)
                offsets[n] += size
        if size * 2 > lengths[-1]:
            break
        end = len(partial.mean)
        partial = partial.rows(0, end - size).merged(partial.rows(size, end))
        size *= 2
    return {n: moments for n, moments in found.items() if moments is not None}


class WindowSum:
    """The sum of the last n rows; rows before the first count as 0."""

    def __init__(self, n: int, columns: int) -> None:
        if n < 1:
            raise ValueError(f"n was {n}, a window needs at least 1 row")
        self.n = n
        self._history = History(n - 1, columns)

    def __call__(self, x: Floats, *, commit: int | None = None) -> Floats:
        return window_sums(self._history.joined(x, commit=commit), self.n)

    def checkpoint(self) -> State:
        return self._history.checkpoint()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._history.restore(state)


class _WindowOfRows:
    """A window that knows how many rows it has seen, for averages over what there is."""

    def __init__(self, n: int, columns: int) -> None:
        if n < 1:
            raise ValueError(f"n was {n}, a window needs at least 1 row")
        self.n = n
        self._history = History(n - 1, columns)
        self._seen = 0

    def _count(self, rows: int, commit: int | None) -> Floats:
        """(T, 1): the rows in the window that ends at each row of x."""
        count = np.minimum(np.arange(self._seen + 1, self._seen + rows + 1), self.n)
        self._seen = min(self._seen + (rows if commit is None else commit), self.n)
        return count.astype(np.float64)[:, np.newaxis]

    def checkpoint(self) -> State:
        return {**self._history.checkpoint(), "seen": self._seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._history.restore(state)
        self._seen = int(state["seen"])


class WindowMean(_WindowOfRows):
    """The mean of the last n rows, or of as many as there have been."""

    def __call__(self, x: Floats, *, commit: int | None = None) -> Floats:
        sums = window_sums(self._history.joined(x, commit=commit), self.n)
        sums /= self._count(len(x), commit)
        return sums


class WindowStd(_WindowOfRows):
    """The standard deviation of the last n rows, or of as many as there have been.

    Divides by the number of rows minus ``ddof``; 0 while that is not positive.
    """

    def __init__(self, n: int, columns: int, *, ddof: int = 0) -> None:
        super().__init__(n, columns)
        self.ddof = ddof

    def __call__(self, x: Floats, *, commit: int | None = None) -> Floats:
        joined = self._history.joined(x, commit=commit)
        known = np.zeros((len(joined), 1))
        known[max(0, self.n - 1 - self._seen) :] = 1.0
        self._count(len(x), commit)
        moments = window_moments(joined, known, (self.n,))[self.n]
        freedom = moments.count - self.ddof
        variance = np.where(freedom > 0, moments.deviation / np.maximum(freedom, 1.0), 0.0)
        deviation: Floats = np.sqrt(variance)
        return deviation
