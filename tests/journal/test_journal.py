"""The journal: what is written comes back, chained; what the disk refuses is not lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.journal import (
    KINDS,
    Journal,
    JournalError,
    JournalFullError,
    JournalReader,
    JournalState,
    decode,
    decode_as,
    encode,
)
from mirrorcore.journal.entries import GENESIS, link
from mirrorcore.market.records import Bar, Observation, Record


def fill(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.append("order", 1_000 + number, {"id": f"r-{number}", "lots": number})


def verify(path: Path) -> Any:
    with JournalReader(path) as reader:
        return reader.verify()


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    assert journal.append("run", 5, {"seed": 42}) == 1
    assert journal.append("order", 10, {"id": "a", "lots": -3}) == 2
    assert journal.append("fill", 20, {"order": "a"}) == 3
    assert journal.append("end", 30, {"status": "finished"}) == 4
    assert (journal.stored, journal.waiting) == (0, 4)
    journal.close()
    with JournalReader(tmp_path / "j.sqlite") as reader:
        assert [(e.seq, e.ts, e.kind, e.body) for e in reader.entries()] == [
            (1, 5, "run", {"seed": 42}),
            (2, 10, "order", {"id": "a", "lots": -3}),
            (3, 20, "fill", {"order": "a"}),
            (4, 30, "end", {"status": "finished"}),
        ]
        assert [e.seq for e in reader.entries("fill", "order")] == [2, 3]
        assert [e.seq for e in reader.entries(after=2)] == [3, 4]
        assert [e.seq for e in reader.entries(start=10, end=30)] == [2, 3]
        assert reader.counts() == {"end": 1, "fill": 1, "order": 1, "run": 1}
        verdict = reader.verify(journal.head)
    assert (verdict.holds, verdict.entries, verdict.ended) == (True, 4, True)
    assert verdict.head == journal.head


def test_the_chain_is_blake2b_over_the_hash_before_and_all_that_an_entry_says(
    tmp_path: Path,
) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    journal.append("run", 7, {"b": 1, "a": [True, None]})
    journal.append("end", -3, {"b": 1, "a": [True, None]})
    journal.close()
    head = blake2b(b"mirrorcore journal 1", digest_size=16).digest()
    assert head == GENESIS
    body = b"\x82\xa1a\x92\xc3\xc0\xa1b\x01"  # msgpack, keys sorted
    for seq, ts, kind in ((1, 7, b"run"), (2, -3, b"end")):
        said = seq.to_bytes(8, "big") + ts.to_bytes(8, "big", signed=True) + kind + b"\0" + body
        head = blake2b(head + said, digest_size=16).digest()
    assert journal.head == head.hex()


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_a_batch_of_any_size_gives_the_same_chain(tmp_path: Path, count: int) -> None:
    heads = set()
    for every in (1, 7, 100, 10_000):
        journal = Journal.create(tmp_path / f"{every}.sqlite", flush_every=every)
        fill(journal, count)
        assert journal.waiting == count % every
        journal.close()
        heads.add(journal.head)
        verdict = verify(tmp_path / f"{every}.sqlite")
        assert (verdict.holds, verdict.entries, verdict.head) == (True, count, journal.head)
    assert len(heads) == 1


def test_a_batch_is_also_due_by_its_bytes(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    journal.append("checkpoint", 1, bytes(5 << 20))
    assert journal.waiting == 1
    journal.append("checkpoint", 2, bytes(5 << 20))
    assert (journal.waiting, journal.stored) == (0, 2)
    journal.close()


def test_readers_see_what_is_flushed_while_the_run_goes_on(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    with JournalReader(tmp_path / "j.sqlite") as reader:
        fill(journal, 3)
        assert reader.counts() == {}
        journal.flush()
        assert reader.counts() == {"order": 3}
        fill(journal, 1)
        journal.flush()
        assert reader.counts() == {"order": 4}
        journal.close()  # somebody is reading: closing must not wait for them or fail
        assert reader.counts() == {"order": 4}
    assert verify(tmp_path / "j.sqlite").holds


def test_a_closed_journal_is_one_file_that_is_read_without_writing(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    fill(journal, 3)
    journal.close()
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["j.sqlite"]
    before = (tmp_path / "j.sqlite").read_bytes()
    assert verify(tmp_path / "j.sqlite").holds
    assert (tmp_path / "j.sqlite").read_bytes() == before
    assert journal.state is JournalState.CLOSED
    with pytest.raises(JournalError, match="is closed"):
        journal.append("audit", 1, {})
    with pytest.raises(JournalError, match="is closed"):
        journal.flush()


def test_a_restart_continues_the_chain(tmp_path: Path) -> None:
    heads = []
    for restarts in (0, 1, 3):
        path = tmp_path / f"{restarts}.sqlite"
        journal = Journal.create(path)
        for part in range(12):
            if part and restarts and part % (12 // (restarts + 1)) == 0:
                journal.close()
                journal = Journal.resume(path)
                assert journal.stored == part * 5
            fill(journal, 5)
        journal.close()
        assert verify(path).entries == 60
        heads.append(journal.head)
    assert len(set(heads)) == 1


class Checkpoint(msgspec.Struct):
    tick: int
    cash: int
    state: dict[str, float]


def test_typed_reading_and_the_checkpoint_to_begin_at(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    for tick in (0, 4096, 8192):
        journal.append("checkpoint", tick * 10, Checkpoint(tick, 10**30, {"x": tick / 2}))
        journal.append("block", tick * 10 + 5, b"\0" * 16)
    bar = Bar(source="s", symbol="A/B", ts_event=1, ts_recv=2, ts_avail=3, open=1.5, high=2.0,
              low=1.0, close=1.25, volume=7.0)  # fmt: skip
    missing = Observation(source="s", series="onchain.x", symbol="*", ts_event=1, ts_recv=2,
                          ts_avail=3, value=None)  # fmt: skip
    journal.append("input", 90_000, [bar, missing])
    journal.close()
    with JournalReader(tmp_path / "j.sqlite") as reader:
        assert [b.tick for _, b in reader.bodies("checkpoint", Checkpoint)] == [0, 4096, 8192]
        assert list(reader.bodies("input", list[Record])) == [(90_000, [bar, missing])]
        entry = reader.last("checkpoint", until=81_919)
        assert entry is not None
        assert decode_as(entry.data, Checkpoint) == Checkpoint(4096, 10**30, {"x": 2048.0})
        newest = reader.last("checkpoint")
        assert newest is not None
        assert newest.ts == 81_920
        assert reader.last("checkpoint", until=-1) is None
        assert reader.last("finding") is None
        assert next(e.body for e in reader.entries("block")) == b"\0" * 16


def test_only_known_kinds_and_values_are_accepted(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite")
    with pytest.raises(ValueError, match="was 'gossip', must be a kind"):
        journal.append(cast("Any", "gossip"), 1, {})
    for value in (object(), np.array([object()])):
        with pytest.raises(TypeError, match="a journal cannot hold"):
            journal.append("audit", 1, {"x": value})
    assert journal.waiting == 0
    assert len(KINDS) == 17


# Damage


def build(path: Path, count: int = 40) -> str:
    journal = Journal.create(path)
    fill(journal, count)
    journal.append("end", 9_999, {})
    journal.close()
    return journal.head


TAMPERINGS = {
    "UPDATE entries SET ts = ts + 1 WHERE seq = 17": (17, "does not match its hash"),
    "UPDATE entries SET kind = 'fill' WHERE seq = 17": (17, "does not match its hash"),
    "UPDATE entries SET body = CAST(body || x'00' AS BLOB) WHERE seq = 17": (
        17,
        "does not match its hash",
    ),
    "UPDATE entries SET body = 'text' WHERE seq = 17": (17, "does not match its hash"),
    "UPDATE entries SET hash = zeroblob(16) WHERE seq = 17": (17, "does not match its hash"),
    "UPDATE entries SET kind = 5, ts = 'x' WHERE seq = 17": (17, "does not match its hash"),
    "DELETE FROM entries WHERE seq = 17": (17, "entry 17 is missing, 18 follows 16"),
    "DELETE FROM entries WHERE seq = 1": (1, "entry 1 is missing, 2 follows 0"),
    "INSERT INTO entries SELECT 42, ts, kind, body, hash FROM entries WHERE seq = 41": (
        42,
        "does not match its hash",
    ),
    "UPDATE entries SET seq = 100 WHERE seq = 41": (41, "entry 41 is missing, 100 follows 40"),
    "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 18) WHERE seq = 17": (
        17,
        "does not match its hash",
    ),
}


@pytest.mark.parametrize("statement", TAMPERINGS)
def test_tampering_is_found_and_the_first_bad_entry_named(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "j.sqlite"
    build(path)
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    verdict = verify(path)
    first, reason = TAMPERINGS[statement]
    assert not verdict.holds
    assert verdict.first_bad == first
    assert reason in verdict.reason
    assert verdict.entries == first - 1


def test_a_cut_end_shows_against_the_head_kept_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    head = build(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM entries WHERE seq > 30")
    connection.close()
    with JournalReader(path) as reader:
        assert reader.verify().holds
        assert not reader.verify().ended
        verdict = reader.verify(head)
    assert verdict.first_bad == 31
    assert "ends after 30 entries" in verdict.reason


def test_a_damaged_file_is_reported_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    build(path, count=2_000)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 // 4096 * 4096
    raw[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(raw)
    verdict = verify(path)
    assert not verdict.holds
    assert 1 < cast("int", verdict.first_bad) < 2_000
    assert "damaged" in verdict.reason


def test_a_damaged_file_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    build(path, count=2_000)
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + b"\xff" * (len(raw) - 4096))
    with pytest.raises(JournalError, match="is damaged"):
        Journal.resume(path)
    path.write_bytes(raw)
    journal = Journal.resume(path)
    journal._connection.execute("PRAGMA cache_size = 0")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(raw) - 4096))
    fill(journal, 1)
    with pytest.raises(JournalError, match="is damaged"):
        journal.flush()


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, " * 100)
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE entries (x)").connection.close()
    newer = tmp_path / "newer.sqlite"
    build(newer)
    sqlite3.connect(newer).execute("PRAGMA user_version = 2").connection.close()
    problems = {
        tmp_path / "gone.sqlite": "there is no journal at",
        text: "is no journal",
        other: "is no journal of MirrorCore-X",
        newer: "has layout 2, this version reads 1",
    }
    for path, problem in problems.items():
        for opening in (JournalReader, Journal.resume):
            with pytest.raises(JournalError, match=problem) as caught:
                opening(path)
            assert caught.value.exit_code == 4
    with pytest.raises(JournalError, match="is there already"):
        Journal.create(newer)


def test_a_second_writer_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    first = Journal.create(path)
    second = Journal.resume(path)
    fill(first, 2)
    first.flush()
    fill(second, 1)
    with pytest.raises(JournalError, match="another process writes to"):
        second.flush()
    first.close()
    assert verify(path).entries == 2


# A disk that refuses


def test_a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal.create(path, flush_every=50, max_bytes=64 << 10)
    accepted, refusals = 0, []
    while accepted < 3_000:
        accepted += 1
        try:
            journal.append("order", accepted, {"id": accepted, "why": "x" * 40})
        except JournalFullError as error:
            refusals.append(error)
    assert len(refusals) > 10
    assert all("the disk is full" in str(error) for error in refusals)
    assert journal.state is JournalState.FAILING
    assert journal.stored + journal.waiting == accepted
    stored = journal.stored
    with pytest.raises(JournalFullError):
        journal.close()
    journal._connection.execute("PRAGMA max_page_count = 100000")
    journal.append("order", 1, {"id": "after"})
    journal.flush()
    assert journal.state is JournalState.OPEN
    assert journal.stored == accepted + 1 > stored
    journal.close()
    verdict = verify(path)
    assert (verdict.holds, verdict.entries) == (True, accepted + 1)


def test_an_intent_that_is_not_on_disk_was_never_written(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal.create(path, max_bytes=64 << 10)
    first = journal.commit_before("order", 1, {"id": "first"})
    assert (journal.stored, journal.waiting) == (first, 0)
    assert verify(path).entries == 1
    with pytest.raises(JournalFullError):
        journal.commit_before("order", 2, {"id": "second", "why": "x" * 100_000})
    assert (journal.stored, journal.waiting) == (1, 0)
    assert journal.commit_before("order", 3, {"id": "third"}) == 2
    journal.close()
    with JournalReader(path) as reader:
        assert [entry.body["id"] for entry in reader.entries()] == ["first", "third"]
        assert reader.verify().holds


def test_an_intent_is_withdrawn_but_not_what_was_accepted_before_it(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j.sqlite", flush_every=2, max_bytes=64 << 10)
    journal.append("audit", 1, {"note": "kept"})
    with pytest.raises(JournalFullError):  # the append itself makes the batch due
        journal.commit_before("order", 2, {"why": "x" * 100_000})
    assert journal.waiting == 1
    journal.close()
    with JournalReader(tmp_path / "j.sqlite") as reader:
        assert [entry.body for entry in reader.entries()] == [{"note": "kept"}]


def test_a_commit_that_reached_the_disk_although_it_failed_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    journal = Journal.create(path, max_bytes=64 << 10)
    fill(journal, 3)
    journal.flush()
    with pytest.raises(JournalFullError):
        journal.commit_before("order", 2, {"why": "x" * 100_000})
    row = (4, 2, "order", b"\xc0", link(bytes.fromhex(journal.head), 4, 2, "order", b"\xc0"))
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
    other.close()
    fill(journal, 2)
    journal.close()
    verdict = verify(path)
    assert (verdict.holds, verdict.entries) == (True, 5)


def test_too_many_waiting_entries_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrorcore.journal.writer.MOST_WAITING", 20)
    journal = Journal.create(tmp_path / "j.sqlite", flush_every=10, max_bytes=16 << 10)
    refusals = []
    for number in range(40):
        try:
            journal.append("order", number, "x" * 4_000)
        except JournalFullError as error:
            refusals.append(error.message)
    assert len(refusals) == 2 + 20  # two batches, then every entry above the limit
    assert all("20 entries wait" in message for message in refusals[2:])
    assert journal.waiting == 20
    with pytest.raises(JournalFullError, match="20 entries wait"):
        journal.commit_before("order", 1, {})
    assert journal.waiting == 20


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_file_system_that_refuses_to_grow_the_file(tmp_path: Path) -> None:
    """A real refusal by the system: the limit on file size, raised again later."""
    code = """
        import resource, sys
        from pathlib import Path
        from mirrorcore.journal import Journal, JournalFullError
        journal = Journal.create(Path(sys.argv[1]), flush_every=20)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        refused = 0
        for number in range(2_000):
            try:
                journal.append("order", number, {"number": number})
            except JournalFullError as error:
                refused += 1
        print(refused, journal.state.name, journal.stored + journal.waiting)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        journal.close()
    """
    process = python(code, str(tmp_path / "j.sqlite"))
    output, _ = process.communicate(timeout=30)
    refused, state, accepted = output.split()
    assert process.returncode == 0
    assert int(refused) > 5
    assert (state, accepted) == ("FAILING", "2000")
    verdict = verify(tmp_path / "j.sqlite")
    assert (verdict.holds, verdict.entries) == (True, 2_000)


def test_a_journal_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(JournalFullError, match="cannot be written: it cannot be opened"):
        Journal.create(tmp_path / "no" / "such" / "j.sqlite")


def test_after_a_kill_the_journal_holds_all_that_was_committed_and_goes_on(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from mirrorcore.journal import Journal
        journal = Journal.create(Path(sys.argv[1]))
        number = 0
        while True:
            number += 1
            journal.append("decision", number, {"number": number})
            if number % 3 == 0:
                print(journal.commit_before("order", number, {"number": number}), flush=True)
    """
    path = tmp_path / "j.sqlite"
    process = python(code, str(path))
    assert process.stdout is not None
    for _ in range(50):
        committed = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split()
    assert process.wait(timeout=30) == -signal.SIGKILL
    process.stdout.close()
    committed = int(rest[-1]) if rest else committed
    verdict = verify(path)
    assert verdict.holds
    assert verdict.entries >= committed
    assert not verdict.ended
    journal = Journal.resume(path)
    assert journal.head == verdict.head
    fill(journal, 10)
    journal.close()
    again = verify(path)
    assert (again.holds, again.entries) == (True, verdict.entries + 10)


# Coding

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(plain)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert decode(encode(value)) == value


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=3), plain, max_size=5), st.randoms())
def test_the_order_of_keys_makes_no_difference(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert encode({key: value[key] for key in keys}) == encode(value)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, np.nan, -0.0, np.inf]),
        np.arange(6, dtype=np.int64).reshape(2, 3).T,
        np.zeros((0, 4)),
        np.array(3.0),
        np.array([True, False]),
        np.array(["ab", "c"]),
    ],
)
def test_arrays_come_back_to_the_bit_and_can_be_written_to(array: Any) -> None:
    back = decode(encode({"array": array}))["array"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    back.fill(back.flat[0] if back.size else 0)


class Money(msgspec.Struct, tag="money", rename="camel"):
    cash_amount: int
    fee: Decimal
    lots: tuple[int, ...] = ()


@pytest.mark.parametrize("cash", [1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**40])
def test_structures_with_large_numbers_keep_their_type(cash: int) -> None:
    money = Money(cash, Decimal("0.10"), (1, -(2**70)))
    data = encode([money])
    assert decode_as(data, list[Money]) == [money]
    assert decode(data)[0]["type"] == "money"
    assert decode(data)[0]["cashAmount"] == cash


def test_numpy_scalars_are_numbers() -> None:
    value = {"a": np.float64(1.5), "b": np.int64(-3), "c": np.bool_(True)}
    assert encode(value) == encode({"a": 1.5, "b": -3, "c": True})
