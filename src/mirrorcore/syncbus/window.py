"""Whose code is running: set while an agent's own code runs in the bus's thread, and only then.

What looks in from another thread (the watchdog) may throw an exception into the bus's thread while
the window is open and be sure that it lands in the agent's code, never in the bus's.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirrorcore.syncbus.agent import Agent


class Window:
    """``agent`` is whose code runs now, None while the bus's own code does.

    It is set just before that code is entered and cleared just after it returns, within the same
    ``try``. The interpreter looks for exceptions from outside when a call returns and before it
    goes on to the next instruction; so one that was thrown while the window was open is raised
    before it is closed. ``agent.mailbox.calls`` numbers the call, ``thread_id`` says which thread
    calls.
    """

    __slots__ = ("agent", "thread_id")

    def __init__(self) -> None:
        self.agent: Agent | None = None
        self.thread_id = get_ident()
