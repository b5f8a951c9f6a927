"""Fifty random trades of a run on real data: ``why`` finds each again, with an equal hash."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.evidence.record import Finding, no_data
from benchmarks.measure import DATA, cpu_seconds
from mirrorcore.clock import Stopwatch
from mirrorcore.config import load_config
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.report.explanation import Explanation
from mirrorcore.swarm import run as running
from mirrorcore.swarm.checkpoint import capture
from mirrorcore.swarm.replay import replay_history
from mirrorcore.swarm.why import explain_all

CLAIM = (
    "50 random trades of a run on crypto_5m (2 bp a side): why reproduces each from the checkpoint "
    "before it with an equal hash of decisions, equal orders, and pulls that add up to the edge"
)
SEED = 1
_TRADES = 50
_COST_BPS = 2.0
_CODE = "import sys; from mirrorcore.interfaces.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*, quick: bool = False) -> Finding:
    folder = DATA / "crypto_5m"
    if not folder.is_dir():
        return no_data(CLAIM, folder.name)
    with tempfile.TemporaryDirectory(prefix="mirrorcore-why-") as runs:
        found = _asked(folder, Path(runs), 5 if quick else _TRADES, quick=quick)
        kept = found["of_8_symbols"] = _kept(Path(runs), 9_000 if quick else 105_120)
    passed = (
        found["equal"] == found["asked"] == (5 if quick else _TRADES)
        and found["equal_alone"][0] == found["equal_alone"][1]
        and found["worst_sum_of_pulls"] <= 1e-12
    )
    return Finding(
        CLAIM,
        passed=passed,
        headline=[
            f"{found['equal']} of {found['asked']} trades (of {found['trades']}) with an equal "
            f"hash; {found['decisions']} decisions, largest difference between pulls and edge "
            f"{found['worst_sum_of_pulls']:.1e}",
            f"{found['cpu_s_each']:.2f} CPU s a trade asked for together; alone at the command "
            f"line {found['command_s']:.1f} s, of which {found['begin_s']:.1f} s to read and check "
            "the files",
            f"checkpoints: {found['checkpoint_kb']:.0f} kB for {found['symbols']} symbols, "
            f"{kept['checkpoint_kb']:.0f} kB for 8, {kept['mb']:.1f} MB in {kept['ticks']:,} "
            f"ticks; taking them is {kept['share']:.1%} of the replay's CPU time",
        ],
        figures=found,
        seeds=[SEED],
        data={folder.name: found["digest"]},
    )


def _asked(folder: Path, runs: Path, trades: int, *, quick: bool) -> dict[str, Any]:
    settings: list[tuple[str, object]] = [
        ("market.source", "recorded"),
        ("market.directory", str(folder)),
        ("storage.runs", str(runs)),
        # At the default of 15 bp these 90 days have fewer trades than are to be drawn.
        ("costs.fee_bps", _COST_BPS),
        ("costs.slippage_bps", 0.0),
    ]
    if quick:
        settings.append(("market.timerange", _first_months(folder)))
    outcome = replay_history(load_config(None, {}, settings).config)
    info = RunRegistry(runs).find(outcome.run_id)
    known = [trade.id for trade in outcome.results.trades]
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(len(known))[:trades].tolist()
    names = [known[number] for number in sorted(chosen)]
    answers: list[Explanation] = []
    spent = cpu_seconds(lambda: answers.extend(explain_all(info, names)))
    # Each on its own as well, so that no answer leans on what another one had run.
    alone, begin = [], 0.0
    for name in names if quick else names[:: max(1, len(names) // 10)]:
        watch = Stopwatch()
        alone.append(explain_all(info, [name])[0].proof.same)
        begin = max(begin, watch.wall_ns() / 1e9)
    command_s = _command(runs, names[len(names) // 2])
    with JournalReader(info.journal) as reader:
        sizes = [len(entry.data) for entry in reader.entries("checkpoint")]
    identity = outcome.results.identity
    years = (identity.period_end - identity.period_start) / (365 * 86_400 * 1e9)
    return {
        "trades": len(known),
        "asked": len(names),
        "names": names,
        "equal": sum(answer.proof.same is True for answer in answers),
        "equal_alone": [sum(one is True for one in alone), len(alone)],
        "decisions": sum(len(answer.decisions) for answer in answers),
        "worst_sum_of_pulls": max((_off(answer) for answer in answers), default=0.0),
        "cpu_s_each": spent / max(1, len(names)),
        "slowest_alone_s": begin,
        "begin_s": _begin(info),
        "command_s": command_s,
        "ticks": identity.ticks,
        "symbols": len(identity.symbols),
        "replay_cpu_s": identity.cpu_s,
        "checkpoints": len(sizes),
        "checkpoint_kb": float(np.mean(sizes)) / 1e3 if sizes else 0.0,
        "checkpoint_mb_a_year": sum(sizes) / 1e6 / years,
        "digest": next(iter(identity.input_digests.values())),
    }


def _kept(runs: Path, bars: int) -> dict[str, Any]:
    """Size and cost of the checkpoints of a simulated run of 8 symbols."""
    spent = 0.0

    def timed(*arguments: Any) -> bytes | None:
        nonlocal spent
        state: list[bytes | None] = []
        spent += cpu_seconds(lambda: state.append(capture(*arguments)))
        return state[0]

    settings = [("market.symbols", 8), ("market.bars", bars), ("storage.runs", str(runs))]
    with patch.object(running, "capture", timed):
        outcome = replay_history(load_config(None, {}, settings).config)
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        sizes = [len(entry.data) for entry in reader.entries("checkpoint")]
    return {
        "ticks": outcome.results.identity.ticks,
        "checkpoints": len(sizes),
        "checkpoint_kb": float(np.mean(sizes)) / 1e3,
        "mb": sum(sizes) / 1e6,
        "share": spent / outcome.results.identity.cpu_s,
    }


def _first_months(folder: Path) -> str:
    from mirrorcore.clock import DAY, iso
    from mirrorcore.data_sources.recorded import RecordedSource

    first = int(next(iter(RecordedSource(folder).blocks(max_rows=1))).ts[0])
    ends = (iso(first), iso(first + 45 * DAY))
    return "-".join(end[:10].replace("-", "") for end in ends)


def _off(answer: Explanation) -> float:
    """The largest difference between the sum of the pulls shown and the edge shown."""
    worst = 0.0
    for decision in answer.decisions:
        fusion = decision.fusion
        if fusion is None or fusion.edge is None or fusion.market_edge is None:
            return float("inf")
        pulls = sum(vote.pull or 0.0 for vote in decision.votes)
        market = sum(vote.market_pull or 0.0 for vote in decision.votes)
        # What is published is clipped at 3; the sum is not.
        worst = max(worst, abs(float(np.clip(pulls, -3, 3)) - fusion.edge))
        worst = max(worst, abs(float(np.clip(market, -3, 3)) - fusion.market_edge))
    return worst


def _begin(info: Any) -> float:
    """Seconds until anything can be asked: the chain verified, the market read and judged."""
    from mirrorcore.swarm.recorded import Recorded

    watch = Stopwatch()
    with Recorded(info):
        return watch.wall_ns() / 1e9


def _command(runs: Path, name: str) -> float:
    """Seconds of ``mirrorcore why NAME --json`` in a process of its own."""
    watch = Stopwatch()
    done = subprocess.run(
        [sys.executable, "-c", _CODE, "why", name, "--runs", str(runs), "--json"],
        cwd=runs,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not json.loads(done.stdout)["proof"]["same"]:
        raise SystemExit(f"why {name}: {done.returncode}\n{done.stderr[-2000:]}")
    return watch.wall_ns() / 1e9
