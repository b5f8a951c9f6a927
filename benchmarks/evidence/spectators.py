"""Five faulty agents beside the swarm change nothing; in place of others they stop nothing.

A gate that has never heard from an agent it asks stays closed, so a swarm whose fear is broken from
the start does not trade, and its books balance trivially. So the same faults also strike in the
middle of a run that trades.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.evidence.agents import FAULTS
from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.swarm.drills import KINDS
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.run import RunOutcome

CLAIM = (
    "five faulty spectators that nobody reads leave every other part of the fingerprint unchanged; "
    "in place of agents that others read, or striking one in the middle of a run, the run goes on "
    "and the books balance"
)
REPLACED = {"FearAnalyzer": "FaultyFear", "MomentumScout": "FaultyVoter"}
"""Read by the gate; read by the fusion. With the class that takes the place."""

STRUCK = "FearAnalyzer"


def replayed(
    bars: int,
    agents: Sequence[Mapping[str, Any]] = (),
    faults: Sequence[Mapping[str, Any]] = (),
) -> RunOutcome:
    with tempfile.TemporaryDirectory(prefix="mirrorcore-spectators-") as runs:
        return replay_history(configured(runs, [("market.bars", bars)], agents, faults))


def spectators() -> list[dict[str, Any]]:
    return [
        {"id": f"Faulty.{fault}", "class": "Faulty", "params": {"fault": fault}} for fault in FAULTS
    ]


def fates(outcome: RunOutcome, agents: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the report says of each."""
    return {
        record.id: {
            "end": record.state,
            "health": round(record.health, 3),
            "calls": record.calls,
            "failures": record.failures,
            "isolations": record.isolations,
            "restarts": record.restarts,
            "last_error": record.last_error,
        }
        for record in outcome.results.agents
        if record.id in agents
    }


def state_of_books(outcome: RunOutcome) -> dict[str, Any]:
    results = outcome.results
    return {
        "status": results.identity.status,
        "ticks": results.identity.ticks,
        "fills": results.fills,
        "accounting_residual": str(results.accounting_residual),
        "warnings": list(results.warnings),
    }


def balances(outcome: RunOutcome, bars: int) -> bool:
    """Finished, every tick replayed, books and deliveries without a residue."""
    results = outcome.results
    return (
        results.identity.status == "finished"
        and results.identity.ticks == bars
        and results.accounting_residual == 0
        and not any("unaccounted" in warning for warning in results.warnings)
    )


def beside(bars: int) -> dict[str, Any]:
    """The swarm with and without the five, part by part."""
    plain, watched = replayed(bars), replayed(bars, spectators())
    own = {f"agent:{s['id']}" for s in spectators()} | {
        f"input:agent {s['id']}" for s in spectators()
    }
    differing = sorted(
        name
        for name in {*plain.parts, *watched.parts} - own
        if plain.parts.get(name) != watched.parts.get(name)
    )
    return {
        "parts_compared": len({*plain.parts, *watched.parts} - own),
        "parts_that_differ": differing,
        "fates": fates(watched, [s["id"] for s in spectators()]),
        "books": state_of_books(watched),
        "balances": balances(watched, bars),
    }


def instead(bars: int) -> list[dict[str, Any]]:
    """Each fault in the place of each agent that others read."""
    found = []
    for place, class_name in REPLACED.items():
        for fault in FAULTS:
            agent = {"id": place, "class": class_name, "params": {"fault": fault}}
            outcome = replayed(bars, [agent])
            found.append(
                {
                    "place": place,
                    "fault": fault,
                    "fate": fates(outcome, [place])[place],
                    "books": state_of_books(outcome),
                    "balances": balances(outcome, bars),
                }
            )
    return found


def span(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def midway(bars: int) -> list[dict[str, Any]]:
    """Each kind of drill from the middle of the run to its end."""
    found = []
    for kind in KINDS:
        drill = {"agent": STRUCK, "at": bars // 2, "kind": kind, "count": bars}
        outcome = replayed(bars, faults=[drill])
        found.append(
            {
                "place": STRUCK,
                "fault": kind,
                "fate": fates(outcome, [STRUCK])[STRUCK],
                "books": state_of_books(outcome),
                "balances": balances(outcome, bars),
            }
        )
    return found


def run(*, quick: bool = False) -> Finding:
    bars = 400 if quick else 12_000
    watched, replaced = beside(bars), instead(150 if quick else 3_000)
    struck = midway(400 if quick else 6_000)
    differing = watched["parts_that_differ"]
    standing = sum(r["balances"] for r in (*replaced, *struck))
    tried = len(replaced) + len(struck)
    fills = {
        f"{place} {when}": sorted({r["books"]["fills"] for r in group if r["place"] == place})
        for when, group in (("replaced", replaced), ("struck midway", struck))
        for place in dict.fromkeys(r["place"] for r in group)
    }
    ended = {name: fate["end"] for name, fate in watched["fates"].items()}
    return Finding(
        CLAIM,
        passed=not differing and watched["balances"] and standing == tried,
        headline=[
            f"{watched['parts_compared']} parts compared, differing: {differing or 'none'}",
            "ends: " + ", ".join(f"{name.split('.')[1]} {end}" for name, end in ended.items()),
            f"{standing} of {tried} broken swarms went on and balance; fills: "
            + ", ".join(f"{name} {span(counts)}" for name, counts in fills.items()),
        ],
        figures={"bars": bars, "beside": watched, "instead": replaced, "midway": struck},
        seeds=[42],
    )
