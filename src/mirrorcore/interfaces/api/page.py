"""The page of the dashboard: files of the package, read once and served from memory.

A request names one of the files that were read or nothing at all, so no path can lead elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
INDEX = "index.html"

NOT_BUILT = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MirrorCore-X</title></head>
<body><h1>The swarm is running; its page is not built</h1>
<p>Build it once, from the checkout: <code>pip install -e .</code></p>
<p>Until then: <code>mirrorcore monitor</code> in a terminal, <code>mirrorcore ctl status</code>,
or the API under <code>/api/v1</code>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, ready to be sent."""

    body: bytes
    kind: str
    etag: str
    lasting: bool
    """Its name changes with its content, so that it may be kept for good."""


def read_page(folder: Traversable | None = None) -> dict[str, PageFile]:
    """Every file of the page by its path; what says how to build it, where it is not built.

    Files of a kind a page does not need are left out.
    """
    root = files("mirrorcore.interfaces") / "web" / "page" if folder is None else folder
    found: dict[str, PageFile] = {}
    if root.is_dir():
        _collect(root, "", found)
    if INDEX not in found:
        return {INDEX: _file(NOT_BUILT, _KINDS[".html"], lasting=False)}
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, PageFile]) -> None:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name.startswith("."):
            continue
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{path}/", found)
            continue
        _, dot, ending = entry.name.rpartition(".")
        kind = _KINDS.get(dot + ending.lower())
        if kind is not None:
            found[path] = _file(entry.read_bytes(), kind, lasting=prefix == "assets/")


def _file(body: bytes, kind: str, *, lasting: bool) -> PageFile:
    return PageFile(body, kind, f'"{blake2b(body, digest_size=8).hexdigest()}"', lasting)
