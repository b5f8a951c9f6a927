"""Paper runs that are commanded at given ticks, and what their journals say afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from mirrorcore.config.model import RunConfig
from mirrorcore.journal import JournalReader, RunRegistry
from mirrorcore.journal.entries import Kind
from mirrorcore.swarm.control.actions import Action, By
from mirrorcore.swarm.control.requests import Done
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.rerun import rerun
from mirrorcore.swarm.run import Run, RunOutcome
from mirrorcore.trading.orders import Order
from mirrorcore.trading.path import OrderPath

PAPER: dict[str, Any] = {"market__bars": 330, "paper__speed": 1_000_000.0, "paper__warmup": "1d"}
LIVELY: dict[str, Any] = {
    **PAPER, "costs__fee_bps": 0, "costs__slippage_bps": 0, "fusion__band": 0.0,
    "risk__volatility_target": 0.5, "market__preset": "plain", "market__ic": 0.05,
}  # fmt: skip
"""The same where trading costs nothing and there is much to be had: orders at every other tick."""
BY = By("tester")
Script = dict[int, Callable[[Run], Any]]


def driven(config: RunConfig, script: Script) -> tuple[RunOutcome, dict[int, Any]]:
    """A paper run in which ``script[n](run)`` is called right after tick n - 1; what each said."""
    said: dict[int, Any] = {}

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        def after_a_change() -> None:
            tick = run.control.tick
            if tick in script and tick not in said:
                said[tick] = script[tick](run)

        run.control.on_change.append(after_a_change)
        yield

    outcome = run_paper(config, attach=attach)
    return outcome, said


def at_the_step(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, tick: int, do: Callable[[Run], object]
) -> RunOutcome:
    """A paper run in which ``do`` happens within ``tick``, after its agents were called."""
    runs: list[Run] = []
    plainly = OrderPath.step

    def step(path: OrderPath, *args: Any) -> Any:
        if runs and runs[0].control.tick == tick:
            do(runs.pop())
        return plainly(path, *args)

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        runs.append(run)
        yield

    with monkeypatch.context() as patched:
        patched.setattr(OrderPath, "step", step)
        return run_paper(config, attach=attach)


def stopped_at_an_order(
    config: RunConfig, instant: int, times: int = 1
) -> tuple[RunOutcome, list[Future[Done]]]:
    """A paper run stopped from another thread once its first order of ``instant`` is sent."""
    stopped: list[Future[Done]] = []

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        venue = run.swarm.parts.venue
        plainly = type(venue).submit

        class Stopping(type(venue)):  # type: ignore[misc]
            __slots__ = ()

            def submit(self, order: Any, now: int) -> None:
                plainly(self, order, now)
                if now == instant and not stopped:
                    for _ in range(times):
                        thread = threading.Thread(
                            target=lambda: stopped.append(run.control.stop("cancel", "now", BY))
                        )
                        thread.start()
                        thread.join()

        venue.__class__ = Stopping
        yield

    return run_paper(config, attach=attach), stopped


def acting(*actions: Action) -> Callable[[Run], list[Future[Done]]]:
    return lambda run: [run.control.act(action, BY) for action in actions]


def same_again(config: RunConfig) -> None:
    again = rerun(RunRegistry(config.storage.runs).find("last"))
    assert again.differing == ()


def bodies(outcome: RunOutcome, kind: Kind) -> list[Any]:
    """What the journal has of one kind, in order."""
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        return [entry.body for entry in reader.entries(kind)]


def orders_of(outcome: RunOutcome) -> list[Order]:
    return [Order.load(body) for body in bodies(outcome, "order")]


def tick_instant(outcome: RunOutcome, tick: int) -> int:
    with JournalReader(outcome.path / "journal.sqlite") as reader:
        return next(e.ts for e in reader.entries("decision") if e.body[0] == tick)
