"""The guide's plain view of the agents: one object each, by id."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.clock import MILLISECOND, iso
from mirrorcore.interfaces.api.problems import Problem
from mirrorcore.interfaces.live.picture import Picture, action_of

FIELDS = (
    "status", "confidence", "last_action", "performance", "health",
    "kind", "signal", "pnl", "mailbox", "updated", "circuit",
)  # fmt: skip
MOST = 1000


def plain_agents(picture: Picture, fields: Sequence[str] = FIELDS) -> dict[str, dict[str, Any]]:
    """Every agent of a picture, in the order of its rows.

    ``performance`` and ``pnl`` are its own paper book after costs, in percent of capital;
    ``signal`` the mean of its vote over the symbols, −1 down to 1 up. Null is what it never said.
    """
    columns = {name: _listed(column) for name, column in picture.agents.columns.items()}
    enums = picture.enums

    def named(column: str, enum: str) -> list[str]:
        return [enums[enum][number] for number in columns[column]]

    shown: dict[str, list[Any]] = {
        "status": named("st", "st"),
        "confidence": columns["conf"],
        "last_action": list(map(action_of, columns["lean"])),
        "performance": columns["pnl"],
        "health": columns["hp"],
        "kind": named("kind", "kind"),
        "signal": columns["lean"],
        "pnl": columns["pnl"],
        "mailbox": columns["mb"],
        "updated": [iso(t * MILLISECOND) if t else None for t in columns["t"]],
        "circuit": named("cb", "cb"),
    }
    return {
        agent: {name: shown[name][row] for name in fields}
        for row, agent in enumerate(columns["id"])
    }


def _listed(column: Any) -> list[Any]:
    """A column as plain values; a number that is none is null."""
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]


def chosen(
    agents: Mapping[str, Mapping[str, Any]], kind: str, status: str, limit: int, cursor: str
) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The agents asked for, and the cursor of the next page, empty where there is none."""
    names = [
        name
        for name, agent in agents.items()
        if (not kind or agent["kind"] == kind) and (not status or agent["status"] == status)
    ]
    start = 0
    if cursor:
        if cursor not in names:
            raise Problem(400, "bad_args", "the cursor is of another list", hint="begin again")
        start = names.index(cursor) + 1
    page = names[start : start + limit]
    more = page[-1] if page and start + limit < len(names) else ""
    return {name: agents[name] for name in page}, more


def wanted_fields(text: str) -> tuple[str, ...]:
    """``status,health`` as the fields to show; all for an empty text."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise Problem(
            400, "bad_args", "fields: there is no such field", hint="known: " + ", ".join(FIELDS)
        )
    return names or FIELDS
