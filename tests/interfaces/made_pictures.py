"""Pictures of an invented run that changes at random, for tests of what carries them."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any

import numpy as np

from mirrorcore.interfaces.live.book import grown
from mirrorcore.interfaces.live.curves import Tracing
from mirrorcore.interfaces.live.picture import (
    CANDLES,
    COLUMNS,
    ENUMS,
    LOGS,
    PLACES,
    TABLES,
    Agents,
    Log,
    Picture,
)


class Invented:
    """Each :meth:`step` changes something of every kind now and then; :meth:`picture` shows it."""

    def __init__(self, rng: Random, agents: int = 5) -> None:
        self.rng = rng
        self.n = 0
        self.ticks = 0
        self.ts = 1_735_689_600_000
        self.columns: dict[str, Any] = dict(Agents.empty().columns)
        self.kinds: list[str] = []
        self.top: dict[str, Any] = {"tick": 0, "gw": "active", "held": 0}
        self.candles: dict[str, tuple[tuple[Any, ...], ...]] = {"A/B": (), "C/B": ()}
        self.eq, self.emo = Tracing(), Tracing()
        self.tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
        self.logs = dict.fromkeys(LOGS, Log())
        self.flow: dict[str, Any] = {}
        self._join(agents)

    def _value(self, name: str) -> Any:
        rng, kind = self.rng, COLUMNS[name]
        if kind == "text":
            return rng.choice(["", "<b>x</b>", "it's", "\u2028 δ"])
        if kind == "number":
            value = round(rng.uniform(-1, 1), PLACES.get(name, 5))
            return rng.choice([float("nan"), value, 1e300])
        if kind == "instant":
            return rng.choice([0, self.ts, self.ts - rng.randrange(10_000)])
        return rng.randrange(3)

    def _join(self, more: int) -> None:
        self.kinds += [f"kind{len(self.kinds)}"] if len(self.kinds) < 3 or more == 1 else []
        while len(self.kinds) < 3:
            self.kinds.append(f"kind{len(self.kinds)}")
        for name, kind in COLUMNS.items():
            new = [self._value(name) for _ in range(more)]
            if name == "id":
                new = [f"agent{self.n + i}" for i in range(more)]
            old = self.columns[name]
            if kind != "text":
                made = np.array(new, dtype=np.float64 if kind == "number" else np.int64)
            self.columns[name] = (*old, *new) if kind == "text" else np.concatenate([old, made])
        self.n += more

    def step(self) -> None:
        rng = self.rng
        self.ticks += 1
        self.ts += rng.choice([0, 1, 60_000])
        self.top = {**self.top, "tick": self.ticks, "gw": rng.choice(["active", "halted"])}
        if rng.random() < 0.1:
            self._join(rng.choice([1, 3]))
        for name in rng.sample([name for name in COLUMNS if name not in ("id", "kind")], 6):
            self._change(name)
        for symbol in rng.sample(list(self.candles), rng.choice([0, 1, 2])):
            self._trade(symbol)
        self.eq.note((self.ticks, self.ts, rng.random()))
        if rng.random() < 0.7:
            self.emo.note((self.ticks, self.ts, rng.random(), None))
        for name in rng.sample(list(TABLES), 2):
            table = dict(self.tables[name])
            row = {name: rng.randrange(3) for name in "uvw" if rng.random() < 0.9}
            table[str(rng.randrange(4))] = row
            table.pop(str(rng.randrange(6)), None)
            self.tables[name] = table
        for name in rng.sample(list(LOGS), 1):
            count = rng.choice([1, 2]) if rng.random() < 0.97 else LOGS[name] + 3
            rows = [{"id": f"{self.ticks}.{i}"} for i in range(count)]
            self.logs[name] = grown(self.logs[name], rows, LOGS[name])
        if rng.random() < 0.2:
            self.flow = {"from": ["x"], "to": ["y"], "m": [[0, 0, self.ticks]]}

    def _change(self, name: str) -> None:
        share = self.rng.choice([0.1, 0.5, 1.0])
        values = list(self.columns[name])
        alike = self.rng.random() < 0.3
        same = self._value(name)
        for row in range(self.n):
            if self.rng.random() < share:
                values[row] = same if alike else self._value(name)
        kind = COLUMNS[name]
        self.columns[name] = (
            tuple(values)
            if kind == "text"
            else np.array(values, dtype=np.float64 if kind == "number" else np.int64)
        )

    def _trade(self, symbol: str) -> None:
        candles = self.candles[symbol]
        count = self.rng.choice([1, 2]) if self.rng.random() < 0.97 else CANDLES + 2
        last = candles[-1][0] if candles else 0
        if candles and self.rng.random() < 0.3:
            candles = (*candles[:-1], (last, self.rng.random()))
        new = tuple((last + i, self.rng.random()) for i in range(1, count + 1))
        self.candles = {**self.candles, symbol: (*candles, *new)[-CANDLES:]}

    def picture(self) -> Picture:
        return Picture(
            ts=self.ts,
            wall=self.ts + 5,
            top=self.top,
            agents=Agents(self.n, dict(self.columns)),
            enums={**ENUMS, "kind": tuple(self.kinds)},
            candles=self.candles,
            eq=self.eq.build(),
            emo=self.emo.build(),
            tables=dict(self.tables),
            logs=dict(self.logs),
            flow=self.flow,
        )


def with_top(picture: Picture, **top: Any) -> Picture:
    return dataclasses.replace(picture, top={**picture.top, **top})
