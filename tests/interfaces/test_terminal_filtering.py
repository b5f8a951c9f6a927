"""The filter language: what each term keeps, and what is said of one that cannot be read."""

from __future__ import annotations

import pytest

from mirrorcore.interfaces.live.filtering import Field, Filter, FilterError, Sort


def word(health: float) -> str:
    return "ok" if health > 0.8 else "warn" if health > 0.5 else "bad"


FIELDS = (
    Field("agent", also=("id",)),
    Field("kind"),
    Field("status"),
    Field("health", number=True, words=word),
    Field("pnl", number=True),
)
COLUMNS = {
    "agent": ["FearAnalyzer", "risk-1", "Risk 2", "Momentum", "x"],
    "kind": ["mind", "risk", "risk", "technical", None],
    "status": ["active", "paused", "active", "isolated", "active"],
    "health": [0.95, 0.6, 0.81, 0.1, None],
    "pnl": [1.5, -2.0, 0.0, float("nan"), 12.0],
}
ROWS = range(5)


def kept(text: str) -> list[int]:
    return Filter.parse(text, FIELDS).select(COLUMNS, ROWS)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("kind:risk", [1, 2]),
        ("KIND:RI", [1, 2]),
        ("kind:risk,mind", [0, 1, 2]),
        ("kind:isk", []),
        ("!kind:risk", [0, 3, 4]),
        ("kind=risk", [1, 2]),
        ("kind=ri", []),
        ("kind!=risk", [0, 3, 4]),
        ("!kind!=risk", [1, 2]),
        ("health<0.8", [1, 3]),
        ("health<80%", [1, 3]),
        ("health>=0.81", [0, 2]),
        ("health:bad", [3]),
        ("health:ok,warn", [0, 1, 2]),
        ("pnl:12,0", [2, 4]),
        ("pnl>0", [0, 4]),
        ("pnl=0", [2]),
        ("pnl!=0", [0, 1, 4]),
        ("!pnl>0", [1, 2, 3]),
        ("fear", [0]),
        ("id:fear", [0]),
        ("RISK", [1, 2]),
        ('"risk 2"', [2]),
        ('agent:"risk 2"', [2]),
        ('!"risk 2" risk', [1]),
        ("status:active pnl>0", [0, 4]),
        ("status:active !fear !kind:risk", [4]),
    ],
)
def test_what_a_filter_keeps(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("knd:risk", "no column 'knd'", "'kind'"),
        ("zzzzz:1", "no column 'zzzzz'", "columns are agent, kind"),
        ("pnl>abc", "'abc' is not a number", "pnl>0.5"),
        ("pnl>nan", "nan compares with nothing", "pnl>0.5"),
        ("kind>1", "kind is text", "kind:text"),
        ("kind:", "nothing after ':'", "kind:text"),
        ("kind:,", "nothing between the commas", "kind:text"),
        ("!", "stands alone", "!term"),
        ("!!fear", "a second is none", "!term"),
        ('"open', "a quote is not closed", "two words"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, message: str, hint: str) -> None:
    with pytest.raises(FilterError) as caught:
        kept(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("pnl", [1, 2, 0, 4, 3]),
        ("-pnl", [4, 0, 2, 1, 3]),
        ("status", [0, 2, 4, 3, 1]),
        ("status,-pnl", [4, 0, 2, 3, 1]),
        ("kind", [0, 1, 2, 3, 4]),
        ("-kind", [3, 1, 2, 0, 4]),
        ("Agent", [0, 3, 2, 1, 4]),
        ("id", [0, 3, 2, 1, 4]),
    ],
)
def test_the_order_of_a_sort(text: str, rows: list[int]) -> None:
    sort = Sort.parse(text, FIELDS)
    assert sort.order(COLUMNS, ROWS) == rows
    assert Sort.parse(sort.text(), FIELDS) == sort


def test_a_sort_by_what_is_not_there() -> None:
    with pytest.raises(FilterError, match="no column 'pl'") as caught:
        Sort.parse("-pl", FIELDS)
    assert "'pnl'" in caught.value.hint
