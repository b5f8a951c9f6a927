"""Writes new files, and never over what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mirrorcore.errors import UsageError

_LONGEST = 80


@dataclass(slots=True)
class Written:
    """What came of it: new files, and those that were there and stayed as they were."""

    files: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)

    def write(self, path: Path, text: str) -> None:
        """A new file, or nothing where there is one already."""
        _make_folder(path.parent)
        try:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            self.kept.append(path)
        else:
            self.files.append(path)


def refuse_existing(*paths: Path) -> None:
    """UsageError where any of the files is there."""
    there = [path for path in paths if path.exists() or path.is_symlink()]
    if there:
        raise UsageError(
            f"{' and '.join(map(str, there))} {'is' if len(there) == 1 else 'are'} there already; "
            "nothing was written",
            hint="choose another name, or move it away",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} cannot be a folder: a file is in its way") from None
    except OSError as error:  # as below /proc, where the system says that it is not there
        raise UsageError(
            f"{_named(folder)} cannot be made: {error.strerror}",
            hint="name a folder where you may write, as ~/mybot",
        ) from None


def require_nameable(folder: Path) -> None:
    """UsageError where the system could not hold a file of such a name."""
    try:
        folder.is_dir()
        (folder / "x").exists()
    except OSError as error:
        raise UsageError(
            f"{_named(folder)} cannot be a folder: {error.strerror}",
            hint="choose another name, as ~/mybot",
        ) from None


def _named(folder: Path) -> str:
    """The folder's path, of which nobody reads more than a line."""
    text = str(folder)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
