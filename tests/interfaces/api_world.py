"""A paper run in a thread of its own, served as ``mirrorcore run`` serves it."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from raw_http import Said, ask, until

from mirrorcore.config import load_config
from mirrorcore.interfaces.api.serving import served
from mirrorcore.interfaces.api.tokens import Tokens
from mirrorcore.interfaces.commands import ROLES
from mirrorcore.journal import JournalReader
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run, RunOutcome

HOSTILE = "<img src=x onerror=alert(1)>&\u2028\x1b[2J\u202e\u0000'\"\\"
"""What a name, an error or a headline may hold."""

AGENT = f"""
from mirrorcore import BaseAgent

class Rude(BaseAgent):
    def __init__(self, agent_id="Rude"):
        super().__init__(agent_id, ["technical"])

    async def _analyze(self, relevant_data):
        raise RuntimeError({HOSTILE!r})
"""


_MARKS = count()


class LiveSwarm:
    """Use as a context; ``run`` is the run, ``port`` and ``tokens`` how to reach it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rude.py").write_text(AGENT, encoding="utf-8")
        file = folder / "config.toml"
        file.write_text(
            textwrap.dedent("""
                [[agent]]
                id = "Rude"
                file = "rude.py"
            """),
            encoding="utf-8",
        )
        wanted = {
            "market.symbols": 3, "market.bars": 100_000, "paper.warmup": "1d", "seed": 7,
            "paper.speed": 3000.0, "web.port": 0,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }  # fmt: skip
        overrides = [*wanted.items(), ("storage.runs", str(folder / "runs"))]
        self.config = load_config(file, {}, overrides).config
        self.said: list[str] = []
        self.run: Run
        self.outcome: Future[RunOutcome] = Future()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._live, name="swarm")

    def __enter__(self) -> LiveSwarm:
        self._thread.start()
        assert self._up.wait(60), self.outcome
        assert not self.outcome.done(), self.outcome.exception()
        assert self.said[-1].startswith("Dashboard"), self.said
        until(lambda: self.run.recorder.ticks > 3, 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> RunOutcome:
        """End the run as Ctrl-C does."""
        self.run.stop.set()
        self.run.control.ask(lambda run: run.stop.set())
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.outcome.result(0)

    def _live(self) -> None:
        try:
            self.outcome.set_result(self.begin())
        except BaseException as error:
            self.outcome.set_exception(error)
        finally:
            self._up.set()

    def begin(self) -> RunOutcome:
        """The run, from its begin to its end."""
        return run_paper(self.config, attach=self.attach)

    @contextmanager
    def attach(self, run: Run) -> Iterator[None]:
        self.run = run
        with served(self.config.web, self.said.append)(run):
            self._up.set()
            yield

    @property
    def folder(self) -> Path:
        return self.run.folder.path

    @property
    def port(self) -> int:
        return int(json.loads((self.folder / "control.json").read_text())["url"].rpartition(":")[2])

    def token(self, role: str = "operator") -> str:
        return Tokens.open(self.config.storage.runs).secret(role)

    def get(self, path: str, role: str = "viewer", **more: Any) -> Said:
        return ask(self.port, path, token=self.token(role), **more)

    def command(
        self, name: str, role: str = "operator", key: str = "", headers: Any = (), /, **args: Any
    ) -> Said:
        """One command; members of the body beside ``args`` are given with a leading ``_``.

        Again while it comes too often, as a client does that reads Retry-After.
        """
        told: Said = until(
            lambda: (said := self.at_once(name, role, key, headers, **args)).status != 429 and said
        )
        return told

    def at_once(
        self, name: str, role: str = "operator", key: str = "", headers: Any = (), /, **args: Any
    ) -> Said:
        """The same, asked once."""
        body = {"name": name, "args": {k: v for k, v in args.items() if k[0] != "_"}}
        body |= {k[1:]: v for k, v in args.items() if k[0] == "_"}
        more = {"idempotency_key": key} if key else {}
        return ask(
            self.port, "/api/v1/commands", method="POST", token=self.token(role), body=body,
            **more, **dict(headers),
        )  # fmt: skip

    def audit(self) -> list[dict[str, Any]]:
        """What the journal holds of kind ``audit``, all that was asked before this call in it."""
        mark = self.command("annotate", "admin", f"mark-{next(_MARKS)}", text="mark").document["id"]
        found: list[dict[str, Any]] = until(
            lambda: (said := self._audit()) and any(b.get("id") == mark for b in said) and said
        )
        return found

    def _audit(self) -> list[dict[str, Any]]:
        with JournalReader(self.folder / "journal.sqlite") as journal:
            return [entry.body for entry in journal.entries("audit")]


__all__ = ["HOSTILE", "ROLES", "LiveSwarm"]
