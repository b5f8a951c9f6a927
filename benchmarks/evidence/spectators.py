"""Five faulty agents beside the swarm change nothing; in place of others they stop nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.evidence.agents import FAULTS
from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.run import RunOutcome

CLAIM = (
    "five faulty spectators that nobody reads leave every other part of the fingerprint unchanged; "
    "in place of agents that others read, the run goes on and the books balance"
)
REPLACED = {"FearAnalyzer": "FaultyFear", "MomentumScout": "FaultyVoter"}
"""Read by the gates; read by the fusion. With the class that takes the place."""


def replayed(
    bars: int, agents: Sequence[Mapping[str, Any]], without: Sequence[str] = ()
) -> RunOutcome:
    with tempfile.TemporaryDirectory(prefix="mirrorcore-spectators-") as runs:
        config = configured(runs, [("market.bars", bars)], agents)
        return replay_history(config, without=without)


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
    plain, watched = replayed(bars, ()), replayed(bars, spectators())
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


def run(*, quick: bool = False) -> Finding:
    bars = 600 if quick else 12_000
    watched, replaced = beside(bars), instead(300 if quick else 3_000)
    differing = watched["parts_that_differ"]
    standing = sum(r["balances"] for r in replaced)
    ended = {name: fate["end"] for name, fate in watched["fates"].items()}
    return Finding(
        CLAIM,
        passed=not differing and watched["balances"] and standing == len(replaced),
        headline=[
            f"{watched['parts_compared']} parts compared, differing: {differing or 'none'}",
            "ends: " + ", ".join(f"{name.split('.')[1]} {end}" for name, end in ended.items()),
            f"{standing} of {len(replaced)} replacements went on and balance",
        ],
        figures={"bars": bars, "beside": watched, "instead": replaced},
        seeds=[42],
    )
