"""The HTML page of a run: one file, nothing loaded from anywhere, light or dark as the reader's.

A content policy in the page forbids every connection and every script but the two written here,
told by their hashes, so that not even a hostile name that escaped the escaping could run or phone.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mirrorcore.errors import MirrorCoreError
from mirrorcore.report import charts, page_sections
from mirrorcore.report.evaluation import Evaluation, evaluate
from mirrorcore.report.markup import Markup, element, joined
from mirrorcore.report.page_masthead import masthead
from mirrorcore.report.results import RunResults


def write_page(results: RunResults, path: Path, evaluation: Evaluation | None = None) -> None:
    """Write the page of ``results`` to ``path``, whole or not at all.

    Raises
    ------
    MirrorCoreError
        Where the folder cannot be written to; ``path`` is then as it was.
    """
    page = render_page(results, evaluation)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    finally:
        Path(name).unlink(missing_ok=True)


def render_page(results: RunResults, evaluation: Evaluation | None = None) -> str:
    """The page as text."""
    found = evaluation or evaluate(results)
    figures: dict[str, Any] = {}
    if len(results.ts):
        figures["run-figure"] = charts.run_figure(results)
    hidden = 0
    if results.weights is not None and len(results.weights.ts) and results.weights.names:
        figures["weights-figure"], hidden = charts.weights_figure(results.weights)
    scripts = (_plotly(), _asset("page.js"))
    policy = (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src "
        + " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    )
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", f"{results.identity.run_id} · MirrorCore-X"),
        element("style", Markup(_asset("page.css"))),
    )
    body = element(
        "body",
        masthead(results, found),
        element("main", *page_sections.sections(results, found, hidden)),
        page_sections.foot(results),
        _data(figures),
        joined(element("script", Markup(script)) for script in scripts),
    )
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def _data(figures: dict[str, Any]) -> Markup:
    """The figures as JSON that no name in it can break out of."""
    text = json.dumps(figures, allow_nan=False, separators=(",", ":"))
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(f'<script type="application/json" id="figure-data">{safe}</script>')


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _asset(name: str) -> str:
    return files("mirrorcore.report").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """plotly.js from its Python package, found without importing that."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise MirrorCoreError(
            "the report page needs the package plotly, which is not installed",
            hint="install mirrorcore-x with its dependencies again",
        )
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return source.read_text(encoding="utf-8")


def _unwritable(path: Path, problem: OSError) -> MirrorCoreError:
    return MirrorCoreError(
        f"cannot write the report {path}: {problem.strerror or problem}",
        hint="check that the folder exists, is writable and has room",
    )
