"""From a block of market to the ungated targets: everything that no fill can change.

Block agents are evaluated ahead of the loop for all ticks of a block at once. One that fails is
put back to where the block began and called bar by bar under its breaker, so that its error lands
on the same bar as it would live. As soon as any voter speaks tick by tick, so do the oracle, the
allocator and the scores: the same code with blocks of one, hence the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mirrorcore.agents.base import Context
from mirrorcore.market.block import Floats
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.swarm.contributions import Pulls, pulls_of
from mirrorcore.swarm.members import Member
from mirrorcore.swarm.scoreboard import Scoreboard
from mirrorcore.swarm.ungated import UngatedBook
from mirrorcore.swarm.voter_books import VoterBooks
from mirrorcore.swarm.votes import Ballot
from mirrorcore.syncbus import AgentBlocked, SyncBus

Outputs = dict[str, dict[str, Floats]]


@dataclass(slots=True)
class Conclusions:
    """What the swarm concluded for each tick of a block; row t is valid once tick t is decided.

    ``targets`` (T, S) are the ungated weights, ``forecasts`` (T, S) the fused probabilities, the
    three shadow columns (T,) the ungated book. For each tick, ``weights`` has the oracle's weight
    of each voter, ``scores`` the scoreboard's sums, the fused forecast first, ``voter_pnl`` what
    each voter's own paper book earned so far, gross and net, ``votes`` (S, N) what each said and
    ``held`` (S, N) the weights its paper book decided on; all grow in width when a voter joins.
    """

    targets: Floats
    forecasts: Floats
    shadow_equity: Floats
    shadow_drawdown: Floats
    shadow_volatility: Floats
    weights: list[Floats] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)
    voter_pnl: list[Floats] = field(default_factory=list)
    votes: list[Floats] = field(default_factory=list)
    held: list[Floats] = field(default_factory=list)
    pulls: list[Pulls] = field(default_factory=list)
    """What each voter added to the targets, all rows together in their order; empty where oracle
    and allocator do not say."""

    @classmethod
    def blank(cls, ticks: int, symbols: int) -> Conclusions:
        return cls(
            targets=np.zeros((ticks, symbols)),
            forecasts=np.full((ticks, symbols), np.nan),
            shadow_equity=np.ones(ticks),
            shadow_drawdown=np.zeros(ticks),
            shadow_volatility=np.zeros(ticks),
        )


@dataclass(slots=True)
class Stage:
    """A block under evaluation."""

    market: CategorizedBlock
    conclusions: Conclusions
    outputs: Outputs = field(default_factory=dict)
    bar_by_bar: list[Member] = field(default_factory=list)
    decided_ahead: bool = False
    scored: int = 0
    """Rows whose forecasts have been scored; those decided since then wait in ``waiting``."""
    waiting: list[tuple[Floats, Floats]] = field(default_factory=list)


class Analysis:
    """The market-only half of a swarm.

    Parameters
    ----------
    analysts: block agents other than the two below, each after those it reads.
    oracle, allocator: the agents that fuse and size; None leaves the swarm without targets.
    tick_voters: whether any agent may vote tick by tick.
    """

    def __init__(
        self,
        bus: SyncBus,
        context: Context,
        analysts: Sequence[Member],
        oracle: Member | None,
        allocator: Member | None,
        ballot: Ballot,
        scoreboard: Scoreboard,
        voter_books: VoterBooks,
        ungated: UngatedBook,
        *,
        tick_voters: bool,
    ) -> None:
        self._bus = bus
        self._context = context
        self._analysts = tuple(analysts)
        self._oracle = oracle
        self._allocator = allocator
        self._ballot = ballot
        self._scoreboard = scoreboard
        self._voter_books = voter_books
        self._ungated = ungated
        self._tick_voters = tick_voters
        desk = [member for member in (oracle, allocator) if member is not None]
        self._in_blocks = {member.agent_id: member for member in (*analysts, *desk)}
        self._late: list[tuple[str, int, int]] = []
        self._weights: Floats = np.zeros(0)
        self._target: Floats = np.zeros((1, len(context.symbols)))
        self._pulls: Pulls | None = None

    def begin(self, market: CategorizedBlock) -> Stage:
        """Evaluate as much of the block as can be known ahead: of a single tick, nothing."""
        stage = Stage(market, Conclusions.blank(len(market), len(self._context.symbols)))
        if len(market) == 1:
            stage.bar_by_bar.extend(self._analysts)
            return stage
        for member in self._analysts:
            outputs = self._ahead(member, market, stage.outputs)
            if outputs is None:
                stage.bar_by_bar.append(member)
            else:
                self._load(stage, member, outputs)
        if not self._tick_voters and not any(m.votes for m in stage.bar_by_bar):
            stage.decided_ahead = self._decide_ahead(stage)
        return stage

    def step_analysts(self, stage: Stage, row: int) -> None:
        """Call the block agents that failed ahead of the loop, each under its breaker."""
        if not stage.bar_by_bar:
            return
        market = stage.market.row(row)
        others = _row_of(stage.outputs, row)
        for member in stage.bar_by_bar:
            outputs = self._step(member, market, others)
            if outputs is not None:
                others[member.agent_id] = outputs

    def conclude(self, stage: Stage, row: int) -> None:
        """Fuse, size and score tick ``row`` unless that was done ahead."""
        if stage.decided_ahead:
            return
        ts = int(stage.market.market.ts[row])
        market = stage.market.row(row)
        votes = self._votes_at(stage, row, ts)
        target, forecast = self._target, np.full_like(self._target, np.nan)
        fused = self._step(self._oracle, market, {}, votes) if self._oracle else None
        if self._oracle and fused:
            forecast = fused["forecast"]
            self._weights = fused["weights"][0]
            read = {self._oracle.agent_id: fused}
            sized = self._step(self._allocator, market, read) if self._allocator else None
            if sized:
                target, self._pulls = sized["target"], self._pulled()
        self._target = target
        if self._pulls is not None:
            stage.conclusions.pulls.append(self._pulls)
        stage.conclusions.targets[row] = target[0]
        stage.conclusions.weights.append(self._weights)
        stage.waiting.append((votes, forecast))

    def score(self, stage: Stage) -> None:
        """Score what was decided tick by tick since the last time, all rows at once.

        Nothing in a decision depends on it, so it is done when somebody looks, and at the end.
        """
        if not stage.waiting:
            return
        rows = slice(stage.scored, stage.scored + len(stage.waiting))
        votes = np.concatenate([row[0] for row in stage.waiting])
        forecast = np.concatenate([row[1] for row in stage.waiting])
        stage.waiting.clear()
        self._finish(stage, rows, votes, forecast)

    def _ahead(
        self,
        member: Member,
        market: CategorizedBlock,
        others: Outputs,
        votes: Floats | None = None,
    ) -> dict[str, Floats] | None:
        """The member's arrays for the whole block, or None if it has to go bar by bar."""
        if not self._bus.ready_ahead(member.agent_id) or not self._readable(member, others):
            return None
        before = member.memory()
        if before is None:
            # It could not be put back to where the block began.
            return None
        try:
            return self._bus.ahead(  # type: ignore[no-any-return]
                member.agent_id, len(market), member.evaluate_ahead, market, others, votes
            )
        except (Exception, SystemExit, AgentBlocked):
            # Not judged here: the same rows follow bar by bar under the agent's breaker, which
            # counts the error on the bar that causes it.
            member.put_back(before)
            return None

    def _load(self, stage: Stage, member: Member, outputs: dict[str, Floats]) -> None:
        assert member.handle is not None
        ticks = len(stage.market)
        member.handle.load_block(outputs, stage.market.market.ts, ticks)
        self._bus.credit(member.agent_id, ticks)
        stage.outputs[member.agent_id] = outputs

    def _decide_ahead(self, stage: Stage) -> bool:
        """Fuse and size the whole block; False if either agent has to go bar by bar."""
        oracle, allocator = self._oracle, self._allocator
        if oracle is None or allocator is None:
            return False
        votes = self._stacked(stage)
        before = oracle.memory()
        fused = self._ahead(oracle, stage.market, {}, votes)
        if fused is None:
            return False
        sized = self._ahead(allocator, stage.market, {oracle.agent_id: fused})
        if sized is None:
            assert before is not None
            oracle.put_back(before)
            return False
        self._load(stage, oracle, fused)
        self._load(stage, allocator, sized)
        last = int(stage.market.market.ts[-1])
        for i, voter in enumerate(self._context.voters):
            self._ballot.cast(voter, last, votes[-1, :, i])
        rows = slice(0, len(stage.market))
        stage.conclusions.weights.extend(fused["weights"])
        stage.conclusions.targets[:] = sized["target"]
        self._target = sized["target"][-1:].copy()
        pulls = self._pulled()
        if pulls is not None:
            stage.conclusions.pulls.append(pulls)
            self._pulls = pulls.last()
        self._finish(stage, rows, votes, fused["forecast"])
        return True

    def _pulled(self) -> Pulls | None:
        """What each voter added to the targets of the rows that were sized last."""
        assert self._oracle is not None
        assert self._allocator is not None
        return pulls_of(self._oracle.agent, self._allocator.agent)

    def _stacked(self, stage: Stage) -> Floats:
        """(T, S, N) the forecasts of all voters, every one of them known ahead."""
        if not self._context.voters:
            return np.empty((*stage.market.market.present.shape, 0))
        columns = [stage.outputs[voter]["forecast"] for voter in self._context.voters]
        return np.stack(columns, axis=2)

    def _votes_at(self, stage: Stage, row: int, ts: int) -> Floats:
        """(1, S, N) the votes that count at one tick."""
        for voter in self._context.voters:
            ahead = stage.outputs.get(voter)
            if ahead is not None:
                self._ballot.cast(voter, ts, ahead["forecast"][row])
        return self._ballot.counted(ts)

    def _step(
        self, member: Member, market: CategorizedBlock, others: Outputs, votes: Floats | None = None
    ) -> dict[str, Floats] | None:
        """One bar of a block agent under its breaker; None if it gave nothing."""
        if not self._readable(member, others):
            return None
        worked, outputs = self._bus.guarded(
            member.agent_id, member.evaluate_and_publish, market, others, votes
        )
        if not worked:
            return None
        result: dict[str, Floats] = outputs
        if member.votes:
            self._ballot.cast(member.agent_id, int(market.market.ts[0]), result["forecast"][0])
        return result

    def _readable(self, member: Member, others: Outputs) -> bool:
        """Whether every block agent it reads by name has spoken for these rows."""
        return all(n in others for n in member.agent_interests if n in self._in_blocks)

    def _finish(self, stage: Stage, rows: slice, votes: Floats, forecast: Floats) -> None:
        """Score the forecasts and keep the shadow books for some rows, in their order."""
        market = stage.market.rows(rows.start, rows.stop)
        present = market.market.present
        returns = market.values["technical"]["return_1"]
        returns = np.where(present & np.isfinite(returns), returns, 0.0)
        vol = market.values["risk"]["vol_fast"]
        into = stage.conclusions
        path = self._ungated.update(into.targets[rows], returns)
        into.forecasts[rows] = forecast
        into.shadow_equity[rows] = path.equity
        into.shadow_drawdown[rows] = path.drawdown
        into.shadow_volatility[rows] = path.volatility
        # The fused forecast comes first: voters may join at the end.
        said = np.concatenate([forecast[:, :, None], votes], axis=2)
        into.scores.extend(self._scoreboard.update(said, returns, vol, present))
        into.voter_pnl.extend(self._voter_books.update(market.market, votes, vol))
        into.votes.extend(votes)
        into.held.extend(self._voter_books.held)
        stage.scored = rows.stop

    @property
    def shadow_equity(self) -> float:
        """What the ungated book is worth now; 1 when it began."""
        return self._ungated.equity

    def admit(self, stage: Stage, voter: str, lasting_ns: int, horizon_ns: int) -> None:
        """An agent has cast its first vote: from now on it is one of the voters."""
        self.score(stage)
        self._join(voter, lasting_ns, horizon_ns)

    def _join(self, voter: str, lasting_ns: int, horizon_ns: int) -> None:
        self._late.append((voter, lasting_ns, horizon_ns))
        bars = self._context.bars(horizon_ns)
        self._ballot.admit(voter, lasting_ns, bars * self._context.bar_ns)
        self._scoreboard.admit(bars)
        self._voter_books.admit()

    def cast(self, voter: str, ts: int, vote: Floats) -> None:
        """The vote of an agent that speaks tick by tick."""
        self._ballot.cast(voter, ts, vote)

    def counted(self, ts: int) -> Floats:
        """(S, N) the votes as they count at ``ts``."""
        votes: Floats = self._ballot.counted(ts)[0]
        return votes

    def cast_at(self) -> list[int]:
        """When each voter voted last, 0 for never."""
        return self._ballot.cast_at()

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`; what the agents hold is theirs."""
        return {
            "late": [list(voter) for voter in self._late],
            "weights": self._weights,
            "target": self._target,
            "ballot": self._ballot.checkpoint(),
            "scoreboard": self._scoreboard.checkpoint(),
            "voter_books": self._voter_books.checkpoint(),
            "ungated": self._ungated.checkpoint(),
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue from :meth:`checkpoint`, in an analysis of which nobody has asked anything."""
        for voter, lasting_ns, horizon_ns in memory["late"]:
            self._join(voter, lasting_ns, horizon_ns)
        self._weights, self._target = memory["weights"], memory["target"]
        self._ballot.restore(memory["ballot"])
        self._scoreboard.restore(memory["scoreboard"])
        self._voter_books.restore(memory["voter_books"])
        self._ungated.restore(memory["ungated"])


def _row_of(outputs: Outputs, row: int) -> Outputs:
    return {
        agent_id: {name: column[row : row + 1] for name, column in columns.items()}
        for agent_id, columns in outputs.items()
    }
