"""What the reading commands answer, from a picture of the run: the one every screen is made of.

So the figures behind all doors are the same. Names here are whole words; the wire's short ones are
in docs/wire.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.clock import MILLISECOND, iso
from mirrorcore.interfaces.commands.failures import CommandError
from mirrorcore.interfaces.live.picture import COLUMNS, ENUMS, Picture, action_of

_TOP = {
    "run": "run", "mode": "mode", "source": "source", "tick": "ticks", "number": "last_decision",
    "eq": "equity", "eq0": "initial_equity", "cur": "currency", "day": "change_today",
    "dd": "drawdown", "gross": "gross", "net": "net", "gate": "gate", "silent": "gate_silent",
    "fear": "fear", "conf": "confidence", "emotion": "emotion", "gw": "gateway",
    "gw_reason": "gateway_reason", "blocked": "blocked", "halted": "halted", "orders": "orders",
    "fills": "fills", "trades": "trades", "won": "trades_won", "fees": "fees", "alerts": "alerts",
    "warnings": "warnings",
}  # fmt: skip
_AGENT = {
    "id": "id", "kind": "kind", "st": "status", "hp": "health", "conf": "confidence",
    "lean": "lean", "pnl": "paper_result_percent", "w": "weight",
    "calls": "calls", "fails": "failures", "rest": "restarts", "cb": "breaker", "mb": "waiting",
    "lat": "p99_ms", "v": "version", "t": "updated", "err": "last_error",
}  # fmt: skip
_ORDER = {
    "id": "id", "client": "client_id", "t": "decided", "upd": "updated", "sym": "symbol",
    "side": "side", "qty": "quantity", "filled": "filled", "status": "status", "reason": "reason",
    "outcome": "outcome", "mark": "mark", "reduce": "reduce_only",
}  # fmt: skip
_TRADE = {
    "id": "id", "sym": "symbol", "side": "side", "opened": "opened", "closed": "closed",
    "qty": "quantity", "entry": "entry_price", "exit": "exit_price", "net": "net_result",
    "ret": "return", "fees": "fees", "slip": "slippage", "fills": "fills",
}  # fmt: skip
_POSITION = {
    "qty": "quantity", "mark": "mark", "value": "value", "weight": "weight", "target": "target",
    "wanted": "wanted", "avg": "average_price", "upnl": "unrealised", "since": "since",
    "trade": "trade",
}  # fmt: skip
_RISK = {
    "now": "now", "limit": "limit", "set": "configured", "most": "most", "unit": "unit",
    "hits": "hits", "bound": "bound",
}  # fmt: skip
_ALERT = {"t": "at", "sev": "severity", "who": "about", "text": "text", "ack": "acknowledged_by"}
_FINDING = {
    "id": "id", "t": "at", "tick": "tick", "type": "type", "guide": "guide_type",
    "agents": "agents", "n": "agent_count", "eff": "effect", "p": "p_value", "e": "e_value",
    "w": "window", "text": "summary", "null": "null", "ev": "evidence", "given": "given",
    "exp": "experimental", "why": "explained", "alert": "alert", "sym": "symbol",
}  # fmt: skip
_WATCHED = {
    "ticks": "ticks", "n": "findings", "expl": "explained", "budget": "false_findings_budget",
    "exp": "experimental", "rate": "measured", "syms": "symbols", "idle": "idle",
}  # fmt: skip
_VOTE = {"a": "agent", "p": "probability", "w": "weight", "pull": "pull", "market": "market_pull",
         "t": "at"}  # fmt: skip
_INSTANTS = ("t", "upd", "opened", "closed", "since", "heard")


def status(picture: Picture) -> dict[str, Any]:
    """The swarm in a few figures."""
    top = picture.top
    found = _renamed(top, _TOP)
    found["market_time"] = _at(picture.ts)
    found["agents"] = dict(zip(ENUMS["st"], top["st"], strict=False))
    found["health"] = dict(zip(("ok", "warn", "bad"), top["hp"], strict=True))
    return found


def agents(picture: Picture, chosen: Sequence[str] | None = None) -> dict[str, Any]:
    """A row for each agent, in the order of the swarm."""
    ids = picture.agents.columns["id"]
    wanted = None if chosen is None else dict.fromkeys(chosen)
    rows = [i for i in range(picture.agents.n) if wanted is None or str(ids[i]) in wanted]
    return {"agents": [_agent(picture, row) for row in rows]}


def agent(picture: Picture, agent_id: str) -> dict[str, Any]:
    """One row; CommandError not_found where the picture has none."""
    found = agents(picture, [agent_id])["agents"]
    if not found:
        raise CommandError("not_found", f"agent {agent_id!r} is not in the picture yet")
    row: dict[str, Any] = found[0]
    return row


def _agent(picture: Picture, row: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, word in _AGENT.items():
        value: Any = picture.agents.columns[name][row]
        match COLUMNS[name]:
            case "number":
                value = None if math.isnan(value) else float(value)
            case "int":
                value = int(value)
            case "instant":
                value = _at(int(value)) if value else None
        if name in picture.enums:
            value = picture.enums[name][int(value)]
        found[word] = value
        if name == "lean":
            found["last_action"] = action_of(value)
    return found


def positions(picture: Picture) -> dict[str, Any]:
    """By symbol, what is held and what is wanted."""
    table = picture.tables["pos"]
    return {
        "equity": picture.top["eq"],
        "currency": picture.top["cur"],
        "positions": {symbol: _renamed(row, _POSITION) for symbol, row in table.items()},
    }


def orders(picture: Picture, limit: int) -> dict[str, Any]:
    """The newest first."""
    rows = sorted(picture.tables["ord"].values(), key=lambda row: -int(str(row["id"])[1:]))
    return {"orders": [_renamed(row, _ORDER) for row in rows[:limit]]}


def trades(picture: Picture, limit: int) -> dict[str, Any]:
    """Closed ones, the newest first."""
    rows = picture.logs["tr"].rows
    return {
        "closed": picture.top["trades"],
        "won": picture.top["won"],
        "trades": [_renamed(row, _TRADE) for row in reversed(rows[-limit:])],
    }


def decisions(picture: Picture, symbol: str | None) -> dict[str, Any]:
    """The newest of each symbol; CommandError where the symbol is not traded, or none was made."""
    table = picture.tables["dec"]
    if symbol and symbol not in table:
        known = picture.top["symbols"]
        code = "no_data" if symbol in known else "not_found"
        raise CommandError(code, f"there is no decision for {symbol}", hint=", ".join(known))
    return {
        "decisions": {
            name: {**_instants(row), "votes": [_renamed(vote, _VOTE) for vote in row["votes"]]}
            for name, row in table.items()
            if not symbol or name == symbol
        }
    }


def risk(picture: Picture) -> dict[str, Any]:
    """Limits and the gateway."""
    top = picture.top
    return {
        "gateway": top["gw"],
        "gateway_reason": top["gw_reason"],
        "blocked": top["blocked"],
        "halted": top["halted"],
        "limits": {name: _renamed(row, _RISK) for name, row in picture.tables["risk"].items()},
    }


def sources(picture: Picture) -> dict[str, Any]:
    """Of a live run; another has none."""
    return {
        "source": picture.top["source"],
        "live": picture.top["real"],
        "sources": {name: _instants(row) for name, row in picture.tables["src"].items()},
    }


def flow(picture: Picture) -> dict[str, Any]:
    """State changes by kind of sender and reader."""
    table = picture.flow
    names = ("published", "delivered", "merged", "lost", "pending")
    return {
        "flow": [
            {"from": table["from"][row[0]], "to": table["to"][row[1]],
             **dict(zip(names, row[2:], strict=True))}
            for row in table.get("m", ())
        ]
    }  # fmt: skip


def alerts(picture: Picture) -> dict[str, Any]:
    """The newest first."""
    rows = picture.tables["alerts"]
    found = []
    for number in sorted(rows, key=int, reverse=True):
        row = _renamed(rows[number], _ALERT)
        row["severity"] = ENUMS["sev"][row["severity"]]
        found.append({"id": int(number), **row})
    return {"alerts": found}


def findings(picture: Picture, limit: int) -> dict[str, Any]:
    """What nobody coded, the newest first, and how the detectors do that look for it.

    A finding is acknowledged by its alert.
    """
    alerts, found = picture.tables["alerts"], []
    for row in reversed(picture.logs["em"].rows[-limit:]):
        alert = alerts.get(str(row["alert"]))
        seen = None if alert is None else alert["ack"]
        found.append({**_renamed(row, _FINDING), "acknowledged_by": seen})
    detectors = {kind: _renamed(row, _WATCHED) for kind, row in picture.tables["watch"].items()}
    return {"detectors": detectors, "findings": found}


def _renamed(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    plain = _instants(row)
    return {word: plain[name] for name, word in names.items() if name in plain}


def _instants(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its instants readable."""
    return {
        name: _at(value) if name in _INSTANTS and isinstance(value, int) else value
        for name, value in row.items()
    }


def _at(ms: int) -> str:
    return iso(ms * MILLISECOND)
