"""The swarm as a plain grid: for logs, pipes, notebooks and wherever there is no full screen."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mirrorcore.interfaces.terminal.look import health_cell
from mirrorcore.interfaces.terminal.text import fit, harmless, held_up, number, share

if TYPE_CHECKING:
    from mirrorcore.interfaces.terminal.board import Board
    from mirrorcore.swarm.run import Run
    from mirrorcore.swarm.watching import SwarmSnapshot
    from mirrorcore.syncbus import SyncBus

_LONGEST_NAME = 28
_CLEAR = "\x1b[H\x1b[2J"


@dataclass(frozen=True, slots=True)
class _Head:
    title: str
    width: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """One agent; what it does not have is None."""

    agent: str
    status: str
    confidence: float | None
    signal: str
    result: str
    health: float | None


class ConsoleMonitor:
    """Prints every agent of a bus or of a run as one grid.

    On a terminal the screen is cleared first, as the guide has it; anywhere else grids follow one
    another, and no byte of them steers a terminal.

    Parameters
    ----------
    bus_or_run: a :class:`~mirrorcore.SyncBus`, or a run in progress, which adds its money.
    out: where to print; standard output unless given.
    """

    def __init__(self, bus_or_run: SyncBus | Run, out: IO[str] | None = None) -> None:
        run = hasattr(bus_or_run, "swarm")
        if not run and not hasattr(bus_or_run, "get_all_states"):
            raise TypeError(
                f"ConsoleMonitor takes a SyncBus or a Run, not {type(bus_or_run).__name__}"
            )
        self._run: Any = bus_or_run if run else None
        self._bus: Any = None if run else bus_or_run
        self._out = out

    async def display_agent_grid(self) -> None:
        """Print the grid as things stand now."""
        out = sys.stdout if self._out is None else self._out
        clear = out.isatty()
        width = shutil.get_terminal_size().columns if clear else 0
        text = "\n".join(self._shown(line, width) for line in await self.lines())
        out.write(f"{_CLEAR if clear else ''}{text}\n")
        out.flush()

    async def lines(self) -> list[str]:
        """The lines of the grid: a run's headline, the heads, one line an agent."""
        if self._run is None:
            return _grid(await self._of_bus(), "PnL")
        from mirrorcore.swarm.watching import look

        seen = look(self._run)
        return [_headline(seen, self._run.mode), *_grid(_of_run(seen), "Shadow")]

    async def _of_bus(self) -> list[_Line]:
        states: Mapping[str, Mapping[str, Any]] = await self._bus.get_all_states()
        return [
            _Line(
                agent=agent,
                status=str(self._bus.status(agent)),
                confidence=mean(state.get("confidence")),
                signal=_signal(state),
                result=number(mean(state.get("pnl")), signed=True),
                health=self._bus.health(agent).score,
            )
            for agent, state in states.items()
        ]

    @staticmethod
    def _shown(line: str, width: int) -> str:
        """A line as it stands, or cut where the terminal would break it."""
        return fit(line, width).rstrip() if width else line.rstrip()


def mean(value: object) -> float | None:
    """One figure for what an agent publishes by symbol; None where it publishes none."""
    if isinstance(value, np.ndarray):
        known = value[np.isfinite(value)] if value.dtype.kind in "fiu" else value[:0]
        return float(known.mean()) if known.size else None
    if isinstance(value, Mapping):
        found = [one for one in (mean(one) for one in value.values()) if one is not None]
        return sum(found) / len(found) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if np.isfinite(value) else None


def _signal(state: Mapping[str, Any]) -> str:
    """The guide's ``last_signal`` in words; else ``signal`` as a number."""
    said = state.get("last_signal")
    if isinstance(said, str):
        return said
    return number(mean(state.get("signal")), signed=True)


def _of_run(seen: SwarmSnapshot) -> list[_Line]:
    return [
        _Line(
            agent=row.id,
            status=row.state,
            confidence=row.confidence,
            signal=number(row.lean, 3, signed=True),
            result=share(row.pnl, 2, signed=True),
            health=row.health,
        )
        for row in seen.agents
    ]


def shown_once(board: Board) -> list[str]:
    """The lines of a grid of agents as they are on the wire, filtered and in order."""
    columns, top = board.columns, board.seen.top
    rows = [
        _Line(
            agent=columns["agent"][row],
            status=str(columns["status"][row]),
            confidence=columns["confidence"][row],
            signal=str(columns["signal"][row]),
            result=number(columns["pnl"][row], signed=True),
            health=columns["health"][row],
        )
        for row in board.rows()
    ]
    from mirrorcore.clock import MILLISECOND, iso

    moment = iso(board.seen.ts * MILLISECOND)[:19].replace("T", " ")
    why = f": {top['gw_reason']}" if top.get("gw_reason") else ""
    headline = (
        f"{str(top['mode']).upper()}  {moment} UTC  tick {top['tick']:,}  equity "
        f"{number(top['eq'])} {top['cur']} (day {share(top['day'], 2, signed=True)})  "
        f"drawdown {share(top['dd'], 2)}  gateway {str(top['gw']).upper()}{why}"
    )
    old = [f"{held_up(top)}; this is the last it said"] if top.get("held") else []
    return [harmless(headline), *old, *_grid(rows, "PnL %")]


def _headline(seen: SwarmSnapshot, mode: str) -> str:
    from mirrorcore.clock import iso

    change = seen.equity / seen.initial_equity - 1.0
    why = f": {harmless(seen.gateway_why)}" if seen.gateway_why else ""
    return (
        f"{mode.upper()}  {iso(seen.ts)[:19].replace('T', ' ')} UTC  tick {seen.tick:,}  "
        f"equity {seen.equity:,.2f} {seen.currency} ({100 * change:+.2f}%)  "
        f"drawdown {100 * seen.drawdown:.2f}%  gateway {seen.gateway.upper()}{why}"
    )


def _grid(rows: Sequence[_Line], result: str) -> list[str]:
    names = [harmless(row.agent) for row in rows]
    heads = (
        _Head("Agent", max(5, min(_LONGEST_NAME, max(map(len, names), default=5)))),
        _Head("Status", 9),
        _Head("Conf", 6, right=True),
        _Head("Signal", 8, right=True),
        _Head(result, 10, right=True),
        _Head("Health", 11),
    )
    lines = ["  ".join(fit(head.title, head.width, right=head.right) for head in heads)]
    for row in rows:
        cells = (
            row.agent, row.status, number(row.confidence), row.signal, row.result,
            health_cell(row.health)[0],
        )  # fmt: skip
        lines.append(
            "  ".join(
                fit(cell, head.width, right=head.right)
                for cell, head in zip(cells, heads, strict=True)
            )
        )
    if not rows:
        lines.append("no agents")
    return lines
