"""A real browser for tests of the page, and the programs it takes."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE = {"width": 1600, "height": 950}


def program(name: str) -> Path:
    """Where a program is; the test is skipped without it, and fails where CI is set."""
    found = shutil.which(name)
    if found is None:
        hint = f"no {name}: call scripts/system-deps"
        if "CI" in os.environ:
            pytest.fail(hint)
        pytest.skip(hint)
    return Path(found)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    executable = program("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield found
        finally:
            found.close()


def until(what: Callable[[], Any], why: str, seconds: float = 15.0) -> Any:
    """The first true value of ``what``, asked again and again; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {why}"
        time.sleep(0.02)
    return found
