"""Ends the examination of an agent that does not come back, and says where it is.

A loop in Python code is ended by the bus's watchdog, once the agent is in its swarm. What waits in
C (``time.sleep``, a socket) is reached by no exception, and neither is a file that is only being
loaded. Nothing in the thread that waits can end it: the examination is given up from another one.
Of code in C that keeps the interpreter to itself nothing here hears: no other thread runs then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mirrorcore.clock import MILLISECOND, SECOND, stamp_ns
from mirrorcore.swarm.contract.rules import ContractReport, Finding, Verdict
from mirrorcore.syncbus.interrupt import Interrupter, lines_of

PATIENCE_NS = 10 * SECOND
"""How long one call of an agent, or the loading of its file, may take: as long as in a replay."""
_POLL_NS = 50 * MILLISECOND
_HINT = (
    "an agent is called within the swarm's own loop: wait with 'await asyncio.sleep(…)', and do "
    "nothing when its file is loaded that takes long"
)


@contextmanager
def patience(
    files: Mapping[str, str],
    given_up: Callable[[ContractReport], object],
    limit_ns: int = PATIENCE_NS,
) -> Iterator[None]:
    """Watch the calling thread while agents are loaded and called in it.

    Parameters
    ----------
    files: the agents' own files, as Python was told them -> whose each is; "" where only the file
        itself says so.
    given_up: told once, in another thread, when the same call into one of them has lasted longer
        than ``limit_ns``. The examining thread still waits then and will not end by itself.
    """
    watcher = _Watcher(files, given_up, limit_ns)
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()


class _Watcher:
    """The watching thread; an agent's call is known by the outermost frame of its file."""

    def __init__(
        self,
        files: Mapping[str, str],
        given_up: Callable[[ContractReport], object],
        limit_ns: int,
    ) -> None:
        self._files = files
        self._given_up = given_up
        self._limit_ns = limit_ns
        self._examining = threading.get_ident()
        self._interrupter = Interrupter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mirrorcore-patience", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: FrameType | None = None
        since = stamp_ns()
        while not self._over.wait(_POLL_NS / SECOND):
            own = self._own_frames()
            if not own or own[-1] is not seen:
                seen, since = own[-1] if own else None, stamp_ns()
            elif stamp_ns() - since > self._limit_ns:
                self._given_up(self._report(own, stamp_ns() - since))
                return

    def _own_frames(self) -> list[FrameType]:
        """Frames of the agents' files in the examining thread, innermost first."""
        stack = self._interrupter.stack(self._examining)
        return [frame for frame in stack if frame.f_code.co_filename in self._files]

    def _report(self, own: list[FrameType], waited_ns: int) -> ContractReport:
        code, file = own[-1].f_code, own[0].f_code.co_filename
        method_of, dot, _ = code.co_qualname.partition(".")
        agent_id = self._files[code.co_filename] or (method_of if dot else Path(file).name)
        (line,) = lines_of(own[:1])
        told = (
            f"{agent_id} has not come back for {waited_ns / SECOND:.0f} s "
            f"({file}, line {own[0].f_lineno}): {line.partition(': ')[2]}"
        )
        finding = Finding("comes to an end", Verdict.FAILED, told, _HINT)
        return ContractReport(agent_id, "", 0, 0, (finding,))
