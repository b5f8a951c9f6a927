"""What Binance says on its sockets, and other venues that speak its dialect, as typed messages.

Source of the fields: Binance Spot and USD-M Futures API, web socket market streams. Numbers come
as texts and are read as floats; a field that is missing, empty or of another type is an error of
that message, never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from mirrorcore.clock import MILLISECOND
from mirrorcore.market.block import Ints
from mirrorcore.market.instruments import canonical_symbol
from mirrorcore.market.intake import Case
from mirrorcore.market.records import BookDelta, BookSnapshot, FeedRecord, Quote, Trade
from mirrorcore.market.trade_columns import TradeColumns, numbers, whole_numbers

_Levels = tuple[tuple[float, float], ...]
_STREAM = b'{"stream":'


class WireError(Exception):
    """A message that cannot be used; carries the case, for the counter."""

    def __init__(self, case: Case, detail: str) -> None:
        super().__init__(detail)
        self.case = case
        self.detail = detail


class TradeMessage(msgspec.Struct, gc=False):
    """``<symbol>@trade``: one print."""

    symbol: str = msgspec.field(name="s")
    number: int = msgspec.field(name="t")
    price: float = msgspec.field(name="p")
    quantity: float = msgspec.field(name="q")
    traded_ms: int = msgspec.field(name="T")
    sent_ms: int = msgspec.field(name="E")
    buyer_is_maker: bool = msgspec.field(name="m")


class QuoteMessage(msgspec.Struct, gc=False):
    """``<symbol>@bookTicker``: best bid and ask; the spot market gives no time."""

    symbol: str = msgspec.field(name="s")
    update: int = msgspec.field(name="u")
    bid: float = msgspec.field(name="b")
    bid_size: float = msgspec.field(name="B")
    ask: float = msgspec.field(name="a")
    ask_size: float = msgspec.field(name="A")
    changed_ms: int = msgspec.field(name="T", default=0)
    sent_ms: int = msgspec.field(name="E", default=0)


class DepthMessage(msgspec.Struct):
    """``<symbol>@depth``: levels that changed in updates ``first`` to ``last``."""

    symbol: str = msgspec.field(name="s")
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: _Levels = msgspec.field(name="b")
    asks: _Levels = msgspec.field(name="a")
    sent_ms: int = msgspec.field(name="E")
    previous: int = msgspec.field(name="pu", default=0)
    changed_ms: int = msgspec.field(name="T", default=0)


class DepthSnapshot(msgspec.Struct):
    """The answer of ``GET depth``; it does not say of which symbol it is."""

    last: int = msgspec.field(name="lastUpdateId")
    bids: _Levels
    asks: _Levels
    sent_ms: int = msgspec.field(name="E", default=0)
    changed_ms: int = msgspec.field(name="T", default=0)


class _Frame(msgspec.Struct, gc=False):
    """A message of a combined stream. ``code`` is there where it is an error instead."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    code: int | str | None = None
    error: Any = None
    msg: str = ""


class _TradeFrame(msgspec.Struct, gc=False):
    stream: str
    data: TradeMessage


class Decoded(NamedTuple):
    """A record and when the venue sent it, ns by the venue's clock; 0 where it does not say."""

    record: FeedRecord
    sent: int


class BinanceWire:
    """Decodes messages of one connection.

    Parameters
    ----------
    source: for the records.
    symbols: canonical symbol by the venue's (``BTCUSDT``); split before a known quote otherwise.
    """

    def __init__(self, source: str, symbols: Mapping[str, str] | None = None) -> None:
        self.source = source
        self._symbols = dict(symbols or {})
        self._frame = msgspec.json.Decoder(_Frame)
        self._kinds: dict[str, msgspec.json.Decoder[Any]] = {
            "trade": msgspec.json.Decoder(TradeMessage, strict=False),
            "bookTicker": msgspec.json.Decoder(QuoteMessage, strict=False),
            "depth": msgspec.json.Decoder(DepthMessage, strict=False),
            "snapshot": msgspec.json.Decoder(DepthSnapshot, strict=False),
        }
        self._snapshot = msgspec.json.Decoder(DepthSnapshot, strict=False)
        self._trades = msgspec.json.Decoder(list[_TradeFrame], strict=False)

    def decode(self, body: bytes, receipt: int, *, symbol: str = "", epoch: int = 0) -> Decoded:
        """The record of one message.

        Parameters
        ----------
        body: JSON of a combined stream, or of a depth snapshot, as it is or as our recorder writes
            it: in a stream of its own, ``<symbol>@snapshot``, that says of which symbol it is.
        receipt: when it came, ns by our clock.
        symbol: canonical symbol a snapshot belongs to.

        Raises
        ------
        WireError
            saying what is wrong: cut off, an error of the venue or a page instead of data, a field
            missing or of the wrong type, a stream nobody asked for.
        """
        if body.lstrip()[:1] == b"<":
            raise WireError(Case.ERROR_BODY, "a page of HTML or XML instead of JSON")
        if b'"lastUpdateId"' in body[:64] and not body.startswith(_STREAM):
            return self._book(_read(self._snapshot, body), receipt, symbol, epoch)
        frame: _Frame = _read(self._frame, body)
        if frame.code is not None or frame.error is not None:
            told = frame.msg or str(frame.error)
            raise WireError(Case.ERROR_BODY, f"the venue says {frame.code}: {told}"[:200])
        kind = frame.stream.partition("@")[2].partition("@")[0]
        decoder = self._kinds.get(kind)
        if decoder is None:
            raise WireError(Case.WRONG_TYPE, f"stream {frame.stream[:60]!r} was not asked for")
        message = _read(decoder, frame.data)
        if isinstance(message, DepthSnapshot):
            whose = self.canonical(frame.stream.partition("@")[0].upper())
            return self._book(message, receipt, whose, epoch)
        if message.symbol.lower() != frame.stream.partition("@")[0]:
            raise WireError(
                Case.UNKNOWN_SYMBOL, f"{message.symbol} came in the stream {frame.stream}"
            )
        if isinstance(message, TradeMessage):
            return self._trade(message, receipt, epoch)
        if isinstance(message, QuoteMessage):
            return self._quote(message, receipt, epoch)
        return self._change(message, receipt, epoch)

    def canonical(self, symbol: str) -> str:
        """``BTCUSDT`` as the run calls it; WireError where nobody could say."""
        known = self._symbols.get(symbol)
        if known is None:
            try:
                known = self._symbols[symbol] = canonical_symbol(symbol)
            except ValueError:
                raise WireError(Case.UNKNOWN_SYMBOL, f"symbol {symbol[:40]!r}") from None
        return known

    def _trade(self, message: TradeMessage, receipt: int, epoch: int) -> Decoded:
        trade = Trade(
            source=self.source,
            symbol=self.canonical(message.symbol),
            ts_event=message.traded_ms * MILLISECOND,
            ts_recv=receipt,
            ts_avail=receipt,
            seq=message.number,
            epoch=epoch,
            price=message.price,
            quantity=message.quantity,
            side="sell" if message.buyer_is_maker else "buy",
            trade_id=str(message.number),
        )
        return Decoded(trade, message.sent_ms * MILLISECOND)

    def _quote(self, message: QuoteMessage, receipt: int, epoch: int) -> Decoded:
        quote = Quote(
            source=self.source,
            symbol=self.canonical(message.symbol),
            ts_event=message.changed_ms * MILLISECOND or receipt,
            ts_recv=receipt,
            ts_avail=receipt,
            seq=message.update,
            epoch=epoch,
            bid=message.bid,
            ask=message.ask,
            bid_size=message.bid_size,
            ask_size=message.ask_size,
        )
        return Decoded(quote, message.sent_ms * MILLISECOND)

    def _change(self, message: DepthMessage, receipt: int, epoch: int) -> Decoded:
        delta = BookDelta(
            source=self.source,
            symbol=self.canonical(message.symbol),
            ts_event=(message.changed_ms or message.sent_ms) * MILLISECOND,
            ts_recv=receipt,
            ts_avail=receipt,
            seq=message.last,
            epoch=epoch,
            first_seq=message.first,
            previous_seq=message.previous,
            bids=message.bids,
            asks=message.asks,
        )
        return Decoded(delta, message.sent_ms * MILLISECOND)

    def _book(self, message: DepthSnapshot, receipt: int, symbol: str, epoch: int) -> Decoded:
        if not symbol:
            raise WireError(Case.UNKNOWN_SYMBOL, "a snapshot, and nobody says of which symbol")
        snapshot = BookSnapshot(
            source=self.source,
            symbol=symbol,
            ts_event=message.changed_ms * MILLISECOND or receipt,
            ts_recv=receipt,
            ts_avail=receipt,
            seq=message.last,
            epoch=epoch,
            bids=message.bids,
            asks=message.asks,
        )
        # What was asked for took a round trip; its time says nothing of the stream's skew.
        return Decoded(snapshot, 0)

    def decode_trades(
        self, bodies: Sequence[bytes], receipts: Sequence[int], *, epoch: int = 0
    ) -> dict[str, TradeColumns]:
        """Many messages of trade streams as columns by canonical symbol, each in order of arrival.

        About a third of the cost of :meth:`decode`, for no record is made. ``ts_event`` is the
        venue's, not corrected.

        Raises
        ------
        WireError
            when any of them cannot be used; decode them one by one then.
        """
        frames: list[_TradeFrame] = _read(self._trades, b"[" + b",".join(bodies) + b"]")
        if len(frames) != len(receipts):
            raise WireError(Case.WRONG_TYPE, "a message holds more than one object")
        trades = [frame.data for frame in frames]
        receipt = np.array(receipts, np.int64)
        event = whole_numbers([t.traded_ms for t in trades]) * MILLISECOND
        maker = np.array([t.buyer_is_maker for t in trades], np.int8)
        zeros = np.zeros(len(trades), np.int64)
        whole = TradeColumns(
            ts_event=event,
            ts_recv=receipt,
            ts_avail=receipt,
            seq=whole_numbers([t.number for t in trades]),
            epoch=zeros + epoch,
            flags=zeros,
            price=numbers([t.price for t in trades]),
            quantity=numbers([t.quantity for t in trades]),
            side=1 - 2 * maker,
        )
        return {
            self.canonical(symbol): whole if at is None else whole.take(at)
            for symbol, at in _rows_by_symbol(frames).items()
        }


def _rows_by_symbol(frames: Sequence[_TradeFrame]) -> dict[str, Ints | None]:
    """Rows of each symbol, None for all of them; WireError where stream and symbol disagree."""
    names = [frame.stream.partition("@")[0].upper() for frame in frames]
    symbols = [frame.data.symbol for frame in frames]
    if names != symbols:
        wrong = next(s for n, s in zip(names, symbols, strict=True) if n != s)
        raise WireError(Case.UNKNOWN_SYMBOL, f"{wrong} came in the stream of another symbol")
    if not symbols or symbols.count(symbols[0]) == len(symbols):
        return dict.fromkeys(symbols[:1])
    rows: dict[str, list[int]] = {}
    for row, symbol in enumerate(symbols):
        rows.setdefault(symbol, []).append(row)
    return {symbol: np.array(at) for symbol, at in rows.items()}


def _read(decoder: msgspec.json.Decoder[Any], body: bytes | msgspec.Raw) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        told = str(error)
        missing = "missing" in told or "got `null`" in told
        raise WireError(Case.MISSING_VALUE if missing else Case.WRONG_TYPE, told) from None
    except msgspec.DecodeError as error:
        raise WireError(Case.TRUNCATED, f"no whole JSON: {error}") from None
