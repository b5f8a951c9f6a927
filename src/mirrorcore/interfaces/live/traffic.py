"""Who tells whom how much, and how the sources of a live run do."""

from __future__ import annotations

from collections.abc import Mapping

from mirrorcore.data_sources.running.health import SourceHealth
from mirrorcore.interfaces.live.picture import Row
from mirrorcore.syncbus.survey import Survey

_PAIRS = 400
"""Pairs of kinds told at most; those with most traffic."""


def flow(survey: Survey) -> Row:
    """The matrix of state changes between kinds, as rows of its non-empty cells."""
    counts = sorted(survey.flow().items(), key=lambda cell: (-cell[1][0], cell[0]))[:_PAIRS]
    senders = sorted({source: None for (source, _), _ in counts})
    readers = sorted({reader: None for (_, reader), _ in counts})
    cells = [
        [senders.index(source), readers.index(reader), *numbers]
        for (source, reader), numbers in counts
    ]
    return {"from": senders, "to": readers, "m": cells}


def source_rows(health: Mapping[str, SourceHealth], wall: int) -> dict[str, Row]:
    """A row for each source; ``wall`` in ms."""
    return {name: _source(one, wall) for name, one in health.items()}


def _source(one: SourceHealth, wall: int) -> Row:
    return {
        "state": str(one.state),
        "reason": one.reason,
        "breaker": str(one.breaker),
        "ok": one.ok,
        "records": sum(one.records.values()),
        "gaps": sum(one.gaps.values()),
        "unfilled": one.unfilled,
        "dropped": one.dropped,
        "duplicates": one.duplicates,
        "faults": sum(one.faults.values()),
        "reconnects": one.reconnects,
        "pending": one.pending,
        "stale": list(one.stale_symbols),
        "heard": None if one.silence_ns is None else wall - one.silence_ns // 1_000_000,
        "skew": None if one.skew_ns is None else one.skew_ns // 1_000_000,
    }
