"""Finds the swarm another process runs on this machine, and the key to it.

A run whose web server is up has a ``control.json`` in its folder, which names the address and the
file of the tokens; both are readable by their owner alone. Whether a run goes on is told by the
lock its process holds, so a file that a killed process left behind misleads nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorcore.errors import MirrorCoreError
from mirrorcore.journal import RunInfo, RunRegistry, RunStatus

CONTROL = "control.json"
TOKENS = "tokens.json"
ROLES = ("viewer", "operator", "admin")


class NotAttachedError(MirrorCoreError):
    """There is no swarm to attach to, or the way to it cannot be read."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """The way to a running swarm; ``url`` is empty where it runs without a server."""

    run: str
    mode: str
    folder: Path
    url: str
    pid: int
    tokens: Mapping[str, str]

    def token(self, role: str) -> str:
        """The token of ``role``.

        Raises
        ------
        NotAttachedError: the file of tokens has none of that role.
        """
        found = self.tokens.get(role)
        if not found:
            raise NotAttachedError(
                f"there is no token of role {role!r} for run {self.run}",
                hint=f"roles with a token: {', '.join(self.tokens) or 'none'}",
            )
        return found


def running(runs: Path) -> list[RunInfo]:
    """Paper and live runs that go on in this folder, the newest first."""
    return [
        run
        for run in RunRegistry(runs).runs()
        if run.status is RunStatus.RUNNING and run.mode in ("paper", "live")
    ]


def find_running(runs: Path, name: str = "") -> RunInfo:
    """The run to attach to: of this name, or the only one that goes on.

    Raises
    ------
    UsageError: ``name`` fits none or several.
    NotAttachedError: nothing runs, it has ended, or several do and none was named.
    """
    if name:
        run = RunRegistry(runs).find(name)
        if run.status is not RunStatus.RUNNING:
            raise NotAttachedError(
                f"run {run.id} is not going on: {run.status}", hint=_going_on(running(runs))
            )
        return run
    found = running(runs)
    if not found:
        raise NotAttachedError(
            f"no swarm runs in {runs.resolve()}",
            hint="'mirrorcore run' starts one; --runs names another folder",
        )
    if len(found) > 1:
        raise NotAttachedError(
            f"{len(found)} swarms run in {runs.resolve()}",
            hint=f"--run names one of them: {_ids(found)}",
        )
    return found[0]


def attach(runs: Path, name: str = "") -> Attachment:
    """The way to a swarm that runs with its server up.

    Raises
    ------
    UsageError: ``name`` fits none or several.
    NotAttachedError: nothing runs, it runs without a server, or a file cannot be read.
    """
    run = find_running(runs, name)
    file = run.path / CONTROL
    if not file.exists():
        raise NotAttachedError(
            f"run {run.id} goes on without its server",
            hint="the server is still starting, or was left out with --no-dashboard",
        )
    control = _read(file)
    return Attachment(
        run=run.id,
        mode=run.mode,
        folder=run.path,
        url=_text(control, "url", file).rstrip("/"),
        pid=_pid(control, file),
        tokens=_tokens(Path(control.get("tokens") or runs / TOKENS)),
    )


def _tokens(file: Path) -> dict[str, str]:
    found = _read(file).get("tokens")
    if not isinstance(found, dict):
        raise NotAttachedError(
            f"{file} holds no tokens", hint="'mirrorcore token rotate' makes new"
        )
    return {role: str(found[role]) for role in ROLES if found.get(role)}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise NotAttachedError(
            f"{file} cannot be read: {error.strerror}",
            hint="only the user who started the swarm may read it",
        ) from None
    except ValueError:
        raise NotAttachedError(f"{file} is damaged", hint="start the swarm again") from None
    if not isinstance(found, dict):
        raise NotAttachedError(f"{file} is damaged", hint="start the swarm again")
    return found


def _text(control: Mapping[str, Any], key: str, file: Path) -> str:
    found = control.get(key)
    if not isinstance(found, str) or not found:
        raise NotAttachedError(f"{file} names no {key}", hint="start the swarm again")
    return found


def _pid(control: Mapping[str, Any], file: Path) -> int:
    found = control.get("pid")
    if not isinstance(found, int):
        raise NotAttachedError(f"{file} names no pid", hint="start the swarm again")
    return found


def _ids(runs: Sequence[RunInfo]) -> str:
    return ", ".join(run.id for run in runs)


def _going_on(runs: Sequence[RunInfo]) -> str:
    return f"going on: {_ids(runs)}" if runs else "'mirrorcore run' starts one"
