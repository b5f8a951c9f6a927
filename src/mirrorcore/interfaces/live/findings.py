"""What nobody coded, as it is shown: a row for each finding, and how each detector does."""

from __future__ import annotations

from typing import Any

import msgspec

from mirrorcore.emergence.record import Found
from mirrorcore.emergence.standing import rate_told
from mirrorcore.interfaces.live.book import grown
from mirrorcore.interfaces.live.figures import ms, rounded
from mirrorcore.interfaces.live.picture import LOGS, Log, Row, Table
from mirrorcore.swarm.emergence.bank import Watched
from mirrorcore.swarm.emergence.watch import EmergenceWatch

_AGENTS = 24
_LONGEST = 600


class Findings:
    """Follows the monitor of one run; a run without one has neither rows nor detectors."""

    def __init__(self, watch: EmergenceWatch | None) -> None:
        self._watch = watch
        self._log = Log()
        self._seen = 0

    def log(self) -> Log:
        """The findings up to now; the same object where nothing is new."""
        if self._watch is None:
            return self._log
        new, self._seen = self._watch.findings.since(self._seen)
        self._log = grown(self._log, [finding_row(one) for one in new], LOGS["em"])
        return self._log

    def table(self) -> Table:
        """A row for each detector that is switched on, by type."""
        if self._watch is None:
            return {}
        return {kind: _watched(one) for kind, one in self._watch.watched.items()}


def finding_row(one: Found) -> Row:
    """One finding; figures as they were measured."""
    effect = msgspec.structs.replace(one.effect, value=_figure(one.effect.value))
    return {
        "id": f"F{one.number}",
        "t": ms(one.ts),
        "tick": one.tick,
        "type": one.type,
        "guide": one.guide,
        "agents": list(one.agents[:_AGENTS]),
        "n": len(one.agents),
        "eff": msgspec.to_builtins(effect),
        "p": None if one.p is None else _figure(one.p),
        "e": None if one.e is None else _figure(one.e),
        "w": list(one.window),
        "text": one.summary[:_LONGEST],
        "null": one.null[:_LONGEST],
        "ev": {name: _figure(value) for name, value in one.evidence.items()},
        "given": list(one.given[:_AGENTS]),
        "exp": one.experimental,
        "why": one.explained[:_LONGEST],
        "alert": one.alert or None,
        "sym": one.symbol,
    }


def _figure(value: float) -> float:
    """To 4 figures: e-values run from 20 to beyond a million."""
    return float(f"{value:.4g}")


def _watched(one: Watched) -> dict[str, Any]:
    return {
        "ticks": one.ticks,
        "n": one.findings,
        "expl": one.explained,
        "budget": rounded(one.budget, 4),
        "exp": one.experimental,
        "rate": rate_told(one.type),
        "syms": one.symbols,
        "idle": one.idle[:_LONGEST],
    }
