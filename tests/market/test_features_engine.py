"""The engine: blind to cuts, to other symbols and to the future; on the grid of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from feature_markets import (
    BAR,
    FEATURES,
    FIRST_ROW,
    columns,
    differing,
    every,
    market,
    only,
    pieces,
    run,
    scaled,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.clock import DAY, HOUR, SECOND
from mirrorcore.errors import DataError
from mirrorcore.market.block import MarketBlock, Series
from mirrorcore.market.features import FeatureEngine, features, silence_limit

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "crypto_1m"
LIMIT = silence_limit(BAR)
OWN_UNIT = [feature.name for feature in FEATURES if feature.unit == "pure"]


def presence(ticks: int, symbols: int, seed: int) -> np.ndarray:
    """Sparse bars, and each symbol starts at another time; the first is there from the start."""
    rng = np.random.default_rng(seed)
    present = rng.random((ticks, symbols)) >= rng.choice([0.0, 0.05, 0.4], symbols)
    for column, start in enumerate(rng.integers(0, ticks // 2, symbols)):
        present[: start if column else 0, column] = False
    present[0, 0] = True
    return present


def staggered(ticks: int, symbols: int, seed: int) -> tuple[MarketBlock, MarketBlock]:
    """One market twice: all bars at the close, and each symbol a little later in its own tick."""
    together = market(ticks, symbols, seed=seed, present=presence(ticks, symbols, seed))
    ts = (together.ts[:, np.newaxis] + SECOND * np.arange(1, symbols + 1)).ravel()
    shown = np.zeros((ticks, symbols, symbols), dtype=bool)
    for column in range(symbols):
        shown[:, column, column] = together.present[:, column]
    apart = only(together, np.repeat(np.arange(ticks), symbols), list(range(symbols)))
    return together, replace(apart, ts=ts, present=shown.reshape(-1, symbols))


def at_own_bars(found: dict[str, np.ndarray], block: MarketBlock, column: int) -> dict[str, Any]:
    return {name: values[block.present[:, column], column] for name, values in found.items()}


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_blocks_of_1_7_and_4096_give_the_same_bits(holes: float) -> None:
    block = market(5000, 3, seed=3, holes=holes)
    whole = run(block)
    for size in (7, 4096):
        assert differing(run(block, every(block, size)), whole) == []
    one_by_one = run(block, [*range(1, 900), 4090, 4091])
    assert differing(one_by_one, whole) == []


@given(
    seed=st.integers(0, 500),
    cuts=st.lists(st.integers(1, 249), max_size=8).map(sorted),
    steps=st.lists(st.sampled_from([1, 1, 1, 2, 40, LIMIT - 1, LIMIT, LIMIT + 5]), max_size=5),
)
@settings(max_examples=30, deadline=None)
def test_random_cuts_holes_and_gaps_give_the_same_bits(
    seed: int, cuts: list[int], steps: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.ones(250, dtype=np.int64)
    rows[rng.integers(1, 250, len(steps))] = steps
    ts = (FIRST_ROW + np.cumsum(rows)) * BAR
    block = market(250, 3, seed=seed, present=presence(250, 3, seed), ts=ts)
    assert differing(run(block, cuts), run(block)) == []


@given(seed=st.integers(0, 500), cuts=st.lists(st.integers(1, 239), max_size=8).map(sorted))
@settings(max_examples=10, deadline=None)
def test_several_ticks_in_an_interval_are_one_row_however_they_are_cut(
    seed: int, cuts: list[int]
) -> None:
    together, apart = staggered(80, 3, seed)
    found = run(apart, cuts)
    assert differing(found, run(apart)) == []
    aligned = run(together)
    for column in range(3):
        assert (
            differing(at_own_bars(found, apart, column), at_own_bars(aligned, together, column))
            == []
        )


@given(seed=st.integers(0, 500))
@settings(max_examples=15, deadline=None)
def test_a_symbol_alone_equals_the_symbol_among_five(seed: int) -> None:
    block = market(400, 5, seed=seed, present=presence(400, 5, seed))
    among = run(block, [133])
    for column in range(5):
        shown = block.present[:, column]
        alone = run(only(block, shown, [column]), [17])
        ours = {name: values[shown, column : column + 1] for name, values in among.items()}
        assert differing(alone, ours) == []


def same_state(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_state(one[k], other[k]) for k in one)
    return bool(np.array_equal(one, other))


def test_a_symbol_that_begins_anew_has_the_state_of_one_never_seen_before() -> None:
    present = np.ones((LIMIT + 260, 2), dtype=bool)
    present[200 : 200 + LIMIT, 0] = False
    block = market(LIMIT + 260, 2, seed=14, present=present)
    late = present.copy()
    late[:200, 0] = False
    seen, unseen = FeatureEngine(2, BAR), FeatureEngine(2, BAR)
    for piece in pieces(block, [200 + LIMIT + 30]):
        seen.update(piece)
    unseen.update(replace(block, present=late))
    assert same_state(seen.checkpoint(), unseen.checkpoint())


@pytest.mark.parametrize("first", ["high", "low"])
def test_two_bars_of_a_symbol_in_one_interval_are_one_bar(first: str) -> None:
    block = market(400, 1, seed=18)
    split, second = 350, {"high": "low", "low": "high"}[first]
    bar = block.rows(split, split + 1)
    early = replace(bar, **{second: bar.close}, volume=0.25 * bar.volume)
    early = replace(early, close=getattr(bar, first))
    late = replace(bar, **{first: bar.close}, volume=0.75 * bar.volume, ts=bar.ts + SECOND)
    engine = FeatureEngine(1, BAR)
    parts = [block.rows(0, split), early, late, block.rows(split + 1, 400)]
    found = [engine.update(part) for part in parts]
    whole = run(block)
    joined = columns([found[0], found[2], found[3]])
    rest = [name for name in whole if name != "volume_z"]
    assert differing({n: joined[n] for n in rest}, {n: whole[n] for n in rest}) == []
    assert np.allclose(joined["volume_z"], whole["volume_z"], rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("silence", [LIMIT - 1, LIMIT, 3 * LIMIT])
def test_a_silent_symbol_begins_anew_alone_and_among_others(silence: int) -> None:
    ticks = 400 + silence + 400
    present = np.ones((ticks, 2), dtype=bool)
    present[400 : 400 + silence - 1, 0] = False
    block = market(ticks, 2, seed=4, present=present)
    among = run(block, every(block, 1000))
    alone = run(only(block, present[:, 0], [0]))
    shown = {name: values[present[:, 0], :1] for name, values in among.items()}
    assert differing(alone, shown) == []
    after = {name: values[400 + silence - 1 :, :1] for name, values in among.items()}
    anew = run(only(block, slice(400 + silence - 1, None), [0]))
    if silence >= LIMIT:
        assert differing(after, anew) == []
        waiting = among["close"][399 + LIMIT : 400 + silence - 1, 0]
        assert np.isnan(waiting).all()
    else:
        assert not np.isnan(after["vol_slow"]).any()


def test_a_pause_of_years_is_jumped_over_not_walked_through() -> None:
    block = market(700, 1, seed=8)
    bars = FeatureEngine(1, SECOND)
    long_after = block.ts + np.where(np.arange(700) < 300, 0, 30 * 365 * DAY)
    found = bars.update(replace(block, ts=long_after)).rows(300, 700)
    anew = FeatureEngine(1, SECOND).update(replace(block, ts=long_after).rows(300, 700))
    assert differing(columns([found]), columns([anew])) == []


def test_an_interval_without_a_bar_is_a_row_without_a_move() -> None:
    block = market(500, 2, seed=6)
    present = block.present.copy()
    present[450:453, 0] = False
    found = run(replace(block, present=present))
    assert np.all(found["close"][450:453, 0] == block.close[449, 0])
    assert np.all(found["return_1"][450:453, 0] == 0)
    assert np.all(found["volume_z"][450:453, 0] == -5)
    assert np.all(np.diff(found["vol_fast"][449:453, 0]) < 0)
    move = np.log(block.close[453, 0] / block.close[449, 0])
    assert found["return_1"][453, 0] == pytest.approx(move, rel=1e-12)


def test_skipped_ticks_equal_ticks_without_bars() -> None:
    block = market(400, 1, seed=9)
    shown = np.ones(400, dtype=bool)
    shown[[40, 41, 42, 300]] = False
    with_ticks = run(replace(block, present=shown[:, np.newaxis]))
    skipped = run(only(block, shown, [0]), [40])
    assert differing({n: v[shown] for n, v in with_ticks.items()}, skipped) == []


@pytest.mark.parametrize("holes", [0.0, 0.25])
def test_nan_is_there_during_warm_up_and_never_after(holes: float) -> None:
    block = market(900, 3, seed=5, holes=holes)
    found = run(block)
    bars = np.cumsum(block.present, axis=0)
    for feature in FEATURES:
        unknown = np.isnan(found[feature.name])
        assert np.array_equal(unknown, bars < feature.warm_up), feature.name
        assert np.isfinite(found[feature.name][~unknown]).all(), feature.name


def test_the_future_changes_nothing() -> None:
    block = market(600, 3, seed=2, holes=0.1)
    other = scaled(market(600, 3, seed=77), price=3.0, volume=9.0)
    joined = {
        name: np.concatenate((getattr(block, name)[:400], getattr(other, name)[400:]))
        for name in ("present", "open_ts", "open", "high", "low", "close", "volume", "flags")
    }
    past = {name: values[:400] for name, values in run(block).items()}
    assert differing(run(block.rows(0, 400)), past) == []
    changed = run(replace(block, **joined))
    assert differing({name: values[:400] for name, values in changed.items()}, past) == []


@pytest.mark.parametrize("factor", [3.7, 1e-4, 31_337.0])
def test_a_price_unit_scales_prices_and_leaves_the_rest(factor: float) -> None:
    block = market(800, 2, seed=12, holes=0.1)
    plain, other = run(block), run(scaled(block, price=factor))
    for feature in FEATURES:
        expected = plain[feature.name] * (factor if feature.unit == "price" else 1.0)
        size = np.nanmax(np.abs(expected))
        assert np.allclose(
            other[feature.name], expected, rtol=0, atol=1e-12 * max(size, 1.0), equal_nan=True
        ), feature.name


def test_a_unit_of_two_changes_no_bit_of_what_has_no_unit() -> None:
    block = market(800, 2, seed=12, holes=0.1)
    plain, other = run(block), run(scaled(block, price=2.0))
    assert differing({n: plain[n] for n in OWN_UNIT}, {n: other[n] for n in OWN_UNIT}) == []


def test_a_unit_of_volume_changes_no_score() -> None:
    block = market(800, 2, seed=12, holes=0.1)
    plain, other = run(block), run(scaled(block, volume=1e5))
    assert np.allclose(other["volume_z"], plain["volume_z"], rtol=0, atol=1e-11, equal_nan=True)
    rest = [name for name in plain if name != "volume_z"]
    assert differing({n: plain[n] for n in rest}, {n: other[n] for n in rest}) == []


def plain_types(state: object) -> bool:
    if isinstance(state, dict):
        return all(isinstance(key, str) and plain_types(item) for key, item in state.items())
    return isinstance(state, int | np.ndarray)


@pytest.mark.parametrize("at", [0, 1, 130, 640])
def test_a_checkpoint_goes_on_with_the_same_bits(at: int) -> None:
    _, block = staggered(250, 3, seed=21)
    assert_goes_on(block, at)


def test_a_checkpoint_after_all_warm_ups_goes_on_with_the_same_bits() -> None:
    assert_goes_on(market(900, 3, seed=22, holes=0.2), 611)


def assert_goes_on(block: MarketBlock, at: int) -> None:
    engine, other = FeatureEngine(3, BAR), FeatureEngine(3, BAR)
    engine.update(block.rows(0, at))
    state = engine.checkpoint()
    assert plain_types(state)
    rest = [block.rows(at, 700), block.rows(700, len(block))]
    expected = [engine.update(part) for part in rest]
    other.restore(state)
    restored = [other.update(part) for part in rest]
    assert differing(columns(expected), columns(restored)) == []
    known = [part.known_at["risk"]["vol_slow"] for part in expected]
    assert np.array_equal(known[-1], restored[-1].known_at["risk"]["vol_slow"])


def test_known_at_is_the_instant_of_the_newest_own_bar() -> None:
    block = market(60, 2, seed=1, holes=0.5)
    engine = FeatureEngine(2, BAR)
    found = [engine.update(piece) for piece in pieces(block, [11, 12, 40])]
    known = np.concatenate([part.known_at["technical"]["rsi_14"] for part in found])
    for t in range(60):
        for column in range(2):
            own = block.ts[: t + 1][block.present[: t + 1, column]]
            assert known[t, column] == (own[-1] if len(own) else 0)


def test_side_channels_land_in_their_category() -> None:
    block = market(10, 2)
    flow = Series(np.arange(20.0).reshape(10, 2), np.full((10, 2), 5))
    found = FeatureEngine(2, BAR).update(replace(block, series={"onchain.whale_flow": flow}))
    assert found.values["onchain"]["whale_flow"] is flow.value
    assert found.known_at["onchain"]["whale_flow"] is flow.known_at
    assert set(found.values["technical"]) | set(found.values["risk"]) == {f.name for f in FEATURES}


def test_bars_without_a_positive_price_count_as_absent() -> None:
    block = market(300, 1, seed=3)
    close, low, high = block.close.copy(), block.low.copy(), block.high.copy()
    close[200], low[201], high[202] = np.nan, -1.0, np.inf
    strange = replace(block, close=close, low=low, high=high)
    present = block.present.copy()
    present[200:203] = False
    assert differing(run(strange), run(replace(block, present=present))) == []


def test_coarse_bars_keep_slow_volatility_slower_than_fast() -> None:
    rows = np.arange(400, dtype=np.int64)
    for bar_ns in (HOUR, DAY):
        block = market(400, 1, seed=3, ts=(20_000 + rows) * bar_ns)
        found = FeatureEngine(1, bar_ns).update(block)
        ratio = found.values["risk"]["vol_ratio"][100:]
        assert np.isfinite(ratio).all()
        assert ratio.std() > 0.1
        assert [f.warm_up for f in features(bar_ns) if f.name in ("vol_fast", "vol_slow")] == [
            2,
            25,
        ]


def test_wrong_blocks_are_refused() -> None:
    block = market(20, 2)
    engine = FeatureEngine(2, BAR)
    engine.update(block)
    with pytest.raises(DataError, match="backwards"):
        engine.update(block.rows(0, 3))
    with pytest.raises(DataError, match="backwards"):
        FeatureEngine(2, BAR).update(replace(block, ts=block.ts[::-1]))
    with pytest.raises(DataError, match="3 symbols"):
        FeatureEngine(3, BAR).update(block)
    with pytest.raises(DataError, match="2 symbols"):
        FeatureEngine(3, BAR).restore(engine.checkpoint())
    series = {"technical.close": Series(block.close, np.zeros((20, 2), dtype=np.int64))}
    with pytest.raises(DataError, match=r"technical\.close"):
        FeatureEngine(2, BAR).update(replace(block, series=series))
    with pytest.raises(ValueError, match="needs a symbol"):
        FeatureEngine(0, BAR)


@pytest.mark.data
def test_real_minutes_with_holes_alone_and_among_others() -> None:
    if not DATA.exists():
        pytest.skip(f"the real market data folder {DATA} is absent")
    import polars

    minute = BAR // 5
    tables = [
        polars.read_parquet(DATA / f"bitfinex_{name}USD_1m_201810_201906.parquet").slice(
            50_000, 2500
        )
        for name in ("BTC", "LTC")
    ]
    rows = [table["ts"].dt.epoch("ns").to_numpy() // minute for table in tables]
    grid = np.union1d(rows[0], rows[1])
    shape = (len(grid), 2)
    present = np.zeros(shape, dtype=bool)
    prices = {name: np.full(shape, np.nan) for name in ("open", "high", "low", "close", "volume")}
    for column, table in enumerate(tables):
        at = np.searchsorted(grid, rows[column])
        present[at, column] = True
        for name, values in prices.items():
            values[at, column] = table[name].to_numpy()
    block = MarketBlock(
        index=0,
        ts=(grid + 1) * minute,
        present=present,
        open_ts=np.where(present, grid[:, np.newaxis] * minute, 0),
        flags=np.zeros(shape, dtype=np.int64),
        **prices,
    )
    whole = columns([FeatureEngine(2, minute).update(block)])
    engine = FeatureEngine(2, minute)
    cut = columns([engine.update(piece) for piece in pieces(block, every(block, 97))])
    assert differing(whole, cut) == []
    for column in range(2):
        shown = present[:, column]
        alone = columns([FeatureEngine(1, minute).update(only(block, shown, [column]))])
        ours = {name: values[shown, column : column + 1] for name, values in whole.items()}
        assert differing(alone, ours) == []
        bars = np.cumsum(shown)[shown]
        for feature in features(minute):
            unknown = np.isnan(alone[feature.name][:, 0])
            assert np.array_equal(unknown, bars < feature.warm_up), feature.name
