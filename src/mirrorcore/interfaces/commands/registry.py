"""Carries a call out: who may, what was asked before, what has to be confirmed, what is recorded.

The same for every door, from any thread and event loop but never blocking one: the swarm is asked
through its :class:`~mirrorcore.swarm.control.control.Control`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from pathlib import PurePath
from traceback import extract_tb
from typing import Any, TypeVar

from mirrorcore.clock import Stopwatch, wall_now
from mirrorcore.errors import MirrorCoreError
from mirrorcore.interfaces.commands.arguments import read, spec_of
from mirrorcore.interfaces.commands.calls import Call, Outcome, Role, outcome
from mirrorcore.interfaces.commands.catalogue import SPECS, STOP
from mirrorcore.interfaces.commands.failures import CommandError, as_command_error
from mirrorcore.interfaces.commands.lookups import Look, Lookups, catalogue, in_time
from mirrorcore.interfaces.commands.memory import Confirmations, Remembered, call_digest
from mirrorcore.interfaces.commands.plans import PLANS, Asked, Plan
from mirrorcore.interfaces.commands.specs import Spec
from mirrorcore.swarm.control.actions import told as told_text
from mirrorcore.swarm.control.audits import audit_entry
from mirrorcore.swarm.control.control import Control
from mirrorcore.swarm.control.requests import Done
from mirrorcore.swarm.run import Run

T = TypeVar("T")


_AUDIT_S = 0.5
"""How long an outcome waits for the number of its entry in the journal."""


class Commands:
    """Every command of one running swarm.

    Parameters
    ----------
    run: what is commanded. look: a picture of it as it is now.
    """

    specs: Mapping[str, Spec] = SPECS

    def __init__(self, run: Run, look: Look) -> None:
        self._run = run
        self._control: Control = run.control
        self._lookups = Lookups(run, look)
        self._confirmations = Confirmations()
        self._remembered = Remembered()
        self._serial = itertools.count(1)

    def catalogue(self, role: Role = "admin") -> list[dict[str, Any]]:
        """What this role may ask for, in the JSON form of :meth:`Spec.document`."""
        return catalogue(role)

    async def execute(self, call: Call) -> Outcome:
        """Carry one call out; whatever goes wrong is in the outcome."""
        call_id = f"{self._run.folder.id}-{next(self._serial)}-{wall_now():x}"
        if call.key is None or call.name == STOP:
            # A stop is given as often as it is asked for, whatever its key was used for before.
            return await self._execute(call, call_id)
        try:
            future, first = self._remembered.claim(call)
        except CommandError as error:
            return outcome(call_id, call.name, "rejected", error=error.document())
        if not first:
            return await asyncio.wrap_future(future)
        told = outcome(call_id, call.name, "failed")
        try:
            told = await self._execute(call, call_id)
        finally:
            self._remembered.settle(call, future, told)
        return told

    def execute_now(self, call: Call) -> Outcome:
        """The same for a thread without an event loop; never the swarm's own."""
        return asyncio.run(self.execute(call))

    async def _execute(self, call: Call, call_id: str) -> Outcome:
        watch = Stopwatch()
        name, recorded = call.name, False
        try:
            spec = spec_of(call.name)
            name = spec.name
            if not call.caller.may(spec.role):
                raise CommandError(
                    "read_only",
                    f"{name} needs the role {spec.role}, this is {call.caller.role}",
                    hint=f"use the token of {spec.role}",
                )
            args = read(spec, call.args)
            if name == STOP:
                told = await self._stop(call, args, call_id, watch)
                recorded = True
            elif name in ("ack_alert", "annotate"):
                told = await self._remark(call, spec, args, call_id, watch)
                recorded = True
            elif spec.changes:
                told = await self._change(call, spec, args, call_id)
            else:
                told = outcome(
                    call_id, name, "done", result=await self._lookups.answer(spec, args, call),
                    tick=self._control.tick,
                )  # fmt: skip
        except Exception as error:  # whatever it is belongs into the outcome and into the record
            if not isinstance(error, MirrorCoreError | TimeoutError):
                self._defect(name, error)
            document = as_command_error(error).document()
            status = "failed" if document["http"] >= 500 else "rejected"
            told = outcome(call_id, name, status, error=document)
        if not recorded and self._recorded(call, told):
            told["audit_seq"] = await self._audit(call, name, told, watch)
        return told

    # -- changing

    async def _change(
        self, call: Call, spec: Spec, args: Mapping[str, Any], call_id: str
    ) -> Outcome:
        plan = await self._ask(lambda run: PLANS[spec.name](run, Asked(args, call.reason)), call)
        if call.dry_run:
            told = {**plan.preview, "targets": plan.targets, "confirms": plan.confirm}
            return outcome(call_id, spec.name, "dry_run", result=told, tick=self._control.tick)
        self._require_confirmation(call, spec, plan)
        future = self._control.act(plan.action, call.caller.by, call.reason)
        try:
            done = await in_time(future, call)
        except TimeoutError:
            if future.cancel():
                raise CommandError(
                    "busy",
                    f"{spec.name} was taken back, nothing was done: the swarm is busy",
                    hint="repeat it; an emergency stop closes the gateway even so",
                ) from None
            if not future.done():
                raise CommandError(
                    "ack_timeout",
                    f"{spec.name} is being carried out and has not come to its end",
                    hint="look at 'audit' before you repeat it",
                ) from None
            done = future.result()
        return self._done(call_id, spec.name, done, plan.preview)

    def _require_confirmation(self, call: Call, spec: Spec, plan: Plan) -> None:
        if not plan.confirm:
            return
        digest = call_digest(call)
        if call.confirm and self._confirmations.take(call.confirm, digest):
            return
        raise CommandError(
            "confirm_required",
            f"{spec.name} {plan.confirm}: this has to be confirmed",
            hint="repeat it within 30 s with the token 'confirm' of this answer",
            confirm=self._confirmations.give(digest),
            targets=plan.targets,
        )

    async def _stop(
        self, call: Call, args: Mapping[str, Any], call_id: str, watch: Stopwatch
    ) -> Outcome:
        """The stop; its audit entry is written where it is carried out, so nobody waits for it."""
        if call.dry_run:
            told = {"level": args["level"]}
            return outcome(call_id, STOP, "dry_run", result=told)

        def record(done: Done) -> dict[str, Any]:
            told = self._done(call_id, STOP, done, {})
            return _entry(call, STOP, told, watch)

        future = self._control.stop(args["level"], call.reason, call.caller.by, record)
        try:
            done = await in_time(future, call)
        except TimeoutError:
            return self._unacknowledged(call_id)
        told = self._done(call_id, STOP, done, {})
        told["result"]["closed_ms"] = done.closed_ms
        told["audit_seq"] = done.audit_seq
        return told

    def _unacknowledged(self, call_id: str) -> Outcome:
        """A stop that has closed the gateway and that nobody has heard of yet: who, and why."""
        bus = self._run.swarm.parts.bus
        holder = bus.holder
        missing = dict.fromkeys(bus.agent_ids, "the swarm has not come round to it")
        if holder is not None:
            missing[holder] = "it holds up the whole swarm"
        who = "an agent may be holding it up" if holder is None else f"{holder} holds it up"
        return outcome(
            call_id, STOP, "partial",
            missing=missing,
            result={"gateway": "closed"},
            error=CommandError(
                "ack_timeout",
                f"the gateway is closed; the swarm has not acknowledged yet, {who}",
                hint="the others follow as soon as it lets go; a second stop does no harm",
            ).document(),
        )  # fmt: skip

    async def _remark(
        self, call: Call, spec: Spec, args: Mapping[str, Any], call_id: str, watch: Stopwatch
    ) -> Outcome:
        """What is a record and nothing else: done when its entry in the audit is on disk."""
        if call.dry_run:
            return outcome(call_id, spec.name, "dry_run", result=args)
        by = call.caller.name

        def remark(run: Run) -> Outcome:
            control, result = run.control, dict(args)
            if spec.name == "ack_alert":
                alert = control.alerts.find(args["id"])
                result |= {"about": alert.about, "text": alert.text}
            told = outcome(call_id, spec.name, "done", result=result, tick=control.tick)
            told["audit_seq"] = control.remark(_entry(call, spec.name, told, watch))
            if spec.name == "ack_alert":
                control.alerts.acknowledge(args["id"], by)
            else:
                now = run.swarm.parts.clock.now()
                control.note(now, "annotation", by, args["text"])
            return told

        future = self._control.ask(remark)
        try:
            told = await in_time(future, call)
        except TimeoutError:
            if future.cancel():
                raise
            # It is being written: what is on disk was done, however long that took.
            told = await asyncio.wrap_future(future)
        self._control.changed_from_outside()
        return told

    def _done(self, call_id: str, name: str, done: Done, preview: Mapping[str, Any]) -> Outcome:
        status = "partial" if done.missing else "done"
        if done.missing and not done.acked and name != STOP:
            status = "failed"
        error = None
        if status == "failed":
            told = "; ".join(f"{agent}: {why}" for agent, why in done.missing.items())
            error = CommandError("conflict", f"{name}: {told}").document()
        return outcome(
            call_id,
            name,
            status,
            acked=done.acked,
            missing=done.missing,
            result={**preview, **done.result, "ms": done.ms, "command_seq": done.seq},
            tick=done.tick,
            error=error,
        )

    # -- the swarm

    async def _ask(self, question: Callable[[Run], T], call: Call) -> T:
        return await in_time(self._control.ask(question), call)

    # -- the record

    def _defect(self, name: str, error: Exception) -> None:
        """Nothing that fails in here is silent: the run's warnings say what and where, once."""
        place = extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(place.filename).name}:{place.lineno}"
        self._control.warn(f"the command {told_text(name)[:64]}: {type(error).__name__} at {where}")

    def _recorded(self, call: Call, told: Outcome) -> bool:
        """Whether a call belongs into the audit: what changes something, or was to."""
        spec = self.specs.get(told["name"])
        refused = told["error"] is not None and told["error"]["code"] == "read_only"
        return refused or (spec is not None and spec.changes and told["status"] != "dry_run")

    async def _audit(self, call: Call, name: str, told: Outcome, watch: Stopwatch) -> int | None:
        future = self._control.audit(_entry(call, name, told, watch))
        try:
            async with asyncio.timeout(_AUDIT_S):
                return await asyncio.wrap_future(future)
        except (TimeoutError, MirrorCoreError):
            # It stands in the queue and is written when the swarm comes to it, or the run is over.
            return None


def _entry(call: Call, name: str, told: Outcome, watch: Stopwatch) -> dict[str, Any]:
    """The body of an audit entry."""
    return audit_entry(
        told["id"],
        name,
        call.caller.by,
        told["status"],
        args=call.args,
        reason=call.reason,
        key=call.key or "",
        error=told["error"]["code"] if told["error"] else "",
        acked=told["acked"],
        missing=[one["agent"] for one in told["missing"]],
        tick=told["tick"],
        since=watch,
    )
