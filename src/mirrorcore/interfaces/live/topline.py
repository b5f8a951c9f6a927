"""The top line: what is known of a run as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorcore.interfaces.live.figures import Scales, ms, rounded
from mirrorcore.interfaces.live.picture import ENUMS, Agents, Row
from mirrorcore.interfaces.live.rules import DayStart
from mirrorcore.market.block import MarketBlock
from mirrorcore.swarm.run import Run

_HEALTHY, _POOR = 0.8, 0.4


class TopLine:
    """Follows one run; ``day`` is how equity has done since the day began."""

    def __init__(self, run: Run, scales: Scales) -> None:
        self._run = run
        self._scales = scales
        self._initial = scales.money(run.swarm.parts.path.ledger.initial)
        self._began: int | None = None
        self._greed = _agent_of_kind(run, "greed_sensor")
        self._awareness = _agent_of_kind(run, "self_awareness")
        self.day = DayStart(self._initial)

    def begins(self, block: MarketBlock) -> bool:
        """Take note of a block; True if it is the first one."""
        if self._began is not None:
            return False
        self._began = int(block.ts[0]) - self._run.swarm.source.bar_ns
        return True

    def note(self, ts: int) -> None:
        """A tick was decided at ``ts``, ns."""
        self.day.note(ts, self._last("equity", self._initial))

    def worth(self) -> tuple[float | None, ...]:
        """Equity, drawdown and benchmark at the last tick."""
        return (
            round(self._last("equity", self._initial), 2),
            rounded(self._run.swarm.parts.path.limits.drawdown, 5),
            round(self._last("benchmark", self._initial), 2),
        )

    def feelings(self) -> tuple[float | None, ...]:
        """Fear, confidence, gate and greed at the last tick, None where nobody says it."""
        return (*self._moods(), rounded(self._last("gate", 1.0), 3), self._felt())

    def blocked(self) -> list[str]:
        """What keeps new risk out of the whole book."""
        limits, run = self._run.swarm.parts.path.limits, self._run
        causes = (
            ("drawdown", limits.tripped),
            ("daily_loss", limits.day_blocked),
            ("entries", len(run.engine.locks) == len(run.swarm.context.symbols)),
        )
        return [name for name, reached in causes if reached]

    def _last(self, name: str, default: float) -> float:
        values = self._run.recorder.columns.values[name]
        return float(values[-1][-1]) if values else default

    def _moods(self) -> tuple[float | None, float | None]:
        """Fear and confidence, each None where nobody says it."""
        parts = self._run.swarm.parts
        return (
            rounded(self._last("fear", 0.0), 3) if parts.fear_agent else None,
            rounded(self._last("confidence", 0.5), 3) if parts.ego_agent else None,
        )

    def _felt(self) -> float | None:
        if self._greed is None:
            return None
        greed = self._run.swarm.parts.bus.read(self._greed).state.get("greed")
        return rounded(greed, 3) if isinstance(greed, float) else None

    def build(self, agents: Agents, *, real: bool, clients: int) -> Row:
        """The line as it is now; ``real``: whether the market is one of now."""
        return {
            **self._facts(real, clients),
            **self._money(),
            **self._mind(),
            **_census(agents),
        }

    def _facts(self, real: bool, clients: int) -> dict[str, Any]:
        run, recorder = self._run, self._run.recorder
        swarm, latest = run.swarm, run.recorder.latest
        return {
            "run": run.folder.id,
            "mode": run.mode,
            "source": swarm.source.name,
            "real": real,
            "speed": None if real else run.config.paper.speed,
            "symbols": list(swarm.context.symbols),
            "bar": ms(swarm.source.bar_ns),
            "start": ms(swarm.parts.clock.now() if self._began is None else self._began),
            "tick": recorder.ticks,
            "number": None if latest is None else latest[0].block.index + len(latest[0].block) - 1,
            "warnings": run.warnings.total,
            "alerts": sum(not alert.by for alert in self._run.control.alerts.entries),
            "clients": clients,
            "held": 0,  # only whoever looks from outside can know better
        }

    def _money(self) -> dict[str, Any]:
        run, path = self._run, self._run.swarm.parts.path
        ledger, names = path.ledger, run.swarm.context.symbols
        stopped = path.gateway.latched
        halted = {**run.engine.halted, **run.engine.locks}
        return {
            "cur": ledger.units.currency,
            "eq0": self._initial,
            "eq": round(self._last("equity", self._initial), 2),
            "day": rounded(self.day.change(), 5),
            "dd": rounded(path.limits.drawdown, 4),
            "gross": rounded(self._last("gross", 0.0), 4),
            "net": rounded(self._last("net", 0.0), 4),
            "gw": path.gateway.state.value if stopped is None else "halted",
            "gw_reason": path.gateway.reason if stopped is None else stopped,
            "blocked": self.blocked(),
            "halted": {names[symbol]: cause for symbol, cause in halted.items()},
            "orders": run.recorder.order_count + len(path.venue.working),
            "fills": run.recorder.fill_count,
            "trades": ledger.trade_count,
            "won": ledger.trades_won,
            "fees": self._scales.money(ledger.fees),
        }

    def _mind(self) -> dict[str, Any]:
        parts = self._run.swarm.parts
        fear, confidence = self._moods()
        emotion = None
        if self._awareness is not None:
            emotion = parts.bus.read(self._awareness).state.get("emotion")
        return {
            "gate": rounded(parts.gate.share, 4),
            "silent": parts.gate.silent,
            "fear": fear,
            "conf": confidence,
            "emotion": emotion if isinstance(emotion, str) else None,
        }


def _census(agents: Agents) -> dict[str, Any]:
    """How many agents are how."""
    health = np.asarray(agents.columns["hp"], dtype=np.float64)
    good, poor = int((health >= _HEALTHY).sum()), int((health < _POOR).sum())
    states = np.asarray(agents.columns["st"], dtype=np.int64)
    return {
        "n": agents.n,
        "st": np.bincount(states, minlength=len(ENUMS["st"])).tolist(),
        "hp": [good, agents.n - good - poor, poor],
    }


def _agent_of_kind(run: Run, kind: str) -> str | None:
    return next((m.agent_id for m in run.swarm.members if m.kind == kind), None)
