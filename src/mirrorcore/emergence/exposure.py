"""How an agent's exposure answers its conviction, the market's volatility and its own losses.

A ridge regression of log exposure on its own last values (so that what is slow by itself is no
surprise), on bends of the conviction, and on volatility and drawdown, agent by agent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorcore.emergence.detector import Array
from mirrorcore.emergence.market_features import moving_average

_OWN = 3
_CHUNK = 128
_DELAY = 3
_ENOUGH = 768
_ENOUGH_LOSSES = 1400
_RIDGE = 0.5
_CLIP = 3.0
_LOSSES = 5.0
_TINY = 1e-9
_CALM = 64.0
_SLOW = 1.0 / 200.0
_COLUMNS = _OWN + 6 + 4 + 3 + 2 + 2


@dataclass(frozen=True)
class Surprise:
    """Of a block: ``error`` (B, N) in exposure and ``news`` (2, B, N) in volatility and drawdown.

    Both are scaled to a spread near one; news is zero where nothing was learned from the like.
    """

    error: Array
    news: Array


class ExposureModel:
    """Forecasts log exposure block by block, each with coefficients from earlier ticks only.

    ``settle``: ticks that set the scales of the inputs; nothing is learned before.
    """

    def __init__(self, agents: int, settle: int) -> None:
        self._agents = agents
        self._settle = settle
        self._early: list[tuple[Array, Array, Array, Array]] = []
        self._seen = 0
        self._past: Array | None = None
        self._sums = [np.zeros((agents, _COLUMNS, _COLUMNS)), np.zeros((agents, _COLUMNS))]
        self._pending = [[np.zeros_like(part) for part in self._sums]]
        self._counts = [0]
        self.learned = 0
        self._weights: Array | None = None
        self._error_square = np.ones(agents)
        self._error_mean = np.zeros(agents)
        self._news_square = np.ones((2, agents))
        self._news_mean = np.zeros((2, agents))
        # Least and most volatility, and the largest drawdown, of what was learned.
        self._range = np.array([np.inf, -np.inf])
        self._deepest = np.zeros(agents)
        self._pending_range = [(self._range.copy(), np.zeros(agents))]
        self._errors_seen = 0

    def update(
        self, exposure: Array, signal: Array, log_vol: Array, drawdown: Array, *, trusted: bool
    ) -> Surprise | None:
        """Take a block; None while too little is learned. ``trusted`` ticks are learned at once."""
        self._seen += len(log_vol)
        if self._past is None:
            self._early.append((exposure, signal, log_vol, drawdown))
            if self._seen >= self._settle:
                self._set_scales()
            return None
        series = self._series(exposure, signal, log_vol, drawdown)
        long = np.concatenate([self._past, series])
        self._past = long[-_OWN:]
        rows = self._rows(long)  # (N, B, K)
        target = series[:, 0]
        out, fitting = None, np.ones_like(target)
        if self._weights is not None:
            familiar = self._familiar(long)
            out, target = self._surprise(rows, target, long, familiar, trusted=trusted)
            if not trusted:
                fitting = familiar[0]
        self._learn(rows, target, series, fitting, trusted=trusted)
        return out if self.learned >= _ENOUGH else None

    def _set_scales(self) -> None:
        exposure, signal, log_vol, drawdown = (
            np.concatenate(part) for part in zip(*self._early, strict=True)
        )
        self._early = []
        size = np.abs(exposure)
        self._least = 1e-3 * np.median(size, axis=0) + _TINY
        level = np.log(size + self._least)
        self._level, self._level_scale = level.mean(axis=0), level.std(axis=0) + 1e-3
        self._signal_scale = np.abs(signal).mean(axis=0) + _TINY
        self._vol, self._vol_scale = float(log_vol.mean()), float(log_vol.std()) + 1e-3
        self._depth_scale = drawdown.std(axis=0) + _TINY
        series = self._series(exposure, signal, log_vol, drawdown)
        self._past = series[-_OWN:]
        self._mean = series[-64:, 0].mean(axis=0)

    def _series(self, exposure: Array, signal: Array, log_vol: Array, drawdown: Array) -> Array:
        """(B, 4, N): log exposure, conviction, volatility and drawdown, scaled."""
        level = np.log(np.abs(exposure) + self._least)
        return np.stack(
            [
                (level - self._level) / self._level_scale,
                np.clip(signal / self._signal_scale, -8.0, 8.0),
                np.broadcast_to(((log_vol - self._vol) / self._vol_scale)[:, None], level.shape),
                drawdown / self._depth_scale,
            ],
            axis=1,
        )

    def _rows(self, long: Array) -> Array:
        now, before = long[_OWN:], long[_OWN - 1 : -1]
        size = len(now)
        lags = [long[_OWN - k : _OWN - k + size] for k in range(1, _OWN + 1)]
        columns = [lag[:, 0] for lag in lags]
        for each in (now, before):
            signal, vol = each[:, 1], each[:, 2]
            columns += [signal, np.abs(signal), np.log(np.abs(signal) + 0.1)]
            columns += [vol, np.clip(vol, -2.0, 1.0) ** 2]
        columns += [lags[1][:, 2], *(part[:, 3] for part in (now, before, lags[1]))]
        columns += [np.minimum(now[:, 3], 1.0), self._slow_mean(now[:, 0]), np.ones_like(now[:, 0])]
        out: Array = np.stack(columns, axis=2).transpose(1, 0, 2)
        return out

    def _slow_mean(self, level: Array) -> Array:
        """(B, N) slow mean of log exposure before each tick: a level that shifted is no news."""
        after = moving_average(level, self._mean, _SLOW)
        before = np.concatenate([self._mean[None], after[:-1]])
        self._mean = after[-1]
        return before

    def _surprise(
        self, rows: Array, target: Array, long: Array, familiar: Array, *, trusted: bool
    ) -> tuple[Surprise, Array]:
        """Surprises, and the target with the wildest of them cut, to be learned from."""
        weights = self._weights
        assert weights is not None
        expected = np.matmul(rows, weights[:, :, None])[:, :, 0].T
        error = target - expected
        centred = error - self._error_mean
        self._error_mean += (error.mean(axis=0) - self._error_mean) * len(error) / _CALM
        # What is new in volatility to someone with this agent's memory; likewise the drawdown.
        size = len(target)
        news = np.stack([long[_OWN:, 2], long[_OWN:, 3]])
        for lag in range(1, _OWN + 1):
            past = long[_OWN - lag : _OWN - lag + size]
            news = news - weights[:, lag - 1] * np.stack([past[:, 2], past[:, 3]])
        flat = news - self._news_mean[:, None]
        self._news_mean += (news.mean(axis=1) - self._news_mean) * size / _CALM
        news = flat
        scaled = np.clip(centred / np.sqrt(self._error_square), -_CLIP, _CLIP)
        fresh = news / np.sqrt(self._news_square)[:, None]
        # Losses at another volatility are of another size: none like them was learned from.
        fresh[1] *= np.abs(fresh[1]) <= _LOSSES
        if self.learned < _ENOUGH_LOSSES:
            fresh[1] = 0.0  # drawdowns move slowly: as many ticks hold fewer of them
        fresh[0] = np.clip(fresh[0], -_CLIP, _CLIP)
        fresh *= familiar
        self._errors_seen += size
        share = max(size / self._errors_seen, size / 1000.0)
        limit = 9.0 if self._errors_seen > 256 else np.inf
        cut = np.minimum(centred**2, limit * self._error_square)
        self._error_square += share * (cut.mean(axis=0) - self._error_square)
        if trusted or self._errors_seen <= _ENOUGH:
            cut = np.minimum(news**2, limit * self._news_square[:, None])
            self._news_square += share * (cut.mean(axis=1) - self._news_square)
        np.maximum(self._news_square, 1e-12, out=self._news_square)
        np.maximum(self._error_square, 1e-12, out=self._error_square)
        most = _CLIP * np.sqrt(self._error_square) if self._errors_seen > 256 else np.inf
        return Surprise(scaled, fresh), expected + np.clip(error, -most, most)

    def _familiar(self, long: Array) -> Array:
        """(2, B, N) 1 where volatility now and before lay in the range learned from, else 0."""
        near = (long[:, 2] >= self._range[0]) & (long[:, 2] <= self._range[1])
        shallow = long[:, 3] <= self._deepest
        size = len(long) - _OWN
        calm = np.logical_and.reduce([near[k : k + size] for k in range(_OWN + 1)])
        usual = shallow[_OWN:] & shallow[_OWN - 1 : -1]
        return np.stack([calm, calm & usual]).astype(np.float64)

    def _learn(
        self, rows: Array, target: Array, series: Array, fitting: Array, *, trusted: bool
    ) -> None:
        newest = self._pending[-1]
        rows = rows * fitting.T[:, :, None]
        newest[0] += np.matmul(rows.transpose(0, 2, 1), rows)
        newest[1] += np.matmul(rows.transpose(0, 2, 1), target.T[:, :, None])[:, :, 0]
        vol = series[:, 2, 0]
        span, deepest = self._pending_range[-1]
        span[:] = min(span[0], vol.min()), max(span[1], vol.max())
        np.maximum(deepest, series[:, 3].max(axis=0), out=deepest)
        self._counts[-1] += len(vol)
        if self._counts[-1] < _CHUNK:
            return
        self._pending.append([np.zeros_like(part) for part in self._sums])
        self._pending_range.append((np.array([np.inf, -np.inf]), np.zeros(self._agents)))
        self._counts.append(0)
        keep = 1 if trusted else _DELAY + 1
        while len(self._pending) > keep:
            gram, cross = self._pending.pop(0)
            self._sums[0] += gram
            self._sums[1] += cross
            span, deepest = self._pending_range.pop(0)
            if trusted or self.learned < _ENOUGH:
                self._range = np.array([min(self._range[0], span[0]), max(self._range[1], span[1])])
            np.maximum(self._deepest, deepest, out=self._deepest)
            self.learned += self._counts.pop(0)
        if self.learned:
            gram = self._sums[0] + _RIDGE * np.eye(_COLUMNS)
            solved = np.linalg.solve(gram, self._sums[1][:, :, None])
            self._weights = solved[:, :, 0].astype(np.float64)
