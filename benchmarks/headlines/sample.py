"""Which headlines were labelled: a seeded draw without repetition from the recorded news."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import DATA

NEWS = DATA / "news" / "crypto_headlines_2021_2022.parquet"
LABELS = Path(__file__).with_name("labels.csv")
SEED = 20221
"""Of the one permutation from which every draw is taken, from its front."""
DRAWN = 400
TUNE, REPORT, REPORT_AGAIN, REPORT_THIRD = "tune", "report", "report_again", "report_third"
REPORT_FOURTH, REPORT_FIFTH = "report_fourth", "report_fifth"
SCALE = "scale"
"""Titles by which alone the scale was set: no word was chosen by them."""
READ = 4220
"""Places of that permutation of which titles were read before the fourth report was drawn."""
SEED_FOURTH = 20224
DRAWN_FOURTH = 300
SEED_FIFTH = 20225
DRAWN_FIFTH = 500
SEED_SCALE = 20226
DRAWN_SCALE = 400


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of the news file and what it says of the price: -1 bad, 0 neither, 1 good."""

    row: int
    label: int
    split: str


def normalised(title: str) -> str:
    """A title by which repetitions are known: its letters and digits, folded."""
    return " ".join(re.findall(r"\w+", title.casefold()))


def order(titles: list[str]) -> list[int]:
    """Rows in the order they are drawn: of titles that repeat only the first, then shuffled."""
    first: dict[str, int] = {}
    for row, title in enumerate(titles):
        first.setdefault(normalised(title), row)
    rows = np.array(sorted(first.values()))
    return [int(row) for row in np.random.default_rng(SEED).permutation(rows)]


def splits(count: int) -> list[str]:
    """Half of the draw for tuning and half for the report, by the same seed."""
    halves = np.array([TUNE] * (count // 2) + [REPORT] * (count - count // 2))
    return [str(name) for name in np.random.default_rng(SEED + 1).permutation(halves)]


def fourth(titles: list[str]) -> list[int]:
    """Rows of the fourth report: drawn by a seed of its own from those never read before."""
    unread = sorted(order(titles)[READ:])
    drawn = np.random.default_rng(SEED_FOURTH).permutation(np.array(unread))
    return [int(row) for row in drawn[:DRAWN_FOURTH]]


def fifth(titles: list[str]) -> list[int]:
    """Rows of the fifth report: drawn likewise from what was neither read nor drawn before."""
    unread = sorted(set(order(titles)[READ:]) - set(fourth(titles)))
    drawn = np.random.default_rng(SEED_FIFTH).permutation(np.array(unread))
    return [int(row) for row in drawn[:DRAWN_FIFTH]]


def scale(titles: list[str]) -> list[int]:
    """Rows by which the scale was set before the fifth report: drawn likewise from the rest."""
    unread = sorted(set(order(titles)[READ:]) - set(fourth(titles)) - set(fifth(titles)))
    drawn = np.random.default_rng(SEED_SCALE).permutation(np.array(unread))
    return [int(row) for row in drawn[:DRAWN_SCALE]]


def labelled(path: Path = LABELS) -> list[Labelled]:
    """What was labelled by hand, in the order it was drawn."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Labelled(int(line["row"]), int(line["label"]), line["split"])
            for line in csv.DictReader(file)
        ]
