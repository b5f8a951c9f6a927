"""The limits of a run as they are configured: each default stands beside its reason."""

from __future__ import annotations

import functools
import math
from typing import Annotated, get_args, get_type_hints

import msgspec
from msgspec import Meta

from mirrorcore.errors import ConfigError


class LimitConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no order may exceed; all but the last three are shares of equity.

    Raises ConfigError listing every value outside its bounds.
    """

    gross: Annotated[
        float,
        Meta(
            gt=0,
            le=10,
            description="Sum of all |positions| over equity. A book at 10 % volatility a year "
            "needs well below 1 on these markets; 1.5 leaves room for hedged pairs, and a fall of "
            "a third in everything at once is still half the account.",
        ),
    ] = 1.5
    net: Annotated[
        float,
        Meta(
            gt=0,
            le=10,
            description="|Longs less shorts| over equity. 1 means never on credit in one "
            "direction: a fall of the whole market takes no more than itself.",
        ),
    ] = 1.0
    per_symbol: Annotated[
        float,
        Meta(
            gt=0,
            le=10,
            description="|Position| of one symbol over equity. One symbol that halves in a gap "
            "costs 0.4 / 2 = 20 %, which is the drawdown limit.",
        ),
    ] = 0.4
    daily_loss: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Loss since 00:00 UTC over equity then; no new risk until the next day. "
            "At 10 % volatility a year a day moves 0.5 %: 5 % is a defect or a crash, not a day.",
        ),
    ] = 0.05
    drawdown: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Loss from the highest equity; the book is closed and stays closed. Two "
            "years of target volatility: a strategy that gets there is not the one that was "
            "tested.",
        ),
    ] = 0.20
    order_rate: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Orders a minute of market time. One a symbol and bar is all a sound "
            "swarm needs; thirty serves thirty symbols on minute bars and stops a loop that "
            "runs away within its first minute.",
        ),
    ] = 30
    price_collar: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="Worst fill of new risk against the price it was decided at. Five "
            "minutes move 0.25 % at 80 % volatility a year: a gap of 5 % is other news than "
            "that the order was decided on.",
        ),
    ] = 0.05
    stale_bars: Annotated[
        float,
        Meta(
            gt=0,
            le=10_000,
            description="Bar intervals without a bar after which a symbol takes no new risk. One "
            "late bar is ordinary, three in a row are a feed that is down.",
        ),
    ] = 3.0
    loosening: Annotated[
        float,
        Meta(
            ge=1,
            le=10,
            description="A confirmed change may raise a limit to at most this multiple of its "
            "configured value; what needs more belongs in the configuration.",
        ),
    ] = 1.25

    def __post_init__(self) -> None:
        wrong = [text for name, meta in _metas().items() if (text := _outside(self, name, meta))]
        if wrong:
            raise ConfigError("limits: " + "; ".join(wrong), hint="limits are shares of equity")


@functools.cache
def _metas() -> dict[str, Meta]:
    hints = get_type_hints(LimitConfig, include_extras=True)
    return {name: get_args(hints[name])[1] for name in LimitConfig.__struct_fields__}


def reasons() -> dict[str, str]:
    """Why each limit has the default it has."""
    return {name: meta.description or "" for name, meta in _metas().items()}


def _outside(config: LimitConfig, name: str, meta: Meta) -> str:
    value = getattr(config, name)
    checks: list[tuple[bool, str]] = [
        (math.isfinite(value), "must be finite"),
        (meta.gt is None or value > meta.gt, f"must be above {meta.gt}"),
        (meta.ge is None or value >= meta.ge, f"must be at least {meta.ge}"),
        (meta.lt is None or value < meta.lt, f"must be below {meta.lt}"),
        (meta.le is None or value <= meta.le, f"must be at most {meta.le}"),
    ]
    return next((f"{name} was {value}, {text}" for holds, text in checks if not holds), "")
