"""In the place of a link and of a door: frames and answers handed over when a test says so."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.interfaces.invented_swarm import World
from mirrorcore.interfaces.commands.catalogue import SPECS
from mirrorcore.interfaces.console.catalogue import Catalogue
from mirrorcore.interfaces.console.reading import Request
from mirrorcore.interfaces.live.model import ClientModel, Heard
from mirrorcore.interfaces.terminal.app import Monitor
from mirrorcore.interfaces.terminal.link import LinkState


class Feed:
    """In the place of a link: frames of a world, handed over when a test says so."""

    def __init__(self, world: World, *, role: str = "operator") -> None:
        self.world = world
        self.model = ClientModel(4)
        self.applied = 0
        self.trouble = ""
        self.attached = None
        self.mode = "paper"
        self.shown = LinkState.LIVE
        self.silent = 0.0
        self.wait = 0.0
        self.give(world.hello(role))
        self.give(world.snapshot())

    def give(self, frame: dict[str, Any]) -> None:
        if self.model.receive(json.dumps(frame)) is Heard.APPLIED:
            self.applied += 1

    def step(self, churn: float = 1.0) -> None:
        self.give(self.world.delta(churn))

    def state(self) -> LinkState:
        return self.shown

    def silence(self) -> float:
        return self.silent

    def countdown(self) -> float:
        return self.wait


class Door:
    """In the place of a caller: answers commands from a table and remembers what it was asked."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.answers = answers or {}
        self.calls: list[tuple[str, dict[str, Any], str | None]] = []

    def __call__(self) -> Door:
        return self

    def catalogue_now(self) -> Catalogue:
        return Catalogue.of(spec.document() for spec in SPECS.values())

    def call_now(self, request: Request, confirm: str | None = None) -> dict[str, Any]:
        name = request.name
        args = dict(request.args)
        self.calls.append((name, args, confirm))
        answer = self.answers.get(name)
        if callable(answer):
            answer = answer(args, confirm)
        return answer if answer is not None else done(name)

    def made(self) -> list[tuple[str, dict[str, Any], str | None]]:
        """Calls a person made, without the questions a screen asks by itself."""
        return [call for call in self.calls if call[0] not in ("inspect", "audit")]


def done(name: str, result: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "c1", "name": name, "status": "done", "target_count": 0, "acked": [], "missing": [],
        "result": result or {}, "tick": 100, "audit_seq": 5, "error": None, **more,
    }  # fmt: skip


def refused(name: str, code: str, message: str, **more: Any) -> dict[str, Any]:
    error = {"code": code, "message": message, "hint": "", "http": 400, **more}
    return {**done(name), "status": "rejected", "error": error}


def shown_by(app: Monitor) -> str:
    """The text of the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips[: app.size.height])
