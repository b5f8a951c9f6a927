"""Files of lines that only grow: a kill loses the line it came in, and nothing before it.

Each line is handed to the system with its end in one call, so what a reader finds without an end
was not finished. Whoever goes on with such a file first cuts that rest off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from types import TracebackType

from mirrorcore.errors import DataError

_LOOK = 1 << 16


def _lock(file: FileIO) -> bool:
    """Take the file for this process alone, until it is closed; False where another has it."""
    try:
        import fcntl
    except ImportError:  # there is none on Windows, where nobody is kept out
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class LineLog:
    """An append-only file of lines, made where it is not there.

    Parameters
    ----------
    path: not packed: a packed file cannot be gone on with after a kill.

    Raises
    ------
    DataError
        where it cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        """Written since it was opened."""
        if path.name.lower().endswith(".gz"):
            raise DataError(
                f"{path}: a recording is written unpacked", hint="pack it when it is complete"
            )
        try:
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        except OSError as error:
            raise self._failed(error) from error
        if not _lock(self._file):
            self._file.close()
            raise DataError(
                f"{path}: another recording writes to it", hint="end that one, or name another file"
            )
        try:
            self.cut = self._cut_rest()
            """Bytes of an unfinished line that were cut off on opening."""
            self.last = self._last_line()
            """The last line that was there on opening, without its end; empty where none was."""
        except OSError as error:
            raise self._failed(error) from error

    def append(self, lines: Iterable[bytes]) -> None:
        """Write lines, given without their ends.

        Raises
        ------
        DataError
            where the system takes no more, as when the disk is full.
        """
        given = list(lines)
        if not given:
            return
        content = b"".join(line + b"\n" for line in given)
        try:
            written = self._file.write(content)
            while written < len(content):
                written += self._file.write(content[written:])
        except OSError as error:
            raise self._failed(error) from error
        self.lines += len(given)

    def close(self) -> None:
        """Give the file back, its content on the disk."""
        if self._file.closed:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._file.close()

    def __enter__(self) -> LineLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cut_rest(self) -> int:
        end = self._file.seek(0, os.SEEK_END)
        keep = self._line_start(end)
        if keep < end:
            self._file.truncate(keep)
        self._file.seek(keep)
        return end - keep

    def _last_line(self) -> bytes:
        end = self._file.tell()
        start = self._line_start(max(0, end - 1))
        self._file.seek(start)
        return self._file.read(end - start)[:-1]

    def _line_start(self, at: int) -> int:
        """Where the line begins that goes on at a place."""
        while at > 0:
            start = max(0, at - _LOOK)
            self._file.seek(start)
            newline = self._file.read(at - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            at = start
        return 0

    def _failed(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path}: cannot be written to: {error.strerror or error}",
            hint="check the folder and how much room it has",
        )
