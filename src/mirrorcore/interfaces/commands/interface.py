"""The guide's ``CommandInterface``: a name and a dictionary in, a dictionary out.

Over a running swarm it is one more door to the registry. Over a bare :class:`SyncBus`, as the
guide's reader has one, it knows what a bus can do by itself: the commands about agents, and the
stop; there is no order plane to command.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mirrorcore.interfaces.commands.calls import Call, Caller, Outcome, outcome
from mirrorcore.interfaces.commands.catalogue import SPECS, STOP
from mirrorcore.interfaces.commands.failures import CommandError, as_command_error
from mirrorcore.interfaces.commands.plans import refuse_where_all_would
from mirrorcore.interfaces.commands.registry import Commands
from mirrorcore.interfaces.commands.specs import Spec
from mirrorcore.swarm.control.effects import life_refusal
from mirrorcore.syncbus import Reply, SyncBus

_ENVELOPE = ("confirm", "reason", "dry_run", "key")
"""Parameters that are not the command's own."""


class CommandInterface:
    """Commands for programs.

    Parameters
    ----------
    target: the :class:`Commands` of a running swarm, or a bus.
    caller: who asks; an operator by default.
    """

    def __init__(self, target: Commands | SyncBus, caller: Caller | None = None) -> None:
        self._bus = target if isinstance(target, SyncBus) else None
        self._commands = _BusCommands(target) if isinstance(target, SyncBus) else target
        self.caller = caller or Caller()

    @property
    def bare(self) -> bool:
        """Whether this is a bus without a swarm."""
        return self._bus is not None

    @property
    def specs(self) -> Mapping[str, Spec]:
        """The commands there are here."""
        return self._commands.specs

    async def handle_command(
        self, command: str, params: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Carry a command out; what goes wrong is in the ``error`` of the outcome.

        ``params`` are the command's own, and with them ``confirm``, ``reason``, ``dry_run`` and
        ``key``. ``agent_id`` means ``target``, as in the guide.
        """
        given = dict(params or {})
        more = {name: given.pop(name) for name in _ENVELOPE if name in given}
        wrong = {
            name: "must be text"
            for name in ("confirm", "key")
            if not isinstance(more.get(name, ""), str | None)
        }
        if wrong and command != STOP:  # which looks at neither
            error = CommandError("bad_args", f"{command}: {_listed(wrong)}", fields=wrong)
            return outcome("", command, "rejected", error=error.document())
        if "agent_id" in given and "target" not in given:
            given["target"] = given.pop("agent_id")
        call = Call(
            command,
            given,
            self.caller,
            key=None if wrong else more.get("key"),
            confirm=None if wrong else more.get("confirm"),
            reason=str(more.get("reason") or ""),
            dry_run=bool(more.get("dry_run", False)),
        )
        return await self._commands.execute(call)


def _listed(wrong: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {why}" for name, why in wrong.items())


class _BusCommands:
    """What a bus without a swarm can be told."""

    _LIVES: Mapping[str, str] = {
        "pause_agent": "pause",
        "resume_agent": "resume",
        "restart_agent": "restart",
        "isolate_agent": "isolate",
        "reset_breaker": "reset_breaker",
    }

    def __init__(self, bus: SyncBus) -> None:
        self._bus = bus
        self._serial = 0
        known = ("status", "agents", "help", STOP, *self._LIVES)
        self.specs: Mapping[str, Spec] = {name: SPECS[name] for name in known}

    async def execute(self, call: Call) -> Outcome:
        """As :meth:`Commands.execute`."""
        self._serial += 1
        call_id = f"bus-{self._serial}"
        try:
            return await self._execute(call, call_id)
        except CommandError as error:
            return outcome(call_id, call.name, "rejected", error=error.document())
        except Exception as error:
            document = as_command_error(error).document()
            return outcome(call_id, call.name, "failed", error=document)

    async def _execute(self, call: Call, call_id: str) -> Outcome:
        from mirrorcore.interfaces.commands.arguments import read, spec_of
        from mirrorcore.interfaces.commands.selectors import agents_meant

        spec = spec_of(call.name)
        if spec.name not in self.specs:
            raise CommandError(
                "unknown_command",
                f"{spec.name} needs a swarm, this is a bus alone",
                hint="known here: " + ", ".join(self.specs),
            )
        if not call.caller.may(spec.role):
            raise CommandError("read_only", f"{spec.name} needs the role {spec.role}")
        args = read(spec, call.args)
        kinds = {agent: self._bus.kind_of(agent) for agent in self._bus.agent_ids}
        if spec.name == "help":
            told = [{"name": one.name, "summary": one.summary} for one in self.specs.values()]
            return outcome(call_id, "help", "done", result={"commands": told})
        if spec.name in ("status", "agents"):
            chosen = agents_meant(args["target"] or "*", kinds, self._bus) if kinds else []
            rows = [self._row(agent, kinds[agent]) for agent in chosen]
            return outcome(call_id, spec.name, "done", result={"agents": rows})
        if call.dry_run:
            return outcome(call_id, spec.name, "dry_run", result=args)
        if spec.name == STOP:
            replies = await self._bus.broadcast_command(STOP, {"level": args["level"]})
            return _told(call_id, spec.name, replies.values())
        chosen = agents_meant(args["target"], kinds, self._bus)
        command = self._LIVES[spec.name]
        refuse_where_all_would(self._bus, command, chosen)
        return _told(call_id, spec.name, [await self._live(agent, command) for agent in chosen])

    async def _live(self, agent: str, command: str) -> Reply:
        refusal = life_refusal(self._bus, command, agent)
        if refusal:
            return Reply(agent, False, error=refusal)
        if command == "reset_breaker":
            done = self._bus.reset_breaker(agent)
            return Reply(agent, done, error="" if done else "it is still failing")
        return await self._bus.send_command(agent, command)

    def _row(self, agent: str, kind: str) -> dict[str, Any]:
        view, health = self._bus.read(agent), self._bus.health(agent)
        return {
            "id": agent,
            "kind": kind,
            "status": str(self._bus.status(agent)),
            "health": health.score,
            "version": view.version,
            "stale": view.stale,
        }


def _told(call_id: str, name: str, told: Iterable[Reply]) -> Outcome:
    replies = list(told)
    acked = [reply.agent_id for reply in replies if reply.ok]
    missing = {reply.agent_id: reply.error for reply in replies if not reply.ok}
    status = "done" if not missing else "partial" if acked else "failed"
    return outcome(call_id, name, status, acked=acked, missing=missing)
