"""``mirrorcore data import`` and ``data check``: own files, judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorcore.errors import UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.progress import progress
from mirrorcore.interfaces.cli.registration import command

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.data_sources.checked import Checked
    from mirrorcore.data_sources.importing import Imported

_PATH = Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder of files.")]
_OUT = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files made.")]
_VENUE = Annotated[
    str, typer.Option("--venue", metavar="NAME", show_default=False, help="For the files' names.")
]
_ZONE = Annotated[
    str, typer.Option("--zone", metavar="ZONE", help="Whose wall clock the times are.")
]
_AHEAD = Annotated[
    str,
    typer.Option(
        "--ahead", metavar="DURATION", help="How far the times run before that clock, as 7h."
    ),
]
_POINTS = Annotated[
    int,
    typer.Option(
        "--points", min=0, max=8, help="Decimals of prices written as whole numbers; 5 as a rule."
    ),
]
_REPLACE = Annotated[bool, typer.Option("--replace", help="Write over files that are there.")]
_SAMPLES = Annotated[int, typer.Option("--samples", min=0, max=8, help="Shown of each case.")]


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How a file is read where it does not say it itself."""

    symbol: Annotated[
        str | None,
        typer.Option(
            "--symbol", metavar="A/B", show_default=False, help="Where the name does not say."
        ),
    ] = None
    timeframe: Annotated[
        str | None,
        typer.Option(
            "--timeframe", metavar="DURATION", show_default=False, help="Length of a bar."
        ),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="OURS=THEIRS",
            show_default=False,
            help="A column's name in the file, as time=Date; may be repeated.",
        ),
    ] = None
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit", metavar="s|ms|us|ns", show_default=False, help="Of epoch times; else by size."
        ),
    ] = None

    def bar_ns(self) -> int:
        """Length of a bar, 0 where nobody said."""
        from mirrorcore.market.timeframe import parse_timeframe

        try:
            return parse_timeframe(self.timeframe) if self.timeframe else 0
        except ValueError as error:
            raise UsageError(f"--timeframe {error}", hint="write 1m, 5m, 1h or 1d") from None

    def canonical(self) -> str:
        """The symbol, empty where nobody said."""
        from mirrorcore.data_sources.importing import parse_symbol

        return parse_symbol(self.symbol) if self.symbol else ""

    def columns(self) -> dict[str, str]:
        from mirrorcore.data_sources.importing import parse_columns

        return parse_columns(self.column or [])

    def known_unit(self) -> str | None:
        """The unit; UsageError where it is none."""
        from mirrorcore.market.timeframe import NS_PER_UNIT

        if self.unit is not None and self.unit not in NS_PER_UNIT:
            raise UsageError(
                f"--unit was {self.unit!r}", hint=f"choose among {', '.join(NS_PER_UNIT)}"
            )
        return self.unit


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "import")(import_files)
    command(app, "check")(check)


def import_files(
    session: Session,
    options: FileOptions,
    path: _PATH,
    out: _OUT = Path("candles"),
    venue: _VENUE = "",
    zone: _ZONE = "UTC",
    ahead: _AHEAD = "0h",
    points: _POINTS = 0,
    replace: _REPLACE = False,
) -> Answer:
    """Make own candles, quotes or recordings into files a run reads; exit 4 if any cannot be."""
    from mirrorcore.clock import parse_duration
    from mirrorcore.data_sources.any_recording import kind_of_recording
    from mirrorcore.data_sources.importing import ImportPlan, files_of, import_file
    from mirrorcore.data_sources.importing_recordings import import_recording
    from mirrorcore.data_sources.macro.releases import zone_of

    zone_of(zone)
    try:
        ahead_ns = parse_duration(ahead)
    except ValueError as error:
        raise UsageError(f"--ahead {error}") from None
    plan = ImportPlan(
        out, options.canonical(), options.bar_ns(), venue, options.columns(), options.known_unit(),
        zone, ahead_ns, points, replace,
    )  # fmt: skip
    files = files_of(path)
    if plan.symbol and len(files) > 1:
        raise UsageError(
            f"--symbol is of one file, and {path} holds {len(files)}", hint="name the file"
        )
    found = []
    with progress(session, "import", lines=True) as told:
        for number, one in enumerate(files):
            told(number, len(files))
            kind = kind_of_recording(one)
            found += import_recording(one, kind, plan) if kind else [import_file(one, plan)]
    return _told_imports(found)


def _told_imports(found: list[Imported]) -> Answer:
    from mirrorcore.clock import iso
    from mirrorcore.interfaces.cli.verdicts import UNUSABLE, counts, sampled

    document = {
        "files": [
            {
                "path": one.path,
                "written": one.target,
                "bars": one.bars,
                "start": iso(one.stretch.start) if one.stretch else None,
                "end": iso(one.stretch.end) if one.stretch else None,
                "cases": counts(one.report),
                "samples": [sampled(sample) for sample in one.report.quarantine],
                "notes": one.notes,
                "problem": one.problem or None,
                "hint": one.hint or None,
            }
            for one in found
        ]
    }

    def show(out: Console) -> None:
        for one in found:
            if one.target is None or one.stretch is None:
                say(out, f"{one.path}: not imported", "red")
                say(out, f"  {one.problem}")
                say(out, f"    → {one.hint}")
                continue
            first, end = iso(one.stretch.start), iso(one.stretch.end)
            say(
                out, f"{one.path} → {one.target}: {one.bars:,} bars, {first[:16]} to {end[:16]} UTC"
            )
            cases = ", ".join(f"{times:,} {case}" for case, times in counts(one.report).items())
            say(out, f"  {cases or 'nothing to remark'}")
            for note in one.notes:
                say(out, f"  {note}", "dim")

    return Answer(document, show, UNUSABLE if any(one.target is None for one in found) else 0)


def check(session: Session, options: FileOptions, path: _PATH, samples: _SAMPLES = 3) -> Answer:
    """Judge candles, quotes, series and recordings; exit 4 if any cannot be used."""
    from mirrorcore.data_sources.checking import Reading, check_path

    reading = Reading(
        options.canonical(), options.bar_ns(), options.columns(), options.known_unit()
    )
    with progress(session, "check", lines=True) as told:
        found = check_path(path, reading, tell=told)
    return _told_checks(found, samples)


def _told_checks(found: list[Checked], samples: int) -> Answer:
    from mirrorcore.interfaces.cli.verdicts import UNUSABLE, case_table, described, verdict_line

    def show(out: Console) -> None:
        for one in found:
            say(out, str(one.path), "bold")
            verdict_line(one, out)
            case_table(one, out, samples=samples)

    usable = all(one.usable for one in found)
    document = {"usable": usable, "files": [described(one) for one in found]}
    return Answer(document, show, 0 if usable else UNUSABLE)
