"""What every live source looks like to the manager that runs it.

A source knows its protocol and nothing else: it connects, parses and yields. It raises when its
connection fails; whoever runs it decides when to try again, fills what was missed and counts. So
back-off, breaker, staleness, gaps and clock skew exist once, for all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mirrorcore.errors import MirrorCoreError
from mirrorcore.market.records import Category, FeedRecord
from mirrorcore.recent import Remarks


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a source is and how often it should be heard.

    Parameters
    ----------
    name: in every record's ``source``; unique in a run.
    category: where most of what it brings belongs.
    kinds: tags of the records it yields (``trade``, ``book``, ``observation`` …).
    symbols: canonical symbols it covers; ``*`` for the whole market.
    cadence_ns: how often something is expected; the interval at which a polled source is asked.
    stale_after_ns: silence after which it is called stale.
    sparse: silence is no gap.
    units: unit by series or kind, as people write it.
    licence: terms under which its data may be used, with attribution where that is asked for.
    contiguous: kinds whose ``seq`` counts up by one without holes within a symbol.
    bar_ns: length of its bars, 0 where it has none.
    tested: this very service's protocol is exercised by the tests against a true server.
    """

    name: str
    category: Category
    kinds: tuple[str, ...]
    symbols: tuple[str, ...]
    cadence_ns: int
    stale_after_ns: int
    sparse: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    licence: str = ""
    contiguous: tuple[str, ...] = ()
    bar_ns: int = 0
    tested: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """The last record seen of one symbol and kind."""

    seq: int
    ts_event: int


Cursor = Mapping[tuple[str, str], Position]
"""Where to go on from: by (symbol, kind)."""


class SourceError(MirrorCoreError):
    """A source failed. ``retry_after_ns`` is what its server asked for; ``permanent`` means that
    trying again cannot help (a wrong key, a symbol that does not exist); ``case`` is the word by
    which its health counts it (``rate_limited``, ``timeout``, ``malformed`` …)."""

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retry_after_ns: int = 0,
        permanent: bool = False,
        case: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_ns = retry_after_ns
        self.permanent = permanent
        self.case = case or ("permanent" if permanent else "connection")


@runtime_checkable
class StreamSource(Protocol):
    """A source that pushes: sockets, or a chain followed block by block."""

    @property
    def spec(self) -> SourceSpec:
        """What it is; never changes."""

    def stream(self, since: Cursor) -> AsyncIterator[FeedRecord]:
        """Connect and yield records as they come, until cancelled.

        Raises
        ------
        SourceError
            when the connection is lost or refused. The next call connects anew.
        """

    def backfill(self, start: int, end: int, since: Cursor) -> AsyncIterator[FeedRecord]:
        """What happened in [start, end) ns by event time and after ``since``, flagged BACKFILL."""

    async def aclose(self) -> None:
        """Give up connections; the source is not used again."""


@runtime_checkable
class PolledSource(Protocol):
    """A source that answers when asked, once per ``spec.cadence_ns``."""

    @property
    def spec(self) -> SourceSpec:
        """What it is; never changes."""

    @property
    def name(self) -> str:
        """``spec.name``."""

    async def collect(self) -> Sequence[FeedRecord]:
        """What is new since it was asked last, in order of ``ts_avail``; SourceError on failure."""

    async def aclose(self) -> None:
        """Give up connections; the source is not used again."""


@runtime_checkable
class MakesRemarks(Protocol):
    """A source that reads what people wrote, and says what is odd in it."""

    @property
    def remarks(self) -> Remarks:
        """Sentences for whoever wrote it; more may come while a run goes on."""


@runtime_checkable
class TellsTime(Protocol):
    """A source whose server can be asked for its time."""

    async def server_time(self) -> int:
        """The server's clock, ns UTC, about the middle of the call; SourceError on failure."""
