"""How a call gets to a swarm: over HTTP to another process, or straight to one in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.attaching import NotAttachedError
from mirrorcore.interfaces.calling import CommandClient, UnreachableError
from mirrorcore.interfaces.console.catalogue import STOP, Catalogue

if TYPE_CHECKING:
    from mirrorcore.interfaces.attaching import Attachment
    from mirrorcore.interfaces.commands import CommandInterface
    from mirrorcore.interfaces.console.reading import Request
    from mirrorcore.journal import RunInfo

Outcome = Mapping[str, Any]

STOP_TIMEOUT_S = 2.0
"""How long a stop waits for the server before it goes another way."""

_SHARE, _LONGEST_S = 0.8, 30.0
_SLOW, _SLOW_S = ("why",), 75.0
"""What runs a part of the run again takes its time."""

_OTHER_WAY = (
    "bus_unavailable", "busy", "unauthenticated", "bad_host", "bad_origin", "defect", "failed",
)  # fmt: skip
"""Refusals after which a stop goes another way as well: they say nothing against who gave it."""


class Door(Protocol):
    """Where calls go. What goes wrong on the way is a MirrorCoreError, a refusal an outcome."""

    async def catalogue(self) -> Catalogue:
        """The commands this caller may use."""

    async def call(self, request: Request, confirm: str | None = None) -> Outcome:
        """Have a command carried out, with the token a refusal asked to be confirmed by."""


@dataclass(frozen=True, slots=True)
class LocalDoor:
    """The swarm of this process, or its bus alone, behind a ``CommandInterface``."""

    interface: CommandInterface

    async def catalogue(self) -> Catalogue:
        may = self.interface.caller.may
        specs = self.interface.specs.values()
        given = (spec.document() for spec in specs if may(spec.role))
        return Catalogue.of(given, bare=self.interface.bare)

    async def call(self, request: Request, confirm: str | None = None) -> Outcome:
        more = {"reason": request.reason, "dry_run": request.dry_run}
        if confirm is not None:
            more["confirm"] = confirm
        return await self.interface.handle_command(request.name, {**request.args, **more})


@dataclass
class RemoteDoor:
    """A swarm in another process.

    Attributes
    ----------
    attachment: the way to it by HTTP; None where there is none, then ``why_closed`` says why.
    run: its folder on this machine, None for a swarm elsewhere; a stop needs nothing but this.
    name: what the journal calls this door: ``console`` or ``terminal``.
    """

    attachment: Attachment | None
    role: str
    run: RunInfo | None = None
    why_closed: str = ""
    timeout_s: float = 10.0
    name: str = "console"
    _catalogue: Catalogue | None = field(default=None, init=False)

    async def catalogue(self) -> Catalogue:
        return await asyncio.to_thread(self.catalogue_now)

    async def call(self, request: Request, confirm: str | None = None) -> Outcome:
        return await asyncio.to_thread(self.call_now, request, confirm)

    def catalogue_now(self) -> Catalogue:
        """The same, waiting."""
        if self._catalogue is None:
            self._catalogue = Catalogue.of(self._caller(self.timeout_s).catalogue())
        return self._catalogue

    def call_now(self, request: Request, confirm: str | None = None) -> Outcome:
        """The same, waiting."""
        if request.name == STOP.name and not request.dry_run:
            return self._stop(request)
        slow = request.name in _SLOW
        return self._call(
            request, confirm, max(self.timeout_s, _SLOW_S) if slow else self.timeout_s
        )

    def _call(self, request: Request, confirm: str | None, timeout_s: float) -> Outcome:
        return self._caller(timeout_s).call(
            request.name,
            request.args,
            confirm=confirm,
            reason=request.reason,
            dry_run=request.dry_run,
            # The swarm is to give up first: then its answer says what it knows.
            timeout_s=min(max(_SHARE * timeout_s, 0.1), _LONGEST_S),
        )

    def _stop(self, request: Request) -> Outcome:
        """By HTTP; where nobody answers soon enough by whatever else reaches the swarm."""
        from mirrorcore.interfaces.console import emergency

        try:
            outcome = self._call(request, None, STOP_TIMEOUT_S)
        except MirrorCoreError as error:
            why = error.message
        else:
            refusal = outcome.get("error") or {}
            if self.run is None or refusal.get("code") not in _OTHER_WAY:
                return outcome
            why = str(refusal.get("message"))
        if self.run is None:
            raise UnreachableError(
                f"the stop did NOT reach the swarm: {why}",
                hint="on its own machine 'mirrorcore ctl emergency_stop' needs no server",
            )
        level = str(request.args.get("level") or "cancel")
        reached = emergency.stop(self.run, level, request.reason, door=self.name)
        return reached.outcome(level, why)

    def _caller(self, timeout_s: float) -> CommandClient:
        if self.attachment is None:
            raise NotAttachedError(self.why_closed, hint="an emergency_stop works all the same")
        return CommandClient(self.attachment, self.role, timeout_s=timeout_s, door=self.name)
