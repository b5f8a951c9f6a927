"""What the validator says of files as they are: candles, quotes, series, headlines, recordings.

Nothing is changed and nothing written. What a file is follows from its first bytes and its columns;
what cannot be told is said to be so, with what was there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mirrorcore.clock import SECOND, iso
from mirrorcore.data_sources.any_recording import (
    LINES,
    RAW,
    RECORDS,
    AnyRecording,
    kind_of_recording,
)
from mirrorcore.data_sources.checked import Checked, Reading
from mirrorcore.data_sources.file_names import SUFFIXES, bare_name
from mirrorcore.data_sources.table_checks import judge_table
from mirrorcore.errors import DataError
from mirrorcore.market.records import GapRecord, Trade

__all__ = ["Checked", "Reading", "check_file", "check_path"]


def check_path(
    path: Path, reading: Reading, *, tell: Callable[[int, int | None], None] | None = None
) -> list[Checked]:
    """Every file at ``path``, a file or a folder (not those within it), in order of name.

    What in a folder is neither a table nor a recording by its name (a README) is left out.

    Raises
    ------
    DataError
        where there is nothing at ``path``, or nothing to judge.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", hint="check the path")
    files = [path] if path.is_file() else sorted(one for one in path.iterdir() if one.is_file())
    if path.is_dir():
        files = [one for one in files if not one.name.startswith(".") and _is_ours(one)]
    if not files:
        raise DataError(
            f"{path}: the folder holds neither tables nor recordings",
            hint=f"looked for are {', '.join((*SUFFIXES, *LINES))}",
        )
    found = []
    for number, one in enumerate(files):
        if tell is not None:
            tell(number, len(files))
        found.append(check_file(one, reading))
    return found


def check_file(path: Path, reading: Reading) -> Checked:
    """One file, judged as a whole; whatever is wrong with it is in the answer."""
    checked = Checked(path, "unknown")
    try:
        _judge(checked, reading)
        if checked.usable:
            if not checked.records:
                raise DataError(f"{path}: holds no record", hint="fetch or record it again")
            if checked.kind not in (RAW, RECORDS):
                checked.report.check(least=0)
    except DataError as error:
        checked.problem, checked.hint = error.message, error.hint
    except OSError as error:
        checked.problem = f"{path}: cannot be read: {error.strerror}"
        checked.hint = "check its rights"
    return checked


def _is_ours(path: Path) -> bool:
    return bare_name(path) is not None or path.name.lower().endswith(LINES)


def _judge(checked: Checked, reading: Reading) -> None:
    path = checked.path
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes)", hint="fetch or convert it again")
    kind = kind_of_recording(path)
    if kind:
        checked.kind = kind
        _recording(checked)
    elif bare_name(path) is not None:
        judge_table(checked, reading)
    else:
        raise DataError(
            f"{path}: neither a recording nor a table",
            hint=f"tables end in {', '.join(SUFFIXES)}; a recording has one message a line",
        )


def _recording(checked: Checked) -> None:
    recording = AnyRecording(checked.path, checked.kind, checked.report)
    trades, missing = 0, list[GapRecord]()
    for record in recording.records():
        trades += isinstance(record, Trade)
        if isinstance(record, GapRecord) and not record.filled:
            missing.append(record)
    if recording.clock_behind_ns:
        behind = recording.clock_behind_ns / SECOND
        checked.notes.append(f"the recorder's clock was {behind:.2f} s behind the venue's")
    checked.notes.append(f"{trades:,} trades among the records")
    if missing:
        longest = max(missing, key=lambda gap: gap.end - gap.start)
        took = (longest.end - longest.start) / SECOND
        checked.notes.append(
            f"stretches in which records may be missing: {len(missing):,}, the longest of "
            f"{took:.1f} s from {iso(longest.start)[:19]} UTC: {longest.reason}"
        )
    if recording.ends_early:
        checked.notes.append("it ends within a record, as after a kill; all before it is whole")
    elif checked.records:
        checked.report.check(least=0)
