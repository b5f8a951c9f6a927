"""The parts the screens are made of: the board, columns that fit, answers unfolded."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.style import Style
from terminal_world import Feed

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.live.filtering import Filter, Sort
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.board import FIELDS, TREND, Board
from mirrorcore.interfaces.terminal.dialogs import ConfirmDialog, StopDialog
from mirrorcore.interfaces.terminal.frame import SCREENS
from mirrorcore.interfaces.terminal.grid import Column, Grid, fitting
from mirrorcore.interfaces.terminal.pane import Pane, Scroller, segments
from mirrorcore.interfaces.terminal.prompt import Prompt
from mirrorcore.interfaces.terminal.unfold import unfold
from mirrorcore.interfaces.terminal.views.inside import changed, inside
from mirrorcore.interfaces.terminal.views.table import Table


def board(agents: int = 12) -> tuple[Board, Feed]:
    feed = Feed(World(agents))
    return Board(feed.model, lambda: feed.applied), feed


def test_columns_are_those_of_the_wire_in_words() -> None:
    seen, feed = board()
    columns = seen.columns
    assert list(columns["agent"]) == feed.world.names()
    assert columns["status"][2] == "isolated"
    assert columns["circuit"][2] == "open"
    assert columns["kind"][:4] == ["mind", "mind", "risk", "social"]
    assert seen.agent(0)["health"] == 0.97
    assert {field.name for field in FIELDS} <= set(columns)


def test_who_was_removed_is_listed_only_when_asked_for() -> None:
    seen, feed = board()
    feed.model.agents["st"][4] = feed.model.enums["st"].index("removed")
    feed.applied += 1
    assert 4 not in seen.rows()
    assert seen.count() == 11
    seen.filter = Filter.parse("status:removed", FIELDS)
    assert seen.rows() == [4]


def test_a_pause_keeps_everything_that_is_shown() -> None:
    seen, feed = board()
    seen.pause()
    kept = json.dumps(
        [seen.seen.top, seen.seen.agents, seen.seen.tables, seen.seen.candles, seen.seen.eq]
    )
    for _ in range(5):
        feed.step()
    assert seen.behind == 5
    assert (
        json.dumps(
            [seen.seen.top, seen.seen.agents, seen.seen.tables, seen.seen.candles, seen.seen.eq]
        )
        == kept
    )
    seen.sample()
    assert seen.trend_of(0) == []
    seen.resume()
    assert seen.behind == 0
    assert json.dumps(seen.seen.agents) != kept


def test_sparklines_take_a_point_a_second_and_keep_the_newest() -> None:
    seen, feed = board()
    points = []
    for _ in range(TREND + 5):
        feed.step()
        seen.sample()
        points.append(feed.model.agents["pnl"][3])
    assert seen.trend_of(3) == points[-TREND:]
    seen.follow_trend("mailbox")
    assert seen.trend_of(3) == []


def test_filter_and_order_go_together() -> None:
    seen, _ = board(60)
    seen.filter = Filter.parse("kind:mind,risk pnl>0", FIELDS)
    seen.sort = Sort.parse("kind,-pnl", FIELDS)
    columns = seen.columns
    rows = seen.rows()
    assert len(rows) > 3
    keys = [(columns["kind"][row], -columns["pnl"][row]) for row in rows]
    assert keys == sorted(keys)
    assert all(kind in ("mind", "risk") and pnl < 0 for kind, pnl in keys)


COLUMNS = tuple(Column(name, name, width, lambda row: ("", None)) for name, width in
                (("a", 10), ("b", 5), ("c", 20), ("d", 8)))  # fmt: skip


@pytest.mark.parametrize(
    ("width", "names", "last"),
    [
        (100, "abcd", 8),
        (46, "acd", 8),
        (45, "acd", 8),
        (40, "acd", 7),
        (38, "ac", 20),
        (26, "ac", 14),
        (11, "a", 10),
    ],
)
def test_columns_there_is_room_for(width: int, names: str, last: int) -> None:
    found = fitting(COLUMNS, ("b",), width)
    assert "".join(column.name for column in found) == names
    assert found[-1].width == last
    assert sum(column.width + 1 for column in found) <= width


ANSWER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWER, st.integers(20, 120))
def test_any_answer_can_be_unfolded(answer: object, width: int) -> None:
    for line in unfold(answer, width):
        painted = segments(line, width, Style())
        assert sum(segment.cell_length for segment in painted) == width
        assert not any(ord(letter) < 32 for segment in painted for letter in segment.text)


def test_rows_alike_become_columns() -> None:
    lines = ["".join(text for text, _ in line).rstrip() for line in unfold(
        {"positions": [{"symbol": "A/B", "qty": 0.5}, {"symbol": "CCC/B", "qty": None}]}, 60
    )]  # fmt: skip
    assert lines == [" positions", "   symbol  qty", "   A/B     0.5", "   CCC/B   –"]


def test_changes_are_told_newest_first_and_only_where_they_can_be_seen() -> None:
    history = {
        "fear": [["t1", 0.1], ["t2", 0.1], ["t3", 0.2]],
        "ego": [["t1", 1.0], ["t2", 1.00000001], ["t4", 2.0]],
    }
    assert list(changed(history)) == [("t4", "ego", 1.00000001, 2.0), ("t3", "fear", 0.1, 0.2)]
    assert list(changed(None)) == []


def test_the_inside_of_an_agent_that_said_nothing() -> None:
    text = "\n".join("".join(piece for piece, _ in line) for line in inside({"state": {}}, 80))
    assert "nothing published yet" in text
    assert "nothing but what it is now" in text


MEANT = {
    "_fatal_error": "a defect is told by the command line, not by a traceback over the screen",
}
"""Names of Textual's own that are overridden on purpose, beside its public ones."""


_OF_CLASSES = ("_merged", "_css_", "_computes", "_reactives", "_decorated", "_inherit")
"""Beginnings of names that Textual itself puts into every class."""


def test_no_name_of_ours_takes_the_place_of_one_of_textuals() -> None:
    """Textual's classes have hundreds of private names, and say nothing when one is taken."""
    ours: list[type] = []
    for one in Monitor.__mro__:
        if one.__module__.startswith("mirrorcore"):
            ours.append(one)
    for kind in (Grid, Table, Pane, Scroller, Prompt, *SCREENS, StopDialog, ConfirmDialog):
        ours += [one for one in kind.__mro__ if one.__module__.startswith("mirrorcore")]
    taken = [
        f"{one.__name__}.{name}"
        for one in dict.fromkeys(ours)
        for name in vars(one)
        if name.startswith("_") and not name.startswith("__") and name not in MEANT
        and not name.startswith(_OF_CLASSES)
        and any(
            hasattr(base, name) for base in one.__mro__ if base.__module__.startswith("textual")
        )
    ]  # fmt: skip
    assert not taken
