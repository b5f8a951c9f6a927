"""What the simulated market promises about returns, skill and luck, on a few seeds.

The same figures over 16 seeds: ``python -m benchmarks.evidence_simulator``.
"""

from __future__ import annotations

import dataclasses

import empyrical
import numpy as np
import pytest
from scipy import stats

from mirrorcore.clock import MINUTE, YEAR, Stopwatch
from mirrorcore.data_sources.simulated import START_NS, SimulatedSource
from mirrorcore.data_sources.simulation import facts, oracle
from mirrorcore.data_sources.simulation.model import MarketModel
from mirrorcore.data_sources.simulation.presets import preset
from mirrorcore.data_sources.simulation.streams import BLOCK

BAR = 5 * MINUTE
YEAR_BARS = YEAR // BAR
SEEDS = 5
FACT_SEEDS = 8


@pytest.fixture(scope="module")
def measured() -> list[dict[str, float]]:
    out = []
    for seed in range(FACT_SEEDS):
        source = SimulatedSource(seed=seed, symbols=2, bars=YEAR_BARS)
        blocks = list(source.blocks())
        close = np.concatenate([b.close for b in blocks])
        volume = np.concatenate([b.volume for b in blocks])
        out.append(facts.measure(close, volume, YEAR_BARS))
    return out


@pytest.mark.parametrize("name", list(facts.BANDS))
def test_stylised_fact_lies_in_its_band(name: str, measured: list[dict[str, float]]) -> None:
    median = float(np.median([m[name] for m in measured]))
    band = facts.BANDS[name]
    assert band.holds(median), f"{name}: median {median:.4f}, band {band.low}..{band.high}"


def test_a_gaussian_walk_shows_none_of_the_facts_that_matter() -> None:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.0025 * rng.standard_normal((30_000, 2)), axis=0))
    found = facts.measure(close, rng.random((30_000, 2)), YEAR_BARS)
    failed = {name for name, band in facts.BANDS.items() if not band.holds(found[name])}
    assert failed >= {
        "kurtosis_1",
        "kurtosis_12",
        "hill",
        "acf_size_1",
        "acf_size_10",
        "acf_size_100",
        "volume_size",
        "pair_correlation",
    }


def test_measures_agree_with_independent_ones() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_t(5, 5_000)
    assert facts.excess_kurtosis(x) == pytest.approx(stats.kurtosis(x))
    y = x + rng.standard_normal(5_000)
    assert facts.rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    acf = facts.autocorrelations(x, 50)
    d = x - x.mean()
    direct = [np.dot(d[: len(d) - k], d[k:]) / np.dot(d, d) for k in range(51)]
    assert np.allclose(acf, direct, atol=1e-12)
    pareto = rng.pareto(3.0, 400_000) + 1.0
    assert facts.hill(pareto) == pytest.approx(3.0, abs=0.15)
    lags = np.arange(1001.0)
    lags[0] = 1.0
    assert facts.memory_exponent(0.4 * lags**-0.27) == pytest.approx(0.27)
    r = 0.01 * x
    assert facts.max_drawdown(np.cumprod(1 + np.clip(r, -0.5, 1))) == pytest.approx(
        -empyrical.max_drawdown(np.clip(r, -0.5, 1)), abs=0.02
    )
    assert np.array_equal(facts.aggregate(np.arange(7.0), 3), [3.0, 12.0])


def test_leverage_has_the_sign_of_the_cause() -> None:
    rng = np.random.default_rng(2)
    e = rng.standard_normal(60_000)
    sigma = np.exp(-0.3 * np.concatenate([[0.0], e[:-1]]))
    forward, reverse = facts.leverage(sigma * e)
    assert forward < -0.02
    assert abs(reverse) < 0.02


@pytest.fixture(scope="module")
def skilled() -> list[dict[str, float]]:
    """Years of eight symbols at an ic that a year can measure."""
    out = []
    for seed in range(SEEDS):
        source = SimulatedSource("plain", seed=seed, symbols=8, bars=YEAR_BARS, ic=0.02)
        known = oracle.truth(source)
        blocks = list(source.blocks())
        outcome = (known.returns / known.sigma)[1:].ravel()

        def ic(score: np.ndarray, outcome: np.ndarray = outcome) -> float:
            return float(np.corrcoef(score[:-1].ravel(), outcome)[0, 1])

        whale = np.concatenate([b.series["onchain.whale_flow"].value for b in blocks])
        mood = np.concatenate([b.series["sentiment.score"].value for b in blocks])
        past = np.cumsum(known.returns / known.sigma, axis=0)
        six_hours = past[72:] - past[:-72]
        out.append(
            {
                "directional": oracle.sharpe(
                    oracle.directional_positions(known), known.returns, BAR
                ),
                "neutral": oracle.sharpe(oracle.neutral_positions(known), known.returns, BAR),
                "whale": ic(np.arcsinh(whale)),
                "sentiment": ic(np.arctanh(mood)),
                "herding": float(np.corrcoef(mood[72:].ravel(), six_hours.ravel())[0, 1]),
            }
        )
    return out


def test_the_oracle_earns_what_the_fundamental_law_says(skilled: list[dict[str, float]]) -> None:
    theory = oracle.theoretical_sharpe(preset("plain", 0.02), 8)
    assert theory == pytest.approx(0.02 * np.sqrt(105_120 * 8))
    ratios = np.array([s["directional"] for s in skilled]) / theory
    assert np.median(ratios) == pytest.approx(1.0, abs=0.10)
    assert np.all(np.abs(ratios - 1.0) < 0.25)
    # Free of the factor, which is .82 of the variance, the same alpha is worth about twice.
    assert np.median([s["neutral"] for s in skilled]) > 1.8 * theory


def test_channels_are_worth_what_they_state(skilled: list[dict[str, float]]) -> None:
    parameters = preset("plain", 0.02)
    stated = {
        "whale": oracle.whale_ic(parameters, BAR),
        "sentiment": oracle.sentiment_ic(parameters, BAR),
    }
    assert stated["whale"] == pytest.approx(0.010)
    assert stated["sentiment"] == pytest.approx(0.0083, abs=0.0001)
    # Eight symbols share a factor, so a year is worth little more than its bars.
    error = 1.0 / np.sqrt(SEEDS * YEAR_BARS)
    for name, ic in stated.items():
        assert abs(np.mean([s[name] for s in skilled]) - ic) < 3 * error
    assert 0.4 < np.median([s["herding"] for s in skilled]) < 0.65


def test_without_ic_the_oracle_earns_nothing() -> None:
    ratios = []
    for seed in range(SEEDS):
        source = SimulatedSource("plain", seed=seed, symbols=8, bars=YEAR_BARS, ic=0.0)
        known = oracle.truth(source)
        ratios.append(oracle.sharpe(oracle.directional_positions(known), known.returns, BAR))
        assert not np.any(known.mean)
    assert abs(np.mean(ratios)) < 3 / np.sqrt(SEEDS)


@pytest.fixture(scope="module")
def fair() -> list[tuple[oracle.Truth, dict[str, np.ndarray]]]:
    out = []
    for seed in range(SEEDS):
        source = SimulatedSource("null", seed=seed, symbols=4, bars=YEAR_BARS)
        blocks = list(source.blocks())
        series = {
            name: np.concatenate([b.series[name].value for b in blocks])
            for name in source.parameters.channels
        }
        out.append((oracle.truth(source), series))
    return out


def pooled_t(earned: list[np.ndarray]) -> float:
    """t-statistic over all seeds, each scaled by its own spread."""
    each = [e.mean() / e.std() * np.sqrt(len(e)) for e in earned]
    return float(np.sum(each) / np.sqrt(len(each)))


def test_the_null_market_is_a_martingale(
    fair: list[tuple[oracle.Truth, dict[str, np.ndarray]]],
) -> None:
    long, alpha, reversal, trend, raw = [], [], [], [], []
    for known, _ in fair:
        assert not np.any(known.mean)
        scaled = known.returns / known.sigma
        long.append(scaled.sum(axis=1))
        raw.append(known.returns.sum(axis=1))
        alpha.append((known.alpha * scaled).sum(axis=1))
        reversal.append((np.clip(scaled[:-1], -4, 4) * scaled[1:]).sum(axis=1))
        trend.append((np.sign(np.cumsum(scaled, axis=0))[:-1] * scaled[1:]).sum(axis=1))
    for earned in (long, raw, alpha, reversal, trend):
        assert abs(pooled_t(earned)) < 3.5


@pytest.mark.parametrize("name", preset("null").channels)
def test_no_channel_knows_the_null_market(
    name: str, fair: list[tuple[oracle.Truth, dict[str, np.ndarray]]]
) -> None:
    earned = []
    for known, series in fair:
        value = series[name]
        known_before = np.isfinite(value[:-1])
        scored = np.clip(np.where(known_before, value[:-1], 0.0), -20, 200)
        scored = scored - scored.mean(axis=0)
        earned.append((scored * known.returns[1:] / known.sigma[1:]).sum(axis=1))
    assert abs(pooled_t(earned)) < 3.5


def test_macro_drift_can_be_traded_in_default_alone() -> None:
    def drift(name: str) -> float:
        parameters = dataclasses.replace(preset(name), jumps_per_year=0.0, regimes=False)
        model = MarketModel(parameters, 3, ("AAA/USD",), BAR, START_NS)
        made = [model.next_block() for _ in range(60)]
        surprise = np.concatenate([m.series["macro.surprise"][0][0] for m in made])
        mean = np.concatenate([m.mean[0] for m in made])
        at = np.flatnonzero(np.diff(surprise, prepend=np.nan) != 0)
        at = at[(at < len(mean) - 80) & np.isfinite(surprise[at])]
        sums = np.array([mean[k + 1 : k + 73].sum() for k in at])
        return float(np.polyfit(surprise[at], sums, 1)[0])

    assert drift("default") > 0.002
    assert drift("null") == pytest.approx(0.0, abs=1e-12)


def test_decoys_look_like_the_real_thing_and_know_nothing() -> None:
    source = SimulatedSource("default", seed=3, symbols=8, bars=YEAR_BARS, ic=0.02)
    blocks = list(source.blocks())
    known = oracle.truth(source)
    outcome = (known.returns / known.sigma)[1:].ravel()

    def read(name: str) -> np.ndarray:
        return np.concatenate([b.series[name].value for b in blocks])

    pairs = (("onchain.whale_flow", "onchain.decoy_flow"), ("sentiment.score", "sentiment.decoy"))
    for real, decoy in pairs:
        x, y = read(real), read(decoy)
        quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
        assert np.allclose(np.quantile(x, quantiles), np.quantile(y, quantiles), atol=0.15)
        memory = [facts.autocorrelations(v[:, 0], 72)[[1, 12, 72]] for v in (x, y)]
        assert np.allclose(memory[0], memory[1], atol=0.06)
        ic = np.corrcoef(y[:-1].ravel(), outcome)[0, 1]
        assert abs(ic) < 4 / np.sqrt(YEAR_BARS)


def test_gas_tells_size_and_not_direction() -> None:
    source = SimulatedSource(seed=0, symbols=1, bars=YEAR_BARS)
    blocks = list(source.blocks())
    gas = np.concatenate([b.series["onchain.gas"].value for b in blocks])[:, 0]
    returns = oracle.truth(source).returns[:, 0]
    path = np.concatenate([[0.0], np.cumsum(np.abs(returns))])
    next_hour = path[13:] - path[1:-12]
    size = facts.rank_correlation(gas[: len(next_hour)], next_hour)
    direction = facts.rank_correlation(gas[:-1], returns[1:])
    assert 0.3 < size < 0.6
    assert abs(direction) < 4 / np.sqrt(YEAR_BARS)


def test_the_range_of_a_bar_agrees_with_its_variance() -> None:
    parameters = dataclasses.replace(preset("plain"), jumps_per_year=0.0)
    model = MarketModel(parameters, 1, ("AAA/USD", "BBB/USD"), BAR, START_NS)
    made = [model.next_block() for _ in range(20)]
    log_range = np.concatenate([np.log(m.high / m.low).ravel() for m in made])
    sigma = np.concatenate([m.sigma.ravel() for m in made])
    # Parkinson (1980): E[range^2] = 4 ln 2 sigma^2 for a Brownian path.
    ratio = np.mean(log_range**2 / sigma**2) / (4 * np.log(2))
    assert ratio == pytest.approx(1.0, abs=0.05)


def test_a_year_is_made_in_a_second() -> None:
    best = 0.0
    for seed in range(3):
        model = SimulatedSource(seed=seed, symbols=8, bars=None).model()
        watch = Stopwatch()
        for _ in range(4):
            model.next_block()
        best = max(best, 8 * 4 * BLOCK / watch.cpu_ns() * 1e9)
    assert best >= 0.5e6
