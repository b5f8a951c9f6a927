"""A new agent: its file, its test, and its entry in the configuration."""

from __future__ import annotations

import json
import keyword
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorcore.errors import ConfigError, UsageError
from mirrorcore.interfaces.scaffold.files import Written, refuse_existing
from mirrorcore.interfaces.scaffold.templates import AGENTS, ENTRIES, fill, test_of

CONFIG = "mirrorcore.toml"


@dataclass(frozen=True, slots=True)
class NewAgent:
    """What was made. ``entry`` is the text for the configuration; ``added`` says it is in there."""

    name: str
    form: str
    file: Path
    test: Path
    config: Path
    entry: str
    added: bool
    why_not: str = ""


def create_agent(name: str, form: str, config: Path, *, written: Written | None = None) -> NewAgent:
    """Write an agent beside ``config`` and name it there.

    The file goes into the folder ``agents`` where there is one, its test into ``tests``. A
    configuration that is not there is not made: then the entry is for the user to paste.

    Raises
    ------
    UsageError: the name is none for a class, is taken, or a file is there already.
    ConfigError: the configuration cannot be read.
    """
    _check_name(name)
    if form not in AGENTS:
        raise UsageError(f"--form was {form!r}, must be {', '.join(AGENTS)}")
    folder, module = config.parent, module_name(name)
    kept = folder / "agents" if (folder / "agents").is_dir() else folder
    file, test = kept / f"{module}.py", folder / "tests" / f"test_{module}.py"
    refuse_existing(file, test)
    document = _document(config)
    _check_free(name, document)
    values = {
        "name": name,
        "kind": module,
        "module": module,
        "file": file.relative_to(folder).as_posix(),
        "config": json.dumps(config.name),
    }
    entry = "[[agent]]\n" + fill(ENTRIES[form], **values)
    written = written or Written()
    written.write(file, fill(AGENTS[form], **values))
    written.write(test, fill(test_of(form), **values))
    why_not = _add_entry(config, document, entry)
    return NewAgent(name, form, file, test, config, entry, not why_not, why_not)


def module_name(name: str) -> str:
    """``GreedyFox`` -> ``greedy_fox``"""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()


def _check_name(name: str) -> None:
    good = re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) and not keyword.iskeyword(name)
    if not good or not name[0].isupper():
        raise UsageError(
            f"{name!r} cannot name an agent's class",
            hint="letters and digits with a capital first, as GreedyFox",
        )


def _document(config: Path) -> Mapping[str, Any] | None:
    if not config.exists():
        return None
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{config}: {error}", hint=f"'mirrorcore config check -c {config}' says more"
        ) from None


def _check_free(name: str, document: Mapping[str, Any] | None) -> None:
    from mirrorcore.agents.roster import ROSTER

    if name in ROSTER:
        raise UsageError(
            f"{name} is an agent of the standard swarm, which yours would replace",
            hint="choose another name; whoever wants to replace it gives its id in the entry",
        )
    entries = (document or {}).get("agent", [])
    taken = [one.get("id") for one in entries if isinstance(one, Mapping)]
    if name in taken:
        raise UsageError(f"the configuration has an agent {name} already; nothing was written")


def _add_entry(config: Path, document: Mapping[str, Any] | None, entry: str) -> str:
    """Append the entry to the file; the reason where that is not possible, '' where it was done.

    What the file says before is not touched, byte for byte.
    """
    if document is None:
        return f"there is no {config.name}"
    before = config.read_bytes()
    added = ("" if before.endswith(b"\n") or not before else "\n") + "\n" + entry
    if b"\r\n" in before:
        added = added.replace("\n", "\r\n")
    after = before + added.encode()
    expected = {**document, "agent": [*document.get("agent", []), *tomllib.loads(entry)["agent"]]}
    try:
        possible = tomllib.loads(after.decode()) == expected
    except tomllib.TOMLDecodeError:  # its agents are an inline array, which cannot be continued
        possible = False
    if not possible:
        return f"the agents of {config.name} are not written as [[agent]] tables"
    if not os.access(config, os.W_OK):
        return f"{config} may not be written"
    with config.open("ab") as file:
        file.write(added.encode())
    return ""
