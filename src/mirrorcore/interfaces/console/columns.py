"""Which columns of an answer come first, where not all of them have room beside each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_FIRST = {
    "trades": ("id", "symbol", "side", "net_result", "return", "fees", "quantity", "closed"),
    "orders": ("id", "symbol", "side", "status", "quantity", "filled", "reason", "decided"),
    "positions": ("", "quantity", "value", "unrealised", "weight", "target", "average_price"),
    "audit": ("command", "by", "status", "error", "wall", "args", "reason"),
}
"""By command: what it is asked for, so that a narrow screen shows it; the others follow."""


def ordered(command: str, names: Iterable[str]) -> list[str]:
    """The columns of a table in the order in which they are shown."""
    there = list(dict.fromkeys(names))
    first = [name for name in _FIRST.get(command, ()) if name in there]
    return first + [name for name in there if name not in first]


def short(command: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row as a table shows it: who gave a command and when is told whole in the document."""
    by, wall = row.get("by"), row.get("wall")
    if command != "audit" or not isinstance(by, Mapping):
        return row
    who = f"{by.get('name')} ({by.get('origin')})"
    return {**row, "by": who, "wall": re.sub(r"T([\d:]{8}).*", r" \1", str(wall))}
