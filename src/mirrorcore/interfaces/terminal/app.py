"""The monitor as a whole: its keys, and what is done with the line that is written on."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from mirrorcore.interfaces.terminal.commanding import Commanding
from mirrorcore.interfaces.terminal.frame import SCREENS
from mirrorcore.interfaces.terminal.grid import Grid
from mirrorcore.interfaces.terminal.views.risk import RiskView


class Monitor(Commanding):
    """A full screen over a running swarm; its parameters are those of ``Frame``.

    Handlers of messages stand here alone: one of the same name in a base class would be called
    as well.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(at), f"screen_number({at - 1})") for at in range(1, len(SCREENS) + 1)),
        Binding("f10", "stop", priority=True),
        Binding("X", "stop"),
        Binding("slash", "ask_filter", priority=True),
        Binding("colon", "ask_command", priority=True),
        Binding("question_mark,f1", "help"),
        Binding("space", "pause"),
        Binding("s", "sort"),
        Binding("S", "turn_sort"),
        Binding("f", "follow"),
        Binding("t", "trend"),
        Binding("y", "copy"),
        Binding("p", "pause_agent"),
        Binding("w", "why"),
        Binding("left_square_bracket", "neighbour(-1)"),
        Binding("right_square_bracket", "neighbour(1)"),
        Binding("escape", "leave"),
        Binding("q,ctrl+c,ctrl+q", "quit"),
    ]

    def on_mount(self) -> None:
        self.begin()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key does what it is bound to.

        Those that open the line come before all others, so that what is typed right after them is
        written on it. While it is open, or something lies over the screen, they are letters.
        """
        if action in ("ask_filter", "ask_command"):
            return not self.prompt.asking and len(self.screen_stack) == 1
        return super().check_action(action, parameters)

    def on_grid_chosen(self, message: Grid.Chosen) -> None:
        if self.view is self.agents:
            self._inspect(message.row)
        elif isinstance(self.view, RiskView):
            self.action_why()

    def on_input_changed(self) -> None:
        prompt = self.prompt
        if not prompt.asking:
            return
        prompt.refresh_offers()
        self.offers.update()
        if prompt.asking == "filter":
            self._try_filter(prompt.value)

    def on_prompt_left(self) -> None:
        prompt = self.prompt
        if prompt.asking == "filter":
            self.board.filter = self._filter_before
            self._reorder()
        self._close_prompt()
        self.say("")

    def on_input_submitted(self) -> None:
        prompt = self.prompt
        asking, text = prompt.asking, prompt.value.strip()
        if asking == "filter" and not self._try_filter(text):
            return
        prompt.remember(text)
        self._close_prompt()
        if asking == "command" and text:
            self.run_line(text)
