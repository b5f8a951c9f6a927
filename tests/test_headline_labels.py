"""What was labelled by hand: which rows, how they were drawn, and how they are judged."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.evidence.headlines import (
    HEARD,
    SCALED_TO,
    judged,
    quiet_elsewhere,
    share,
    ten_words,
    wilson,
)
from benchmarks.headlines.sample import (
    DRAWN,
    DRAWN_FIFTH,
    DRAWN_FOURTH,
    DRAWN_SCALE,
    LABELS,
    NEWS,
    READ,
    REPORT,
    REPORT_AGAIN,
    REPORT_FIFTH,
    REPORT_FOURTH,
    REPORT_THIRD,
    SCALE,
    TUNE,
    Labelled,
    fifth,
    fourth,
    labelled,
    order,
    scale,
    splits,
)


def test_labels_are_numbers_alone_and_each_row_stands_once() -> None:
    lines = LABELS.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "row,label,split"
    rows = labelled()
    assert len(lines) == len(rows) + 1
    assert len({row.row for row in rows}) == len(rows)
    assert {row.label for row in rows} == {-1, 0, 1}
    assert [row.split for row in rows[:DRAWN]] == splits(DRAWN)
    assert {row.split for row in rows[DRAWN:]} == {
        TUNE,
        REPORT_AGAIN,
        REPORT_THIRD,
        REPORT_FOURTH,
        REPORT_FIFTH,
        SCALE,
    }
    assert [row.split for row in rows[980:1220]] == [REPORT_THIRD] * 240
    assert [row.split for row in rows[1220:1520]] == [REPORT_FOURTH] * DRAWN_FOURTH
    assert [row.split for row in rows[1520:2020]] == [REPORT_FIFTH] * DRAWN_FIFTH
    assert [row.split for row in rows[2020:]] == [SCALE] * DRAWN_SCALE
    assert sum(row.split == REPORT for row in rows) == 200


@pytest.mark.data
@pytest.mark.skipif(not NEWS.is_file(), reason=f"no headlines at {NEWS}")
def test_the_rows_are_the_front_of_the_draw() -> None:
    import polars

    titles = polars.read_parquet(NEWS)["headline"].to_list()
    rows = labelled()
    later = {
        split: [row.row for row in rows if row.split == split]
        for split in (REPORT_FOURTH, REPORT_FIFTH, SCALE)
    }
    front = [row.row for row in rows if row.split not in later]
    assert front == order(titles)[: len(front)]
    assert later[REPORT_FOURTH] == fourth(titles)
    assert later[REPORT_FIFTH] == fifth(titles)
    assert later[SCALE] == scale(titles)
    drawn = [*order(titles)[:READ], *itertools.chain.from_iterable(later.values())]
    assert len(set(drawn)) == len(drawn)


def test_a_title_that_repeats_is_drawn_once() -> None:
    drawn = order(["Coin up!", "coin UP", "Coin down"])
    assert sorted(drawn) == [0, 2]


def test_shares_and_intervals() -> None:
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 5)[0] == 0.0
    assert share(0, 0)["share"] is None


def test_judging_counts_what_it_says() -> None:
    rows = [Labelled(row, label, TUNE) for row, label in enumerate([1, 1, -1, -1, 0, 0])]
    scores = [0.9, HEARD, -0.9, 0.9, HEARD, -0.9]
    found = judged(rows, lambda row: scores[row])
    assert (found["right_sign"]["hits"], found["right_sign"]["of"]) == (2, 3)
    assert (found["coverage"]["hits"], found["coverage"]["of"]) == (3, 4)
    assert (found["neutral_quiet"]["hits"], found["neutral_quiet"]["of"]) == (1, 2)


def test_the_bag_of_ten_words() -> None:
    assert ten_words("Coin crashes") < 0 < ten_words("Coin surges to a high")
    assert ten_words("Coin") == 0


def test_a_scale_set_on_some_titles_promises_a_little_less_of_others() -> None:
    promised = quiet_elsewhere([step / 400 for step in range(400)])
    assert SCALED_TO - 0.01 < promised < SCALED_TO + 0.001
    assert quiet_elsewhere([0.0] * 100) == 1.0
