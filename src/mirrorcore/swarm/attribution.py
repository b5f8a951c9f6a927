"""Whose result was it? A recorded run replayed with every agent in question left out in turn.

The value of a coalition is the net result of the run with these agents, and everybody who is not
in question, in it. Leaving one out says what the run loses without that agent; where two agents
know the same it says of both that they are worth nothing. Shapley values share the whole result
out instead (:mod:`~mirrorcore.swarm.shapley`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction

import numpy as np

from mirrorcore.errors import CheckFailedError, UsageError
from mirrorcore.journal import RunInfo
from mirrorcore.report.attribution import AgentShare, Attribution, CoalitionResult
from mirrorcore.swarm import shapley
from mirrorcore.swarm.coalitions import History, Player, Replayed, Without, players
from mirrorcore.swarm.digests import fingerprint
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.recruiting import recruit
from mirrorcore.swarm.replay import Progress
from mirrorcore.swarm.rerun import recorded_config
from mirrorcore.trading.units import exact_decimal


@dataclass(frozen=True, slots=True)
class _Game:
    """One run, the agents in question, and who is left out whatever is asked."""

    agents: tuple[str, ...]
    always: Without

    def without(self, coalition: int) -> Without:
        """Who is left out so that only ``coalition`` of the agents in question takes part."""
        absent = (a for i, a in enumerate(self.agents) if not coalition >> i & 1)
        return (*self.always, *absent)

    def members(self, coalition: int) -> tuple[str, ...]:
        return tuple(a for i, a in enumerate(self.agents) if coalition >> i & 1)


def attribute(
    recorded: RunInfo,
    *,
    agents: Sequence[str] = (),
    pairs: int = 5,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Attribution:
    """Leave-one-out and Shapley values of the agents of a recorded replay.

    Parameters
    ----------
    agents: who is in question; those that voted and those the gate listens to by default.
    pairs: antithetic pairs of orders drawn where the agents are more than 6, from the run's seed.
    jobs: processes that replay at the same time; no figure depends on it.
    progress: told how many replays are done, of how many.

    Raises
    ------
    UsageError: the run has nothing to repeat, is no replay of history, or has no such agent.
    CheckFailedError: the run does not come out as it was recorded; nothing is attributed then.
    """
    identity = recorded.identity
    if "fingerprint" not in identity:
        raise UsageError(
            f"run {recorded.id} is {recorded.status} and has no fingerprint",
            hint="a run that was killed or failed has no result to attribute",
        )
    if "start_tick" in identity:
        raise UsageError(
            f"run {recorded.id} traded on paper: what its clock decided belongs to its own agents",
            hint="'mirrorcore backtest' over the same market can be attributed",
        )
    config = recorded_config(recorded, recorded.path.parent)
    always = tuple(identity["without"])
    members = recruit(config, always)
    asked = _checked(agents, members)
    with players(History(config, int(identity["ticks"])), jobs) as play:
        _, base = next(iter(play([always])))
        _check_same(recorded, base)
        game = _Game(asked or _in_question(members, base), always)
        count = len(game.agents)
        rng = np.random.default_rng(config.seed)
        exact = count <= shapley.MOST_EXACT
        orders = [] if exact else shapley.antithetic_orders(count, pairs, rng)
        wanted = shapley.all_coalitions(count) if exact else shapley.coalitions_of(count, orders)
        found = _play_all(
            game, sorted({*wanted, *shapley.without_one(count)}), base, play, progress
        )
    values = {coalition: replayed.result for coalition, replayed in found.items()}
    shares = shapley.exact(count, values) if exact else shapley.sampled(count, orders, values)
    return _told(recorded, game, found, shares, len(orders), config.seed)


def _checked(agents: Sequence[str], members: Sequence[Member]) -> tuple[str, ...]:
    """The ids given, each once; UsageError names one that is not in the run."""
    names = [member.agent_id for member in members]
    for name in agents:
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}"
            raise UsageError(f"there is no agent {name!r} in this run", hint=hint)
    return tuple(dict.fromkeys(agents))


def _in_question(members: Sequence[Member], base: Replayed) -> tuple[str, ...]:
    """Who voted, and whom the gate listens to."""
    names = [member.agent_id for member in members]
    heard = [
        agent_id
        for member in members
        if member.kind == "arch_ctrl" or member.agent_id == "ArchCtrl"
        for agent_id in member.agent_interests
        if agent_id in names
    ]
    found = tuple(dict.fromkeys([*base.voters, *heard]))
    if not found:
        raise UsageError(
            "nobody voted in this run and no gate was listened to",
            hint="name the agents in question with --agents",
        )
    return found


def _check_same(recorded: RunInfo, base: Replayed) -> None:
    """The run must come out as recorded, or the replays say nothing about it."""
    if fingerprint(base.parts) == recorded.identity["fingerprint"]:
        return
    parts: Mapping[str, str] = recorded.identity["parts"]
    differing = [
        name for name in sorted({*parts, *base.parts}) if parts.get(name) != base.parts.get(name)
    ]
    raise CheckFailedError(
        f"run {recorded.id} does not come out as it was recorded ({', '.join(differing)} differ), "
        "so nothing was attributed",
        hint="run the backtest again with this version and this data, and attribute that run",
    )


def _play_all(
    game: _Game,
    coalitions: Sequence[int],
    base: Replayed,
    play: Player,
    progress: Progress | None,
) -> dict[int, Replayed]:
    """Every coalition once; the whole run is known."""
    whole = shapley.everybody(len(game.agents))
    wanted = {game.without(c): c for c in coalitions if c != whole}
    found = {whole: base}
    if progress is not None:
        progress(1, len(wanted) + 1)
    for without, replayed in play(list(wanted)):
        found[wanted[without]] = replayed
        if progress is not None:
            progress(len(found), len(wanted) + 1)
    return found


def _told(
    recorded: RunInfo,
    game: _Game,
    found: Mapping[int, Replayed],
    shares: shapley.Shares,
    orders: int,
    seed: int,
) -> Attribution:
    count = len(game.agents)
    base = found[shapley.everybody(count)]
    whole, empty = base.result, found[0].result
    written = [float(value) for value in shares.values]
    left_out = [whole - found[coalition].result for coalition in shapley.without_one(count)]
    errors: Sequence[float | None] = shares.errors or [None] * count
    residual = sum((Fraction(value) for value in written), Fraction(0)) - (whole - empty)
    return Attribution(
        run_id=recorded.id,
        fingerprint=str(recorded.identity["fingerprint"]),
        method="sampled" if orders else "exact",
        orders=orders,
        seed=seed,
        currency=base.currency,
        initial_equity=float(Fraction(base.initial, 10**base.places)),
        whole=float(whole),
        empty=float(empty),
        residual=float(residual),
        agents=tuple(
            AgentShare(id=agent, shapley=value, error=error, left_out=float(lost))
            for agent, value, error, lost in zip(
                game.agents, written, errors, left_out, strict=True
            )
        ),
        coalitions=tuple(
            CoalitionResult(
                agents=game.members(coalition),
                result=str(exact_decimal(replayed.gained, replayed.places)),
            )
            for coalition, replayed in sorted(found.items())
        ),
        notes=tuple(_notes(found)),
    )


def _notes(found: Mapping[int, Replayed]) -> Iterator[str]:
    """What the reader of the figures has to know."""
    missing = sorted({kind for replayed in found.values() for kind in replayed.undecided})
    if missing:
        yield (
            f"{' and '.join(missing)} decide: coalitions without them trade nothing, so what they "
            "are owed is mostly that there is a swarm at all"
        )
