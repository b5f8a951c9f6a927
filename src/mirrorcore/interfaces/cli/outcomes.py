"""How a run that has ended is told: its figures as a document, its screen, its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorcore.interfaces.cli.answer import INTERRUPTED, Answer, Session, say

if TYPE_CHECKING:
    from rich.console import Console

    from mirrorcore.report import Evaluation, RunResults
    from mirrorcore.swarm.run import RunOutcome

PAGE = "report.html"
_VOTER_ONLY = (
    "shadow_pnl_gross",
    "shadow_pnl_net",
    "hit_rate",
    "forecasts",
    "mean_weight",
    "last_weight",
)


@dataclass(frozen=True, slots=True)
class Told:
    """A run with its figures, computed once; ``page`` is None where none was written."""

    path: Path
    results: RunResults
    evaluation: Evaluation
    page: Path | None

    @property
    def interrupted(self) -> bool:
        return self.results.identity.status == "interrupted"

    @property
    def exit_code(self) -> int:
        return INTERRUPTED if self.interrupted else 0

    def answer(self) -> Answer:
        """The run as the answer of a command."""
        return Answer(self.document(), self.show, self.exit_code)

    def show(self, out: Console) -> None:
        """The report screen and where the rest is."""
        from mirrorcore.report import render_screen

        render_screen(self.results, out, self.evaluation)
        say(out, "")
        self.show_places(out)

    def show_places(self, out: Console) -> None:
        if self.interrupted:
            say(out, "interrupted: the report covers what was done until then", "yellow")
        say(out, f"Run     {self.path}")
        if self.page is not None:
            say(out, f"Report  {self.page}")

    def document(self) -> dict[str, Any]:
        """Every figure of the run. ``accounting_residual`` is the number 0 exactly when it is
        zero, else the exact decimal as text."""
        from mirrorcore.report import summarise

        results = self.results
        residual = results.accounting_residual
        return {
            **_identity(results),
            "path": str(self.path),
            "report": None if self.page is None else str(self.page),
            "currency": results.currency,
            "initial_equity": results.initial_equity,
            "final_equity": _last(results),
            "orders": results.orders,
            "fills": results.fills,
            "trades": len(results.closed_trades),
            "open_trades": len(results.open_trades),
            "accounting_residual": 0 if residual == 0 else str(residual),
            **summarise(results, self.evaluation),
            "costs": asdict(results.costs),
            "cash": [asdict(row) for row in results.cash],
            "agents": {agent.id: _agent(asdict(agent)) for agent in results.agents},
            "limits": [asdict(limit) for limit in results.limits],
            "intake": [asdict(case) for case in results.intake],
            "warnings": list(results.warnings),
        }


def tell(session: Session, outcome: RunOutcome, *, page: bool = True) -> Told:
    """Evaluate a run that has just ended and write its page into its folder."""
    folder = outcome.path.resolve()
    session.written.append(folder)
    return tell_results(folder, outcome.results, folder / PAGE if page else None)


def tell_results(folder: Path, results: RunResults, page: Path | None) -> Told:
    """The same for results, with the page at a place of choice or nowhere."""
    from mirrorcore.report import evaluate, write_page
    from mirrorcore.report.trials import standing_of

    found = evaluate(results, standing_of(folder))
    if page is not None:
        write_page(results, page, found)
    return Told(folder, results, found, page)


def _identity(results: RunResults) -> dict[str, Any]:
    from mirrorcore.clock import format_duration, iso

    run = results.identity
    return {
        "run_id": run.run_id,
        "mode": run.mode,
        "status": run.status,
        "fingerprint": run.fingerprint,
        "fingerprint_parts": dict(run.fingerprint_parts),
        "data": run.data,
        "symbols": list(run.symbols),
        "timeframe": format_duration(run.bar_ns),
        "period": {"start": iso(run.period_start), "end": iso(run.period_end)},
        "seeds": dict(run.seeds),
        "inputs": dict(run.input_digests),
        "config_hash": run.config_hash,
        "versions": {"mirrorcore": run.code_version, **run.package_versions},
        "processor": run.processor,
        "symbol_bars": run.symbol_bars,
        "ticks": run.ticks,
        "cpu_s": run.cpu_s,
        "wall_s": run.wall_s,
        "peak_rss_mb": run.peak_rss_mb,
    }


def _last(results: RunResults) -> float:
    return float(results.equity[-1]) if len(results.equity) else results.initial_equity


def _agent(record: Mapping[str, Any]) -> dict[str, Any]:
    """An agent's record; what only a voter has is left out for every other."""
    left_out = {"id"} if record["votes"] else {"id", *_VOTER_ONLY}
    return {name: value for name, value in record.items() if name not in left_out}
