"""What is shown of a vote is what is counted of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_world import configured

from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.votes import read_vote
from mirrorcore.swarm.watching import confidence_of, lean_of

SYMBOLS = ("A/B", "C/B", "D/B")
NUMBERS = st.one_of(
    st.floats(-2, 2), st.sampled_from([math.nan, math.inf, -math.inf, 0, 1, -1, True])
)
SAID = st.one_of(
    NUMBERS,
    st.sampled_from([None, "up", [], {}]),
    st.lists(NUMBERS, min_size=3, max_size=3).map(lambda v: np.array(v, dtype=np.float64)),
    st.lists(NUMBERS, min_size=1, max_size=2).map(lambda v: np.array(v, dtype=np.float64)),
    st.dictionaries(st.sampled_from([*SYMBOLS, "X/Y"]), NUMBERS),
)


@given(st.sampled_from(["forecast", "signal"]), SAID)
def test_the_lean_is_the_mean_of_the_vote_that_counts(name: str, value: Any) -> None:
    vote = read_vote({name: value}, SYMBOLS)
    assert vote is not None
    spoken = vote[np.isfinite(vote)]
    lean = lean_of({name: value, "confidence": 0.5}, SYMBOLS)
    assert lean is not None
    if spoken.size:
        assert lean == pytest.approx(2.0 * float(spoken.mean()) - 1.0, abs=1e-12)
    else:
        assert math.isnan(lean)


def test_without_a_vote_there_is_no_lean() -> None:
    assert lean_of({"confidence": 1.0}, SYMBOLS) is None
    # A forecast counts before a signal.
    assert lean_of({"signal": -1.0, "forecast": 1.0}, SYMBOLS) == 1.0


@pytest.mark.parametrize(
    ("value", "confidence"),
    [
        (0.25, 0.25), (1, 1.0), (np.array([0.0, np.nan, 1.0]), 0.5), (None, math.nan),
        ("high", math.nan), (math.inf, math.nan), (np.array([np.nan]), math.nan),
    ],
)  # fmt: skip
def test_a_confidence_is_one_number(value: Any, confidence: float) -> None:
    assert confidence_of(value) == pytest.approx(confidence, nan_ok=True)


def test_the_backlog_of_a_run_is_what_called_readers_have_not_read(tmp_path: Path) -> None:
    """Readers that are handed what they read owe nothing, however long the run was."""
    bus = replay_history(configured(tmp_path, market__bars=600)).results.swarm.bus
    assert bus is not None
    assert bus.published == bus.delivered + bus.conflated + bus.pending + bus.rejected
    assert bus.published > 5_000
    assert bus.pending < 200
    assert bus.rejected == 0
