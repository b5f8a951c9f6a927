"""``mirrorcore data``: against a true server over sockets, killed and gone on with, misused."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import polars as pl
import pytest
from command_calls import PROGRAM, Caller, in_terminal, plain
from served_exchange import Served, served_exchange

from mirrorcore.clock import MINUTE, SECOND, Stopwatch
from mirrorcore.config.source_params import PARAMS
from mirrorcore.data_sources import RecordedSource
from mirrorcore.data_sources.any_recording import RAW, RECORDS, require_kind
from mirrorcore.data_sources.fetching.venue_candles import VenueCandles
from mirrorcore.data_sources.record_log import read_records
from mirrorcore.data_sources.recordings import Recording
from mirrorcore.errors import DataError
from mirrorcore.exchange.faults import Fault
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.records import FeedRecord, GapRecord, Trade

T0 = 1_704_067_200_000_000_000  # 2024-01-01


@pytest.fixture(scope="module")
def venue() -> Iterator[Served]:
    with served_exchange(symbols=("BTC/USDT",), history=20 * MINUTE, speed=20) as found:
        yield found


def write_candles(path: Path, count: int = 120, **changed: Any) -> None:
    frame = pl.DataFrame(
        {
            "ts": [T0 + n * MINUTE for n in range(count)],
            "open": [100.0 + n % 5 for n in range(count)],
            "high": [103.0 + n % 5 for n in range(count)],
            "low": [98.0 + n % 5 for n in range(count)],
            "close": [101.0 + n % 5 for n in range(count)],
            "volume": [1.0] * count,
        }
    ).with_columns(**changed)
    frame.write_csv(path)


def when(holds: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    """Wait until something holds, as long as the program lives and for half a minute at most."""
    watch = Stopwatch()
    while not holds():
        assert child.poll() is None, child.communicate()
        assert watch.wall_ns() < 30 * SECOND
        threading.Event().wait(0.01)


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- sources ------------------------------------------------------------------------------------


def test_every_source_is_listed_with_its_terms_and_how_it_was_tried(call: Caller) -> None:
    from mirrorcore.data_sources.exchange.venues import TESTED
    from mirrorcore.data_sources.services import SERVICES

    listed = {
        one["name"]: one
        for one in call("data", "sources", "--json", runs=False).document["sources"]
    }
    assert {*TESTED, "other venues", *(one.name for one in SERVICES)} < set(listed)
    assert listed["binance"]["tested"]
    assert not listed["other venues"]["tested"]
    assert listed["fred"]["keys"] == ["FRED_API_KEY"]
    assert listed["reddit"]["kind"] == "reddit"
    assert {one["kind"] for one in listed.values()} == {"", *PARAMS}
    assert all(one["brings"] and one["licence"] and one["cadence"] for one in listed.values())
    for name, one in listed.items():
        assert set(one["commands"]) <= {"fetch", "import", "check", "record"}, name
    shown = call("data", "sources", runs=False)
    assert (shown.code, shown.err) == (0, "")
    assert "not endorsed or certified by the Federal Reserve Bank" in shown.out
    assert "Its key is in a variable: X_BEARER_TOKEN." in shown.out
    assert 'In a run: [[sources]] kind = "x"; params needs query and may have token.' in shown.out


# -- fetch --------------------------------------------------------------------------------------


def test_candles_of_a_venue_become_a_folder_a_backtest_reads(
    call: Caller, venue: Served, tmp_path: Path
) -> None:
    wanted = ("data", "fetch", "binance", "btc/usdt", "--timeframe", "1m", "--url", venue.url)
    first = call(*wanted, "--since", "1d", "--out", str(tmp_path), "--json", runs=False)
    assert first.code == 0, first.err
    (file,) = first.document["files"]
    assert (file["requests"], file["resumed"]) == (1, False)
    assert file["verdict"]["usable"]
    assert file["verdict"]["records"] >= 19
    assert file["first"] > file["start"]
    source = RecordedSource(tmp_path)
    assert (source.symbols, source.bar_ns) == (("BTC/USDT",), MINUTE)
    again = call(*wanted, "--since", "2d", "--out", str(tmp_path), runs=False)
    assert again.code == 0
    assert "(gone on with)" in again.out
    assert "the venue has nothing before" in again.out
    assert "mirrorcore backtest --data" in again.out


def test_a_fetch_that_is_killed_goes_on_where_it_stopped(
    call: Caller, venue: Served, tmp_path: Path
) -> None:
    out = tmp_path / "history"
    wanted = ("data", "fetch", "binance", "BTC/USDT", "--timeframe", "1s", "--since", "19m")
    wanted = (*wanted, "--until", "1m", "--url", venue.url, "--out", str(out))
    slow = Fault(kind="slow", target="klines", delay=0.5, count=0, seconds=600)
    venue.do(venue.exchange.inject, slow)
    child = program(*wanted)
    parts = out / ".fetch" / "binance_BTC-USDT_1s"
    when(lambda: any(parts.glob("*-*.parquet")), child)
    child.kill()
    child.communicate()
    assert not list(out.glob("*.parquet"))
    venue.do(venue.exchange.faults._active.clear)
    done = call(*wanted, "--json", runs=False)
    assert done.code == 0, done.err
    (file,) = done.document["files"]
    assert (file["resumed"], file["requests"]) == (True, 1)
    frame = pl.read_parquet(out / "binance_BTC-USDT_1s.parquet")
    seconds = frame["ts"].to_physical() // SECOND
    assert (len(seconds), seconds.is_sorted(), seconds.n_unique()) == (
        file["verdict"]["records"], True, len(seconds),
    )  # fmt: skip
    assert len(seconds) > 1000
    assert not (out / ".fetch").exists()


def test_an_interrupted_fetch_says_what_is_kept(
    call: Caller, venue: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("data", "fetch", "binance", "BTC/USDT", "--timeframe", "1s", "--since", "19m")
    wanted = (*wanted, "--until", "1m", "--url", venue.url, "--out", str(tmp_path))
    page, pages = VenueCandles.page, list[int]()

    async def one_page(self: VenueCandles, symbol: str, bar_ns: int, since: int) -> Any:
        if pages:
            raise KeyboardInterrupt
        pages.append(since)
        return await page(self, symbol, bar_ns, since)

    with monkeypatch.context() as patched:
        patched.setattr(VenueCandles, "page", one_page)
        stopped = call(*wanted, runs=False)
    assert stopped.code == 130
    assert "interrupted after 0 of 1 files; what came is kept" in stopped.out
    done = call(*wanted, "--json", runs=False).document
    assert (done["files"][0]["resumed"], done["interrupted"]) == (True, False)


class _Moods(http.server.BaseHTTPRequestHandler):
    """The Fear & Greed index, in the shape of the service."""

    def do_GET(self) -> None:
        data = [
            {"value": str(40 + n), "value_classification": "Fear", "timestamp": str(T0 // SECOND)}
            for n in range(1)
        ]
        body = json.dumps({"name": "x", "data": data, "metadata": {"error": None}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def moods() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Moods) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()
            thread.join()


def test_a_series_comes_with_the_settings_that_read_it(call: Caller, tmp_path: Path) -> None:
    with moods() as url:
        wanted = ("data", "fetch", "fear_greed", "--url", url, "--out", str(tmp_path))
        fetched = call(*wanted, runs=False)
        assert fetched.code == 0, fetched.err
        assert "sentiment.fear_greed.parquet: 1 values" in fetched.out
        assert 'released = "released"' in fetched.out
        again = call(*wanted, "--until", "1d", "--json", runs=False).document
    assert again["files"][0]["there"]
    assert call("data", "check", str(tmp_path), runs=False).code == 0


# -- record -------------------------------------------------------------------------------------


def test_records_of_a_live_venue_are_kept_and_judged(
    call: Caller, venue: Served, tmp_path: Path
) -> None:
    path = tmp_path / "live.jsonl"
    wanted = ("data", "record", "binance", "BTC/USDT", "--url", venue.url, "--out", str(path))
    done = call(*wanted, "--seconds", "2", "--json", runs=False)
    assert done.code == 0, done.err
    told = done.document
    report = IntakeReport()
    kept = list(read_records(path, report))
    assert (len(kept), report.counts) == (told["records"], {})
    assert {"trade", "quote", "book"} <= set(told["kinds"])
    numbers = [one.seq for one in kept if type(one).__name__ == "Trade"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 10
    assert "binance: live" in done.err
    judged = call("data", "check", str(path), "--json", runs=False)
    assert judged.code == 0, judged.out
    assert judged.document["files"][0]["kind"] == "records"


def test_what_was_missed_between_two_recordings_in_one_file_is_said(
    call: Caller, venue: Served, tmp_path: Path
) -> None:
    path = tmp_path / "live.jsonl"
    wanted = ("data", "record", "binance", "BTC/USDT", "--url", venue.url, "--out", str(path))
    kept = list[list[FeedRecord]]()
    for _ in range(2):
        before = path.read_bytes().count(b'"type":"trade"') if path.exists() else 0
        child = program(*wanted)

        def heard(least: int = before + 5) -> bool:
            return path.exists() and path.read_bytes().count(b'"type":"trade"') > least

        when(heard, child)
        child.kill()
        child.communicate()
        kept.append(list(read_records(path, IntakeReport())))
    first, second = kept[0], kept[1][len(kept[0]) :]
    (gap,) = (one for one in second if isinstance(one, GapRecord))
    trades = [one for one in second if isinstance(one, Trade)]
    assert trades[0].seq > max(one.seq for one in first if isinstance(one, Trade)) + 1
    assert second.index(gap) < second.index(trades[0])
    assert gap.start + SECOND < first[-1].ts_event
    assert gap.end > trades[0].ts_event + SECOND
    judged = call("data", "check", str(path), "--json", runs=False)
    (note,) = (one for one in judged.document["files"][0]["notes"] if "missing" in one)
    assert note.startswith("stretches in which records may be missing: 1,")
    assert note.endswith("not recorded")
    refused = call("data", "import", str(path), "--timeframe", "1s", runs=False)
    assert refused.code == 4, "no second of it was recorded whole"
    assert "no whole bar" in refused.out


def test_raw_frames_are_recorded_until_ctrl_c(venue: Served, tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    child = in_terminal(
        "data", "record", "binance", "BTC/USDT", "--raw", "--url", venue.url, "--out", str(path)
    )
    watch = Stopwatch()
    while not path.exists() or b"@snapshot" not in path.read_bytes():
        assert child.isalive()
        assert watch.wall_ns() < 30 * SECOND
        threading.Event().wait(0.01)
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    shown = plain(child.before)
    assert "Traceback" not in shown
    assert child.exitstatus == 0
    assert "1 snapshots written over 1 connections" in shown
    recording = Recording(path)
    assert len(list(recording.records())) == path.read_bytes().count(b"\n")
    assert not recording.report.counts


def test_a_recording_that_is_killed_is_whole_up_to_there_and_gone_on_with(
    call: Caller, venue: Served, tmp_path: Path
) -> None:
    path = tmp_path / "live.txt"
    wanted = ("data", "record", "binance", "BTC/USDT", "--url", venue.url, "--out", str(path))
    wanted = (*wanted, "--raw")
    child = program(*wanted)
    when(lambda: path.exists() and path.read_bytes().count(b"\n") >= 20, child)
    child.kill()
    child.communicate()
    before = path.read_bytes().count(b"\n")
    judged = call("data", "check", str(path), "--json", runs=False)
    assert judged.code == 0, judged.out
    assert judged.document["files"][0]["records"] >= before
    with path.open("ab") as file:
        file.write(b"17956")
    again = call(*wanted, "--seconds", "2", "--json", runs=False)
    assert (again.code, again.document["cut"]) == (0, 5)
    assert "5 bytes of an unfinished line were cut off" in again.err
    assert path.read_bytes().count(b"\n") == before + sum(
        again.document[name] for name in ("frames", "snapshots")
    )


def test_a_service_is_recorded_like_a_venue(call: Caller, tmp_path: Path) -> None:
    path = tmp_path / "moods.jsonl"
    with moods() as url:
        done = call(
            "data", "record", "fear_greed", "--url", url, "--out", str(path), "--seconds", "0.4",
            "--json", runs=False,
        )  # fmt: skip
    assert (done.code, done.document["kinds"]) == (0, {"observation": 1})


@pytest.mark.parametrize("raw", [(), ("--raw",)])
def test_a_recording_of_a_source_that_is_never_reached_is_no_success(
    call: Caller, tmp_path: Path, raw: tuple[str, ...]
) -> None:
    done = call(
        "data", "record", "binance", "BTC/USDT", "--url", "http://127.0.0.1:1", *raw,
        "--out", str(tmp_path / "none.jsonl"), "--seconds", "0.5", "--json", runs=False,
    )  # fmt: skip
    assert (done.code, done.document["connections"]) == (4, 0)


# -- files --------------------------------------------------------------------------------------


def test_own_files_are_imported_and_told(call: Caller, tmp_path: Path) -> None:
    write_candles(tmp_path / "EURUSD_1m.csv")
    out = tmp_path / "out"
    wanted = ("data", "import", str(tmp_path / "EURUSD_1m.csv"), "--out", str(out))
    done = call(*wanted, "--zone", "America/New_York", "--venue", "broker", runs=False)
    assert done.code == 0, done.err
    assert "broker_EUR-USD_1m.parquet: 120 bars, 2024-01-01T05:00 to" in done.out
    refused = call(*wanted, "--zone", "America/New_York", "--venue", "broker", "--json", runs=False)
    assert refused.code == 4
    assert "is there already" in refused.document["files"][0]["problem"]
    write_candles(tmp_path / "GBPUSD_1m.csv")
    folder = call("data", "import", str(tmp_path), "--symbol", "X/USD", "--out", "x", runs=False)
    assert (folder.code, "--symbol is of one file" in folder.err) == (2, True)


def test_what_is_wrong_with_a_file_is_told_by_case_and_row(call: Caller, tmp_path: Path) -> None:
    write_candles(tmp_path / "BTCUSDT_1m.csv", 500)
    lines = (tmp_path / "BTCUSDT_1m.csv").read_text().splitlines()
    lines[43] = lines[43].replace("103.0", "1.0").replace("105.0", "1.0").replace("104.0", "1.0")
    lines[43] = lines[43].replace("106.0", "1.0").replace("107.0", "1.0")
    (tmp_path / "BTCUSDT_1m.csv").write_text("\n".join(lines) + "\n")
    shown = call("data", "check", str(tmp_path), runs=False)
    assert shown.code == 0
    assert "500 records; 1 GAP, 1 HIGH_LOW" in shown.out
    assert "for example (the first row below a header is row 1)" in shown.out
    assert "HIGH_LOW row 43 at 2024-01-01T00:42" in shown.out
    told = call("data", "check", str(tmp_path), "--json", runs=False).document
    assert told["usable"]
    (sample,) = [one for one in told["files"][0]["samples"] if one["case"] == "HIGH_LOW"]
    assert (sample["row"], sample["values"]["high"]) == (43, 1.0)


def test_what_cannot_be_read_is_told_as_it_stands_in_the_file(call: Caller, tmp_path: Path) -> None:
    file = tmp_path / "BTCUSDT_1m.csv"
    write_candles(file, 500)
    lines = file.read_text().splitlines()
    lines[43] = lines[43].partition(",")[0] + ",hello,104.0,,inf,1.0"
    lines[44] = "later," + lines[44].partition(",")[2]
    file.write_text("\n".join(lines) + "\n")
    told = call("data", "check", str(tmp_path), "--json", runs=False).document["files"][0]
    first, second = [one for one in told["samples"] if one["row"] in (43, 44)]
    assert first["values"] == {
        "open": "hello", "high": 104.0, "low": None, "close": "inf", "volume": 1.0,
    }  # fmt: skip
    assert first["time"] == "2024-01-01T00:42:00+00:00"
    assert (second["time"], second["values"]["time"]) == (None, "later")
    shown = call("data", "check", str(tmp_path), runs=False).out
    assert "row 43 at 2024-01-01T00:42:00+00:00: {'open': 'hello'" in shown
    assert "'nan'" not in shown


def test_what_is_wrong_with_a_series_is_told_by_row_with_what_stands_there(
    call: Caller, tmp_path: Path
) -> None:
    file = tmp_path / "fear.csv"
    rows = "".join(f"2024-01-0{day},{40 + day}\n" for day in (1, 2, 4, 5, 6))
    file.write_text("date,value\n" + rows.replace("2024-01-04", "2024-01-03,xx\n2024-01-04"))
    shown = call("data", "check", str(file), runs=False)
    assert shown.code == 4
    problem = (
        "1 of 6 records were rejected (16.7%, at most 1.0% is borne): 1 × a value is not a number; "
        "for example row 3 (the first below the header is row 1): {'macro.fear': 'xx'}"
    )
    assert problem in shown.out.replace("\n", " ")
    assert "mend these rows, or leave them out" in shown.out
    assert "WRONG_TYPE row 3 at 2024-01-03T00:00:00+00:00: {'macro.fear': 'xx'}" in shown.out
    told = call("data", "check", str(file), "--json", runs=False).document["files"][0]
    (sample,) = told["samples"]
    assert (sample["case"], sample["row"], sample["symbol"]) == ("WRONG_TYPE", 3, "*")


def test_an_unusable_file_ends_with_four_and_says_what_to_do(call: Caller, tmp_path: Path) -> None:
    write_candles(tmp_path / "BTCUSDT_1m.csv", high=pl.lit(float("nan")))
    shown = call("data", "check", str(tmp_path), runs=False)
    assert shown.code == 4
    assert "unusable:" in shown.out
    assert "120 of 120 records were rejected" in shown.out
    told = call("data", "check", str(tmp_path), "--json", runs=False)
    assert (told.code, told.document["usable"]) == (4, False)
    assert told.document["files"][0]["cases"] == {"NOT_FINITE": 120}
    refused = call("data", "import", str(tmp_path), "--out", str(tmp_path / "out"), runs=False)
    assert refused.code == 4
    assert "not imported" in refused.out
    assert not (tmp_path / "out").exists()


# -- misuse -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("fetch",), 2, "Missing argument 'SOURCE'"),
        (("fetch", "binanse", "BTC/USDT"), 2, "did you mean 'binance'"),
        (("fetch", "binance"), 2, "no symbol of binance was named"),
        (("fetch", "binanse"), 2, "did you mean 'binance'"),
        (("fetch", "dune"), 2, "dune has no history that can be fetched"),
        (("record", "dune", "--out", "x.jsonl"), 2, "name it under [[sources]]"),
        (("record", "feed", "notaurl", "--out", "x.jsonl"), 2, "'notaurl' is no address"),
        (("fetch", "ecb", "USD", "--url", "http://127.0.0.1:1"), 4, "check the connection"),
        (
            ("fetch", "kraken", "BTC/USD", "--url", "http://127.0.0.1:1"),
            2,
            "leave the address out (--url, ",
        ),
        (
            ("record", "binance", "BTC/USDT", "--kinds", "bar", "--out", "x.jsonl"),
            2,
            "add it, as in --timeframe 1m",
        ),
        (
            ("record", "binance", "BTC/USDT", "--timeframe", "1m", "--out", "x.jsonl"),
            2,
            "or write --kinds trade,quote,book,bar",
        ),
        (("fetch", "binance", "BTC"), 2, "the symbol was 'BTC'"),
        (("fetch", "binance", "BTC/USDT", "--timeframe", "1M"), 2, "--timeframe was '1M'"),
        (("fetch", "binance", "BTC/USDT", "--since", "yesterday"), 2, "--since was 'yesterday'"),
        (("fetch", "binance", "BTC/USDT", "--since", "2024-13-01"), 2, "which is no date"),
        (("fetch", "binance", "BTC/USDT", "--since", "1d", "--until", "2d ago"), 2, "not before"),
        (("fetch", "binance", "BTC/USDT", "--url", "localhost"), 2, "--url was 'localhost'"),
        (("fetch", "kraken", "BTC/USD", "--url", "http://127.0.0.1:1"), 2, "does not speak"),
        (("fetch", "reddit"), 2, "has no history"),
        (("fetch", "fred"), 2, "FRED_API_KEY is not set"),
        (("import", "nowhere"), 4, "there is no file or folder nowhere"),
        (("import", ".", "--zone", "Mars"), 2, "there is no time zone 'Mars'"),
        (("import", ".", "--ahead", "long"), 2, "--ahead was 'long'"),
        (("import", ".", "--points", "9"), 2, "'--points'"),
        (("import", ".", "--column", "x"), 2, "--column was 'x'"),
        (("check", "nowhere"), 4, "there is no file or folder nowhere"),
        (("check", ".", "--unit", "minutes"), 2, "--unit was 'minutes'"),
        (("record", "binance", "BTC/USDT"), 2, "Missing option '--out'"),
        (("record", "binance", "--out", "x.jsonl"), 2, "no symbol of binance was named"),
        (
            ("record", "binance", "BTC/USDT", "--out", "x.jsonl", "--seconds", "-1"),
            2,
            "--seconds was -1",
        ),
        (
            ("record", "binance", "BTC/USDT", "--out", "x.jsonl", "--seconds", "nan"),
            2,
            "--seconds was nan",
        ),
        (("record", "binance", "BTC/USDT", "--out", "x.jsonl", "--kinds", "gossip"), 2, "gossip"),
        (("record", "binance", "BTC/USDT", "--out", "x.rec"), 2, "ends in .jsonl, .ndjson"),
        (("record", "kraken", "BTC/USD", "--out", "x.jsonl", "--raw"), 2, "leave --raw out"),
        (("record", "json", "--out", "x.jsonl"), 2, "cannot be said on a command line"),
        (("record", "reddit", "--out", "x.jsonl"), 2, "reddit needs subreddit"),
        (("record", "fear_greed", "much", "--out", "x.jsonl"), 2, "'much' says nothing to it"),
        (("record", "fear_greed", "--out", "none/x.jsonl"), 4, "cannot be written to"),
    ],
)
def test_a_call_that_cannot_be_carried_out_says_why(
    call: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRED_API_KEY", raising=False)
    refused = call("data", *arguments, runs=False)
    assert (refused.code, says in refused.err) == (code, True), refused.err
    assert "Traceback" not in refused.err
    assert "defect of ours" not in refused.err
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(call: Caller, venue: Served, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = str(tmp_path / "file" / "candles")
    fetch = ("fetch", "binance", "BTC/USDT", "--timeframe", "1m", "--since", "10m")
    write_candles(tmp_path / "EURUSD_1m.csv")
    for wanted in ((*fetch, "--url", venue.url), ("import", str(tmp_path / "EURUSD_1m.csv"))):
        refused = call("data", *wanted, "--out", out, runs=False)
        assert refused.code == 1, refused.err
        assert "cannot be made: Not a directory" in refused.err
        assert "name another" in refused.err


def test_a_symbol_a_venue_has_not_is_named(call: Caller, venue: Served, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "x.jsonl"), "--url", venue.url)
    refused = call("data", "fetch", "binance", "BTC/USDC", *out, runs=False)
    assert (refused.code, "did you mean BTC/USDT?" in refused.err) == (2, True)
    refused = call("data", "fetch", "binance", "BTC/USDT", "--timeframe", "7m", *out, runs=False)
    assert (refused.code, "has no candles of 7m" in refused.err) == (2, True)
    refused = call("data", "record", "binance", "BTC/USDC", *out, "--raw", runs=False)
    assert (refused.code, "depth of BTCUSDC: 400" in refused.err) == (4, True)
    refused = call("data", "record", "binance", "BTC/USDC", *out, runs=False)
    assert (refused.code, "does not list BTC/USDC" in refused.err) == (4, True)
    assert "did you mean BTC/USDT?" in refused.err


@pytest.mark.parametrize("raw", [False, True])
def test_one_file_holds_recordings_of_one_form(call: Caller, tmp_path: Path, raw: bool) -> None:
    path = tmp_path / "live.jsonl"
    line = b'{"type":"trade"}\n' if raw else b'1700000000000000000 {"stream":"x"}\n'
    path.write_bytes(line)
    options = ("--raw",) if raw else ()
    nobody = ("--url", "http://127.0.0.1:1", "--seconds", "0.1", "--out", str(path))
    refused = call("data", "record", "binance", "BTC/USDT", *nobody, *options, runs=False)
    assert refused.code == 4
    held = "a recording of records" if raw else "a recording of raw messages"
    assert f"{path}: holds {held}" in refused.err
    assert "record into another file" in refused.err
    assert path.read_bytes() == line


@pytest.mark.parametrize(
    ("start", "kind", "fits"),
    [
        (b"", RAW, True),
        (b"17000", RAW, True),
        (b"1700000000000000000 {", RAW, True),
        (b'{"ty', RECORDS, True),
        (b'{"type":"trade"', RECORDS, True),
        (b"some text without an end", RAW, False),
        (b"some text without an end", RECORDS, False),
        (b'{"ty', RAW, False),
        (b"17000", RECORDS, False),
    ],
)
def test_a_recording_goes_on_only_where_one_of_its_form_began(
    tmp_path: Path, start: bytes, kind: str, fits: bool
) -> None:
    path = tmp_path / "live.jsonl"
    require_kind(path, kind)
    path.write_bytes(start)
    if fits:
        require_kind(path, kind)
    else:
        with pytest.raises(DataError, match="cannot be appended"):
            require_kind(path, kind)
