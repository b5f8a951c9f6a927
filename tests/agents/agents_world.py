"""A small seeded market with side channels, fake views and a fake bus for the tests of agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from mirrorcore.agents.base import BaseAgent, BlockAgent, BlockInput, Context, Tick, TickAgent
from mirrorcore.agents.roster import ROSTER, agent_class, construct
from mirrorcore.clock import HOUR, MINUTE, VirtualClock
from mirrorcore.market.block import Bools, Floats, MarketBlock, Series
from mirrorcore.market.categories import CategorizedBlock
from mirrorcore.market.features import FeatureEngine
from mirrorcore.market.records import CATEGORIES
from mirrorcore.swarm.contract import faults_of
from mirrorcore.syncbus.messages import StateView

BAR = 5 * MINUTE
START = 5_000_004 * BAR
SYMBOLS = ("AAA/USD", "BBB/USD", "CCC/USD")
VOTERS = (
    "MomentumScout",
    "MeanReverter",
    "SentimentEar",
    "ChainWatcher",
    "MacroWatcher",
    "FlowReader",
    "FundamentalSage",
    "PairsArb",
)
MINDS = ("EgoProcessor", "FearAnalyzer", "GreedSensor", "SelfAwarenessAgent", "RiskSentinel")
DESK = ("OracleEngine", "Allocator", "ArchCtrl")
"""Whose states minds read beside those of other minds and of voters."""
CONTEXT = Context(symbols=SYMBOLS, bar_ns=BAR, voters=VOTERS, cost_per_side=5e-4)

BLOCK_AGENTS = tuple(n for n in ROSTER if issubclass(agent_class(n), BlockAgent))
TICK_AGENTS = tuple(n for n in ROSTER if issubclass(agent_class(n), TickAgent))


class FakeHandle:
    """Holds states and hands them out to the agent that declared an interest in them."""

    def __init__(self, agent_id: str, clock: VirtualClock, interests: Iterable[str]) -> None:
        self.agent_id = agent_id
        self.clock = clock
        self.interests = tuple(interests)
        self.states: dict[str, tuple[Mapping[str, Any], int, bool]] = {}
        self.members: set[str] = set()

    def put(self, agent_id: str, state: Mapping[str, Any], *, stale: bool = False) -> None:
        self.states[agent_id] = (state, self.clock.now(), stale)

    def read(self, agent_id: str) -> StateView | None:
        if agent_id not in self.interests and "all" not in self.interests:
            raise PermissionError(f"{self.agent_id} has no interest in {agent_id}")
        if agent_id not in self.states:
            empty = StateView(agent_id, {}, 0, 0, False, 0)
            return empty if agent_id in self.members else None
        state, t, stale = self.states[agent_id]
        return StateView(agent_id, state, 1, t, stale, self.clock.now() - t)


def attached(
    name: str | type[BaseAgent], context: Context = CONTEXT, **params: Any
) -> tuple[Any, FakeHandle]:
    """An agent ready to run, and its handle."""
    agent_id = name if isinstance(name, str) else name.__name__
    agent = construct(name, agent_id, params)
    clock = VirtualClock(START)
    handle = FakeHandle(agent_id, clock, agent.agent_interests)
    agent.attach(handle, clock, np.random.default_rng(0), context)  # type: ignore[arg-type]
    return agent, handle


# -- markets ------------------------------------------------------------------------------------


def market_of(
    returns: Floats,
    *,
    present: Bools | None = None,
    series: Mapping[str, Floats] | None = None,
    price: float = 100.0,
    volume: float = 1.0,
    start: int = START,
) -> MarketBlock:
    """Bars with the given log returns (T, S); series (T, S) that arrive with each tick."""
    ticks, symbols = returns.shape
    rng = np.random.default_rng(99)
    close = price * np.exp(np.cumsum(returns, axis=0))
    opened = close * np.exp(-returns)
    wick = np.exp(1e-4 * np.abs(rng.normal(size=returns.shape)))
    shown = np.ones(returns.shape, dtype=bool) if present is None else present
    ts = start + BAR * np.arange(ticks, dtype=np.int64)
    now = np.repeat(ts[:, None], symbols, axis=1)
    blank = np.where(shown, 1.0, np.nan)
    return MarketBlock(
        index=0,
        ts=ts,
        present=shown,
        open_ts=np.where(shown, now - BAR, 0),
        open=opened * blank,
        high=np.maximum(opened, close) * wick * blank,
        low=np.minimum(opened, close) / wick * blank,
        close=close * blank,
        volume=volume * np.exp(rng.normal(size=returns.shape)) * blank,
        flags=np.zeros(returns.shape, dtype=np.int64),
        series={name: Series(value, now.copy()) for name, value in (series or {}).items()},
    )


def channels(ticks: int, symbols: int, seed: int = 1) -> dict[str, Floats]:
    """Side channels like the simulated market's."""
    rng = np.random.default_rng(seed)
    whole = np.ones((1, symbols))
    return {
        "onchain.whale_flow": np.sinh(1.2 * rng.normal(size=(ticks, symbols))),
        "onchain.gas": np.exp(rng.normal(size=(ticks, 1))) * whole,
        "sentiment.score": np.tanh(0.5 * rng.normal(size=(ticks, symbols))),
        "sentiment.fear_greed": rng.uniform(5, 95, size=(ticks, 1)) * whole,
        "macro.surprise": rng.normal(size=(ticks, 1)) * whole,
        "technical.trade_imbalance": rng.uniform(-1, 1, size=(ticks, symbols)),
        "technical.book_imbalance": rng.uniform(-1, 1, size=(ticks, symbols)),
        "risk.spread_bps": rng.uniform(1, 9, size=(ticks, symbols)),
        "onchain.dex_flow": 1e3 * rng.normal(size=(ticks, symbols)),
        "fundamental.supply": np.full((ticks, symbols), 2e7),
        "fundamental.activity": np.exp(13 + 0.1 * rng.normal(size=(ticks, symbols))),
        "fundamental.unlock_share": np.full((ticks, symbols), 0.02),
        "fundamental.event_in_days": np.linspace(9, 1, ticks)[:, None] * whole,
    }


def walk(ticks: int, symbols: int = len(SYMBOLS), seed: int = 0) -> Floats:
    """Returns of a random walk with fat tails."""
    return 1e-3 * np.random.default_rng(seed).standard_t(5, (ticks, symbols))


def holes(ticks: int, symbols: int, share: float, seed: int = 5) -> Bools:
    return np.random.default_rng(seed).random((ticks, symbols)) >= share


def categorized(block: MarketBlock) -> CategorizedBlock:
    return FeatureEngine(block.present.shape[1], BAR).update(block)


def standard_market(ticks: int = 600, seed: int = 0) -> CategorizedBlock:
    """With holes, flags and all side channels, a few of their values missing."""
    symbols = len(SYMBOLS)
    series = channels(ticks, symbols, seed + 1)
    rng = np.random.default_rng(seed + 2)
    for column in series.values():
        column[rng.random(column.shape) < 0.05] = np.nan
    block = market_of(walk(ticks, symbols, seed), present=holes(ticks, symbols, 0.1), series=series)
    flags = np.where(rng.random((ticks, symbols)) < 0.1, rng.integers(1, 2**14), 0)
    return categorized(replace(block, flags=np.where(block.present, flags, 0)))


def scaled(block: MarketBlock, price: float, volume: float) -> MarketBlock:
    return replace(
        block,
        open=block.open * price,
        high=block.high * price,
        low=block.low * price,
        close=block.close * price,
        volume=block.volume * volume,
    )


def hidden(block: CategorizedBlock) -> CategorizedBlock:
    """The same ticks without a single bar or value."""
    empty = np.zeros_like(block.market.present)
    return CategorizedBlock(
        replace(block.market, present=empty),
        {c: {n: np.full_like(v, np.nan) for n, v in vs.items()} for c, vs in block.values.items()},
        block.known_at,
    )


# -- running ------------------------------------------------------------------------------------


def pieces(length: int, size: int) -> list[tuple[int, int]]:
    edges = [*range(0, length, size), length]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def analyze_block(
    agent: BlockAgent,
    data: CategorizedBlock,
    others: Mapping[str, Mapping[str, Floats]] | None = None,
    votes: Floats | None = None,
) -> dict[str, Floats]:
    return agent._analyze(BlockInput(data, agent.data_interests, others or {}, votes))


class Stage:
    """Runs block agents over one market, with the inputs each of them needs."""

    def __init__(self, data: CategorizedBlock, context: Context = CONTEXT) -> None:
        self.data = data
        self.context = context
        self._cache: dict[str, dict[str, Floats]] = {}

    def output(self, name: str) -> dict[str, Floats]:
        if name not in self._cache:
            self._cache[name] = self.run(name, len(self.data))
        return self._cache[name]

    def run(self, name: str, size: int, **params: Any) -> dict[str, Floats]:
        """Fields of a fresh agent, evaluated in blocks of ``size`` ticks."""
        agent, _ = attached(name, self.context, **params)
        return self.feed(agent, 0, len(self.data), size)

    def feed(self, agent: BlockAgent, first: int, stop: int, size: int) -> dict[str, Floats]:
        """What ``agent`` says of the ticks first..stop."""
        votes = self._votes() if agent.agent_id == "OracleEngine" else None
        asked = ("OracleEngine",) if agent.agent_id == "Allocator" else ()
        others = {name: self.output(name) for name in asked}
        parts = []
        for a, b in pieces(stop - first, size):
            a, b = a + first, b + first
            parts.append(
                analyze_block(
                    agent,
                    self.data.rows(a, b),
                    {n: {f: v[a:b] for f, v in fields.items()} for n, fields in others.items()},
                    None if votes is None else votes[a:b],
                )
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _votes(self) -> Floats:
        return np.stack([self.output(v)["forecast"] for v in self.context.voters], axis=2)


def performance_path(hours: int, seed: int = 3, voters: int = len(VOTERS)) -> list[dict[str, Any]]:
    """Plausible performance views, one an hour."""
    rng = np.random.default_rng(seed)
    real = 1e5 * np.cumprod(1 + 2e-3 * rng.normal(size=hours))
    shadow = np.cumprod(1 + 2e-3 * rng.normal(size=hours))
    n = np.cumsum(rng.integers(20, 40, (hours, voters + 1)), axis=0).astype(float)
    hits = np.floor(n * 0.51)
    xx = 0.25 * n * 0.0016
    noise = np.cumsum(0.05 * rng.normal(size=(hours, voters + 1)), axis=0)
    views = []
    for h in range(hours):
        views.append(
            {
                "equity": float(real[h]),
                "initial_equity": 1e5,
                "drawdown": float(1 - real[h] / real[: h + 1].max()),
                "shadow_equity": float(shadow[h]),
                "shadow_drawdown": float(1 - shadow[h] / shadow[: h + 1].max()),
                "shadow_volatility": 5e-4,
                "gross": 0.8,
                "net": 0.3,
                "weights": rng.uniform(-0.4, 0.4, len(SYMBOLS)),
                "trades_closed": h // 3,
                "trades_won": h // 6,
                "score_n": n[h],
                "score_hits": hits[h],
                "score_claimed": 0.515 * n[h],
                "score_brier": 0.249 * n[h],
                "score_xx": xx[h],
                "score_xy": 0.5 * xx[h] + 0.01 * noise[h],
                "score_pnl": noise[h],
                "score_ic_n": n[h],
                "score_ic_xy": 0.02 * n[h] + noise[h],
                "score_ic_xx": n[h],
                "score_ic_yy": n[h],
            }
        )
    return views


def execution_path(hours: int, seed: int = 4) -> list[dict[str, Any]]:
    """Plausible execution views, one an hour."""
    rng = np.random.default_rng(seed)
    orders = np.cumsum(rng.integers(0, 5, hours))
    return [
        {
            "gateway": "ACTIVE",
            "orders": int(orders[h]),
            "fills": int(orders[h] * 0.8),
            "vetoes": int(orders[h] // 10),
            "cancelled": int(orders[h] // 5),
            "working": int(orders[h] % 3),
            "fees_paid": float(orders[h]) * 10.0,
            "slippage_paid": float(orders[h]) * 5.0,
            "filled_notional": float(orders[h]) * 1e4,
        }
        for h in range(hours)
    ]


def mind_state(name: str, hour: int) -> dict[str, Any]:
    """What a mind agent may be publishing, other in each hour."""
    wave = 0.5 + 0.5 * np.sin(hour / 7.0)
    return {
        "EgoProcessor": {"m_ego": 0.5 + 0.5 * wave},
        "FearAnalyzer": {"fear": 0.95 * wave, "m_fear": 1 - 0.76 * wave},
        "GreedSensor": {"m_greed": 1 - 0.2 * wave},
        "SelfAwarenessAgent": {"m_herd": 1.0},
        "RiskSentinel": {"risk_budget": 0.9},
    }[name]


def desk_state(name: str, hour: int) -> dict[str, Any]:
    """What the desk may be publishing, other in each hour."""
    waves = np.sin(hour / np.array([3.0, 5.0, 8.0]))
    return {
        "OracleEngine": {"edge": 0.02 * np.cos(hour / np.array([3.0, 5.0, 8.0]))},
        "Allocator": {"target": 0.2 * waves},
        "ArchCtrl": {"gate": 0.6 + 0.3 * float(waves[0])},
    }[name]


class Hours:
    """Calls a tick agent once an hour over a market, with views and states of others."""

    def __init__(self, hours: int = 48, seed: int = 0) -> None:
        self.hours = hours
        self.step = HOUR // BAR
        self.data = standard_market(hours * self.step, seed)
        self.votes = Stage(self.data)
        self.performance = performance_path(hours)
        self.execution = execution_path(hours)

    def tick(self, agent: TickAgent, handle: FakeHandle, hour: int, **views: Any) -> Any:
        """One call; a view is only handed over if the agent declared it."""
        row = (hour + 1) * self.step - 1
        handle.clock.advance_to(int(self.data.market.ts[row]))
        for name in (*MINDS, *DESK, *VOTERS):
            if name in handle.interests or "all" in handle.interests:
                handle.put(name, self._state_of(name, hour, row))
        given = {"performance": self.performance[hour], "execution": self.execution[hour], **views}
        return agent._analyze(
            Tick(
                ts=int(self.data.market.ts[row]),
                row=row,
                market=self.data,
                handle=handle,  # type: ignore[arg-type]
                data_interests=agent.data_interests,
                **{n: v for n, v in given.items() if n in agent.data_interests},
            )
        )

    def _state_of(self, name: str, hour: int, row: int) -> dict[str, Any]:
        if name in MINDS:
            return mind_state(name, hour)
        if name in DESK:
            return desk_state(name, hour)
        return {"forecast": self.votes.output(name)["forecast"][row]}

    def run(self, name: str, **params: Any) -> list[dict[str, Any]]:
        agent, handle = attached(name, **params)
        return [dict(self.tick(agent, handle, hour)) for hour in range(self.hours)]


def lone_tick(
    agent: TickAgent,
    handle: FakeHandle,
    ts: int,
    *,
    data: CategorizedBlock | None = None,
    performance: Mapping[str, Any] | None = None,
    execution: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A call at ``ts`` with only the views given; the market is empty unless given."""
    handle.clock.advance_to(ts)
    return dict(
        agent._analyze(
            Tick(
                ts=ts,
                row=0,
                market=data if data is not None else silence(len(agent.context.symbols), ts),
                handle=handle,  # type: ignore[arg-type]
                data_interests=agent.data_interests,
                performance=performance or {},
                execution=execution or {},
            )
        )
    )


def silence(symbols: int, ts: int) -> CategorizedBlock:
    """One tick in which nothing is known."""
    block = market_of(np.zeros((1, symbols)), present=np.zeros((1, symbols), dtype=bool), start=ts)
    return CategorizedBlock(block, {c: {} for c in CATEGORIES}, {c: {} for c in CATEGORIES})


def one_tick(
    ts: int, values: Mapping[str, Mapping[str, Any]], symbols: int = len(SYMBOLS)
) -> CategorizedBlock:
    """One tick with the given values, each a number or (S,) numbers."""
    quiet = silence(symbols, ts)
    columns = {
        category: {
            name: np.broadcast_to(np.asarray(value, dtype=float), (1, symbols)).copy()
            for name, value in named.items()
        }
        for category, named in values.items()
    }
    known = {
        category: {name: np.full((1, symbols), ts) for name in named}
        for category, named in columns.items()
    }
    return CategorizedBlock(quiet.market, {**quiet.values, **columns}, {**quiet.known_at, **known})


# -- checks -------------------------------------------------------------------------------------


def check_schema(agent: BaseAgent, output: Mapping[str, Any], context: Context = CONTEXT) -> None:
    """Every field declared, of its shape, finite (or NaN where declared) and within its bounds."""
    rows = len(next(iter(output.values()))) if isinstance(agent, BlockAgent) else None
    assert faults_of(output, agent.state, context, rows=rows) == []
