"""The console itself: reads a line, has it carried out, says what came of it, asks if it must."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.interfaces.console.catalogue import (
    STOP,
    Catalogue,
    Entry,
    NotGivenHereError,
    UnknownCommandError,
)
from mirrorcore.interfaces.console.doors import Door, LocalDoor, Outcome
from mirrorcore.interfaces.console.lines import Lines, PlainLines, PromptLines
from mirrorcore.interfaces.console.reading import Request, read_args, words_of
from mirrorcore.interfaces.console.telling import (
    exit_code_of,
    show_entry,
    show_error,
    show_help,
    show_outcome,
)

if TYPE_CHECKING:
    from rich.console import Console

_LEAVING = ("quit", "q", "bye")
_SHOWN = 20
"""So many of those whom a command hits are named when it is to be confirmed."""


class InteractiveConsole:
    """Reads commands and has them carried out; the guide's name.

    Parameters
    ----------
    command_interface: of a swarm in this process, or a :class:`Door` to one in another.
    lines: where commands come from; standard input if left out, with a prompt on a terminal.
    json: one JSON document a line in place of text.
    yes: confirm whatever asks for it.
    strict: end at the first command that is not carried out.
    history: file of the commands typed before; None keeps none.
    """

    def __init__(
        self,
        command_interface: Any,
        *,
        lines: Lines | None = None,
        json: bool = False,
        yes: bool = False,
        strict: bool = False,
        history: Path | None = None,
    ) -> None:
        is_door = hasattr(command_interface, "catalogue") and hasattr(command_interface, "call")
        self._door: Door = command_interface if is_door else LocalDoor(command_interface)
        self._lines = lines
        self._json, self._yes, self._strict = json, yes, strict
        self._history = history
        self._catalogue = Catalogue({STOP.name: STOP})
        self._agents: list[str] = []

    async def run_console(self) -> int:
        """Until the input ends, ``quit``, or with ``strict`` the first failure.

        Returns 0, or the exit code of the first command that was not carried out.
        """
        lines = self._lines or self._standard_input()
        await self._learn()
        if lines.interactive and not self._json:
            self._say("'help' lists the commands, 'quit' leaves; the swarm goes on.", "dim")
        first_failure = 0
        while True:
            try:
                line = await lines.next()
            except KeyboardInterrupt:
                if not lines.interactive:
                    raise
                self._say("'quit' or Ctrl-D leaves; the swarm goes on.", "dim")
                continue
            if line is None or line.strip() in _LEAVING:
                return first_failure
            code = await self._line(line, lines)
            first_failure = first_failure or code
            if code and self._strict:
                return code

    async def _line(self, line: str, lines: Lines) -> int:
        """One line from beginning to end; its exit code."""
        try:
            words = words_of(line)
            return await self._command(words, lines) if words else 0
        except MirrorCoreError as error:
            self._fail(error, line)
            return error.exit_code

    async def _command(self, words: list[str], lines: Lines) -> int:
        if words[0] in ("help", "?"):
            return await self._help(words[1:])
        entry = await self._find(words[0])
        if entry.name == "exit" and len(words) == 1:
            raise UsageError(
                "exit closes positions and needs to be told which",
                hint="'exit *' closes all of them; 'quit' leaves the console",
            )
        request = read_args(words[1:], entry)
        outcome = await self._confirmed(request, entry, lines)
        self._tell(outcome, entry, request)
        if entry.name in ("agents", "status"):
            self._remember(outcome)
        return exit_code_of(outcome)

    async def _find(self, word: str) -> Entry:
        """A command by its name; the swarm is asked again before it is said that there is none."""
        try:
            return self._catalogue.find(word)
        except UnknownCommandError:
            trouble = await self._learn()
            if trouble is not None:
                raise trouble from None
            return self._catalogue.find(word)

    async def _confirmed(self, request: Request, entry: Entry, lines: Lines) -> Outcome:
        """The outcome; where the swarm wants it confirmed, whoever is there is asked."""
        outcome = await self._door.call(request)
        error = outcome.get("error") or {}
        token = error.get("confirm")
        if error.get("code") != "confirm_required" or not token:
            return outcome
        if not (self._yes or request.yes):
            if not lines.interactive or self._json:
                return with_hint(outcome, "--yes confirms it")
            if not await self._agreed(error, lines):
                return refused_by_person(request.name)
        return await self._door.call(request, str(token))

    async def _agreed(self, error: Mapping[str, Any], lines: Lines) -> bool:
        for line in question(error):
            self._say(line, "yellow")
        try:
            answer = await lines.next("Go on? [y/N] ")
        except KeyboardInterrupt:
            return False
        return (answer or "").strip().lower() in ("y", "yes")

    async def _help(self, words: list[str]) -> int:
        trouble = await self._learn()
        if trouble is not None:
            self._fail(trouble, "help")
        entry = await self._find(words[0]) if words else None
        if self._json:
            names = [entry.name] if entry else list(self._catalogue.entries)
            self._write({"commands": [_described(self._catalogue.entries[n]) for n in names]})
        elif entry is None:
            show_help(self._catalogue, self._out)
        else:
            show_entry(entry, self._out)
        return 0

    async def _learn(self) -> MirrorCoreError | None:
        """Ask the swarm which commands there are; why it could not be asked, if so.

        A stop is known without.
        """
        try:
            found = await self._door.catalogue()
        except MirrorCoreError as error:
            return error
        self._catalogue = Catalogue({STOP.name: STOP, **found.entries}, found.bare)
        return None

    def _remember(self, outcome: Outcome) -> None:
        """Ids of agents, for completion."""
        result = outcome.get("result")
        agents = result.get("agents") if isinstance(result, Mapping) else result
        if isinstance(agents, Mapping):
            self._agents = [str(name) for name in agents]
        elif isinstance(agents, list):
            named = [one.get("id") or one.get("agent") for one in agents if isinstance(one, dict)]
            self._agents = [str(name) for name in named if name]

    # -- saying

    def _standard_input(self) -> Lines:
        if not sys.stdin.isatty():
            return PlainLines(sys.stdin)
        if not sys.stdout.isatty():
            return PlainLines(sys.stdin, interactive=True, echo=sys.stderr)
        try:
            return PromptLines(lambda: self._catalogue, lambda: self._agents, self._history)
        except ImportError:
            self._say("no completion: pip install 'mirrorcore-x[terminal]' brings it", "dim")
            return PlainLines(sys.stdin, interactive=True, echo=sys.stdout)

    @property
    def _out(self) -> Console:
        from mirrorcore.interfaces.cli.answer import console

        return console(sys.stdout)

    def _say(self, text: str, style: str = "") -> None:
        from mirrorcore.interfaces.cli.answer import say
        from mirrorcore.interfaces.terminal.text import harmless

        say(self._out, harmless(text), style)

    def _tell(self, outcome: Outcome, entry: Entry, request: Request) -> None:
        if self._json or request.json:
            self._write(outcome)
        else:
            show_outcome(outcome, self._out, changes=entry.changes)
        sys.stdout.flush()

    def _fail(self, error: MirrorCoreError, line: str) -> None:
        """What could not even be asked, in the form of any other refusal."""
        told = unasked(error, *line.split(maxsplit=1)[:1])
        if self._json:
            self._write(told)
        else:
            show_error(told, self._out)
        sys.stdout.flush()

    def _write(self, document: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()


def question(error: Mapping[str, Any]) -> list[str]:
    """What is to be confirmed, in lines."""
    targets = [str(target) for target in error.get("targets") or ()]
    shown = ", ".join(targets[:_SHOWN])
    shown += f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else ""
    return [str(error.get("message")), *([f"  {shown}"] if shown else [])]


def unasked(error: MirrorCoreError, name: str = "") -> dict[str, Any]:
    """The outcome of a call that did not get through the door: what is wrong with the call itself
    has the code and the status that the swarm would give it."""
    from mirrorcore.interfaces.commands.calls import outcome
    from mirrorcore.interfaces.commands.failures import CommandError

    code = next((code for kind, code in _REFUSED if isinstance(error, kind)), "failed")
    status = "failed" if code == "failed" else "rejected"
    document = CommandError(code, error.message, hint=error.hint).document()
    return outcome("", name, status, error=document)


_REFUSED: tuple[tuple[type[MirrorCoreError], str], ...] = (
    (NotGivenHereError, "read_only"),
    (UnknownCommandError, "unknown_command"),
    (UsageError, "bad_args"),
)


def refused_by_person(name: str) -> dict[str, Any]:
    """The outcome where whoever was asked said no."""
    from mirrorcore.interfaces.commands.calls import outcome

    message = "not confirmed; nothing was changed"
    error = {"code": "not_confirmed", "message": message, "hint": "", "fields": {}}
    return outcome("", name, "rejected", error=error)


def with_hint(outcome: Outcome, hint: str) -> dict[str, Any]:
    """The outcome, whose error says what to do here."""
    error = dict(outcome.get("error") or {})
    said = str(error.get("hint") or "")
    return {**outcome, "error": {**error, "hint": f"{said}; {hint}" if said else hint}}


def _described(entry: Entry) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(entry)
