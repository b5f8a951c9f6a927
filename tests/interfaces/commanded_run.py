"""A paper run that goes on while a test commands it from another thread, as every door does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirrorcore.config import load_config
from mirrorcore.interfaces.commands import Call, Caller, Commands, Outcome
from mirrorcore.interfaces.live.panel import Panel
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run, RunOutcome

PAPER = {
    "market.symbols": 3, "market.bars": 5_000, "seed": 7, "paper.warmup": "1d",
    "paper.speed": 30_000.0,
}  # fmt: skip


@dataclass
class Commanded:
    """A run in progress; ``ended`` is set when it has come to its end."""

    commands: Commands
    run: Run
    panel: Panel
    outcome: list[RunOutcome] = field(default_factory=list)

    def say(self, command: str, role: str = "operator", /, **args: Any) -> Outcome:
        """Give a command as a program does; ``confirmed=True`` repeats it with the token."""
        more = {
            key: args.pop(key) for key in ("key", "confirm", "reason", "dry_run") if key in args
        }
        confirmed = args.pop("confirmed", False)
        caller = Caller("tester", role, "python")  # type: ignore[arg-type]
        told = self.commands.execute_now(Call(command, args, caller, **more, timeout_s=20.0))
        if confirmed and told["error"] and told["error"]["code"] == "confirm_required":
            more["confirm"] = told["error"]["confirm"]
            told = self.commands.execute_now(Call(command, args, caller, **more, timeout_s=20.0))
        return told

    def ticks(self, more: int = 1) -> None:
        """Wait until the swarm has decided so many ticks more."""
        until = self.run.control.tick + more
        passed = threading.Event()

        def look() -> None:
            if self.run.control.tick >= until:
                passed.set()

        self.run.control.on_change.append(look)
        assert passed.wait(60), "the swarm stands still"
        self.run.control.on_change.remove(look)


@contextmanager
def commanded(folder: Path, text: str = "", **settings: Any) -> Iterator[Commanded]:
    """A run that lasts as long as the context; its outcome is there afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    wanted = {**PAPER, **{name.replace("__", "."): value for name, value in settings.items()}}
    overrides = [*wanted.items(), ("storage.runs", str(folder / "runs"))]
    config = load_config(file, {}, overrides).config
    begun, made, failures = threading.Event(), list[Commanded](), list[BaseException]()

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        with Panel(run) as panel:
            commands = Commands(run, lambda: run.control.ask(lambda _: panel.look()))

            def first() -> None:
                if not begun.is_set():
                    begun.set()

            run.control.on_change.append(first)
            made.append(Commanded(commands, run, panel))
            yield

    outcomes: list[RunOutcome] = []

    def work() -> None:
        try:
            outcomes.append(run_paper(config, attach=attach))
        except BaseException as error:
            failures.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=work, name="swarm")
    thread.start()
    try:
        assert begun.wait(120)
        if failures:
            raise failures[0]
        yield made[0]
    finally:
        if made:
            run = made[0].run
            run.control.ask(lambda seen: seen.stop.set())
        thread.join(120)
        assert not thread.is_alive()
    if failures:
        raise failures[0]
    made[0].outcome.extend(outcomes)
