"""Everything a report may show of one run, as the swarm hands it over.

Instants are integer nanoseconds UTC, money is in the account's currency, fractions are plain (0.1
is 10 %). Nothing in here is computed by the report; nothing the report shows comes from elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal

import numpy as np

from mirrorcore.market.block import Floats, Ints
from mirrorcore.report.attribution import Attribution
from mirrorcore.report.swarm_records import Skill, SwarmRecord, VoterPath


def _no_floats() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """Which run this is, and everything needed to make it again."""

    run_id: str
    mode: str  # replay, paper or live
    data: str  # preset or folder, in words
    symbols: tuple[str, ...]
    bar_ns: int
    period_start: int  # instant at which the run held its initial equity
    period_end: int  # last tick
    config_hash: str
    code_version: str
    fingerprint: str
    status: str = "finished"  # or failed, interrupted
    processor: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)
    input_digests: Mapping[str, str] = field(default_factory=dict)
    fingerprint_parts: Mapping[str, str] = field(default_factory=dict)
    package_versions: Mapping[str, str] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0
    symbol_bars: int = 0
    ticks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """From flat, or from a change of sign, to the next.

    ``quantity`` is the largest position held, ``open_price`` and ``close_price`` are averages over
    the fills; of an open trade ``close_price`` is the mark and ``close_ts`` the instant of it.
    ``pnl`` is net of ``fees`` and ``slippage``, ``pnl_ratio`` is ``pnl`` per entry notional.
    ``voters`` are those with the largest weights when the day of the entry began.
    """

    id: str
    symbol: str
    side: str  # long or short
    open_ts: int
    close_ts: int
    open_price: float
    close_price: float
    quantity: float
    pnl: float
    pnl_ratio: float
    fees: float
    slippage: float
    is_open: bool = False
    voters: tuple[tuple[str, float], ...] = ()

    @property
    def duration(self) -> int:
        """Nanoseconds held."""
        return self.close_ts - self.open_ts


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """One agent's life in this run. What only a voter has is None for every other agent.

    Shadow P&L is the sum of the agent's paper returns, a fraction of equity, before and after
    costs; ``hit_rate`` the share of its ``forecasts`` whose direction came true; ``contribution``
    what its pull on the targets earned the book, in money.
    """

    id: str
    kind: str
    state: str
    health: float  # 0..1
    votes: bool = False
    calls: int = 0
    failures: int = 0
    isolations: int = 0
    restarts: int = 0
    last_error: str = ""
    shadow_pnl_gross: float | None = None
    shadow_pnl_net: float | None = None
    hit_rate: float | None = None
    forecasts: int = 0
    mean_weight: float | None = None
    last_weight: float | None = None
    contribution: float | None = None
    skill: Skill | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPath:
    """Fusion weights over time: ``matrix`` (n, len(names)) at the instants ``ts`` (n,)."""

    ts: Ints
    names: tuple[str, ...]
    matrix: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRecord:
    """All the times one limit bit on one symbol (``""``: on the whole book).

    ``asked`` and ``allowed`` are those of the largest cut, in the limit's own unit.
    """

    limit: str
    symbol: str
    hits: int
    first_ts: int
    last_ts: int
    asked: float
    allowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRecord:
    """How often the validator met one case at one source, and what it did."""

    source: str
    case: str
    count: int
    action: str  # rejected, flagged, repaired


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord:
    """What trading cost: the rates that were set and the totals that were paid, in money."""

    fee_bps: float
    slippage_bps: float
    fees_paid: float
    slippage_paid: float
    traded_notional: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CashRecord:
    """One currency of the account at the end, in that currency but for ``worth``.

    ``cash`` below 0 is borrowed; ``positions`` are at the mark; ``results`` are those of all trades
    after ``fees``, open ones marked. ``rate`` is in the account's currency, as are ``worth`` (cash
    and positions together) and ``translation``, what the rate did to results once made.
    """

    currency: str
    cash: float
    positions: float
    results: float
    fees: float
    rate: float
    worth: float
    translation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResults:
    """One run, ready to be reported.

    ``ts`` (n,) rises strictly; every other array is (n,) or empty where it was not recorded.
    ``equity`` is marked to market; ``shadow_equity`` is that of the ungated target; ``benchmark``
    is the worth of ``initial_equity`` held in equal parts of the run's symbols. All three start
    from ``initial_equity`` at ``identity.period_start``. ``gross`` and ``net`` are fractions of
    equity, ``gate``, ``fear`` and ``confidence`` lie in 0..1. ``cash`` has a row for each currency,
    the account's first, and is empty where there is one alone.

    Raises
    ------
    ValueError
        Where lengths differ, ``ts`` does not rise or a value is not finite: the swarm's mistake,
        found here because every figure after it would be wrong.
    """

    identity: RunIdentity
    currency: str
    initial_equity: float
    ts: Ints
    equity: Floats
    costs: CostRecord
    accounting_residual: Decimal
    shadow_equity: Floats = field(default_factory=_no_floats)
    benchmark: Floats = field(default_factory=_no_floats)
    gross: Floats = field(default_factory=_no_floats)
    net: Floats = field(default_factory=_no_floats)
    gate: Floats = field(default_factory=_no_floats)
    fear: Floats = field(default_factory=_no_floats)
    confidence: Floats = field(default_factory=_no_floats)
    trades: tuple[TradeRecord, ...] = ()
    agents: tuple[AgentRecord, ...] = ()
    weights: WeightPath | None = None
    limits: tuple[LimitRecord, ...] = ()
    intake: tuple[IntakeRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    orders: int = 0
    fills: int = 0
    swarm: SwarmRecord = field(default_factory=SwarmRecord)
    voters: VoterPath | None = None
    attribution: Attribution | None = None
    cash: tuple[CashRecord, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.initial_equity) and self.initial_equity > 0):
            raise ValueError(f"initial_equity was {self.initial_equity}, must be above 0")
        if np.any(np.diff(self.ts) <= 0):
            raise ValueError("ts must rise strictly")
        if len(self.ts) and self.ts[0] < self.identity.period_start:
            raise ValueError("ts begins before identity.period_start")
        if len(self.equity) != len(self.ts):
            raise ValueError(f"equity has {len(self.equity)} rows, ts has {len(self.ts)}")
        for name in COLUMNS:
            column = getattr(self, name)
            if len(column) not in (0, len(self.ts)):
                raise ValueError(f"{name} has {len(column)} rows, ts has {len(self.ts)}")
            if not np.all(np.isfinite(column)):
                raise ValueError(f"{name} has a value that is not finite")
        for kind, records in (
            ("trade", self.trades),
            ("agent", self.agents),
            ("limit", self.limits),
            ("costs", (self.costs,)),
            ("cash", self.cash),
        ):
            for record in records:
                _check_finite(kind, record)
        path = self.weights
        if path is not None and path.matrix.shape != (len(path.ts), len(path.names)):
            raise ValueError(
                f"weights: matrix is {path.matrix.shape}, must be {(len(path.ts), len(path.names))}"
            )

    @property
    def closed_trades(self) -> tuple[TradeRecord, ...]:
        """Trades that ended, in order of their end."""
        return tuple(
            sorted((t for t in self.trades if not t.is_open), key=lambda t: (t.close_ts, t.open_ts))
        )

    @property
    def open_trades(self) -> tuple[TradeRecord, ...]:
        """Trades still open at the end, marked to market, in order of their start."""
        return tuple(sorted((t for t in self.trades if t.is_open), key=lambda t: t.open_ts))


def _check_finite(kind: str, record: object) -> None:
    for spec in fields(record):  # type: ignore[arg-type]  # every record here is a dataclass
        value = getattr(record, spec.name)
        if isinstance(value, float) and not math.isfinite(value):
            name = getattr(record, "id", None) or getattr(record, "limit", "")
            raise ValueError(f"{kind} {name}: {spec.name} was {value}, must be finite")


COLUMNS = (
    "equity",
    "shadow_equity",
    "benchmark",
    "gross",
    "net",
    "gate",
    "fear",
    "confidence",
)
