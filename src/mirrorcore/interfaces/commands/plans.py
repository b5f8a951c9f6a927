"""What each changing command would do to a run, worked out before anything is done.

A plan is made in the swarm's loop: it resolves names, refuses what cannot be, says whether it has
to be confirmed, and is what a dry run shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mirrorcore.interfaces.commands.catalogue import LIMIT_NAMES
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.interfaces.commands.selectors import agents_meant
from mirrorcore.swarm.control.actions import (
    Action,
    AdjustRisk,
    CancelOrder,
    Exit,
    Life,
    LifeCommand,
    PauseEntries,
    Rebalance,
    ResumeEntries,
    ResumeTrading,
)
from mirrorcore.swarm.control.effects import learned_weights, life_refusal
from mirrorcore.swarm.run import Run
from mirrorcore.syncbus import SyncBus
from mirrorcore.trading.gateway import ACTIVE

DECIDING = ("oracle", "allocator", "arch_ctrl", "risk_sentinel", "execution_daemon")
"""Kinds without which the swarm decides or watches less: pausing one is confirmed."""
_MANY = 0.25
_SHARE_OF_ONE = 1.0 + 1e-9


@dataclass(slots=True)
class Plan:
    """``action`` to be carried out; ``confirm`` says why a confirmation is needed, empty for none;
    ``targets`` is whom or what it would meet, ``preview`` what would come of it."""

    action: Action
    confirm: str = ""
    targets: list[str] = field(default_factory=list)
    preview: dict[str, Any] = field(default_factory=dict)


class Asked(NamedTuple):
    """The arguments of a call and the reason that was given."""

    args: Mapping[str, Any]
    reason: str


def kinds_of(run: Run) -> dict[str, str]:
    """{id: kind} of all agents, in the order of the swarm."""
    return {member.agent_id: member.kind for member in run.swarm.members}


def refuse_where_all_would(bus: SyncBus, command: str, targets: Sequence[str]) -> None:
    """CommandError where no target can be told this; where some can, the others are named with the
    outcome."""
    refusals = {agent: life_refusal(bus, command, agent) for agent in targets}
    if not all(refusals.values()):
        return
    told, hints = [], []
    for agent, refusal in refusals.items():
        why, _, what_to_do = refusal.partition(": ")
        told.append(f"{agent}: {why}")
        hints.append(what_to_do)
    raise CommandError("conflict", "; ".join(told), hint="; ".join(dict.fromkeys(hints)))


def _life(command: LifeCommand) -> Callable[[Run, Asked], Plan]:
    def plan(run: Run, asked: Asked) -> Plan:
        kinds = kinds_of(run)
        targets = agents_meant(asked.args["target"], kinds, run.swarm.parts.bus)
        bus = run.swarm.parts.bus
        refuse_where_all_would(bus, command, targets)
        states = {agent: str(bus.status(agent)) for agent in targets}
        confirm = ""
        if command in ("restart", "isolate"):
            confirm = f"{command}s {len(targets)} of {len(kinds)} agents"
        elif command == "pause":
            deciding = [agent for agent in targets if kinds[agent] in DECIDING]
            if deciding:
                confirm = f"pauses {', '.join(deciding)}, which the swarm decides with"
            elif len(targets) > _MANY * len(kinds):
                confirm = f"pauses {len(targets)} of {len(kinds)} agents"
        return Plan(Life(command, tuple(targets)), confirm, targets, {"states": states})

    return plan


def _adjust_risk(run: Run, asked: Asked) -> Plan:
    name = LIMIT_NAMES[asked.args["name"]]
    old, new = run.swarm.parts.path.limits.judge(name, asked.args["value"])
    confirm = f"loosens {name} from {old:g} to {new:g}" if new > old else ""
    return Plan(AdjustRisk(name, new), confirm, [name], {"name": name, "before": old, "after": new})


def _rebalance(run: Run, asked: Asked) -> Plan:
    voters = list(run.swarm.context.voters)
    learned = np.abs(learned_weights(run.swarm))
    if not len(learned) or not np.any(learned > 0):
        raise CommandError(
            "no_data", "the fusion has learned no weights yet", hint="wait for its first refit"
        )
    now = np.abs(run.recorder.last_weights[: len(learned)])
    before = now / now.sum() if now.sum() > 0 else learned / learned.sum()
    wanted = _shares(run, asked.args, voters, before, learned)
    if wanted is None:
        factors = dict.fromkeys(voters, 1.0)
        after = learned / learned.sum()
    else:
        # The sum of all weights stays what was learned; only who has how much of it changes.
        heard = learned > 0
        after = np.where(heard, wanted, 0.0)
        if after.sum() <= 0:
            raise CommandError(
                "no_data",
                "none of these voters has a weight that could be larger",
                hint="name voters that have one: 'get_performance by=agent' shows them",
            )
        after = after / after.sum()
        factors = {
            voter: float(after[i] * learned.sum() / learned[i])
            for i, voter in enumerate(voters)
            if i < len(learned) and heard[i]
        }
    shift = float(np.abs(after - before).max())
    if shift > asked.args["max_shift"] + 1e-12:
        raise CommandError(
            "shift_too_large",
            f"a share would change by {shift:.3f}, max_shift is {asked.args['max_shift']:g}",
            hint="raise max_shift, or go there in steps",
        )
    names = voters[: len(learned)]
    preview = {
        "before": dict(zip(names, before.round(6).tolist(), strict=True)),
        "after": dict(zip(names, after.round(6).tolist(), strict=True)),
        "factors": factors,
    }
    return Plan(Rebalance(factors), f"changes shares by up to {shift:.3f}", names, preview)


def _shares(
    run: Run, args: Mapping[str, Any], voters: Sequence[str], before: Any, learned: Any
) -> Any:
    """(N,) the share each voter is to have; None for what was learned."""
    weights, method = args["weights"], args["method"]
    if (weights is None) == (method is None):
        raise CommandError(
            "bad_args",
            "rebalance_weights takes either weights or method",
            hint="as weights=MomentumScout=0.5, or as method=equal",
        )
    n = len(learned)
    if method == "learned":
        return None
    if method == "equal":
        return np.where(learned > 0, 1.0, 0.0)
    if method == "performance":
        net = run.recorder.final_voter_pnl[1, :n]
        gains = np.maximum(np.nan_to_num(net), 0.0)
        if not np.any(gains > 0):
            raise CommandError(
                "no_data",
                "no voter's paper book has earned anything so far",
                hint="method=equal and weights=… need no earnings",
            )
        return gains
    places = {voter: i for i, voter in enumerate(voters[:n])}
    for name in weights:
        if name not in places:
            raise CommandError(
                "unknown_agent", f"{name[:64]} does not vote", hint="voters: " + ", ".join(places)
            )
    total = sum(weights.values())
    if total > _SHARE_OF_ONE:
        raise CommandError(
            "bad_args",
            f"the shares of {', '.join(weights)} add up to {total:g}, must be at most 1",
            hint="voters that are not named share the rest",
        )
    wanted = np.array(before, dtype=np.float64)
    named = [places[name] for name in weights]
    rest = np.ones(n, dtype=bool)
    rest[named] = False
    others = wanted[rest].sum()
    wanted[rest] *= (1.0 - total) / others if others > 0 else 0.0
    wanted[named] = list(weights.values())
    return wanted


def _exit(run: Run, asked: Asked) -> Plan:
    symbols = run.swarm.context.symbols
    named = [part.strip() for part in asked.args["target"].split(",") if part.strip()]
    chosen = list(symbols) if "*" in named else named
    for symbol in chosen:
        if symbol not in symbols:
            raise CommandError(
                "not_found", f"{symbol[:64]} is not traded", hint="there are " + ", ".join(symbols)
            )
    if not chosen:
        raise CommandError("bad_args", "no symbol is named", hint="give a symbol or *")
    held = run.swarm.parts.path.ledger.positions
    open_now = [symbol for symbol in chosen if held[symbols.index(symbol)]]
    text = f"closes {', '.join(open_now) or 'nothing that is open'} and keeps out of " + ", ".join(
        chosen
    )
    return Plan(Exit(tuple(chosen)), text, chosen, {"closing": open_now, "locked": chosen})


def _cancel_order(run: Run, asked: Asked) -> Plan:
    wanted = asked.args["order"]
    for order in run.swarm.parts.path.venue.working:
        if wanted in (order.client_id, f"O{order.sequence}"):
            return Plan(CancelOrder(order.client_id), "", [wanted], {"order": f"O{order.sequence}"})
    raise CommandError(
        "not_found", f"no order {wanted[:64]!r} is working", hint="'orders' lists them"
    )


def _pause_entries(run: Run, _: Asked) -> Plan:
    return Plan(PauseEntries(), "", list(run.swarm.context.symbols))


def _resume_entries(run: Run, _: Asked) -> Plan:
    symbols = run.swarm.context.symbols
    locked = [symbols[place] for place in run.engine.locks]
    if not locked:
        raise CommandError("conflict", "no symbol is locked: there is nothing to resume")
    return Plan(ResumeEntries(), "", locked)


def _resume_trading(run: Run, asked: Asked) -> Plan:
    gateway = run.swarm.parts.path.gateway
    if gateway.state is ACTIVE:
        raise CommandError("conflict", "the gateway is open: there is nothing to resume")
    text = f"opens the gateway, which is {gateway.state.value}: {gateway.reason}"
    return Plan(ResumeTrading(asked.reason or "by command"), text, ["gateway"])


PLANS: Mapping[str, Callable[[Run, Asked], Plan]] = {
    "pause_agent": _life("pause"),
    "resume_agent": _life("resume"),
    "restart_agent": _life("restart"),
    "isolate_agent": _life("isolate"),
    "reset_breaker": _life("reset_breaker"),
    "adjust_risk": _adjust_risk,
    "rebalance_weights": _rebalance,
    "exit": _exit,
    "cancel_order": _cancel_order,
    "pause_entries": _pause_entries,
    "resume_entries": _resume_entries,
    "resume_trading": _resume_trading,
}
"""By name of the command. Stop, acknowledge and annotate need none."""
