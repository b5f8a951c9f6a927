"""Progress of long work: a bar on a terminal, a plain line now and then where asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mirrorcore.interfaces.cli.answer import Session, console, say

Progress = Callable[[int, int | None], None]

_EVERY_S = 4.0


@contextmanager
def progress(session: Session, title: str, *, lines: bool = False) -> Iterator[Progress]:
    """A function to tell (done, total or None) to.

    The bar is on stderr and goes when the work is done; with ``lines`` and without a terminal a
    plain line follows every few seconds.
    """
    remarks = console(sys.stderr)
    if remarks.is_terminal:
        with _bar(session, title) as tell:
            yield tell
    elif lines:
        yield _lines(session, title)
    else:
        yield _silent


def _silent(done: int, total: int | None) -> None:
    """Nobody watches, and nobody asked for lines."""


@contextmanager
def _bar(session: Session, title: str) -> Iterator[Progress]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Bars(*columns, TimeRemainingColumn(), console=session.remarks, transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _lines(session: Session, title: str) -> Progress:
    from mirrorcore.clock import SECOND, Stopwatch

    story, watch, told = session.story, Stopwatch(), 0.0

    def tell(done: int, total: int | None) -> None:
        nonlocal told
        passed = watch.wall_ns() / SECOND
        if passed - told < _EVERY_S:
            return
        told = passed
        share = f"{100 * done // total} %" if total else f"{done:,} ticks"
        say(story, f"{title}: {share}")

    return tell
