"""Time, live and virtual. Nobody else in the project reads a wall clock.

Instants are integer nanoseconds since 1970-01-01 UTC, durations integer nanoseconds.
"""

from __future__ import annotations

import asyncio
import re
import selectors
import threading
import time
from datetime import UTC, datetime
from typing import Any, Protocol

monotonic_ns = time.monotonic_ns
"""Time since some moment of this process: of use to :class:`LiveClock` and who does its sum."""

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")


def parse_duration(text: str) -> int:
    """``"5m"``, ``"1.5h"`` or ``"250ms"`` in nanoseconds; ValueError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"was {text!r}, not a duration such as 250ms, 30s, 5m, 1h, 2d or 1w")
    return round(float(match[1]) * _UNITS[match[2]])


def format_duration(ns: int) -> str:
    """The shortest exact form that :func:`parse_duration` reads back."""
    for unit in ("w", "d", "h", "m", "s", "ms"):
        if ns % _UNITS[unit] == 0 and ns >= _UNITS[unit]:
            return f"{ns // _UNITS[unit]}{unit}"
    return f"{ns / MILLISECOND:g}ms"


def iso(ns: int) -> str:
    """ISO 8601 in UTC; fractions of a second only where there are any."""
    seconds, rest = divmod(ns, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest // MILLISECOND:03d}+00:00" if rest else f"{text}+00:00"


class Clock(Protocol):
    """Whatever can say what time it is."""

    def now(self) -> int:
        """Nanoseconds since the epoch, UTC; never runs backwards."""


class VirtualClock:
    """Time that moves only when it is told to; replay and tests run on it."""

    __slots__ = ("_now",)

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def advance_to(self, instant: int) -> None:
        """Move forward to ``instant``; an earlier one is ignored, time never runs backwards."""
        self._now = max(self._now, instant)


class PacedClock:
    """Market time that runs ``speed`` times as fast as the wall: paper trading.

    Parameters
    ----------
    start: market instant at construction, ns.
    speed: market seconds per wall second, > 0.
    """

    __slots__ = ("_origin", "_start", "speed")

    def __init__(self, start: int, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed was {speed}, must be above 0")
        self._start = start
        self._origin = time.monotonic_ns()
        self.speed = speed

    def now(self) -> int:
        return self._start + round((time.monotonic_ns() - self._origin) * self.speed)

    def wall_seconds_until(self, instant: int) -> float:
        """Wall seconds left until market time reaches ``instant``; 0 when it is past."""
        return max(0.0, (instant - self.now()) / (self.speed * SECOND))


class LiveClock:
    """The machine's own time, held monotonic within the process: ``monotonic_ns() + offset``."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = time.time_ns() - monotonic_ns()

    def now(self) -> int:
        return monotonic_ns() + self.offset


class ReadOnlyClock:
    """Another clock's time, to be read alone: what an agent is handed."""

    __slots__ = ("_now",)

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now

    def now(self) -> int:
        return self._now()


def wall_now() -> int:
    """The wall clock, for run identities and file stamps; never for a decision."""
    return time.time_ns()


class Stopwatch:
    """Wall and CPU time spent, for health and reports; never for a decision."""

    __slots__ = ("_cpu", "_wall")

    def __init__(self) -> None:
        self._wall = time.perf_counter_ns()
        self._cpu = time.process_time_ns()

    def wall_ns(self) -> int:
        return time.perf_counter_ns() - self._wall

    def cpu_ns(self) -> int:
        return time.process_time_ns() - self._cpu


stamp_ns = time.perf_counter_ns
"""A cheap monotonic stamp for latency figures."""


class ThreadClock:
    """Processor time of the thread that made it, for whoever looks from another thread."""

    __slots__ = ("_clock_id",)

    def __init__(self) -> None:
        known = hasattr(time, "pthread_getcpuclockid")
        self._clock_id = time.pthread_getcpuclockid(threading.get_ident()) if known else None

    def cpu_ns(self) -> int:
        """ns used so far; 0 where the thread has ended or the platform does not say."""
        if self._clock_id is None:
            return 0
        try:
            return time.clock_gettime_ns(self._clock_id)
        except OSError:
            return 0


class _VirtualSelector(selectors.BaseSelector):
    """Instead of sleeping, moves the virtual clock on by the time-out asked for."""

    def __init__(self, clock: VirtualClock) -> None:
        self._inner = selectors.DefaultSelector()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("virtual time stands still: everything waits and no timer is set")
        if timeout > 0:
            self._clock.advance_to(self._clock.now() + round(timeout * SECOND))
        return self._inner.select(0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def get_map(self) -> Any:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on a :class:`VirtualClock`: ``asyncio.sleep(3600)`` costs nothing.

    Timers fire in order of virtual time, then of creation, so a run is repeatable. File
    descriptors are polled but never waited for: replay does no input or output of its own.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual = clock
        # Counted from the start: a float holds nanoseconds for months, but not since 1970.
        self._origin = clock.now()
        super().__init__(_VirtualSelector(clock))
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return (self._virtual.now() - self._origin) / SECOND
