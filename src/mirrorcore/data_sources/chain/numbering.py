"""One number for each record of a chain, rising with the chain: block height, then place in it.

The cursor of a source holds these numbers, so reading on finds the very record it stopped at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mirrorcore.market.records import ChainBlock, FeedRecord, Observation

_PLACE_BITS: Final = 24
_LOGS_FROM: Final = 1 << 16
_OBSERVATIONS_FROM: Final = 1 << 23


def payment_number(block: int, transaction_index: int) -> int:
    """Of native coin moved by a transaction."""
    return block << _PLACE_BITS | transaction_index


def log_number(block: int, log_index: int) -> int:
    """Of what a log tells."""
    return block << _PLACE_BITS | _LOGS_FROM + log_index


def observation_number(block: int, place: int) -> int:
    """Of the ``place``-th observation made of a block."""
    return block << _PLACE_BITS | _OBSERVATIONS_FROM + place


def observed(
    source: str, block: int, values: Sequence[tuple[str, str, int, float | None]]
) -> list[Observation]:
    """What is observed of a block: (series, symbol, instant, value) each, numbered as they come."""
    return [
        Observation(
            source=source,
            symbol=symbol,
            ts_event=ts,
            ts_recv=0,
            ts_avail=0,
            seq=observation_number(block, place),
            series=series,
            value=value,
        )
        for place, (series, symbol, ts, value) in enumerate(values)
    ]


def height_of(number: int) -> int:
    """The block that a number belongs to."""
    return number >> _PLACE_BITS


def height_of_record(record: FeedRecord) -> int:
    """The block that a record belongs to; a block's own number is its height."""
    return record.seq if isinstance(record, ChainBlock) else height_of(record.seq)


def height_of_position(kind: str, number: int) -> int:
    """The block that a position of a cursor stands at."""
    return number if kind == "block" else height_of(number)
