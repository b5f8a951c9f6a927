"""The market lexicon on headlines labelled by hand, beside three naive ways to score them."""

from __future__ import annotations

import ast
import hashlib
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars

from benchmarks.evidence.record import Finding, no_data
from benchmarks.headlines.sample import (
    DRAWN,
    LABELS,
    NEWS,
    REPORT,
    REPORT_AGAIN,
    REPORT_FIFTH,
    REPORT_FOURTH,
    REPORT_THIRD,
    SCALE,
    SEED,
    SEED_FIFTH,
    SEED_FOURTH,
    SEED_SCALE,
    TUNE,
    Labelled,
    labelled,
)
from mirrorcore.clock import Stopwatch
from mirrorcore.data_sources.social.lexicon import MarketLexicon

HEARD = 0.15
"""|score| above which a title counts as directional."""
RIGHT_BAR = 0.85
QUIET_BAR = 0.95
Z = 1.959964
"""Of a two-sided 95 % interval."""
CLAIM = (
    "headlines labelled by hand before they were scored, on a fifth set of 500 that the lexicon "
    f"was not tuned on: of the directional ones with |score| > {HEARD} at least {RIGHT_BAR:.0%} "
    f"have the right sign; of the neutral ones at least {QUIET_BAR:.0%} have |score| ≤ {HEARD}; "
    "coverage reported. The fifth attempt: four sets before it missed the second bar"
)
ATTEMPTS = (
    {"set": REPORT, "right_sign": 0.965, "coverage": 0.702, "neutral_quiet": 0.842},
    {"set": REPORT_AGAIN, "right_sign": 0.909, "coverage": 0.419, "neutral_quiet": 0.926},
    {"set": REPORT_THIRD, "right_sign": 0.955, "coverage": 0.324, "neutral_quiet": 0.942},
    {"set": REPORT_FOURTH, "right_sign": 0.921, "coverage": 0.239, "neutral_quiet": 0.943},
)
"""What the attempts before this one found on their sets, each with the lexicon of its day; these
sets have been tuned on since, so the figures of today's lexicon on them are no reports."""
LEXICON_BEFORE = (
    {"set": SCALE, "right_sign": 0.981, "coverage": 0.266, "neutral_quiet": 0.919},
    {"set": REPORT_FIFTH, "right_sign": 0.897, "coverage": 0.282, "neutral_quiet": 0.960},
)
"""What the lexicon of the fourth attempt, commit b8590ca, says of the titles drawn since."""
SCALED_TO = 0.975
"""Share of the neutral titles that was to stay quiet when the scale was set."""
FOLDS, ROUNDS, SEED_FOLDS = 10, 50, 20227
TEN_WORDS = {
    "surge": 1, "rally": 1, "gain": 1, "rise": 1, "high": 1,
    "crash": -1, "drop": -1, "fall": -1, "hack": -1, "ban": -1,
}  # fmt: skip

Score = Callable[[int], float]
"""The score of a row of the news file."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, Wilson (1927): needs no large sample and stays within 0..1."""
    share = hits / of
    centre = share + Z * Z / (2 * of)
    half = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    return (max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def share(hits: int, of: int) -> dict[str, Any]:
    """A share with its counts and interval; null where there was nothing to count."""
    if not of:
        return {"hits": hits, "of": of, "share": None, "low": None, "high": None}
    low, high = (round(edge, 4) for edge in wilson(hits, of))
    return {"hits": hits, "of": of, "share": round(hits / of, 4), "low": low, "high": high}


def judged(rows: Sequence[Labelled], score: Score) -> dict[str, Any]:
    """How a way to score fares on labelled rows."""
    directional = [row for row in rows if row.label]
    heard = [row for row in directional if abs(score(row.row)) > HEARD]
    right = [row for row in heard if score(row.row) * row.label > 0]
    neutral = [row for row in rows if not row.label]
    quiet = [row for row in neutral if abs(score(row.row)) <= HEARD]
    return {
        "rows": len(rows),
        "right_sign": share(len(right), len(heard)),
        "coverage": share(len(heard), len(directional)),
        "neutral_quiet": share(len(quiet), len(neutral)),
    }


def quiet_elsewhere(loudness: Sequence[float]) -> float:
    """What setting the scale on some neutral titles promises of others, by cross-validation.

    The scale is one number and scores grow with it, so to set it is to choose the |score| below
    which ``SCALED_TO`` of the titles lie; the share of those held out below it, a mean over folds.
    """
    size = np.array(loudness)
    draw = np.random.default_rng(SEED_FOLDS)
    shares = []
    for _ in range(ROUNDS):
        fold = draw.permutation(np.arange(len(size)) % FOLDS)
        cuts = [np.quantile(size[fold != held], SCALED_TO) for held in range(FOLDS)]
        shares.append(float(np.mean(size <= np.array(cuts)[fold])))
    return statistics.mean(shares)


def ten_words(title: str) -> float:
    """Sum of ten words and their beginnings, as a first attempt would have it."""
    total = sum(
        sign
        for token in title.lower().split()
        for word, sign in TEN_WORDS.items()
        if token.startswith(word)
    )
    return math.tanh(0.5 * total)


def run(quick: bool) -> Finding:
    """Score all labelled rows; ``quick`` measures the speed on fewer titles."""
    if not NEWS.is_file():
        return no_data(CLAIM, "news")
    news = polars.read_parquet(NEWS)
    titles = news["headline"].to_list()
    classes = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}
    given = [classes[ast.literal_eval(text)["class"]] for text in news["sentiment"].to_list()]
    lexicon = MarketLexicon()
    ways: dict[str, Score] = {
        "lexicon": lambda row: lexicon.score(titles[row]).value,
        "always zero": lambda _: 0.0,
        "the data's own class": lambda row: given[row],
        "ten words": lambda row: ten_words(titles[row]),
    }
    rows = labelled()
    parts = {
        "tune": [row for row in rows[:DRAWN] if row.split == TUNE],
        "tune_further": [row for row in rows[DRAWN:] if row.split == TUNE],
        "report": [row for row in rows if row.split == REPORT],
        "report_again": [row for row in rows if row.split == REPORT_AGAIN],
        "report_third": [row for row in rows if row.split == REPORT_THIRD],
        "report_fourth": [row for row in rows if row.split == REPORT_FOURTH],
        "scale": [row for row in rows if row.split == SCALE],
        "report_fifth": [row for row in rows if row.split == REPORT_FIFTH],
    }
    scaled = [row for row in (*parts["report_fourth"], *parts["scale"]) if not row.label]
    figures: dict[str, Any] = {
        part: {name: judged(members, score) for name, score in ways.items()}
        for part, members in parts.items()
    }
    figures["microseconds_a_title"] = round(_speed(lexicon, titles[: 500 if quick else None]), 1)
    figures["attempts_before"] = list(ATTEMPTS)
    figures["lexicon_before"] = list(LEXICON_BEFORE)
    figures["neutral_quiet_cross_validated"] = round(
        quiet_elsewhere([abs(ways["lexicon"](row.row)) for row in scaled]), 4
    )
    report = figures[REPORT_FIFTH]["lexicon"]
    passed = (
        report["right_sign"]["share"] >= RIGHT_BAR and report["neutral_quiet"]["share"] >= QUIET_BAR
    )
    return Finding(
        CLAIM,
        passed,
        headline=_headline(figures),
        figures=figures,
        seeds=(SEED, SEED + 1, SEED_FOURTH, SEED_FIFTH, SEED_SCALE, SEED_FOLDS),
        data={
            NEWS.name: hashlib.sha256(NEWS.read_bytes()).hexdigest(),
            LABELS.name: hashlib.sha256(LABELS.read_bytes()).hexdigest(),
        },
    )


def _speed(lexicon: MarketLexicon, titles: Sequence[str]) -> float:
    """CPU microseconds a title, median of three rounds over the titles."""
    rounds = []
    for _ in range(3):
        watch = Stopwatch()
        for title in titles:
            lexicon.score(title)
        rounds.append(watch.cpu_ns() / len(titles) / 1e3)
    return statistics.median(rounds)


def _headline(figures: dict[str, Any]) -> list[str]:
    lines = []
    seen_before = (SCALE, REPORT_FOURTH, REPORT_THIRD, REPORT_AGAIN, REPORT, "tune", "tune_further")
    for part in (REPORT_FIFTH, *seen_before):
        seen = "" if part == REPORT_FIFTH else " (tuned on)"
        for name, found in figures[part].items():
            if part != REPORT_FIFTH and name != "lexicon":
                continue
            lines.append(
                f"{part.replace('_', ' ')}{seen}, {name}: right sign {_told(found['right_sign'])}, "
                f"coverage {_told(found['coverage'])}, neutral quiet "
                f"{_told(found['neutral_quiet'])}"
            )
    lines += [
        f"{whose}, on {found['set'].replace('_', ' ')}: right sign {found['right_sign']:.1%}, "
        f"coverage {found['coverage']:.1%}, neutral quiet {found['neutral_quiet']:.1%}"
        for whose, part in (
            ("attempt before", "attempts_before"),
            ("lexicon of the fourth attempt", "lexicon_before"),
        )
        for found in figures[part]
    ]
    lines.append(
        "neutral quiet promised when the scale was set, cross-validated: "
        f"{figures['neutral_quiet_cross_validated']:.1%}"
    )
    return [*lines, f"{figures['microseconds_a_title']:.0f} us a title"]


def _told(found: dict[str, Any]) -> str:
    if found["share"] is None:
        return "none heard"
    interval = f"{found['low']:.0%} to {found['high']:.0%}"
    return f"{found['share']:.1%} of {found['of']} ({interval})"
