"""Settings of what the swarm trades with, what that costs, and how far it may go."""

from __future__ import annotations

from decimal import Decimal

from mirrorcore.config.quantities import Amount
from mirrorcore.config.section import Section, setting


class AccountConfig(Section):
    """``[account]``: what the swarm trades with."""

    currency: str | None = setting(
        None, "currency of the account", unset="the settlement currency of the symbols"
    )
    balance: Amount = setting(
        Decimal(100_000),
        "money at the start; enough that one lot is small against it",
        gt=0,
        le=10**15,
    )


class CostsConfig(Section):
    """``[costs]``: what trading takes."""

    fee_bps: float = setting(
        10.0,
        "fee a side in basis points; the taker fee of a common venue's base tier",
        ge=0,
        le=1000,
    )
    slippage_bps: float = setting(
        5.0, "distance of a fill from the open, against us; a wide spread's half", ge=0, le=1000
    )
    participation: float = setting(
        0.10,
        "largest share of a bar's volume an order may take; above a tenth the price would move",
        gt=0,
        le=1,
    )


class RiskConfig(Section):
    """``[risk]``: hard limits, as fractions of equity, outside every agent."""

    volatility_target: float = setting(
        0.10, "volatility a year that positions are sized to; a moderate fund's", gt=0, le=1
    )
    gross: float = setting(
        1.5, "largest sum of absolute positions; half more than the account owns", gt=0, le=10
    )
    net: float = setting(1.0, "largest sum of signed positions; never long on credit", gt=0, le=10)
    per_symbol: float = setting(
        0.4, "largest position in one symbol; three must agree to fill the book", gt=0, le=10
    )
    drawdown: float = setting(
        0.20,
        "loss from the peak that ends trading; twice a bad year at the target volatility; 1 is off",
        gt=0,
        le=1,
    )
    daily_loss: float = setting(
        0.05,
        "loss since 00:00 UTC that ends new risk until the next day; at the target volatility a "
        "day moves 0.5 %, so this is a fault or a crash, not a day; 1 is off",
        gt=0,
        le=1,
    )
    orders_per_minute: int = setting(
        120, "most orders a minute; a whole book of a hundred symbols at once", ge=1, le=100_000
    )
    price_collar: float = setting(
        0.05,
        "largest distance of a fill of new risk from the price it was decided at; five minutes "
        "move 0.25 % at 80 % volatility, so a gap of 5 % is other news",
        gt=0,
        lt=1,
    )
    stale_after: int = setting(
        3, "bars without news after which a symbol gets no new risk; two may be a pause", ge=1
    )
