"""The dashboard in a real browser, before a real swarm: what it shows and what it does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from api_world import HOSTILE, LiveSwarm
from chromium import browser, until
from page_world import Dashboard, number

from mirrorcore.interfaces.live.filtering import Filter, FilterError
from mirrorcore.interfaces.terminal.board import FIELDS
from mirrorcore.journal import JournalReader

KIB = 1024


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("page"), paper__speed=900.0) as one:
        yield one


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


@pytest.fixture
def dashboard(chromium: Any, swarm: LiveSwarm) -> Iterator[Dashboard]:
    with Dashboard(chromium, swarm.port, swarm.token()) as one:
        yield one


def gateway(swarm: LiveSwarm) -> str:
    return str(swarm.run.swarm.parts.path.gateway.state.value).lower()


def test_it_opens_small_alone_and_keeps_the_token_to_itself(
    dashboard: Dashboard, swarm: LiveSwarm
) -> None:
    page = dashboard.page
    assert page.url == f"http://127.0.0.1:{swarm.port}/"
    assert dashboard.js("() => sessionStorage.getItem('mirrorcore.token')") == swarm.token()
    assert dashboard.js("() => document.cookie + JSON.stringify(localStorage)") == "{}"
    assert swarm.token() not in dashboard.js("() => document.documentElement.outerHTML")
    assert all(url.startswith(page.url) for url in dashboard.asked), "nothing from anywhere else"
    assert len(dashboard.asked) <= 8
    loaded = dashboard.js(
        """() => performance.getEntriesByType('resource').map(one => one.decodedBodySize)
        .concat(performance.getEntriesByType('navigation')[0].decodedBodySize)"""
    )
    assert sum(loaded) <= 300 * KIB
    assert dashboard.text("#top .badge") == "PAPER"
    assert "operator's" in dashboard.page.locator("#top .badge").get_attribute("title")
    dashboard.after_frames()
    assert dashboard.said == [], "no error, nothing that the content security policy forbids"


@dataclass
class Books:
    """The books at one tick, added up from the journal's bars and fills alone."""

    held: dict[str, float]
    fills: int
    equity: float


def books_of(swarm: LiveSwarm, until_tick: int) -> Books:
    """Money at the begin, less what was paid, plus what is held at the newest closes."""
    symbols = swarm.run.swarm.context.symbols
    instruments = swarm.run.swarm.parts.path.ledger.units.instruments
    lot, price = (
        [Decimal(one.lot) for one in instruments],
        [Decimal(one.tick) for one in instruments],
    )
    quantum = Decimal(1).scaleb(-swarm.run.swarm.parts.path.ledger.units.places)
    held = dict.fromkeys(symbols, Decimal(0))
    close = dict.fromkeys(symbols, Decimal(0))
    cash, fills = Decimal(swarm.config.account.balance), 0
    with JournalReader(swarm.folder / "journal.sqlite") as journal:
        decided = next(e.ts for e in journal.entries("decision") if e.body[0] == until_tick)
        for entry in journal.entries("input"):
            for record in entry.body if entry.ts <= decided else ():
                if record["type"] == "bar":
                    close[record["symbol"]] = Decimal(repr(record["close"]))
        for entry in journal.entries("fill"):
            if entry.ts > decided:
                continue
            _, _, at, _, _, lots, ticks, fee, *_ = entry.body
            quantity = int(lots) * lot[at]
            held[symbols[at]] += quantity
            cash -= quantity * int(ticks) * price[at] + int(fee) * quantum
            fills += 1
    equity = cash + sum(held[name] * close[name] for name in symbols)
    return Books({name: float(one) for name, one in held.items()}, fills, float(equity))


def test_page_api_and_journal_say_the_same_at_twenty_moments(
    dashboard: Dashboard, swarm: LiveSwarm
) -> None:
    rng = Random(20)
    dashboard.key("2", "w")
    symbols = swarm.run.swarm.context.symbols
    seen: set[int] = set()
    tried = 0
    while len(seen) < 20:
        tried += 1
        assert tried < 200, "the page is never at rest within a tick"
        tick = after(dashboard, dashboard.state("top.number") + rng.randrange(1, 3))
        shown = at_rest(dashboard, tick)
        if shown["number"] != tick:
            continue
        first = swarm.get("/api/v1/status").document["result"]["last_decision"]
        decisions = swarm.get("/api/v1/decisions").document["result"]["decisions"]
        positions = swarm.get("/api/v1/positions").document["result"]["positions"]
        status = swarm.get("/api/v1/status").document["result"]
        said = {first, status["last_decision"], *(one["tick"] for one in decisions.values())}
        if said != {tick}:
            continue
        seen.add(tick)
        assert number(shown["equity"]) == status["equity"]
        assert number(shown["drawdown"]) == round(100 * status["drawdown"], 2)
        assert number(shown["day"]) == pytest.approx(100 * status["change_today"], abs=0.0051)
        with JournalReader(swarm.folder / "journal.sqlite") as journal:
            body = next(
                entry.body for entry in journal.entries("decision") if entry.body[0] == tick
            )
        books = books_of(swarm, tick)
        assert status["fills"] == books.fills
        assert number(shown["equity"]) == pytest.approx(books.equity, abs=0.0051)
        for at, symbol in enumerate(symbols):
            row = shown["rows"][symbol]
            decision = decisions[symbol]
            assert number(row[4]) == pytest.approx(body[1], abs=0.0051), "gate"
            assert number(row[5]) == pytest.approx(100 * body[2][at], abs=0.0051), "wanted"
            assert decision["wanted"] == pytest.approx(body[2][at], abs=0.0000501)
            assert number(row[3]) == pytest.approx(100 * decision["target"], abs=0.0051)
            assert positions[symbol]["quantity"] == pytest.approx(books.held[symbol], abs=1e-9)


PAINTED = """() => {
    const figures = [...document.querySelectorAll('#top .figure')].map(one => one.textContent);
    const of = name => figures.find(one => one.startsWith(name));
    const rows = [...document.querySelectorAll('#side table:first-of-type tbody tr')]
        .filter(row => row.cells.length === 8)
        .map(row => [row.cells[0].innerText, [...row.cells].map(one => one.innerText)]);
    const { top } = window.mirrorcore.link.client.state;
    return {
        number: top.number, eq: top.eq, rows: Object.fromEntries(rows),
        equity: of('equity'), day: of('day'), drawdown: of('drawdown'),
        why: document.querySelector('#side h3')?.textContent ?? '',
    };
}"""


def after(dashboard: Dashboard, wanted: int) -> int:
    """The number of the decision that is the newest when ``wanted`` is reached."""
    until(lambda: dashboard.state("top.number") >= wanted, "the swarm goes on")
    return int(dashboard.state("top.number"))


def at_rest(dashboard: Dashboard, tick: int) -> dict[str, Any]:
    """What is painted of this tick, or of a later one if it is over before it was painted."""

    def found() -> dict[str, Any] | None:
        seen: dict[str, Any] = dashboard.js(PAINTED)
        painted = seen["why"].endswith(f": D{tick}") and number(seen["equity"]) == seen["eq"]
        return seen if painted or seen["number"] != tick else None

    shown: dict[str, Any] = until(found, "this moment is painted, or the next is there")
    return shown


def test_what_is_done_to_the_swarm_is_seen_on_the_page(
    dashboard: Dashboard, swarm: LiveSwarm
) -> None:
    """Each thing is perturbed behind the page's back, and the page says so."""
    page = dashboard.page
    assert "paused" not in dashboard.text("#top .chips")
    swarm.command("pause_agent", "operator", "w1", target="MomentumScout")
    until(lambda: "1 paused" in dashboard.text("#top .chips"), "the count of paused agents")
    page.locator("#top .chips button", has_text="paused").click()
    until(lambda: dashboard.rows() == ["MomentumScout"], "a click on the count shows them")
    assert "filter=status%3Apaused" in page.url
    swarm.command("resume_agent", "operator", "w2", target="MomentumScout")
    until(lambda: "paused" not in dashboard.text("#top .chips"), "it is resumed")
    page.locator("#tab-risk").click()
    limit = dashboard.state("risk.gross.limit")
    swarm.command("adjust_risk", "operator", "w3", name="gross", value=limit / 2)
    told = f"limit {50 * limit:g} % of equity, configured {100 * limit:g} %"
    until(lambda: told in dashboard.text("#side .meter:has(b:text('gross'))"), "the limit")
    swarm.command("pause_entries", "operator", "w4")
    until(lambda: "kept out by entries" in dashboard.text("#side"), "no new risk is taken")
    swarm.command("resume_entries", "operator", "w5")
    until(lambda: "kept out by entries" not in dashboard.text("#side"), "new risk is taken")
    page.locator("#tab-events").click()
    swarm.command("annotate", "operator", "w6", text=HOSTILE)
    until(lambda: "annotation" in dashboard.text("#side"), "the remark")
    page.locator("#tab-audit").click()
    row = page.locator("#side tbody tr", has_text="adjust_risk").first
    row.wait_for()
    assert row.locator("td").nth(2).inner_text().startswith("http")


AUDITED = (
    ("rebalance_weights", {"weights": {"MomentumScout": 0.2, "MeanReverter": 0.3}}, "rejected",
     "idempotency_key_reused", "it is too loud", 0),
    ("emergency_stop", {"level": "flatten"}, "partial", "ack_timeout",
     "prices look wrong on two venues", 21),
    ("pause_agent", {"target": "MomentumScout"}, "rejected", "confirm_required", "", 0),
)  # fmt: skip
WORDS_BROKEN = """cell => {
    const text = cell.firstChild;
    return [...text.data.matchAll(/\\S+/g)].filter(word => {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        return range.getClientRects().length > 1;
    }).map(word => word[0]);
}"""


def test_the_audit_can_be_read_where_it_stands(chromium: Any, swarm: LiveSwarm) -> None:
    """Once its result was broken within words, and the reasons lay beyond the panel."""
    by = {"name": "operator", "role": "operator", "origin": "terminal", "address": "127.0.0.1"}
    entries = [
        {
            "id": name, "command": name, "args": args, "by": by, "reason": reason,
            "status": status, "error": error, "acked": ["a"] * acked, "missing": [],
            "tick": 12345, "wall": "2026-11-28T00:49:48.123456",
        }
        for name, args, status, error, reason, acked in AUDITED
    ]  # fmt: skip

    def instead(route: Any) -> None:
        asked = json.loads(route.request.post_data or "{}")
        if asked.get("name") != "audit":
            route.continue_()
            return
        told = {"name": "audit", "status": "done", "result": {"audit": entries}}
        route.fulfill(json=told)

    with Dashboard(chromium, swarm.port, swarm.token()) as dashboard:
        page = dashboard.page
        page.route("**/api/v1/commands", instead)
        page.locator("#tab-audit").click()
        page.locator("#side td", has_text="two venues").wait_for()
        table, panel = (
            page.locator(one).evaluate("one => one.getBoundingClientRect().right")
            for one in ("#side .audit table", "#side")
        )
        assert table <= panel
        for head in ("result", "reason"):
            at = page.locator("#side .audit th").all_inner_texts().index(head)
            for row in page.locator("#side .audit tbody tr").all():
                cell = row.locator("td").nth(at)
                assert not cell.inner_text() or cell.evaluate(WORDS_BROKEN) == []


# Texts and attributes that hold a mark which turns the direction of what follows.
TURNING = """() => [...document.querySelectorAll("body, body *")].flatMap(one => [
    ...[...one.childNodes].filter(child => child.nodeType === 3).map(child => child.data),
    ...[...one.attributes].map(attribute => attribute.value),
]).filter(text => /[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]/.test(text))"""


def test_strangers_texts_are_shown_as_text(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.locator("#filter").fill("rude")
    dashboard.key("Escape", "g", "ArrowDown", "Enter")
    page.locator("#drawer p.bad", has_text="onerror").wait_for()
    assert page.locator("#drawer h2").inner_text() == "Rude"
    page.locator("#side td.text", has_text="onerror").first.wait_for()
    assert page.locator("img").count() == 0
    assert dashboard.said == []


def test_no_text_turns_what_stands_beside_it(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    swarm.command("annotate", "operator", "turned", text="bid\u202e99\u2066 ask\u200f 1")
    shown = page.locator("#side td.text", has_text="bid").first
    shown.wait_for()
    assert shown.inner_text() == "bid\ufffd99\ufffd ask\ufffd 1"
    page.locator("#tab-audit").click()
    page.locator("#side td.text", has_text="bid").first.wait_for()
    dashboard.command("annotate \u202eturned")
    page.locator("#bottom button", has_text="what ran").click()
    assert dashboard.js(TURNING) == []


def test_the_stop_takes_one_deliberate_gesture(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    stop = page.locator("#stop")
    stop.click()
    stop.focus()
    dashboard.key("Enter", "Space", "F10")
    dashboard.after_frames()
    assert gateway(swarm) == "active", "no slip of hand or finger stops it"
    page.mouse.move(*middle(stop))
    page.mouse.down()
    until(lambda: gateway(swarm) == "halted", "it is stopped while the button is held", 5)
    page.mouse.up()
    until(lambda: "gateway halted" in dashboard.text("#top"), "the page says so")
    said = until(
        lambda: "emergency_stop" in (text := dashboard.text("#bottom .result")) and text, "told"
    )
    assert "done" in said or "partial" in said
    assert resumed(dashboard, swarm)
    page.keyboard.down("F10")
    until(lambda: gateway(swarm) == "halted", "a key that is held stops it too", 5)
    page.keyboard.up("F10")
    assert resumed(dashboard, swarm)


def middle(what: Any) -> tuple[float, float]:
    box = what.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def resumed(dashboard: Dashboard, swarm: LiveSwarm) -> bool:
    """Trading is resumed by a typed command and a dialog; typed again if it comes too soon."""
    dialog = dashboard.page.locator("dialog[open]")

    def asked() -> bool:
        dashboard.key(":")
        dashboard.page.keyboard.type("resume_trading")
        dashboard.key("Enter")
        until(
            lambda: dialog.is_visible() or "too many" in dashboard.text("#bottom .result"),
            "it asks, or says why not",
        )
        return bool(dialog.is_visible())

    until(asked, "it asks whether to go on")
    dialog.locator("button.danger").click()
    return bool(until(lambda: gateway(swarm) == "active", "trading goes on"))


def test_a_dialog_makes_nobody_confirm_by_accident(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    dashboard.key(":")
    page.keyboard.type("restart_agent Rude")
    dashboard.key("Enter")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    yes, no = dialog.locator("button.danger"), dialog.locator("button", has_text="Cancel")
    assert "restart_agent target=Rude" in dialog.inner_text()
    assert dialog.locator(".hits").inner_text() == "Rude"
    gap = yes.bounding_box()["x"] - no.bounding_box()["x"] - no.bounding_box()["width"]
    assert gap >= 80
    colours = [
        one.evaluate("button => getComputedStyle(button).backgroundColor") for one in (yes, no)
    ]
    assert colours[0] == "rgb(194, 38, 15)", "the colour of danger"
    assert colours[1] != colours[0]
    assert page.evaluate("document.activeElement.placeholder") == "reason, for the audit"
    dashboard.key("Enter")
    assert dialog.is_visible(), "Enter twice confirms nothing"
    page.keyboard.type("it is rude")
    no.click()
    until(lambda: "not confirmed" in dashboard.text("#bottom .result"), "nothing is done")
    assert not [one for one in swarm.audit() if one["command"] == "restart_agent" and one["acked"]]


def test_a_viewer_sees_everything_and_can_stop_nothing(chromium: Any, swarm: LiveSwarm) -> None:
    with Dashboard(chromium, swarm.port, swarm.token("viewer"), tab="alerts") as dashboard:
        until(lambda: "as viewer" in dashboard.text("#top"), "the role is known")
        assert dashboard.page.locator("#stop").is_disabled()
        assert "pause_agent needs the role operator" in dashboard.command("pause_agent Rude")
        dashboard.page.keyboard.press("Escape")
        dashboard.page.keyboard.down("F10")
        dashboard.after_frames(3)
        dashboard.page.keyboard.up("F10")
        assert gateway(swarm) == "active"
        assert "a stop needs an operator's" in dashboard.text("#bottom .result")
        assert dashboard.page.locator("#side button", has_text="acknowledge").count() == 0


def test_why_is_told_so_that_one_reads_it(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    """Once a dump of the document. What is shown is the document's, voter by voter."""
    page = dashboard.page
    order = until(
        lambda: dashboard.js("() => Object.keys(mirrorcore.link.client.state.ord)[0]"), ""
    )
    told = swarm.command("why", "viewer", id=order).document["result"]
    dashboard.key("4")
    page.locator("#side tbody").get_by_text(order, exact=True).click()
    answer = page.locator("#answer")
    answer.wait_for(timeout=60_000)
    assert answer.locator(".headline").inner_text() == told["headline"]
    assert "● As recorded" in answer.inner_text()
    decision = told["decisions"][0]
    rows = answer.locator(".votes tbody tr")
    assert rows.count() == len(decision["votes"])
    most = max(abs(vote["pull"] or 0.0) for vote in decision["votes"])
    middles = []
    for row, vote in zip(rows.all(), decision["votes"], strict=True):
        cells = row.locator("td").all_inner_texts()
        assert cells[0] == vote["agent"]
        assert number(cells[3]) == pytest.approx(vote["pull"], abs=0.0000051)
        track = row.locator(".pull").bounding_box()
        bar = row.locator(".pull .value").bounding_box()
        middle = track["x"] + track["width"] / 2
        share = abs(vote["pull"]) / most
        assert bar["width"] == pytest.approx(share * track["width"] / 2, abs=1.0)
        if bar["width"] > 2:
            edge = bar["x"] if vote["pull"] > 0 else bar["x"] + bar["width"]
            assert edge == pytest.approx(middle, abs=1.0), "to the right what pulls up"
            middles.append(edge)
    assert middles, "some vote pulled"
    steps = answer.locator(".chain b").all_inner_texts()
    assert number(steps[1]) == pytest.approx(100 * decision["target"], abs=0.0051)
    assert number(steps[3]) == pytest.approx(100 * decision["wanted"], abs=0.0051)
    fill = told["fills"][0]
    assert fill["id"] in answer.inner_text()
    assert fill["price"] in answer.inner_text()
    rows.first.locator("button").click()
    until(lambda: dashboard.text("#drawer h2") == decision["votes"][0]["agent"], "it is opened")
    assert answer.count() == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1440, 900), (1600, 950)])
def test_ordinary_screens_take_one_line_at_the_top_and_even_tabs(
    dashboard: Dashboard, width: int, height: int
) -> None:
    """Once bar and tabs broke wherever they happened to, on the screens most people have."""
    dashboard.page.set_viewport_size({"width": width, "height": height})
    dashboard.after_frames()
    bar = dashboard.page.locator("#top").bounding_box()
    assert bar["height"] < 46
    rows = dashboard.js("""() => {
        const tops = [...document.querySelectorAll("#side .tabs button")]
            .map(one => Math.round(one.getBoundingClientRect().top));
        return [...new Set(tops)].map(top => tops.filter(one => one === top).length);
    }""")
    assert rows in ([11], [6, 5]), "in one row, or in two of six places each"
    assert dashboard.js(BEYOND) == [], "nothing ends beyond its place"


@pytest.mark.parametrize("width", [390, 768])
def test_a_small_screen_has_everything_below_each_other(dashboard: Dashboard, width: int) -> None:
    dashboard.page.set_viewport_size({"width": width, "height": 844})
    dashboard.after_frames()
    boxes = dashboard.js("""() => [...document.querySelectorAll("#top, main > .panel, #bottom")]
        .map(one => one.getBoundingClientRect())
        .map(one => [one.left, one.right, one.top, one.bottom])""")
    assert all(left >= 0 and right <= width for left, right, _, _ in boxes)
    for above, below in itertools.pairwise(boxes):
        assert above[3] <= below[2], "nothing lies over another"
    assert dashboard.js(BEYOND) == []
    assert dashboard.page.locator("#stop").is_visible()


# Buttons and figures that end beyond what they stand in, where nothing can be scrolled to.
BEYOND = """() => [
    ...document.querySelectorAll("#top *, .panel > .head > *, .panel > p, #bottom *"),
].filter(one => {
    if (!one.checkVisibility() || one.closest("h1, .popup, option")) return false;
    const place = one.closest("#top, .panel, #bottom").getBoundingClientRect();
    const { left, right } = one.getBoundingClientRect();
    return right > place.right + 1 || left < place.left - 1;
}).map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`)"""


def test_every_tab_shows_what_there_is(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    for place, name in enumerate(
        ("events", "decisions", "positions", "orders", "trades", "risk", "flow", "data", "alerts"),
        start=1,
    ):
        dashboard.key(str(place))
        assert page.locator(f"#tab-{name}").get_attribute("aria-selected") == "true"
        dashboard.after_frames(3)
        assert dashboard.text("#side [role=tabpanel]").strip()
    # An agent that fails and fails is an alert, until somebody has seen it.
    alert = page.locator("#side tbody tr", has_text="Rude").first
    alert.wait_for()
    alert.locator("button", has_text="acknowledge").click()
    until(lambda: "seen by operator" in dashboard.text("#side"), "it is acknowledged")
    dashboard.key("7")
    page.locator("#side .matrix td").first.wait_for()
    counts = {one["from"] for one in swarm.get("/api/v1/flow").document["result"]["flow"]}
    shown = page.locator("#side .matrix tbody th").all_inner_texts()
    assert shown
    assert set(shown) <= counts


def test_a_token_that_is_unknown_is_asked_for_again(chromium: Any, swarm: LiveSwarm) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{swarm.port}/#t=wrong")
    page.locator("#banner input").wait_for()
    assert "not known" in page.locator("#banner").inner_text()
    page.locator("#banner input").fill(swarm.token("viewer"))
    page.keyboard.press("Enter")
    page.locator("#top .figure", has_text="live").wait_for()
    assert page.locator("#banner").is_hidden()
    context.close()


def test_the_address_says_what_is_looked_at(dashboard: Dashboard, chromium: Any) -> None:
    page = dashboard.page
    page.locator("#filter").fill("kind:mom !rude")
    page.locator("#grid button[data-column=health]").click()
    page.locator("#grid button[data-column=id]").click(modifiers=["Shift"])
    dashboard.key("6", "t")
    page.locator("#symbol").select_option(index=1)
    symbol = page.locator("#symbol").input_value()
    page.locator("#grid .grid-row").first.dblclick()
    shown = {
        "filter": "kind:mom !rude", "sort": "health,id", "tab": "risk", "theme": "light",
        "symbol": symbol, "agent": "MomentumScout",
    }  # fmt: skip
    assert page.evaluate("Object.fromEntries(new URLSearchParams(location.search))") == shown
    page.reload()
    dashboard.until("window.mirrorcore?.link.state() === 'live'", "the page is back")
    until(lambda: dashboard.rows() == ["MomentumScout"], "the filter holds")
    assert page.locator("#tab-risk").get_attribute("aria-selected") == "true"
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("#drawer h2").inner_text() == "MomentumScout"
    assert page.locator("#symbol").input_value() == symbol
    assert page.locator("#grid [aria-sort=ascending]").count() == 2
    dashboard.key("Escape")
    until(lambda: page.locator("#drawer").is_hidden(), "the drawer closes")


def test_filters_say_what_they_do_not_understand(dashboard: Dashboard) -> None:
    page = dashboard.page
    for text, count in (
        ("kind:analyst,mind,rude", None), ("health>=0 !rude", 22), ('"Rude"', 1), ("pnl>1e9", 0),
        ("status:running,probing,isolated,failed", 23),
    ):  # fmt: skip
        page.locator("#filter").fill(text)
        if count is not None:
            wanted = f"{count} of 23"
            until(lambda wanted=wanted: wanted in dashboard.text("#agents .head"), text)
    page.locator("#filter").fill("")
    for text in (
        "health<80%", "health:bad,warn", "kind=rude", "kind!=rude", "!!fear", "!", "health<",
        "pnl>abc", "pnl>nan", 'agent:"Rude"', "confidence>=0", "kind:,", '"open', "pnl:1,2",
        "pnl:a", "fear risk", "pnl>1e3", "pnl>0x10", "error:x", "!kind!=rude",
        "zzz:1", "kind>=1", '!"two words"',
    ):  # fmt: skip
        try:
            Filter.parse(text, FIELDS)
            invalid = "false"
        except FilterError:
            invalid = "true"
        page.locator("#filter").fill(text)
        shown = page.locator("#filter").get_attribute("aria-invalid")
        assert shown == invalid, f"{text} means the same in the terminal"
        assert bool(dashboard.text("#agents > .bad")) == (invalid == "true"), text
    page.locator("#pause").click()
    for text, same in (
        ("health<80%", "health<0.8"), ("health:bad", "health<0.4"), ("health:ok", "health>=0.8"),
        ("kind=momentum_scout", "id:momentum"), ("!kind!=momentum_scout", "agent:MomentumS"),
        ("kind:omentum", "pnl>1e9"),
    ):  # fmt: skip
        counts = []
        for one in (text, same):
            page.locator("#filter").fill(one)
            dashboard.after_frames(2)
            counts.append(dashboard.text("#agents .head").rpartition(" of ")[0])
        assert counts[0] == counts[1], (text, same)
    page.locator("#pause").click()
    page.locator("#filter").fill("mood:good")
    until(lambda: "no column mood; there are id, kind" in dashboard.text("#agents"), "unknown")
    assert dashboard.js(BEYOND) == [], "all of it can be read"
    page.locator("#filter").fill("helth<1")
    until(lambda: "no column helth, did you mean health?" in dashboard.text("#agents"), "near")
    page.locator("#filter").fill("kind<3")
    until(lambda: "kind is a word: write kind:3" in dashboard.text("#agents"), "no number")


def test_commands_are_completed_and_remembered(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    dashboard.key("Control+k")
    page.keyboard.type("annot")
    page.locator("#completions li", has_text="annotate").wait_for()
    dashboard.key("Tab")
    page.keyboard.type('text="all is well"')
    dashboard.key("Enter")
    until(lambda: "→ done" in dashboard.text("#bottom .result"), "it is done")
    entry = until(
        lambda: next(
            (one for one in swarm.audit() if one.get("args") == {"text": "all is well"}), None
        ),
        "it is in the journal",
    )
    assert (entry["by"]["origin"], entry["by"]["role"]) == ("web", "operator")
    dashboard.key("ArrowUp")
    assert page.locator("#command").input_value() == 'annotate text="all is well"'
    page.locator("#command").fill("pause_agent Mom")
    page.locator("#completions li", has_text="MomentumScout").wait_for()
    page.locator("#command").fill("adjust_risk name=")
    page.locator("#completions li", has_text="max_drawdown").wait_for()
    page.locator("#command").fill("adjust_risk gross 99999")
    dashboard.key("Enter")
    until(lambda: "rejected" in dashboard.text("#bottom .result"), "beyond the cap")
    page.locator("#bottom button", has_text="what ran").click()
    log = dashboard.text("#bottom [role=log]")
    assert 'annotate text="all is well"' in log
    assert "adjust_risk name=gross value=99999" in log


def test_a_paused_view_stands_still_and_says_how_far_behind_it_is(dashboard: Dashboard) -> None:
    dashboard.key("g", "Space")
    until(lambda: "Resume" in dashboard.text("#pause"), "the view is paused")
    dashboard.after_frames(3)  # each part is painted at its own pace, also what it stands still at
    before = dashboard.text("#grid"), dashboard.text("#top .wrap > :nth-child(4)")
    dashboard.after_frames(8)
    until(lambda: number(dashboard.text("#pause")) >= 8, "it counts what it does not show")
    assert (dashboard.text("#grid"), dashboard.text("#top .wrap > :nth-child(4)")) == before
    dashboard.key("Space")
    until(lambda: dashboard.text("#pause") == "Pause view", "it goes on")
    until(lambda: dashboard.text("#top .wrap > :nth-child(4)") != before[1], "and catches up")


def test_rows_do_not_move_under_the_hand(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    """Once a bug: sorted by a column that changes, rows jumped away from who aimed at them."""
    page = dashboard.page
    page.locator("#grid button[data-column=status]").click()
    held = page.locator("#agents .head .warn", has_text="sort held")
    row = page.locator("#grid .grid-row:not([hidden])", has_text="MomentumScout")
    page.locator("#grid .grid-row").nth(3).hover()
    held.wait_for()
    order = dashboard.rows()
    assert before(order, "DataSentry", "MomentumScout")
    swarm.command("pause_agent", "operator", "r1", target="MomentumScout")
    until(lambda: "paused" in row.inner_text(), "its row says so where it is")
    dashboard.after_frames(5)
    assert dashboard.rows() == order, "the pointer is in the grid"
    page.mouse.move(5, 5)
    until(
        lambda: before(dashboard.rows(), "MomentumScout", "DataSentry"),
        "paused stands before running",
    )
    assert held.is_hidden()
    page.locator("#grid").focus()
    held.wait_for()
    order = dashboard.rows()
    swarm.command("resume_agent", "operator", "r2", target="MomentumScout")
    until(lambda: "running" in row.inner_text(), "its row says so where it is")
    dashboard.after_frames(5)
    assert dashboard.rows() == order, "the focus is in the grid"
    dashboard.js("() => document.activeElement.blur()")
    until(
        lambda: before(dashboard.rows(), "DataSentry", "MomentumScout"),
        "both run again, in their own order",
    )


def before(rows: list[str], one: str, other: str) -> bool:
    return rows.index(one) < rows.index(other)


def test_health_and_mood_are_told_by_shape_and_word(dashboard: Dashboard) -> None:
    """Once a bug: the browser's own meters, whose colours not everybody tells apart."""
    page = dashboard.page
    assert page.locator("meter, progress").count() == 0
    cells = page.locator("#grid .grid-row:not([hidden]) > :nth-child(4)").all_inner_texts()
    assert cells
    words = {"●": "ok", "▲": "warn", "■": "bad"}
    assert all(words[cell.split()[0]] == cell.split()[1] for cell in cells)
    meters = page.locator("#mood .meter:not([hidden])")
    assert meters.count() >= 3
    for one in meters.all():
        assert one.locator(".tick").count() == 2
        assert number(one.inner_text()) >= 0
        assert one.locator(".figure").inner_text().split()[-1].isalpha()


def test_the_newest_price_is_not_written_over(dashboard: Dashboard) -> None:
    """Once a bug: the label of the newest price and one of the grid lay on each other."""
    whole = """() => {
        const axis = [...document.querySelectorAll('#price .chart td:last-child canvas')]
            .sort((a, b) => b.height - a.height)[0];
        const { width, height } = axis;
        const copy = document.createElement('canvas');
        [copy.width, copy.height] = [width, height];
        const pen = copy.getContext('2d');
        for (const one of axis.parentElement.querySelectorAll('canvas')) pen.drawImage(one, 0, 0);
        const { data } = pen.getImageData(0, 0, width, height);
        let rows = 0;
        for (let y = 0; y < height; y += 1) {
            let label = 0;
            for (let x = 0; x < width; x += 1) {
                const at = 4 * (y * width + x);
                const bright = data[at] > 120 && data[at] < 200 && data[at + 2] > 150;
                if (bright) label += 1;
            }
            if (label > 0.4 * width) rows += 1;
        }
        return rows;
    }"""
    rows = until(lambda: dashboard.js(whole), "the label of the newest price is drawn")
    assert rows >= 12


def test_a_row_has_a_line_of_its_last_minute(dashboard: Dashboard) -> None:
    ink = """() => {
        const row = [...document.querySelectorAll('#grid .grid-row:not([hidden])')]
            .find(row => row.firstChild.textContent === 'MomentumScout');
        const canvas = row.querySelector('canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, at) => at % 4 === 3 && value > 0).length;
    }"""
    dashboard.page.locator("#agents select").select_option("conf")
    until(lambda: dashboard.js(ink) > 20, "two seconds make a line")
    assert "spark=conf" in dashboard.page.url


def test_a_remark_is_marked_on_the_price(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    """The colour of remarks is on the chart once somebody has made one, and not before."""
    violet = """() => {
        let found = 0;
        for (const canvas of document.querySelectorAll('#price .chart td canvas')) {
            if (canvas.width === 0 || canvas.height === 0) continue;
            const pen = canvas.getContext('2d');
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
            for (let at = 0; at < data.length; at += 4) {
                if (data[at] === 210 && data[at + 1] === 168 && data[at + 2] === 255) found += 1;
            }
        }
        return found;
    }"""
    before = dashboard.js(violet)
    swarm.command("annotate", "operator", "m1", text="seen on the chart")
    until(lambda: dashboard.js(violet) > before, "a square where it was made")


def test_an_agent_is_shown_whole(dashboard: Dashboard, swarm: LiveSwarm) -> None:
    page = dashboard.page
    swarm.command("pause_agent", "operator", "d1", target="MeanReverter")
    swarm.command("resume_agent", "operator", "d2", target="MeanReverter")
    page.locator("#filter").fill("MeanReverter")
    dashboard.key("Escape", "g", "ArrowDown", "Enter")
    drawer = page.locator("#drawer")
    drawer.locator("summary", has_text="state").first.wait_for()
    symbol = swarm.run.swarm.context.symbols[0]
    assert f"{symbol} 0." in drawer.inner_text()
    until(lambda: " → " in drawer.inner_text(), "what changed is shown, before and after")
    drawer.locator("summary", has_text="commands").click()
    until(lambda: "pause_agent target=MeanReverter" in drawer.inner_text(), "who commanded it")
    drawer.locator("summary", has_text="life").click()
    until(lambda: "paused" in drawer.inner_text(), "its life")
    dashboard.key("y")
    copied = until(lambda: page.evaluate("navigator.clipboard.readText()"), "it is copied")
    assert '"id":"MeanReverter"' in copied
