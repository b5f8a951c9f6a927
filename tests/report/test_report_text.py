"""Values as text, fewer points for a plot, and the screen of a terminal."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import full_run, run_of, with_identity
from rich.console import Console

from mirrorcore.clock import DAY, HOUR, MINUTE, SECOND
from mirrorcore.report import HEADLINES, METRICS, RunResults, evaluate, render_screen
from mirrorcore.report import formatting as fmt
from mirrorcore.report.charts import steps
from mirrorcore.report.downsampling import keep
from mirrorcore.report.results import AgentRecord
from mirrorcore.report.screen import sparkline
from mirrorcore.report.screen_agents import MOST_AGENTS


class TestFormatting:
    @pytest.mark.parametrize(
        ("nanoseconds", "text"),
        [
            (0, "0 s"), (12.5 * SECOND, "12.5 s"), (MINUTE, "1 min"), (90 * SECOND, "1 min 30 s"),
            (HOUR - SECOND, "59 min 59 s"), (HOUR + 29 * SECOND, "1 h"), (5 * HOUR, "5 h"),
            (DAY - MINUTE, "23 h 59 min"), (27 * HOUR, "1 d 3 h"), (1234 * DAY, "1,234 d"),
        ],
    )  # fmt: skip
    def test_duration(self, nanoseconds: float, text: str) -> None:
        assert fmt.duration(nanoseconds) == text

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0.0, "0"), (40_000.0, "40,000"), (0.0125, "0.0125"), (123456.789, "123,457"),
            (-1.5, "-1.5"), (3e-9, "3e-09"), (0.00001234, "0.00001234"),
        ],
    )  # fmt: skip
    def test_quantity(self, number: float, text: str) -> None:
        assert fmt.quantity(number) == text

    def test_money_keeps_one_number_of_decimals_in_a_run(self) -> None:
        assert [fmt.money_places(e) for e in (10_000.0, 100.0, 50.0, 0.5)] == [2, 2, 4, 8]
        assert fmt.money(0.081234, 2, signed=True) == "+0.08"
        assert fmt.money(-1234.5, 2) == "-1,234.50"
        assert fmt.money(0.00012345, 8) == "0.00012345"

    def test_probability_is_never_printed_as_zero(self) -> None:
        assert fmt.probability(1e-9) == "< 0.001"
        assert fmt.probability(0.0312) == "0.031"

    @given(st.sampled_from([float("nan"), float("inf"), -float("inf")]))
    def test_what_is_not_finite_is_not_available(self, bad: float) -> None:
        for shown in (
            fmt.percent(bad), fmt.ratio(bad), fmt.probability(bad), fmt.count(bad),
            fmt.money(bad, 2), fmt.quantity(bad), fmt.duration(bad),
        ):  # fmt: skip
            assert shown == "n/a"

    @given(st.text())
    def test_printable_has_no_control_characters(self, text: str) -> None:
        shown = fmt.printable(text)
        assert len(shown) == len(text)
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


class TestDownsampling:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(1, 20))
    def test_extremes_first_and_last_stay(self, values: list[float], buckets: int) -> None:
        curve = np.array(values)
        chosen = keep(curve, buckets)
        assert np.all(np.diff(chosen) > 0)
        assert chosen[0] == 0
        assert chosen[-1] == len(curve) - 1
        assert curve[chosen].max() == curve.max()
        assert curve[chosen].min() == curve.min()
        assert len(chosen) <= 3 * buckets + 1

    def test_every_stretch_keeps_its_spike(self) -> None:
        curve = np.zeros(100_000)
        spikes = np.arange(50, 100_000, 1_000)
        curve[spikes] = np.arange(len(spikes)) + 1.0
        assert set(spikes) <= set(keep(curve, 100))

    def test_unknown_values_are_no_extremes(self) -> None:
        curve = np.full(1_000, np.nan)
        curve[500] = 1.0
        assert 500 in keep(curve, 10)

    @given(st.lists(st.integers(0, 9 * 10**9), min_size=1, max_size=50, unique=True))
    def test_instants_add_up_again(self, seconds: list[int]) -> None:
        ts = np.array(sorted(seconds), dtype=np.int64) * SECOND
        sent = steps(ts)
        again = np.cumsum([0, *sent["steps"]]) * sent["unit"] + sent["first"]
        assert (again * 1_000_000).tolist() == ts.tolist()


def shown(results: RunResults, width: int = 100, *, tty: bool = False) -> str:
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=tty,
        color_system="standard" if tty else "auto",
    )
    render_screen(results, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def whole() -> RunResults:
    return full_run(ticks=30_000, trades=200)


class TestScreen:
    @pytest.mark.parametrize("width", [80, 100, 160])
    def test_is_one_screen_within_the_width(self, whole: RunResults, width: int) -> None:
        lines = shown(whole, width).splitlines()
        assert len(lines) <= 58
        assert max(map(len, lines)) <= width

    def test_says_what_the_evaluation_says(self, whole: RunResults) -> None:
        text, found = shown(whole, 120), evaluate(whole)
        for name in HEADLINES:
            line = next(x for x in text.splitlines() if x.startswith(METRICS[name].label))
            assert fmt.measure_text(name, found.measures[name]) in line
            assert fmt.interval_text(name, found.interval(name)) in line
            assert fmt.measure_text(name, found.market[name]) in line
            assert METRICS[name].formula in text.replace("\n", " ")
        for expected in (
            "residual 0", whole.identity.fingerprint, "crash_dummy", "1,204×", "volume_spike 312",
            "SOL/USDT is not described", found.verdict.headline, "deflated Sharpe > 0.95",
        ):  # fmt: skip
            assert expected in text

    def test_colour_only_on_a_terminal(self, whole: RunResults) -> None:
        assert "\x1b" not in shown(whole)
        assert "\x1b[" in shown(whole, tty=True)

    def test_numbers_are_never_cut(self, whole: RunResults) -> None:
        text = shown(whole, 80)
        for agent in whole.agents:
            line = next((x for x in text.splitlines() if x.startswith(agent.id[:10])), "")
            if agent.failures:
                assert f"{agent.calls:,}" in line
            elif agent.votes:
                assert fmt.percent(agent.shadow_pnl_net, signed=True) in line
            else:
                assert agent.id in text

    def test_a_terminal_without_unicode_gets_plain_letters(self, whole: RunResults) -> None:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding="ascii")
        hostile = with_identity(whole, data="données ✓ simulées")
        render_screen(hostile, Console(width=100, file=file))
        file.flush()
        text = raw.getvalue().decode("ascii")
        assert "donn?es ? simul?es" in text
        assert "Sharpe" in text

    def test_names_cannot_steer_the_terminal(self, whole: RunResults) -> None:
        evil = "\x1b[2J[red]\x07\r\nroot"
        hostile = with_identity(whole, run_id=evil, data=evil)
        text = shown(hostile, 160)
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "[red]" in text
        assert "�[2J[red]���root" in text

    def test_unbalanced_books_are_shouted(self) -> None:
        results = run_of([100.0] * 3, accounting_residual=3)
        assert "DO NOT BALANCE, residual 3" in shown(results)

    def test_many_agents_are_counted(self) -> None:
        agents = tuple(
            AgentRecord(id=f"a{i:03}", kind="k", state="running", health=1.0, failures=int(i == 77))
            for i in range(100)
        )
        text = shown(run_of([100.0] * 3, agents=agents))
        assert "a077" in text
        assert f"and {99 - MOST_AGENTS} more" in text
        failing = tuple(replace(agent, failures=1) for agent in agents)
        text = shown(run_of([100.0] * 3, agents=failing))
        assert f"{100 - MOST_AGENTS} more agents with failures" in text

    @pytest.mark.parametrize("equity", [[], [101.0], [100.0] * 40, [50.0, -10.0, -20.0]])
    def test_poor_runs_say_why_and_never_nan(self, equity: list[float]) -> None:
        text = shown(run_of(equity))
        assert "n/a" in text
        assert not re.search(r"\b(nan|NaN|inf|Infinity|None)\b", text)

    def test_takes_less_than_a_second(self) -> None:
        results = full_run()
        start = time.process_time()
        shown(results)
        assert time.process_time() - start < 1.0


class TestSparkline:
    def test_runs_from_lowest_to_highest(self) -> None:
        results = run_of(np.linspace(101, 200, 500))
        line = sparkline(results, 40)
        assert len(line) == 40
        assert line == "".join(sorted(line))
        assert (line[0], line[-1]) == ("▁", "█")

    def test_flat_narrow_and_empty(self) -> None:
        assert set(sparkline(run_of([100.0] * 30), 20)) == {"▁"}
        assert sparkline(run_of([100.0] * 30), 7) == ""
        assert sparkline(run_of([]), 40) == ""
