"""Configurations of the evidence: a few settings, and agents from the file beside this one."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirrorcore.config import RunConfig, load_config

AGENTS = Path(__file__).with_name("agents.py")

Settings = Sequence[tuple[str, object]]


def configured(
    runs: str | Path,
    settings: Settings,
    agents: Sequence[Mapping[str, Any]] = (),
    faults: Sequence[Mapping[str, Any]] = (),
) -> RunConfig:
    """A configuration with own agents and drills, as a file of a user's would have it.

    ``agents`` are ``[[agent]]`` entries from the file beside this one, or of the roster by
    ``type``: id, class, and parameters under ``params``. ``faults`` are ``[[faults]]`` entries.
    """
    ours = {"file": AGENTS.as_posix()}
    tables = [_table("agent", {**({} if "type" in agent else ours), **agent}) for agent in agents]
    tables += [_table("faults", fault) for fault in faults]
    with tempfile.TemporaryDirectory(prefix="mirrorcore-config-") as folder:
        path = Path(folder) / "swarm.toml"
        path.write_text("".join(tables), encoding="utf-8")
        return load_config(path, {}, [("storage.runs", str(runs)), *settings]).config


def _table(name: str, entry: Mapping[str, Any]) -> str:
    lines = [f"[[{name}]]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
