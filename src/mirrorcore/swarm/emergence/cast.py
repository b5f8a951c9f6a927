"""Who is watched: the voters, what each of them reads, and who is linked with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.emergence.textbook import TEXTBOOK
from mirrorcore.market.block import Bools, Floats
from mirrorcore.swarm.emergence.batch import MOST_INPUTS
from mirrorcore.swarm.members import Member
from mirrorcore.syncbus import ALL, Interest


@dataclass(slots=True)
class Cast:
    """Who is watched, once that is settled: voters by index, and what is known of them."""

    voters: tuple[str, ...]
    coded: tuple[int, ...]
    """Voters of the roster: strategies that are known."""
    own: tuple[int, ...]
    """The other voters: whose strategies may be novel."""
    inputs: tuple[str, ...]
    subs: Floats
    linked: Bools
    """(N, N) where one reads the other, or says that it acts together with it."""
    tasks: int
    read: tuple[int, ...]
    """Voters that another one reads; what they say are inputs as well, after the market's."""
    believers: tuple[str, ...]
    believed: tuple[str, ...]
    """Of log-volatility and trend, what anybody declares a belief about."""

    @property
    def known(self) -> tuple[str, ...]:
        return (*(self.voters[i] for i in self.coded), *TEXTBOOK)


def settle(
    voters: Sequence[str],
    members: Mapping[str, Member],
    names: Sequence[tuple[str, str]],
    symbols: int,
    believers: tuple[str, ...],
    believed: tuple[str, ...],
) -> Cast:
    """The cast of a run of which ``names`` are the market's inputs, as (category, name)."""
    cast = [members[name] for name in voters]
    reads, linked = _links(cast)
    read = tuple(int(j) for j in np.flatnonzero(reads.any(axis=0)))[:MOST_INPUTS]
    subs = np.zeros((len(cast), 1 + len(names) + len(read)))
    subs[:, 0] = 1.0
    for i, member in enumerate(cast):
        for place, (category, _) in enumerate(names, start=1):
            subs[i, place] = category in member.interests
        for place, other in enumerate(read, start=1 + len(names)):
            subs[i, place] = reads[i, other]
    coded = tuple(i for i, m in enumerate(cast) if m.recipe and m.recipe.file is None)
    return Cast(
        voters=tuple(voters),
        coded=coded,
        own=tuple(i for i in range(len(cast)) if i not in coded),
        inputs=(
            "the market's mean return",
            *(f"{category}.{name}" for category, name in names),
            *(f"what {voters[i]} says" for i in read),
        ),
        subs=subs,
        linked=linked,
        tasks=symbols,
        read=read,
        believers=believers,
        believed=believed,
    )


def _links(members: Sequence[Member]) -> tuple[Bools, Bools]:
    """(N, N) who reads whom, and who reads whom or says that it acts together with it."""
    reads = _named(members, [m.agent_interests for m in members])
    acts = _named(members, [getattr(m.agent, "acts_with", ()) for m in members])
    return reads, reads | acts


def _named(members: Sequence[Member], wanted: Sequence[Sequence[Any]]) -> Bools:
    """(N, N) whose wishes name whom, by id, by kind or as all."""
    named = np.zeros((len(members), len(members)), dtype=bool)
    for i, wishes in enumerate(wanted):
        names = [Interest.of(one).name for one in wishes]
        for j, other in enumerate(members) if names else ():
            named[i, j] = i != j and any(n in (other.agent_id, other.kind, ALL) for n in names)
    return named
