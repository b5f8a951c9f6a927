"""Each part of the simulated market against its textbook definition."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.data_sources.simulated import START_NS
from mirrorcore.data_sources.simulation.bars import bridge_maximum
from mirrorcore.data_sources.simulation.calendar import MacroReleases, season
from mirrorcore.data_sources.simulation.channels import Hold, complement
from mirrorcore.data_sources.simulation.fear_greed import FearGreed
from mirrorcore.data_sources.simulation.filters import (
    AutoRegression,
    Previous,
    autoregression,
    decay_per_bar,
    smoother,
    unit_gain,
)
from mirrorcore.data_sources.simulation.jumps import HawkesJumps, poisson_quantile
from mirrorcore.data_sources.simulation.presets import (
    CHANNELS,
    PRESETS,
    REGIMES,
    preset,
)
from mirrorcore.data_sources.simulation.regimes import RegimeClock
from mirrorcore.data_sources.simulation.streams import BLOCK, MARKET, Stream, Streams
from mirrorcore.data_sources.simulation.symbols import default_symbols, instrument, traits
from mirrorcore.data_sources.simulation.volatility import (
    ComponentVolatility,
    Innovations,
    component_covariance,
)
from mirrorcore.errors import ConfigError

BAR = 5 * MINUTE


def test_a_stream_depends_on_its_address_alone() -> None:
    streams = Streams(7)
    base = streams.normals(Stream.ALPHA, ("A", "B"), 3)
    assert np.array_equal(base, Streams(7).normals(Stream.ALPHA, ("A", "B"), 3))
    assert np.array_equal(base[1:], Streams(7).normals(Stream.ALPHA, ("B",), 3))
    others = [
        Streams(8).normals(Stream.ALPHA, ("A",), 3)[0],
        streams.normals(Stream.WHALE, ("A",), 3)[0],
        streams.normals(Stream.ALPHA, ("C",), 3)[0],
        streams.normals(Stream.ALPHA, ("A",), 4)[0],
    ]
    for other in others:
        assert abs(np.corrcoef(base[0], other)[0, 1]) < 5 / np.sqrt(BLOCK)


def test_uniforms_never_reach_zero_and_are_uniform() -> None:
    u = Streams(1).uniforms(Stream.RANGE, ("A",), 0, 4)
    assert u.shape == (4, 1, BLOCK)
    assert u.min() > 0.0
    assert u.max() <= 1.0
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_must_fit_64_bits(seed: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Streams(seed)


@given(
    half_life=st.floats(0.05, 5000.0),
    bar=st.sampled_from([MINUTE, BAR, HOUR, DAY]),
    rows=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None)
def test_autoregression_is_the_recursion(half_life: float, bar: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.standard_normal(rows)
    e = rng.standard_normal((rows, 2 * BLOCK))
    phi = decay_per_bar(half_life, bar)
    model = AutoRegression(phi, 0.3, start)
    got = np.concatenate([model(e[:, :BLOCK]), model(e[:, BLOCK:])], axis=1)
    x = start.copy()
    worst = 0.0
    for t in range(2 * BLOCK):
        x = phi * x + 0.3 * e[:, t]
        worst = max(worst, float(np.max(np.abs(got[:, t] - x))))
    assert worst < 1e-10
    assert np.array_equal(model.state, got[:, -1])


def test_unit_gain_makes_unit_variance() -> None:
    rng = np.random.default_rng(0)
    model = autoregression(0.5, BAR, rng.standard_normal(400))
    x = model(rng.standard_normal((400, BLOCK)))
    assert x[:, 0].var() == pytest.approx(1.0, abs=0.25)
    assert x[:, -1].var() == pytest.approx(1.0, abs=0.25)
    assert x.var() == pytest.approx(1.0, abs=0.01)
    # After one half-life the correlation is one half.
    assert np.mean(x[:, 6:] * x[:, :-6]) == pytest.approx(0.5, abs=0.02)


def test_smoother_keeps_a_constant() -> None:
    x = smoother(6.0, BAR, np.array([2.0]))(np.full((1, BLOCK), 2.0))
    assert np.allclose(x, 2.0, rtol=1e-12)


def test_previous_is_the_bar_before_across_blocks() -> None:
    x = np.arange(2.0 * BLOCK).reshape(1, -1)
    lag = Previous(np.array([-1.0]))
    got = np.concatenate([lag(x[:, :BLOCK]), lag(x[:, BLOCK:])], axis=1)
    assert np.array_equal(got, x - 1.0)


def test_innovations_are_student_t_with_six_degrees_and_unit_variance() -> None:
    maker = Innovations(Streams(3), ("A", "B", "C"))
    drawn = [maker.draw(block) for block in range(8)]
    e = np.concatenate([d[0].ravel() for d in drawn])
    w = np.concatenate([d[1].ravel() for d in drawn])
    assert stats.kstest(e * np.sqrt(1.5), "t", args=(6,)).pvalue > 1e-3
    assert e.var() == pytest.approx(1.0, abs=0.03)
    assert w.mean() == pytest.approx(1.0, abs=0.02)
    assert np.abs(e).mean() == pytest.approx(0.75, abs=0.01)


def test_volatility_has_its_stationary_variance_from_the_first_bar() -> None:
    parameters = preset("plain")
    owners = tuple(f"S{k}" for k in range(300))
    streams = Streams(5)
    volatility = ComponentVolatility(streams, owners, parameters, BAR)
    x = volatility.update(Innovations(streams, owners).draw(0)[0], 0)
    assert x[:, 0].var() == pytest.approx(volatility.variance, rel=0.25)
    assert x[:, -1].var() == pytest.approx(volatility.variance, rel=0.25)
    assert abs(x[:, -1].mean()) < 4 * np.sqrt(volatility.variance / 300)


def test_components_sharing_a_shock_covary_as_computed() -> None:
    parameters = preset("plain")
    phis = np.array([decay_per_bar(c.half_life_hours, BAR) for c in parameters.components[:2]])
    two = dataclasses.replace(parameters, components=parameters.components[:2])
    covariance = component_covariance(two, phis)
    shock = np.random.default_rng(1).standard_normal((200, BLOCK))
    x = [
        AutoRegression(phi, c.sd * unit_gain(phi), np.zeros(200))(shock)[:, BLOCK // 2 :]
        for phi, c in zip(phis.tolist(), two.components, strict=True)
    ]
    measured = np.cov(x[0].ravel(), x[1].ravel())
    assert np.allclose(measured, covariance, rtol=0.05)


def test_falls_raise_volatility_more_than_rises() -> None:
    parameters = preset("plain")

    def reaction(shock: float) -> float:
        streams = Streams(5)
        volatility = ComponentVolatility(streams, ("A",), parameters, BAR)
        e = np.zeros((1, BLOCK))
        e[0, 100] = shock
        quiet = ComponentVolatility(Streams(5), ("A",), parameters, BAR)
        difference = volatility.update(e, 0) - quiet.update(np.zeros((1, BLOCK)), 0)
        # A bar's own shock must not move the bar's own volatility.
        assert np.all(difference[0, :101] == 0.0)
        return float(difference[0, 101])

    assert reaction(-4.0) > reaction(4.0) > 0.0


@given(u=st.floats(1e-12, 1.0 - 1e-9), rate=st.floats(1e-6, 5.0))
@settings(deadline=None)
def test_poisson_quantile_is_the_textbook_one(u: float, rate: float) -> None:
    expected = int(stats.poisson.ppf(u, rate))
    found = poisson_quantile(u, rate)
    # At a step of the distribution function one rounding may go either way.
    near_step = abs(stats.poisson.cdf(min(found, expected), rate) - u) < 1e-12
    assert found == expected or near_step


def test_poisson_quantile_ends_at_one() -> None:
    assert poisson_quantile(1.0, 0.1) <= 64


def test_jumps_follow_the_hawkes_recursion_bar_by_bar() -> None:
    parameters = dataclasses.replace(preset("plain"), jumps_per_year=6000.0)
    streams = Streams(11)
    jumps = HawkesJumps(streams, parameters, BAR)
    decay = np.exp(-BAR / (parameters.jump_decay_hours * HOUR))
    pending = 0.0
    total = 0
    for block in range(3):
        counts, _, drift = jumps.update(block)
        u = Streams(11).uniforms(Stream.JUMP_TIME, (MARKET,), block, 1)[0, 0]
        for t in range(BLOCK):
            rate = 6000.0 * BAR / (365 * DAY) + pending * (1.0 - decay)
            count = poisson_quantile(float(u[t]), float(rate))
            assert counts[0, t] == count
            assert drift[0, t] == pytest.approx((count - rate) * parameters.jump_mean, abs=1e-15)
            pending = decay * pending + parameters.jump_branching * count
            total += count
    assert total > 100


@pytest.mark.parametrize("bar", [MINUTE, BAR, HOUR])
def test_jump_rate_and_compensation_over_years(bar: int) -> None:
    parameters = preset("plain")
    years = 0.0
    counts, drift = 0.0, []
    for seed in range(4):
        jumps = HawkesJumps(Streams(seed), parameters, bar)
        for block in range(60):
            n, _, surplus = jumps.update(block)
            counts += float(n.sum())
            drift.append(float(surplus.sum()))
            years += BLOCK * bar / (365 * DAY)
    expected = years * parameters.jumps_per_year / (1.0 - parameters.jump_branching)
    # Clusters make the count overdispersed by 1 / (1 - branching)^2.
    error = np.sqrt(expected) / (1.0 - parameters.jump_branching)
    assert abs(counts - expected) < 4 * error
    assert abs(sum(drift)) < 4 * abs(parameters.jump_mean) * np.sqrt(expected)


def test_regimes_stay_as_long_as_they_should() -> None:
    clock = RegimeClock(Streams(2), preset("default"), HOUR)
    states = np.concatenate([clock.states() for _ in range(60)])
    ends = np.flatnonzero(np.diff(states)) + 1
    runs = np.diff(ends)
    kinds = states[ends[:-1]]
    for k, regime in enumerate(REGIMES):
        mine = runs[kinds == k]
        assert len(mine) > 20
        # Gamma(2): standard deviation mean / sqrt(2).
        error = regime.dwell_hours / np.sqrt(2 * len(mine))
        assert abs(mine.mean() - regime.dwell_hours) < 4 * error + 0.5
    followers = {(int(a), int(b)) for a, b in pairwise(kinds)}
    assert all(REGIMES[a].moves[b] > 0 for a, b in followers)


def test_regime_table_is_a_table_of_probabilities() -> None:
    for k, regime in enumerate(REGIMES):
        assert sum(regime.moves) == pytest.approx(1.0)
        assert regime.moves[k] == 0.0


def test_regime_volatility_passes_smoothly_and_drift_can_be_left_out() -> None:
    drift, log_volatility, load = RegimeClock(Streams(2), preset("default"), BAR).update()
    assert drift.shape == log_volatility.shape == load.shape == (1, BLOCK)
    assert np.abs(np.diff(log_volatility)).max() < 0.12
    assert np.ptp(log_volatility) > 0.1
    assert np.any(drift != 0.0)
    assert not np.any(RegimeClock(Streams(2), preset("null"), BAR).update()[0])


def test_season_has_its_peak_in_the_afternoon() -> None:
    ts = START_NS + HOUR * np.arange(48, dtype=np.int64)
    wave = season(ts, 0.2)
    assert int(np.argmax(wave)) == 15
    assert np.allclose(wave[:24], wave[24:])
    assert not np.any(season(ts, 0.0))


def test_releases_come_on_fridays_and_drag_for_six_hours() -> None:
    parameters = preset("default")
    releases = MacroReleases(Streams(4), parameters, BAR, START_NS)
    parts = [releases.update(k * BLOCK) for k in range(3)]
    impact, drift = (np.concatenate([p[k][0] for p in parts]) for k in (0, 1))
    released, surprise = (np.concatenate([p[k] for p in parts]) for k in (2, 3))
    at = np.flatnonzero(released)
    open_ts = START_NS + at * BAR
    # 2025-01-03 was a Friday; 13:30 is the 162nd bar of a day.
    assert at[0] == 2 * 288 + 162
    assert np.all(np.diff(open_ts) == 7 * DAY)
    assert np.allclose(impact[at], parameters.macro_impact * surprise[at])
    assert not np.any(impact[~released])
    for k in at[at < len(drift) - 80]:
        assert drift[k] == 0.0
        assert drift[k + 73] == 0.0
        assert drift[k + 1 : k + 73].sum() == pytest.approx(parameters.macro_drift * surprise[k])


def test_a_drag_that_crosses_a_block_is_not_lost() -> None:
    # The start is chosen so that a release falls into the last bars of the first block.
    start = START_NS + (2 * 288 + 162 + 4 * 7 * 288 - (BLOCK - 10)) * BAR
    releases = MacroReleases(Streams(4), preset("default"), BAR, start)
    first, second = releases.update(0), releases.update(BLOCK)
    assert np.flatnonzero(first[2])[-1] == BLOCK - 10
    whole = first[1][0, BLOCK - 9 :].sum() + second[1][0, :63].sum()
    assert whole == pytest.approx(preset("default").macro_drift * first[3][BLOCK - 10])
    assert second[1][0, 62] != 0.0
    assert second[1][0, 63] == 0.0


def test_surprises_belong_to_their_week_whatever_the_start() -> None:
    early = MacroReleases(Streams(4), preset("default"), BAR, START_NS).update(0)
    late = MacroReleases(Streams(4), preset("default"), BAR, START_NS + 7 * DAY).update(0)
    assert early[3][early[2]][1] == late[3][late[2]][0]


def test_bridge_maximum_is_that_of_a_random_walk_with_the_same_end() -> None:
    rng = np.random.default_rng(9)
    steps, paths, sd = 4000, 1500, 0.01
    walk = np.cumsum(rng.standard_normal((paths, steps)) * sd / np.sqrt(steps), axis=1)
    drawn = bridge_maximum(walk[:, -1], np.full(paths, sd * sd), 1.0 - rng.random(paths))
    assert np.all(drawn >= np.maximum(walk[:, -1], 0.0))
    assert stats.ks_2samp(drawn, np.maximum(walk.max(axis=1), 0.0)).pvalue > 1e-3


def test_hold_keeps_the_last_value_over_blocks() -> None:
    hold = Hold()
    ts = np.arange(BLOCK, dtype=np.int64) + 100
    published = np.zeros(BLOCK, dtype=np.bool_)
    published[[5, 9]] = True
    value, known_at = hold(ts, published, np.arange(float(BLOCK)))
    assert np.isnan(value[:5]).all()
    assert not known_at[:5].any()
    assert np.array_equal(value[5:11], [5, 5, 5, 5, 9, 9])
    assert np.array_equal(known_at[5:11], [105, 105, 105, 105, 109, 109])
    value, known_at = hold(ts + BLOCK, np.zeros(BLOCK, dtype=np.bool_), np.zeros(BLOCK))
    assert np.all(value == 9)
    assert np.all(known_at == 109)


def test_fear_and_greed_follow_the_market() -> None:
    def last(move: float, noise: float) -> float:
        rng = np.random.default_rng(0)
        returns = move + noise * rng.standard_normal((1, BLOCK))
        index = FearGreed(0.9, BAR).update(returns)
        assert index.min() >= 0.0
        assert index.max() <= 100.0
        return float(index[-1])

    usual = 0.9 * np.sqrt(BAR / (365 * DAY))
    assert last(1e-5, usual) > last(0.0, usual) > last(-1e-5, usual)
    calm, storm = np.full((1, BLOCK), 0.1 * usual), np.full((1, BLOCK), 0.1 * usual)
    calm[0, ::2] *= -1
    storm[0, ::2] *= -1
    storm[0, -200:] *= 30.0
    assert FearGreed(0.9, BAR).update(storm)[-1] < FearGreed(0.9, BAR).update(calm)[-1]


def test_complement_completes_to_unit_variance() -> None:
    assert complement(0.6, 0.3) ** 2 + 0.36 + 0.09 == pytest.approx(1.0)


def test_names_give_traits_and_instruments() -> None:
    names = default_symbols(28)
    assert names[:2] == ("AAA/USD", "BBB/USD")
    assert names[26:] == ("SIM27/USD", "SIM28/USD")
    for name in names:
        own, what = traits(name), instrument(name)
        assert own == traits(name)
        assert 0.4 < own.price < 50_000
        assert 0.8 <= own.beta <= 1.2
        assert what.described
        assert what.tick_size < 2e-5 * own.price
        assert what.lot_size * own.price < 1.0
        assert own.notional >= 2e6


@pytest.mark.parametrize("name", ["AAA", "/USD", "AAA/", "A/B/C", ""])
def test_a_symbol_must_be_base_and_quote(name: str) -> None:
    with pytest.raises(ConfigError, match="symbol was"):
        instrument(name)


def test_presets_say_what_they_leave_out() -> None:
    assert PRESETS == ("default", "plain", "null")
    assert preset("default").channels == CHANNELS
    assert preset("plain", 0.02).ic == 0.02
    null = preset("null")
    assert (null.ic, null.premium, null.macro_drift, null.regime_drift) == (0, 0, 0, False)
    with pytest.raises(ConfigError, match="preset was 'bull'"):
        preset("bull")
    with pytest.raises(ConfigError, match="no edge"):
        preset("null", 0.01)
    for wrong in (-0.1, 0.5, float("nan")):
        with pytest.raises(ConfigError, match=r"0\.\.0\.2"):
            preset("plain", wrong)
