"""What each action does to a swarm: the same in a run, in its repetition and in ``why``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from mirrorcore.errors import MirrorCoreError, UsageError
from mirrorcore.market.block import Floats
from mirrorcore.swarm.assembly import DECIDERS, Swarm, role_of
from mirrorcore.swarm.control.actions import (
    Action,
    AdjustRisk,
    CancelOrder,
    Command,
    Exit,
    Life,
    PauseEntries,
    Rebalance,
    Reduce,
    ResumeEntries,
    ResumeTrading,
    Stop,
)
from mirrorcore.swarm.engine import EXIT, Engine
from mirrorcore.swarm.members import Member
from mirrorcore.syncbus import ALL, BusError, SyncBus
from mirrorcore.syncbus import Command as Order
from mirrorcore.trading.gateway import ACTIVE, Trigger
from mirrorcore.trading.looks import Found

PAUSED = "paused"
"""The cause of a lock under which a symbol takes no new risk."""
STILL_FLATTENING = (
    "positions go on being closed, as an earlier stop asked: resume_trading ends that, "
    "and another stop then keeps them"
)


class NotFoundError(UsageError):
    """What the command names is not there."""


class ConflictError(UsageError):
    """The swarm is not in the state that the command is for."""


@dataclass(slots=True)
class Effect:
    """What came of an action.

    ``acked`` are the agents that did, or acknowledged, what was asked; ``missing`` says of the
    others why not. ``result`` is what the operator is told beside it.
    """

    acked: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)


def life_refusal(bus: SyncBus, command: str, agent_id: str) -> str:
    """Why an agent cannot be told this as it is now, and what to do; empty where it can."""
    if command not in ("resume", "reset_breaker"):
        return ""
    if bus.held_out(agent_id):
        return "it was isolated by command: only restart_agent brings it back"
    if command == "reset_breaker" or bus.paused(agent_id):
        return ""
    match bus.status(agent_id):
        case "isolated":
            return (
                "it is isolated after failures, not paused: it is tried again by itself, "
                "reset_breaker tries it at once"
            )
        case "failed":
            return "it has failed, it is not paused: restart_agent brings it back"
    return ""


class Effects:
    """Carries actions out on one swarm; call it between two ticks, in the swarm's own loop, or a
    stop in a pause of a tick."""

    def __init__(self, swarm: Swarm, engine: Engine) -> None:
        self._swarm = swarm
        self._engine = engine
        self._bus = swarm.parts.bus
        self._path = swarm.parts.path
        self._members: Mapping[str, Member] = {m.agent_id: m for m in swarm.members}

    def apply(self, action: Action) -> Effect:
        """Do it before the tick that comes next.

        Raises
        ------
        MirrorCoreError: it cannot be done; nothing has changed.
        """
        match action:
            case Life():
                return self._life(action)
            case AdjustRisk():
                old, new = self._path.adjust(action.name, action.value, confirmed=True)
                return Effect(result={"name": action.name, "before": old, "after": new})
            case Rebalance():
                return self._rebalance(action)
            case Exit():
                return self._exit(action)
            case CancelOrder():
                if not self._path.cancel(action.client_id, ts=self._now):
                    raise NotFoundError(
                        f"no order {action.client_id} is working",
                        hint="'orders' lists those that are",
                    )
                return Effect(result={"order": action.client_id})
            case PauseEntries():
                for place in range(len(self._symbols)):
                    self._engine.locks.setdefault(place, PAUSED)
                return Effect(result={"locked": list(self._symbols)})
            case ResumeEntries():
                lifted = [self._symbols[place] for place in self._engine.locks]
                self._engine.locks.clear()
                return Effect(result={"unlocked": lifted})
            case Stop():
                return self._stop(action)
            case ResumeTrading():
                return self._resume(action)
            case Reduce():
                self._path.gateway.reduce(action.reason, ts=self._now)
                return Effect()

    @property
    def _now(self) -> int:
        return self._swarm.parts.clock.now()

    @property
    def _symbols(self) -> Sequence[str]:
        return self._swarm.context.symbols

    def _life(self, action: Life) -> Effect:
        effect = Effect()
        for agent_id in action.agents:
            member = self._members.get(agent_id)
            if member is None:
                effect.missing[agent_id] = "there is no such agent"
                continue
            try:
                refusal = self._live(action.command, member)
            except BusError as error:
                refusal = error.message
            if refusal:
                effect.missing[agent_id] = refusal
            else:
                effect.acked.append(agent_id)
        states = {agent: str(self._bus.status(agent)) for agent in action.agents if agent in
                  self._members}  # fmt: skip
        effect.result = {"states": states}
        return effect

    def _live(self, command: str, member: Member) -> str:
        """Carry out one life command; why it did not work, empty where it did."""
        bus, agent_id = self._bus, member.agent_id
        refusal = life_refusal(bus, command, agent_id)
        if refusal:
            return refusal
        match command:
            case "pause":
                bus.pause(agent_id)
            case "resume":
                bus.resume(agent_id)
            case "isolate":
                bus.isolate(agent_id)
            case "restart":
                return "" if bus.restart(agent_id) else "its restart failed"
            case "reset_breaker":
                return "" if bus.reset_breaker(agent_id) else "it is still failing"
        return ""

    def _rebalance(self, action: Rebalance) -> Effect:
        oracle = role_of(self._swarm.members, "oracle")
        rebalance = getattr(oracle.agent, "rebalance", None) if oracle is not None else None
        if oracle is None or rebalance is None:
            raise UsageError(
                "nothing in this swarm takes weights from outside",
                hint=f"it needs an agent that publishes {', '.join(sorted(DECIDERS['oracle']))} "
                "and has a method rebalance(factors)",
            )
        voters = self._swarm.context.voters
        unknown = [name for name in action.factors if name not in voters]
        if unknown:
            raise NotFoundError(
                f"{', '.join(unknown)} does not vote", hint="voters: " + ", ".join(voters)
            )
        try:
            rebalance(action.factors)
            # So that a restart of the oracle does not undo it.
            oracle.save()
        except Exception as error:  # a user's own code; it fails in a repetition as it did here
            raise ConflictError(
                f"{oracle.agent_id} takes no weights: {type(error).__name__}: {error}"
            ) from error
        return Effect(result={"factors": dict(action.factors)})

    def _exit(self, action: Exit) -> Effect:
        places = []
        for symbol in action.symbols:
            if symbol not in self._symbols:
                raise NotFoundError(
                    f"{symbol} is not traded in this run", hint="it has " + ", ".join(self._symbols)
                )
            places.append(self._symbols.index(symbol))
        for place in places:
            self._engine.locks[place] = EXIT
        held = self._path.ledger.positions
        return Effect(
            result={
                "closing": [self._symbols[place] for place in places if held[place]],
                "locked": [self._symbols[place] for place in places],
            }
        )

    def _stop(self, action: Stop) -> Effect:
        working = len(self._path.venue.working)
        # A weaker stop takes nothing back: orders that close positions are left to an earlier one.
        flattening = self._engine.flattening = self._engine.flattening or action.level == "flatten"
        self._path.stop(action.reason, ts=self._now, withdraw=not flattening)
        left = len(self._path.venue.working)
        order = Order("emergency_stop", {"level": action.level, "number": action.number}, self._now)
        reached = dict.fromkeys(self._bus.signal(ALL, order))
        self._bus.serve_signals()
        effect = Effect()
        for agent_id in self._members:
            if agent_id not in reached:
                effect.missing[agent_id] = f"it is {self._bus.status(agent_id)}"
        effect.result = {
            "gateway": self._path.gateway.state.value,
            "level": action.level,
            "in_force": "flatten" if flattening else "cancel",
            # Those too that went when it was found in the middle of the last tick.
            "cancelled": self._path.looks.take_withdrawn() + working - left,
            "open_positions": sum(1 for lots in self._path.ledger.positions if lots),
        }
        if flattening and action.level == "cancel":
            effect.result["note"] = STILL_FLATTENING
        return effect

    def _resume(self, action: ResumeTrading) -> Effect:
        before = self._path.gateway.state.value
        if before == ACTIVE.value:
            raise ConflictError("the gateway is open: there is nothing to resume")
        self._path.resume(action.reason, ts=self._now, confirmed=True)
        self._engine.flattening = False
        return Effect(result={"before": before, "after": self._path.gateway.state.value})

    def acknowledgements(self, action: Stop, effect: Effect) -> bool:
        """Who has acknowledged a stop by now, into ``effect``; False while somebody may still."""
        effect.acked.clear()
        waiting = False
        for agent_id, member in self._members.items():
            if effect.missing.get(agent_id, "").startswith("it is "):
                continue
            if member.heard >= action.number if not member.away else self._heard_away(agent_id):
                effect.missing.pop(agent_id, None)
                effect.acked.append(agent_id)
            else:
                under_way = self._bus.signals_under_way(agent_id) > 0
                waiting = waiting or under_way
                effect.missing[agent_id] = "no answer yet" if under_way else "it raised an error"
        return not waiting

    def _heard_away(self, agent_id: str) -> bool:
        return not self._bus.signals_under_way(agent_id)


def learned_weights(swarm: Swarm) -> Floats:
    """(N,) the fusion's weights as it has learned them, without what operators multiplied; empty
    where it does not say."""
    oracle = role_of(swarm.members, "oracle")
    weights = getattr(oracle.agent, "learned", None) if oracle is not None else None
    return np.zeros(0) if weights is None else weights


class RecordedCommands:
    """The commands of a recorded run, carried out again where they were."""

    def __init__(
        self,
        swarm: Swarm,
        engine: Engine,
        commands: Sequence[Command],
        record: Callable[[Command], object] | None = None,
    ) -> None:
        """``record`` is told of each right before it is carried out."""
        self._effects = Effects(swarm, engine)
        self._path = swarm.parts.path
        self._record = record
        self._by_tick: dict[int, list[Command]] = {}
        self._within: dict[int, Command] = {}
        for command in commands:
            self._by_tick.setdefault(command.tick, []).append(self._here(command))
        engine.between = self._between

    def _here(self, command: Command) -> Command:
        """The command as it is in this run: an order's id begins with the id of its run."""
        if not isinstance(command.action, CancelOrder):
            return command
        order = CancelOrder(self._path.own_id(command.action.client_id))
        return msgspec.structs.replace(command, action=order)

    def before(self, tick: int) -> None:
        """Carry out what was done before ``tick``, and prepare for a stop in the middle of it."""
        self._within = {}
        for command in self._by_tick.get(tick, ()):
            if command.pause is None:
                self._carry_out(command)
            else:
                self._within[command.pause] = command
        self._path.looks.repeats = list(_found_within(self._by_tick.get(tick + 1, ())))

    def _between(self, pause: int) -> None:
        command = self._within.get(pause)
        if command is not None:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        if self._record is not None:
            self._record(command)
        # Where it was refused then as well: the record has what was asked, before its outcome.
        with suppress(MirrorCoreError):
            self._effects.apply(command.action)


def _found_within(commands: Sequence[Command]) -> Iterator[Found]:
    """What closed the gateway in the middle of the tick before these commands."""
    for command in commands:
        action = command.action
        if command.within is None:
            continue
        if isinstance(action, Reduce):
            yield Found(command.within, Trigger.REDUCE, action.reason, action.unrecorded)
        elif isinstance(action, Stop):
            yield Found(command.within, Trigger.STOP, action.reason)
            return  # of several the first has closed the gateway
