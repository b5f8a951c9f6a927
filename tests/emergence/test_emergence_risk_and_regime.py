"""What adaptive risk and regimes are made of: fair bets, ranges that overlap, a budget spent."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.emergence.worlds import regime
from mirrorcore.emergence.exposure import ExposureModel, Surprise
from mirrorcore.emergence.finding import Finding
from mirrorcore.emergence.regime import RegimeConsensusDetector
from mirrorcore.emergence.shifts import ShiftEvidence
from mirrorcore.emergence.surroundings import BeliefReference, MarketReference
from mirrorcore.emergence.symmetric import SymmetricEDetector


def test_the_worth_of_bets_on_a_side_by_hand() -> None:
    # A stake before each block of one tick; one bet of 0.5: exp(0.5 s - 0.125 s²).
    detector = SymmetricEDetector(1, (0.5,), 1, 1)
    up, down = (detector.update(np.array([[s]]), np.array([[-s]]))[:, 0] for s in (2.0, -1.0))
    gain, loss = np.exp(1.0 - 0.5), np.exp(-0.5 - 0.125)
    assert up == pytest.approx([gain, np.exp(-1.0 - 0.5)])
    assert down == pytest.approx([(gain + 1) * loss, (np.exp(-1.5) + 1) * np.exp(0.5 - 0.125)])


def test_bets_on_a_side_are_fair_whatever_the_spread() -> None:
    """400 runs of 10,000 symmetric ticks whose spread leaps about: at most 5 % ever a finding."""
    rng = np.random.default_rng(1)
    detector = SymmetricEDetector(400, (0.12, 0.2), 50, 100)
    reached = np.zeros(400, dtype=bool)
    for _ in range(200):
        block = rng.standard_t(4, size=(50, 400)) * np.exp(rng.normal(0, 1, size=(50, 1)))
        reached |= detector.update(block, -block).mean(axis=0) >= detector.threshold
    assert reached.sum() <= 0.05 * 400


def test_a_lean_is_found_and_its_side_is_told() -> None:
    rng = np.random.default_rng(2)
    detector = SymmetricEDetector(2, (0.12, 0.2), 50, 100)
    for _ in range(20):
        block = rng.normal(0.0, 1.0, size=(50, 2)) + np.array([0.3, -0.3])
        worth = detector.update(block, -block)
    assert worth[0, 0] > detector.threshold > worth[1, 0]
    assert worth[1, 1] > detector.threshold > worth[0, 1]
    detector.forget([0])
    assert not detector.update(block * 0, block * 0)[:, 0].max() > 1.0


def evidence_after(memory: float, shift: float) -> float:
    """Best worth of a shift upwards, of the mean of something with a memory."""
    rng = np.random.default_rng(3)
    values = np.zeros(4000)
    noise = rng.normal(size=4000) * np.sqrt(1 - memory**2)
    for tick in range(1, 4000):
        values[tick] = memory * values[tick - 1] + noise[tick]
    evidence = ShiftEvidence(1, 0, 16)
    bins = evidence.bins(values[:, None])
    for start in range(0, 3200, 8):
        evidence.learn(bins[start : start + 8])
    shifted = evidence.bins(values[3200:, None] + shift)
    worths = [evidence.update(shifted[start : start + 8])[0, 0] for start in range(0, 96, 8)]
    return float(max(worths))


def test_a_shift_is_found_and_memory_counts_as_fewer_ticks() -> None:
    found, doubtful = evidence_after(0.0, 1.0), evidence_after(0.8, 1.0)
    assert found > 1e6
    assert doubtful < found / 1e3
    assert evidence_after(0.0, 0.0) < 100
    assert evidence_after(0.8, 0.0) < 100


def test_stakes_that_are_held_do_not_end_and_none_is_laid() -> None:
    evidence = ShiftEvidence(1, 0, 2)
    bins = evidence.bins(np.zeros((8, 1)))
    first = evidence.update(bins)[0, 0]
    held = evidence.update(bins, hold=True)[0, 0]
    # The same stakes once more: a mean of squares, and no new stake of which half is left.
    assert first**2 <= held <= 2 * first**2
    for _ in range(3):
        evidence.update(bins)
    evidence.forget()
    assert evidence.update(bins)[0, 0] == pytest.approx(first)


def surprises(factor: float) -> Surprise:
    """Of the last block of ticks in which volatility stands at ``factor`` of its usual range."""
    rng = np.random.default_rng(4)
    model = ExposureModel(3, 256)
    vol = np.cumsum(rng.normal(0, 0.1, 1632)) * 0.0 + np.sin(np.arange(1632) / 9.0)
    vol[1600:] = factor
    exposure = np.exp(0.3 * rng.normal(size=(1632, 3)) - 0.5 * vol[:, None])
    signal, depth = rng.normal(size=(1632, 3)), np.abs(rng.normal(size=(1632, 3)))
    out = None
    for start in range(0, 1632, 16):
        part = slice(start, start + 16)
        out = model.update(exposure[part], signal[part], vol[part], depth[part], trusted=True)
    assert out is not None
    return out


def test_nothing_is_concluded_from_volatility_never_learned_from() -> None:
    assert not surprises(2.0).news[0].any()
    assert surprises(0.5).news[0].any()


def test_an_answer_given_from_the_first_tick_is_no_surprise() -> None:
    error = surprises(0.5).error
    assert np.abs(error.mean()) < 0.5
    assert 0.4 < error.std() < 2.0


def test_a_market_is_measured_by_its_usual_spread_until_it_restarts() -> None:
    rng = np.random.default_rng(5)
    market = MarketReference()
    for _ in range(60):
        block = 0.01 * rng.normal(size=8)
        _, fit = market.standardise(block)
        market.learn(block, fit)
    rough = [market.standardise(0.05 * rng.normal(size=8))[0] for _ in range(4)]
    assert np.abs(np.concatenate(rough)).mean() > 2.0
    market.restart()
    for _ in range(30):
        block = 0.05 * rng.normal(size=8)
        market.learn(block, market.standardise(block)[1])
    assert np.abs(market.standardise(0.05 * rng.normal(size=8))[0]).mean() < 1.6


def test_news_of_beliefs_has_a_spread_of_one_when_they_linger() -> None:
    rng = np.random.default_rng(6)
    swarm, beliefs, news = BeliefReference(4), np.zeros((4, 2)), []
    for block in range(200):
        ticks = []
        for _ in range(8):
            beliefs = 0.9 * beliefs + rng.normal(size=(1, 2)) + 0.2 * rng.normal(size=(4, 2))
            ticks.append(beliefs)
        new, rows, average = swarm.standardise(np.array(ticks))
        swarm.learn(np.array(ticks), rows, average)
        swarm.refit()
        if block >= 100:
            news.append(new)
    assert np.concatenate(news).std(axis=0) == pytest.approx([1.0, 1.0], abs=0.2)


def findings_of(world: regime.World) -> tuple[list[Finding], RegimeConsensusDetector]:
    detector = RegimeConsensusDetector(world.static)
    found = [finding for tick in world.ticks() for finding in detector.update(tick)]
    return found, detector


def test_each_switch_is_told_once_with_its_side() -> None:
    world = regime.make(7, planted="vol", strength=1.3, ticks=4000)
    found, _ = findings_of(world)
    onset = world.onset or 0
    assert [finding.effect.direction for finding in found] in (
        ["up", "down", "up"],
        ["down", "up", "down"],
    )
    for number, finding in enumerate(found):
        assert 0 <= finding.raised_at - onset - number * 500 <= 128
        assert len(set(finding.agents) & set(world.agents)) >= len(world.agents) / 2


def test_switches_nobody_follows_raise_the_bar_for_the_next() -> None:
    found, detector = findings_of(regime.make(7, trap="blind", strength=1.3, ticks=4000))
    assert found == []
    spent = detector._spent
    assert len(spent) >= 1
    first = detector._seen(0, 0, 1.0).needed
    assert detector._seen(0, 0, 1.0).needed > first >= 2 * 3 / 0.025 - 1e-9
