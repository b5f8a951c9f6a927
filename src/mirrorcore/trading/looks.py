"""The looks at the gateway within a step: what closed it from outside, and where it was found.

A stop may come from any thread, a disk may be full at any entry. Both are latched and found at the
next look, of which there is one before each order; a repeated run finds them at the same one.
"""

from __future__ import annotations

from typing import NamedTuple

from mirrorcore.trading.gateway import ACTIVE, HALTED, Gateway, Trigger
from mirrorcore.trading.venue import MatchingEngine


class Found(NamedTuple):
    """What closed the gateway, and at which look of the step.

    ``unrecorded``: it was the intent of the order after that look which could not be written down.
    """

    look: int
    trigger: Trigger
    reason: str
    unrecorded: bool = False


class Looks:
    """Counts the looks of a step and carries out what is found at them.

    Attributes
    ----------
    number: the last look of this step, from 0.
    found: what closed the gateway within the last step, in order; not what a record said.
    repeats: of a repeated run, what is to be found in the coming step, in order of its looks.
    """

    def __init__(self, gateway: Gateway, venue: MatchingEngine) -> None:
        self.number = 0
        self.found: list[Found] = []
        self.repeats: list[Found] = []
        self._withdrawn = 0
        self._gateway = gateway
        self._venue = venue
        self._intent_lost = ""

    @property
    def stopped_at(self) -> int | None:
        """The look at which a stop closed the gateway; None where none did in this step."""
        return next((one.look for one in self.found if one.trigger is Trigger.STOP), None)

    def begin(self) -> None:
        """A step begins; its first look is the next one."""
        self.number, self._withdrawn = -1, 0
        if self.found:
            self.found = []

    def look(self, ts: int) -> None:
        """Carry out what was latched since the last look, or was found at this one before."""
        self.number += 1
        gateway = self._gateway
        while self.repeats and self.repeats[0].look == self.number:
            self._again(self.repeats.pop(0), ts)
        if gateway.restricted is not None:
            self.reduce(gateway.restricted, ts)
        if gateway.latched is not None:
            if gateway.state is not HALTED:  # a second stop in one step closes nothing more
                self.found.append(Found(self.number, Trigger.STOP, gateway.latched))
            self._stop(gateway.latched, ts)

    def reduce(self, reason: str, ts: int, *, unrecorded: bool = False) -> None:
        """Turn the gateway to REDUCING at this look."""
        if self._gateway.state is ACTIVE:
            self.found.append(Found(self.number, Trigger.REDUCE, reason, unrecorded))
        self._gateway.reduce(reason, ts=ts)

    def intent_lost(self, ts: int) -> bool:
        """Whether the next order could not be written down in the run that is repeated; once.

        The gateway turns to REDUCING then as it did there, and nothing is ``found``: the record
        has it already.
        """
        lost, self._intent_lost = self._intent_lost, ""
        if lost:
            self._gateway.reduce(lost, ts=ts)
        return bool(lost)

    def take_withdrawn(self) -> int:
        """How many orders were withdrawn when a stop was found in the last step; told once."""
        withdrawn, self._withdrawn = self._withdrawn, 0
        return withdrawn

    def _again(self, one: Found, ts: int) -> None:
        if one.trigger is Trigger.STOP:
            self._stop(one.reason, ts)
        elif one.unrecorded:
            self._intent_lost = one.reason
        else:
            self._gateway.reduce(one.reason, ts=ts)

    def _stop(self, reason: str, ts: int) -> None:
        working = len(self._venue.working)
        self._gateway.stop(reason, ts=ts)
        self._withdrawn += working - len(self._venue.working)
