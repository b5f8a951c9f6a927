"""Where in a service's JSON the values stand, said in a few words instead of a program.

Paths are dotted, with numbers for places in a list: ``data.0.supply``. What a mapping expects of
the document (the symbol it is about, the unit it is in) is checked, for a service that answers for
another coin or in another unit says so in just that place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrorcore.data_sources.known_values import Dated
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.values import instant_of, value_of
from mirrorcore.market.categories import split_series
from mirrorcore.market.records import ALL_SYMBOLS

_MISSING = object()


@dataclass(frozen=True, slots=True)
class JsonSeries:
    """One series within a JSON document.

    Parameters
    ----------
    name: ``category.name``, as ``fundamental.hashrate``.
    value: path of the value, from its row.
    unit: after scaling, as people write it.
    rows: path of the list of rows; empty where the document is one row.
    time: path of the instant, from its row; empty where it has none: then it is that of receipt.
    released: path of the instant of publication; empty where there is none.
    lag_ns: where ``released`` is empty, a value dated t is public at t + lag.
    symbol: one of the run, or ``*``.
    scale: what the values are multiplied with, as 1e12 for TH/s in H/s.
    expect: path from the document to what must stand there, as ``{"unit": "TH/s"}``.
    low, high: a value beyond these is in another unit, or none at all.
    """

    name: str
    value: str
    unit: str
    rows: str = ""
    time: str = ""
    released: str = ""
    lag_ns: int = 0
    symbol: str = ALL_SYMBOLS
    scale: float = 1.0
    expect: Mapping[str, str] = field(default_factory=dict)
    low: float = float("-inf")
    high: float = float("inf")

    def __post_init__(self) -> None:
        split_series(self.name)

    def read(self, body: Any, *, received: int, where: str) -> list[Dated]:
        """Its values in a document received at ``received``, ns.

        Raises
        ------
        SourceError
            where the document is not as the mapping says.
        """
        for path, expected in self.expect.items():
            found = at_path(body, path, where)
            if str(found) != expected:
                raise SourceError(
                    f"{where}: {path} was {str(found)[:40]!r}, expected {expected!r}",
                    hint="the service answers for another coin or in another unit",
                )
        rows = at_path(body, self.rows, where) if self.rows else [body]
        if not isinstance(rows, list):
            raise SourceError(f"{where}: {self.rows} is no list")
        return [self._row(row, received, where) for row in rows]

    def _row(self, row: Any, received: int, where: str) -> Dated:
        value = value_of(at_path(row, self.value, where), f"{where}: {self.value}")
        if value is not None:
            value *= self.scale
            if not self.low <= value <= self.high:
                raise SourceError(
                    f"{where}: {self.value} was {value:g} {self.unit}, must be from {self.low:g} "
                    f"to {self.high:g}",
                    hint="is it in another unit?",
                )
        event = received
        if self.time:
            event = instant_of(at_path(row, self.time, where), f"{where}: {self.time}")
        released = event + self.lag_ns
        if self.released:
            released = instant_of(at_path(row, self.released, where), f"{where}: {self.released}")
        return Dated(event, released, value)


def at_path(body: Any, path: str, where: str, default: Any = _MISSING) -> Any:
    """What stands at a dotted path; ``default``, or SourceError without one, where nothing does."""
    found = body
    for step in path.split(".") if path else ():
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        elif default is not _MISSING:
            return default
        else:
            raise SourceError(
                f"{where}: the answer has no {path}", hint="check the mapping of this source"
            )
    return found
