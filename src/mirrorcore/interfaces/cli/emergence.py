"""``mirrorcore emergence``: what a run found that nobody coded, how much of it is luck, and what
its monitor has learned, for the next run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.interfaces.cli.answer import Answer, Session, say
from mirrorcore.interfaces.cli.registration import command, group
from mirrorcore.interfaces.cli.rerun import RunName
from mirrorcore.interfaces.cli.settings import RunsFolder

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.emergence.record import Found
    from mirrorcore.journal import RunInfo
    from mirrorcore.swarm.emergence.baseline import Baseline
    from mirrorcore.swarm.emergence.written import Written


def register(app: typer.Typer) -> None:
    """Add the commands."""
    emergence = group("Behaviour that nobody coded.")
    command(emergence, "report")(report)
    baseline = group("What a monitor has learned, for a later run of the same agents.")
    command(baseline, "save")(save)
    command(baseline, "show")(show_baseline)
    emergence.add_typer(baseline, name="baseline")
    app.add_typer(emergence, name="emergence")


BaselineFile = Annotated[Path, typer.Argument(metavar="FILE", help="File of the baseline.")]


def save(session: Session, folder: RunsFolder, run: RunName, file: BaselineFile) -> Answer:
    """Keep what the monitor of a run has learned; [emergence] learned = "FILE" starts from it."""
    from mirrorcore.errors import UsageError
    from mirrorcore.journal import RunRegistry
    from mirrorcore.swarm.emergence.baseline import NAME, Baseline

    found = RunRegistry(folder.path(session)).find(run)
    kept = found.path / NAME
    if not kept.is_file():
        raise UsageError(
            f"the monitor of run {found.id} has left nothing to start from",
            hint=_no_baseline(found),
        )
    if file.exists():
        raise UsageError(f"{file} is there already", hint="name another file, or remove it")
    baseline = Baseline(kept)
    try:
        shutil.copyfile(kept, file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return _told(baseline, f"saved as {file}")


def _no_baseline(run: RunInfo) -> str:
    from mirrorcore.journal import RunStatus
    from mirrorcore.swarm.emergence.written import unwatched_run

    if setting := unwatched_run(run.identity):
        return f"it was not watched, for {setting}; a run that is watched leaves it when it ends"
    return {
        RunStatus.RUNNING: "it goes on; what it has learned is kept when it ends",
        RunStatus.INTERRUPTED: "it was killed, and a killed run leaves no baseline: use another",
        RunStatus.FAILED: "it failed, and a failed run may leave no baseline: use another",
        RunStatus.FINISHED: "it ended before its monitor had learned anything: let it run longer",
    }[run.status]


def show_baseline(session: Session, file: BaselineFile) -> Answer:
    """Show what a baseline was learned from, and what a run has to be to start from it."""
    from mirrorcore.swarm.emergence.baseline import Baseline

    del session
    return _told(Baseline(file), f"baseline {file}")


def _told(baseline: Baseline, head: str) -> Answer:
    import msgspec

    header = baseline.header

    def show(out: Console) -> None:
        say(out, head)
        say(out, f"  format {header.format}, detectors {header.layout[:12]} of {header.version}")
        say(out, f"  learned in run {header.run}, configuration {header.config[:12]}")
        say(out, f"  roster {header.roster[:12]}, voters: {', '.join(header.voters)}")
        say(out, f"  symbols: {', '.join(header.symbols)}; bars of {header.bar_ns / 1e9:g} s")
        for kind, ticks in header.ticks.items():
            say(out, f"  {kind:15} {ticks:,} ticks")

    return Answer(msgspec.to_builtins(header), show)


def report(session: Session, folder: RunsFolder, run: RunName) -> Answer:
    """Show the findings of a run, from its journal, against the number luck alone may make."""
    import msgspec

    from mirrorcore.journal import RunRegistry
    from mirrorcore.swarm.emergence.written import read_findings

    found = RunRegistry(folder.path(session)).find(run)
    written = read_findings(found.journal)
    detectors = _detectors(written)
    missing = "" if detectors else _no_detectors(found, len(written.findings))
    document = {
        "run_id": found.id,
        "ticks": written.ticks,
        "detectors": detectors,
        "detectors_missing": missing,
        "findings": [
            {**msgspec.to_builtins(one), "acknowledged_by": written.acknowledged.get(one.alert)}
            for one in written.findings
        ],
    }

    def show(out: Console) -> None:
        say(out, f"run {found.id}, {written.ticks:,} ticks")
        for kind, row in detectors.items():
            say(out, _line(kind, row), "yellow" if row["findings"] else "")
        if missing:
            say(out, missing)
        for one in written.findings:
            _show(out, one, written.acknowledged.get(one.alert))

    return Answer(document, show)


def _no_detectors(run: RunInfo, findings: int) -> str:
    """Why the journal does not say how the detectors did."""
    from mirrorcore.journal import RunStatus
    from mirrorcore.swarm.emergence.written import unwatched_run

    if setting := unwatched_run(run.identity):
        history = setting.startswith("emergence.history")
        return f"nothing was watched for: {setting}" + (
            ", and this is a replay of history" if history else ""
        )
    how = {
        RunStatus.RUNNING: "watched, and the run goes on",
        RunStatus.INTERRUPTED: "watched, until the run was killed",
        RunStatus.FAILED: "watched, until the run failed",
        RunStatus.FINISHED: "watched",
    }[run.status]
    so_far = f"findings so far: {findings}" if findings else "no findings so far"
    return f"{how}; {so_far}. What each detector saw stands in the journal only when a run ends"


def _detectors(written: Written) -> dict[str, dict[str, Any]]:
    from mirrorcore.emergence.standing import rate_told

    return {
        kind: {
            "ticks": one.ticks,
            "findings": one.findings,
            "explained": one.explained,
            "false_findings_budget": round(one.budget, 6),
            "experimental": one.experimental,
            "measured": rate_told(kind),
            "symbols": one.symbols,
            "idle": one.idle,
        }
        for kind, one in written.watched.items()
    }


def _line(kind: str, row: dict[str, Any]) -> str:
    if row["idle"]:
        return f"{kind:15} not at work: {row['idle']}"
    told = (
        f"{kind:15} {row['findings']} found, {row['explained']} explained away; luck alone makes "
        f"at most {row['false_findings_budget']:.3f} in {row['ticks']:,} ticks"
    )
    told += "; experimental: its bars are not proven" if row["experimental"] else ""
    return f"{told}; measured: {row['measured']}"


def _show(out: Console, one: Found, seen: str | None) -> None:
    from mirrorcore.clock import iso

    evidence = f"p = {one.p:.3g}" if one.p is not None else f"e = {one.e:,.4g}"
    about = f" in {one.symbol}" if one.symbol else ""
    say(out, "")
    say(out, f"F{one.number} {one.type} ({one.guide}){about}, tick {one.tick:,}, {iso(one.ts)}")
    say(out, f"  {one.summary}")
    effect = one.effect
    say(out, f"  effect: {effect.name} {effect.value:.4g} {effect.unit}, {effect.direction}")
    say(out, f"  evidence: {evidence}, ticks {one.window[0]:,} to {one.window[1]:,}, against:")
    say(out, f"    {one.null}")
    if one.given:
        say(out, f"  given: {', '.join(one.given)}")
    if one.explained:
        say(out, f"  explained away: {one.explained}")
    else:
        say(out, f"  {'seen by ' + seen if seen else f'alert {one.alert}, not acknowledged'}")
