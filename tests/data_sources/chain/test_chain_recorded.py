"""``mirrorcore data record ethereum`` against a real machine, and what the check says of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chain_evm import Evm

from mirrorcore.data_sources.record_log import read_records
from mirrorcore.interfaces.cli import main
from mirrorcore.market.intake import IntakeReport
from mirrorcore.market.records import ChainBlock, Flag


@contextmanager
def mining(evm: Evm) -> Iterator[None]:
    """A block every now and then, on a thread: the command has a loop of its own."""
    done = threading.Event()

    def mine() -> None:
        while not done.wait(0.05):
            evm.mine()

    thread = threading.Thread(target=mine)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_blocks_are_recorded_and_judged(
    evm: Evm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chain.jsonl"
    chain = f"chain_id={evm.web3.eth.chain_id}"
    wanted = ("data", "record", "ethereum", chain, "confirmations=0", "--url", evm.address)
    with mining(evm):
        code = main([*wanted, "--out", str(path), "--seconds", "4", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0, told
    assert told["faults"] == {}
    kept = list(read_records(path, IntakeReport()))
    assert len(kept) == told["records"]
    final = [r for r in kept if isinstance(r, ChainBlock) and not r.flags & Flag.PROVISIONAL]
    heights = [block.seq for block in final]
    assert len(heights) >= 3
    assert heights == list(range(heights[0], heights[0] + len(heights)))
    assert main(["data", "check", str(path), "--json"]) == 0
    (judged,) = json.loads(capsys.readouterr().out)["files"]
    assert (judged["kind"], judged["records"]) == ("records", len(kept))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "none was named"),
        (("blocks=3", "--url", "http://127.0.0.1:1"), "no option blocks"),
        (("chain_id=main", "--url", "http://127.0.0.1:1"), "must be a whole number"),
    ],
)
def test_a_chain_that_cannot_be_read_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code = main(["data", "record", "ethereum", *words, "--out", str(tmp_path / "x.jsonl")])
    assert (code, says in capsys.readouterr().err) == (2, True)
    assert not (tmp_path / "x").exists()
