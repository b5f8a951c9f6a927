"""The inside of an agent, as ``inspect`` answers it: state, what changed in it when, counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from mirrorcore.interfaces.terminal.look import BOLD, DIM, OK
from mirrorcore.interfaces.terminal.pane import Line, line, title
from mirrorcore.interfaces.terminal.text import fit
from mirrorcore.interfaces.terminal.unfold import said, unfold
from mirrorcore.interfaces.terminal.views.audit import asked, result, who

_SHOWN = {
    "state", "history", "events", "commands", "row", "id", "kind", "version", "updated",
    "last_error",
}  # fmt: skip
"""What stands elsewhere on the screen; everything else is listed as it came."""
_NAME = 18
_VALUE = 28


def inside(found: Mapping[str, Any], width: int) -> list[Line]:
    """All of an answer to ``inspect`` as lines."""
    return [
        *_state(found, width),
        line(""),
        *_history(found, width),
        line(""),
        *_commands(found),
        title(" ABOUT IT"),
        *unfold({name: value for name, value in found.items() if name not in _SHOWN}, width),
    ]


def _state(found: Mapping[str, Any], width: int) -> Iterator[Line]:
    version, updated = found.get("version"), str(found.get("updated") or "never")
    stale = " · stale" if found.get("stale") else ""
    yield title(" STATE", f"version {version}, published {updated[:19].replace('T', ' ')}{stale}")
    state = found.get("state")
    if not isinstance(state, Mapping) or not state:
        yield line(" nothing published yet", DIM)
        return
    fields = {
        str(name): field if isinstance(field, Mapping) and "value" in field else {"value": field}
        for name, field in state.items()
    }
    longest = max(len(str(about.get("unit") or "")) for about in fields.values())
    for name, about in fields.items():
        value = _named(about.get("value"), about.get("of"))
        room = max(16, width - _NAME - longest - 4)
        shown = min(room, max(_VALUE, len(value)))
        note = str(about.get("doc") or "")
        yield (
            (f" {fit(name, _NAME)} ", DIM),
            (fit(value, shown), BOLD),
            (f" {fit(str(about.get('unit') or ''), longest)} ", DIM),
            (note, DIM),
        )


def _named(value: Any, names: Any) -> str:
    """A value; one by symbol or voter with the names beside the figures."""
    if isinstance(value, list) and isinstance(names, list) and len(names) == len(value):
        return "  ".join(f"{name} {said(one, 4)}" for name, one in zip(names, value, strict=True))
    return said(value)


def _history(found: Mapping[str, Any], width: int) -> Iterator[Line]:
    yield title(" HISTORY", "what changed, the newest first")
    changes = list(changed(found.get("history")))
    if not changes:
        yield line(" nothing but what it is now", DIM)
    for instant, name, before, after in changes:
        head = f" {instant[5:19].replace('T', ' ')}  {fit(name, _NAME)} "
        room = max(8, (width - len(head) - 3) // 2)
        yield (
            (head, DIM),
            (fit(said(before), min(room, max(8, len(said(before))))), None),
            (" → ", DIM),
            (fit(said(after), room).rstrip(), OK),
        )


def _commands(found: Mapping[str, Any]) -> Iterator[Line]:
    """What operators did to it; nothing where nobody did."""
    entries = found.get("commands")
    if not isinstance(entries, list) or not entries:
        return
    yield title(" COMMANDS", "that touched it, the newest first")
    for entry in reversed(entries):
        status, style = result(entry)
        yield (
            (f" {str(entry.get('wall') or '')[5:19].replace('T', ' ')}  ", DIM),
            (f"{entry.get('command')} {asked(entry)} ", None),
            (f"{status} ", style),
            (who(entry), DIM),
        )
    yield line("")


def changed(history: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """(instant, field, before, after) of every change, the newest first.

    ``history`` has for each field its rows of instant and value, the oldest first.
    """
    if not isinstance(history, Mapping):
        return
    found = [
        (str(after[0]), str(name), before[1], after[1])
        for name, rows in history.items()
        for before, after in pairwise(rows)
        if said(before[1]) != said(after[1])  # a change that cannot be seen is not shown
    ]
    yield from sorted(found, key=lambda change: change[0], reverse=True)
