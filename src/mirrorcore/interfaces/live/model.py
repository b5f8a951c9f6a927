"""A client of the live wire: what it knows of a run, from frames in any state of disorder."""

from __future__ import annotations

from enum import Enum
from itertools import accumulate
from typing import Any

import msgspec

from mirrorcore.interfaces.live.picture import CANDLES, COLUMNS, LOGS, PLACES, TABLES, thinned
from mirrorcore.interfaces.live.wire import VERSION

RESYNC = '{"op":"resync"}'

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Heard(Enum):
    """What became of a frame."""

    APPLIED = "applied"
    """It changed the state; :attr:`ClientModel.changed` says where."""
    NOTED = "noted"
    """A hello, a heartbeat or the end."""
    IGNORED = "ignored"
    """A duplicate, of an earlier server, or one that is waited past."""
    RESYNC = "resync"
    """It shows that something is missing: send :data:`RESYNC`."""


class ClientModel:
    """The state of a run as a client knows it; it never mixes two moments.

    Attributes
    ----------
    known: whether there was a snapshot. waiting: whether one is waited for; the state then is old.
    epoch, seq: of the last frame applied. ts, wall: ms, of the last frame of any kind.
    top: as in docs/wire.md. enums: lists of names. agents: columns as lists, ``t`` in ms.
    candles: by symbol. eq, emo: points. tables: by name, then key. logs: by name, oldest first.
    changed: sections the last applied frame brought; all of them for a snapshot.
    ended: how the run ended, empty while it goes on.
    """

    def __init__(self, rate: int = 10) -> None:
        self.rate = rate
        self.known = False
        self.waiting = True
        self.epoch = self.seq = -1
        self.ts = self.wall = 0
        self.role = ""
        self.facts: dict[str, Any] = {}
        self.changed: tuple[str, ...] = ()
        self.ended = ""
        self._newest = -1
        self._asked = False
        self._clear()

    def _clear(self) -> None:
        self.top: dict[str, Any] = {}
        self.enums: dict[str, list[str]] = {}
        self.n = 0
        self.agents: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self.candles: dict[str, list[list[Any]]] = {}
        self.eq: list[list[Any]] = []
        self.emo: list[list[Any]] = []
        self.tables: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in TABLES}
        self.logs: dict[str, list[dict[str, Any]]] = {name: [] for name in LOGS}
        self.flow: dict[str, Any] = {}

    # -- the connection

    def hello(self, token: str) -> str:
        """A new connection is open; what to say first on it."""
        self._newest = -1
        self._asked = False
        said: dict[str, Any] = {"op": "hello", "v": VERSION, "token": token, "rate": self.rate}
        if self.known and not self.waiting:
            said["resume"] = {"epoch": self.epoch, "seq": self.seq}
        return msgspec.json.encode(said).decode()

    def ask_again(self) -> bool:
        """Call it when no snapshot came for 2 seconds; True where RESYNC is to be sent again."""
        self._asked = self.waiting
        return self.waiting

    def receive(self, data: str | bytes) -> Heard:
        """Take in one frame. ValueError where it is no frame at all."""
        frame = _decode(data)
        kind, epoch = frame.get("t"), frame.get("epoch", -1)
        if kind not in ("hello", "snap", "d", "hb", "end"):
            return Heard.IGNORED
        if epoch < self._newest:
            return Heard.IGNORED
        self._newest = epoch
        if "wall" in frame:
            self.wall = frame["wall"]
        if kind == "hello":
            return self._hello(frame)
        if kind == "snap":
            return self._snap(frame)
        if kind == "end":
            self.ended = frame["status"]
            return Heard.NOTED
        return self._delta(frame) if kind == "d" else self._heartbeat(frame)

    def _hello(self, frame: dict[str, Any]) -> Heard:
        self.role = frame.get("role", "")
        self.facts = frame
        if frame["epoch"] != self.epoch:
            self.waiting = True
        return Heard.NOTED

    def _snap(self, frame: dict[str, Any]) -> Heard:
        if self.known and frame["epoch"] == self.epoch and frame["seq"] < self.seq:
            return Heard.IGNORED
        self._clear()
        self.epoch, self.seq, self.ts = frame["epoch"], frame["seq"], frame["ts"]
        self.known, self.waiting, self._asked, self.ended = True, False, False, ""
        self.top = frame["top"]
        self.enums = frame["enums"]
        agents = frame["agents"]
        self._add(agents["n"], agents["c"])
        self.candles = frame["px"]
        self.eq, self.emo = frame["eq"]["p"], frame["emo"]["p"]
        # A server of an earlier release has fewer of them.
        self.tables = {name: frame.get(name, {}) for name in TABLES}
        self.logs = {name: frame.get(name, []) for name in LOGS}
        self.flow = frame["flow"]
        self.changed = ("top", "enums", "agents", "px", "eq", "emo", *TABLES, *LOGS, "flow")
        return Heard.APPLIED

    def _heartbeat(self, frame: dict[str, Any]) -> Heard:
        if frame["epoch"] == self.epoch and frame["seq"] == self.seq and not self.waiting:
            self.ts = frame["ts"]
            return Heard.NOTED
        if frame["epoch"] == self.epoch and frame["seq"] < self.seq:
            return Heard.IGNORED
        return self._missing()

    def _missing(self) -> Heard:
        self.waiting = True
        if self._asked:
            return Heard.IGNORED
        self._asked = True
        return Heard.RESYNC

    # -- deltas

    def _delta(self, frame: dict[str, Any]) -> Heard:
        if frame["epoch"] == self.epoch and frame["seq"] <= self.seq:
            return Heard.IGNORED
        if self.waiting or frame["epoch"] != self.epoch or frame["seq"] != self.seq + 1:
            return self._missing()
        self.seq, self.ts = frame["seq"], frame["ts"]
        self.top.update(frame.get("top", {}))
        self.enums.update(frame.get("enums", {}))
        if "agents" in frame:
            self._agents(frame["agents"])
        for symbol, candles in frame.get("px", {}).items():
            self._candles(symbol, candles)
        for name in ("eq", "emo"):
            if name in frame:
                self._curve(name, frame[name])
        for name in TABLES:
            if name in frame:
                self._table(self.tables[name], frame[name])
        for name, cap in LOGS.items():
            if name in frame:
                self.logs[name] = (self.logs[name] + frame[name])[-cap:]
        self.flow = frame.get("flow", self.flow)
        self.changed = tuple(name for name in frame if name not in ("t", "epoch", "seq"))
        return Heard.APPLIED

    def _agents(self, change: dict[str, Any]) -> None:
        if "add" in change:
            self._add(change["add"]["n"], change["add"]["c"])
        into = list(accumulate(change["i"])) if "i" in change else range(self.n)
        for name, values in change.get("d", {}).items():
            each = values if isinstance(values, list) else [values] * len(into)
            self._put(name, into, each)
        for name, (own, values) in change.get("s", {}).items():
            self._put(name, accumulate(own), values)

    def _put(self, name: str, rows: Any, values: list[Any]) -> None:
        column = self.agents[name]
        for row, value in zip(rows, self._kept(name, values), strict=True):
            column[row] = value

    def _add(self, n: int, columns: dict[str, list[Any]]) -> None:
        self.n += n
        for name, column in self.agents.items():
            column.extend(self._kept(name, columns[name]))

    def _kept(self, name: str, values: list[Any]) -> list[Any]:
        """Values as they are kept: times as instants, sent as distances to the frame's; numbers of
        so many decimals, sent as whole multiples of the last."""
        if COLUMNS[name] == "instant":
            return [None if value is None else self.ts - value for value in values]
        if name in PLACES:
            scale = 10 ** PLACES[name]
            return [None if value is None else value / scale for value in values]
        return values

    def _candles(self, symbol: str, new: list[list[Any]]) -> None:
        known = self.candles.setdefault(symbol, [])
        if known and new and new[0][0] == known[-1][0]:
            known.pop()
        self.candles[symbol] = (known + new)[-CANDLES:]

    def _curve(self, name: str, change: dict[str, Any]) -> None:
        points = getattr(self, name) + change["p"]
        setattr(self, name, list(thinned(points, change["k"])))

    def _table(self, table: dict[str, dict[str, Any]], change: dict[str, Any]) -> None:
        for key in change.get("del", ()):
            del table[key]
        for key, row in change.get("set", {}).items():
            table[key] = {**table.get(key, {}), **row}

    # -- reading

    def agent(self, row: int) -> dict[str, Any]:
        """One agent by column name, small numbers as their names."""
        return {
            name: self.enums[name][column[row]] if name in self.enums else column[row]
            for name, column in self.agents.items()
        }

    def state(self) -> dict[str, Any]:
        """Everything it knows, for comparison with another client of the same run."""
        return {
            "epoch": self.epoch, "seq": self.seq, "top": self.top, "enums": self.enums,
            "agents": self.agents, "px": self.candles, "eq": self.eq, "emo": self.emo,
            **self.tables, **self.logs, "flow": self.flow,
        }  # fmt: skip
