"""Files that only grow: what is there after a kill at any byte, and going on with it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.data_sources.line_log import LineLog
from mirrorcore.data_sources.record_log import RecordLog, read_records
from mirrorcore.errors import DataError
from mirrorcore.market.intake import Case, IntakeReport
from mirrorcore.market.records import FeedRecord, Quote, Status, Trade

T0 = 1_704_067_200_000_000_000


def records(count: int) -> list[FeedRecord]:
    def stamps(n: int) -> dict[str, int]:
        return dict.fromkeys(("ts_event", "ts_recv", "ts_avail"), T0 + n)

    found: list[FeedRecord] = []
    for n in range(count):
        common = {"source": "venue", "symbol": "BTC/USDT", "seq": n, **stamps(n)}
        found.append(Trade(**common, price=100.5 + n, quantity=0.1, side="buy", trade_id=str(n)))
        found.append(Quote(**common, bid=100.0, ask=100.1, bid_size=1.0, ask_size=2.0))
        found.append(Status(**common, state="live", reason="über\nall"))
    return found


@given(cut=st.integers(0, 400), chunk=st.integers(1, 7))
def test_a_kill_at_any_byte_loses_the_line_it_came_in_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, cut: int, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.txt"
    lines = [b"x" * n for n in range(20)]
    with LineLog(path) as log:
        for at in range(0, len(lines), chunk):
            log.append(lines[at : at + chunk])
        assert (log.lines, log.cut) == (20, 0)
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    with LineLog(path) as log:
        whole = content[:cut].rfind(b"\n") + 1
        assert log.cut == len(content[:cut]) - whole
        log.append([b"again"])
    assert path.read_bytes() == content[:whole] + b"again\n"


@pytest.mark.parametrize(
    ("content", "last"),
    [
        (b"", b""),
        (b"rest", b""),
        (b"one\n", b"one"),
        (b"one\ntwo\nrest", b"two"),
        (b"one\n" + b"y" * 200_000 + b"\n", b"y" * 200_000),
    ],
)
def test_who_goes_on_with_a_file_is_told_its_last_line(
    tmp_path: Path, content: bytes, last: bytes
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with LineLog(path) as log:
        assert log.last == last
        log.append([b"again"])
    whole = content[: content.rfind(b"\n") + 1]
    assert path.read_bytes() == whole + b"again\n"


def test_an_unfinished_line_longer_than_a_look_is_cut_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n" + b"y" * 200_000)
    with LineLog(path) as log:
        assert log.cut == 200_000
    assert path.read_bytes() == b"good\n"


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path, report = tmp_path / "a.jsonl", IntakeReport()
    written = records(5)
    log = RecordLog(path)
    log.append(written[:4])
    log.close()
    log = RecordLog(path)
    log.append(written[4:])
    assert (log.records, log.cut) == (11, 0)
    log.close()
    assert list(read_records(path, report)) == written
    assert not report.counts


def test_lines_that_are_no_records_are_counted_with_their_place(tmp_path: Path) -> None:
    path, report = tmp_path / "a.jsonl", IntakeReport()
    good = msgspec.json.encode(records(1)[0])
    bad = good.replace(b"100.5", b'"dear"')
    path.write_bytes(b"\n".join([good, b"{broken", bad, good]) + b"\n" + good[:40])
    assert len(list(read_records(path, report))) == 2
    assert report.counts == {("venue", Case.TRUNCATED): 2, ("venue", Case.WRONG_TYPE): 1}
    assert [sample.row for sample in report.quarantine] == [1, 4, 2]
    assert f"at byte {len(good) + 1}" in report.quarantine[0].detail


def test_two_recordings_do_not_write_to_one_file(tmp_path: Path) -> None:
    with LineLog(tmp_path / "a.txt") as log:
        log.append([b"first"])
        with pytest.raises(DataError, match="another recording writes to it"):
            LineLog(tmp_path / "a.txt")
        log.append([b"second"])
    LineLog(tmp_path / "a.txt").close()
    assert (tmp_path / "a.txt").read_bytes() == b"first\nsecond\n"


def test_places_that_cannot_be_written_to_or_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written to"):
        LineLog(tmp_path / "nowhere" / "a.txt")
    with pytest.raises(DataError, match="written unpacked"):
        LineLog(tmp_path / "a.txt.gz")
    with pytest.raises(DataError, match="cannot be read"):
        list(read_records(tmp_path / "none.jsonl", IntakeReport()))
    if Path("/dev/full").exists():
        log = LineLog(Path("/dev/full"))
        with pytest.raises(DataError, match="No space left"):
            log.append([b"a"])
        with pytest.raises(DataError, match="cannot be written to"):
            log.close()
