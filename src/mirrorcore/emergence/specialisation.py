"""Agents that come to prefer tasks of their own, beyond common demand and the roles they had."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.emergence.detector import Array, Flags, Numbers, TickReader, static_value
from mirrorcore.emergence.finding import Effect, Finding
from mirrorcore.emergence.indices import division_of_labour
from mirrorcore.emergence.sequential import EDetector
from mirrorcore.errors import UsageError

_BLOCK = 32
_GAP = 288
_WINDOWS = (240.0, 640.0)
_OLD = 960
_DEMAND_SPAN = 64.0
_PRIOR = (4.0, 100.0)
_ROLES = (0.1, 0.5)
_GAINS = np.exp([0.5, 1.0, 1.5]) - 1.0
_SURE = 3.0
_NAMED_BY = (320, 640, 960)
_AFTER = 640
_TOLERANCE = 0.07
_BET_FROM = 1792
_SILENCE = 2000
_NULL = (
    "given the task it leaves and what all agents are drawn to, an agent chooses its next task as "
    f"in its own past, up to {_TOLERANCE} standard deviations"
)


class SpecializationDetector:
    """Bets that agents go on preferring the tasks they preferred a while ago.

    Only changes of task count, so sticky tasks weigh nothing. What an agent preferred in a window
    that ended ``_GAP`` ticks ago, against its own older past, is bet on: private streaks are over
    by then, and roles coded from the start are in the older past. The expectation rests on another
    half of the past than the preference, so that one accident does not count twice; preferences
    are centred over agents, so that demand shared by all pays nothing.

    ``static["n_tasks"]``: number of tasks M. A tick holds ``ret``, ``tasks`` (N) in 0..M-1 and
    ``demand`` (M).
    """

    def __init__(self, static: Mapping[str, Any]) -> None:
        name = "SpecializationDetector"
        self._tasks = int(static_value(static, name, "n_tasks"))
        if self._tasks < 2:
            raise UsageError(
                f"{name}: static['n_tasks'] is {self._tasks}", hint="there are at least 2 tasks"
            )
        self._reader = TickReader(name, {"tasks": self._tasks})
        self._rows: list[Array] = []
        self._last: Numbers | None = None
        self._tick = -1
        self._moves: deque[Array] = deque()
        self._ready = False
        self._evidence = EDetector(len(_WINDOWS) * len(_ROLES), (1.0,), _BLOCK, 8 * _BLOCK)
        self._silent_until = 0
        self._shown = 0.0
        self._name_more_at = -1

    def _prepare(self, agents: int) -> None:
        shape = (agents, self._tasks, self._tasks)
        self._window = np.zeros((len(_WINDOWS), *shape))
        self._old = np.zeros((2, *shape))
        self._chunk = 0
        self._demand = np.ones(self._tasks)
        self._flow = np.ones(self._tasks)
        self._usual_flow = np.ones(self._tasks)
        self._preference = np.zeros((len(_WINDOWS), len(_ROLES), agents, self._tasks))
        self._expected = np.full((agents, self._tasks), 1.0 / self._tasks)
        self._ready = True

    def update(self, tick: Mapping[str, Any]) -> Sequence[Finding]:
        """Findings that this tick completes. Raises UsageError on a bad tick."""
        self._reader.number(tick, "ret")
        self._reader.array(tick, "demand", "tasks")
        tasks = self._reader.array(tick, "tasks", "agents")
        if tasks.size and not (tasks.min() >= 0 and tasks.max() < self._tasks):
            raise UsageError(
                f"SpecializationDetector: tick['tasks'] is outside 0 to {self._tasks - 1}",
                hint="number the tasks from 0, as many as static['n_tasks']",
            )
        if not self._ready:
            self._prepare(len(tasks))
        self._tick += 1
        self._rows.append(tasks)
        if len(self._rows) < _BLOCK:
            return ()
        block = np.array(self._rows).astype(np.int64)
        self._rows.clear()
        return self._block(block)

    def _block(self, tasks: Numbers) -> Sequence[Finding]:
        first = tasks[:1] if self._last is None else self._last
        before = np.concatenate([first, tasks[:-1]])
        self._last = tasks[-1:]
        ticks, agents = np.nonzero(tasks != before)
        left, taken = before[ticks, agents], tasks[ticks, agents]
        worth = self._bet(ticks, agents, left, taken)
        self._learn(agents, left, taken)
        if worth is not None and worth.mean() >= self._evidence.threshold:
            return self._raise(self._evidence.e_value(float(worth.mean())))
        if 0 <= self._name_more_at <= self._tick:
            return self._name_more()
        return ()

    def _bet(self, ticks: Numbers, agents: Numbers, left: Numbers, taken: Numbers) -> Array | None:
        rows = np.arange(len(agents))
        chance = self._expected[agents] * self._demand
        chance[rows, left] = 0.0
        chance /= chance.sum(axis=1, keepdims=True)
        liking = self._preference[:, :, agents]  # (windows, shares, events, M)
        at = liking[:, :, rows, taken]
        mean = (chance * liking).sum(axis=-1)
        spread = np.sqrt(np.maximum((chance * liking**2).sum(axis=-1) - mean**2, 0.0))
        if self._tick + 1 <= max(_BET_FROM, self._silent_until):
            return None
        tilt = np.log((chance * np.exp(liking)).sum(axis=-1))
        paid = at - _TOLERANCE * spread - tilt
        gains = np.zeros((_BLOCK, paid.shape[0] * paid.shape[1]))
        np.add.at(gains, ticks, paid.reshape(gains.shape[1], len(rows)).T)
        return self._evidence.update(np.expm1(np.clip(gains, -3.0, 3.0)))

    def _learn(self, agents: Numbers, left: Numbers, taken: Numbers) -> None:
        moves = np.zeros_like(self._window[0])
        np.add.at(moves, (agents, left, taken), 1.0)
        keep = np.exp(-_BLOCK / _DEMAND_SPAN)
        wanted = self._expected.mean(axis=0)
        self._flow = keep * self._flow + moves.sum(axis=(0, 1)) + (1 - keep) * wanted * 20.0
        self._demand = self._flow / self._flow.sum() / wanted
        self._moves.append(moves)
        if len(self._moves) > _OLD // _BLOCK:
            half = (self._chunk // 4) % 2
            self._old[half] += self._moves.popleft()
            self._chunk += 1
        late = len(self._moves) > _GAP // _BLOCK
        other, known = self._choice(self._old[0])
        self._expected, _ = self._choice(self._old[1])
        for number, span in enumerate(_WINDOWS):
            if late:
                self._window[number] *= np.exp(-_BLOCK / span)
                self._window[number] += self._moves[-_GAP // _BLOCK - 1]
            evidence = _roles(self._window[number], other, known)
            for share, prior in enumerate(_ROLES):
                self._preference[number, share] = _liking(evidence, prior)

    def _choice(self, moves: Array) -> tuple[Array, Array]:
        """Chances (N, M) of tasks when drawn anew, and how many moves each agent's rest on (N,).

        From moves (N, from, to) between two tasks. Agents are taken to be as much alike as they
        have been: what they differ by beyond chance says how many moves of all count for each.
        """
        taken, left = moves.sum(axis=1), moves.sum(axis=2)
        common = (taken.sum(axis=0) + 1.0)[None]
        common = common / common.sum()
        for _ in range(2):
            due = np.einsum("nl,lk->nk", left, _between(common)[0])
            common = common * (taken.sum(axis=0) + 1.0) / (due.sum(axis=0) + 1.0)
            common = common / common.sum()
        due = np.einsum("nl,lk->nk", left, _between(common)[0])
        seen = taken.sum(axis=1)
        free = max((len(taken) - 1) * (self._tasks - 1), 1)
        unlike = float(((taken - due) ** 2 / np.maximum(due, 1.0)).sum()) / free
        alike = (float(seen.mean()) - unlike) / max(unlike - 1.0, 1e-6)
        prior = float(np.clip(alike, *_PRIOR))
        taken, left = taken + prior * common, left + prior * common
        chance = np.broadcast_to(common, taken.shape)
        for _ in range(3):
            asked = left / (1.0 - np.minimum(chance, 0.9))
            chance = taken / (asked.sum(axis=1, keepdims=True) - asked)
            chance = chance / chance.sum(axis=1, keepdims=True)
        return chance, seen + prior

    def _sure(self) -> Flags:
        """(N,) who has by now a role of its own, by all moves of the last 960 ticks or of fewer."""
        usual, known = self._choice(self._old.sum(axis=0))
        moves, odds = list(self._moves), []
        for ticks in _NAMED_BY:
            chances = _posterior(
                _roles(np.sum(moves[-ticks // _BLOCK :], axis=0), usual, known), 0.5
            )
            chance = chances.sum(axis=(1, 2))
            odds.append(chance / (1.0 - np.minimum(chance, 1.0 - 1e-9)))
        out: Flags = np.mean(odds, axis=0) > _SURE
        return out

    def _raise(self, e_value: float) -> Sequence[Finding]:
        self._evidence.reset()
        self._silent_until = self._tick + _SILENCE
        self._named = self._sure()
        self._shown, self._name_more_at = e_value, self._tick + _AFTER
        return (self._finding(self._named),)

    def _name_more(self) -> Sequence[Finding]:
        """Who else, once there was time to tell: the same claim, not another one."""
        self._name_more_at = -1
        more = self._sure() & ~self._named
        return (self._finding(more),) if more.any() else ()

    def _finding(self, who: Flags) -> Finding:
        agents = tuple(int(a) for a in np.flatnonzero(who))
        liking = self._preference[1, 1]
        strength = float(liking[who].max(axis=1).mean() if agents else liking.max())
        names = f"Agents {', '.join(map(str, agents))}" if agents else "Agents not yet told apart"
        recent = list(self._moves)[-int(_WINDOWS[0]) // _BLOCK :]
        return Finding(
            type="specialisation",
            agents=agents,
            effect=Effect("preference for a task of its own", strength, "log-odds", "up"),
            null=_NULL,
            window=(max(self._tick - _GAP - int(_WINDOWS[0]), 0), self._tick),
            raised_at=self._tick,
            e=self._shown,
            summary=(
                f"{names} have come to prefer tasks of their own, and the swarm goes on preferring "
                "them, beyond what everyone is drawn to and what each did before. This does not "
                "show that the division of work is useful."
            ),
            evidence={
                "threshold_e": self._evidence.e_value(self._evidence.threshold),
                "division_of_labour": division_of_labour(np.sum(recent, axis=0).sum(axis=1)),
                "division_of_labour_before": division_of_labour(self._old.sum(axis=(0, 2))),
            },
        )


def _between(chance: Array) -> Array:
    """(N, from, to) chances of another task from those (N, M) of any, which need not add to one."""
    share = chance / chance.sum(axis=1, keepdims=True)
    out: Array = share[:, None, :] / np.maximum(1.0 - share[:, :, None], 0.1)
    tasks = np.arange(chance.shape[1])
    out[:, tasks, tasks] = 0.0
    return out


def _roles(moves: Array, usual: Array, known: Array) -> Array:
    """Log-likelihood ratios (N, M, gains) that an agent was drawn to a task of its own.

    Against ``usual`` chances (N, M), which rest on ``known`` (N,) moves only, times what all agents
    were drawn to.
    """
    taken, left = moves.sum(axis=1), moves.sum(axis=2)
    due = np.einsum("nl,nlk->nk", left, _between(usual))
    wanted = (taken.sum(axis=0) + 1.0) / (due.sum(axis=0) + 1.0)
    chance = _between(usual * wanted)
    cost = np.einsum("nl,nlkg->nkg", left, np.log1p(chance[..., None] * _GAINS))
    ratios = np.log1p(_GAINS) * taken[:, :, None] - cost
    out: Array = ratios * (known / (known + left.sum(axis=1)))[:, None, None]
    return out


def _posterior(evidence: Array, prior: float) -> Array:
    """Chances (N, M, gains) of each role by Bayes, where having one of them has ``prior``."""
    odds = prior / (1.0 - prior) / evidence[0].size * np.exp(np.clip(evidence, -50.0, 50.0))
    out: Array = odds / (1.0 + odds.sum(axis=(1, 2), keepdims=True))
    return out


def _liking(evidence: Array, prior: float) -> Array:
    """Preferences (N, M) in log-odds, centred over agents."""
    liking = np.log1p((_posterior(evidence, prior) * _GAINS).sum(axis=2))
    out: Array = liking - liking.mean(axis=0)
    return out
