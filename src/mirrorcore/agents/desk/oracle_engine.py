"""OracleEngine: one forecast out of many votes, learned online and slowly.

Votes enter as log-odds. What is predicted is the *residual* of a symbol's next return to the
cross-section, because the common factor is most of the variance and drowns what an agent knows of
a single symbol; the factor is a separate, smaller bet. Weights come from a ridge regression with a
memory of months, refitted every few hours of market time:

    w = (A + λI)⁻¹ b,   A = Σ d x xᵀ,   b = Σ d x y

and from a second one that remembers a month and sees sooner that skill has moved; how far each of
the two is believed follows from what it predicted (:mod:`~mirrorcore.agents.desk.regression`).

x being a voter's standardised residual log-odds and y the residual return that a decision on it
earns, in units of its own volatility. Both are taken as they are traded: x is smoothed as slowly as
costs let the book follow it, y runs from the open at which the decision is filled to the next, so
that a bounce between bid and ask, which nobody can trade, earns no weight. The scale on which a
voter speaks means nothing to the regression; what its probabilities are worth as they stand is
learned beside it, and the fused probability is recalibrated by its own record
(:mod:`~mirrorcore.agents.desk.recalibration`). How much the weights may
be believed is a positive-part James-Stein factor on their joint significance, 1 − N / (bᵀA⁻¹b)
(James and Stein, 1961).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import BlockAgent, BlockInput, StateField
from mirrorcore.agents.desk.fixed_order import sum_last
from mirrorcore.agents.desk.hearing import SMALLEST_CROSS_SECTION, Heard, Hearing
from mirrorcore.agents.desk.intervals import decay, segments
from mirrorcore.agents.desk.patience import smoothing_bars
from mirrorcore.agents.desk.recalibration import Calibration
from mirrorcore.agents.desk.regression import OnlineRidge
from mirrorcore.clock import DAY, HOUR, parse_duration
from mirrorcore.market.block import Floats

_CLIP_SCORE = 3.0
_FILL_LAG = 2
"""Ticks from a decision to the tick that knows its first return: it is filled at the open of the
next bar, and the return from that open to the next is known with the bar after."""
_LOGIT_PER_SD = 1.5957691216057308  # 4 φ(0): the slope of a normal probability at 0, as log-odds


class OracleEngine(BlockAgent):
    """Fuses all votes into an edge for each symbol.

    Parameters
    ----------
    half_life: the long memory of the regression.
    short_half_life: its short memory.
    change: time within which one change of skill is expected; the shorter, the sooner the short
        memory is believed, and the more of luck with it.
    ridge_days: strength of the pull to zero, as symbol-days of evidence.
    refit: time between two refits.
    residual: whether to predict the residual to the cross-section where there are 3 symbols.
    smoothing: half-life of the votes where a side costs 5 bp; grows with the root of the cost.
    scale_half_life: memory of the voters' scales.
    calibration_half_life: memory of what stated probabilities turned out to mean.
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
        "calibration": StateField(
            "slope of the next bar's outcome on each voter's log-odds: 1 calibrated, 0 no skill",
            "",
            -4,
            4,
            "voters",
        ),
        "trust": StateField(
            "posterior mean information coefficient", "correlation", -1, 1, "voters"
        ),
    }

    def __init__(
        self,
        agent_id: str = "OracleEngine",
        *,
        half_life: str = "365d",
        short_half_life: str = "30d",
        change: str = "30d",
        ridge_days: float = 100.0,
        refit: str = "4h",
        floor: float = 0.1,
        residual: bool = True,
        smoothing: str = "4h",
        scale_half_life: str = "30d",
        calibration_half_life: str = "90d",
    ) -> None:
        super().__init__(agent_id, ("technical", "risk"))
        self.calibration_half_life_ns = parse_duration(calibration_half_life)
        self.residual = residual
        self.smoothing_ns = parse_duration(smoothing)
        self.half_lives_ns = (parse_duration(half_life), parse_duration(short_half_life))
        self.change_ns = parse_duration(change)
        self.scale_half_life_ns = parse_duration(scale_half_life)
        self.refit_ns = parse_duration(refit)
        self.ridge_days = ridge_days
        self.floor = floor

    def prepare(self) -> None:
        symbols, voters = len(self.context.symbols), len(self.context.voters)
        bars_a_day = DAY / self.context.bar_ns
        self.refit_ns = max(self.refit_ns, HOUR, self.context.bar_ns)
        smoothing = smoothing_bars(
            self.smoothing_ns / self.context.bar_ns, self.context.cost_per_side
        )
        self._hearing = Hearing(
            symbols,
            voters,
            neutral=self.residual and symbols >= SMALLEST_CROSS_SECTION,
            volatility_bars=self.context.bars(DAY),
            smoothing_bars=smoothing,
        )
        ridge = self.ridge_days * bars_a_day
        memories, share = len(self.half_lives_ns), min(1.0, self.refit_ns / self.change_ns)
        self._residual = OnlineRidge(voters, ridge, memories, share)
        # The market is one series where the residuals are many: the same prior in days of one.
        self._common = OnlineRidge(voters, 3.0 * ridge, memories, share)
        self._interval = -1
        self._previous = np.zeros((_FILL_LAG, symbols, voters))
        self._previous_common = np.zeros((_FILL_LAG, voters))
        self._calibration = Calibration(symbols, voters)
        self.pulls: Floats = np.zeros((0, symbols, voters))
        """(T, S, N) what each voter added to the edges of the block analysed last."""
        self.common_pulls: Floats = np.zeros((0, voters))
        """(T, N) the same for the edge of the market."""
        self.factors: Floats = np.ones(voters)
        """(N,) what an operator multiplies each learned weight with; 1 leaves it as it is."""

    @property
    def learned(self) -> Floats:
        """(N,) the weights on the residuals as they were learned."""
        return self._residual.weights

    def rebalance(self, factors: Mapping[str, float]) -> None:
        """Multiply the learned weights of the voters named from now on; 0 is not to be heard.

        Raises
        ------
        KeyError: one of them is no voter.
        """
        places = {voter: place for place, voter in enumerate(self.context.voters)}
        self._grow(len(places))
        for voter, factor in factors.items():
            self.factors[places[voter]] = factor

    def remember(self) -> dict[str, Any]:
        return {
            "hearing": self._hearing.checkpoint(),
            "residual": self._residual.checkpoint(),
            "common": self._common.checkpoint(),
            "interval": self._interval,
            "previous": self._previous,
            "previous_common": self._previous_common,
            "calibration": self._calibration.checkpoint(),
            "factors": self.factors,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        self._hearing.restore(memory["hearing"])
        self._residual.restore(memory["residual"])
        self._common.restore(memory["common"])
        self._interval = memory["interval"]
        self._previous = memory["previous"]
        self._previous_common = memory["previous_common"]
        self._calibration.restore(memory["calibration"])
        self.factors = memory["factors"]

    def _analyze(self, block: BlockInput) -> dict[str, Floats]:
        if block.votes is None:
            raise ValueError("the oracle needs the votes of the swarm")
        ticks, symbols = block.shape
        voters = block.votes.shape[2]
        self._grow(voters)
        heard = self._hearing(block)
        made = {
            name: np.zeros((ticks, *shape))
            for name, shape in (
                ("forecast", (symbols,)), ("edge", (symbols,)), ("factor_edge", ()),
                ("conviction", ()), ("consensus", ()), ("weights", (voters,)),
                ("calibration", (voters,)), ("trust", (voters,)),
            )
        }  # fmt: skip
        self.pulls = np.zeros(heard.scores.shape)
        self.common_pulls = np.zeros(heard.common.shape)
        for first, stop, number in segments(block.ts, self.refit_ns):
            self._turn(number)
            self._fuse(slice(first, stop), heard, made)
        return {**made, "residual_vol": heard.residual_vol, "factor_vol": heard.factor_vol}

    def _fuse(self, rows: slice, heard: Heard, made: dict[str, Floats]) -> None:
        """Fill ``rows``, all between two refits, and hand on what the next one learns from."""
        scores, common = heard.scores[rows], heard.common[rows]
        z = self._residual.standardise(scores, _CLIP_SCORE)
        z_common = self._common.standardise(common, _CLIP_SCORE)
        self._residual.observe(_lagged(self._previous, z), heard.target[rows], scores)
        self._common.observe(
            _lagged(self._previous_common, z_common), heard.factor_target[rows], common
        )
        self._previous = _last(self._previous, z)
        self._previous_common = _last(self._previous_common, z_common)
        weights = self._residual.weights * self.factors
        self.pulls[rows] = z * weights
        self.common_pulls[rows] = z_common * (self._common.weights * self.factors)
        edge = np.clip(sum_last(self.pulls[rows]), -_CLIP_SCORE, _CLIP_SCORE)
        factor_edge = np.clip(sum_last(self.common_pulls[rows]), -_CLIP_SCORE, _CLIP_SCORE)
        own = _own_log_odds(edge, factor_edge, heard.residual_vol[rows], heard.factor_vol[rows])
        made["edge"][rows], made["factor_edge"][rows] = edge, factor_edge
        made["forecast"][rows] = 1.0 / (
            1.0 + np.exp(-self._calibration.own(own[..., None])[..., 0])
        )
        made["conviction"][rows] = max(self.floor, self._residual.conviction())
        made["consensus"][rows] = _agreement(self.pulls[rows])
        made["weights"][rows] = weights
        made["calibration"][rows] = self._calibration.voters.slope
        made["trust"][rows] = self._residual.trust()
        self._calibration.observe(heard.stated[rows], own, heard.rises[rows])

    def _grow(self, voters: int) -> None:
        more = voters - self._previous.shape[2]
        if more > 0:
            self._hearing.grow(voters)
            self._residual.grow(voters)
            self._common.grow(voters)
            self._calibration.grow(voters)
            self.factors = np.concatenate([self.factors, np.ones(more)])
            self._previous = np.pad(self._previous, ((0, 0), (0, 0), (0, more)))
            self._previous_common = np.pad(self._previous_common, ((0, 0), (0, more)))

    def _turn(self, number: int) -> None:
        """Refit when a new interval begins."""
        if number == self._interval:
            return
        if self._interval >= 0:
            passed = number - self._interval
            kept = [decay(self.refit_ns, half_life, passed) for half_life in self.half_lives_ns]
            scale_kept = decay(self.refit_ns, self.scale_half_life_ns, passed)
            self._residual.refit(kept, scale_kept)
            self._common.refit(kept, scale_kept)
            self._calibration.refit(decay(self.refit_ns, self.calibration_half_life_ns, passed))
        self._interval = number


def _lagged(previous: Floats, current: Floats) -> Floats:
    """Rows as they were when the decision was made that earned what is known now."""
    return np.concatenate([previous, current])[: len(current)]


def _last(previous: Floats, current: Floats) -> Floats:
    return np.concatenate([previous, current])[-_FILL_LAG:].copy()


def _agreement(pulls: Floats) -> Floats:
    """|Σ pulls| / Σ |pulls| over voters, averaged over symbols: 1 all agree, 0 they cancel."""
    net = np.abs(sum_last(pulls))
    gross = sum_last(np.abs(pulls))
    share = np.divide(net, gross, out=np.zeros_like(net), where=gross > 0)
    mean: Floats = sum_last(share) / share.shape[-1]
    return mean


def _own_log_odds(
    edge: Floats, factor_edge: Floats, residual_vol: Floats, factor_vol: Floats
) -> Floats:
    """(T, S) log-odds of a rise by the two expected returns, by the slope of the normal at 0.

    0, no opinion, while the volatility is unknown.
    """
    market = np.where(np.isfinite(factor_vol), factor_vol, 0.0)[:, None]
    expected = edge * residual_vol + factor_edge[:, None] * market
    total = np.sqrt(residual_vol * residual_vol + market * market)
    ratio = np.divide(expected, total, out=np.zeros_like(expected), where=total > 0)
    stated: Floats = _LOGIT_PER_SD * ratio
    return stated
