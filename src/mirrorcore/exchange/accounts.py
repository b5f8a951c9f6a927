"""Who owns what: free and locked amounts of each asset, in units, never through a float.

Nothing is made and nothing lost: what leaves one account arrives on another, fees on the venue's
own. An amount is locked when an order is taken in and leaves the lock as it fills or ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PPM = 1_000_000


@dataclass(slots=True, eq=False)
class Account:
    """One owner of orders. Fees are parts per million of what a trade brings in."""

    number: int
    name: str
    maker_ppm: int = 0
    taker_ppm: int = 0
    house: bool = False
    """One of the simulated participants: nobody listens to it, and its orders are not kept."""
    free: dict[str, int] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)

    def credit(self, asset: str, units: int) -> None:
        self.free[asset] = self.free.get(asset, 0) + units

    def lock(self, asset: str, units: int) -> bool:
        """Set an amount aside; False, and nothing done, where there is not as much free."""
        if self.free.get(asset, 0) < units:
            return False
        self.free[asset] = self.free.get(asset, 0) - units
        self.locked[asset] = self.locked.get(asset, 0) + units
        return True

    def release(self, asset: str, units: int) -> None:
        """From locked back to free."""
        self.pay(asset, units)
        self.credit(asset, units)

    def pay(self, asset: str, units: int) -> None:
        """A locked amount leaves the account."""
        left = self.locked.get(asset, 0) - units
        if left < 0:
            raise ValueError(f"{self.name}: {units} units of {asset} were not locked")
        self.locked[asset] = left

    def assets(self) -> list[str]:
        """Every asset it ever had, sorted."""
        return sorted({*self.free, *self.locked})


def fee(received: int, ppm: int) -> int:
    """Fee on an amount received, in its units; rounded up, against the account."""
    return -(-received * ppm // PPM)
