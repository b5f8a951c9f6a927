"""A swarm as its frames tell it, made by a seed: any number of agents, no two of them alike.

Frames are those of docs/wire.md. Some of what is said in them is hostile, as it may be.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

START = 1_735_689_600_000
"""2025-01-01 00:00 UTC in ms, the market's clock at the first frame."""

KINDS = ("technical", "mind", "risk", "social", "execution")
STATES = ("running", "paused", "isolated", "probing", "failed", "removed")
HOSTILE = "evil\x1b[2J\x1b]0;owned\x07"
HEADLINE = "\x1b[31mBREAKING\u202e gnikaerb\n"
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


class World:
    """Makes a snapshot and the deltas after it; the same seed makes the same frames."""

    def __init__(self, agents: int = 12, *, seed: int = 7, epoch: int = 1_000) -> None:
        self._random = np.random.default_rng(seed)
        self.agents = agents
        self.epoch = epoch
        self.seq = 0
        self.tick = 100
        self.equity = 100_000.0
        self.price = dict(zip(SYMBOLS, (42_000.0, 2_300.0, 101.5), strict=True))

    @property
    def ts(self) -> int:
        return START + self.tick * 300_000

    def hello(self, role: str = "operator") -> dict[str, Any]:
        return {
            "t": "hello", "v": 2, "epoch": self.epoch, "rate": 4, "role": role, "wall": self.ts,
            "mode": "paper", "run": "20250101-world", "schema": "x",
        }  # fmt: skip

    def names(self) -> list[str]:
        fixed = ["FearAnalyzer", "EgoProcessor", "RiskSentinel", HOSTILE]
        return [*fixed, *(f"Agent-{number:04d}" for number in range(4, self.agents))][: self.agents]

    def snapshot(self) -> dict[str, Any]:
        count, draw = self.agents, self._random
        health = np.round(1.0 - draw.random(count) ** 6, 2)
        health[: min(3, count)] = (0.97, 0.55, 0.12)[: min(3, count)]
        state = [0] * count
        if count > 5:
            state[2], state[5] = 2, 1
        columns: dict[str, Any] = {
            "id": self.names(),
            "kind": [1, 1, 2, 3, *(number % len(KINDS) for number in range(4, count))][:count],
            "st": state,
            "conf": _multiples(draw.random(count)),
            "lean": _multiples(draw.uniform(-1, 1, count)),
            "pnl": _multiples(draw.normal(0, 3, count)),
            "mb": [int(x) for x in draw.integers(0, 20, count)],
            "t": [int(x) * 300_000 for x in draw.integers(0, 4, count)],
            "w": _multiples(draw.normal(0, 0.1, count), 1000),
            "cb": [1 if one == 2 else 0 for one in state],
            "hp": _multiples(health),
            "calls": [int(x) for x in draw.integers(100, 9999, count)],
            "fails": [int(x) for x in draw.integers(0, 9, count)],
            "rest": [3 if one == 2 else 0 for one in state],
            "lat": [round(float(x), 3) for x in draw.random(count)],
            "v": [7] * count,
            "err": ["ValueError: \x1b[2Jfeed is empty" if one == 2 else "" for one in state],
        }
        return {
            "t": "snap", "epoch": self.epoch, "seq": self.seq, "ts": self.ts, "wall": self.ts,
            "why": "hello",
            "enums": {
                "st": list(STATES), "cb": ["closed", "open", "half_open"],
                "sev": ["info", "warn", "bad"], "kind": list(KINDS),
            },
            "top": self._top(columns),
            "agents": {"n": count, "c": columns},
            "px": {
                symbol: [
                    [START + number * 300_000, price, price, price,
                     round(price * (1 + 0.01 * float(np.sin(number / 5))), 2), 10.0]
                    for number in range(60)
                ]
                for symbol, price in self.price.items()
            },
            "eq": {"k": 1, "p": [
                [number, START + number * 300_000,
                 round(100_000 + 300 * float(np.sin(number / 9)), 2), 0.001, 100_000.0]
                for number in range(1, self.tick)
            ]},
            "emo": {"k": 1, "p": [
                [1, START, 0.312, 0.701, 0.855, 0.2], [2, START, 0.3, 0.7, 0.8, None],
            ]},
            "pos": {
                "BTC/USDT": _position(0.25, 42_000.0, 0.105),
                "ETH/USDT": _position(-1.5, 2_300.0, -0.034),
                "SOL/USDT": _position(0.0, 101.5, 0.0),
            },
            "ord": {"O12": {
                "id": "O12", "client": "c12", "t": self.ts, "upd": self.ts, "sym": "BTC/USDT",
                "side": 1, "qty": 0.5, "filled": 0.25, "status": "partially_filled",
                "reason": "target", "outcome": "", "mark": 42_000.0, "reduce": False,
            }},
            "dec": {symbol: self._decision(symbol, at) for at, symbol in enumerate(SYMBOLS)},
            "risk": _risk(),
            "src": {
                "binance": _source("live", True), "feed\x1b[2J": _source("backing_off", False),
            },
            "alerts": {"E2": {
                "t": self.ts, "sev": 2, "kind": "failed", "who": "RiskSentinel",
                "text": "failed for good", "ack": None,
            }},
            "fills": [{
                "id": "O12.1", "ord": "O12", "t": self.ts, "sym": "BTC/USDT", "side": 1,
                "qty": 0.25, "px": 42_010.0, "fee": 10.5, "slip": 5.2,
            }],
            "tr": [],
            "em": [{
                "id": "F1", "t": self.ts - 60_000, "tick": 90, "type": "coordination",
                "guide": "spontaneous_sync", "agents": ["FearAnalyzer", HOSTILE], "n": 2,
                "sym": "AAA/USD",
                "eff": {"name": "residual correlation of direction", "value": 0.41,
                        "unit": "a pair", "direction": "up"},
                "p": None, "e": 1234.5, "w": [10, 90],
                "text": f"Agents FearAnalyzer, {HOSTILE} acted together. This does not show why.",
                "null": "agents act independently", "ev": {"lag": 0.0}, "given": ["price"],
                "exp": True, "why": "", "alert": None,
            }],
            "watch": {
                "coordination": {"ticks": 4_000, "n": 1, "expl": 2, "budget": 0.02, "exp": True,
                                 "rate": "3 of 40 quiet runs", "syms": 2,
                                 "idle": ""},
                "novelty": {"ticks": 0, "n": 0, "expl": 0, "budget": 0.0, "exp": False,
                            "rate": "not measured", "syms": 2,
                            "idle": "every voter is of the roster"},
            },
            "ev": [
                {"id": "E1", "t": self.ts - 60_000, "sev": 1, "kind": "breaker",
                 "who": "RiskSentinel", "text": "closed to open"},
                {"id": "E2", "t": self.ts, "sev": 2, "kind": "failed", "who": "RiskSentinel",
                 "text": HEADLINE},
            ],
            "flow": {
                "from": ["mind", "technical", "view"], "to": ["mind", "risk"],
                "m": [[0, 0, 900, 880, 20, 0, 0], [1, 0, 12_000, 11_500, 400, 3, 97],
                      [2, 1, 500, 500, 0, 0, 0]],
            },
        }  # fmt: skip

    def _top(self, columns: dict[str, Any]) -> dict[str, Any]:
        return {
            "run": "20250101-world", "mode": "paper", "source": "simulated", "real": False,
            "speed": 1200.0, "symbols": list(SYMBOLS), "bar": 300_000, "start": START,
            "cur": "USDT",
            "tick": self.tick, "number": self.tick, "eq0": 100_000.0, "eq": self.equity,
            "day": 0.0052, "dd": 0.0123, "gross": 0.14, "net": 0.07, "gate": 0.85, "silent": False,
            "fear": 0.312, "conf": 0.701, "emotion": "hope", "gw": "active", "gw_reason": "",
            "blocked": [], "halted": {}, "orders": 12, "fills": 31, "trades": 5, "won": 3,
            "fees": 12.5, "n": self.agents,
            "st": [columns["st"].count(one) for one in range(len(STATES))],
            "hp": [
                sum(x >= 80 for x in columns["hp"]),
                sum(40 <= x < 80 for x in columns["hp"]),
                sum(x < 40 for x in columns["hp"]),
            ],
            "warnings": 0, "alerts": 1, "clients": 1,
        }  # fmt: skip

    def _decision(self, symbol: str, at: int) -> dict[str, Any]:
        return {
            "id": f"D{self.tick * 10 + at}", "tick": self.tick, "t": self.ts,
            "price": self.price[symbol], "held": 0.02, "target": 0.09, "gate": 0.85,
            "silent": False, "wanted": 0.0765, "forecast": 0.534, "edge": 0.021,
            "market_edge": -0.004, "conviction": 0.4, "consensus": 0.62, "voters": 9,
            "votes": [
                _vote("FearAnalyzer", 0.61, 0.12, 0.013, 0.001, self.ts),
                _vote(HOSTILE, 0.44, 0.08, -0.006, None, self.ts),
                _vote("EgoProcessor", None, None, None, None, None),
            ],
            "clips": [{"limit": "per_symbol", "sym": symbol, "asked": 0.09, "allowed": 0.05}]
            if at == 0 else [],
            "blocked": [], "gw": "active", "orders": ["O12"] if at == 0 else [],
        }  # fmt: skip

    def delta(self, churn: float = 1.0) -> dict[str, Any]:
        """The next frame: a tick later, with ``churn`` of the agents saying something new."""
        self.seq += 1
        self.tick += 1
        draw = self._random
        count = max(1, round(self.agents * churn))
        rows = sorted(int(x) for x in draw.choice(self.agents, count, replace=False))
        self.equity = round(self.equity + float(draw.normal(0, 20)), 2)
        return {
            "t": "d", "epoch": self.epoch, "seq": self.seq, "ts": self.ts, "wall": self.ts,
            "top": {"tick": self.tick, "number": self.tick, "eq": self.equity},
            "agents": {"i": np.diff(rows, prepend=0).tolist(), "d": {
                "conf": _multiples(draw.random(count)),
                "pnl": _multiples(draw.normal(0, 3, count)),
                "mb": [int(x) for x in draw.integers(0, 20, count)],
                "t": 0,
            }},
            "px": {"BTC/USDT": [[self.ts, 42_000.0, 42_100.0, 41_900.0,
                                 round(42_000 + float(draw.normal(0, 50)), 2), 3.0]]},
            "eq": {"k": 1, "p": [[self.tick, self.ts, self.equity, 0.0, 100_000.0]]},
        }  # fmt: skip


def _multiples(values: Any, parts: int = 100) -> list[int]:
    """Numbers as the wire has them, in hundredths or so."""
    return [round(parts * float(x)) for x in values]


def _vote(agent: str, *said: float | None) -> dict[str, Any]:
    return {"a": agent, **dict(zip(("p", "w", "pull", "market", "t"), said, strict=True))}


def _position(quantity: float, mark: float, weight: float) -> dict[str, Any]:
    return {
        "qty": quantity, "mark": mark, "value": round(quantity * mark, 2), "weight": weight,
        "target": weight, "wanted": weight, "avg": mark if quantity else None,
        "upnl": round(quantity * 12.5, 2), "since": START if quantity else None,
        "trade": "T3" if quantity else None,
    }  # fmt: skip


def _risk() -> dict[str, Any]:
    def limit(now: float | None, bound: float, unit: str, hits: int = 0) -> dict[str, Any]:
        return {"now": now, "limit": bound, "set": bound, "most": 2 * bound, "unit": unit,
                "hits": hits, "bound": hits > 0}  # fmt: skip

    return copy.deepcopy({
        "gross": limit(0.14, 1.0, "equity"), "net": limit(0.07, 1.0, "equity"),
        "per_symbol": limit(0.105, 0.11, "equity", 3), "daily_loss": limit(0.0, 0.03, "equity"),
        "drawdown": limit(0.0123, 0.2, "equity"), "order_rate": limit(2.0, 60.0, "orders/min"),
        "price_collar": limit(None, 0.1, "price"), "stale_after": limit(None, 3.0, "bars"),
    })  # fmt: skip


def _source(state: str, well: bool) -> dict[str, Any]:
    return {
        "state": state, "reason": "" if well else "HTTP 503", "breaker": "closed", "ok": well,
        "records": 12_345, "gaps": 1, "unfilled": 0, "dropped": 2, "duplicates": 3, "faults": 0,
        "reconnects": 1, "pending": 0, "stale": [] if well else ["ETH/USDT"], "heard": START,
        "skew": 12,
    }  # fmt: skip
