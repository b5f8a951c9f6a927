"""Every command, every role and every error of the tables, typed into the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from api_world import LiveSwarm
from chromium import browser, until
from page_world import Dashboard
from test_commands import CHANGING, READING
from test_console_reading import LINES

from mirrorcore.interfaces.commands import SPECS


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSwarm]:
    with LiveSwarm(tmp_path_factory.mktemp("typed"), paper__speed=900.0) as one:
        yield one


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def operator(chromium: Any, swarm: LiveSwarm) -> Iterator[Dashboard]:
    with Dashboard(chromium, swarm.port, swarm.token()) as one:
        yield one


def typed(name: str, args: dict[str, object]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in args.items())])


def say(page_of: Dashboard, line: str) -> str:
    """Type a line and wait for what is said of it, or ``asked`` where a dialog asks first.

    A quick machine types faster than a token may command: a line that came too soon is typed
    again, as a person would, until it is heard.
    """

    def heard() -> str:
        told = type_once(page_of, line)
        return "" if "too many commands" in told else told

    return str(until(heard, line, 60))


def type_once(page_of: Dashboard, line: str) -> str:
    page = page_of.page
    page_of.key("Escape")
    page_of.js("() => { document.querySelector('#bottom .result').textContent = '' }")
    page_of.key(":")
    page.locator("#command").fill(line)
    page_of.key("Enter")
    asked = page.locator("dialog[open] button.danger")

    def told() -> str:
        if asked.count():
            return "asked"
        said = page_of.text("#bottom .result")
        return "" if said.endswith(" …") else said

    return str(until(told, line, 60))


def test_everything_that_reads_is_answered(operator: Dashboard) -> None:
    for name, args in READING.items():
        assert "→ done" in say(operator, typed(name, args)), name


def test_what_changes_is_done_or_asked_about_or_says_why_not(operator: Dashboard) -> None:
    reasons = ("is working", "nothing to resume", "no alert", "has learned no weights")
    for name, args in CHANGING.items():
        if name == "emergency_stop":
            continue  # test_web_page stops
        told = say(operator, typed(name, args))
        if told == "asked":
            assert SPECS[name].confirms, name
            operator.page.locator("dialog[open] button", has_text="Cancel").click()
            until(lambda: "not confirmed" in operator.text("#bottom .result"), name)
        else:
            assert "→ done" in told or any(reason in told for reason in reasons), (name, told)


def test_a_line_means_what_it_means_in_the_console(operator: Dashboard) -> None:
    """Whatever is typed is sent as the console would send it; nothing of it reaches the swarm."""
    sent: list[dict[str, Any]] = []

    def instead(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.post_data_json)
        route.fulfill(json={"name": sent[-1]["name"], "status": "done", "result": None})

    operator.page.route("**/api/v1/commands", instead)
    try:
        for line, name, args in LINES:
            assert "→ done" in type_once(operator, line), line
            assert (sent[-1]["name"], sent[-1]["args"]) == (name, args), line
        count = len(sent)
        for line, says in (
            ("annotate it's late", "a quote is not closed"), ("pause_agent", "needs target"),
            ("orders limit=1 limit=2", "given twice"), ("positions now", "takes no arguments"),
        ):  # fmt: skip
            assert says in type_once(operator, line)
        assert len(sent) == count
    finally:
        operator.page.unroute("**/api/v1/commands")


ERRORS = [
    ("statsu", "no command statsu"),
    ("status colour=1", "colour"),
    ("inspect Nobody", "no agent 'Nobody'"),
    ("pause_agent kind:nothing", "no agent has kind"),
    ("decisions ZZZ/USD", "no decision"),
    ("inspect OracleEngine 501", "at most 500"),
    ("adjust_risk gross 50000", "at most"),
    ("adjust_risk colour 1", "one of"),
    ("exit NO/ONE", "is not traded"),
    ("cancel_order O0", "is working"),
    ("resume_trading", "nothing to resume"),
    ("ack_alert 9999", "no alert 9999"),
    ("why Z9", "Z9"),
]


def test_an_error_is_told_where_it_was_typed(operator: Dashboard) -> None:
    for line, says in ERRORS:
        assert says in say(operator, line), line
        assert operator.page.locator("dialog[open]").count() == 0, "there is no answer to show"


def test_a_viewer_is_offered_nothing_that_changes(chromium: Any, swarm: LiveSwarm) -> None:
    with Dashboard(chromium, swarm.port, swarm.token("viewer")) as viewer:
        until(lambda: "as viewer" in viewer.text("#top"), "the role is known")
        for name, args in CHANGING.items():
            assert f"{name} needs the role operator" in say(viewer, typed(name, args)), name
        for name, args in READING.items():
            assert "→ done" in say(viewer, typed(name, args)), name
