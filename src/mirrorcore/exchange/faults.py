"""Faults on purpose: an explicit list of what goes wrong and when, each counted where it bites.

A fault begins ``at`` seconds after the exchange started (or at once, when injected by a call) and
ends after ``seconds`` or after it bit ``count`` times, whichever comes first; 0 stands for no such
bound. ``target`` is a part of the stream's name or of the request's path; an empty one means all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from mirrorcore.clock import SECOND
from mirrorcore.errors import UsageError

FaultKind = Literal[
    "rate_limit", "html", "slow", "sequence_skip", "malformed", "stale", "drop", "clock_offset"
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
OF_REQUESTS: tuple[FaultKind, ...] = ("rate_limit", "html", "slow")
_ENDLESS: tuple[FaultKind, ...] = ("stale", "clock_offset")


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    kind: ``rate_limit`` answers 429 with ``Retry-After: retry_after``; ``html`` answers a page
    where JSON belongs; ``slow`` answers after ``delay`` seconds; ``sequence_skip`` withholds a
    depth frame; ``malformed`` cuts a frame in half; ``stale`` silences streams; ``drop`` aborts
    sockets; ``clock_offset`` shifts the server's time and the event times by ``offset`` seconds.
    """

    kind: FaultKind
    at: float = 0.0
    target: str = ""
    count: int = 1
    seconds: float = 0.0
    retry_after: int = 1
    delay: float = 1.0
    offset: float = 0.5

    def __post_init__(self) -> None:
        for name in ("at", "count", "seconds", "retry_after", "delay", "offset"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise UsageError(
                    f"fault {self.kind}: {name} was {value}, which is no finite number",
                    hint=f"give {name} in figures, as 1.5, or leave it out",
                )
            if value < 0 and name != "offset":  # a clock may be wrong either way
                raise UsageError(
                    f"fault {self.kind}: {name} was {value}, below 0", hint=f"give {name} 0 or more"
                )
        if self.kind == "drop" and (self.count != 1 or self.seconds):
            raise UsageError(
                "fault drop: it happens once, to all sockets it is meant for",
                hint="leave count and seconds out; for another one schedule another",
            )
        if self.kind in _ENDLESS and self.seconds == 0:
            raise UsageError(
                f"fault {self.kind}: it has no end", hint="give seconds = how long it lasts"
            )
        if self.kind not in _ENDLESS and self.count == 0 and self.seconds == 0:
            raise UsageError(
                f"fault {self.kind}: it has no end", hint="give count, seconds or both"
            )


@dataclass(slots=True, eq=False)
class _Active:
    fault: Fault
    until: int | None
    bites: int = 0


class Faults:
    """The faults of one exchange: those that are to come, those at work, and the counts.

    ``happened`` counts by kind the faults that had any effect, ``bites`` how often they had: the
    answers spoiled, frames withheld or cut, sockets aborted.
    """

    def __init__(self, schedule: Sequence[Fault], start: int) -> None:
        self._start = start
        self._coming = sorted(schedule, key=lambda fault: fault.at)
        self._active: list[_Active] = []
        self._now = start
        self.happened: dict[FaultKind, int] = dict.fromkeys(FAULT_KINDS, 0)
        self.bites: dict[FaultKind, int] = dict.fromkeys(FAULT_KINDS, 0)

    def advance(self, now: int) -> None:
        """Begin what is due and end what is over."""
        self._now = now
        self._active = [a for a in self._active if a.until is None or now < a.until]
        while self._coming and self._start + self._coming[0].at * SECOND <= now:
            self.inject(self._coming.pop(0))

    def inject(self, fault: Fault) -> None:
        """Begin a fault now, whatever its ``at``."""
        until = self._now + round(fault.seconds * SECOND) if fault.seconds else None
        active = _Active(fault, until)
        self._active.append(active)
        if fault.kind == "clock_offset":
            self._bite(active)

    @property
    def offset(self) -> int:
        """ns by which the exchange's clock is wrong at present."""
        return sum(
            round(active.fault.offset * SECOND)
            for active in self._active
            if active.fault.kind == "clock_offset"
        )

    def of_request(self, path: str) -> Fault | None:
        """What spoils the answer to this request; taking it counts it."""
        return next((f for kind in OF_REQUESTS if (f := self.take(kind, path))), None)

    def drops(self, streams: Iterable[str]) -> bool:
        """Whether a socket with these streams is to be aborted now."""
        names = list(streams) or [""]
        return any(self._find("drop", name) for name in names)

    def dropped(self, sockets: int) -> None:
        """``sockets`` were aborted; a drop that found none stays until it finds one."""
        for active in [a for a in self._active if a.fault.kind == "drop"]:
            if sockets:
                self.bites["drop"] += sockets
                self.happened["drop"] += 1
                self._active.remove(active)

    def take(self, kind: FaultKind, target: str) -> Fault | None:
        """A fault of this kind that bites here, if there is one; it is counted."""
        active = self._find(kind, target)
        if active is None:
            return None
        self._bite(active)
        return active.fault

    def _find(self, kind: FaultKind, target: str) -> _Active | None:
        return next(
            (a for a in self._active if a.fault.kind == kind and a.fault.target in target), None
        )

    def _bite(self, active: _Active) -> None:
        kind = active.fault.kind
        if active.bites == 0:
            self.happened[kind] += 1
        active.bites += 1
        self.bites[kind] += 1
        if kind not in _ENDLESS and active.bites == active.fault.count:
            self._active.remove(active)


def random_schedule(
    seed: int, *, every: float, seconds: float, kinds: Sequence[FaultKind] = FAULT_KINDS
) -> list[Fault]:
    """A fault every ``every`` seconds for ``seconds``, of kinds drawn from ``kinds``.

    Each kind comes about equally often: they are drawn without replacement, round after round.

    Raises
    ------
    UsageError
        where one of the two is no length of time.
    """
    if not (0 < every < math.inf and 0 <= seconds < math.inf):
        raise UsageError(
            f"a fault every {every:g} s for {seconds:g} s is no schedule",
            hint="give finite numbers: every above 0, seconds 0 or more",
        )
    rng = np.random.Generator(np.random.Philox(seed))
    schedule: list[Fault] = []
    round_: list[FaultKind] = []
    for number in range(1, int(seconds / every) + 1):
        if not round_:
            round_ = [kinds[i] for i in rng.permutation(len(kinds))]
        kind = round_.pop()
        lasts = 0.5 * every if kind in _ENDLESS else 0.0
        schedule.append(Fault(kind=kind, at=number * every, seconds=lasts))
    return schedule


def read_schedule(path: Path) -> list[Fault]:
    """A schedule from a TOML file of ``[[fault]]`` tables.

    Raises
    ------
    UsageError
        where the file cannot be read or a fault in it is not one; it names the file and the entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="check the path") from None
    hint = '[[fault]] tables, as: kind = "drop", at = 10; kinds are ' + ", ".join(FAULT_KINDS)
    try:
        found: Any = msgspec.toml.decode(text, type=dict[Literal["fault"], list[dict[str, Any]]])
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"{path}: {error}", hint=f"a schedule is {hint}") from None
    schedule: list[Fault] = []
    for number, entry in enumerate(found.get("fault", []), 1):
        where = f"{path}: [[fault]] {number}"
        try:
            schedule.append(msgspec.convert(entry, Fault))
        except msgspec.MsgspecError as error:
            raise UsageError(f"{where}: {error}", hint=f"a schedule is {hint}") from None
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", hint=error.hint) from None
    return schedule
