"""The dashboard's page as files. Its sources are `web/`, in TypeScript.

The build hook puts the built page into the folder `page` beside this file, which git ignores.
"""

from pathlib import Path

HOW_TO_BUILD = "make page"
"""What to run in a checkout whose page was not built."""


def page_folder() -> Path | None:
    """The folder with `index.html`, or None where the page was not built."""
    folder = Path(__file__).parent / "page"
    return folder if (folder / "index.html").is_file() else None
