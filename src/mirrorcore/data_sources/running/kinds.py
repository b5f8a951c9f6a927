"""What kinds of records there are and how each may be treated."""

from __future__ import annotations

from typing import get_args

from mirrorcore.market.records import (
    BookDelta,
    FeedRecord,
    GapRecord,
    Status,
)

KIND: dict[type, str] = {one: str(one.__struct_config__.tag) for one in get_args(FeedRecord)}
"""The tag of each class of record: ``trade``, ``quote``, ``book`` …"""

TICKS = frozenset({"trade", "quote", "book", "book_delta"})
"""Their event time is when it happened, so receipt − event tells of the source's clock."""

LATEST = frozenset({"quote", "book"})
"""Only the newest counts: a slow consumer gets that one."""

ORDERED = frozenset({"trade", "quote", "book", "book_delta", "bar", "funding"})
"""Come in order of their number or time: an older one after a reconnect is a repetition."""

CHAIN = frozenset({"block", "transfer", "swap"})
"""Numbered by block height, which a reorganisation of the chain turns back."""

NOTICES = (GapRecord, Status)
"""Records about the source, not from the market."""

NEVER_FILLED = LATEST | {KIND[BookDelta], KIND[GapRecord], KIND[Status]}
"""What no backfill can bring: a book is read anew instead."""
