"""What every source of history looks like to the assembly: simulated or recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from mirrorcore.market.block import MarketBlock
from mirrorcore.market.instruments import Instrument

if TYPE_CHECKING:
    from mirrorcore.market.validator import IntakeReport


class HistorySource(Protocol):
    """Market data of the past, validated, in order of ``ts_avail``.

    The same source read twice yields the same bits, however the blocks are cut.
    """

    @property
    def name(self) -> str:
        """How the source is called in reports and in ``source`` of its records."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The run's symbols; their order is the order of the columns."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """One for each symbol, in the same order."""

    @property
    def bar_ns(self) -> int:
        """Length of a bar, ns."""

    @property
    def verdicts(self) -> IntakeReport:
        """What the validator decided so far; grows while :meth:`blocks` is consumed."""

    def blocks(self, start_tick: int = 0, max_rows: int = 4096) -> Iterator[MarketBlock]:
        """Validated blocks of at most ``max_rows`` ticks, from tick ``start_tick`` on."""

    def digest(self) -> str:
        """SHA-256 over the inputs: parameters and seed, or the data itself after parsing."""

    def ticks_total(self) -> int | None:
        """How many ticks there are in all, None where that is not known; for progress only."""
