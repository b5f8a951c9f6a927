"""The mood: bounded, the same however often one looks, moved by prediction errors alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.agents.mind.emotion import EMOTIONS, EmotionState, Surprise
from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND

EMOTION, MOOD = 8 * HOUR, 3 * DAY
NUMBERS = st.one_of(st.just(math.nan), st.floats(-1e9, 1e9))
FEAR = st.one_of(st.just(math.nan), st.floats(0.0, 1.0))


def fresh() -> EmotionState:
    return EmotionState(EMOTION, MOOD)


@given(st.lists(st.tuples(NUMBERS, FEAR, FEAR, st.integers(0, 40 * DAY)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_nothing_leaves_its_bounds(events: list[tuple[float, float, float, int]]) -> None:
    made = fresh()
    for surprise, fear, before, elapsed in events:
        made.pass_time(elapsed)
        made.appraise(surprise, fear, before)
        for values in (made.mood, made.emotion):
            assert np.isfinite(values).all()
            assert (np.abs(values) <= 1.0).all()
        name, felt = made.strongest
        assert 0.0 <= felt <= 1.0
        assert (name == "none") == (felt == 0.0)


def test_an_emotion_is_half_gone_after_its_half_life() -> None:
    made = fresh()
    made.appraise(1.5, 0.0, 0.0)
    felt, before = made.emotion.copy(), made.strongest[1]
    assert made.strongest == ("joy", 0.5)
    made.pass_time(EMOTION)
    assert made.emotion.tolist() == (0.5 * felt).tolist()
    assert made.strongest[1] == 0.5 * before


def test_it_does_not_matter_how_often_one_looks() -> None:
    often, once = fresh(), fresh()
    for made in (often, once):
        made.appraise(-2.0, 0.6, 0.1)
    for _ in range(240):
        often.pass_time(MINUTE)
    once.pass_time(4 * HOUR)
    assert often.mood == pytest.approx(once.mood, abs=1e-12)
    assert often.emotion == pytest.approx(once.emotion, abs=1e-12)
    seconds, minute = fresh(), fresh()
    for made in (seconds, minute):
        made.appraise(3.0, math.nan, math.nan)
    for _ in range(60):
        seconds.pass_time(SECOND)
    minute.pass_time(MINUTE)
    assert seconds.mood == pytest.approx(minute.mood, abs=1e-12)


def test_the_mood_is_the_solution_of_its_equation() -> None:
    """Against small Euler steps of dM/dt = -λ_m (M - M0) + λ_m k E."""
    start = (0.1, -0.2, 0.3)
    made = EmotionState(EMOTION, MOOD, start, weight=0.5)
    made.appraise(3.0, math.nan, math.nan)
    rate_e, rate_m = math.log(2) / EMOTION, math.log(2) / MOOD
    mood, emotion = np.array(start), made.emotion.copy()
    step = MINUTE
    for _ in range(DAY // step):
        mood = mood + step * rate_m * (0.5 * emotion - (mood - np.array(start)))
        emotion = emotion * (1 - step * rate_e)
    made.pass_time(DAY)
    assert made.mood == pytest.approx(mood, abs=1e-3)


def test_without_news_the_mood_comes_back_to_the_temperament() -> None:
    made = EmotionState(EMOTION, MOOD, (0.2, 0.0, -0.1))
    for _ in range(20):
        made.appraise(-3.0, 0.9, 0.2)
        made.pass_time(HOUR)
    assert made.mood[0] < 0.15
    made.pass_time(60 * DAY)
    assert made.mood == pytest.approx([0.2, 0.0, -0.1], abs=1e-5)
    assert made.strongest == ("none", 0.0)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), st.floats(0.0, 1.0))
def test_gains_please_and_never_frighten(gains: list[float], fear: float) -> None:
    made = fresh()
    pleasure = made.mood[0]
    for gain in gains:
        made.appraise(gain, fear, fear)
        made.pass_time(HOUR)
        assert made.strongest[0] in ("joy", "relief", "none")
        assert made.emotion[0] > 0.0
    assert made.mood[0] > pleasure


@pytest.mark.parametrize(
    ("surprise", "fear", "before", "name"),
    [
        (2.0, 0.1, 0.1, "joy"),
        (2.0, 0.8, 0.8, "relief"),
        (-2.0, 0.1, 0.1, "disappointment"),
        (-2.0, 0.8, 0.8, "fears confirmed"),
        (math.nan, 0.9, 0.1, "fear"),
        (math.nan, 0.1, 0.9, "hope"),
    ],
)
def test_each_event_has_its_emotion(surprise: float, fear: float, before: float, name: str) -> None:
    made = fresh()
    made.appraise(surprise, fear, before)
    assert made.strongest[0] == name
    assert np.sign(made.emotion).tolist() == np.sign(EMOTIONS[name]).tolist()


def test_a_larger_error_is_felt_more_up_to_three_deviations() -> None:
    felt = []
    for surprise in (-0.5, -1.0, -3.0, -300.0):
        made = fresh()
        made.appraise(surprise, 0.0, 0.0)
        felt.append(made.strongest[1])
    assert felt == pytest.approx([1 / 6, 1 / 3, 1.0, 1.0])


def test_surprise_is_the_result_in_deviations_and_free_of_scale() -> None:
    small, large = Surprise(MINUTE), Surprise(MINUTE)
    assert math.isnan(small.after(1.0, 0.01, HOUR))
    large.after(1e6, 0.01, HOUR)
    usual = 0.01 * math.sqrt(60)
    found = small.after(math.exp(2 * usual), 0.01, HOUR)
    assert found == pytest.approx(2.0)
    assert large.after(1e6 * math.exp(2 * usual), 0.01, HOUR) == pytest.approx(found)
    # Nothing was at stake, or nothing is known: no surprise.
    assert math.isnan(small.after(math.exp(2 * usual), 0.01, HOUR))
    assert math.isnan(small.after(math.nan, 0.01, HOUR))
    assert math.isnan(small.after(2.0, 0.0, HOUR))


def test_it_goes_on_from_its_checkpoint() -> None:
    straight, cut = fresh(), fresh()
    for number in range(12):
        for made in (straight, cut):
            made.pass_time(3 * HOUR)
            made.appraise((-1.0) ** number * number, 0.1 * (number % 5), 0.2)
        if number == 5:
            held, cut = cut.checkpoint(), fresh()
            cut.restore(held)
    assert straight.mood.tolist() == cut.mood.tolist()
    assert straight.strongest == cut.strongest
