"""A minute of paper, recorded, replays to the same fingerprint.

Some agents answer late on purpose: when their answers counted is what only the record knows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.evidence.record import Finding
from benchmarks.evidence.setting import configured
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.rerun import rerun

MINUTE_S = 60.0
SPEED = 3_000.0
"""Market seconds a wall second: a five-minute bar each 100 ms."""

CLAIM = "a recorded paper minute, with agents that answer late, replays to the same fingerprint"
SLOW = [
    {"id": "Ponderer", "class": "Ponderer", "params": {"seconds": 0.02}},
    {"id": "SlowPonderer", "class": "Ponderer", "params": {"seconds": 0.06}},
]


def run(*, quick: bool = False) -> Finding:
    seconds = 1.0 if quick else MINUTE_S
    with tempfile.TemporaryDirectory(prefix="mirrorcore-paper-") as runs:
        config = configured(
            runs, [("paper.speed", SPEED), ("market.bars", 20_000), ("paper.warmup", "7d")], SLOW
        )
        first = run_paper(config, seconds=seconds)
        with JournalReader(first.path / "journal.sqlite") as reader:
            admissions = sum(1 for _ in reader.entries("admission"))
            chain = reader.verify().holds
        again = rerun(RunRegistry(Path(runs)).find(first.run_id))
    results = first.results
    figures = {
        "wall_s": seconds,
        "ticks": results.identity.ticks,
        "fills": results.fills,
        "late_answers_admitted": admissions,
        "journal_chain_holds": chain,
        "accounting_residual": str(results.accounting_residual),
        "fingerprint": first.fingerprint,
        "fingerprint_again": again.outcome.fingerprint,
        "differing": list(again.differing),
        "parts": dict(first.parts),
    }
    return Finding(
        CLAIM,
        passed=again.same and chain and results.accounting_residual == 0 and admissions > 0,
        headline=[
            f"{results.identity.ticks} ticks, {results.fills} fills, {admissions} admissions of "
            "late answers",
            "same fingerprint" if again.same else f"differs in {', '.join(again.differing)}",
        ],
        figures=figures,
        seeds=[config.seed],
        data=dict(results.identity.input_digests),
    )
