"""What the commands that only look at a run answer; the run itself is asked between two ticks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from mirrorcore.interfaces.commands import answers, looks
from mirrorcore.interfaces.commands.arguments import spec_of
from mirrorcore.interfaces.commands.asking_why import why
from mirrorcore.interfaces.commands.calls import Call, Caller, Role
from mirrorcore.interfaces.commands.catalogue import SPECS
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.interfaces.commands.plans import kinds_of
from mirrorcore.interfaces.commands.selectors import agents_meant
from mirrorcore.interfaces.commands.specs import Spec
from mirrorcore.interfaces.live.picture import Picture
from mirrorcore.swarm.control.control import Control
from mirrorcore.swarm.run import Run

T = TypeVar("T")

Look = Callable[[], "Future[Picture]"]
"""Have the swarm make a picture of what is now, from any thread."""

_FROM_PICTURE: Mapping[str, Callable[..., dict[str, Any]]] = {
    "status": answers.status,
    "agents": answers.agents,
    "positions": answers.positions,
    "orders": answers.orders,
    "trades": answers.trades,
    "decisions": answers.decisions,
    "risk": answers.risk,
    "sources": answers.sources,
    "flow": answers.flow,
    "alerts": answers.alerts,
    "findings": answers.findings,
}
"""Called with the picture and, by name, the arguments that are not a target."""


def catalogue(role: Role = "admin") -> list[dict[str, Any]]:
    """What this role may ask for, in the JSON form of :meth:`Spec.document`."""
    may = Caller(role=role).may
    return [spec.document() for spec in SPECS.values() if may(spec.role)]


async def in_time(future: Future[T], call: Call) -> T:
    """What comes of it; TimeoutError where the call's time is up before."""
    async with asyncio.timeout(call.timeout_s):
        return await asyncio.wrap_future(future)


class Lookups:
    """Answers of one run.

    Parameters
    ----------
    run: what is looked at. look: a picture of it as it is now.
    """

    def __init__(self, run: Run, look: Look) -> None:
        self._run = run
        self._control: Control = run.control
        self._look = look
        self._kinds = kinds_of(run)

    async def answer(self, spec: Spec, args: Mapping[str, Any], call: Call) -> dict[str, Any]:
        match spec.name:
            case "help":
                return self._help(args["command"], call.caller.role)
            case "audit":
                kept = list(self._control.audits)
                return {"audit": list(reversed(kept[-args["limit"] :]))}
            case "why":
                return await why(self._run.folder.path, args["id"], call.timeout_s)
            case "inspect":
                return await self._inspect(args, call)
            case "health":
                return await self._ask(looks.health, call)
            case "get_performance":
                return await self._performance(args, call)
            case "status" | "agents" if args["target"]:
                chosen = await self._meant(args["target"], call)
                return answers.agents(await in_time(self._look(), call), chosen)
        more = {name: value for name, value in args.items() if name != "target"}
        return _FROM_PICTURE[spec.name](await in_time(self._look(), call), **more)

    def _help(self, name: str | None, role: Role) -> dict[str, Any]:
        if name:
            spec = spec_of(name)
            return {"usage": spec.usage, **spec.document()}
        return {
            "commands": [
                {"name": one["name"], "usage": SPECS[one["name"]].usage,
                 "summary": one["summary"], "role": one["role"]}
                for one in catalogue(role)
            ]
        }  # fmt: skip

    async def _inspect(self, args: Mapping[str, Any], call: Call) -> dict[str, Any]:
        chosen = await self._meant(args["agent"], call)
        if len(chosen) > 1:
            raise CommandError(
                "bad_args", f"inspect: agent {args['agent']!r} means {len(chosen)} agents",
                hint="name one of them; 'agents' lists them",
            )  # fmt: skip
        (agent_id,) = chosen
        member = next(m for m in self._run.swarm.members if m.agent_id == agent_id)
        found = await self._ask(lambda run: looks.inspect(run, member, args["history"]), call)
        row = answers.agent(await in_time(self._look(), call), agent_id)
        touched = [
            entry
            for entry in tuple(self._control.audits)  # it grows in another thread
            if agent_id in entry.get("acked", ()) or agent_id in entry.get("missing", ())
        ]
        return {**found, "row": row, "commands": touched[-50:]}

    async def _performance(self, args: Mapping[str, Any], call: Call) -> dict[str, Any]:
        if args["by"] == "swarm":
            return looks.earned(await self._ask(looks.curve_of, call))
        chosen = await self._meant(args["target"] or "*", call)
        rows = await self._ask(lambda run: looks.by_agent(run, chosen), call)
        return {"by": args["by"], "rows": rows if args["by"] == "agent" else looks.by_kind(rows)}

    async def _meant(self, target: str, call: Call) -> list[str]:
        return await self._ask(
            lambda run: agents_meant(target, self._kinds, run.swarm.parts.bus), call
        )

    async def _ask(self, question: Callable[[Run], T], call: Call) -> T:
        return await in_time(self._control.ask(question), call)
