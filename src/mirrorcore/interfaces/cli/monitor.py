"""``mirrorcore monitor``: a full screen over a running swarm; one grid where there is no screen."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.control import Where, open_door
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.interfaces.attaching import Attachment
    from mirrorcore.interfaces.console.doors import RemoteDoor
    from mirrorcore.interfaces.terminal.board import Board

RATES = (10, 4, 1)
_OF_THE_EXTRA = ("textual", "websockets")

_RATE = Annotated[
    int, typer.Option("--rate", metavar="10|4|1", help="How often a second it is drawn.")
]
_FILTER = Annotated[
    str,
    typer.Option(
        "--filter", metavar="TEXT", show_default=False, help="As 'kind:risk health<0.8 !paused'."
    ),
]
_SORT = Annotated[
    str,
    typer.Option("--sort", metavar="COLUMNS", show_default=False, help="As 'status,-pnl'."),
]
_MONO = Annotated[bool, typer.Option("--mono", help="Without colours, as NO_COLOR asks as well.")]
_ONCE = Annotated[bool, typer.Option("--once", help="Print one plain grid, as on a pipe.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "monitor")(monitor)


def monitor(
    session: Session,
    where: Where,
    folder: RunsFolder,
    rate: _RATE = 4,
    filter_text: _FILTER = "",
    sort_text: _SORT = "",
    mono: _MONO = False,
    once: _ONCE = False,
) -> Answer:
    """Watch and command a running swarm on a full screen; 'q' leaves it, F10 stops the swarm."""
    if rate not in RATES:
        raise UsageError(f"--rate was {rate}, must be one of 10, 4 and 1")
    way = _Way(lambda: open_door(session, where, folder))
    way.attached()  # what is wrong with it is said before the screen is taken
    if mono:
        os.environ["NO_COLOR"] = "1"
    try:
        # Textual draws on standard error: a screen needs all three to be one.
        whole = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
        if session.json or once or not whole:
            return _printed(way, where.role, filter_text, sort_text)
        return _watched(way, where.role, rate, filter_text, sort_text)
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in _OF_THE_EXTRA:
            raise
        raise MirrorCoreError(
            f"the monitor needs {error.name}, which is not installed",
            hint="pip install 'mirrorcore-x[terminal]' brings it",
        ) from None


class _Way:
    """The way to the swarm, looked for again whenever the connection is made anew."""

    def __init__(self, opened: Callable[[], RemoteDoor]) -> None:
        self._opened = opened
        self._door: RemoteDoor | None = None

    def door(self) -> RemoteDoor:
        """Where commands go."""
        if self._door is None:
            self._door = self._opened()
            self._door.name = "terminal"
        return self._door

    def attached(self) -> Attachment:
        """The address, found anew; NotAttachedError where the swarm has none."""
        from mirrorcore.interfaces.attaching import NotAttachedError

        self._door = None
        door = self.door()
        if door.attachment is None:
            raise NotAttachedError(
                door.why_closed, hint="'mirrorcore ctl emergency_stop' works all the same"
            )
        return door.attachment


def _printed(way: _Way, role: str, filter_text: str, sort_text: str) -> Answer:
    """One snapshot, as a grid or as a document."""
    import asyncio

    from mirrorcore.interfaces.live.filtering import Filter, Sort
    from mirrorcore.interfaces.terminal.board import FIELDS, Board
    from mirrorcore.interfaces.terminal.link import Link
    from mirrorcore.interfaces.terminal.plain import shown_once

    chosen, order = Filter.parse(filter_text, FIELDS), Sort.parse(sort_text, FIELDS)
    link = Link(way.attached, role=role)
    asyncio.run(link.look())
    board = Board(link.model, lambda: link.applied, chosen, order)

    def show(out: Console) -> None:
        for line in shown_once(board):
            say(out, line.rstrip())

    return Answer(_document(board), show)


def _document(board: Board) -> dict[str, Any]:
    return {
        "top": dict(board.seen.top),
        "ts": board.seen.ts,
        "agents": [board.agent(row) for row in board.rows()],
    }


def _watched(way: _Way, role: str, rate: int, filter_text: str, sort_text: str) -> Answer:
    from mirrorcore.interfaces.live.wire import VIEW_FAILED
    from mirrorcore.interfaces.terminal.app import Monitor
    from mirrorcore.interfaces.terminal.link import Link

    link = Link(way.attached, role=role, rate=rate)
    app = Monitor(link, way.door, rate=rate, filter_text=filter_text, sort_text=sort_text)
    # All that is loaded by now stays: the collector, which would walk through it again and again,
    # would keep a key waiting for 50 ms each time.
    gc.collect()
    gc.freeze()
    app.run()
    if app.defect is not None:
        raise app.defect
    run = str(link.model.facts.get("run", ""))
    ended = link.model.ended

    def show(out: Console) -> None:
        if ended == VIEW_FAILED:
            say(out, f"run {run} goes on, but cannot be shown any more; its warnings say why")
        elif ended:
            say(out, f"run {run} has ended: {ended}")
        elif run:
            say(out, f"run {run} goes on; 'mirrorcore monitor' shows it again")

    return Answer({"run": run, "ended": ended}, show)
