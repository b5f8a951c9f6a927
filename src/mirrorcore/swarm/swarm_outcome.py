"""What a finished run hands to the report about the swarm itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirrorcore.agents.reading import number
from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.swarm_records import (
    AlarmRecord,
    BusRecord,
    Skill,
    SwarmRecord,
    VoterPath,
)
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.lives import LifeLog
from mirrorcore.swarm.recorder import Recorder


def swarm_record(
    swarm: Swarm, recorder: Recorder, lives: LifeLog, skilled: Sequence[Skill], gained: float
) -> SwarmRecord:
    """``skilled``: the fused forecast first; ``gained``: the run's result in money."""
    contributions = recorder.contributions
    watchman = swarm.alarms.source
    return SwarmRecord(
        fused=skilled[0] if skilled and not swarm.undecided() else None,
        # The desk is what is left, so that voters and desk add up to the result to the last bit.
        desk=gained - math.fsum(contributions.totals.tolist()) if contributions.known else None,
        opinions=None if watchman is None else _opinions(swarm, watchman),
        watched=watchman is not None,
        outages=tuple(lives.outages()),
        alarms=tuple(
            AlarmRecord(
                voter=swarm.context.voters[alarm.voter],
                ts=alarm.ts,
                weight=alarm.weight,
                halved=alarm.halved,
            )
            for alarm in swarm.alarms.raised
        ),
        bus=_bus(swarm),
    )


def voter_path(swarm: Swarm, ends: Ints, net: Floats) -> VoterPath | None:
    """Results of the voters' paper books day by day; None in a swarm in which nobody voted."""
    names = tuple(swarm.context.voters[: net.shape[1]])
    return VoterPath(ends, names, net) if names and len(ends) else None


def _opinions(swarm: Swarm, watchman: str) -> float | None:
    said = number(swarm.parts.bus.read(watchman).state, "opinions")
    return said if math.isfinite(said) and said > 0 else None


def _bus(swarm: Swarm) -> BusRecord:
    bus = swarm.parts.bus
    counts = [bus.statistics(agent_id) for agent_id in bus.agent_ids]
    # As the screens count: who is not called by the bus is handed what it reads, and owes nothing.
    flow = [sum(column) for column in zip(*bus.survey().flow().values(), strict=True)]
    published, delivered, conflated, lost, pending = flow or [0] * 5
    return BusRecord(
        published=published,
        delivered=delivered,
        conflated=conflated,
        pending=pending,
        rejected=published - delivered - conflated - lost - pending,
        expired=sum(count.expired for count in counts),
        edges=sum(count.edges for count in counts),
    )
