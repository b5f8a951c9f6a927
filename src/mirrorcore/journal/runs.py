"""The register of runs: one folder each, with an identity that is never half-written."""

from __future__ import annotations

import difflib
import fcntl
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mirrorcore.clock import SECOND, iso, wall_now
from mirrorcore.errors import UsageError
from mirrorcore.journal.entries import JournalError
from mirrorcore.journal.files import make_folder, sync_folder, write_atomic

IDENTITY = "run.json"
LOCK = "lock"


class RunStatus(StrEnum):
    """RUNNING while its process lives; a run whose process is gone without a word: INTERRUPTED."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


_STEPS: dict[RunStatus, tuple[RunStatus, ...]] = {
    RunStatus.RUNNING: (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.INTERRUPTED),
    RunStatus.FINISHED: (),
    RunStatus.FAILED: (),
    RunStatus.INTERRUPTED: (),
}


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run as its folder shows it; ``identity`` is the content of run.json."""

    id: str
    path: Path
    status: RunStatus
    identity: Mapping[str, Any]
    created_ns: int

    @property
    def journal(self) -> Path:
        return self.path / "journal.sqlite"

    @property
    def mode(self) -> str:
        return str(self.identity.get("mode", ""))

    @property
    def created(self) -> str:
        """ISO 8601 in UTC."""
        return str(self.identity.get("created", ""))


class RunDirectory:
    """The folder of a run that goes on in this process. Made by :meth:`RunRegistry.create`.

    It holds a lock that the system lets go when the process ends, however it ends.
    """

    def __init__(self, path: Path, identity: dict[str, Any], lock: int) -> None:
        self.path = path
        self.id: str = identity["id"]
        self._identity = identity
        self._lock: int | None = lock

    @property
    def journal(self) -> Path:
        return self.path / "journal.sqlite"

    @property
    def status(self) -> RunStatus:
        return RunStatus(self._identity["status"])

    @property
    def identity(self) -> Mapping[str, Any]:
        return dict(self._identity)

    def update(self, **fields: Any) -> None:
        """Put ``fields`` into run.json, which holds the old or the new content at any moment.

        Raises
        ------
        ValueError: a field that only the register may set.
        TypeError: a value that JSON cannot hold.
        """
        reserved = sorted({"id", "status", "created", "created_ns"} & fields.keys())
        if reserved:
            raise ValueError(f"{', '.join(reserved)} of a run cannot be updated")
        self._save({**self._identity, **fields})

    def finish(self, status: RunStatus, **fields: Any) -> None:
        """Write down how the run ended and let go of it.

        Raises
        ------
        ValueError: the run has ended already, or ``status`` is no end.
        """
        if status not in _STEPS[self.status]:
            raise ValueError(f"a run that is {self.status} cannot become {status}")
        ended = {"status": str(status), "ended": iso(wall_now())}
        self._save({**self._identity, **fields, **ended})
        self.release()

    def release(self) -> None:
        """Let go of the lock; a run that has not finished shows as interrupted from here on."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _save(self, identity: dict[str, Any]) -> None:
        write_atomic(self.path / IDENTITY, _json(identity))
        self._identity = identity


class RunRegistry:
    """All runs within one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self, mode: str, identity: Mapping[str, Any], *, now: int | None = None, run_id: str = ""
    ) -> RunDirectory:
        """A new run with its folder; the folder appears with run.json in it or not at all.

        Parameters
        ----------
        mode: replay, paper or live.
        identity: what makes the run: configuration with origins, seeds, versions, digests.
        now: wall clock in nanoseconds UTC, read here if left out.
        run_id: a name to use instead of one made from time and identity.

        Raises
        ------
        UsageError: ``run_id`` is taken or cannot name a folder.
        """
        created = wall_now() if now is None else now
        make_folder(self.root, "the runs")
        full = {
            "id": run_id,
            "mode": mode,
            "status": str(RunStatus.RUNNING),
            "created": iso(created),
            "created_ns": created,
            **identity,
        }
        for attempt in range(100):
            full["id"] = run_id or _new_id(created, identity, attempt)
            path = self.root / _checked(full["id"])
            if path.exists():
                continue
            started = self._start(path, full)
            if started is not None:
                return started
        raise UsageError(f"there is a run {full['id']} in {self.root} already")

    def _start(self, path: Path, identity: dict[str, Any]) -> RunDirectory | None:
        """The folder made aside and renamed; None if somebody else was faster."""
        fresh = self.root / f".{path.name}.{os.getpid()}.new"
        fresh.mkdir()
        try:
            write_atomic(fresh / IDENTITY, _json(identity))
            lock = _take_lock(fresh / LOCK)
            try:
                fresh.rename(path)
            except OSError:
                os.close(lock)
                if path.exists():
                    return None
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        sync_folder(self.root)
        return RunDirectory(path, dict(identity), lock)

    def runs(self) -> list[RunInfo]:
        """Every run, the newest first. Damaged ones are left to :meth:`damaged`."""
        found = [info for info in map(_read, self._folders()) if isinstance(info, RunInfo)]
        return sorted(found, key=lambda run: (run.created_ns, run.id), reverse=True)

    def damaged(self) -> list[JournalError]:
        """What is wrong with each folder whose run.json cannot be read."""
        return [info for info in map(_read, self._folders()) if isinstance(info, JournalError)]

    def find(self, name: str) -> RunInfo:
        """The run of this id, of an unambiguous part of it, or ``last``.

        Raises
        ------
        UsageError: no such run, or several.
        JournalError: it is there, and its run.json cannot be read.
        """
        folder = next((path for path in self._folders() if path.name == name), None)
        if folder is not None and isinstance(damage := _read(folder), JournalError):
            raise damage
        runs = self.runs()
        if not runs:
            raise UsageError(
                f"there is no run in {self.root}", hint="'mirrorcore demo' or 'backtest' makes one"
            )
        if name == "last":
            return runs[0]
        exact = [run for run in runs if run.id == name]
        found = exact or [run for run in runs if name in run.id]
        if name and len(found) == 1:
            return found[0]
        if name and found:
            raise UsageError(f"{len(found)} runs fit {name!r}: {_some(run.id for run in found)}")
        close = difflib.get_close_matches(name, [run.id for run in runs], n=3, cutoff=0.6)
        raise UsageError(
            f"there is no run {name!r} in {self.root}",
            hint=f"did you mean {_some(close)}?" if close else f"the last is {runs[0].id}",
        )

    def show(self, name: str) -> Mapping[str, Any]:
        """All that is known of a run: run.json with the status as it is now."""
        run = self.find(name)
        return {**run.identity, "status": str(run.status), "path": str(run.path)}

    def _folders(self) -> list[Path]:
        """What may be runs: folders with a run.json; other people's files are none of ours."""
        if not self.root.is_dir():
            return []
        return sorted(path.parent for path in self.root.glob(f"[!.]*/{IDENTITY}"))


def _read(path: Path) -> RunInfo | JournalError:
    file = path / IDENTITY
    try:
        identity = json.loads(file.read_bytes())
        status = RunStatus(identity["status"])
        info = RunInfo(str(identity["id"]), path, status, identity, int(identity["created_ns"]))
    except OSError as error:
        return JournalError(f"{file} cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError) as error:
        return JournalError(f"{file} is damaged: {type(error).__name__} {error}")
    if status is RunStatus.RUNNING and not _is_held(path / LOCK):
        return replace(info, status=RunStatus.INTERRUPTED)
    return info


def _take_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(f"another process holds {path.parent}") from error
    return descriptor


def _is_held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _new_id(created: int, identity: Mapping[str, Any], attempt: int) -> str:
    """Sortable time, then eight hex digits that tell apart runs of one second."""
    stamp = datetime.fromtimestamp(created // SECOND, UTC).strftime("%Y%m%d-%H%M%S")
    text = f"{created} {os.getpid()} {attempt} {_json(identity)}"
    return f"{stamp}-{blake2b(text.encode(), digest_size=4).hexdigest()}"


def _checked(run_id: str) -> str:
    if not run_id or run_id.startswith(".") or not set(run_id) <= _IN_NAMES or run_id == "last":
        raise UsageError(
            f"{run_id!r} cannot name a run", hint="use letters, digits, '-', '_' and '.'"
        )
    return run_id


_IN_NAMES = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: a figure that does not exist is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _some(names: Iterable[str]) -> str:
    shown = list(names)
    rest = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + rest
