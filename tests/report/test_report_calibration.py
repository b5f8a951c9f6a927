"""Calibration error against simulation, and Murphy's identity to the last digits."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.errors import DataError
from mirrorcore.report.calibration import binned, calibration_error, decompose, perfect_error

FORECASTS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])), st.booleans()
    ),
    min_size=1,
    max_size=60,
)


@given(FORECASTS, st.integers(1, 15))
@settings(max_examples=200, deadline=None)
def test_reliability_less_resolution_plus_uncertainty_is_the_brier_score(
    made: list[tuple[float, bool]], bins: int
) -> None:
    p = np.array([value for value, _ in made])
    y = np.array([float(rose) for _, rose in made])
    for stated in (p, binned(p, min(bins, len(p)))):
        parts = decompose(stated, y)
        assert parts.brier == pytest.approx(np.mean((stated - y) ** 2), abs=1e-15)
        whole = parts.reliability - parts.resolution + parts.uncertainty
        assert whole == pytest.approx(parts.brier, abs=1e-12)
        assert parts.reliability >= 0.0
        assert -1e-15 <= parts.resolution <= parts.uncertainty + 1e-12


@given(FORECASTS)
@settings(max_examples=100, deadline=None)
def test_the_parts_are_those_of_a_plain_loop(made: list[tuple[float, bool]]) -> None:
    groups: dict[float, list[float]] = defaultdict(list)
    for value, rose in made:
        groups[value].append(float(rose))
    n = len(made)
    base = sum(rose for _, rose in made) / n
    reliability = resolution = 0.0
    for value, outcomes in groups.items():
        mean = sum(outcomes) / len(outcomes)
        reliability += len(outcomes) / n * (value - mean) ** 2
        resolution += len(outcomes) / n * (mean - base) ** 2
    parts = decompose(np.array([v for v, _ in made]), np.array([float(r) for _, r in made]))
    assert parts.reliability == pytest.approx(reliability, abs=1e-12)
    assert parts.resolution == pytest.approx(resolution, abs=1e-12)
    assert parts.uncertainty == pytest.approx(base * (1 - base), abs=1e-12)


def test_a_hand_worked_decomposition() -> None:
    # Five times .8, four came true; five times .2, two came true.
    p = np.array([0.8] * 5 + [0.2] * 5)
    y = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0], dtype=float)
    parts = decompose(p, y)
    assert parts.reliability == pytest.approx(0.5 * 0.0 + 0.5 * 0.2**2)
    assert parts.resolution == pytest.approx(0.2**2)
    assert parts.uncertainty == pytest.approx(0.24)
    assert parts.brier == pytest.approx(0.22)
    assert calibration_error(p, y, 2) == pytest.approx(0.1)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.6])
@pytest.mark.parametrize("n", [1_500, 20_000])
def test_the_null_is_what_perfect_forecasters_show(spread: float, n: int) -> None:
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-spread * rng.normal(size=n)))
    shown = [calibration_error(p, (rng.random(n) < p).astype(float)) for _ in range(300)]
    # The standard error of the mean of 300 is 1.2 % of it: |N(0, 1)| over 15 bins.
    assert np.mean(shown) == pytest.approx(perfect_error(p), rel=0.05)


def test_the_null_of_equal_forecasts_has_a_closed_form() -> None:
    p = np.full(15_000, 0.3)
    closed = math.sqrt(2 / math.pi) * math.sqrt(15 * 0.3 * 0.7 / 15_000)
    assert perfect_error(p) == pytest.approx(closed, rel=1e-12)


def test_who_overstates_stands_out_from_the_null() -> None:
    rng = np.random.default_rng(1)
    x = 0.3 * rng.normal(size=20_000)
    y = (rng.random(x.size) < 1 / (1 + np.exp(-x))).astype(float)
    fair, proud = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-4 * x))
    assert calibration_error(fair, y) < 1.6 * perfect_error(fair)
    assert calibration_error(proud, y) > 10 * perfect_error(proud)
    parts = [decompose(binned(p), y) for p in (fair, proud)]
    assert parts[1].reliability > 50 * parts[0].reliability
    # The same order of forecasts knows as much, whatever it claims.
    assert parts[1].resolution == pytest.approx(parts[0].resolution, rel=1e-9)


@pytest.mark.parametrize(
    ("p", "y", "bins", "what"),
    [
        ([0.5, 1.2], [0, 1], 1, "beyond 0..1"),
        ([0.5, math.nan], [0, 1], 1, "missing"),
        ([0.5, 0.5], [0, 0.5], 1, "neither 0 nor 1"),
        ([0.5, 0.5], [0], 1, "shape"),
        ([], [], 1, "shape"),
        ([0.5, 0.5], [0, 1], 3, "3 bins of 2"),
        ([0.5, 0.5], [0, 1], 0, "0 bins"),
    ],
)
def test_bad_input_is_named(p: list[float], y: list[float], bins: int, what: str) -> None:
    with pytest.raises(DataError, match=what):
        calibration_error(np.array(p), np.array(y, dtype=float), bins)
