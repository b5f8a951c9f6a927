"""``/api/v1/commands``: the registry of commands over HTTP."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mirrorcore.interfaces.api.doorkeeper import Tally, plain
from mirrorcore.interfaces.api.problems import Problem, too_often
from mirrorcore.interfaces.commands.calls import ROLES, Call, Caller, Outcome, Role
from mirrorcore.interfaces.commands.catalogue import STOP
from mirrorcore.interfaces.commands.specs import Spec

if TYPE_CHECKING:
    from mirrorcore.interfaces.api.doorkeeper import Doorkeeper
    from mirrorcore.interfaces.api.ports import Registry

COSTLY = ("why",)
"""Commands that start a process."""

ORIGINS = ("http", "web", "console", "terminal")
_REMEMBERED = 1000
_LONGEST_KEY = 200


class CommandRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a command."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    args: dict[str, Any] = {}
    confirm: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    dry_run: bool = False
    timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=30)] = 5.0


def body_schema(specs: Mapping[str, Spec]) -> dict[str, Any]:
    """The bodies there are: one form for each command."""
    common: dict[str, Any] = {
        "confirm": {"type": ["string", "null"], "maxLength": 200},
        "reason": {"type": "string", "maxLength": 500},
        "dry_run": {"type": "boolean"},
        "timeout_s": {"type": "number", "minimum": 0.1, "maximum": 30},
    }
    forms = []
    for name, spec in specs.items():
        args = spec.document()["schema"]
        required = ["name", "args"] if args["required"] else ["name"]
        properties = {"name": {"const": name}, "args": args, **common}
        forms.append(
            {
                "title": name,
                "description": spec.summary,
                "type": "object",
                "additionalProperties": False,
                "required": required,
                "properties": properties,
            }
        )
    return {"oneOf": forms}


_DEEPEST = 32
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _depth(body: bytes) -> int:
    """How deep brackets are nested at most; those within texts are none."""
    deepest = depth = 0
    for byte in _TEXT.sub(b"", body):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def parse(body: bytes) -> CommandRequest:
    """The request within a body; Problem bad_args where there is none."""
    try:
        if _depth(body) > _DEEPEST:  # a library may have raised what Python allows
            raise ValueError("it is nested too deep")
        return msgspec.json.decode(body, type=CommandRequest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise Problem(
            400,
            "bad_args",
            f"the body is no command: {plain(str(error))}",
            hint='send {"name": "status", "args": {}}',
        ) from None


class Outcomes:
    """The last outcomes by id, each for its caller's role and those above."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[Role, Outcome]] = OrderedDict()

    def keep(self, role: Role, outcome: Outcome) -> None:
        self._kept[str(outcome["id"])] = (role, outcome)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def find(self, role: Role, call_id: str) -> Outcome:
        """The outcome; Problem not_found where there is none for this role."""
        owner, outcome = self._kept.get(call_id, (ROLES[-1], None))
        if outcome is None or ROLES.index(role) < ROLES.index(owner):
            raise Problem(
                404,
                "not_found",
                f"no command {plain(call_id)} is remembered",
                hint=f"the last {self._most:,} are",
            )
        return outcome


class CommandDesk:
    """Takes commands in: counts them, calls the registry, remembers what came of it."""

    def __init__(self, registry: Registry, door: Doorkeeper) -> None:
        self.outcomes = Outcomes()
        self.tally = Tally()
        """Commands by name, status and origin."""
        self.stop_s: float | None = None
        """How long the last stop took, to the last acknowledgement."""
        self._registry = registry
        self._door = door
        self._busy: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        for name, spec in registry.specs.items():
            self._names[name] = name
            self._names.update(dict.fromkeys(spec.aliases, name))

    async def carry_out(
        self, request: CommandRequest, *, role: Role, key: str, origin: str, address: str
    ) -> Outcome:
        """One command; the outcome of the registry, whatever became of it.

        Raises
        ------
        Problem: rate_limited or idempotency_key_required; a stop is neither limited nor asked for
            a key, for it may be asked twice.
        """
        name = self._names.get(request.name, "")
        changes = bool(name) and self._registry.specs[name].changes
        if name != STOP:
            if changes or not name:
                self._door.command(role)
            else:
                self._door.read(role)
            if changes and not key and not request.dry_run:
                raise Problem(
                    400,
                    "idempotency_key_required",
                    f"{name} changes something and needs a key",
                    hint="send a header Idempotency-Key that is new for each new command",
                )
        # What only reads may be large, and asked for again: neither key nor outcome is kept.
        outcome = await self._execute(
            name,
            call_of(request, role=role, key=key if changes else "", origin=origin, address=address),
        )
        self.tally.add(name or "unknown", str(outcome["status"]), origin)
        if changes:
            self.outcomes.keep(role, outcome)
        if name == STOP and "ms" in outcome["result"]:
            self.stop_s = outcome["result"]["ms"] / 1000
        return outcome

    async def read(
        self, name: str, args: Mapping[str, Any], *, role: Role, origin: str, address: str
    ) -> Outcome:
        """A command that only reads, for the views."""
        self._door.read(role)
        request = CommandRequest(name=name, args=dict(args))
        return await self._execute(
            name, call_of(request, role=role, key="", origin=origin, address=address)
        )

    async def _execute(self, name: str, call: Call) -> Outcome:
        """Have the registry carry it out; of what is costly one at a time."""
        if name in COSTLY and self._busy[name]:
            raise too_often(1.0, f"questions of {name}: one is being worked out")
        self._busy[name] += 1
        try:
            return await self._registry.execute(call)
        finally:
            self._busy[name] -= 1


def call_of(request: CommandRequest, *, role: Role, key: str, origin: str, address: str) -> Call:
    """A request as the registry takes it."""
    caller = Caller(name=role, role=role, origin=origin, address=address)
    return Call(
        name=request.name,
        args=request.args,
        caller=caller,
        key=key or None,
        confirm=request.confirm,
        reason=request.reason,
        dry_run=request.dry_run,
        timeout_s=request.timeout_s,
    )


def checked_key(key: str) -> str:
    """An ``Idempotency-Key`` as it is kept; Problem where it cannot be one."""
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Problem(
            400,
            "bad_args",
            f"Idempotency-Key must be printable ASCII of at most {_LONGEST_KEY} characters",
        )
    return key


def problem_of(outcome: Outcome) -> Problem | None:
    """The error of an outcome in the form of HTTP; None where it has none."""
    error = outcome.get("error")
    if not error:
        return None
    more = {
        name: error[name]
        for name in ("fields", "confirm", "targets", "retry_after")
        if error.get(name) is not None
    }
    headers = {"Retry-After": str(error["retry_after"])} if error.get("retry_after") else {}
    return Problem(
        int(error["http"]),
        str(error["code"]),
        str(error["message"]),
        hint=str(error.get("hint") or ""),
        more={**more, "outcome": outcome},
        headers=headers,
    )
