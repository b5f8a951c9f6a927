"""Which agents a target means: an id, ``kind:x``, ``status:x``, ``*``, or several with commas."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.syncbus import SyncBus


def agents_meant(target: str, kinds: Mapping[str, str], bus: SyncBus) -> list[str]:
    """Ids in the order of the swarm, each once; ``kinds`` is {id: kind} of all agents.

    Raises
    ------
    CommandError: unknown_agent, with the nearest names; not_found where a selector matches nobody.
    """
    chosen: dict[str, None] = {}
    for part in (part.strip() for part in target.split(",")):
        if not part:
            continue
        chosen.update(dict.fromkeys(_meant(part, kinds, bus)))
    if not chosen:
        raise CommandError("bad_args", "no agent is named", hint="give an id, kind:NAME or *")
    return [agent for agent in kinds if agent in chosen]


def _meant(part: str, kinds: Mapping[str, str], bus: SyncBus) -> list[str]:
    if part == "*":
        return list(kinds)
    head, colon, value = part.partition(":")
    if colon and head == "kind":
        found = [agent for agent, kind in kinds.items() if kind == value]
        there = sorted(dict.fromkeys(kinds.values()))
    elif colon and head == "status":
        states = {agent: str(bus.status(agent)) for agent in kinds}
        found = [agent for agent, state in states.items() if state == value]
        there = sorted(dict.fromkeys(states.values()))
    elif part in kinds:
        return [part]
    else:
        meant = get_close_matches(part, kinds, 3)
        raise CommandError(
            "unknown_agent",
            f"there is no agent {part[:64]!r}",
            hint=f"did you mean {' or '.join(meant)}?" if meant else "'agents' lists all",
        )
    if not found:
        raise CommandError(
            "not_found",
            f"no agent has {head} {value[:64]!r}",
            hint="there are: " + ", ".join(there),
        )
    return found
