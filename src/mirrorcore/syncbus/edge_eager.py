"""The edge of a reader that is called within the publish itself: for trusted sync handlers.

Isolation from what it raises is kept; isolation from its slowness is what it gives up, so it is
for those who must have looked before the publisher goes on (a risk check before an order).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorcore.syncbus.edge import Edge

if TYPE_CHECKING:
    from mirrorcore.syncbus.dispatcher import Dispatcher
    from mirrorcore.syncbus.mailbox import Mailbox
    from mirrorcore.syncbus.source import StateSource


class EagerEdge(Edge):
    """Delivered at once where the reader can be called; otherwise it waits like any other."""

    __slots__ = ("_dispatcher",)

    def __init__(self, source: StateSource, mailbox: Mailbox, dispatcher: Dispatcher) -> None:
        super().__init__(source, mailbox)
        self._dispatcher = dispatcher

    def call(self) -> None:
        """Its source has published, and may be gone by what others did in their call."""
        if not self.closed and not self._dispatcher.call_within(self):
            self.mailbox.mark(self)
