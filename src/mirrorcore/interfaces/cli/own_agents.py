"""``mirrorcore agents new`` and ``agents test``: an agent of one's own, begun and examined."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorcore.errors import CheckFailedError, UsageError
from mirrorcore.interfaces.cli.answer import Answer, Session, console, encode, say
from mirrorcore.interfaces.cli.registration import command
from mirrorcore.interfaces.cli.settings import Settings, load

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.config.model import RunConfig
    from mirrorcore.swarm.contract import ContractReport

_CONFIG = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default=False,
        help="TOML file; mirrorcore.toml in this folder if there is one.",
    ),
]
_NEW_NAME = Annotated[str, typer.Argument(metavar="NAME", help="Class and id, as GreedyFox.")]
_FORM = Annotated[
    str, typer.Option("--form", metavar="guide|tick|block", help="How it is written.")
]
_TARGET = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="An agent of the swarm, or a Python file.")
]
_CLASS = Annotated[
    str | None,
    typer.Option("--class", metavar="NAME", show_default=False, help="Which class of the file."),
]
_INTERESTS = Annotated[
    str | None,
    typer.Option(
        "--interests",
        metavar="A,B",
        show_default=False,
        help="What the agent of a file reads, where no entry says so.",
    ),
]
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("–", "dim")}


def register(agents: typer.Typer) -> None:
    """Add the commands to the group of agents."""
    command(agents, "new")(begin)
    command(agents, "test")(examine)


def begin(name: _NEW_NAME, form: _FORM = "guide", config: _CONFIG = None) -> Answer:
    """Begin an agent: its file, its test, its entry in the configuration."""
    from mirrorcore.interfaces.scaffold.agents import CONFIG, create_agent

    made = create_agent(name, form, config or Path(CONFIG))
    files = [made.file, made.test]
    chosen = "" if config is None else f" -c {made.config}"
    step = f"mirrorcore agents test {made.name}{chosen}"
    if not made.added:
        reads = " --interests technical" if form == "guide" else ""
        step = f"mirrorcore agents test {made.file}{reads}"

    def show(out: Console) -> None:
        for path in files:
            say(out, f"  wrote  {path}")
        if made.added:
            say(out, f"  added  its entry to {made.config}")
        else:
            say(out, f"  {made.why_not}; put this into your configuration:", "yellow")
            say(out, "")
            say(out, made.entry.rstrip())
        say(out, "")
        say(out, "Next:")
        say(out, f"  {step}", "bold")

    document = {
        "agent": made.name,
        "form": made.form,
        "written": files,
        "config": made.config,
        "entry": made.entry,
        "added": made.added,
        "why_not": made.why_not,
        "next": [step],
    }
    return Answer(document, show)


def examine(
    session: Session,
    target: _TARGET,
    config: _CONFIG = None,
    class_name: _CLASS = None,
    interests: _INTERESTS = None,
) -> Answer:
    """Hold an agent to what every agent keeps to; exit 5 where it does not."""
    from mirrorcore.swarm.contract import check_agent, patience

    loaded = load(session, Settings(config=config or config_here())).config

    def given_up(report: ContractReport) -> None:
        """Say what there is to say and leave: nothing ends the call that is waited for."""
        answer = _answer(report)
        if session.json:
            sys.stdout.write(encode(answer.document) + "\n")
        else:
            answer.show(console(sys.stdout))
        sys.stdout.flush()
        os._exit(answer.exit_code)

    with patience(_own_files(loaded, target, class_name), given_up):
        swarm, agent_id = _chosen(loaded, target, class_name, _names(interests))
        return _answer(check_agent(swarm, agent_id))


def _answer(report: ContractReport) -> Answer:
    def show(out: Console) -> None:
        _show(report, out)

    document = {**asdict(report), "passed": report.passed}
    return Answer(document, show, 0 if report.passed else CheckFailedError.exit_code)


def _own_files(config: RunConfig, target: str, class_name: str | None) -> Mapping[str, str]:
    """Files of the user's own that are executed, as they are given to Python -> the agent's name.

    What class is in the file of the target is not known before it has been loaded.
    """
    files = {str(Path(target).resolve()): class_name or ""}
    for entry in config.agent:
        if entry.file is not None:
            # Of another name for the same file the agent's own counts.
            files |= dict.fromkeys((str(entry.file), str(Path(entry.file).resolve())), entry.id)
    return files


def config_here() -> Path | None:
    """The configuration of the project in this folder, if it is one."""
    from mirrorcore.interfaces.scaffold.agents import CONFIG

    return Path(CONFIG) if Path(CONFIG).is_file() else None


def _show(report: ContractReport, out: Console) -> None:
    calls = f"called {report.calls:,} times over {report.ticks:,} ticks of a simulated market"
    tried = f"({report.form}), {calls}" if report.ticks else "was given up"
    say(out, f"{report.agent_id} {tried}", "bold")
    for finding in report.findings:
        mark, style = _MARKS[finding.verdict]
        detail = f": {finding.detail}" if finding.detail else ""
        say(out, f"  {mark} {finding.promise}{detail}", style)
        if finding.verdict == "failed" and finding.hint:
            say(out, f"    → {finding.hint}")
    broken = sum(finding.verdict == "failed" for finding in report.findings)
    if broken:
        if report.ticks:
            told = f"{broken} of {len(report.findings)} promises are broken"
        else:
            told = "the promises could not be tried"
        say(out, f"FAILED: {told}", "bold red")
    else:
        say(out, "passed", "green")


def _chosen(
    config: RunConfig, target: str, class_name: str | None, interests: Sequence[str] | None
) -> tuple[RunConfig, str]:
    """The swarm with the agent in it, and the agent's id there."""
    path = Path(target)
    if path.suffix == ".py" or path.is_file():
        return _of_file(config, path, class_name, interests)
    if class_name is not None or interests is not None:
        raise UsageError("--class and --interests belong to an agent's file, not to a name")
    return _of_name(config, target)


def _of_name(config: RunConfig, name: str) -> tuple[RunConfig, str]:
    from mirrorcore.agents.roster import ROSTER
    from mirrorcore.swarm.recruiting import recruit

    known = [member.agent_id for member in recruit(config)]
    if name in known:
        return config, name
    if name in ROSTER:
        return _with_entry(config, {"id": name, "type": name}), name
    from mirrorcore.config.mistakes import near

    meant = near(name, [*known, *ROSTER])
    hint = f"did you mean {meant}?" if meant else f"known are: {', '.join(known)}"
    raise UsageError(f"there is no agent {name!r} in the swarm", hint=hint)


def _of_file(
    config: RunConfig, path: Path, class_name: str | None, interests: Sequence[str] | None
) -> tuple[RunConfig, str]:
    from mirrorcore.agents.roster import load_agent_class

    file = path.resolve()
    for entry in config.agent:
        same = entry.file is not None and Path(entry.file).resolve() == file
        if same and class_name in (None, entry.class_name, entry.id) and interests is None:
            return config, entry.id
    cls = load_agent_class(file, class_name)
    entry_of: dict[str, Any] = {"id": cls.__name__, "file": str(file), "class": cls.__name__}
    if interests is not None:
        entry_of["interests"] = list(interests)
    return _with_entry(config, entry_of), cls.__name__


def _with_entry(config: RunConfig, entry: dict[str, Any]) -> RunConfig:
    """The swarm with one agent more, in the place of any other of its id."""
    from mirrorcore.config.model import AgentEntry

    others = [one for one in config.agent if one.id != entry["id"]]
    return config.model_copy(update={"agent": (*others, AgentEntry.model_validate(entry))})


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
