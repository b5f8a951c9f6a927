"""Writes the tables of the documentation that the code knows better than any author.

``python scripts/docs_tables.py`` rewrites what stands between ``<!-- table: NAME -->`` and
``<!-- end -->`` in docs/*.md; ``--check`` writes nothing and exits 1 where a table is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # for benchmarks, which is not installed
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

    return table(
        ("setting", "default", "why"),
        ((f"`{note.key}`", _default(note), note.reason) for note in describe()),
    )


def _default(note: Any) -> str:
    if note.required:
        return "required"
    looks_like_toml = re.fullmatch(r'".*"|\[.*\]|\{.*\}|-?[\d.eE_+-]+|true|false', note.default)
    return f"`{note.default}`" if looks_like_toml else note.default


def source_params() -> str:
    """What each kind of `[[sources]]` may be told; kinds that share a parameter in one row."""
    from mirrorcore.config.source_notes import parameter_notes
    from mirrorcore.config.source_params import PARAMS

    kinds: dict[Any, list[str]] = {}
    for kind in PARAMS:
        for note in parameter_notes(kind):
            kinds.setdefault(note, []).append(f"`{kind}`")
    return table(
        ("kind", "parameter", "default", "why"),
        (
            (", ".join(told), f"`{note.key}`", _default(note), note.reason)
            for note, told in kinds.items()
        ),
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


def swarm_commands() -> str:
    """Every command to a running swarm, with its parameters."""
    from mirrorcore.interfaces.commands.catalogue import SPECS

    def parameters(spec: Any) -> str:
        told = []
        for param in spec.params:
            bounds = ", ".join(param.choices)
            if param.high is not None:
                bounds = f"{param.low:g} to {param.high:g}"
            default = "" if param.default is None else f"; {param.default} by default"
            name = f"`{param.name}`" if param.required else f"[`{param.name}`]"
            told.append(f"{name}: {param.doc}" + (f" ({bounds}{default})" if bounds else ""))
        return "; ".join(told) or "–"

    return table(
        ("command", "who may", "to be confirmed", "what it does", "parameters"),
        (
            (
                " ".join(f"`{name}`" for name in (spec.name, *spec.aliases)),
                spec.role,
                spec.confirms or "never",
                spec.summary,
                parameters(spec),
            )
            for spec in SPECS.values()
        ),
    )


def swarm_errors() -> str:
    """Every code with which a command is not carried out."""
    from mirrorcore.interfaces.commands.failures import HTTP

    return table(("code", "HTTP"), ((f"`{code}`", status) for code, status in HTTP.items()))


def screens() -> str:
    """The budget of the interfaces as the evidence has it last."""
    path = ROOT / "docs" / "evidence" / "screens.json"
    found = json.loads(path.read_text(encoding="utf-8"))["figures"]["rows"]
    return table(
        ("row", "what", "measured", "bar", "met"),
        (
            (row["row"], row["what"], _short(row["figure"]), row["bar"],
             "yes" if row["met"] else "**no**")
            for row in found
        ),
    )  # fmt: skip


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


def _bus() -> Any:
    """The figures of the bus as the evidence has them last."""
    path = ROOT / "docs" / "evidence" / "bus_speed.json"
    return json.loads(path.read_text(encoding="utf-8"))["figures"]


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def bus_rows() -> str:
    """The rows of the design for the bus, and those the research adds."""
    found = _bus()

    def cells(row: Any) -> tuple[str, ...]:
        spread = row["spread"]
        return (
            row["name"],
            f"{'≤' if row['at_most'] else '≥'} {row['bar']:,g} {row['unit']}".rstrip(),
            f"{row['aim']:,g}",
            f"{_short(row['measured'])} ({row['statistic']})",
            f"{_short(spread['best'])} .. {_short(spread['worst'])}",
            "yes" if row["met"] else "**no**",
        )

    return table(
        ("row", "bar", "aim", "measured", "best .. worst", "bar reached"),
        map(cells, found["rows"] + found["more"]),
    )


def bus_cost() -> str:
    """CPU of a delivery: ns, and as a multiple of the bare call loop."""
    found = _bus()
    columns = [
        ("burst, 10 agents", "sync", "burst", "10"),
        ("burst, 100", "sync", "burst", "100"),
        ("burst, 1,000", "sync", "burst", "1000"),
        ("single, 100", "sync", "single", "100"),
        ("market, 100", "sync", "market", "100"),
        ("ten, 100", "sync", "ten", "100"),
        ("async burst, 100", "async", "burst", "100"),
    ]

    def cell(label: str, handlers: str, pattern: str, agents: str) -> str:
        told = found["cost"][handlers][pattern][agents].get(label)
        if told is None:
            return "–"
        return f"{told['ns']['median']:,.0f} ({told['times_bare']['median']:.1f}×)"

    return table(
        ("", *(column[0] for column in columns)),
        ((label, *(cell(label, *column[1:]) for column in columns)) for label in found["order"]),
    )


def bus_harm() -> str:
    """Latency, a slow agent, a raising one, cold start, registration, memory."""
    found = _bus()
    runs, raising = found["latency"], found["raising"]

    def median(told: Any, name: str, digits: int = 0) -> str:
        return f"{told[name]['median']:,.{digits}f}" if name in told else "–"

    def row(label: str) -> Iterator[str]:
        yield label
        yield f"{median(runs['sync'][label], 'p50_us')} / {median(runs['sync'][label], 'p99_us')}"
        slow, without = runs["slow"][label], runs["async"][label]
        yield f"{median(without, 'late_p99_us')} → {median(slow, 'late_p99_us')}"
        yield f"{slow['published_share']['median']:.0%}"
        yield f"{median(slow, 'slow_pending')}; {median(slow, 'slow_age_ms')} ms"
        yield f"{raising[label]['lost_by_others']:,} of {raising[label]['due_to_others']:,}"
        behind = found["backlog"][label]
        yield (
            f"{behind['us']['median'] / 1e3:,.1f} ms, {behind['calls_before']['median']:,.0f} calls"
        )
        yield f"{found['cold']['1000'][label]['ns']['median']:,.0f}"
        joining, churning = (found["registration"][kind] for kind in ("joining", "churning"))
        yield (
            f"{joining[label]['ns']['median'] / 1e3:,.1f} / "
            f"{churning[label]['ns']['median'] / 1e3:,.1f}"
        )
        yield f"{found['bytes_per_idle_agent'][label]:,}"

    return table(
        (
            "",
            "latency p50 / p99, us",
            "p99 from when it was due, without → with a slow agent, us",
            "published then",
            "waiting for it; age",
            "lost by others while one raises",
            "last of 1,000 backlogged agents hears a stop, after",
            "first publish, ns",
            "register / come and go, us",
            "bytes an idle agent",
        ),
        (row(label) for label in found["order"] if label in found["lacks"]),
    )


def bus_rivals() -> str:
    """What an agent of a swarm would miss in each."""
    found = _bus()
    versions = found["versions"]
    return table(
        ("", "what it lacks"),
        (
            (f"{label} {versions.get(label, '')}".rstrip(), f"{lacks[0].upper()}{lacks[1:]}.")
            for label in found["order"]
            if (lacks := found["lacks"].get(label))
        ),
    )


def _arguments(command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    return "".join(f" {one.metavar or one.name.upper()}" for one in arguments)


def isolation() -> str:
    """What a process of its own costs an agent, as the evidence has it last."""
    path = ROOT / "docs" / "evidence" / "isolation.json"
    found = json.loads(path.read_text(encoding="utf-8"))["figures"]

    def cells(spread: Any, unit: str) -> tuple[str, str]:
        return f"{spread['best']:,.0f} {unit}", f"{spread['median']:,.0f} {unit}"

    rows = [("an agent is built, from its registration", *cells(found["start_ms"], "ms"))]
    for symbols, told in sorted(found["tick"].items(), key=lambda entry: int(entry[0])):
        size = found["tick_bytes"][symbols]
        rows += [
            (f"a tick of {symbols} symbols, in the loop", *cells(told["loop"]["wall_us"], "µs")),
            (
                f"the same to a process and back ({size / 1024:,.0f} KiB), admitted",
                *cells(told["process"]["wall_us"], "µs"),
            ),
            ("of it CPU of the bus's own process", *cells(told["process"]["cpu_us"], "µs")),
        ]
    return table(("", "best round", "median round"), rows)


def _validator() -> Any:
    """What the validator's evidence has last."""
    path = ROOT / "docs" / "evidence" / "validator.json"
    return json.loads(path.read_text(encoding="utf-8"))["figures"]


def faults() -> str:
    """What can be wrong, the cases that tell it, and how often it was put into real files."""
    from mirrorcore.market.catalogue import FAULTS

    found = _validator()["faults"]

    def cells(fault: Any) -> Iterator[object]:
        told = found[str(fault.number)]
        yield fault.number
        yield fault.title
        yield fault.where
        yield ", ".join(f"`{case.name}`" for case in fault.cases)
        yield f"{told['detected']:,} of {told['injected']:,}"
        yield told["collateral"]

    return table(
        ("", "what is wrong", "in", "cases", "told", "others refused for it"), map(cells, FAULTS)
    )


def clean() -> str:
    """What the intake says of real files into which nothing was put."""
    figures = _validator()

    def cells(name: str, told: Any) -> Iterator[object]:
        counts = [f"{n:,} `{case}`" for case, n in sorted(told["counts"].items())]
        known = figures["known"].get(name, 0)
        yield name
        yield f"{told['records']:,}"
        yield told["reject"] - known
        yield ", ".join(counts) or "nothing"

    sets = {**figures["clean"], **figures["recordings"]}
    return table(
        ("file", "records", "rejected without fault", "counted"),
        (cells(name, told) for name, told in sorted(sets.items())),
    )


def services() -> str:
    """The services that are asked over HTTP."""
    from mirrorcore.data_sources.services import SERVICES

    return table(
        ("service", "brings", "request", "requests a minute", "keys, by variable"),
        (
            (
                f"`{one.name}`",
                f"{one.category}: {one.brings}",
                f"`{one.request}`" if "://" in one.request else one.request,
                f"{one.per_minute:g}",
                ", ".join(f"`{key}`" for key in one.keys) or "none",
            )
            for one in SERVICES
        ),
    )


def series() -> str:
    """The side-channel series that have a unit."""
    from mirrorcore.market.series import SERIES

    return table(
        ("category", "name", "unit", "made of", "what it is"),
        (
            (info.category, f"`{info.name}`", info.unit, ", ".join(info.kinds), info.meaning)
            for _, info in sorted(SERIES.items())
        ),
    )


def service_terms() -> str:
    """On what terms each may be used, and how its protocol was tried."""
    from mirrorcore.data_sources.services import SERVICES

    return table(
        ("service", "terms and attribution", "tried against"),
        ((f"`{one.name}`", one.licence, one.tried) for one in SERVICES),
    )


def sources() -> str:
    """Every source there is, as `mirrorcore data sources` lists it."""
    from mirrorcore.data_sources.catalogue import catalogue

    return table(
        ("source", "category", "cadence", "key", "in a run as", "tried against", "`data` …"),
        (
            (
                one.name,
                one.category,
                one.cadence,
                "needed" if one.keys else "none",
                f"`{one.kind}`" if one.kind else "–",
                one.tested or "nothing",
                ", ".join(one.commands) or "–",
            )
            for one in catalogue()
        ),
    )


def _emergence(name: str) -> Any:
    """What ``python -m benchmarks.emergence --evidence`` has written of a kind; None without."""
    path = ROOT / "docs" / "evidence" / f"emergence_{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _emergence_rows(part: str, cells: Callable[[str, Any], list[list[str]]]) -> Iterator[list[str]]:
    from benchmarks.emergence.kinds import KINDS

    for kind in KINDS:
        if found := _emergence(kind):
            yield from cells(kind, found["figures"][part])


def emergence_year() -> str:
    """What the monitor found in years of the null market."""
    document = _emergence("null")
    figures = {} if document is None else document["figures"]
    years = len(figures.get("years", ()))

    def whom(told: Any) -> str:
        most = sorted(told.items(), key=lambda entry: (-entry[1], entry[0]))[:5]
        return "; ".join(f"{who}: {number}" for who, number in most)

    return table(
        ("type", f"found in {years} years", "luck makes at most", "explained", "most about"),
        (
            (kind, one["findings"], f"{one['budget']:.2f}", one["explained"],
             whom(one["by_agents"]))
            for kind, one in figures.items()
            if isinstance(one, dict) and "budget" in one
        ),
    )  # fmt: skip


def emergence_in_runs() -> str:
    """What was planted in runs, and what was found."""
    document = _emergence("planted")
    figures = {} if document is None else document["figures"]
    return table(
        ("planted", "type", "found", "median delay", "wrong", "findings without it"),
        (
            (name, one["type"], f"{one['found']}/{one['seeds']}",
             "-" if one["median_delay"] is None else f"{one['median_delay']:,.0f}",
             one["wrong"], one["without"])
            for name, one in figures.items()
        ),
    )  # fmt: skip


def emergence_quiet() -> str:
    """False alarms of the detectors of emergence."""
    from benchmarks.emergence.tables import QUIET_HEAD, quiet_cells

    return table(QUIET_HEAD, _emergence_rows("quiet", quiet_cells))


def emergence_planted() -> str:
    """Their power and delay."""
    from benchmarks.emergence.tables import PLANTED_HEAD, planted_cells

    return table(PLANTED_HEAD, _emergence_rows("planted", planted_cells))


def emergence_cost() -> str:
    """What they cost a tick, and how large what they remember is."""
    from benchmarks.emergence.cost import HEAD, cells

    found = _emergence("detectors")
    return table(HEAD, cells(found["figures"]["rows"]) if found else [])


TABLES: dict[str, Callable[[], str]] = {
    "bus_cost": bus_cost,
    "bus_harm": bus_harm,
    "bus_rivals": bus_rivals,
    "bus_rows": bus_rows,
    "cases": cases,
    "clean": clean,
    "commands": commands,
    "config": config,
    "emergence_in_runs": emergence_in_runs,
    "emergence_cost": emergence_cost,
    "emergence_planted": emergence_planted,
    "emergence_quiet": emergence_quiet,
    "emergence_year": emergence_year,
    "exits": exits,
    "swarm_commands": swarm_commands,
    "swarm_errors": swarm_errors,
    "screens": screens,
    "faults": faults,
    "features": features,
    "isolation": isolation,
    "roster": roster,
    "series": series,
    "service_terms": service_terms,
    "services": services,
    "source_params": source_params,
    "sources": sources,
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
