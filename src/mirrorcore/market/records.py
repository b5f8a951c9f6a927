"""The one contract of everything that comes from outside: simulated, recorded, paper or live.

Three instants, each in nanoseconds UTC: ``ts_event`` when it happened by the source's clock (a bar
carries its *open*), ``ts_recv`` when it reached us, ``ts_avail`` the first moment a decision may
use it (a bar at its close, a macro value at its release). Nothing may be used before ``ts_avail``.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Literal

import msgspec

Category = Literal["technical", "fundamental", "sentiment", "risk", "onchain", "macro"]
CATEGORIES: tuple[Category, ...] = (
    "technical",
    "fundamental",
    "sentiment",
    "risk",
    "onchain",
    "macro",
)

ALL_SYMBOLS = "*"
"""The symbol of an observation that belongs to the whole market."""


class Flag(IntFlag):
    """What the intake noticed about a record; a flag never changes its values."""

    NONE = 0
    BACKFILL = 1
    PROVISIONAL = 2
    REVISED = 4
    STALE = 8
    OUT_OF_ORDER = 16
    DUPLICATE = 32
    OUTLIER = 64
    REPAIRED = 128
    SKEW_CORRECTED = 256
    AFTER_GAP = 512
    SYNTHETIC = 1024
    ZERO_VOLUME_MOVE = 2048
    VOLUME_SPIKE = 4096
    STALE_VALUE = 8192
    LOCKED = 16384
    WASH_LIKE = 32768
    INSTRUCTION_LIKE = 65536
    MARKET_CLOSED = 131072


class Stamped(msgspec.Struct, frozen=True, kw_only=True):
    """What every record says of itself beside its content.

    ``seq`` is the source's own number within ``epoch`` (a connection), 0 where it gives none;
    ``flags`` are bits of :class:`Flag`.
    """

    source: str
    symbol: str
    ts_event: int
    ts_recv: int
    ts_avail: int
    seq: int = 0
    epoch: int = 0
    flags: int = 0


class Bar(Stamped, frozen=True, kw_only=True, tag="bar"):
    """One candle. Prices in quote currency, volume in base currency."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Observation(Stamped, frozen=True, kw_only=True, tag="observation"):
    """One value of a side channel: a sentiment score, a whale flow, a macro release.

    ``series`` is ``category.name`` (``onchain.whale_flow``); ``value`` None means *missing*, which
    is not zero.
    """

    series: str
    value: float | None


RENUMBERED = "renumbered"
"""Reason of a gap after which the source numbers a symbol's trades anew."""


class GapRecord(Stamped, frozen=True, kw_only=True, tag="gap"):
    """Records that should have come and did not: [start, end) in event time.

    ``filled`` says that a backfill brought them after all.
    """

    start: int
    end: int
    reason: str
    filled: bool = False


Record = Bar | Observation | GapRecord
"""What the swarm reads: everything a live source brings is turned into these."""


class Trade(Stamped, frozen=True, kw_only=True, tag="trade"):
    """One print. ``side`` is the taker's; ``seq`` the venue's trade number in one id space."""

    price: float
    quantity: float
    side: Literal["buy", "sell", ""] = ""
    trade_id: str = ""


class Quote(Stamped, frozen=True, kw_only=True, tag="quote"):
    """Best bid and ask, sizes in base currency; ``seq`` is the book's update number."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float


Levels = tuple[tuple[float, float], ...]
"""Price and size of each level, best first; size 0 removes a level."""


class BookSnapshot(Stamped, frozen=True, kw_only=True, tag="book"):
    """A whole order book as of update ``seq``."""

    bids: Levels
    asks: Levels


class BookDelta(Stamped, frozen=True, kw_only=True, tag="book_delta"):
    """Levels that changed in updates ``first_seq`` to ``seq``.

    ``previous_seq`` is the last update of the delta before, 0 where the venue does not say.
    """

    first_seq: int
    previous_seq: int = 0
    bids: Levels
    asks: Levels


class Funding(Stamped, frozen=True, kw_only=True, tag="funding"):
    """Funding of a perpetual: ``rate`` is a fraction of notional per ``interval_ns``."""

    rate: float
    interval_ns: int


class ChainBlock(Stamped, frozen=True, kw_only=True, tag="block"):
    """One block of a chain; ``symbol`` is the chain's native coin, ``seq`` its height."""

    block_hash: str
    parent_hash: str
    base_fee_wei: int
    gas_used: int
    gas_limit: int


class Transfer(Stamped, frozen=True, kw_only=True, tag="transfer"):
    """Tokens that moved. ``amount`` counts the token's smallest unit (uint256), as text."""

    token: str
    sender: str
    recipient: str
    amount: str
    decimals: int
    block: int
    block_hash: str
    transaction: str
    log_index: int


class Swap(Stamped, frozen=True, kw_only=True, tag="swap"):
    """A swap on a DEX. Amounts are signed by the pool: positive flowed in; smallest units, as text.

    ``price`` is the pool's own after the swap, quote per base, an exact decimal as text.
    """

    pool: str
    amount_base: str
    amount_quote: str
    price: str
    liquidity: str
    block: int
    block_hash: str
    transaction: str
    log_index: int


class Text(Stamped, frozen=True, kw_only=True, tag="text"):
    """A headline or post. Text is data and never an instruction; ``digest`` is its identity."""

    title: str
    url: str
    digest: str
    author: str = ""


class Status(Stamped, frozen=True, kw_only=True, tag="status"):
    """A source, or one symbol of it, changed its state; told once for each change."""

    state: Literal["live", "stale", "down", "halted", "closed", "reorg", "diverged"]
    reason: str
    block: int = 0
    """For ``reorg``: everything at or above this height is retracted."""


FeedRecord = (
    Bar
    | Observation
    | GapRecord
    | Trade
    | Quote
    | BookSnapshot
    | BookDelta
    | Funding
    | ChainBlock
    | Transfer
    | Swap
    | Text
    | Status
)
"""Everything a live source may yield."""
