"""What can be wrong with market data, one row each, and the cases by which the intake tells it."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorcore.market.intake import Case


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble.

    ``where`` are the kinds of record that can show it; ``cases`` are what is counted, the first
    being the usual one.
    """

    number: int
    title: str
    where: str
    cases: tuple[Case, ...]


FAULTS = (
    Fault(1, "NaN or infinite number", "all with numbers", (Case.NOT_FINITE,)),
    Fault(2, "zero or negative price", "all with prices", (Case.PRICE_NOT_POSITIVE,)),
    Fault(3, "negative volume or size", "all with sizes", (Case.NEGATIVE_VOLUME,)),
    Fault(4, "high or low within the body", "bar", (Case.HIGH_LOW,)),
    Fault(5, "bid above ask", "quote, book", (Case.CROSSED, Case.CROSSED_LONG)),
    Fault(6, "bid equals ask", "quote, book", (Case.LOCKED,)),
    Fault(7, "out of order", "all", (Case.OUT_OF_ORDER, Case.OVERLAP, Case.REORDERED, Case.LATE)),
    Fault(8, "the same again", "all", (Case.DUPLICATE,)),
    Fault(9, "one time, other values", "bar, trade, quote", (Case.REVISED, Case.PROVISIONAL)),
    Fault(10, "stale feed", "all", (Case.STALE_FEED,)),
    Fault(11, "frozen price", "bar", (Case.STALE_VALUE,)),
    Fault(12, "dated in the future", "all", (Case.FUTURE, Case.SKEW_JUMP)),
    Fault(13, "wrong unit of time", "all", (Case.TIME_RANGE,)),
    Fault(14, "shifted time zone", "bar, trade, quote", (Case.MARKET_CLOSED,)),
    Fault(15, "hole in a dense source", "bar, block", (Case.GAP,)),
    Fault(16, "hole in a sparse source", "bar", (Case.SPARSE_HOLE, Case.OFF_GRID)),
    Fault(17, "decimal point shifted", "bar, trade, quote", (Case.DECIMAL_SHIFT,)),
    Fault(18, "spike of the price", "bar, trade, quote", (Case.OUTLIER,)),
    Fault(19, "move without volume", "bar, trade", (Case.ZERO_VOLUME_MOVE,)),
    Fault(20, "spike of the volume", "bar, trade", (Case.VOLUME_SPIKE,)),
    Fault(21, "numbers of the source skip", "book, trade", (Case.SEQUENCE_GAP,)),
    Fault(22, "change older than its snapshot", "book", (Case.NOT_ALIGNED, Case.AWAITING_SNAPSHOT)),
    Fault(
        23,
        "level never removed, book too deep, absurd size",
        "book",
        (Case.BOOK_DRIFT, Case.BOOK_TOO_DEEP, Case.VOLUME_SPIKE),
    ),
    Fault(24, "another symbol", "all with symbols", (Case.UNKNOWN_SYMBOL, Case.UNKNOWN_SERIES)),
    Fault(25, "another unit", "bar, trade, quote, observation, funding", (Case.OUT_OF_RANGE,)),
    Fault(
        26,
        "missing value or wrong type",
        "all",
        (Case.MISSING_VALUE, Case.WRONG_TYPE, Case.SERIES_HOLE),
    ),
    Fault(27, "cut-off file or line", "files", (Case.TRUNCATED, Case.ROW_ORDER)),
    Fault(28, "an error or a page instead of data", "answers", (Case.ERROR_BODY,)),
    Fault(29, "revised value", "observation, funding", (Case.NEW_VINTAGE, Case.OLD_VINTAGE)),
    Fault(30, "available too early", "all", (Case.LOOK_AHEAD,)),
    Fault(31, "blocks replaced", "block, transfer, swap", (Case.REORG, Case.ORPHANED)),
    Fault(32, "amount beyond 256 bits or no whole number", "chain", (Case.AMOUNT_RANGE,)),
    Fault(33, "false token", "transfer", (Case.UNLISTED_TOKEN,)),
    Fault(34, "our own clock jumps back", "all live", (Case.CLOCK_JUMP,)),
    Fault(35, "sent again after a reconnect", "trade, quote", (Case.REPLAYED,)),
    Fault(
        36,
        "text: repeated, empty, dated ahead, reads like an instruction",
        "text",
        (Case.INSTRUCTION_LIKE, Case.DUPLICATE, Case.EMPTY_TEXT, Case.TEXT_DATE),
    ),
    Fault(37, "wash-like burst", "trade", (Case.WASH_LIKE,)),
    Fault(38, "halted, closed or in maintenance", "status", (Case.SUSPENDED,)),
)
"""All of them, by number."""
