"""Why a command was not carried out: stable codes, the same behind every door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from mirrorcore.errors import ConfigError, MirrorCoreError, RefusedError, UsageError
from mirrorcore.swarm.control.effects import ConflictError, NotFoundError
from mirrorcore.swarm.control.requests import NotRecordedError, RunEndedError

HTTP: Mapping[str, int] = {
    "bad_args": 400,
    "read_only": 403,
    "unknown_command": 404,
    "unknown_agent": 404,
    "not_found": 404,
    "no_data": 404,
    "conflict": 409,
    "already_running": 409,
    "out_of_bounds": 422,
    "exceeds_hard_limit": 422,
    "idempotency_key_reused": 422,
    "shift_too_large": 422,
    "confirm_required": 428,
    "bus_unavailable": 503,
    "ack_timeout": 504,
    "busy": 504,
    "journal_full": 507,
    "failed": 500,
}
"""Every code of a command, with the status that says the same in HTTP."""


class CommandError(MirrorCoreError):
    """A command that was not carried out; ``code`` is one of :data:`HTTP`."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        fields: Mapping[str, str] | None = None,
        confirm: str = "",
        targets: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.fields = dict(fields or {})
        self.confirm = confirm
        self.targets = list(targets)

    def document(self) -> dict[str, Any]:
        """What the outcome says of it."""
        found: dict[str, Any] = {
            "code": self.code,
            "http": HTTP[self.code],
            "message": self.message,
            "hint": self.hint,
            "fields": self.fields,
        }
        if self.confirm:
            found |= {"confirm": self.confirm, "targets": self.targets}
        return found


_CODES: tuple[tuple[type[BaseException], str], ...] = (
    (NotFoundError, "not_found"),
    (ConflictError, "conflict"),
    (RunEndedError, "bus_unavailable"),
    (NotRecordedError, "journal_full"),
    (ConfigError, "out_of_bounds"),
    (RefusedError, "exceeds_hard_limit"),
    (UsageError, "bad_args"),
    (TimeoutError, "busy"),
    (FutureTimeoutError, "busy"),
)


def as_command_error(error: Exception) -> CommandError:
    """What an error of the swarm means to whoever gave the command."""
    if isinstance(error, CommandError):
        return error
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "failed")
    if isinstance(error, MirrorCoreError):
        return CommandError(code, error.message, hint=error.hint)
    if code == "busy":
        return CommandError(
            code,
            "the swarm did not answer in time: an agent may be holding it up",
            hint="repeat it; an emergency stop would close the gateway even so",
        )
    # Its kind alone: what it says may quote what nobody should see.
    return CommandError(code, f"{type(error).__name__} within", hint="this is a defect of ours")
