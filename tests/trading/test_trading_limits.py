from __future__ import annotations

import math
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_world import limit_config

from mirrorcore.clock import DAY, HOUR, MINUTE
from mirrorcore.errors import ConfigError, RefusedError, UsageError
from mirrorcore.trading import LimitConfig, Limits, freshness
from mirrorcore.trading.hits import HitLog
from mirrorcore.trading.limits import ADJUSTABLE

weights = st.lists(st.floats(-3, 3, allow_nan=False), min_size=1, max_size=8)
configs = st.builds(
    limit_config,
    gross=st.floats(0.1, 3),
    net=st.floats(0.1, 3),
    per_symbol=st.floats(0.1, 3),
)


def test_every_impossible_limit_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        limit_config(gross=0, drawdown=1.5, order_rate=0, per_symbol=math.nan, price_collar=1.0)
    for name in ("gross was 0", "drawdown was 1.5", "order_rate was 0", "per_symbol was nan"):
        assert name in caught.value.message
    assert "price_collar was 1.0, must be below 1" in caught.value.message


def test_a_misspelt_limit_is_refused_when_read_from_a_file() -> None:
    with pytest.raises(msgspec.ValidationError, match="drawdwon"):
        msgspec.convert({"drawdwon": 0.1}, LimitConfig)


# -- clipping


@given(targets=weights, config=configs)
def test_a_clip_only_ever_shrinks_and_meets_every_limit(
    targets: list[float], config: LimitConfig
) -> None:
    clipped = Limits(config).clip(0, targets)
    for asked, allowed in zip(targets, clipped, strict=True):
        assert abs(allowed) <= abs(asked)
        assert asked * allowed >= 0
        assert abs(allowed) <= config.per_symbol
    slack = 1 + 1e-12
    assert sum(map(abs, clipped)) <= config.gross * slack
    assert abs(sum(clipped)) <= config.net * slack + 1e-12


@given(targets=weights, config=configs)
def test_targets_within_the_limits_pass_untouched_and_unremarked(
    targets: list[float], config: LimitConfig
) -> None:
    limits = Limits(config)
    within = (
        max(map(abs, targets)) <= config.per_symbol
        and sum(map(abs, targets)) <= config.gross * (1 - 1e-9)
        and abs(sum(targets)) <= config.net * (1 - 1e-9)
    )
    clipped = limits.clip(0, targets)
    if within:
        assert clipped == targets
        assert limits.hits.rows() == []
    elif clipped != targets:
        assert limits.hits.rows() != []


def test_each_limit_clips_as_described() -> None:
    def clip(targets: list[float], **changes: float) -> tuple[list[float], list[str]]:
        limits = Limits(limit_config(**{"gross": 9, "net": 9, "per_symbol": 9, **changes}))
        clipped = limits.clip(0, targets)
        return clipped, [hit.limit for hit in limits.hits.rows()]

    assert clip([0.5, -0.6, 0.1], per_symbol=0.4) == ([0.4, -0.4, 0.1], ["per_symbol"] * 2)
    assert clip([1.0, -1.0, 2.0], gross=2.0) == ([0.5, -0.5, 1.0], ["gross"])
    # Longs of 3 against a short of 1: the longs give way until the net is 1.
    assert clip([1.0, -1.0, 2.0], net=1.0) == ([2 / 3, -1.0, 4 / 3], ["net"])
    # Scaled to the gross limit the net is within its own: no second cut.
    assert clip([1.0, -0.5], gross=0.75, net=0.4) == ([0.5, -0.25], ["gross"])
    assert clip([-1.0, 1.0, -2.0], net=1.0) == ([-2 / 3, 1.0, -4 / 3], ["net"])


# -- losses


@given(
    path=st.lists(st.integers(-100, 10**6), min_size=1, max_size=40),
    share=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_drawdown_trips_exactly_at_the_limit(path: list[int], share: float) -> None:
    limits = Limits(limit_config(drawdown=share, daily_loss=1.0))
    peak, tripped = 0, False
    for k, equity in enumerate(path):
        limits.observe(k * MINUTE, equity)
        peak = max(peak, equity)
        tripped = tripped or equity <= peak * (1 - Fraction(str(share)))
        assert limits.tripped is tripped


@given(
    path=st.lists(st.integers(1, 10**4), min_size=2, max_size=60),
    step=st.sampled_from([HOUR, 5 * HOUR, DAY]),
)
def test_daily_loss_blocks_until_the_next_utc_day(path: list[int], step: int) -> None:
    limits = Limits(limit_config(drawdown=1.0, daily_loss=0.05))
    day, start, blocked, last = -1, 0, False, path[0]
    for k, equity in enumerate(path):
        ts = k * step
        if ts // DAY != day:
            day, start, blocked = ts // DAY, last, False
        blocked = blocked or equity <= start * Fraction(95, 100)
        last = equity
        limits.observe(ts, equity)
        assert limits.day_blocked is blocked


def test_observe_says_when_what_is_allowed_has_changed() -> None:
    limits = Limits(limit_config())
    day = [limits.observe(k * HOUR, equity) for k, equity in enumerate([100, 99, 94, 93, 79, 78])]
    assert day == [False, False, True, False, True, False]
    assert limits.observe(DAY, 78) is True
    assert not limits.day_blocked
    assert limits.tripped
    assert [hit.limit for hit in limits.hits.rows()] == ["daily_loss", "drawdown"]
    limits.rearm()
    assert (limits.tripped, limits.drawdown) == (False, 0.0)
    assert limits.observe(DAY + HOUR, 77) is False


def test_an_account_that_begins_without_money_is_tripped() -> None:
    limits = Limits(limit_config())
    assert limits.observe(0, 0)
    assert limits.tripped
    assert limits.drawdown == 0.0


# -- rate, collar, staleness


@given(
    st.lists(st.sampled_from([0, 1, MINUTE // 2, MINUTE - 1, MINUTE]), min_size=1, max_size=60),
    st.integers(1, 10),
)
def test_order_rate_is_a_sliding_minute(gaps: list[int], rate: int) -> None:
    limits = Limits(limit_config(order_rate=rate))
    now, sent = 0, []
    for gap in gaps:
        now += gap
        recent = sum(1 for ts in sent if ts > now - MINUTE)
        assert limits.rate_left(now) == rate - recent
        limits.count_order(now)
        sent.append(now)


def test_collar_is_rounded_toward_the_decision_price() -> None:
    limits = Limits(limit_config(price_collar=0.05))
    assert (limits.bound(1019, 1), limits.bound(1019, -1)) == (1069, 969)


@given(
    gaps=st.lists(st.integers(1, 400), min_size=1, max_size=30),
    seed=st.integers(0, 2**32 - 1),
    cut=st.integers(0, 30),
)
def test_freshness_equals_a_loop_over_any_cut(gaps: list[int], seed: int, cut: int) -> None:
    ts = np.cumsum(np.array(gaps, dtype=np.int64))
    present = np.random.default_rng(seed).random((len(ts), 3)) < 0.4
    last = np.zeros(3, dtype=np.int64)
    seen, expected = [0, 0, 0], []
    for t, row in zip(ts.tolist(), present.tolist(), strict=True):
        seen = [t if here else before for here, before in zip(row, seen, strict=True)]
        expected.append([s > 0 and t - s <= 300 for s in seen])
    whole, after = freshness(ts, present, last, 300)
    assert whole.tolist() == expected
    assert after.tolist() == seen
    head, middle = freshness(ts[:cut], present[:cut], last, 300)
    tail, _ = freshness(ts[cut:], present[cut:], middle, 300)
    assert [*head.tolist(), *tail.tolist()] == expected


# -- changes


@pytest.mark.parametrize("name", ADJUSTABLE)
def test_tightening_is_free_and_loosening_is_not(name: str) -> None:
    limits = Limits(limit_config())
    start = getattr(limits.config, name)
    lower = start // 2 if name == "order_rate" else start / 2
    assert limits.adjust(name, lower) == (start, lower)
    with pytest.raises(RefusedError, match="loosens a limit"):
        limits.adjust(name, start)
    assert getattr(limits.config, name) == lower
    assert limits.adjust(name, start, confirmed=True) == (lower, start)
    beyond = math.ceil(start * 1.26) if name == "order_rate" else start * 1.26
    with pytest.raises(RefusedError, match="at most"):
        limits.adjust(name, beyond, confirmed=True)
    assert getattr(limits.config, name) == start


def test_the_cap_is_that_of_the_configuration_not_of_the_last_change() -> None:
    limits = Limits(limit_config(per_symbol=0.4))
    limits.adjust("per_symbol", 0.5, confirmed=True)
    with pytest.raises(RefusedError, match=r"loosened to 0\.5"):
        limits.adjust("per_symbol", 0.55, confirmed=True)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, -math.inf])
@pytest.mark.parametrize("name", ["drawdown", "order_rate"])
def test_an_impossible_change_leaves_the_limit_as_it_was(name: str, value: float) -> None:
    limits = Limits(limit_config())
    before = limits.config
    with pytest.raises(ConfigError, match=f"{name} was"):
        limits.adjust(name, value)
    assert limits.config == before


@pytest.mark.parametrize("value", [2.9, 0.5])
def test_a_rate_that_is_no_whole_number_is_not_cut_to_one(value: float) -> None:
    limits = Limits(limit_config())
    with pytest.raises(ConfigError, match="must be a whole number") as caught:
        limits.adjust("order_rate", value)
    assert "orders a minute" in caught.value.hint
    assert "equity" not in caught.value.hint


def test_only_limits_of_an_account_can_be_adjusted() -> None:
    with pytest.raises(UsageError, match="'loosening'"):
        Limits(limit_config()).adjust("loosening", 1.0)


def test_a_tightened_drawdown_counts_from_the_same_peak() -> None:
    limits = Limits(limit_config())
    limits.observe(0, 100)
    limits.observe(1, 92)
    limits.adjust("drawdown", 0.05)
    assert limits.observe(2, 92)
    assert limits.tripped


# -- hits


def test_repeated_hits_are_one_row_a_limit_symbol_and_day() -> None:
    log = HitLog()
    seen = []
    log.on_hit = seen.append
    began = [log.note(k * MINUTE, "gross", None, 2.0 + k % 7, 1.5) for k in range(2 * 1440)]
    assert began.count(True) == 2
    log.note(2 * DAY - 1, "gross", 1, -2.0, -1.5)
    done = log.take(final=True)
    assert [(h.limit, h.symbol, h.count) for h in done] == [
        ("gross", None, 1440),
        ("gross", None, 1440),
        ("gross", 1, 1),
    ]
    assert (done[0].ts, done[0].last_ts, done[0].asked) == (0, 1439 * MINUTE, 8.0)
    assert len(seen) == 3
    assert log.take(final=True) == []


def test_a_row_is_handed_out_once_its_day_is_over() -> None:
    log = HitLog()
    log.note(0, "net", None, 2.0, 1.0)
    assert log.take() == []
    log.note(DAY, "net", None, 3.0, 1.0)
    assert [hit.asked for hit in log.take()] == [2.0]
    assert [hit.asked for hit in log.rows()] == [3.0]


@given(st.lists(st.integers(0, 2 * 10**4), min_size=1, max_size=30), st.integers(0, 30))
def test_limits_continue_from_their_checkpoint(path: list[int], cut: int) -> None:
    def play(limits: Limits, start: int, values: list[int]) -> list[bool]:
        changes = []
        for k, equity in enumerate(values, start):
            changes.append(limits.observe(k * 7 * HOUR, equity))
            limits.clip(k * 7 * HOUR, [equity / 10**4, -0.2])
            limits.rate_left(k * 7 * HOUR)
            limits.count_order(k * 7 * HOUR)
        return changes

    whole = Limits(limit_config())
    expected = play(whole, 0, path)
    first = Limits(limit_config())
    begun = play(first, 0, path[:cut])
    second = Limits(limit_config(gross=0.1))
    second.restore(msgspec.json.decode(msgspec.json.encode(first.checkpoint())))
    assert begun + play(second, len(begun), path[cut:]) == expected
    assert second.checkpoint() == whole.checkpoint()
