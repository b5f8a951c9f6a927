"""Hard limits: plain arithmetic outside every agent, which can only make a position smaller.

Limits are fractions of equity held in millionths, and compared in integers where the outcome
decides about money. None of them ever stands in the way of an order that reduces risk.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from mirrorcore.clock import DAY, MINUTE, format_duration
from mirrorcore.errors import ConfigError, RefusedError, UsageError
from mirrorcore.market.block import Bools, Ints
from mirrorcore.trading.hits import HitLog
from mirrorcore.trading.limit_config import MEANINGS, LimitConfig
from mirrorcore.trading.units import last_true

MILLION = 1_000_000


ADJUSTABLE = ("gross", "net", "per_symbol", "daily_loss", "drawdown", "order_rate", "price_collar")
"""Limits that a command may change during a run."""

_WHOLE_BOOK = None
_RATE_WINDOW = MINUTE


class Limits:
    """The limits of one run and what they remember: highest equity, today's start, recent orders.

    Attributes
    ----------
    config: the limits now in force. hits: every clip and veto.
    tripped: the drawdown limit was reached; targets are 0 until :meth:`rearm`.
    day_blocked: the daily loss was reached; no new risk until the next UTC day.
    """

    __slots__ = (
        "_configured",
        "_day",
        "_day_floor",
        "_day_start",
        "_equity",
        "_floor",
        "_peak",
        "_recent",
        "config",
        "day_blocked",
        "hits",
        "per_million",
        "tripped",
    )

    def __init__(self, config: LimitConfig) -> None:
        self._configured = config
        self.hits = HitLog()
        self.tripped = False
        self.day_blocked = False
        self._peak = self._floor = 0
        self._day = -1
        self._day_start = self._day_floor = 0
        self._equity: int | None = None
        self.per_million: dict[str, int] = {}
        self._recent: deque[int] = deque()
        self._use(config)

    def _use(self, config: LimitConfig) -> None:
        self.config = config
        self.per_million = {
            name: round(getattr(config, name) * MILLION)
            for name in ("gross", "net", "per_symbol", "daily_loss", "drawdown", "price_collar")
        }

    @property
    def configured(self) -> LimitConfig:
        """The limits the run began with; what may be loosened is measured against them."""
        return self._configured

    # -- losses

    def observe(self, ts: int, equity: int) -> bool:
        """Take note of equity (quanta) at ``ts``; True when what is allowed has just changed.

        Call it once a tick, before deciding. The day's start is the last equity seen before the
        day began, so a gap over midnight belongs to the new day.
        """
        changed = False
        if ts // DAY != self._day:
            self._day = ts // DAY
            self._day_start = equity if self._equity is None else self._equity
            self._day_floor = self._left(self._day_start, "daily_loss")
            changed = self.day_blocked
            self.day_blocked = False
        self._equity = equity
        if equity > self._peak:
            self._peak = equity
            self._floor = self._left(equity, "drawdown")
        elif equity <= self._floor and not self.tripped:
            self.tripped = changed = True
            self.hits.note(ts, "drawdown", _WHOLE_BOOK, self.drawdown, self.config.drawdown)
        if equity <= self._day_floor and not self.day_blocked:
            self.day_blocked = changed = True
            loss = 1 - equity / self._day_start if self._day_start > 0 else 1.0
            self.hits.note(ts, "daily_loss", _WHOLE_BOOK, loss, self.config.daily_loss)
        return changed

    def _left(self, amount: int, name: str) -> int:
        return amount * (MILLION - self.per_million[name]) // MILLION

    @property
    def drawdown(self) -> float:
        """Loss from the highest equity seen, as a share of it."""
        if self._equity is None or self._peak <= 0:
            return 0.0
        return 1 - self._equity / self._peak

    def rearm(self) -> None:
        """After a confirmed resume: measure drawdown from the present equity on."""
        self.tripped = False
        self._peak = self._equity or 0
        self._floor = self._left(self._peak, "drawdown")

    # -- positions

    def clip(self, ts: int, targets: Sequence[float]) -> list[float]:
        """Target weights within the limits: each no larger in size than asked, never turned round.

        First each symbol, then all by one factor to the gross limit, then the heavier side by one
        factor to the net limit.
        """
        cap = self.config.per_symbol
        weights = list(targets)
        longs = shorts = 0.0
        for symbol, weight in enumerate(weights):
            if weight > cap or weight < -cap:
                clipped = cap if weight > 0 else -cap
                self.hits.note(ts, "per_symbol", symbol, weight, clipped)
                weights[symbol] = weight = clipped
            if weight > 0:
                longs += weight
            else:
                shorts -= weight
        gross = longs + shorts
        if gross > self.config.gross:
            self.hits.note(ts, "gross", _WHOLE_BOOK, gross, self.config.gross)
            factor = self.config.gross / gross
            weights = [weight * factor for weight in weights]
            longs *= factor
            shorts *= factor
        excess = abs(longs - shorts) - self.config.net
        if excess > 0:
            side = 1.0 if longs > shorts else -1.0
            self.hits.note(ts, "net", _WHOLE_BOOK, longs - shorts, side * self.config.net)
            heavy = max(longs, shorts)
            factor = (heavy - excess) / heavy
            weights = [weight * factor if weight * side > 0 else weight for weight in weights]
        return weights

    # -- orders

    def rate_left(self, ts: int) -> int:
        """Orders that may still add risk within the present minute; 0 or below is none."""
        recent = self._recent
        while recent and recent[0] <= ts - _RATE_WINDOW:
            recent.popleft()
        return self.config.order_rate - len(recent)

    def count_order(self, ts: int) -> None:
        """An order went out; those that reduce risk count as well, but are never held back."""
        self._recent.append(ts)

    def bound(self, price_ticks: int, side: int) -> int:
        """Worst price in ticks at which an order that adds risk may fill."""
        away = abs(price_ticks) * self.per_million["price_collar"] // MILLION
        return price_ticks + away if side > 0 else price_ticks - away

    # -- changes

    def adjust(self, name: str, value: float, *, confirmed: bool = False) -> tuple[float, float]:
        """Change one limit; returns (old, new). Tightening is always allowed.

        Raises what :meth:`judge` raises, and RefusedError for loosening without ``confirmed``.
        """
        old, number = self.judge(name, value)
        if number > old and not confirmed:
            raise RefusedError(
                f"{name} from {old:g} to {number:g} loosens a limit",
                hint="repeat it with a confirmation",
            )
        self._use(msgspec.structs.replace(self.config, **{name: number}))
        self._floor = self._left(self._peak, "drawdown")
        self._day_floor = self._left(self._day_start, "daily_loss")
        return old, number

    def judge(self, name: str, value: float) -> tuple[float, float]:
        """(old, new) of a change that could be made; nothing is changed.

        Raises
        ------
        UsageError: no such limit. ConfigError: not a possible value.
        RefusedError: loosening beyond the configured cap.
        """
        if name not in ADJUSTABLE:
            raise UsageError(
                f"there is no limit {name!r} to adjust", hint="limits: " + ", ".join(ADJUSTABLE)
            )
        old: float = getattr(self.config, name)
        whole = name == "order_rate" and math.isfinite(value)
        if whole and value != int(value):
            raise ConfigError(f"{name} was {value:g}, must be a whole number", hint=MEANINGS[name])
        if value > old:
            cap = getattr(self._configured, name) * self._configured.loosening
            if value > cap:
                raise RefusedError(
                    f"{name} was to be {value:g}, it may be loosened to {cap:g} at most",
                    hint="change the configuration and start a new run",
                )
        number = int(value) if whole else float(value)
        msgspec.structs.replace(self.config, **{name: number})  # its bounds are judged here
        return old, number

    # -- continuation

    def checkpoint(self) -> dict[str, Any]:
        """Plain state for :meth:`restore`."""
        return {
            "config": msgspec.to_builtins(self.config),
            "configured": msgspec.to_builtins(self._configured),
            "tripped": self.tripped,
            "day_blocked": self.day_blocked,
            "peak": str(self._peak),
            "day": self._day,
            "day_start": str(self._day_start),
            "equity": None if self._equity is None else str(self._equity),
            "recent": list(self._recent),
            "hits": self.hits.checkpoint(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`checkpoint`."""
        self._configured = msgspec.convert(state["configured"], LimitConfig)
        self._use(msgspec.convert(state["config"], LimitConfig))
        self.tripped = state["tripped"]
        self.day_blocked = state["day_blocked"]
        self._peak = int(state["peak"])
        self._floor = self._left(self._peak, "drawdown")
        self._day = state["day"]
        self._day_start = int(state["day_start"])
        self._day_floor = self._left(self._day_start, "daily_loss")
        self._equity = None if state["equity"] is None else int(state["equity"])
        self._recent = deque(state["recent"])
        self.hits.restore(state["hits"])


def freshness(ts: Ints, present: Bools, last: Ints, window_ns: int) -> tuple[Bools, Ints]:
    """Which symbols had a bar within ``window_ns`` before each tick, and their newest instants.

    ``ts`` (T,), ``present`` (T, S); ``last`` (S,) is each symbol's newest tick before the block,
    0 for none. Returns fresh (T, S) and the new ``last``; the same however the ticks are cut.
    """
    if window_ns <= 0:
        raise ValueError(f"window was {format_duration(window_ns)}, must be above 0")
    newest = last_true(present)
    seen = np.where(newest >= 0, ts[np.maximum(newest, 0)], last)
    fresh: Bools = (seen > 0) & (ts[:, None] - seen <= window_ns)
    return fresh, seen[-1] if len(ts) else last
