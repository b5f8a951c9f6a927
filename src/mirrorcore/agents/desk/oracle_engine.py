"""OracleEngine: one forecast out of many votes, learned online and slowly.

Votes enter as log-odds. What is predicted is the *residual* of a symbol's next return to the
cross-section, because the common factor is most of the variance and drowns what an agent knows of
a single symbol; the factor is a separate, smaller bet. Weights come from a ridge regression with a
memory of months, refitted every few hours of market time:

    w = (A + λI)⁻¹ b,   A = Σ d x xᵀ,   b = Σ d x y

x being a voter's standardised residual log-odds and y the residual return that a decision on it
earns, in units of its own volatility. Both are taken as they are traded: x is smoothed as slowly as
costs let the book follow it, y runs from the open at which the decision is filled to the next, so
that a bounce between bid and ask, which nobody can trade, earns no weight. How much the weights may
be believed is a positive-part James-Stein factor on their joint significance, 1 − N / (bᵀA⁻¹b)
(James and Stein, 1961).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import BlockAgent, BlockInput, StateField
from mirrorcore.agents.desk.intervals import decay, segments
from mirrorcore.agents.desk.patience import smoothing_bars
from mirrorcore.agents.desk.regression import OnlineRidge
from mirrorcore.agents.desk.traded import Traded
from mirrorcore.agents.desk.volatility import Volatility
from mirrorcore.clock import DAY, HOUR, parse_duration
from mirrorcore.market.block import Floats
from mirrorcore.market.features.filters import Ema

_CLIP_SCORE = 3.0
_MINIMUM_CROSS_SECTION = 3
_FILL_LAG = 2
"""Ticks from a decision to the tick that knows its first return: it is filled at the open of the
next bar, and the return from that open to the next is known with the bar after."""
_LOGIT_PER_SD = 1.5957691216057308  # 4 φ(0): the slope of a normal probability at 0, as log-odds


class OracleEngine(BlockAgent):
    """Fuses all votes into an edge for each symbol.

    Parameters
    ----------
    half_life: memory of the regression.
    ridge_days: strength of the pull to zero, as symbol-days of evidence.
    refit: time between two refits.
    residual: whether to predict the residual to the cross-section where there are 3 symbols.
    smoothing: half-life of the votes where a side costs 5 bp; grows with the root of the cost.
    floor: least conviction, so that a swarm without proven skill still trades a little and learns
        what trading costs.
    """

    kind: ClassVar[str] = "oracle"
    votes: ClassVar[bool | None] = False
    state: ClassVar[Mapping[str, StateField]] = {
        "forecast": StateField(
            "probability that the next bar closes higher", "probability", 0, 1, "symbols", True
        ),
        "edge": StateField(
            "expected residual return of a bar over its volatility", "sd per bar", -3, 3, "symbols"
        ),
        "residual_vol": StateField(
            "volatility of the return beside the market", "per bar", 0, np.inf, "symbols", True
        ),
        "factor_edge": StateField("expected market return over its volatility", "sd", -3, 3),
        "factor_vol": StateField("volatility of the market", "per bar", 0, np.inf, "scalar", True),
        "conviction": StateField("share of the risk budget the evidence justifies", "", 0, 1),
        "consensus": StateField("agreement of the weighted votes", "", 0, 1),
        "weights": StateField("weight of each voter", "sd per sd", shape="voters"),
        "trust": StateField(
            "posterior mean information coefficient", "correlation", -1, 1, "voters"
        ),
    }

    def __init__(
        self,
        agent_id: str = "OracleEngine",
        *,
        half_life: str = "365d",
        ridge_days: float = 100.0,
        refit: str = "4h",
        floor: float = 0.1,
        residual: bool = True,
        smoothing: str = "4h",
        scale_half_life: str = "30d",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk"))
        self.residual = residual
        self.smoothing_ns = parse_duration(smoothing)
        self.half_life_ns = parse_duration(half_life)
        self.scale_half_life_ns = parse_duration(scale_half_life)
        self.refit_ns = parse_duration(refit)
        self.ridge_days = ridge_days
        self.floor = floor

    def prepare(self) -> None:
        symbols, voters = len(self.context.symbols), len(self.context.voters)
        bars_a_day = DAY / self.context.bar_ns
        self.refit_ns = max(self.refit_ns, HOUR, self.context.bar_ns)
        self.neutral = self.residual and symbols >= _MINIMUM_CROSS_SECTION
        day = self.context.bars(DAY)
        self._residual_volatility = Volatility(day, symbols)
        self._factor_volatility = Volatility(day, 1)
        ridge = self.ridge_days * bars_a_day
        self._residual = OnlineRidge(voters, ridge)
        # The market is one series where the residuals are many: the same prior in days of one.
        self._common = OnlineRidge(voters, 3.0 * ridge)
        self._interval = -1
        self._smoothing = smoothing_bars(
            self.smoothing_ns / self.context.bar_ns, self.context.cost_per_side
        )
        self._smooth: list[tuple[int, Ema]] = []
        self._grow_smoothing(voters)
        self._traded = Traded(symbols)
        self._previous = np.zeros((_FILL_LAG, symbols, voters))
        self._previous_common = np.zeros((_FILL_LAG, voters))
        self.pulls: Floats = np.zeros((0, symbols, voters))
        """(T, S, N) what each voter added to the edges of the block analysed last."""
        self.common_pulls: Floats = np.zeros((0, voters))
        """(T, N) the same for the edge of the market."""

    def remember(self) -> dict[str, Any]:
        return {
            "residual_volatility": self._residual_volatility.checkpoint(),
            "factor_volatility": self._factor_volatility.checkpoint(),
            "residual": self._residual.checkpoint(),
            "common": self._common.checkpoint(),
            "interval": self._interval,
            "smooth": [[voters, ema.checkpoint()] for voters, ema in self._smooth],
            "traded": self._traded.checkpoint(),
            "previous": self._previous,
            "previous_common": self._previous_common,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._residual_volatility.restore(memory["residual_volatility"])
        self._factor_volatility.restore(memory["factor_volatility"])
        self._residual.restore(memory["residual"])
        self._common.restore(memory["common"])
        self._interval = memory["interval"]
        self._smooth = []
        for voters, state in memory["smooth"]:
            self._grow_smoothing(voters)
            self._smooth[-1][1].restore(state)
        self._traded.restore(memory["traded"])
        self._previous = memory["previous"]
        self._previous_common = memory["previous_common"]

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        if block.votes is None:
            raise ValueError("the oracle needs the votes of the swarm")
        ticks, symbols = block.shape
        voters = block.votes.shape[2]
        self._grow(voters)
        scores, common = self._split(block.votes)
        target, factor_target, residual_vol, factor_vol = self._targets(block)
        edge = np.zeros((ticks, symbols))
        factor_edge = np.zeros(ticks)
        conviction = np.empty(ticks)
        weights = np.empty((ticks, voters))
        trust = np.empty((ticks, voters))
        agreement = np.zeros(ticks)
        self.pulls = np.zeros(scores.shape)
        self.common_pulls = np.zeros(common.shape)
        for first, stop, number in segments(block.ts, self.refit_ns):
            self._turn(number)
            rows = slice(first, stop)
            z = self._residual.standardise(scores[rows], _CLIP_SCORE)
            z_common = self._common.standardise(common[rows], _CLIP_SCORE)
            self._residual.observe(_lagged(self._previous, z), target[rows], scores[rows])
            self._common.observe(
                _lagged(self._previous_common, z_common), factor_target[rows], common[rows]
            )
            self._previous = _last(self._previous, z)
            self._previous_common = _last(self._previous_common, z_common)
            self.pulls[rows] = z * self._residual.weights
            self.common_pulls[rows] = z_common * self._common.weights
            edge[rows] = _sum_last(self.pulls[rows])
            factor_edge[rows] = _sum_last(self.common_pulls[rows])
            agreement[rows] = _agreement(self.pulls[rows])
            conviction[rows] = max(self.floor, self._residual.conviction())
            weights[rows] = self._residual.weights
            trust[rows] = self._residual.trust()
        edge = np.clip(edge, -_CLIP_SCORE, _CLIP_SCORE)
        factor_edge = np.clip(factor_edge, -_CLIP_SCORE, _CLIP_SCORE)
        return {
            "forecast": _probability(edge, factor_edge, residual_vol, factor_vol),
            "edge": edge,
            "residual_vol": residual_vol,
            "factor_edge": factor_edge,
            "factor_vol": factor_vol,
            "conviction": conviction,
            "consensus": agreement,
            "weights": weights,
            "trust": trust,
        }

    def _grow(self, voters: int) -> None:
        more = voters - self._previous.shape[2]
        if more > 0:
            self._grow_smoothing(more)
            self._residual.grow(voters)
            self._common.grow(voters)
            self._previous = np.pad(self._previous, ((0, 0), (0, 0), (0, more)))
            self._previous_common = np.pad(self._previous_common, ((0, 0), (0, more)))

    def _grow_smoothing(self, voters: int) -> None:
        """Smooth so many more voters, together: one filter costs the same for one or for many."""
        if self._smoothing > 0 and voters:
            columns = len(self.context.symbols) * voters
            self._smooth.append((voters, Ema(half_life_bars=self._smoothing, columns=columns)))

    def _smoothed(self, logit: Floats) -> None:
        """Smooth (T, S, N) log-odds in place."""
        ticks, symbols, _ = logit.shape
        first = 0
        for voters, ema in self._smooth:
            mine = logit[:, :, first : first + voters]
            mine[:] = ema(mine.reshape(ticks, -1)).reshape(ticks, symbols, voters)
            first += voters

    def _turn(self, number: int) -> None:
        """Refit when a new interval begins."""
        if number == self._interval:
            return
        if self._interval >= 0:
            passed = number - self._interval
            memory = decay(self.refit_ns, self.half_life_ns, passed)
            scale_memory = decay(self.refit_ns, self.scale_half_life_ns, passed)
            self._residual.refit(memory, scale_memory)
            self._common.refit(memory, scale_memory)
        self._interval = number

    def _split(self, votes: Floats) -> tuple[Floats, Floats]:
        """Log-odds beside the cross-section (T, S, N) and of it (T, N); no vote counts as 0."""
        clipped = np.clip(votes, 0.01, 0.99)
        logit = np.log(clipped / (1.0 - clipped))
        silent = ~np.isfinite(logit)
        logit[silent] = 0.0
        self._smoothed(logit)
        spoken = _sum_symbols((~silent).astype(np.float64))
        mean = _sum_symbols(logit) / np.maximum(spoken, 1.0)
        if not self.neutral:
            return logit, np.zeros_like(mean)
        residual = logit - mean[:, None, :]
        residual[silent] = 0.0
        return residual, mean

    def _targets(self, block: BlockInput) -> tuple[Floats, Floats, Floats, Floats]:
        """Residual and factor returns in units of the volatility known one tick before."""
        clean, here = self._traded.returns(block.market.market)
        count = np.add.reduce(here.astype(np.float64), axis=1)
        mean = np.add.reduce(clean, axis=1) / np.maximum(count, 1.0)
        enough = count >= (_MINIMUM_CROSS_SECTION if self.neutral else np.inf)
        factor = np.where(enough, mean, 0.0)
        residual = np.where(here, clean - factor[:, None], 0.0)
        residual_vol, target = self._residual_volatility.scaled(residual, here)
        factor_vol, factor_target = self._factor_volatility.scaled(factor[:, None], enough[:, None])
        return target, factor_target[:, 0], residual_vol, factor_vol[:, 0]


def _lagged(previous: Floats, current: Floats) -> Floats:
    """Rows as they were when the decision was made that earned what is known now."""
    return np.concatenate([previous, current])[: len(current)]


def _last(previous: Floats, current: Floats) -> Floats:
    return np.concatenate([previous, current])[-_FILL_LAG:].copy()


def _sum_symbols(values: Floats) -> Floats:
    """(T, S, N) → (T, N), one symbol after the other, so that no block length changes a bit."""
    total = values[:, 0].copy()
    for symbol in range(1, values.shape[1]):
        total += values[:, symbol]
    return total


def _sum_last(values: Floats) -> Floats:
    """Sum over the last axis in fixed order."""
    total = np.zeros(values.shape[:-1])
    for i in range(values.shape[-1]):
        total += values[..., i]
    return total


def _agreement(pulls: Floats) -> Floats:
    """|Σ pulls| / Σ |pulls| over voters, averaged over symbols: 1 all agree, 0 they cancel."""
    net = np.abs(_sum_last(pulls))
    gross = _sum_last(np.abs(pulls))
    share = np.divide(net, gross, out=np.zeros_like(net), where=gross > 0)
    mean: Floats = _sum_last(share) / share.shape[-1]
    return mean


def _probability(
    edge: Floats, factor_edge: Floats, residual_vol: Floats, factor_vol: Floats
) -> Floats:
    """Probability of a rise from the two expected returns, by the slope of the normal at 0."""
    market = np.where(np.isfinite(factor_vol), factor_vol, 0.0)[:, None]
    expected = edge * residual_vol + factor_edge[:, None] * market
    total = np.sqrt(residual_vol * residual_vol + market * market)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds = _LOGIT_PER_SD * (expected / total)
    rise: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return rise
