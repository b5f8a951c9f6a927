"""Text on a screen: harmless whatever it says, exactly as wide as its cell, readable as figures."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mirrorcore.interfaces.terminal.look import health_cell
from mirrorcore.interfaces.terminal.text import (
    age,
    fit,
    gauge,
    harmless,
    number,
    share,
    sparkline,
    wrap,
)

HOSTILE = (
    "\x1b[2Jgone",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31mred",
    "a\rb\nc\td\x00",
    "\u202eright to left\u2066",
    "zero\u200bwidth\ufeff",
    "\ud800alone",
    "z" + "\u0300" * 500,
    "line\u2028separator",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_steers_the_terminal(text: str) -> None:
    shown = harmless(text)
    assert all(
        unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or letter == "\ufffd"
        for letter in shown
    )
    assert len(shown) <= len(text)
    shown.encode("utf-8")


def test_what_steers_is_made_visible() -> None:
    assert harmless("\x1b[2Jgone\n") == "␛[2Jgone␊"
    assert harmless("\u202eabc") == "\ufffdabc"
    assert harmless("plain") == "plain"
    assert harmless("Zürich 東京 e\u0301") == "Zürich 東京 e\u0301"


@settings(deadline=None)
@given(st.text(), st.integers(0, 40), st.booleans())
def test_a_cell_is_as_wide_as_it_is(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right=right)) == width


@settings(deadline=None)
@given(st.text(), st.integers(2, 40))
def test_a_paragraph_is_no_wider(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    letters = harmless(text).replace(" ", "")
    assert "".join(lines).replace(" ", "") == letters


def test_too_long_ends_in_an_ellipsis() -> None:
    assert fit("MomentumAnalyst", 8) == "Momentu…"
    assert fit("東京東京", 6) == "東京 …"
    assert fit("7", 3, right=True) == "  7"


def test_a_sparkline_spans_its_own_range() -> None:
    assert sparkline([1, 2, 3, None, 5], 6) == " ▁▃▅ █"
    assert sparkline([2.0, 2.0], 2) == "▄▄"
    assert sparkline([], 3) == "   "
    assert sparkline([float("nan"), None], 3) == "   "
    assert sparkline(range(100), 4) == "▁▃▆█"


def test_figures() -> None:
    assert number(1234.5) == "1,234.50"
    assert number(-0.5, signed=True) == "-0.50"
    assert number(None) == number(float("nan")) == number(True) == "–"
    assert share(0.1234) == "12.3%"
    assert share(-0.01, signed=True) == "-1.0%"
    assert gauge(0.5, 4) == "██░░"
    assert gauge(7.0, 3) == "███"
    assert [age(ms) for ms in (-5, 999, 1000, 61_000, 7_200_000, 200_000_000)] == [
        "<1s", "<1s", "1s", "1m", "2h", "2d",
    ]  # fmt: skip


def test_health_reads_without_colour() -> None:
    assert [health_cell(value)[0] for value in (1.0, 0.7, 0.2, None)] == [
        "● ok   1.00", "▲ warn 0.70", "■ bad  0.20", "○ none",
    ]  # fmt: skip
