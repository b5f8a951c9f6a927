"""Files that their owner alone may read: tokens, and where a running swarm can be reached."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from mirrorcore.errors import RefusedError
from mirrorcore.journal.files import sync_folder

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_private(path: Path, text: str, *, replace: bool) -> bool:
    """Write ``path`` with mode 0600; a reader finds the old content or the new.

    Returns
    -------
    Whether it was written: without ``replace`` a file that is there already stays as it is, also
    where two processes try at once.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):  # left by a process of this number that was killed
        fresh.unlink()
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            fresh.replace(path)
        else:
            try:
                os.link(fresh, path)  # fails where the name is taken, unlike a rename
            except FileExistsError:
                return False
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def read_private(path: Path, hint: str) -> str:
    """The content of a file of our own that nobody else may read.

    Raises
    ------
    RefusedError: it is a link, another user's, or others may read or write it.
    FileNotFoundError: it is not there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedError(f"{path} cannot be used: {error.strerror}", hint=hint) from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise RefusedError(f"{path} is no file", hint=hint)
        if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
            raise RefusedError(f"{path} belongs to another user", hint=hint)
        if os.name == "posix" and stat.S_IMODE(about.st_mode) & _OTHERS:
            mode = stat.S_IMODE(about.st_mode)
            raise RefusedError(f"{path} may be read by others (mode {mode:04o})", hint=hint)
        return file.read()
