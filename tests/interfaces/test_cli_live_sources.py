"""``mirrorcore run`` on a venue with sources beside it: opened, answered for, or refused before."""

from __future__ import annotations

from pathlib import Path

from command_calls import Caller
from served_exchange import served_exchange

from mirrorcore.clock import MINUTE

RUN = """
[market]
source = "exchange"
symbols = ["BTC/USDT"]
timeframe = "1s"
[exchange]
url = "{url}"
batch = "200ms"
lateness = "200ms"
[paper]
warmup = "20s"
seconds = 2.0
[[sources]]
{source}
"""


def written(tmp_path: Path, url: str, source: str) -> str:
    file = tmp_path / "live.toml"
    file.write_text(RUN.format(url=url, source=source), encoding="utf-8")
    return str(file)


def test_the_answer_of_a_run_names_a_source_that_nobody_serves(
    call: Caller, tmp_path: Path
) -> None:
    mood = 'kind = "fear_greed"\nname = "mood"\nurl = "http://127.0.0.1:1"'
    with served_exchange(symbols=("BTC/USDT",), history=MINUTE, speed=10) as venue:
        done = call("run", "--config", written(tmp_path, venue.url, mood), "--json", "--no-report")
    assert done.code == 0, done.err
    told = done.document["sources"]
    assert list(told) == ["binance", "mood"]
    assert told["binance"]["records"]["trade"] > 0
    assert told["mood"]["state"] != "live"
    assert told["mood"]["records"] == {}


def test_what_is_odd_in_a_calendar_is_a_warning_before_the_run_and_in_its_answer(
    call: Caller, tmp_path: Path
) -> None:
    head = "id,symbol,kind,at,announced,amount,withdrawn"
    file = tmp_path / "unlocks.csv"
    file.write_text(f"{head}\na,BTC/USDT,unlock,2090-03-16,2024-01-10,198,\n")
    due = f'kind = "calendar"\nparams = {{ file = "{file}", supply = {{ "BTC/USDT" = "19" }} }}'
    with served_exchange(symbols=("BTC/USDT",), history=MINUTE, speed=10) as venue:
        done = call("run", "--config", written(tmp_path, venue.url, due), "--json", "--no-report")
    assert done.code == 0, done.err
    (told,) = (one for one in done.document["warnings"] if "calendar" in one)
    assert "row 1 " in told
    assert "sets 198 coins free, more than the 19 in circulation" in told
    assert "warning: source calendar:" in done.err


def test_a_source_without_its_key_is_refused_before_anything_is_written(
    call: Caller, tmp_path: Path
) -> None:
    posts = 'kind = "x"\nparams = { query = "bitcoin", token = "NOBODY_SET_THIS" }'
    done = call("run", "--config", written(tmp_path, "http://127.0.0.1:1", posts))
    assert done.code != 0
    assert "source x: the environment variable NOBODY_SET_THIS is not set" in done.err
    assert "Traceback" not in done.err
    assert call.made() == []
