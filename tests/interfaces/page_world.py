"""The dashboard in a real browser before a real swarm, and what is asked of it again and again."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from chromium import WIDE, until

from mirrorcore.interfaces.web import page_folder


class Dashboard:
    """One page, opened as an operator would: with the address that carries the token."""

    def __init__(self, browser: Any, port: int, token: str, **view: str) -> None:
        self.context = browser.new_context(viewport=WIDE, color_scheme="dark")
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda one: self.said.append(f"{one.type}: {one.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"thrown: {error}"))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        query = f"?{urlencode(view)}" if view else ""
        self.page.goto(f"http://127.0.0.1:{port}/{query}#t={token}")
        self.until("window.mirrorcore?.link.state() === 'live'", "the page is live", 30)
        until(lambda: self.text("#top .badge") == "PAPER", "something is painted")

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        thrown = [one for one in self.said if one.startswith("thrown: ")]
        assert not thrown, thrown

    def js(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression in the page; the page's own policy forbids it `eval`."""
        return self.page.evaluate(expression, argument)

    def until(self, expression: str, why: str, seconds: float = 15.0) -> Any:
        return until(lambda: self.js(f"() => {expression}"), why, seconds)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def key(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def command(self, line: str) -> str:
        """Type a command; what is said of it."""
        before = self.text("#bottom .result")
        self.key(":")
        self.page.keyboard.type(line)
        self.key("Enter")
        return until(
            lambda: (said := self.text("#bottom .result")) not in (before, f"{line} …") and said,
            f"{line} is answered",
        )

    def state(self, path: str) -> Any:
        """A part of what the page knows, as `top.eq`."""
        return self.js(f"() => window.mirrorcore.link.client.state.{path}")

    def rows(self) -> list[str]:
        """Ids of the agents that are seen, from top to bottom."""
        return list(
            self.js(
                """() => [...document.querySelectorAll('#grid .grid-row:not([hidden])')]
                .map(row => [row.getBoundingClientRect().top, row.firstChild.textContent])
                .sort((a, b) => a[0] - b[0]).map(pair => pair[1])"""
            )
        )

    def applied(self) -> int:
        return int(self.js("() => window.mirrorcore.link.client.applied"))

    def after_frames(self, count: int = 3) -> None:
        """Wait until that many more frames were applied, and painted."""
        begun = self.applied()
        until(lambda: self.applied() >= begun + count, "frames arrive")
        self.js(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


def number(text: str) -> float:
    """The number in a text as the page writes it."""
    found = re.search(r"[−+]?\d[\d ]*(?:\.\d+)?", text)
    assert found, text
    return float(found[0].replace(" ", "").replace("−", "-"))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Tests have nothing to say on stderr."""


@contextmanager
def unserved_page(browser: Any, query: str = "") -> Iterator[Any]:
    """The built page without a swarm; what it is to know it is told by :func:`tell`."""
    folder = page_folder()
    assert folder is not None, "run `make page`"
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context(viewport=WIDE, color_scheme="dark")
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/{query}")
        yield page
        context.close()
        server.shutdown()


def tell(page: Any, frame: Mapping[str, Any]) -> str:
    """Give the page's model a frame; what became of it."""
    take = "text => window.mirrorcore.link.client.receive(JSON.parse(text))"
    return str(page.evaluate(take, json.dumps(frame)))
