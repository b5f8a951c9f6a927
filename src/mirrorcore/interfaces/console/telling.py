"""What came of a command: for a person, and as an exit code. Text from outside is made harmless."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mirrorcore.interfaces.console.columns import ordered, short
from mirrorcore.interfaces.terminal.text import harmless

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.interfaces.console.catalogue import Catalogue, Entry
    from mirrorcore.report.explanation import Explanation

Outcome = Mapping[str, Any]

_EXITS = {
    **dict.fromkeys(
        (
            "bad_args",
            "idempotency_key_required",
            "unknown_command",
            "unknown_agent",
            "not_found",
            "wrong_content_type",
            "idempotency_key_reused",
            "out_of_bounds",
        ),
        2,
    ),
    "no_data": 4,
    **dict.fromkeys(
        (
            "unauthenticated",
            "read_only",
            "bad_origin",
            "bad_host",
            "exceeds_hard_limit",
            "shift_too_large",
            "confirm_required",
        ),
        6,
    ),
}
"""Code of an error -> exit code: 2 the call is wrong, 4 no data, 6 refused for safety, else 1."""

_SHOWN = 12
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::00)?\+00:00")
"""Whole minutes in UTC, which need no more than that to be read."""
_WIDEST = 48
"""Characters a column may ask for; longer cells are folded."""
_STYLES = {"done": "green", "dry_run": "cyan", "partial": "yellow"}


def exit_code_of(outcome: Outcome) -> int:
    """0 done, 1 failed or in part, 2 a wrong call, 4 no data, 6 refused for safety."""
    error = outcome.get("error")
    if error:
        return _EXITS.get(str(error.get("code")), 1)
    return 0 if outcome.get("status") in ("done", "dry_run") else 1


def show_outcome(outcome: Outcome, out: Console, *, changes: bool) -> None:
    """One outcome; of a command that changes something also who did it and where it stands."""
    error = outcome.get("error")
    if error:
        show_error(outcome, out)
        return
    if changes:
        status = str(outcome.get("status"))
        _say(out, _headline(outcome), _STYLES.get(status, "red"))
        for name, why in missing_of(outcome).items():
            _say(out, f"  missing  {name}" + (f": {why}" if why else ""), "yellow")
    result = outcome.get("result")
    explained = explanation_of(outcome)
    if explained is not None:
        from mirrorcore.report.why_screen import render_why

        render_why(explained, out)
    elif result not in (None, {}, []):
        name = str(outcome.get("name", ""))
        shown, indent = (result, 2) if changes else (_alone(result), 0)
        show_value(shown, out, indent=indent, command=name)
    elif not changes:
        _say(out, "nothing", "dim")


def explanation_of(outcome: Outcome) -> Explanation | None:
    """What ``why`` answered; None where it is the answer of another command."""
    if outcome.get("name") != "why" or not outcome.get("result"):
        return None
    import msgspec

    from mirrorcore.report.explanation import Explanation

    try:
        return Explanation.read(outcome["result"])
    except msgspec.ValidationError:
        return None  # of a swarm of another version: shown as any answer is


def _alone(result: Any) -> Any:
    """What stands alone in a result needs no heading."""
    inner = next(iter(result.values())) if isinstance(result, Mapping) and len(result) == 1 else ""
    return inner if isinstance(inner, list | Mapping) else result


def show_error(outcome: Outcome, out: Console) -> None:
    error = outcome.get("error") or {}
    _say(out, f"error: {error.get('message') or error.get('code')}", "red")
    for name, why in _fields(error.get("fields")):
        _say(out, f"  {name}: {why}", "red")
    if error.get("hint"):
        _say(out, f"  → {error['hint']}")
    if error.get("retry_after"):
        _say(out, f"  → try again in {error['retry_after']} s")


def _fields(fields: object) -> list[tuple[str, object]]:
    return list(fields.items()) if isinstance(fields, Mapping) else []


def _headline(outcome: Outcome) -> str:
    words = {"done": "done", "dry_run": "would be done", "partial": "done in part"}
    text = words.get(str(outcome.get("status")), str(outcome.get("status")))
    count, acked = outcome.get("target_count"), outcome.get("acked") or ()
    if count:
        text += f", {len(acked)} of {count} acknowledged"
    notes = [
        f"{label} {outcome[key]}"
        for key, label in (("tick", "before tick"), ("audit_seq", "audit"))
        if outcome.get(key) is not None
    ]
    return f"{outcome.get('name')}: {text}" + (f" ({', '.join(notes)})" if notes else "")


def missing_of(outcome: Outcome) -> dict[str, str]:
    """Who did not acknowledge, with the reason where one is given."""
    missing = outcome.get("missing") or {}
    if isinstance(missing, Mapping):
        return {str(name): str(why or "") for name, why in missing.items()}
    found: dict[str, str] = {}
    for one in missing:
        if isinstance(one, Mapping):
            name = one.get("agent", one.get("id", one.get("name", "?")))
            found[str(name)] = str(one.get("reason", one.get("why", "")))
        else:
            found[str(one)] = ""
    return found


# -- results of any shape


def show_value(value: Any, out: Console, *, indent: int = 0, command: str = "") -> None:
    """Figures as lines, rows of the same fields as a table, what is inside further in.

    ``command`` is whose answer it is, which says what columns come first.
    """
    if isinstance(value, Mapping):
        _show_mapping(value, out, indent, command)
    elif isinstance(value, list | tuple):
        _show_list(value, out, indent, command)
    else:
        _say(out, " " * indent + _text(value))


def _show_mapping(value: Mapping[str, Any], out: Console, indent: int, command: str) -> None:
    if len(value) > 1 and all(isinstance(inner, Mapping) for inner in value.values()):
        rows = [{"": name, **inner} for name, inner in value.items()]
        if _is_flat(rows):
            _table(rows, out, indent, command)
            return
    width = max((len(harmless(str(name))) for name in value), default=0)
    for name, inner in value.items():
        label = " " * indent + harmless(str(name)).ljust(width)
        if _is_short(inner):
            _say(out, f"{label}  {_text(inner)}")
        else:
            _say(out, label.rstrip(), "bold")
            show_value(inner, out, indent=indent + 2, command=command)


def _show_list(value: Sequence[Any], out: Console, indent: int, command: str) -> None:
    if not value:
        _say(out, " " * indent + "none", "dim")
    elif all(isinstance(one, Mapping) for one in value) and _is_flat(value):
        _table(value, out, indent, command)
    else:
        for one in value:
            if _is_short(one):
                _say(out, " " * indent + f"• {_text(one)}")
            else:
                show_value(one, out, indent=indent + 2, command=command)
                _say(out, "")


def _table(rows: Sequence[Mapping[str, Any]], out: Console, indent: int, command: str) -> None:
    """Rows of the same fields; as many columns as there is room for, in their order."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    rows = [short(command, row) for row in rows]
    names = ordered(command, (name for row in rows for name in row))
    cells = {name: [_text(row.get(name)) for row in rows] for name in names}
    shown = _that_fit(cells, out.width - indent)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in shown:
        number = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(
            harmless(str(name)), justify="right" if number else "left", overflow="fold"
        )
    for row in range(len(rows)):
        table.add_row(*(Text(cells[name][row]) for name in shown))
    out.print(Padding(table, (0, 0, 0, indent)))
    left_out = [harmless(str(name)) for name in names if name not in shown]
    if left_out:
        _say(out, " " * indent + f"not shown: {', '.join(left_out)}; --json shows all", "dim")


def _that_fit(cells: Mapping[str, Sequence[str]], room: int) -> list[str]:
    """The columns that fit beside each other; the first is always there, empty ones never."""
    shown: list[str] = []
    for name, column in cells.items():
        if shown and all(cell in ("", "–") for cell in column):
            continue
        width = min(max(len(str(name)), *(len(cell) for cell in column)), _WIDEST) + 2
        if shown and width > room:
            break
        shown.append(name)
        room -= width
    return shown


def _is_flat(rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(_is_short(cell) for row in rows for cell in row.values())


def _is_short(value: Any) -> bool:
    """Whether it fits a cell: a figure, a text, a few of them."""
    if isinstance(value, Mapping):
        return len(value) <= 4 and all(not isinstance(v, Mapping | list) for v in value.values())
    if isinstance(value, list | tuple):
        return len(value) <= _SHOWN and all(not isinstance(v, Mapping | list) for v in value)
    return True


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{harmless(str(k))} {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    text = harmless(str(value))
    instant = _INSTANT.fullmatch(text)
    return f"{instant[1]} {instant[2]}" if instant else text


# -- help


def show_help(catalogue: Catalogue, out: Console) -> None:
    """All commands, a line each."""
    width = max((len(entry.usage()) for entry in catalogue.entries.values()), default=0)
    for entry in catalogue.entries.values():
        mark = "●" if entry.changes else " "
        _say(out, f"{mark} {entry.usage().ljust(min(width, 46))}  {entry.summary}")
    _say(out, "")
    _say(out, "● changes something. 'help COMMAND' says more, 'quit' leaves; the swarm goes on.")


def show_entry(entry: Entry, out: Console) -> None:
    """One command with its arguments."""
    _say(out, entry.usage(), "bold")
    _say(out, entry.summary)
    _say(out, f"role      {entry.role}")
    if entry.confirms:
        _say(out, f"confirm   {entry.confirms}")
    if entry.aliases:
        _say(out, f"also      {', '.join(entry.aliases)}")
    for one in entry.parameters:
        _say(out, f"  {one.name:10} {one.about()}")


def _say(out: Console, text: str, style: str = "") -> None:
    from mirrorcore.interfaces.cli.answer import say

    say(out, "\n".join(map(harmless, text.split("\n"))), style)
