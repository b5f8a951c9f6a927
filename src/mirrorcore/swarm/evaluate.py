"""``mirrorcore evaluate``: a run, the same under worse conditions and otherwise told, and checks.

The run itself is an ordinary one with its folder. All else is replayed in processes aside, and
nothing of it is kept but daily returns, in one file in the run's folder that is written at the end,
whole. The variations are trials from then on; the run under doubled costs and the one that decides
late are not, since nobody would choose them for being worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from mirrorcore.clock import DAY
from mirrorcore.config.model import RunConfig
from mirrorcore.errors import CheckFailedError, DataError
from mirrorcore.journal import write_atomic
from mirrorcore.market.features.catalogue import volatility_half_lives
from mirrorcore.report.checks import STORED, Check
from mirrorcore.report.overfitting import GROUPS
from mirrorcore.report.splits import shortest_history
from mirrorcore.report.trials import daily_of, track_of
from mirrorcore.swarm.assembly import Swarm
from mirrorcore.swarm.evaluate_checks import (
    Candidate,
    better_variation,
    overfitting_check,
    permutation_check,
    stress_check,
    superiority_check,
    walk_forward_check,
)
from mirrorcore.swarm.evaluate_pool import Job, Replayed, replay_all
from mirrorcore.swarm.evaluate_tape import PositionTape
from mirrorcore.swarm.recruiting import recruit
from mirrorcore.swarm.replay import Progress, replay_history
from mirrorcore.swarm.run import RunOutcome

DELAY = 1
"""Ticks a decision arrives late in the check of the same name."""

_LARGEST_COST = 1000.0


@dataclass(frozen=True, slots=True)
class Variation:
    """Another configuration of the same swarm on the same market."""

    label: str
    config: RunConfig


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run with what the checks need of it beside its results."""

    config: RunConfig
    outcome: RunOutcome
    tape: PositionTape
    embargo: int

    @property
    def finished(self) -> bool:
        """False where it was interrupted: half a run is not checked."""
        return self.outcome.results.identity.status == "finished"


@dataclass(frozen=True, slots=True)
class SwarmEvaluation:
    """The checks of a run; ``document`` is what its folder holds of them."""

    run: RunOutcome
    checks: tuple[Check, ...]
    document: Mapping[str, Any]


def run_watched(config: RunConfig, told: Progress | None = None) -> WatchedRun:
    """The run itself: an ordinary one, in its folder.

    Raises
    ------
    DataError: the history is too short for a walk-forward; the message says how long it must be.
    """
    market = config.market
    if market.source == "simulated":
        # Known ahead here; a recorded history shows its days when it is replayed.
        _check_length(market.bar_count * market.bar // DAY, embargo_days(config, market.bar))
    tapes: list[PositionTape] = []

    def observe(swarm: Swarm) -> PositionTape:
        tapes.append(PositionTape(swarm))
        return tapes[-1]

    outcome = replay_history(config, progress=told, observe=observe)
    embargo = embargo_days(config, outcome.results.identity.bar_ns)
    watched = WatchedRun(config, outcome, tapes[-1], embargo)
    if watched.finished:
        _check_length(len(daily_of(outcome.results)), embargo)
    return watched


def evaluate_run(
    watched: WatchedRun,
    variations: Sequence[Variation],
    *,
    workers: int = 1,
    told: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> SwarmEvaluation:
    """Replay all else in ``workers`` processes, check, and write the outcome into the run's folder.

    Raises
    ------
    KeyboardInterrupt: stopped; the run itself is complete, and nothing was written beside it.
    MirrorCoreError: a replay failed.
    """
    config = watched.config
    jobs = [
        Job("costs doubled", _dearer(config)),
        Job("one bar late", config, DELAY),
        *(Job(one.label, one.config) for one in variations),
    ]
    return _conclude(watched, replay_all(jobs, workers, told))


def embargo_days(config: RunConfig, bar_ns: int) -> int:
    """Days between training and test: the longest horizon of a voter (a bar at least) and the
    longest half-life of a feature, rounded up."""
    voters = (m.horizon_ns for m in recruit(config) if m.votes is not False)
    return math.ceil((max(bar_ns, *voters, 0) + max(volatility_half_lives(bar_ns)) * bar_ns) / DAY)


def _check_length(days: int, embargo: int) -> None:
    needed = max(shortest_history(embargo), 2 * GROUPS)
    if days < needed:
        raise DataError(
            f"the history has {days} whole days, a walk-forward needs {needed} (training, an "
            f"embargo of {embargo}, and tests)",
            hint="use a longer history: --bars, market.period or a wider --timerange",
        )


def _dearer(config: RunConfig) -> RunConfig:
    """Fee and slippage doubled; the swarm knows of it, as of any cost it is told."""
    costs = config.costs
    doubled = {
        "fee_bps": min(2 * costs.fee_bps, _LARGEST_COST),
        "slippage_bps": min(2 * costs.slippage_bps, _LARGEST_COST),
    }
    return config.model_copy(update={"costs": costs.model_copy(update=doubled)})


def _conclude(watched: WatchedRun, replayed: Sequence[Replayed]) -> SwarmEvaluation:
    outcome, embargo = watched.outcome, watched.embargo
    base = Candidate("as configured", daily_of(outcome.results))
    for one in replayed:
        if one.residual != 0:
            raise CheckFailedError(
                f"the books of the replay '{one.label}' do not balance: residual {one.residual}",
                hint="this is a defect of ours; please report it",
            )
    dear, late, *varied = (Candidate(one.label, one.returns) for one in replayed)
    # One that lost everything has no daily returns after that, and would be chosen by nobody.
    candidates = [base, *(one for one in varied if len(one.returns) == len(base.returns))]
    checks = (
        _cost_check(outcome, dear),
        stress_check(
            "delay", "decided one bar late",
            "A result that hangs on reacting at once, or on knowing ahead.", late,
        ),
        walk_forward_check(candidates, embargo),
        overfitting_check(candidates),
        superiority_check(candidates),
        permutation_check(*watched.tape.paths(), watched.tape.days),
    )  # fmt: skip
    better = better_variation(candidates)
    document = {
        "run_id": outcome.run_id,
        "embargo_days": embargo,
        "checks": [asdict(check) for check in checks],
        "trials": [
            {"label": one.label, "trial": one.trial, **asdict(track_of(one.returns))}
            for one in replayed[2:]
        ],
        "configurations": [
            {"label": one.label, "sharpe": one.sharpe} for one in (base, dear, late, *varied)
        ],
        "best_variation": None if better is None else {"label": better[0], "spa_p": better[1]},
    }
    write_atomic(outcome.path / STORED, msgspec.json.format(msgspec.json.encode(document)))
    return SwarmEvaluation(outcome, checks, document)


def _cost_check(outcome: RunOutcome, dear: Candidate) -> Check:
    guards = "Costs that were taken too low."
    costs = outcome.results.costs
    if costs.fee_bps == 0 and costs.slippage_bps == 0:
        return Check("costs", "costs doubled", "the costs are 0", "a Sharpe above 0", None, guards)
    return stress_check("costs", "costs doubled", guards, dear)
