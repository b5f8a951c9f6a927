"""Why: the newest decision about each symbol, with what led to it, small enough to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.interfaces.live.figures import Scales, instant, ms, rounded
from mirrorcore.interfaces.live.picture import Row
from mirrorcore.market.block import Floats
from mirrorcore.swarm.assembly import Swarm, role_of
from mirrorcore.swarm.engine import BlockRecord
from mirrorcore.swarm.members import Member
from mirrorcore.syncbus import StateView
from mirrorcore.trading.orders import Order

VOTES = 12
"""Votes told of each decision: those that moved it most."""


class Reasons:
    """Tells the decisions of one run."""

    def __init__(self, swarm: Swarm, scales: Scales) -> None:
        self._swarm = swarm
        self._scales = scales
        self._oracle = role_of(swarm.members, "oracle")

    def build(
        self,
        record: BlockRecord,
        ended: Sequence[Order],
        clips: Sequence[Row],
        blocked: Sequence[str],
    ) -> dict[str, Row]:
        """A row for each symbol, of the last tick of ``record``; ``ended`` orders came to their end
        in it."""
        swarm, parts = self._swarm, self._swarm.parts
        ts, tick = int(record.block.ts[-1]), record.block.index + len(record.block) - 1
        prices, share = record.prices[-1], record.shares[-1]
        held = parts.path.ledger.weights(prices)
        targets: list[float] = record.stage.conclusions.targets[-1].tolist()
        heard = _Heard(swarm, self._oracle, ts)
        made = self._orders(ts, ended)
        common = {
            "id": f"D{tick}",
            "tick": tick,
            "t": ms(ts),
            "gate": rounded(share, 4),
            "silent": parts.gate.silent,
            "market_edge": rounded(heard.scalar("factor_edge"), 3),
            "conviction": rounded(heard.scalar("conviction"), 3),
            "consensus": rounded(heard.scalar("consensus"), 3),
            "voters": len(heard.voters),
            "blocked": list(blocked),
            "gw": parts.path.gateway.state.value,
        }
        return {
            name: {
                **common,
                "price": self._scales.price(s, prices[s]),
                "held": rounded(held[s], 4),
                "target": rounded(targets[s], 4),
                "wanted": rounded(targets[s] * share, 4),
                "forecast": rounded(heard.element("forecast", s), 3),
                "edge": rounded(heard.element("edge", s), 3),
                "votes": heard.votes(s),
                "clips": [clip for clip in clips if clip["sym"] in ("", name)],
                "orders": made.get(s, []),
            }
            for s, name in enumerate(swarm.context.symbols)
        }

    def _orders(self, ts: int, ended: Sequence[Order]) -> dict[int, list[str]]:
        """Ids of the orders that came of the decision at ``ts``, by symbol."""
        found: dict[int, list[str]] = {}
        for order in (*ended, *self._swarm.parts.path.venue.working):
            if order.ts == ts:
                found.setdefault(order.symbol, []).append(f"O{order.sequence}")
        return found


class _Heard:
    """What the fusion heard and said at one tick."""

    def __init__(self, swarm: Swarm, oracle: Member | None, ts: int) -> None:
        view = None if oracle is None else swarm.parts.bus.read(oracle.agent_id)
        self._said: Mapping[str, Any] = view.state if view is not None and view.version else {}
        self.voters: Sequence[str] = list(swarm.context.voters)
        self._counted = swarm.parts.analysis.counted(ts)
        self._cast_at = swarm.parts.analysis.cast_at()
        self._pulls, self._common = _pulls(oracle, view, ts)
        shape = (len(swarm.context.symbols), len(self.voters))
        if self._pulls is not None and self._pulls.shape != shape:
            self._pulls = self._common = None

    def scalar(self, name: str) -> float | None:
        value = self._said.get(name)
        return float(value) if isinstance(value, int | float) else None

    def element(self, name: str, index: int) -> float | None:
        values = self._said.get(name)
        if not isinstance(values, np.ndarray) or values.ndim != 1 or index >= len(values):
            return None
        return float(values[index])

    def votes(self, symbol: int) -> list[Row]:
        """Those that moved the forecast of a symbol most, largest first."""
        strength = self._strength(symbol)
        order = np.argsort(-strength, kind="stable")[:VOTES].tolist()
        return [self._vote(symbol, i) for i in order if strength[i] > -1.0]

    def _strength(self, symbol: int) -> Floats:
        """By pull where it is known, else by how far a vote is from none; −1 for a silent voter."""
        said = self._counted[symbol]
        if self._pulls is None or self._common is None:
            strength = np.abs(said - 0.5)
        else:
            strength = np.abs(self._pulls[symbol]) + np.abs(self._common)
            strength = np.where(np.isnan(said) & (strength == 0.0), np.nan, strength)
        return np.where(np.isfinite(strength), strength, -1.0)

    def _vote(self, symbol: int, i: int) -> Row:
        pull = market = None
        if self._pulls is not None and self._common is not None:
            pull, market = float(self._pulls[symbol, i]), float(self._common[i])
        return {
            "a": self.voters[i],
            "p": rounded(float(self._counted[symbol, i]), 3),
            "w": rounded(self.element("weights", i), 4),
            "pull": rounded(pull, 5),
            "market": rounded(market, 5),
            "t": instant(self._cast_at[i]),
        }


def _pulls(
    oracle: Member | None, view: StateView | None, ts: int
) -> tuple[Floats | None, Floats | None]:
    """(S, N) and (N,) what each voter added at ``ts``; None where the oracle does not tell."""
    if oracle is None or view is None or view.t != ts or view.stale:
        return None, None
    pulls = getattr(oracle.agent, "pulls", None)
    common = getattr(oracle.agent, "common_pulls", None)
    if pulls is None or common is None or not len(pulls):
        return None, None
    return pulls[-1], common[-1]
