"""Hatch's hook: the dashboard's page is built into the package.

`MIRRORCORE_WEB=skip` leaves the page out, `MIRRORCORE_WEB=require` fails without it. By default a
wheel or an sdist fails, while an editable install warns in one line and goes on: a swarm runs
without a page.
"""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))
import build_page


class PageHook(BuildHookInterface[Any]):
    """Runs once for each artifact; does nothing while the page is that of the sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, and only if the page must be built: it is 61 MB to fetch."""
        return [build_page.NODE] if self._must_build() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._must_build():
            return
        try:
            build_page.build(Path(self.root), *build_page.bundled_node())
        except build_page.PageError as error:
            said = f"the dashboard's page was not built: {error}"
            if _wish() == "require" or version != "editable":
                # pip shows a failed hook as failed metadata: what it is about is said first.
                self.app.display_error(f"{said} (MIRRORCORE_WEB=skip leaves it out)")
                raise SystemExit(1) from error
            self.app.display_warning(f"{said}; going on without it, `make page` tries again")

    def _must_build(self) -> bool:
        return _wish() != "skip" and not build_page.is_current(Path(self.root))


def _wish() -> str:
    wish = os.environ.get("MIRRORCORE_WEB", "")
    if wish not in ("", "skip", "require"):
        raise SystemExit(f"MIRRORCORE_WEB is 'skip' or 'require', not {wish!r}")
    return wish
