"""The dashboard's page at 1,000 agents: ``python -m benchmarks.interfaces.page [--quick]``.

Rows 3 and 4 of the interface budget. A real Chromium, headless, drawing by software, 1600×950,
shows an invented swarm in which every agent says something new in each of ten frames a second, rows
in the order of a column that changes, charts and all. Figures are Chromium's own: a trace of the
page's main thread, in processor time of that thread, so that other work on the machine counts
little.
*Update* is all script that runs because of one frame: taking it in and painting what it changed.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.interfaces.terminal import swarm
from benchmarks.measure import calibration, machine, report, table
from mirrorcore.interfaces.web import HOW_TO_BUILD, page_folder

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # The page is answered by this program and its frames by another: to the browser two networks.
    "--disable-features=LocalNetworkAccessChecks",
)  # fmt: skip
POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'"
TRACED = ("devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel")
TARGETS = {
    "update_mean_ms": 5.0, "frame_p95_ms": 5.0, "script_over_50_ms": 0, "cost_1000_to_100": 1.3,
    "page_kib": 300.0, "requests": 8, "foreign_requests": 0, "first_data_ms": 1000.0,
}  # fmt: skip
"""At most; of frames drawn a second at least :data:`LEAST_FPS`."""
LEAST_FPS = 55.0


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of its own."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("no chromium: call scripts/system-deps")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def serve_page(page: Any, folder: Path, port: int) -> None:
    """The built page as if the invented swarm served it, under the policy of the real server."""

    def answer(route: Any) -> None:
        path = route.request.url.split("?")[0].removeprefix(f"http://127.0.0.1:{port}/")
        file = folder / (path or "index.html")
        if path.startswith("api/") or not file.is_file():
            route.continue_()
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Security-Policy": POLICY}
        route.fulfill(body=file.read_bytes(), headers=headers)

    page.route("**/*", answer)


def traced(browser: Any, page: Any, seconds: float) -> tuple[int, list[Mapping[str, Any]]]:
    """Frames taken in within so long, and what the page's main thread did meanwhile."""
    browser.start_tracing(page=page, categories=list(TRACED))
    before = page.evaluate("window.mirrorcore.link.client.applied")
    page.wait_for_timeout(seconds * 1000)
    updates = page.evaluate("window.mirrorcore.link.client.applied") - before
    events: list[Mapping[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    threads = [(e["pid"], e["tid"]) for e in events if e.get("name") == "FireAnimationFrame"]
    main = max(set(threads), key=threads.count)
    return updates, [event for event in events if (event["pid"], event["tid"]) == main]


def spent(events: Sequence[Mapping[str, Any]], *names: str) -> list[float]:
    """Processor time of each event of these names, ms."""
    return [e["tdur"] / 1000 for e in events if e.get("name") in names and "tdur" in e]


def measure(agents: int, seconds: float) -> dict[str, float]:
    """One page on one swarm."""
    folder = page_folder()
    if folder is None:
        raise SystemExit(f"the page is not built: {HOW_TO_BUILD}")
    with swarm(agents, 1.0) as port, chromium() as browser:
        page = browser.new_page(viewport={"width": 1600, "height": 950})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        serve_page(page, folder, port)
        origin = f"http://127.0.0.1:{port}/"
        page.goto(f"{origin}?sort=-conf#t=any")
        deadline = time.monotonic() + 60
        while not page.evaluate("document.querySelectorAll('#grid .grid-row').length > 9"):
            if time.monotonic() > deadline:
                raise SystemExit("the page shows nothing")
        first = page.evaluate("performance.now()")
        page.wait_for_timeout(3000)
        updates, events = traced(browser, page, seconds)
        script, tasks = spent(events, "FunctionCall"), spent(events, "RunTask")
        tasks = tasks or spent(events, "ThreadControllerImpl::RunTask")
        drawn = spent(events, "FireAnimationFrame")
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.suffix != ".sha256"]
    return {
        "updates_a_second": updates / seconds,
        "update_mean_ms": sum(script) / max(1, updates),
        "frame_p95_ms": sorted(drawn)[int(0.95 * (len(drawn) - 1))],
        "frame_max_ms": max(drawn),
        "script_over_50_ms": sum(one > 50 for one in script),
        "longest_task_ms": max(tasks),
        "main_thread_percent": sum(tasks) / seconds / 10,
        "frames_a_second": len(drawn) / seconds,
        "page_kib": sum(sizes) / 1024,
        "requests": len(asked),
        "foreign_requests": sum(not url.startswith(origin) for url in asked),
        "first_data_ms": first,
    }


def run(*, quick: bool) -> dict[str, Any]:
    """All figures, by name."""
    seconds = 3.0 if quick else 60.0
    few, many = measure(100, seconds), measure(1000, seconds)
    figures = {name: round(value, 2) for name, value in many.items()}
    figures["cost_1000_to_100"] = round(many["update_mean_ms"] / few["update_mean_ms"], 2)
    met = {name: figures[name] <= bound for name, bound in TARGETS.items()}
    met["frames_a_second"] = figures["frames_a_second"] >= LEAST_FPS
    return {
        "benchmark": "interfaces.page",
        "agents": 1000,
        "load_average": os.getloadavg()[0],
        "machine": machine(),
        "calibration": calibration(),
        "figures": figures,
        "with_100_agents": {name: round(value, 2) for name, value in few.items()},
        "targets": {**TARGETS, "frames_a_second": LEAST_FPS},
        "met": met,
    }


def show(found: Mapping[str, Any]) -> None:
    """The figures as a table."""
    rows = [
        [name, value, found["targets"].get(name, ""), found["met"].get(name, "")]
        for name, value in found["figures"].items()
    ]
    print(table(["the page, 1,000 agents", "found", "bound", "met"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a smoke run")
    found = run(quick=parser.parse_args().quick)
    show(found)
    report(found)


if __name__ == "__main__":
    main()
