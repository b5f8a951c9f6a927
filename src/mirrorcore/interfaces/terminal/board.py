"""What the screens read: the newest state of the swarm, or the one of the moment it was paused.

The wire's columns become the columns people name in filters. A paused board keeps a copy; the
model behind it goes on, and how far is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.interfaces.live.filtering import Column, Field, Filter, Sort
from mirrorcore.interfaces.live.model import ClientModel
from mirrorcore.interfaces.live.picture import action_of
from mirrorcore.interfaces.terminal.look import health_word

TREND = 24
"""Samples of a row's sparkline, one a second."""

TRENDS = ("pnl", "confidence", "mailbox")

_WIRE = {
    "agent": "id",
    "confidence": "conf",
    "lean": "lean",
    "pnl": "pnl",
    "mailbox": "mb",
    "heard": "t",
    "weight": "w",
    "health": "hp",
    "calls": "calls",
    "fails": "fails",
    "restarts": "rest",
    "latency": "lat",
    "version": "v",
    "error": "err",
}
_NAMED = {"kind": ("kind", "kind"), "status": ("st", "st"), "circuit": ("cb", "cb")}  # fmt: skip

FIELDS = (
    Field("agent", also=("id",)),
    Field("kind"),
    Field("status"),
    Field("signal"),
    Field("circuit"),
    Field("error"),
    Field("health", number=True, words=health_word),
    Field("confidence", number=True, also=("conf",)),
    *(
        Field(name, number=True)
        for name in (
            "lean",
            "pnl",
            "mailbox",
            "weight",
            "calls",
            "fails",
            "restarts",
            "latency",
            "version",
        )
    ),
)
"""Columns of the agents that can be filtered and sorted."""


@dataclass(slots=True)
class Frozen:
    """A copy of a model; its rows are never changed in place, so that one level is enough."""

    ts: int
    applied: int
    enums: dict[str, list[str]]
    top: dict[str, Any]
    agents: dict[str, list[Any]]
    tables: dict[str, dict[str, dict[str, Any]]]
    logs: dict[str, list[dict[str, Any]]]
    candles: dict[str, list[list[Any]]]
    eq: list[list[Any]]
    emo: list[list[Any]]
    flow: dict[str, Any]

    @classmethod
    def of(cls, model: ClientModel, applied: int) -> Frozen:
        return cls(
            model.ts,
            applied,
            dict(model.enums),
            dict(model.top),
            {name: list(values) for name, values in model.agents.items()},
            {name: dict(rows) for name, rows in model.tables.items()},
            {name: list(rows) for name, rows in model.logs.items()},
            {name: list(rows) for name, rows in model.candles.items()},
            list(model.eq),
            list(model.emo),
            dict(model.flow),
        )


class AgentColumns(Mapping[str, Column]):
    """The columns of the agents by the names people use; numbers of enums become their words."""

    def __init__(self, seen: ClientModel | Frozen) -> None:
        self._seen = seen
        self._worded: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> Column:
        wire = _WIRE.get(name)
        if wire is not None:
            return self._seen.agents.get(wire, [])
        found = self._worded.get(name)
        if found is None:
            found = self._worded[name] = self._words(name)
        return found

    def _words(self, name: str) -> list[Any]:
        if name == "signal":
            return list(map(action_of, self._seen.agents.get("lean", [])))
        column, names = _NAMED[name]
        words = self._seen.enums.get(names, [])
        count = len(words)
        return [
            words[value] if isinstance(value, int) and 0 <= value < count else None
            for value in self._seen.agents.get(column, [])
        ]

    def __iter__(self) -> Iterator[str]:
        yield from (*_NAMED, "signal", *_WIRE)

    def __len__(self) -> int:
        return len(_NAMED) + 1 + len(_WIRE)


@dataclass
class Board:
    """The swarm as the screens see it, with filter, order and pause of whoever looks."""

    model: ClientModel
    applied: Callable[[], int]
    """Updates the model has taken in so far."""
    filter: Filter = field(default_factory=lambda: Filter.parse("", FIELDS))
    sort: Sort = field(default_factory=Sort)
    trend: str = "pnl"

    def __post_init__(self) -> None:
        self._frozen: Frozen | None = None
        self._columns = AgentColumns(self.model)
        self._columns_of = -1
        self._trends: deque[list[Any]] = deque(maxlen=TREND)

    @property
    def seen(self) -> ClientModel | Frozen:
        """What is shown: of now, or of when the view was paused."""
        return self.model if self._frozen is None else self._frozen

    @property
    def paused(self) -> bool:
        return self._frozen is not None

    @property
    def behind(self) -> int:
        """Updates that came since the view was paused."""
        return 0 if self._frozen is None else self.applied() - self._frozen.applied

    def pause(self) -> None:
        """Keep what is seen now; the swarm and the model go on."""
        self._frozen = Frozen.of(self.model, self.applied())
        self._columns_of = -1

    def resume(self) -> None:
        """Show the newest again."""
        self._frozen = None
        self._columns_of = -1

    @property
    def columns(self) -> AgentColumns:
        """The agents' columns, decoded once an update."""
        applied = self.applied() if self._frozen is None else self._frozen.applied
        if self._columns_of != applied:
            self._columns = AgentColumns(self.seen)
            self._columns_of = applied
        return self._columns

    def rows(self) -> list[int]:
        """Rows that pass the filter, in order; removed agents only where they are asked for."""
        columns = self.columns
        everyone = range(len(columns["agent"]))
        kept = self.filter.select(columns, everyone)
        if "removed" not in self.filter.text:
            status = columns["status"]
            kept = [row for row in kept if status[row] != "removed"]
        return self.sort.order(columns, kept)

    def count(self) -> int:
        """Agents there are, whatever the filter."""
        return sum(status != "removed" for status in self.columns["status"])

    def sample(self) -> None:
        """Take a point of every sparkline; once a second."""
        if not self.paused:
            self._trends.append(list(self.columns[self.trend]))

    def follow_trend(self, name: str) -> None:
        """Sparklines of another column begin anew."""
        self.trend = name
        self._trends.clear()

    def trend_of(self, row: int) -> list[float | None]:
        """The samples of one row, oldest first."""
        return [values[row] for values in self._trends if row < len(values)]

    def agent(self, row: int) -> dict[str, Any]:
        """One agent with every column, as it is copied."""
        columns = self.columns
        return {name: columns[name][row] for name in columns if row < len(columns[name])}

    def row_of(self, agent: str) -> int | None:
        """The row of an agent by its id."""
        names = self.columns["agent"]
        return names.index(agent) if agent in names else None
