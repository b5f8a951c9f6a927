"""With and without: paired intervals, and what may be concluded from them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
import pytest
from report_examples import identity, run_of
from rich.console import Console

from mirrorcore.errors import DataError
from mirrorcore.report import evaluate
from mirrorcore.report.comparison import compare, render_comparison
from mirrorcore.report.paired import paired


def test_what_both_share_cancels() -> None:
    """A market that hides a small edge in either run does not hide it between the two."""
    rng = np.random.default_rng(1)
    market = 0.02 * rng.standard_normal(300)
    edge = 0.0005 + 0.001 * rng.standard_normal(300)
    found = paired(market + edge, market)
    assert found.mean == pytest.approx(365 * edge.mean())
    assert found.beyond_luck
    apart = paired(market + edge, 0.02 * rng.standard_normal(300))
    assert not apart.beyond_luck


def test_the_interval_is_as_wide_as_normal_theory_where_days_are_independent() -> None:
    rng = np.random.default_rng(2)
    first, second = 0.01 * rng.standard_normal((2, 400))
    found = paired(first, second)
    error = float(np.std(first - second, ddof=1) / np.sqrt(400)) * 365
    assert found.mean_interval is not None
    width = found.mean_interval.high - found.mean_interval.low
    assert width == pytest.approx(2 * 1.96 * error, rel=0.15)
    sharpe = [x.mean() / x.std(ddof=1) * np.sqrt(365) for x in (first, second)]
    assert found.sharpe == pytest.approx(sharpe[0] - sharpe[1])


def test_luck_is_called_contribution_in_one_of_twenty_runs() -> None:
    rng = np.random.default_rng(3)
    called = sum(paired(*(0.01 * rng.standard_normal((2, 200)))).beyond_luck for _ in range(100))
    assert called <= 13  # 5 are expected; 14 or more come in 1 of 1,500 such tests


def test_the_same_input_gives_the_same_answer() -> None:
    first, second = np.random.default_rng(4).standard_normal((2, 60)) * 0.01
    assert paired(first, second) == paired(first, second)


def test_equal_books_differ_by_nothing_and_few_days_say_nothing() -> None:
    days = np.full(30, 0.001) + 0.01 * np.random.default_rng(5).standard_normal(30)
    same = paired(days, days)
    assert (same.mean, same.sharpe, same.beyond_luck) == (0.0, 0.0, False)
    few = paired(days[:5], days[:5])
    assert few.mean is None
    assert few.reason == "needs 20 whole UTC days, has 5"


def runs(edge: float, days: int = 120) -> tuple[Any, Any]:
    rng = np.random.default_rng(6)
    market = 0.01 * rng.standard_normal(days)
    own = edge + 0.0003 * rng.standard_normal(days)
    whole = run_of(100 * np.cumprod(1 + market + own))
    other = run_of(100 * np.cumprod(1 + market), identity=identity(int(whole.ts[-1])))
    return (whole, evaluate(whole)), (other, evaluate(other))


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        (0.001, "Seer added more than luck would explain."),
        (-0.001, "Seer cost more than luck would explain."),
        (0.0, "No contribution of Seer is shown: luck alone could make this difference."),
    ],
)
def test_conclusions(edge: float, said: str) -> None:
    found = compare(["Seer"], *runs(edge))
    assert found.conclusion == said
    document = found.document()
    whole, other = runs(edge)
    assert document["result"]["difference"] == pytest.approx(
        float(whole[0].equity[-1] - other[0].equity[-1])
    )
    sharpe = document["metrics"]["sharpe"]
    assert sharpe["with"] - sharpe["without"] == sharpe["difference"]
    assert document["paired"]["beyond_luck"] == (edge != 0)


def test_two_equal_runs_and_two_short_ones() -> None:
    whole, _ = runs(0.001)
    assert "changed nothing" in compare(["Seer"], whole, whole).conclusion
    short = runs(0.001, days=8)
    assert compare(["Seer"], *short).conclusion == (
        "Nothing can be said about Seer: needs 20 whole UTC days, has 8."
    )


def test_runs_of_other_markets_are_not_compared() -> None:
    whole, other = runs(0.001)
    strange = run_of(
        other[0].equity, identity=identity(int(whole[0].ts[-1]), input_digests={"market": "00"})
    )
    with pytest.raises(DataError, match="not of the same market"):
        compare(["Seer"], whole, (strange, evaluate(strange)))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    out = Console(width=width, record=True, force_terminal=False, file=StringIO())
    render_comparison(compare(["Seer", "Ear"], *runs(0.001)), out)
    text = out.export_text()
    assert max(map(len, text.splitlines())) <= width
    for words in ("Without Seer, Ear", "whole swarm", "difference", "95 % interval", "Sharpe"):
        assert words in text
