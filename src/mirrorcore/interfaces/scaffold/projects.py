"""A folder to begin in: configuration, one agent with its test, and what git is to ignore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.scaffold.agents import CONFIG, create_agent, module_name
from mirrorcore.interfaces.scaffold.files import Written, refuse_existing, require_nameable
from mirrorcore.interfaces.scaffold.templates import IGNORED, PROJECTS, fill

FIRST_AGENT = "DipBuyer"


@dataclass(frozen=True, slots=True)
class NewProject:
    """What was made, in order; ``kept`` was there before."""

    folder: Path
    template: str
    agent: str
    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def create_project(folder: Path, template: str) -> NewProject:
    """Begin a project in ``folder``, which may exist.

    Raises
    ------
    UsageError: there is no such template; the folder holds a project, or cannot be one.
    """
    if template not in PROJECTS:
        raise UsageError(f"--template was {template!r}, must be {' or '.join(PROJECTS)}")
    require_nameable(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; a project is a folder")
    config, module = folder / CONFIG, module_name(FIRST_AGENT)
    refuse_existing(
        config, folder / "agents" / f"{module}.py", folder / "tests" / f"test_{module}.py"
    )
    written = Written()
    project = "".join(letter for letter in folder.resolve().name if letter.isprintable())
    written.write(config, fill(PROJECTS[template], project=project, config=CONFIG))
    (folder / "agents").mkdir(exist_ok=True)
    create_agent(FIRST_AGENT, "guide", config, written=written)
    written.write(folder / ".gitignore", IGNORED)
    return NewProject(folder, template, FIRST_AGENT, tuple(written.files), tuple(written.kept))
