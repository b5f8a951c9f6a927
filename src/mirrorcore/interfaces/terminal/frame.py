"""What the monitor is made of: seven screens in a frame of lines, drawn when there is news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from textual import work
from textual.app import App, ComposeResult
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.console.catalogue import Catalogue
from mirrorcore.interfaces.console.doors import Outcome
from mirrorcore.interfaces.console.reading import Request
from mirrorcore.interfaces.live.filtering import Filter, Sort
from mirrorcore.interfaces.terminal.board import FIELDS, Board
from mirrorcore.interfaces.terminal.link import Link, LinkState
from mirrorcore.interfaces.terminal.look import BAD, BOLD, DIM, SELECTED
from mirrorcore.interfaces.terminal.pane import Line, Pane, Piece, line
from mirrorcore.interfaces.terminal.prompt import Complete, Prompt
from mirrorcore.interfaces.terminal.status import banner, status_lines
from mirrorcore.interfaces.terminal.text import harmless, wrap
from mirrorcore.interfaces.terminal.views.agent import AgentView
from mirrorcore.interfaces.terminal.views.agents import AgentsView
from mirrorcore.interfaces.terminal.views.audit import AuditView
from mirrorcore.interfaces.terminal.views.findings import FindingsView
from mirrorcore.interfaces.terminal.views.flow import FlowView
from mirrorcore.interfaces.terminal.views.risk import RiskView
from mirrorcore.interfaces.terminal.views.sources import SourcesView
from mirrorcore.interfaces.terminal.views.view import View

_SAID_LINES = 3
"""Lines that the last thing said may take."""

SCREENS: tuple[type[View], ...] = (
    AgentsView, AgentView, FlowView, SourcesView, RiskView, AuditView, FindingsView,
)  # fmt: skip


class WaitingDoor(Protocol):
    """Where commands go; a :class:`~mirrorcore.interfaces.console.doors.RemoteDoor` is one."""

    def catalogue_now(self) -> Catalogue:
        """The commands this caller may use."""

    def call_now(self, request: Request, confirm: str | None = None) -> Outcome:
        """Have a command carried out."""


class Frame(App[None]):
    """The screens, the lines around them, and what is asked of the swarm for them.

    Parameters
    ----------
    link: the connection; followed from the start unless ``follow`` is False.
    door: where commands go, asked for each time; raises where there is no swarm.
    rate: how often a second the screen is drawn.
    """

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = "#grid"
    ESCAPE_TO_MINIMIZE = False
    TITLE = "MirrorCore-X"
    CSS = """
    Screen { layout: vertical; }
    ContentSwitcher { height: 1fr; }
    #status, #keys, #said, #offers { height: 1; }
    #status { background: $surface; }
    #keys { background: $surface; }
    #banner { height: 1; display: none; background: #5a3a00; color: #ffffff; text-style: bold; }
    #offers { display: none; }
    """

    def __init__(
        self,
        link: Link,
        door: Callable[[], WaitingDoor],
        *,
        rate: float = 4.0,
        follow: bool = True,
        filter_text: str = "",
        sort_text: str = "",
    ) -> None:
        super().__init__()
        self.link = link
        self.board = Board(link.model, lambda: link.applied)
        self.board.filter = Filter.parse(filter_text, FIELDS)
        self.board.sort = Sort.parse(sort_text, FIELDS)
        self.catalogue = Catalogue()
        self._door = door
        self._rate = rate
        self._follow_link = follow
        self._said: Line = line(" ? keys   : command   / filter", DIM)
        self._drawn = -1
        self._link_shown = ""
        self._filter_before = self.board.filter
        self._asked_epoch = -1
        self._open: list[tuple[Any, ...]] = []
        self.clocks: tuple[Timer, ...] = ()
        self.screens_of = tuple(
            kind(self.board, kind.heading.replace(" ", "-")) for kind in SCREENS
        )
        # Held here and not looked up by name: a clock may strike while the screen is being closed.
        self.status = Pane(self._status, name="status")
        self.ribbon = Pane(self._banner, name="banner")
        self.switcher = ContentSwitcher(initial=self.screens_of[0].id)
        self.offers = Pane(self._offers, name="offers")
        self.prompt = Prompt()
        self.last_said = Pane(self._last_said, name="said")
        self.key_line = Pane(self._keys, name="keys")

    # -- what there is -------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.ribbon
        with self.switcher:
            yield from self.screens_of
        yield self.offers
        yield self.prompt
        yield self.last_said
        yield self.key_line

    def begin(self) -> None:
        """The screen is there: follow the swarm and draw."""
        self.animation_level = "none"
        if self._follow_link:
            self.run_worker(self.link.run(), exclusive=False, exit_on_error=True)
        self.clocks = (
            self.set_interval(1.0 / self._rate, self.frame),
            self.set_interval(1.0, self.second),
        )
        self.call_after_refresh(self._take_keys)

    @property
    def view(self) -> View:
        """The screen that is seen."""
        current = self.switcher.current
        return next(view for view in self.screens_of if view.id == current)

    def frame(self) -> None:
        """Draw what is new; only what is seen is drawn."""
        state = self.link.state()
        stale = state is not LinkState.LIVE
        words = banner(self.link)
        if words != self._link_shown:
            self._link_shown = words
            self.ribbon.display = bool(words)
            self.ribbon.update()
        self.status.update()
        view = self.view
        changed = self.link.applied != self._drawn and not self.board.paused
        if changed or view.stale != stale:
            self._drawn = self.link.applied
            view.stale = stale
            view.draw()

    def second(self) -> None:
        """What is done once a second: samples, a new order of rows, questions to the swarm."""
        self.board.sample()
        view = self.view
        if not self.board.paused:
            view.each_second()
            view.draw()
        if self.link.state() is LinkState.LIVE:
            if self._asked_epoch != self.link.model.epoch:
                self._asked_epoch = self.link.model.epoch
                self._learn()
            if not self.board.paused:
                self._ask_for(view)

    def _take_keys(self) -> None:
        """The first screen takes the keys, unless somebody was quicker and has begun to type."""
        if not self.prompt.asking:
            self._focus_view()

    def _focus_view(self) -> None:
        first = self.view.first
        if first is None:
            first = next((one for one in self.view.query("*") if one.focusable), None)
        if first is not None:
            first.screen.set_focus(first)

    # -- lines of the frame --------------------------------------------------------------------

    def _status(self, width: int, height: int) -> list[Line]:
        return status_lines(self.board, self.link, width)

    def _banner(self, width: int, height: int) -> list[Line]:
        return [line(banner(self.link))]

    def _last_said(self, width: int, height: int) -> list[Line]:
        return self._said_lines(width)

    def _keys(self, width: int, height: int) -> list[Line]:
        view = self.view
        pairs: list[list[Piece]] = [
            [(f" {at} {one.heading} ", SELECTED if one is view else DIM)]
            for at, one in enumerate(self.screens_of, 1)
        ]
        for key, what in (
            *view.keys, ("space", "pause view"), ("y", "copy"), (":", "command"), ("?", "keys"),
            ("q", "quit"),
        ):  # fmt: skip
            pairs.append([(f"  {key}", BOLD), (f" {what}", DIM)])
        stop = " F10 STOP "
        room = width - len(stop)
        kept: list[Piece] = []
        for pair in pairs:
            length = sum(len(text) for text, _ in pair)
            if length > room:
                break
            kept += pair
            room -= length
        return [[*kept, (" " * room, None), (stop, BAD + SELECTED)]]

    def _offers(self, width: int, height: int) -> list[Line]:
        prompt = self.prompt
        offers = prompt.offers()
        pieces: list[Piece] = [(" ", None)]
        for at, offer in enumerate(offers[:12]):
            shown = offer.rpartition(" ")[2] if " " in offer else offer
            pieces.append((f" {harmless(shown)} ", SELECTED if at == prompt.chosen() else DIM))
        if len(offers) > 12:
            pieces.append((f" … {len(offers) - 12} more", DIM))
        return [pieces]

    def say(self, text: str, style: Any = None) -> None:
        """Show a line above the keys until the next one; a long one takes a second and a third."""
        self._said = line(f" {text}", style)
        self.last_said.styles.height = min(_SAID_LINES, len(self._said_lines(self.size.width)))
        self.last_said.update()

    def _said_lines(self, width: int) -> list[Line]:
        style = self._said[0][1]
        room = max(20, width - 2)
        return [line(f" {part}", style) for part in wrap(self._said[0][0].strip(), room)]

    # -- screens -------------------------------------------------------------------------------

    def action_screen_number(self, at: int) -> None:
        self.switcher.current = self.screens_of[at].id
        self.view.stale = self.link.state() is not LinkState.LIVE
        self.view.draw()
        self.view.each_second()
        self.key_line.update()
        self._focus_view()
        if self.link.state() is LinkState.LIVE:
            self._ask_for(self.view)

    @property
    def agents(self) -> AgentsView:
        """Screen 1."""
        found = self.screens_of[0]
        assert isinstance(found, AgentsView)
        return found

    @property
    def agent(self) -> AgentView:
        """Screen 2."""
        found = self.screens_of[1]
        assert isinstance(found, AgentView)
        return found

    def ask_for_line(self, what: str, complete: Complete, text: str) -> None:
        """Open the line that is written on, and the one above it with what it may become."""
        self.offers.display = True
        self.prompt.ask(what, complete, text)
        self.offers.update()

    def _close_prompt(self) -> None:
        self.prompt.close()
        self.offers.display = False
        self._focus_view()

    # -- questions -----------------------------------------------------------------------------

    @work(exclusive=False, group="questions", exit_on_error=True)
    async def _ask_for(self, view: View) -> None:
        """The answers a screen shows beside the frames, while it is seen.

        A question that is still open is not asked again: an answer may take longer than a second.
        """
        for name, args in view.questions().items():
            request = Request(name, args)
            open_one = (name, *args.values())
            if open_one in self._open:
                continue
            self._open.append(open_one)
            try:
                outcome = await asyncio.to_thread(self._asked, request)
            except MirrorCoreError as error:
                view.refused(name, error.message)
                continue
            finally:
                self._open.remove(open_one)
            if request.args != view.questions().get(name):
                continue  # it was about what is no longer shown
            refusal = outcome.get("error")
            if refusal:
                view.refused(name, str(refusal.get("message")))
            else:
                view.answered(name, outcome.get("result"))

    def _asked(self, request: Request) -> Outcome:
        return self._door().call_now(request)

    @work(exclusive=True, group="catalogue", exit_on_error=True)
    async def _learn(self) -> None:
        await self.learn()

    async def learn(self) -> None:
        """The commands there are, from the swarm itself."""
        try:
            self.catalogue = await asyncio.to_thread(lambda: self._door().catalogue_now())
        except MirrorCoreError as error:
            self.say(f"■ the commands could not be read: {error.message}", BAD)

    def _fatal_error(self) -> None:
        """A defect closes the screen; the command line says so, with the traceback in a file."""
        self._close_messages_no_wait()

    @property
    def defect(self) -> BaseException | None:
        """What ended the monitor where nobody wanted it to end."""
        return self._exception


def _short(result: Any) -> bool:
    """Whether an answer fits the line above the keys."""
    if isinstance(result, dict):
        return len(result) <= 4 and not any(isinstance(one, dict | list) for one in result.values())
    return not isinstance(result, list)
