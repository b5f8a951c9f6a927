"""The limits of a run as the order plane takes them. What they are by default, and why, stands in
the configuration; here are only the bounds beyond which a value is no limit.
"""

from __future__ import annotations

import functools
import math
from typing import Annotated, get_args, get_type_hints

import msgspec
from msgspec import Meta

from mirrorcore.errors import ConfigError


class LimitConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no order may exceed.

    Attributes
    ----------
    gross, net, per_symbol: shares of equity: sum of absolute positions, absolute sum of signed
        ones, and one position.
    daily_loss: loss since 00:00 UTC as a share of equity then; no new risk until the next day.
    drawdown: loss from the highest equity; the book is closed and stays closed.
    order_rate: orders a minute of market time.
    price_collar: relative distance of a fill of new risk from the price it was decided at.
    stale_bars: bar intervals without a bar after which a symbol takes no new risk.
    loosening: a confirmed change may raise a limit to at most this multiple of what is configured.

    Raises ConfigError listing every value outside its bounds.
    """

    gross: Annotated[float, Meta(gt=0, le=10)]
    net: Annotated[float, Meta(gt=0, le=10)]
    per_symbol: Annotated[float, Meta(gt=0, le=10)]
    daily_loss: Annotated[float, Meta(gt=0, le=1)]
    drawdown: Annotated[float, Meta(gt=0, le=1)]
    order_rate: Annotated[int, Meta(ge=1, le=100_000)]
    price_collar: Annotated[float, Meta(gt=0, lt=1)]
    stale_bars: Annotated[float, Meta(gt=0, le=10_000)]
    loosening: Annotated[float, Meta(ge=1, le=10)] = 1.25
    """What needs more than a quarter more belongs in the configuration."""

    def __post_init__(self) -> None:
        wrong = {
            name: text for name, meta in _metas().items() if (text := _outside(self, name, meta))
        }
        if wrong:
            hints = dict.fromkeys(MEANINGS[name] for name in wrong)
            raise ConfigError("limits: " + "; ".join(wrong.values()), hint="; ".join(hints))


_SHARE = "gross, net and per_symbol are shares of equity, 0.5 is half of it"
_LOSS = "daily_loss and drawdown are shares of equity that may be lost, 0.1 is a tenth"
MEANINGS = {
    "gross": _SHARE,
    "net": _SHARE,
    "per_symbol": _SHARE,
    "daily_loss": _LOSS,
    "drawdown": _LOSS,
    "order_rate": "order_rate is how many orders a minute may go out, at least 1",
    "price_collar": "price_collar is a share of the price, 0.02 is two per cent",
    "stale_bars": "stale_bars is how many bars may be missing",
    "loosening": "loosening is a multiple of what is configured, at least 1",
}
"""What a value of each limit counts, for whoever gave one that cannot be."""


@functools.cache
def _metas() -> dict[str, Meta]:
    hints = get_type_hints(LimitConfig, include_extras=True)
    return {name: get_args(hints[name])[1] for name in LimitConfig.__struct_fields__}


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
