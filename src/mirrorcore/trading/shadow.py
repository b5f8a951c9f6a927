"""Paper profit and loss of every voter as if it alone decided, in blocks.

A book of weights, not of lots: it costs nothing to keep for a thousand voters and cannot be moved
by what the swarm does with their votes. It follows the venue's timing: a weight decided at a tick
takes effect at the open of the symbol's next bar that opens no earlier, and pays fee and slippage
on the change. Results add up as shares of a constant capital; nothing compounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorcore.market.block import Bools, Floats, Ints, MarketBlock
from mirrorcore.trading.units import last_true

LOOKBACK = 64
"""Ticks a bar may arrive after its open and still find the weight that was decided by then."""

_BEFORE = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class ShadowResult:
    """One block of every voter's paper book, each (T, N).

    ``gross`` is the result before costs of that tick as a share of capital, ``net`` after costs,
    ``turnover`` the sum of the absolute changes of weight, ``calls`` the symbols held whose price
    moved, ``hits`` those of them that moved the held way; ``total_gross`` and ``total_net`` run
    from the start of the book.
    """

    gross: Floats
    net: Floats
    turnover: Floats
    calls: Ints
    hits: Ints
    total_gross: Floats
    total_net: Floats


class ShadowBook:
    """Carries the paper books of N voters over S symbols from block to block.

    Parameters
    ----------
    symbols, voters: S and N.
    cost_rate: fee and slippage as a share of the notional traded, as ``CostModel.rate``.
    lookback: ticks to look back for the weight in force at a bar's open.

    The result is the same to the bit however the ticks are cut into blocks.
    """

    def __init__(
        self, symbols: int, voters: int, cost_rate: float, lookback: int = LOOKBACK
    ) -> None:
        if symbols < 1 or voters < 1 or lookback < 1:
            raise ValueError(f"symbols, voters, lookback were {symbols}, {voters}, {lookback}")
        if not cost_rate >= 0:
            raise ValueError(f"cost_rate was {cost_rate}, must not be below 0")
        self._cost_rate = cost_rate
        self._ts: Ints = np.full(lookback, _BEFORE)
        self._decided: Floats = np.zeros((lookback, symbols, voters))
        self._held: Floats = np.zeros((symbols, voters))
        self._close: Floats = np.full(symbols, np.nan)
        self._total_gross: Floats = np.zeros(voters)
        self._total_net: Floats = np.zeros(voters)

    def update(self, block: MarketBlock, weights: Floats) -> ShadowResult:
        """Take a block and what each voter decided at each of its ticks.

        Parameters
        ----------
        block: T ticks of S symbols.
        weights: (T, S, N) target weights as of the end of each tick; NaN counts as 0.
        """
        shape = (len(block), *self._held.shape)
        if weights.shape != shape:
            raise ValueError(f"weights had shape {weights.shape}, must be {shape}")
        held = self._holdings(block, np.where(np.isnan(weights), 0.0, weights))
        before = np.concatenate((self._held[None], held[:-1])) if len(held) else held
        gap, bar = self._returns(block)
        result = before * gap[:, :, None] + held * bar[:, :, None]
        change = np.abs(held - before)
        gross, turnover = _over_symbols(result), _over_symbols(change)
        net = gross - turnover * self._cost_rate
        total_gross = _running(self._total_gross, gross)
        total_net = _running(self._total_net, net)
        if len(held):
            self._held = held[-1].copy()
            self._total_gross = total_gross[-1].copy()
            self._total_net = total_net[-1].copy()
        return ShadowResult(
            gross=gross,
            net=net,
            turnover=turnover,
            calls=np.count_nonzero(result, axis=1),
            hits=np.count_nonzero(result > 0, axis=1),
            total_gross=total_gross,
            total_net=total_net,
        )

    def _holdings(self, block: MarketBlock, weights: Floats) -> Floats:
        """Weights held from each tick's open on, (T, S, N)."""
        back = len(self._ts)
        ts = np.concatenate((self._ts, block.ts))
        decided = np.concatenate((self._decided, weights))
        rows = np.arange(len(block), dtype=np.int64)[:, None]
        # Row of the last decision made no later than the bar's open, and before this tick.
        newest = np.searchsorted(ts, block.open_ts.ravel(), side="right") - 1
        source = np.minimum(newest.reshape(block.open_ts.shape), rows + back - 1)
        filled: Bools = block.present & (source >= rows) & (ts[source] > _BEFORE)
        latest = last_true(filled)
        columns = np.arange(block.present.shape[1])
        rows_used = source[np.maximum(latest, 0), columns]
        held: Floats = np.where(
            (latest >= 0)[:, :, None], decided[rows_used, columns], self._held[None]
        )
        self._ts = ts[-back:].copy()
        self._decided = decided[-back:].copy()
        return held

    def _returns(self, block: MarketBlock) -> tuple[Floats, Floats]:
        """Change from the close before to the open, and from open to close; 0 without a bar."""
        closes = np.concatenate((self._close[None], block.close))
        known = np.concatenate((np.isfinite(self._close)[None], block.present))
        columns = np.arange(block.present.shape[1])
        carried = closes[np.maximum(last_true(known), 0), columns]
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = block.open / carried[:-1] - 1.0
            bar = block.close / block.open - 1.0
        self._close = carried[-1].copy()
        gap = np.where(block.present & np.isfinite(gap), gap, 0.0)
        return gap, np.where(block.present & np.isfinite(bar), bar, 0.0)

    def checkpoint(self) -> dict[str, Any]:
        """Plain dictionary of arrays for :meth:`restore`."""
        return {
            "ts": self._ts.copy(),
            "decided": self._decided.copy(),
            "held": self._held.copy(),
            "close": self._close.copy(),
            "total_gross": self._total_gross.copy(),
            "total_net": self._total_net.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`; ValueError if it is of another shape."""
        if state["decided"].shape != self._decided.shape:
            raise ValueError(
                f"checkpoint had shape {state['decided'].shape}, must be {self._decided.shape}"
            )
        self._ts = state["ts"].copy()
        self._decided = state["decided"].copy()
        self._held = state["held"].copy()
        self._close = state["close"].copy()
        self._total_gross = state["total_gross"].copy()
        self._total_net = state["total_net"].copy()


def _over_symbols(values: Floats) -> Floats:
    """Sum (T, S, N) over S, symbol by symbol, so that the order never depends on the shape."""
    total = values[:, 0].copy()
    for symbol in range(1, values.shape[1]):
        total += values[:, symbol]
    return total


def _running(carry: Floats, values: Floats) -> Floats:
    """Cumulative sum over ticks that continues ``carry``; sequential, so cuts do not matter."""
    total: Floats = np.cumsum(np.concatenate((carry[None], values)), axis=0)[1:]
    return total
