"""The simulated market as a source: sound bars, the same bits however asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from mirrorcore.clock import DAY, HOUR, MINUTE, YEAR
from mirrorcore.data_sources.simulated import START_NS, SimulatedSource
from mirrorcore.data_sources.simulation import oracle
from mirrorcore.data_sources.simulation.model import MarketModel, bar_ic
from mirrorcore.data_sources.simulation.presets import CHANNELS, Parameters, preset
from mirrorcore.data_sources.simulation.streams import BLOCK
from mirrorcore.data_sources.simulation.symbols import traits
from mirrorcore.data_sources.source import HistorySource
from mirrorcore.errors import ConfigError, UsageError
from mirrorcore.market.block import MarketBlock
from mirrorcore.market.intake import Action

BAR = 5 * MINUTE
FIELDS = ("ts", "present", "open_ts", "open", "high", "low", "close", "volume", "flags")


def columns(blocks: Sequence[MarketBlock]) -> dict[str, np.ndarray]:
    """Every array of a run by name, glued together."""
    out = {name: np.concatenate([getattr(b, name) for b in blocks]) for name in FIELDS}
    for name in blocks[0].series:
        out[name] = np.concatenate([b.series[name].value for b in blocks])
        out[f"{name} since"] = np.concatenate([b.series[name].known_at for b in blocks])
    return out


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, values in a.items():
        assert values.tobytes() == b[name].tobytes(), name


@pytest.mark.parametrize("name", ["default", "plain", "null"])
@pytest.mark.parametrize("bar", [MINUTE, BAR, HOUR, DAY])
def test_bars_are_sound(name: str, bar: int) -> None:
    source = SimulatedSource(name, seed=3, symbols=4, bars=9_000, bar_ns=bar)
    all_ = columns(list(source.blocks()))
    open_, high, low, close = (all_[k] for k in ("open", "high", "low", "close"))
    assert close.shape == (9_000, 4)
    assert np.all(low > 0)
    assert np.all(low <= np.minimum(open_, close))
    assert np.all(high >= np.maximum(open_, close))
    assert np.array_equal(open_[1:], close[:-1])
    assert np.allclose(open_[0], [traits(s).price for s in source.symbols], rtol=1e-5)
    assert np.all(all_["volume"] > 0)
    assert np.array_equal(all_["ts"], START_NS + bar * np.arange(1, 9_001))
    assert np.array_equal(all_["open_ts"], np.tile(all_["ts"][:, None] - bar, (1, 4)))
    assert all_["present"].all()
    for values in (open_, high, low, close):
        for j, what in enumerate(source.instruments):
            ticks = values[:, j] / what.tick_size
            assert np.allclose(ticks, np.rint(ticks), rtol=0, atol=1e-4)


def test_a_source_is_a_history_source() -> None:
    source: HistorySource = SimulatedSource("plain", symbols=2, bars=100)
    assert source.name == "simulated.plain"
    assert source.symbols == ("AAA/USD", "BBB/USD")
    assert tuple(i.symbol for i in source.instruments) == source.symbols
    assert source.bar_ns == BAR
    assert source.ticks_total() == 100
    assert sum(len(b) for b in source.blocks()) == 100


def test_the_validator_sees_every_bar_and_refuses_none() -> None:
    source = SimulatedSource(seed=1, symbols=3, bars=60_000)
    blocks = source.blocks()
    next(blocks)
    assert source.verdicts.seen == {"simulated.default": 3 * BLOCK}
    flags = sum(np.count_nonzero(b.flags) for b in source.blocks())
    assert source.verdicts.seen == {"simulated.default": 180_000}
    assert source.verdicts.total(Action.REJECT) == source.verdicts.total(Action.DROP) == 0
    assert flags > 0
    assert source.verdicts.total(Action.FLAG) >= flags


@pytest.mark.parametrize("name", ["default", "plain", "null"])
def test_a_longer_history_begins_with_the_shorter(name: str) -> None:
    def take(bars: int, rows: int) -> dict[str, np.ndarray]:
        source = SimulatedSource(name, seed=5, symbols=3, bars=bars)
        return {k: v[:20_000] for k, v in columns(list(source.blocks(max_rows=rows))).items()}

    short = take(20_000, 4096)
    assert_same(short, take(50_000, 4096))
    assert_same(short, take(20_000, 7))
    assert_same(short, take(20_000, 1_000_000))


def test_a_later_start_yields_the_rest() -> None:
    source = SimulatedSource(seed=5, symbols=2, bars=9_000)
    whole = columns(list(source.blocks()))
    for start in (0, 1, 4095, 4096, 5000, 8_999):
        blocks = list(source.blocks(start, 600))
        assert blocks[0].index == start
        assert all(len(b) <= 600 for b in blocks)
        assert [b.index for b in blocks[1:]] == [b.index + len(b) for b in blocks[:-1]]
        assert_same(columns(blocks), {k: v[start:] for k, v in whole.items()})
    assert list(source.blocks(9_000)) == []


def test_a_market_without_end_goes_on() -> None:
    source = SimulatedSource(seed=5, symbols=1, bars=None)
    assert source.ticks_total() is None
    blocks = list(islice(source.blocks(), 4))
    assert blocks[-1].index == 3 * BLOCK
    with pytest.raises(UsageError, match="no end"):
        oracle.truth(source)
    assert oracle.truth(source, 100).alpha.shape == (100, 1)


def test_symbols_do_not_disturb_each_other() -> None:
    few = columns(list(SimulatedSource(seed=2, symbols=("BBB/USD",), bars=6_000).blocks()))
    names = ("NEW/USD", "BBB/USD", "AAA/USD")
    more = columns(list(SimulatedSource(seed=2, symbols=names, bars=6_000).blocks()))
    for name in few:
        mine = more[name] if more[name].ndim == 1 else more[name][:, 1:2]
        assert few[name].tobytes() == mine.tobytes(), name


def model_prices(parameters: Parameters) -> np.ndarray:
    model = MarketModel(parameters, 4, ("AAA/USD", "BBB/USD"), BAR, START_NS)
    return np.concatenate([model.next_block().close for _ in range(2)], axis=1)


def test_channels_change_no_price() -> None:
    base = preset("default")
    without = dataclasses.replace(base, channels=())
    one = dataclasses.replace(base, channels=("sentiment.decoy",))
    assert np.array_equal(model_prices(base), model_prices(without))
    assert np.array_equal(model_prices(base), model_prices(one))


def test_each_channel_is_the_same_without_the_others() -> None:
    def series(channels: tuple[str, ...]) -> dict[str, bytes]:
        parameters = dataclasses.replace(preset("default"), channels=channels)
        model = MarketModel(parameters, 4, ("AAA/USD", "BBB/USD"), BAR, START_NS)
        made = [model.next_block() for _ in range(2)]
        return {name: b"".join(m.series[name][0].tobytes() for m in made) for name in channels}

    together = series(CHANNELS)
    for name in CHANNELS:
        assert series((name,))[name] == together[name]


def test_seeds_make_different_markets_with_the_same_instruments() -> None:
    a, b = (SimulatedSource(seed=seed, symbols=2, bars=4_000) for seed in (1, 2))
    x, y = (columns(list(s.blocks())) for s in (a, b))
    assert np.array_equal(x["open"][0], y["open"][0])
    rx, ry = (np.diff(np.log(k["close"][:, 0])) for k in (x, y))
    assert abs(np.corrcoef(rx, ry)[0, 1]) < 0.08
    assert a.instruments == b.instruments


def test_the_digest_tells_markets_apart() -> None:
    base = {"seed": 1, "symbols": 2, "bars": 100}
    same = SimulatedSource("default", **base).digest()
    assert same == SimulatedSource("default", **base).digest()
    assert len(same) == 64
    others = [
        SimulatedSource("plain", **base),
        SimulatedSource("default", **base, ic=0.01),
        SimulatedSource("default", **base, bar_ns=MINUTE),
        SimulatedSource("default", **base, start_ns=START_NS + DAY),
        SimulatedSource("default", **{**base, "seed": 2}),
        SimulatedSource("default", **{**base, "symbols": 3}),
        SimulatedSource("default", **{**base, "bars": 101}),
    ]
    assert len({same, *(s.digest() for s in others)}) == 8


def test_series_of_the_presets_and_their_ranges() -> None:
    all_ = columns(list(SimulatedSource(seed=6, symbols=2, bars=12_000).blocks()))
    assert {n for n in all_ if "." in n and "since" not in n} == set(CHANNELS)
    plain = next(SimulatedSource("plain", seed=6, symbols=2, bars=10).blocks())
    assert set(plain.series) == {"onchain.whale_flow", "sentiment.score"}

    ts = np.tile(all_["ts"][:, None], (1, 2))
    for name in CHANNELS:
        known, since = np.isfinite(all_[name]), all_[f"{name} since"]
        assert np.array_equal(known, since > 0)
        assert np.all(since <= ts)
    for name in ("onchain.whale_flow", "sentiment.score", "onchain.gas"):
        assert np.array_equal(all_[f"{name} since"], ts)
    for name in ("onchain.gas", "sentiment.fear_greed", "macro.surprise"):
        assert np.array_equal(all_[name][:, 0], all_[name][:, 1], equal_nan=True)
    assert np.all(np.abs(all_["sentiment.score"]) < 1)
    assert np.all(all_["onchain.gas"] > 0)

    mood = all_["sentiment.fear_greed"][:, 0]
    assert np.isnan(mood[:287]).all()
    assert np.nanmin(mood) >= 0
    assert np.nanmax(mood) <= 100
    changes = np.flatnonzero(np.diff(mood[287:])) + 288
    assert np.all(all_["ts"][changes] % DAY == 0)
    surprise = all_["macro.surprise"][:, 0]
    # Out on 2025-01-03 at 13:30, known when the bar that holds it has closed.
    first = 2 * 288 + 162
    assert np.isnan(surprise[:first]).all()
    assert np.isfinite(surprise[first:]).all()
    assert len(np.unique(surprise[first:])) == 6


def test_truth_stays_out_of_the_blocks_and_fits_them() -> None:
    source = SimulatedSource("plain", seed=8, symbols=3, bars=5_000)
    known = oracle.truth(source)
    blocks = list(source.blocks())
    assert {f.name for f in dataclasses.fields(blocks[0])} == {"index", "series", *FIELDS}
    assert known.alpha.shape == known.sigma.shape == known.returns.shape == (5_000, 3)
    all_ = columns(blocks)
    close, open_ = all_["close"], all_["open"]
    assert np.allclose(close / open_ - 1.0, known.returns, rtol=0, atol=1e-5)


def test_the_whale_reads_alpha_as_of_the_close() -> None:
    source = SimulatedSource("plain", seed=8, symbols=3, bars=20_000)
    alpha = oracle.truth(source).alpha
    whale = columns(list(source.blocks()))["onchain.whale_flow"]
    score = np.arcsinh(whale) / 1.2
    # alpha of row t+1 is as of the open of t+1, which is the close of t.
    noise = score[:-1] - 0.5 * alpha[1:]
    assert noise.std() == pytest.approx(np.sqrt(0.75), abs=0.01)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.02


def test_a_swap_hands_the_whales_knowledge_to_their_decoy_and_moves_no_price() -> None:
    swap = 2 * BLOCK * 5 * MINUTE
    source = SimulatedSource("plain", seed=6, symbols=3, bars=4 * BLOCK, ic=0.02, swap_ns=swap)
    plain = SimulatedSource("plain", seed=6, symbols=3, bars=4 * BLOCK, ic=0.02)
    blocks, before = list(source.blocks()), list(plain.blocks())
    assert_same(
        {name: values for name, values in columns(blocks).items() if "." not in name},
        {name: values for name, values in columns(before).items() if "." not in name},
    )
    alpha = np.roll(oracle.truth(source).alpha, -1, axis=0)[:-1]

    def knows(name: str, rows: slice) -> float:
        flow = np.concatenate([b.series[f"onchain.{name}"].value for b in blocks])[:-1]
        return float(np.corrcoef(np.arcsinh(flow[rows]).ravel(), alpha[rows].ravel())[0, 1])

    first, second = slice(0, 2 * BLOCK), slice(2 * BLOCK, None)
    assert knows("whale_flow", first) > 0.45
    assert knows("decoy_flow", second) > 0.45
    assert abs(knows("whale_flow", second)) < 0.15
    assert abs(knows("decoy_flow", first)) < 0.15
    assert "onchain.decoy_flow" not in columns(before)


@pytest.mark.parametrize("bar", [MINUTE, HOUR])
def test_other_bars_are_the_same_market_seen_more_or_less_often(bar: int) -> None:
    parameters = preset("plain", 0.02)
    assert bar_ic(parameters, bar) == pytest.approx(0.02 * np.sqrt(bar / BAR))
    volatilities, ranges = [], []
    for seed in range(6):
        source = SimulatedSource("plain", seed=seed, symbols=2, bars=30 * BLOCK, bar_ns=bar)
        r = oracle.truth(source).returns
        volatilities.append(r.std(axis=0) * np.sqrt(YEAR / bar) / 0.9)
        ranges.append([r.mean() / r.std() * np.sqrt(r.shape[0])])
    beta = np.array([traits(s).beta for s in ("AAA/USD", "BBB/USD")])
    assert np.median(volatilities / beta) == pytest.approx(1.0, abs=0.3)
    assert abs(float(np.mean(ranges))) < 4 / np.sqrt(6)


def test_a_large_account_stays_a_small_part_of_the_volume() -> None:
    all_ = columns(list(SimulatedSource(seed=0, symbols=8, bars=20_000).blocks()))
    notional = all_["volume"] * all_["close"]
    medians = np.median(notional, axis=0)
    assert np.all((medians > 1e6) & (medians < 2e7))
    assert np.quantile(0.1 * notional, 0.01) > 50_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed was -1"),
        ({"symbols": 0}, "symbols was empty"),
        ({"symbols": ("A/USD", "A/USD")}, "named twice: A/USD"),
        ({"bars": 0}, "bars was 0"),
        ({"bar_ns": MINUTE // 100}, "bar was 600ms"),
        ({"start_ns": -1}, "start was"),
        ({"ic": 0.5}, "ic was 0.5"),
        ({"preset_name": "moon"}, "preset was 'moon'"),
        ({"preset_name": "null", "ic": 0.01}, "no edge"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SimulatedSource(**arguments)  # type: ignore[arg-type]


def test_wrong_cuts_are_refused() -> None:
    source = SimulatedSource(symbols=1, bars=10)
    with pytest.raises(ValueError, match="too small"):
        source.blocks(-1)
    with pytest.raises(ValueError, match="too small"):
        source.blocks(0, 0)
