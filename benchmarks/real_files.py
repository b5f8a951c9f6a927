"""The files of real market data beside the project, as records, whatever their form.

Nothing is repaired on the way: what a file says is what the intake gets.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import polars

from mirrorcore.clock import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from mirrorcore.market.records import (
    Bar,
    BookDelta,
    BookSnapshot,
    ChainBlock,
    FeedRecord,
    Observation,
    Quote,
    Swap,
    Text,
    Trade,
    Transfer,
)

Records = Iterator[FeedRecord]
_NOBODY = "0x" + "0" * 40


def common(symbol: str, event: int, avail: int | None = None) -> dict[str, Any]:
    known = event if avail is None else avail
    return {
        "source": "clean",
        "symbol": symbol,
        "ts_event": event,
        "ts_recv": known,
        "ts_avail": known,
    }


def table(path: Path) -> polars.DataFrame:
    """The file with its time column as ``ts`` in ns."""
    frame = polars.read_parquet(path)
    name = next(n for n in ("ts", "date", "timestamp") if n in frame.columns)
    times = polars.col(name).dt.epoch("ns").alias("ts")
    return frame.with_columns(times) if name == "ts" else frame.with_columns(times).drop(name)


def bars(path: Path, symbol: str, step: int, rows: int | None = None) -> list[Bar]:
    """Candles."""
    frame = table(path).head(rows or 10**9)
    columns = ("ts", "open", "high", "low", "close", "volume")
    return [
        Bar(
            **common(symbol, ts, ts + step),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        for ts, opened, high, low, close, volume in frame.select(columns).iter_rows()
    ]


def middle_bars(path: Path, symbol: str) -> list[Bar]:
    """Minutes of bid and ask as candles of their middle; no volume is known."""
    frame = table(path)
    made = []
    for row in frame.iter_rows(named=True):
        price = {n: (row[f"bid_{n}"] + row[f"ask_{n}"]) / 2 for n in ("open", "close")}
        high = max((row["bid_high"] + row["ask_high"]) / 2, *price.values())
        low = min((row["bid_low"] + row["ask_low"]) / 2, *price.values())
        made.append(
            Bar(
                **common(symbol, row["ts"], row["ts"] + MINUTE),
                **price,
                high=high,
                low=low,
                volume=0.0,
            )
        )
    return made


def closing_quotes(path: Path, symbol: str) -> Records:
    """Bid and ask at the close of each minute."""
    for ts, bid, ask in table(path).select("ts", "bid_close", "ask_close").iter_rows():
        yield Quote(**common(symbol, ts + MINUTE), bid=bid, ask=ask, bid_size=0.0, ask_size=0.0)


def quotes(path: Path, symbol: str) -> Records:
    """Ticks of bid and ask."""
    frame = table(path)
    sizes = ("bid_size", "ask_size")
    for row in frame.iter_rows(named=True):
        size = {name: row.get(name, 0.0) for name in sizes}
        yield Quote(**common(symbol, row["ts"]), bid=row["bid"], ask=row["ask"], **size)


def quotes_in_text(path: Path, symbol: str) -> Records:
    """The same in a gzipped CSV file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"]).astimezone(UTC)
            ts = round(at.timestamp() * 1000) * MILLISECOND
            bid, ask = float(row["bid"]), float(row["ask"])
            yield Quote(**common(symbol, ts), bid=bid, ask=ask, bid_size=0.0, ask_size=0.0)


def trades(path: Path, symbol: str) -> Records:
    """Trades with numbers."""
    for row in table(path).iter_rows(named=True):
        yield Trade(
            **common(symbol, row["ts"]),
            seq=row["trade_id"],
            price=row["price"],
            quantity=row["quantity"],
            side="sell" if row["buyer_maker"] == "True" else "buy",
            trade_id=str(row["trade_id"]),
        )


def observations(path: Path, category: str, lag: int) -> Records:
    """Every numeric column as a series of its own, known ``lag`` ns after its time."""
    frame = table(path)
    times = frame["ts"].to_list()
    for name in frame.columns:
        if name == "ts" or not frame[name].dtype.is_numeric():
            continue
        for ts, value in zip(times, frame[name].to_list(), strict=True):
            yield Observation(
                **common("*", ts, ts + lag),
                series=f"{category}.{name}",
                value=None if value is None else float(value),
            )


def macro(path: Path, *names: str) -> Records:
    """Series in long form; a value is known a month after its reference date at the earliest."""
    frame = table(path)
    for (name,), rows in frame.group_by("series", maintain_order=True):
        if names and name not in names:
            continue
        for ts, value in rows.select("ts", "value").iter_rows():
            yield Observation(**common("*", ts, ts + 31 * DAY), series=f"macro.{name}", value=value)


def prices_by_coin(path: Path) -> Records:
    """Hourly prices of many coins."""
    frame = table(path).sort("coin", "ts", maintain_order=True)
    for coin, ts, price in frame.select("coin", "ts", "price").iter_rows():
        yield Observation(
            **common(f"{coin}/USD", ts, ts + HOUR), series="technical.price", value=price
        )


def texts(path: Path) -> Iterator[Text]:
    """Headlines."""
    frame = table(path)
    for row in frame.iter_rows(named=True):
        title = row["headline"]
        digest = hashlib.blake2b(repr((row["ts"], title)).encode(), digest_size=16).hexdigest()
        record = common("*", row["ts"])
        record["source"] = str(row.get("source", "feed"))
        yield Text(**record, title=title, url="", digest=digest)


def made_hash(*of: object) -> str:
    """32 bytes in the place of a hash the file does not have."""
    return "0x" + hashlib.blake2b(repr(of).encode(), digest_size=32).hexdigest()


def blocks(path: Path) -> Records:
    """Whole blocks."""
    for row in polars.read_parquet(path).sort("number").iter_rows(named=True):
        yield ChainBlock(
            **common("ETH", row["timestamp"] * SECOND),
            seq=row["number"],
            block_hash=row["hash"],
            parent_hash=row["parent_hash"],
            base_fee_wei=int(row["base_fee_per_gas"]),
            gas_used=row["gas_used"],
            gas_limit=row["gas_limit"],
        )


def native_transfers(path: Path) -> Iterator[Transfer]:
    """What transactions moved of the chain's own coin."""
    for row in polars.read_parquet(path).iter_rows(named=True):
        yield Transfer(
            **common("ETH", row["block_timestamp"] * SECOND),
            token=_NOBODY,
            sender=row["from_address"],
            recipient=row["to_address"] or _NOBODY,
            amount=row["value"],
            decimals=18,
            block=row["block_number"],
            block_hash=row["block_hash"],
            transaction=row["hash"],
            log_index=0,
        )


def swaps(path: Path) -> Records:
    """Swaps; the file has amounts as floats and neither block hash nor time."""
    for index, row in enumerate(polars.read_parquet(path).iter_rows(named=True)):
        height = row["block_number"]
        into, out = int(row["token_in_amount"]), int(row["token_out_amount"])
        yield Swap(
            **common("pool", (1_623_628_800 + (height - 12_634_810) * 13) * SECOND),
            pool=row["contract_address"],
            amount_base=str(into),
            amount_quote=str(-out),
            price=str(Decimal(out) / Decimal(into)) if into else "0",
            liquidity="0",
            block=height,
            block_hash=made_hash("block", height),
            transaction=row["transaction_hash"],
            log_index=index,
        )


def book_in_text(path: Path, symbol: str) -> Records:
    """A book's rows of one update after the other, as CSV."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for (first, last, previous), group in groupby(
        rows, key=lambda r: (r["first_update_id"], r["last_update_id"], r["pu"])
    ):
        levels = list(group)
        sides: dict[str, Any] = {
            name: tuple((float(r["price"]), float(r["qty"])) for r in levels if r["side"] == side)
            for name, side in (("bids", "b"), ("asks", "a"))
        }
        record = common(symbol, int(levels[0]["timestamp"]) * MILLISECOND)
        if levels[0]["update_type"] == "snap":
            yield BookSnapshot(**record, seq=int(last), **sides)
        else:
            yield BookDelta(
                **record,
                seq=int(last),
                first_seq=int(first),
                previous_seq=max(int(previous), 0),
                **sides,
            )


def bybit_book(path: Path, symbol: str) -> Records:
    """A book stream in the dialect of Bybit, zipped."""
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            message = json.loads(line)
            data = message["data"]
            sides: dict[str, Any] = {
                name: tuple((float(p), float(q)) for p, q in data[side])
                for name, side in (("bids", "b"), ("asks", "a"))
            }
            record = common(symbol, message["ts"] * MILLISECOND)
            if message["type"] == "snapshot":
                yield BookSnapshot(**record, seq=data["u"], **sides)
            else:
                yield BookDelta(**record, seq=data["u"], first_seq=data["u"], **sides)


def hyperliquid(path: Path) -> Records:
    """Book snapshots and trades in the dialect of Hyperliquid, with times of receipt."""
    with gzip.open(path, "rb") as file:
        for line in file:
            stamp, _, body = line.partition(b" ")
            yield from _hyperliquid(int(stamp), json.loads(body))


def _hyperliquid(receipt: int, message: dict[str, Any]) -> Records:
    def record(milliseconds: int) -> dict[str, Any]:
        return {
            **common("BTC/USDC:USDC", milliseconds * MILLISECOND),
            "ts_recv": receipt,
            "ts_avail": receipt,
        }

    if message["channel"] == "l2Book":
        data = message["data"]
        bids, asks = (
            tuple((float(one["px"]), float(one["sz"])) for one in side) for side in data["levels"]
        )
        yield BookSnapshot(**record(data["time"]), seq=data["time"], bids=bids, asks=asks)
    elif message["channel"] == "trades":
        for one in message["data"]:
            yield Trade(
                **record(one["time"]),
                price=float(one["px"]),
                quantity=float(one["sz"]),
                side="buy" if one["side"] == "B" else "sell",
                trade_id=str(one["tid"]),
            )


def chain_of(heights: Sequence[int]) -> list[ChainBlock]:
    """Blocks at these heights that follow each other; nothing of them but the height is real."""
    return [
        ChainBlock(
            **common("ETH", (1_623_628_800 + i * 13) * SECOND),
            seq=height,
            block_hash=made_hash("block", height),
            parent_hash=made_hash("block", height - 1),
            base_fee_wei=0,
            gas_used=0,
            gas_limit=0,
        )
        for i, height in enumerate(heights)
    ]
