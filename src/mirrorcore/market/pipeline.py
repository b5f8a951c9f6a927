"""From raw market data to the swarm: validate, number the tick, broadcast.

Market data is not agent state: the pipeline writes the market state and nothing else, agents read
it. Time is the market's own (``ts_avail`` of the newest record), never a wall clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from mirrorcore.errors import UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.categories import DataCategorizer
from mirrorcore.market.merge import TickAssembler
from mirrorcore.market.records import Bar, FeedRecord, GapRecord, Observation, Record
from mirrorcore.market.validator import MarketDataProcessor


class MarketBus(Protocol):
    """The one thing the pipeline needs of the bus."""

    async def broadcast_market_update(self, market_state: Mapping[str, Any]) -> object:
        """Hand an immutable market state to every agent interested in it."""


def frozen(data: object) -> object:
    """Mappings made read-only all the way down."""
    if isinstance(data, Mapping):
        return MappingProxyType({key: frozen(value) for key, value in data.items()})
    return data


def _for_the_swarm(records: Iterable[FeedRecord]) -> tuple[Record, ...]:
    """Without the live kinds, of which a source's bars and observations are made elsewhere."""
    return tuple(r for r in records if isinstance(r, Bar | Observation | GapRecord))


class DataPipeline:
    """Takes raw market data of one tick, gives the bus one market state.

    Parameters
    ----------
    syncbus: whatever has ``broadcast_market_update``.
    processor: the validator; one that takes symbols as they come by default.
    symbols: the run's symbols in order; needed for blocks.
    view: makes ``market_data`` of the tick's block; by default, and for a tick
        without bars, the records as ``{category: {symbol: {name: value}}}``.
    first_tick: number of the next tick.
    """

    def __init__(
        self,
        syncbus: MarketBus,
        *,
        processor: MarketDataProcessor | None = None,
        symbols: Sequence[str] = (),
        view: Callable[[MarketBlock], object] | None = None,
        first_tick: int = 0,
    ) -> None:
        if view is not None and not symbols:
            raise UsageError("a view of blocks needs the run's symbols", hint="pass symbols=")
        self.syncbus = syncbus
        self.market_processor = MarketDataProcessor() if processor is None else processor
        self.tick_counter = first_tick
        self._assembler = TickAssembler(symbols, index=first_tick) if symbols else None
        self._categorizer = DataCategorizer(symbols)
        self._view = view

    async def process_tick(
        self, raw_market_data: object, *, now: int | None = None
    ) -> Mapping[str, Any] | None:
        """Validate one tick's data and broadcast it.

        Parameters
        ----------
        raw_market_data: as :meth:`MarketDataProcessor.validate` takes it.
        now: when it was received, ns.

        Returns
        -------
        The market state as broadcast: ``tick_id``, ``timestamp`` (ns UTC, when the newest record
        became available), ``market_data``, ``data_sources``. None, and no broadcast, when nothing
        usable was in it: no agent shall take rejected data for a new market.
        """
        records = self.market_processor.validate(raw_market_data, now=now)
        usable = [record for record in records if isinstance(record, Bar | Observation)]
        if not usable:
            return None
        block = None if self._assembler is None else self._assembler.block(_for_the_swarm(records))
        if self._view is not None and block:
            market_data = self._view(block)
        else:
            market_data = frozen(self._categorizer.process(_for_the_swarm(records)))
        market_state = MappingProxyType(
            {
                "tick_id": self.tick_counter,
                "timestamp": max(record.ts_avail for record in usable),
                "market_data": market_data,
                "data_sources": tuple(dict.fromkeys(record.source for record in usable)),
            }
        )
        self.tick_counter += 1
        await self.syncbus.broadcast_market_update(market_state)
        return market_state

    def block(self, raw_market_data: object, *, now: int | None = None) -> MarketBlock:
        """The same data, validated, as a block: one tick, or none when there is no bar in it.

        Raises
        ------
        UsageError
            when the pipeline was made without symbols.
        """
        if self._assembler is None:
            raise UsageError(
                "a block needs the run's symbols", hint="pass symbols= to the pipeline"
            )
        records = self.market_processor.validate(raw_market_data, now=now)
        return self._assembler.block(_for_the_swarm(records))
