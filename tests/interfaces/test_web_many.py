"""The page at a thousand agents, and for everybody's eyes, ears and hands."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, until
from page_world import tell, unserved_page

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.live.channel import Channel
from mirrorcore.interfaces.live.picture import Picture

ROOT = Path(__file__).resolve().parents[2]
SHOWN = "#grid .grid-row:not([hidden])"
ROWS = f"""() => [...document.querySelectorAll('{SHOWN}')]
    .map(row => [Number(row.getAttribute('aria-rowindex')), row.firstChild.textContent,
                 row.getBoundingClientRect().top])
    .sort((a, b) => a[0] - b[0])"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


def shown(page: Any, world: World) -> None:
    """Tell the page of a swarm, and wait until its grid is painted."""
    page.evaluate("window.mirrorcore.link.client.connected()")
    assert tell(page, world.hello()) == "greeted"
    assert tell(page, world.snapshot()) == "applied"
    wanted = f"{world.agents} of {world.agents}"
    until(lambda: wanted in page.locator("#agents .head").inner_text(), "it is painted")


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    with unserved_page(chromium) as one:
        shown(one, World(1000))
        yield one


def columns(page: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = page.evaluate("window.mirrorcore.link.client.state.agents.c")
    return found


def test_what_is_not_seen_does_not_exist(page: Any, chromium: Any) -> None:
    count = "document.querySelectorAll('*').length"
    with unserved_page(chromium) as small:
        shown(small, World(100))
        assert page.evaluate(count) <= small.evaluate(count) + 60
    assert page.locator(SHOWN).count() < 40
    assert page.locator("#grid").get_attribute("aria-rowcount") == "1001"


def test_before_its_first_tick_a_swarm_says_nothing(chromium: Any) -> None:
    with unserved_page(chromium, "?tab=flow") as empty:
        thrown: list[str] = []
        empty.on("pageerror", lambda error: thrown.append(str(error)))
        channel = Channel(5, Picture.blank())
        assert tell(empty, json.loads(channel.snapshot("hello"))) == "applied"
        until(lambda: empty.locator("#banner").is_visible(), "a second has passed")
        for key in ("g", "2", "6", "9", " ", " "):
            empty.keyboard.press(key)
        assert thrown == []
        assert empty.locator("#top .badge").inner_text() == "…"


def test_every_row_can_be_reached(page: Any) -> None:
    ids = columns(page)["id"]
    page.locator("#grid").focus()
    for key, first in (("Home", 0), ("End", None), ("PageUp", None), ("Home", 0)):
        page.keyboard.press(key)
        until(lambda: page.locator("#grid .current").count() == 1, "the row with the focus is seen")
        rows = page.evaluate(ROWS)
        assert [ids[index - 2] for index, _, _ in rows] == [name for _, name, _ in rows]
        tops = [top for _, _, top in rows]
        assert all(b - a == 24 for a, b in itertools.pairwise(tops)), "none on another"
        if first is not None:
            assert rows[0][1] == ids[first]
        if key == "End":
            assert rows[-1][1] == ids[-1]
        active = page.locator("#grid").get_attribute("aria-activedescendant")
        assert "current" in page.locator(f"#{active}").get_attribute("class")
    page.evaluate("document.activeElement.blur()")


def test_order_and_filter_are_those_of_the_figures(page: Any) -> None:
    held = columns(page)
    page.locator("#grid button[data-column=health]").focus()
    for key in ("Enter", "Enter"):
        page.keyboard.press(key)
    page.locator("#grid button[data-column=id]").click(modifiers=["Shift"])
    page.mouse.move(5, 5)
    by = sorted(range(1000), key=lambda row: (-held["hp"][row], held["id"][row]))
    until(
        lambda: (
            [name for _, name, _ in page.evaluate(ROWS)][:10]
            == [held["id"][row] for row in by[:10]]
        ),
        "falling by health, then rising by id",
    )
    page.locator("#filter").fill("health<0.8 !mailbox>=3")
    count = sum(held["hp"][row] < 0.8 and held["mb"][row] < 3 for row in range(1000))
    assert 0 < count < 1000
    until(
        lambda: f"{count} of 1000" in page.locator("#agents .head").inner_text(), "as many as it is"
    )
    page.locator("#filter").fill("")


def test_everything_has_a_name_and_a_place(page: Any) -> None:
    """What an accessibility checker calls critical: names, labels, roles, order of focus."""
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, canvas')]
        .filter(one => !(one.textContent.trim() || one.getAttribute('aria-label') || one.title
            || one.closest('label') || one.getAttribute('aria-hidden')
            || one.closest('[role=img][aria-label]')))
        .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    odd = "document.querySelectorAll('[tabindex]:not([tabindex=\"0\"])').length"
    assert page.evaluate(odd) == 0, "focus goes in the order of the page, and nothing is left out"
    roles = page.evaluate(
        "[...document.querySelectorAll('[role]')].map(one => one.getAttribute('role'))"
    )
    wanted = {"grid", "row", "gridcell", "columnheader", "tablist", "tab", "tabpanel", "status",
              "log", "combobox", "listbox", "img"}  # fmt: skip
    assert wanted <= set(roles)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("document.documentElement.lang") == "en"
    for name in ("Tab",) * 3:
        page.keyboard.press(name)
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid", "where the focus is can be seen"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["dark", "light", "contrast"])
def test_all_text_can_be_read(theme: str) -> None:
    """At least 4.5 to 1 on every ground it stands on (WCAG 2.2, 1.4.3); 7 in high contrast."""
    style = (ROOT / "web" / "src" / "style.css").read_text("utf-8")
    blocks = [re.search(r":root \{(.*?)\}", style, re.S)]
    if theme != "dark":
        blocks.append(re.search(rf'\[data-theme="{theme}"\] \{{(.*?)\}}', style, re.S))
    colours: dict[str, str] = {}
    for block in blocks:
        assert block is not None
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block[1]))
    least = 7.0 if theme == "contrast" else 4.5
    pairs = [
        (text, ground)
        for text in ("text", "dim", "ok", "warn", "bad", "up", "down")
        for ground in ("panel", "raised", "bg")
    ]
    for text, ground in [*pairs, ("stop-text", "stop")]:
        one, other = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        ratio = (one + 0.05) / (other + 0.05)
        assert ratio >= (4.5 if text == "stop-text" else least), (text, ground, round(ratio, 2))


TABS = (
    "events", "decisions", "positions", "orders", "trades", "risk", "flow", "data", "alerts",
    "audit", "emergence",
)  # fmt: skip
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rows' place is scrolled by the keys of the grid around it, which axe does not see.
COLOURS = ["wcag2aa"]
LOOK = """rules => axe.run(document, {
    resultTypes: ["violations"], runOnly: rules, preload: false,
}).then(found => found.violations.flatMap(one => one.nodes
    .filter(node => one.id !== "scrollable-region-focusable" || !node.html.includes("grid-body"))
    .map(node => `${one.id}: ${node.html.slice(0, 120)}`)))"""


def axe_core() -> str:
    """The program that looks for what keeps people out; dev only, never part of the page."""
    file = ROOT / "build" / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        hint = "call scripts/system-deps, it installs axe-core into build/web"
        if "CI" in os.environ:
            pytest.fail(hint)
        pytest.skip(hint)
    return file.read_text("utf-8")


def test_axe_finds_nothing_on_any_tab_in_any_theme(chromium: Any) -> None:
    """Names, roles, headings, targets and contrast; in other themes what has to do with colour."""
    with unserved_page(chromium) as one:
        shown(one, World(1000))
        one.evaluate(axe_core())
        one.set_viewport_size({"width": 1280, "height": 640})
        coloured = ("decisions", "risk", "flow", "alerts", "emergence")
        for theme, rules, tabs in (
            ("dark", RULES, TABS), ("light", COLOURS, coloured), ("contrast", COLOURS, coloured),
        ):  # fmt: skip
            until(lambda wanted=theme: theme_of(one) == wanted or one.keyboard.press("t"), theme)
            for tab in tabs:
                one.locator(f"#tab-{tab}").click()
                assert one.evaluate(LOOK, rules) == [], (theme, tab)
            one.keyboard.press("g")
            one.keyboard.press("ArrowDown")
            one.keyboard.press("Enter")
            one.locator("#drawer h2").wait_for()
            assert one.evaluate(LOOK, rules) == [], (theme, "drawer")
            one.keyboard.press("?")
            one.locator("dialog[open]").wait_for()
            assert one.evaluate(LOOK, rules) == [], (theme, "keys")
            one.keyboard.press("Escape")
            one.keyboard.press("Escape")


def theme_of(page: Any) -> str:
    return str(page.evaluate("document.documentElement.dataset.theme"))


def test_tab_goes_from_top_to_bottom_and_is_seen_where_it_is(chromium: Any) -> None:
    focused = """() => {
        const one = document.activeElement;
        const style = getComputedStyle(one);
        return [one.closest("#top, #banner, main > .panel, #bottom")?.id ?? "",
                `${style.outlineStyle} ${style.outlineWidth}`];
    }"""
    with unserved_page(chromium) as one:
        shown(one, World(100))
        seen: list[str] = []
        for _ in range(60):
            one.keyboard.press("Tab")
            where, outline = one.evaluate(focused)
            if not where:
                break
            assert outline == "solid 2px", where
            seen.append(where)
    places = [place for place, _ in itertools.groupby(seen)]
    assert places == ["top", "banner", "price", "equity", "agents", "side", "bottom"]
