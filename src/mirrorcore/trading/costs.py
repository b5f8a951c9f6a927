"""What a trade costs beyond its price: fee and slippage, always rounded against us."""

from __future__ import annotations

import math

from mirrorcore.errors import ConfigError
from mirrorcore.trading.units import ratio_of


class CostModel:
    """Proportional fee and slippage, in basis points of the notional, in exact integers.

    Raises
    ------
    ConfigError: a rate that is negative, not finite, or 100 % and more.
    """

    __slots__ = ("_fee_den", "_fee_num", "_slip_den", "_slip_num", "fee_bps", "slippage_bps")

    def __init__(self, fee_bps: float, slippage_bps: float) -> None:
        for name, value in (("fee_bps", fee_bps), ("slippage_bps", slippage_bps)):
            if not (math.isfinite(value) and 0 <= value < 10_000):
                raise ConfigError(
                    f"costs: {name} was {value}, must be in 0..10000",
                    hint="one basis point is a hundredth of a per cent",
                )
        self.fee_bps = fee_bps
        self.slippage_bps = slippage_bps
        self._fee_num, self._fee_den = _per_unit(fee_bps)
        self._slip_num, self._slip_den = _per_unit(slippage_bps)

    @property
    def rate(self) -> float:
        """Fee and slippage together as a share of the notional, for paper books in floats."""
        return (self.fee_bps + self.slippage_bps) / 10_000

    def fee(self, notional: int) -> int:
        """Fee in quanta on a notional in quanta of either sign, rounded up."""
        return -(-abs(notional) * self._fee_num // self._fee_den)

    def slipped(self, price_ticks: int, side: int) -> int:
        """The price a market order gets: worse than ``price_ticks`` by the slippage, rounded up.

        ``side`` is above 0 for a buy. Works for negative prices too: a buy always pays more.
        """
        step = -(-abs(price_ticks) * self._slip_num // self._slip_den)
        return price_ticks + step if side > 0 else price_ticks - step

    def estimate(self, lots: int, price_ticks: int, value: int) -> int:
        """Upper bound in quanta of what filling ``lots`` costs if the price stays where it is."""
        slipped = self.slipped(price_ticks, 1)
        size = abs(lots) * value
        return size * (slipped - price_ticks) + self.fee(size * max(abs(slipped), abs(price_ticks)))


def _per_unit(bps: float) -> tuple[int, int]:
    numerator, denominator = ratio_of(bps)
    return numerator, denominator * 10_000
