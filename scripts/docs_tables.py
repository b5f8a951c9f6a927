"""Writes the tables of the documentation that the code knows better than any author.

``python scripts/docs_tables.py`` rewrites what stands between ``<!-- table: NAME -->`` and
``<!-- end -->`` in docs/*.md; ``--check`` writes nothing and exits 1 where a table is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.S)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; bars and line ends within cells are escaped."""
    names = list(head)
    lines = [names, ["---"] * len(names)]
    lines += [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def config() -> str:
    """Every setting with its default and the reason for it."""
    from mirrorcore.config import describe

    def default(note: Any) -> str:
        if note.required:
            return "required"
        looks_like_toml = re.fullmatch(r'".*"|\[.*\]|\{.*\}|-?[\d.eE_+-]+|true|false', note.default)
        return f"`{note.default}`" if looks_like_toml else note.default

    return table(
        ("setting", "default", "why"),
        ((f"`{note.key}`", default(note), note.reason) for note in describe()),
    )


def cases() -> str:
    """What the intake can notice in a record, and what it does then."""
    from mirrorcore.market.intake import Case

    return table(
        ("case", "what is done", "what it means"),
        (
            (f"`{case.name}`", case.action.value, case.description)
            for case in Case
            if case is not Case.NONE
        ),
    )


def features() -> str:
    """What is computed from bars of five minutes."""
    from mirrorcore.clock import MINUTE
    from mirrorcore.market.features import features as all_features

    return table(
        ("category", "name", "bars before the first value"),
        ((f.category, f"`{f.name}`", f.warm_up) for f in all_features(5 * MINUTE)),
    )


def roster() -> str:
    """The agents of the standard preset in the order in which they are called."""
    from mirrorcore.clock import format_duration
    from mirrorcore.config import RunConfig
    from mirrorcore.swarm.recruiting import recruit

    return table(
        ("agent", "form", "votes", "called", "reads", "what it is"),
        (
            (
                f"`{m.agent_id}`",
                m.form.value,
                "yes" if m.votes else "no",
                f"every {format_duration(m.cadence_ns)}" if m.cadence_ns else "every tick",
                ", ".join((*m.interests, *m.agent_interests)) or "nothing",
                str(type(m.agent).__doc__).strip().split("\n")[0],
            )
            for m in recruit(RunConfig())
        ),
    )


def exits() -> str:
    """The exit codes and who causes them."""
    from mirrorcore import errors

    rows: list[tuple[object, str]] = [(0, "done")]
    base = errors.MirrorCoreError
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, base)]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        rows.append((kind.exit_code, str(kind.__doc__).strip().split("\n")[0]))
    rows[1] = (1, "Anything that failed and has no code of its own.")
    rows.append((130, "Interrupted with Ctrl-C; a run that was under way is reported."))
    return table(("code", "meaning"), rows)


def commands() -> str:
    """Every command of the command line, with its arguments."""
    return table(
        ("command", "what it does"),
        (
            (f"`{path}{_arguments(command)}`", (command.help or "").strip().split("\n")[0])
            for path, command in command_tree()
        ),
    )


def command_tree() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its path from ``mirrorcore`` on."""
    from typer.main import get_command

    from mirrorcore.interfaces.cli.application import application

    def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield path, command
            return
        for name, inner in below.items():
            yield from leaves(inner, f"{path} {name}")

    yield from leaves(get_command(application()), "mirrorcore")


def _arguments(command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    return "".join(f" {one.metavar or one.name.upper()}" for one in arguments)


TABLES: dict[str, Callable[[], str]] = {
    "cases": cases,
    "commands": commands,
    "config": config,
    "exits": exits,
    "features": features,
    "roster": roster,
}


def rendered(text: str) -> str:
    """``text`` with every marked table as it is now."""
    return _MARKED.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)


def main(arguments: list[str]) -> int:
    """Rewrite the tables, or with ``--check`` only say which are out of date."""
    stale = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        fresh = rendered(text)
        if fresh != text:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(fresh, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
