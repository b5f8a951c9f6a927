"""Clean market data of every kind, made up from a seed, without any fault."""

from __future__ import annotations

import msgspec
import numpy as np

from benchmarks.faults import Clean
from mirrorcore import clock
from mirrorcore.market.records import (
    Bar,
    BookDelta,
    BookSnapshot,
    ChainBlock,
    Levels,
    Observation,
    Quote,
    Text,
    Trade,
    Transfer,
)

MINUTE = clock.MINUTE
SUNDAY = 1_704_060_000 * clock.SECOND // clock.HOUR * clock.HOUR  # 2023-12-31, 22:00 UTC
SOURCE = "clean"

Generator = np.random.Generator


def stamped(event: int, delay: int = 0) -> dict[str, object]:
    return {
        "source": SOURCE,
        "ts_event": event,
        "ts_recv": event + delay,
        "ts_avail": event + delay,
    }


def bars(
    symbol: str, count: int, rng: Generator, *, times: np.ndarray | None = None, step: int = MINUTE
) -> list[Bar]:
    close = 100 * np.exp(np.cumsum(rng.normal(0, 5e-4, count)))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = 1 + np.abs(rng.normal(0, 2e-4, (2, count))) + 1e-6
    high, low = np.maximum(opened, close) * wick[0], np.minimum(opened, close) / wick[1]
    volume = rng.lognormal(0, 1, count)
    at = SUNDAY + step * np.arange(count) if times is None else times
    return [
        Bar(
            symbol=symbol,
            **stamped(int(at[i]), step),  # type: ignore[arg-type]
            open=float(opened[i]),
            high=float(high[i]),
            low=float(low[i]),
            close=float(close[i]),
            volume=float(volume[i]),
        )
        for i in range(count)
    ]


def weekly(rng: Generator) -> list[Bar]:
    """Four weeks of hours from Sunday 22:00 to Friday 22:00 UTC."""
    hours = np.concatenate([week * 168 + np.arange(120) for week in range(4)])
    return bars("EUR/USD", len(hours), rng, times=SUNDAY + hours * clock.HOUR, step=clock.HOUR)


def sparse(rng: Generator) -> list[Bar]:
    times = SUNDAY + MINUTE * np.flatnonzero(rng.random(4000) < 0.9)
    return bars("XRP/USD", len(times), rng, times=times)


def trades(count: int, rng: Generator) -> list[Trade]:
    price = np.round(50_000 * np.exp(np.cumsum(rng.normal(0, 1e-5, count))), 2)
    size = np.round(rng.lognormal(-3, 1, count), 5) + 1e-5
    times = SUNDAY + clock.MILLISECOND * np.cumsum(rng.integers(1, 50, count))
    return [
        Trade(
            symbol="BTC/USDT",
            **stamped(int(times[i]), 5 * clock.MILLISECOND),  # type: ignore[arg-type]
            seq=1000 + i,
            price=float(price[i]),
            quantity=float(size[i]),
            side="buy" if i % 2 else "sell",
        )
        for i in range(count)
    ]


def quotes(count: int, rng: Generator) -> list[Quote]:
    bid = np.round(1.1 * np.exp(np.cumsum(rng.normal(0, 1e-5, count))), 5)
    return [
        Quote(
            symbol="EUR/USD",
            **stamped(SUNDAY + i * clock.SECOND),  # type: ignore[arg-type]
            seq=7 + 2 * i,
            bid=float(bid[i]),
            ask=float(bid[i]) + 0.0001,
            bid_size=1.0 + i % 3,
            ask_size=2.0,
        )
        for i in range(count)
    ]


def depth(count: int, rng: Generator) -> list[BookSnapshot | BookDelta]:
    """A book around 100 whose levels come and go; bids stay below 100 and asks above."""

    def levels(side: int, amount: int) -> Levels:
        steps = rng.integers(1, 200, amount)
        sizes = np.round(rng.random(amount), 3) * (rng.random(amount) < 0.7)
        best = (100.0 + side * 0.01, 5.0)
        return (
            best,
            *(
                (100.0 + side * (1 + int(k)) / 100, float(s))
                for k, s in zip(steps, sizes, strict=True)
            ),
        )

    def common(i: int) -> dict[str, object]:
        return {"symbol": "ETH/USDT", **stamped(SUNDAY + i * 100 * clock.MILLISECOND)}

    full = tuple((100.0 - k / 100, 1.0) for k in range(1, 300))
    other = tuple((100.0 + k / 100, 1.0) for k in range(1, 300))
    made: list[BookSnapshot | BookDelta] = [
        BookSnapshot(**common(0), seq=2 * 10**9, bids=full, asks=other)  # type: ignore[arg-type]
    ]
    seq = 2 * 10**9
    for i in range(1, count):
        first, seq = seq + 1, seq + int(rng.integers(1, 30))
        made.append(
            BookDelta(
                **common(i),  # type: ignore[arg-type]
                first_seq=first,
                seq=seq,
                bids=levels(-1, 5),
                asks=levels(1, 5),
            )
        )
    return made


def series(count: int, rng: Generator) -> list[Observation]:
    return [
        Observation(
            symbol="*",
            **stamped(SUNDAY + i * clock.DAY, clock.HOUR),  # type: ignore[arg-type]
            series="macro.rate",
            value=float(np.round(2 + rng.random(), 3)),
        )
        for i in range(count)
    ]


def texts(count: int) -> list[Text]:
    words = ("rally", "slump", "halving", "listing", "upgrade", "inflow", "audit")
    return [
        Text(
            symbol="*",
            **stamped(SUNDAY + i * MINUTE, clock.SECOND),  # type: ignore[arg-type]
            title=f"Coin {i} sees a {words[i % 7]} of {i * i % 101} percent",
            url="",
            digest=f"text {i}",
        )
        for i in range(count)
    ]


def blocks(count: int, rng: Generator) -> list[ChainBlock]:
    hashes = ["0x" + rng.bytes(32).hex() for _ in range(count + 1)]
    return [
        ChainBlock(
            symbol="ETH",
            **stamped(SUNDAY + i * 12 * clock.SECOND, clock.SECOND),  # type: ignore[arg-type]
            seq=17_000_000 + i,
            block_hash=hashes[i + 1],
            parent_hash=hashes[i],
            base_fee_wei=30_000_000_000,
            gas_used=15_000_000,
            gas_limit=30_000_000,
        )
        for i in range(count)
    ]


def transfers(chain: list[ChainBlock], each: int, rng: Generator) -> list[Transfer]:
    token = "0x" + "a0" * 20
    return [
        Transfer(
            symbol="USDC",
            **stamped(block.ts_event, clock.SECOND),  # type: ignore[arg-type]
            token=token,
            sender="0x" + rng.bytes(20).hex(),
            recipient="0x" + rng.bytes(20).hex(),
            amount=str(int(rng.integers(1, 2**62)) * 2**100),
            decimals=6,
            block=block.seq,
            block_hash=block.block_hash,
            transaction="0x" + rng.bytes(32).hex(),
            log_index=index,
        )
        for block in chain
        for index in range(each)
    ]


def lines(made: list[Trade]) -> list[bytes]:
    """The trades as a raw recording of their stream."""
    told = []
    for trade in made:
        event = trade.ts_event // clock.MILLISECOND
        data = {
            "e": "trade",
            "E": event,
            "s": "BTCUSDT",
            "t": trade.seq,
            "p": f"{trade.price:.2f}",
            "q": f"{trade.quantity:.5f}",
            "T": event,
            "m": trade.side == "sell",
        }
        body = msgspec.json.encode({"stream": "btcusdt@trade", "data": data})
        told.append(str(trade.ts_recv).encode() + b" " + body + b"\n")
    return told


def clean_data(seed: int = 1) -> Clean:
    """All kinds, long enough for every injection."""
    rng = np.random.default_rng(seed)
    printed = trades(2200, rng)
    chain = blocks(40, rng)
    return Clean(
        bar_ns=MINUTE,
        bars={symbol: bars(symbol, 1400, rng) for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT")},
        sparse=sparse(rng),
        weekly=weekly(rng),
        trades=printed,
        quotes=quotes(1400, rng),
        depth=depth(500, rng),
        series=series(400, rng),
        texts=texts(400),
        blocks=chain,
        transfers=transfers(chain, 8, rng),
        lines=lines(printed[:400]),
    )
