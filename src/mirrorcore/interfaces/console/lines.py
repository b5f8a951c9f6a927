"""Where lines come from: a person at a terminal, or a pipe. Neither holds up the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.document import Document

    from mirrorcore.interfaces.console.catalogue import Catalogue

PROMPT = "MirrorCore> "


class Lines(Protocol):
    """One line after the other."""

    interactive: bool

    async def next(self, prompt: str = PROMPT) -> str | None:
        """The next line, None at the end; KeyboardInterrupt where the person breaks it off."""


class PlainLines:
    """Lines of a stream, each read when it is asked for, by a thread that holds nobody up."""

    def __init__(self, stream: IO[str], *, interactive: bool = False, echo: IO[str] | None = None):
        self.interactive = interactive
        self._stream = stream
        self._echo = echo
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = threading.Semaphore(0)
        self._arrived: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    async def next(self, prompt: str = PROMPT) -> str | None:
        if self._echo is not None:
            self._echo.write(prompt)
            self._echo.flush()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, name="console-lines", daemon=True).start()
        self._wanted.release()
        line = await self._arrived.get()
        if isinstance(line, Exception):
            raise line
        return line

    def _read(self) -> None:
        while True:
            self._wanted.acquire()
            found: str | Exception | None
            try:
                found = self._stream.readline() or None
            except (OSError, ValueError) as error:  # not text, or closed under us
                found = error
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(self._arrived.put_nowait, found)
            except RuntimeError:  # the loop has ended: nobody waits for it any more
                return
            if not isinstance(found, str):
                return


class PromptLines:
    """A prompt with completion, history and search, by prompt_toolkit."""

    interactive = True

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        agents: Callable[[], Sequence[str]],
        history: Path | None,
    ) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        kept = InMemoryHistory() if history is None else FileHistory(str(_private(history)))
        self._session: PromptSession[str] = PromptSession(
            history=kept,
            completer=completer(catalogue, agents),
            auto_suggest=AutoSuggestFromHistory(),
            complete_while_typing=False,
            enable_history_search=True,
        )
        # An answer to a question is no command: it is neither completed nor remembered.
        self._asking: PromptSession[str] = PromptSession(history=InMemoryHistory())

    async def next(self, prompt: str = PROMPT) -> str | None:
        session = self._session if prompt == PROMPT else self._asking
        try:
            return await session.prompt_async(prompt)
        except EOFError:
            return None


def completer(catalogue: Callable[[], Catalogue], agents: Callable[[], Sequence[str]]) -> Completer:
    """Completes commands, then what their arguments may be."""
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
            text = document.text_before_cursor
            word = text.rpartition(" ")[2]
            for choice in candidates(text, catalogue(), agents()):
                yield Completion(choice, start_position=-len(word))

    return Words()


def candidates(text: str, catalogue: Catalogue, agents: Sequence[str]) -> list[str]:
    """What the last word of ``text`` may become."""
    from mirrorcore.errors import MirrorCoreError

    *before, word = text.split(" ")
    before = [part for part in before if part]
    if not before:
        return _beginning(word, [*catalogue.entries, "help", "quit"])
    if before[0] == "help":
        return _beginning(word, list(catalogue.entries))
    try:
        entry = catalogue.find(before[0])
    except MirrorCoreError:
        return []
    named = {one.name: one for one in entry.parameters}
    name, equals, begun = word.partition("=")
    if equals and name in named:
        offered = _values(named[name].name, named[name].choices, agents)
        return [f"{name}={value}" for value in _beginning(begun, offered)]
    place = sum("=" not in part and not part.startswith("--") for part in before[1:])
    found: list[str] = []
    if place < len(entry.parameters):
        one = entry.parameters[place]
        found = _beginning(word, _values(one.name, one.choices, agents))
    return found + (_beginning(word, [f"{one}=" for one in named]) if word else [])


def _values(name: str, choices: Sequence[str], agents: Sequence[str]) -> list[str]:
    if choices:
        return list(choices)
    return list(agents) if name in ("target", "agent") else []


def _beginning(word: str, offered: Iterable[str]) -> list[str]:
    wanted = word.lower()
    return list(dict.fromkeys(one for one in offered if one.lower().startswith(wanted)))


def _private(path: Path) -> Path:
    """The file of the history, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    return path
