"""Schedules of faults: read, drawn, begun and ended on time, and counted where they bite."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mirrorcore.clock import SECOND
from mirrorcore.errors import UsageError
from mirrorcore.exchange.faults import FAULT_KINDS, Fault, Faults, random_schedule, read_schedule


def test_a_fault_begins_on_time_and_bites_as_often_as_it_says() -> None:
    faults = Faults([Fault(kind="html", at=2, count=2)], start=10 * SECOND)
    faults.advance(11 * SECOND)
    assert faults.of_request("depth") is None
    faults.advance(12 * SECOND)
    assert [faults.of_request("depth") is not None for _ in range(3)] == [True, True, False]
    assert (faults.happened["html"], faults.bites["html"]) == (1, 2)


def test_a_fault_that_nobody_met_did_not_happen() -> None:
    faults = Faults([Fault(kind="stale", seconds=1)], start=0)
    faults.advance(0)
    faults.advance(2 * SECOND)
    assert faults.take("stale", "btcusdt@trade") is None
    assert not any(faults.happened.values())


def test_a_target_is_a_part_of_the_name() -> None:
    faults = Faults([], start=0)
    faults.inject(Fault(kind="malformed", target="@trade"))
    assert faults.take("malformed", "btcusdt@depth") is None
    assert faults.take("malformed", "btcusdt@trade") is not None


def test_offsets_add_up_while_they_last() -> None:
    schedule = [Fault(kind="clock_offset", at=0, offset=1.5, seconds=4),
                Fault(kind="clock_offset", at=2, offset=-0.5, seconds=4)]  # fmt: skip
    faults = Faults(schedule, start=0)
    seen = []
    for second in range(7):
        faults.advance(second * SECOND)
        seen.append(faults.offset / SECOND)
    assert seen == [1.5, 1.5, 1.0, 1.0, -0.5, -0.5, 0.0]
    assert faults.happened["clock_offset"] == 2


def test_a_drop_waits_for_a_socket() -> None:
    faults = Faults([], start=0)
    faults.inject(Fault(kind="drop", target="@trade"))
    assert not faults.drops(["btcusdt@depth"])
    faults.dropped(0)
    assert faults.drops(["btcusdt@depth", "btcusdt@trade"])
    faults.dropped(1)
    assert not faults.drops(["btcusdt@trade"])
    assert (faults.happened["drop"], faults.bites["drop"]) == (1, 1)


def test_drawn_schedules_are_repeatable_and_balanced() -> None:
    schedule = random_schedule(3, every=10, seconds=800)
    assert schedule == random_schedule(3, every=10, seconds=800)
    assert schedule != random_schedule(4, every=10, seconds=800)
    assert [fault.at for fault in schedule] == [10.0 * n for n in range(1, 81)]
    assert Counter(fault.kind for fault in schedule) == dict.fromkeys(FAULT_KINDS, 10)
    assert {f.kind for f in random_schedule(1, every=5, seconds=60, kinds=("drop",))} == {"drop"}


def test_a_schedule_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(
        '[[fault]]\nkind = "rate_limit"\nat = 1.5\nretry_after = 3\n'
        '[[fault]]\nkind = "stale"\nat = 5\nseconds = 2\ntarget = "@depth"\n'
    )
    assert read_schedule(file) == [
        Fault(kind="rate_limit", at=1.5, retry_after=3),
        Fault(kind="stale", at=5.0, seconds=2.0, target="@depth"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[fault]]\nkind = "flood"', "flood"),
        ('[[fault]]\nkind = "drop"\nwhen = 3', "when"),
        ('[[fault]]\nkind = "stale"', r"faults\.toml: \[\[fault\]\] 1: fault stale: it has no end"),
        (
            '[[fault]]\nkind = "drop"\n[[fault]]\nkind = "slow"\ndelay = nan',
            r"\[\[fault\]\] 2: fault slow: delay was nan",
        ),
        ('[[fault]]\nkind = "drop"\nat = nan', "at was nan, which is no finite number"),
        ('[[fault]]\nkind = "drop"\nat = inf', "at was inf"),
        ('[[fault]]\nkind = "stale"\nseconds = inf', "seconds was inf"),
        ('[[fault]]\nkind = "clock_offset"\nseconds = 1\noffset = -inf', "offset was -inf"),
        ('[[fault]]\nkind = "slow"\ncount = 0', "has no end"),
        ('[[fault]]\nkind = "drop"\ncount = 2', "happens once"),
        ('[[fault]]\nkind = "slow"\ndelay = -1', "delay was -1"),
        ('[[mistake]]\nkind = "slow"', "mistake"),
        ("kind = ", "faults.toml"),
    ],
)
def test_a_schedule_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says):
        read_schedule(file)
    with pytest.raises(UsageError, match="No such file"):
        read_schedule(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("every", "seconds"), [(0.0, 10.0), (float("nan"), 10.0), (1.0, float("inf")), (1.0, -1.0)]
)
def test_a_drawn_schedule_needs_lengths_of_time(every: float, seconds: float) -> None:
    with pytest.raises(UsageError, match="is no schedule"):
        random_schedule(1, every=every, seconds=seconds)
