"""How many configurations were tried on the same data before this one was shown.

Read from the folder of runs. A trial is a configuration, not a run: what a run was told, without
the seed, on which nothing may hang, without the places on this machine, and without the market,
which its digest stands for. Runs of one configuration are one trial, whatever their seeds; a run
that failed or was stopped counts as soon as it produced a Sharpe ratio somebody may have seen.

The variations that ``mirrorcore evaluate`` tries are trials for every configuration but the one it
was called for: that one was fixed before any of them was seen, so none can have led to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mirrorcore.journal import RunRegistry
from mirrorcore.market.block import Floats
from mirrorcore.report import metrics
from mirrorcore.report.checks import STORED, Check, load_checks
from mirrorcore.report.deflation import spread_of_trials
from mirrorcore.report.results import RunResults


@dataclass(frozen=True, slots=True)
class Trials:
    """``count`` distinct configurations with ``variance`` of their Sharpe ratios per day.

    ``unread`` folders of runs or evaluations could not be read and are not in the count.
    """

    count: int = 1
    variance: float = 0.0
    unread: int = 0


ALONE = Trials()
"""Nothing else was tried, as far as anybody knows."""


@dataclass(frozen=True, slots=True)
class Track:
    """What a run says of itself to those who count: Sharpe ``ratio`` per day over ``days``."""

    ratio: float | None
    days: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the verdict on a run depends on beside its own figures."""

    trials: Trials = ALONE
    checks: tuple[Check, ...] = ()


def track_of(returns: Floats) -> Track:
    """The track of daily ``returns``; without a ratio where they have none."""
    ratio = float(metrics.sharpe(returns, periods=1.0))
    return Track(None if math.isnan(ratio) else ratio, len(returns))


def daily_of(results: RunResults) -> Floats:
    """Daily returns of a run, from 00:00 UTC to 00:00 UTC."""
    start, initial = results.identity.period_start, results.initial_equity
    curve = metrics.with_start(results.ts, results.equity, start, initial)
    return metrics.daily_returns(metrics.daily_closes(curve)[1])


def standing_of(folder: Path) -> Standing:
    """Trials and checks of the run in ``folder``, from it and from the runs beside it.

    Raises
    ------
    DataError: the file of its checks is damaged.
    """
    own = json.loads((folder / "run.json").read_bytes())
    return Standing(count_trials(folder.parent, own), load_checks(folder))


def count_trials(runs: Path, own: Mapping[str, Any]) -> Trials:
    """All trials within the folder ``runs`` on the data of the run whose run.json is ``own``."""
    registry = RunRegistry(runs)
    data = _data_of(own)
    found: dict[str, list[Track]] = {}
    unread = len(registry.damaged())
    for run in registry.runs():
        if data is None or _data_of(run.identity) != data:
            continue
        tracks = [*_own_track(run.identity)]
        try:
            if run.identity.get("trial") != own.get("trial"):
                tracks += _evaluated(run.path)
        except (OSError, msgspec.MsgspecError, KeyError):
            unread += 1
        for key, track in tracks:
            if track.ratio is not None:
                found.setdefault(key, []).append(track)
    found.setdefault(str(own.get("trial", "")), [])
    merged = [_merged(found[key]) for key in sorted(found) if found[key]]
    variance = spread_of_trials([ratio for ratio, _ in merged], [days for _, days in merged])
    return Trials(len(found), variance, unread)


def _data_of(identity: Mapping[str, Any]) -> str | None:
    """Digest of the market; None where a run does not say."""
    digest = identity.get("inputs", {}).get(identity.get("source"))
    return None if digest is None else str(digest)


def _own_track(identity: Mapping[str, Any]) -> Iterator[tuple[str, Track]]:
    if "track" in identity and "trial" in identity:
        yield str(identity["trial"]), msgspec.convert(identity["track"], Track)


def _evaluated(folder: Path) -> Iterator[tuple[str, Track]]:
    """The variations that ``mirrorcore evaluate`` tried beside the run."""
    file = folder / STORED
    if not file.is_file():
        return
    for trial in msgspec.json.decode(file.read_bytes())["trials"]:
        yield str(trial["trial"]), Track(trial["ratio"], trial["days"])


def _merged(tracks: list[Track]) -> tuple[float, float]:
    """One configuration's ratio over all its runs, each weighted by its days, and its days."""
    days = sum(track.days for track in tracks)
    ratio = sum((track.ratio or 0.0) * track.days for track in tracks) / days
    return ratio, days / len(tracks)
