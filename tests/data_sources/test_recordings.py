"""Raw recordings: decoded by type, cut-off files good to the cut, skew found, books checked."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mirrorcore import clock
from mirrorcore.data_sources.binance_wire import BinanceWire, WireError
from mirrorcore.data_sources.recordings import Recording, replay
from mirrorcore.errors import DataError
from mirrorcore.market.book_check import TopCheck
from mirrorcore.market.intake import Action, Case
from mirrorcore.market.records import BookDelta, BookSnapshot, Flag, Quote, Trade
from mirrorcore.market.validator import MarketDataProcessor

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "orderbook"
SENT = 1_723_161_600_000
RECEIPT = SENT * clock.MILLISECOND
BTC = "BTC/USDT"


def body(stream: str, **data: Any) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


def trade(number: int, **changes: Any) -> bytes:
    data = {
        "e": "trade",
        "E": SENT + number,
        "s": "BTCUSDT",
        "t": number,
        "p": "61685.99000000",
        "q": "0.5",
        "T": SENT + number - 1,
        "m": True,
        "M": True,
    }
    return body("btcusdt@trade", **{**data, **changes})


def depth(first: int, last: int, **changes: Any) -> bytes:
    data = {
        "e": "depthUpdate",
        "E": SENT + last,
        "s": "BTCUSDT",
        "U": first,
        "u": last,
        "b": [["100.0", "2.0"]],
        "a": [["101.0", "0.00"]],
    }
    return body("btcusdt@depth@100ms", **{**data, **changes})


def ticker(update: int, bid: str = "100.0") -> bytes:
    return body("btcusdt@bookTicker", u=update, s="BTCUSDT", b=bid, B="2.0", a="102.0", A="3.0")


SNAPSHOT = json.dumps(
    {"lastUpdateId": 10, "bids": [["99.0", "1.0"]], "asks": [["101.0", "1.0"], ["102.0", "3.0"]]}
).encode()


def test_messages_become_records_with_texts_as_floats() -> None:
    wire = BinanceWire("v")
    assert wire.decode(trade(7), RECEIPT) == (
        Trade(
            source="v",
            symbol=BTC,
            ts_event=(SENT + 6) * clock.MILLISECOND,
            ts_recv=RECEIPT,
            ts_avail=RECEIPT,
            seq=7,
            price=61685.99,
            quantity=0.5,
            side="sell",
            trade_id="7",
        ),
        (SENT + 7) * clock.MILLISECOND,
    )
    quote, sent = wire.decode(ticker(5), RECEIPT)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.seq, quote.ts_event, sent) == (100.0, 102.0, 5, RECEIPT, 0)
    delta, _ = wire.decode(depth(3, 4, pu=2, T=SENT), RECEIPT)
    assert isinstance(delta, BookDelta)
    assert (delta.first_seq, delta.seq, delta.previous_seq) == (3, 4, 2)
    assert (delta.bids, delta.asks) == (((100.0, 2.0),), ((101.0, 0.0),))
    book, _ = wire.decode(SNAPSHOT, RECEIPT, symbol=BTC)
    assert isinstance(book, BookSnapshot)
    assert (book.symbol, book.seq, len(book.asks)) == (BTC, 10, 2)


@pytest.mark.parametrize(
    ("message", "case"),
    [
        (trade(1)[:-9], Case.TRUNCATED),
        (b"", Case.TRUNCATED),
        (b"<html>502</html>", Case.ERROR_BODY),
        (b'{"code":-1003,"msg":"Too many requests"}', Case.ERROR_BODY),
        (trade(1, p=None), Case.MISSING_VALUE),
        (trade(1, p=""), Case.WRONG_TYPE),
        (trade(1, t=1.5), Case.WRONG_TYPE),
        (trade(1).replace(b'"p"', b'"x"'), Case.MISSING_VALUE),
        (trade(1, s="ETHUSDT"), Case.UNKNOWN_SYMBOL),
        (body("btcusdt@kline_1m"), Case.WRONG_TYPE),
        (body("xyz@trade", **json.loads(trade(1, s="XYZ"))["data"]), Case.UNKNOWN_SYMBOL),
        (SNAPSHOT, Case.UNKNOWN_SYMBOL),
    ],
)
def test_a_message_that_cannot_be_used_says_why(message: bytes, case: Case) -> None:
    with pytest.raises(WireError) as caught:
        BinanceWire("v").decode(message, RECEIPT)
    assert caught.value.case is case
    assert caught.value.detail


def test_many_trades_as_columns_are_those_decoded_one_by_one() -> None:
    wire = BinanceWire("v")
    other = [
        body("ethusdt@trade", **{**json.loads(trade(n))["data"], "s": "ETHUSDT"}) for n in (4, 5)
    ]
    bodies = [trade(1), other[0], trade(2, m=False), other[1], trade(3)]
    receipts = [RECEIPT + i for i in range(5)]
    columns = wire.decode_trades(bodies, receipts, epoch=2)
    assert list(columns) == [BTC, "ETH/USDT"]
    single = [wire.decode(b, r, epoch=2).record for b, r in zip(bodies, receipts, strict=True)]
    for symbol, trades in columns.items():
        assert trades.records("v", symbol) == [r for r in single if r.symbol == symbol]
    assert wire.decode_trades([], []) == {}
    for bad in (trade(1)[:-1], trade(1, s="ETHUSDT"), trade(1) + b"," + trade(2)):
        with pytest.raises(WireError):
            wire.decode_trades([bad], [RECEIPT])


def recorded(path: Path, bodies: list[bytes], *, behind: int = 1_270) -> Path:
    """A gzipped recording by a clock that is so many ms behind the venue's."""
    lines = []
    for i, message in enumerate(bodies):
        receipt = (SENT + i - behind) * clock.MILLISECOND
        lines.append(f"{receipt} ".encode() + message + b"\n")
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def test_the_clocks_difference_is_found_and_taken_off(tmp_path: Path) -> None:
    recording = Recording(recorded(tmp_path / "spot.gz", [trade(n) for n in range(200)]))
    records = list(recording.records())
    assert recording.skew.offset_ns == pytest.approx(-1_270 * clock.MILLISECOND, abs=10)
    assert all(r.flags == Flag.SKEW_CORRECTED and r.source == "spot" for r in records)
    assert all(abs(r.ts_event - r.ts_recv) <= 2 * clock.MILLISECOND for r in records)


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_file_that_ends_early_is_good_up_to_there(tmp_path: Path, cut: int) -> None:
    path = recorded(tmp_path / "a.gz", [trade(n) for n in range(300)])
    whole = len(list(Recording(path).records()))
    path.write_bytes(path.read_bytes()[:-cut])
    recording = Recording(path)
    assert 0 < len(list(recording.records())) <= whole == 300
    (sample,) = recording.report.quarantine
    assert sample.case is Case.TRUNCATED
    assert "at byte" in sample.detail


def test_a_torn_line_is_left_out_with_its_place_told(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    good = f"{RECEIPT} ".encode() + trade(1) + b"\n"
    path.write_bytes(good + good[:50] + b"\n" + b"no time\n" + good + good[:70])
    recording = Recording(path)
    assert [r.seq for r in recording.records()] == [1, 1]
    told = [(s.case, s.detail.partition(":")[0]) for s in recording.report.quarantine]
    at = len(good)
    assert told == [
        (Case.TRUNCATED, f"at byte {at}"),
        (Case.TRUNCATED, f"at byte {2 * at + 59}"),
        (Case.WRONG_TYPE, f"at byte {at + 51}"),
    ]


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(Recording(tmp_path / "nothing.gz").records())


def test_a_book_is_kept_while_a_recording_is_replayed(tmp_path: Path) -> None:
    bodies = [depth(9, 10), depth(11, 12), SNAPSHOT, ticker(12), depth(13, 14), ticker(14, "99.5")]
    recording = Recording(recorded(tmp_path / "a.gz", bodies), source="v")
    processor, check = MarketDataProcessor(), TopCheck()
    for record in replay(recording, processor):
        if isinstance(record, Quote):
            check.quoted(record)
        elif isinstance(record, BookDelta):
            book = processor.book("v", BTC)
            assert book is not None
            check.book_changed(book)
    assert (check.equal, check.different) == (1, 1)
    assert processor.report.counts == {("v", Case.AWAITING_SNAPSHOT): 2}


# --- real recordings -----------------------------------------------------------------------------

SPOT = ("binance_spot_btcusdt_20240809", "binance_spot_ethusdt_20240809")


def real_recording(name: str, **options: Any) -> tuple[Recording, MarketDataProcessor]:
    processor = MarketDataProcessor(contiguous=("v",))
    path = DATA / f"{name}_raw_ws.gz"
    return Recording(path, source="v", report=processor.report, **options), processor


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real recordings at {DATA}")
def test_the_book_of_the_perpetual_equals_the_venues_own_top() -> None:
    symbol = "BTC/USDT:USDT"
    recording, processor = real_recording(
        "binance_usdm_btcusdt_20240808", symbols={"BTCUSDT": symbol}
    )
    check = TopCheck()
    for record in replay(recording, processor):
        if isinstance(record, Quote):
            check.quoted(record)
        elif isinstance(record, BookDelta | BookSnapshot):
            book = processor.book("v", symbol)
            assert book is not None
            check.book_changed(book)
    assert (check.equal, check.different, check.crossed) == (629, 0, 0)
    assert recording.skew.offset_ns == pytest.approx(-1.27e9, abs=0.03e9)
    report = processor.report
    assert report.seen == {"v": 93_954}
    assert report.total(Action.REJECT) == report.total(Action.DROP) == 0
    assert not processor.wanting_snapshot()


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real recordings at {DATA}")
@pytest.mark.parametrize("name", SPOT)
def test_spot_without_a_snapshot_keeps_its_changes_and_passes_everything_else(name: str) -> None:
    recording, processor = real_recording(name)
    kinds: dict[str, int] = {}
    last: Any = None
    for record in replay(recording, processor):
        kinds[type(record).__name__] = kinds.get(type(record).__name__, 0) + 1
        last = record
    report = processor.report
    waiting = report.counts["v", Case.AWAITING_SNAPSHOT]
    assert sum(kinds.values()) + waiting == report.seen["v"]
    assert "BookDelta" not in kinds
    assert report.total(Action.REJECT) == report.total(Action.DROP) == 0
    assert recording.skew.offset_ns == pytest.approx(-1.27e9, abs=0.03e9)
    assert processor.wanting_snapshot() == (("v", last.symbol),)
