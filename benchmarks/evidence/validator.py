"""The validator on real data: every trouble put into it is told, nothing clean is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import real_files as files
from benchmarks.evidence.record import Finding, no_data
from benchmarks.faults import Clean, Outcome, inject
from benchmarks.measure import DATA
from mirrorcore.clock import DAY, MINUTE
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.recordings import Recording, replay
from mirrorcore.market.book_check import TopCheck
from mirrorcore.market.catalogue import FAULTS
from mirrorcore.market.instruments import Instrument, undescribed
from mirrorcore.market.intake import Action, IntakeReport
from mirrorcore.market.records import BookDelta, BookSnapshot, FeedRecord, Quote, Trade
from mirrorcore.market.validator import MarketDataProcessor

CLAIM = (
    "each of the 38 troubles of the catalogue, put into copies of real files, is told wherever it "
    "is put and makes nothing else be refused; in the files as they are no record is rejected but "
    "the one swap without a price; skew of the three raw recordings within 30 ms of -1.27 s, the "
    "perpetual's top of book equal to the venue's own at all 629 equal update ids"
)
SEEDS = (1, 2, 3, 4, 5)
SKEW_MS, WITHIN_MS = -1270.0, 30.0
PERPETUAL = "binance_usdm_btcusdt_20240808"
TOPS = 629
KNOWN = {"ethereum_dex_swaps_10k": 1}
"""Records of the files that are at fault themselves: one swap gave nothing, so it has no price."""
_SWAP = {"BTCUSDT": "BTC/USDT:USDT"}
_RECORDINGS: Mapping[str, Mapping[str, str] | None] = {
    PERPETUAL: _SWAP,
    "binance_spot_btcusdt_20240809": None,
    "binance_spot_ethusdt_20240809": None,
}

_CANDLES = (
    ("crypto_1m", "1m", None),
    ("crypto_5m", "5m", None),
    ("crypto_daily", "d1", None),
    ("forex", "d1", "ejtrader"),
    ("forex", "h1", "ejtrader"),
)


def real_data() -> Clean:
    """Parts of real files, one of each kind, long enough to be damaged."""
    tape = _tape(PERPETUAL, _SWAP)
    book = [r for r in tape if isinstance(r, BookDelta | BookSnapshot)]
    opening = next(r for r in book if isinstance(r, BookSnapshot))
    changes = [r for r in book if isinstance(r, BookDelta) and r.seq > opening.seq]
    recording = Recording(_raw(PERPETUAL), symbols=_SWAP)
    fives = {symbol: f"bybit_{symbol}USDT_5m_2025Q2" for symbol in ("BTC", "ETH", "SOL")}
    return Clean(
        bar_ns=5 * MINUTE,
        bars={
            f"{coin}/USDT": files.bars(
                DATA / "crypto_5m" / f"{name}.parquet", f"{coin}/USDT", 5 * MINUTE, 3000
            )
            for coin, name in fives.items()
        },
        sparse=files.bars(
            DATA / "crypto_1m" / "bitfinex_LTCUSD_1m_201810_201906.parquet",
            "LTC/USD",
            MINUTE,
            8000,
        ),
        weekly=files.middle_bars(DATA / "forex" / "fxcm_GBPUSD_m1_bidask_2012.parquet", "GBP/USD"),
        trades=[r for r in tape if isinstance(r, Trade)][:3000],
        quotes=_head(
            files.quotes(DATA / "forex" / "lean_oanda_EURUSD_ticks_20140507.parquet", "EUR/USD"),
            3000,
            Quote,
        ),
        depth=[opening, *changes[:1500]],
        series=list(islice(_macro("VIX_CLOSE"), 2000)),
        texts=list(islice(files.texts(_news()), 2000)),
        blocks=files.chain_of(range(12_634_810, 12_634_860)),
        transfers=list(
            files.native_transfers(DATA / "onchain" / "ethereum_transactions_sample.parquet")
        ),
        lines=[b"%d %s\n" % (line.receipt, line.body) for line in islice(recording.lines(), 2000)],
    )


def _head(records: Iterable[Any], count: int, kind: type[Any]) -> list[Any]:
    return list(islice((r for r in records if isinstance(r, kind)), count))


def _raw(name: str) -> Path:
    return DATA / "orderbook" / f"{name}_raw_ws.gz"


def _news() -> Path:
    return DATA / "news" / "crypto_headlines_2021_2022.parquet"


def _macro(*names: str) -> Iterator[Any]:
    return files.macro(DATA / "macro" / "macro_long.parquet", *names)


def _tape(name: str, symbols: Mapping[str, str] | None) -> list[FeedRecord]:
    """A recording's records, all under the name of clean data."""
    return list(Recording(_raw(name), source="clean", symbols=symbols).records())


# --- clean files ---------------------------------------------------------------------------------


def told(report: IntakeReport) -> dict[str, Any]:
    """Counts of one report."""
    flags: dict[str, int] = {}
    for _, case, times in report.rows():
        flags[case.name] = flags.get(case.name, 0) + times
    return {
        "records": sum(report.seen.values()),
        **{action.value: report.total(action) for action in (Action.REJECT, Action.DROP)},
        "held": report.total(Action.HOLD),
        "counts": flags,
    }


def judged(records: Iterable[FeedRecord], **options: Any) -> IntakeReport:
    """A stream through a processor, in batches."""
    processor = MarketDataProcessor(source="clean", **options)
    stream = iter(records)
    while batch := list(islice(stream, 256)):
        processor.validate(batch)
    return processor.report


def streams(*, quick: bool) -> Iterator[tuple[str, Callable[[], IntakeReport]]]:
    """Every file with a reader of its own in ``real_files``, by name."""
    forex, onchain, book = (DATA / folder for folder in ("forex", "onchain", "orderbook"))

    def of(records: Iterable[FeedRecord], **options: Any) -> Callable[[], IntakeReport]:
        return lambda: judged(records, **options)

    for name, symbol in (
        ("fxcm_GBPUSD_m1_bidask_2012", "GBP/USD"),
        ("lean_oanda_EURUSD_m1_201405", "EUR/USD"),
    ):
        path = forex / f"{name}.parquet"
        yield f"{name} quotes", of(files.closing_quotes(path, symbol), instruments=_weekly(symbol))
        yield (
            f"{name} bars",
            of(files.middle_bars(path, symbol), instruments=_weekly(symbol), bar_ns=MINUTE),
        )
    ticks = forex / "lean_oanda_EURUSD_ticks_20140507.parquet"
    yield ticks.stem, of(files.quotes(ticks, "EUR/USD"), instruments=_weekly("EUR/USD"))
    yield (
        "truefx_USDJPY_ticks",
        of(files.quotes_in_text(forex / "truefx_USDJPY_ticks.csv.gz", "USD/JPY")),
    )
    yield (
        "binance_sample quotes",
        of(files.quotes(book / "binance_sample_btcusdt-quotes.parquet", "BTC/USDT")),
    )
    yield (
        "binance_sample trades",
        of(files.trades(book / "binance_sample_btcusdt-trades.parquet", "BTC/USDT")),
    )
    for part in ("depth-snap", "depth-update"):
        path = book / f"binance_sample_btcusdt-{part}.csv"
        yield f"binance_sample {part}", of(files.book_in_text(path, "BTC/USDT:USDT"))
    yield (
        "bybit_XRPUSDT_ob500",
        of(files.bybit_book(book / "bybit_XRPUSDT_ob500_sample.zip", "XRP/USDT:USDT")),
    )
    yield (
        "hyperliquid_btcusd",
        of(files.hyperliquid(book / "hyperliquid_btcusd_20250126_raw_ws.gz")),
    )
    yield (
        "prices_50meme_1h",
        of(files.prices_by_coin(DATA / "crypto_1h" / "prices_50meme_1h_202404.parquet")),
    )
    yield "macro_long", of(_macro())
    yield (
        "crypto_fear_greed_daily",
        of(
            files.observations(
                DATA / "sentiment" / "crypto_fear_greed_daily.parquet", "sentiment", DAY
            ),
            bounds={"sentiment.value": (0.0, 100.0)},
        ),
    )
    for path in sorted((DATA / "news").glob("*.parquet")):
        yield path.stem, of(files.texts(path))
    for name in (
        "aave_v3_polygon_weth_minute_202308",
        "gmx_v2_arbitrum_eth_minute_2025",
        "univ3_ethereum_0x82c4_minute_202308",
        "univ3_polygon_usdc_weth_minute_202308",
    ):
        if not quick or name.startswith("univ3"):
            path = onchain / f"{name}.parquet"
            yield name, of(files.observations(path, "onchain", MINUTE))
    network = onchain / "btc_network_daily.parquet"
    yield network.stem, of(files.observations(network, "onchain", DAY))
    yield "ethereum_blocks_sample", of(files.blocks(onchain / "ethereum_blocks_sample.parquet"))
    yield (
        "ethereum_transactions_sample",
        of(files.native_transfers(onchain / "ethereum_transactions_sample.parquet")),
    )
    yield "ethereum_dex_swaps_10k", of(files.swaps(onchain / "ethereum_dex_swaps_10k.parquet"))


def _weekly(symbol: str) -> list[Instrument]:
    base = undescribed(symbol)
    return [
        Instrument(
            symbol=symbol,
            base=base.base,
            quote=base.quote,
            settlement=base.settlement,
            trading_hours="24/5",
        )
    ]


def recordings() -> dict[str, dict[str, Any]]:
    """The raw recordings replayed: skew, tops compared, what was refused."""
    found = {}
    for name, symbols in _RECORDINGS.items():
        processor, check = MarketDataProcessor(source="clean", contiguous=("clean",)), TopCheck()
        recording = Recording(_raw(name), source="clean", symbols=symbols, report=processor.report)
        for record in replay(recording, processor):
            if isinstance(record, Quote):
                check.quoted(record)
            elif isinstance(record, BookDelta | BookSnapshot):
                book = processor.book(record.source, record.symbol)
                if book is not None:
                    check.book_changed(book)
        offset = recording.skew.offset_ns
        found[name] = {
            "skew_ms": None if offset is None else round(offset / 1e6, 2),
            "tops_equal": check.equal,
            "tops_different": check.different,
            "book_crossed": check.crossed,
            **told(processor.report),
        }
    return found


def clean_files(*, quick: bool) -> dict[str, dict[str, Any]]:
    """What the intake says of each file, or of each folder of candles."""
    found = {}
    for folder, timeframe, venue in _CANDLES[1 if quick else 0 :]:
        source = RecordedSource(DATA / folder, timeframe=timeframe, venue=venue)
        found[f"{folder} {timeframe}"] = told(source.verdicts)
    for name, run_one in streams(quick=quick):
        found[name] = told(run_one())
    return found


def digests() -> dict[str, str]:
    """What the files were."""
    return {
        str(path.relative_to(DATA)): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(DATA.rglob("*"))
        if path.is_file() and path.suffix != ".md"
    }


def run(*, quick: bool = False) -> Finding:
    if not DATA.is_dir():
        return no_data(CLAIM, "")
    seeds = SEEDS[: 1 if quick else None]
    data = real_data()
    faults: dict[str, dict[str, Any]] = {}
    for fault in FAULTS:
        outcome = Outcome()
        for seed in seeds:
            outcome += inject(fault.number, data, seed)
        faults[str(fault.number)] = {
            "title": fault.title,
            "injected": outcome.injected,
            "detected": outcome.detected,
            "collateral": outcome.collateral,
        }
    clean = clean_files(quick=quick)
    replayed = recordings()
    everything = {**clean, **replayed}
    injected = sum(one["injected"] for one in faults.values())
    detected = sum(one["detected"] for one in faults.values())
    collateral = sum(one["collateral"] for one in faults.values())
    false = sum(abs(one["reject"] - KNOWN.get(n, 0)) for n, one in everything.items())
    seen = sum(one["records"] for one in everything.values())
    tops = replayed[PERPETUAL]
    skews = [one["skew_ms"] for one in replayed.values()]
    return Finding(
        CLAIM,
        passed=(
            detected == injected > 0
            and collateral == 0
            and false == 0
            and all(skew is not None and abs(skew - SKEW_MS) <= WITHIN_MS for skew in skews)
            and (tops["tops_equal"], tops["tops_different"]) == (TOPS, 0)
        ),
        headline=[
            f"{detected:,} of {injected:,} injected troubles told; all of them in "
            f"{sum(one['detected'] == one['injected'] > 0 for one in faults.values())} of 38 rows",
            f"{collateral:,} other records refused because of them",
            f"{false:,} of {seen:,} records of {len(everything)} sets rejected that should not be; "
            f"{sum(KNOWN.values())} is at fault itself and rejected",
            f"tops of the book equal {tops['tops_equal']} of "
            f"{tops['tops_equal'] + tops['tops_different']}",
            "skew " + ", ".join(f"{skew} ms" for skew in skews),
        ],
        figures={"faults": faults, "clean": clean, "recordings": replayed, "known": KNOWN},
        seeds=list(seeds),
        data=digests(),
    )
