"""Token amounts: whole numbers of the smallest unit, exactly converted to units and back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

UINT256_MAX: Final = 2**256 - 1

EXACT: Final = Context(prec=120)
"""Holds any uint256 (78 digits) with its decimals, and quotients far beyond 1e-12."""

_LOSSLESS = Context(prec=120, traps=[Inexact, InvalidOperation])
_MOST_DECIMALS = 77
_ADDRESS_DIGITS = 40


def canonical_address(text: str) -> str:
    """An address in the one spelling used here, 0x and lower case; ValueError for anything else."""
    digits = text.lower().removeprefix("0x")
    if len(digits) != _ADDRESS_DIGITS or any(one not in "0123456789abcdef" for one in digits):
        raise ValueError(f"was {text!r}, not an address of 0x and 40 hexadecimal digits")
    return f"0x{digits}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that may be believed: what it is called by us, by the address of its contract.

    Parameters
    ----------
    address: of the contract. Names on chain are free for anybody to take, addresses are not.
    symbol: what its transfers carry, in our spelling.
    decimals: digits of its smallest unit; compared with the contract's own at the first connection.
    threshold: units from which on a transfer is told, as decimal text; "0" for every one.
    """

    address: str
    symbol: str
    decimals: int
    threshold: str = "0"

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", canonical_address(self.address))
        if not 0 <= self.decimals <= _MOST_DECIMALS:
            raise ValueError(f"decimals of {self.symbol} was {self.decimals}, must be 0 to 77")
        from_units(self.threshold, self.decimals)

    @property
    def least(self) -> int:
        """The threshold in smallest units."""
        return from_units(self.threshold, self.decimals)


def to_units(amount: int, decimals: int) -> Decimal:
    """``amount`` smallest units in units, exactly."""
    return EXACT.scaleb(Decimal(amount), -decimals)


def from_units(text: str, decimals: int) -> int:
    """Units, as decimal text, in smallest units; ValueError where that is no uint256."""
    if not isinstance(text, str):
        raise TypeError(f"was {text!r}, must be decimal text: a float cannot hold an amount")
    try:
        value = _LOSSLESS.create_decimal(text)
        scaled = _LOSSLESS.scaleb(value, decimals)
    except (InvalidOperation, Inexact):
        raise ValueError(f"was {text!r}, not a number of up to 120 digits") from None
    if not value.is_finite():
        raise ValueError(f"was {text!r}, not a number")
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"was {text!r}, finer than the {decimals} decimals of the token")
    if not 0 <= whole <= UINT256_MAX:
        raise ValueError(f"was {text!r}, outside what a contract can hold (0 to 2^256 - 1)")
    return whole
