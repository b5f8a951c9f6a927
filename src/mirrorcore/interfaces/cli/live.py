"""A running swarm in front of you: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from mirrorcore.clock import SECOND, Stopwatch, iso
from mirrorcore.interfaces.cli.answer import Session, say
from mirrorcore.interfaces.cli.progress import Progress, progress

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

    from mirrorcore.swarm.watching import AgentRow, SwarmSnapshot

Watch = Callable[["SwarmSnapshot"], None]

_FRAME_S = 0.1
_LINE_S = 3.0
_STATES = {"running": "green", "probing": "yellow", "isolated": "red", "failed": "bold red"}
_HEADS = (
    ("agent", False), ("state", False), ("health", True), ("calls", True), ("fails", True),
    ("restarts", True), ("confid.", True), ("lean", True), ("shadow", True),
)  # fmt: skip


class Spectator:
    """Shows a paper run: its warm-up as progress, then the swarm; use as a context manager."""

    def __init__(self, session: Session, *, lines: bool = False) -> None:
        self._session = session
        self._lines = lines
        self._stage = ExitStack()
        self._show: Watch | None = None
        self._warm: Progress | None = None

    def __enter__(self) -> Spectator:
        return self

    def __exit__(self, *_: object) -> None:
        self._stage.close()

    def warm(self, done: int, total: int | None) -> None:
        """Show how far the warm-up is; the bar is not there before it begins, so that what is said
        until then stands on lines of its own."""
        if self._warm is None:
            told = progress(self._session, "warm-up", lines=self._lines)
            self._warm = self._stage.enter_context(told)
        self._warm(done, total)

    def watch(self, snapshot: SwarmSnapshot) -> None:
        """Show a snapshot; the first one takes the place of the warm-up."""
        if self._show is None:
            self._stage.close()
            self._show = self._stage.enter_context(_watching(self._session))
        self._show(snapshot)


@contextmanager
def _watching(session: Session) -> Iterator[Watch]:
    """A function to show snapshots to, at whatever rate they come."""
    story = session.story
    if not story.is_terminal:
        yield _Lines(story).show
        return
    from rich.live import Live

    screen = _Screen()
    with Live(console=story, auto_refresh=False) as live:

        def show(snapshot: SwarmSnapshot) -> None:
            if screen.due(snapshot):
                live.update(frame(snapshot, story), refresh=True)

        try:
            yield show
        finally:
            if screen.last is not None:
                live.update(frame(screen.last, story), refresh=True)


class _Screen:
    """Lets a frame through now and then: nobody reads more, and the market may be very fast."""

    def __init__(self) -> None:
        self.last: SwarmSnapshot | None = None
        self._watch: Stopwatch | None = None

    def due(self, snapshot: SwarmSnapshot) -> bool:
        self.last = snapshot
        if self._watch is not None and self._watch.wall_ns() < _FRAME_S * SECOND:
            return False
        self._watch = Stopwatch()
        return True


class _Lines:
    """What happens to agents and what operators do, each once, and a line on the whole every few
    seconds."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._watch: Stopwatch | None = None
        self._events: tuple[str, ...] = ()

    def show(self, snapshot: SwarmSnapshot) -> None:
        from mirrorcore.report.formatting import printable

        for event in news(self._events, snapshot.events):
            say(self._out, f"  {printable(event)}")
        self._events = snapshot.events
        if self._watch is None or self._watch.wall_ns() >= _LINE_S * SECOND:
            self._watch = Stopwatch()
            say(self._out, headline(snapshot))


def news(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """Those at the end of ``now`` that were not yet in ``before``, both windows on one log."""
    for kept in range(min(len(before), len(now)), 0, -1):
        if tuple(before[-kept:]) == tuple(now[:kept]):
            return now[kept:]
    return now


def headline(snapshot: SwarmSnapshot) -> str:
    """The swarm on one line."""
    change = snapshot.equity / snapshot.initial_equity - 1.0
    down = [f"{agent.id} {agent.state}" for agent in snapshot.agents if agent.state != "running"]
    running = len(snapshot.agents) - len(down)
    agents = f"{running} agents running" + (f", {', '.join(down)}" if down else "")
    closed = _closed(snapshot)
    return (
        f"{_clock(snapshot)}  equity {snapshot.equity:,.2f} {snapshot.currency} "
        f"({100 * change:+.2f} %)  gross {100 * snapshot.gross:.0f} %  {snapshot.fills} fills  "
        f"{agents}" + (f"  {closed}" if closed else "")
    )


def _closed(snapshot: SwarmSnapshot) -> str:
    """Of a gateway that is not active, by whom and why; empty of one that is."""
    from mirrorcore.report.formatting import printable

    if snapshot.gateway == "active":
        return ""
    return f"gateway {snapshot.gateway.upper()}: {printable(snapshot.gateway_why)}"


def frame(snapshot: SwarmSnapshot, out: Console) -> Group:
    """The swarm as one screen."""
    from rich.console import Group

    return Group(*_summary(snapshot), _table(snapshot.agents), *_events(snapshot, out))


def _summary(snapshot: SwarmSnapshot) -> list[Text]:
    from rich.text import Text

    change = snapshot.equity / snapshot.initial_equity - 1.0
    gateway = snapshot.gateway.upper()
    first = Text.assemble(
        ("MirrorCore-X paper ", "bold"),
        f"{_clock(snapshot)} UTC · tick {snapshot.tick:,} · gateway ",
        (gateway, "green" if gateway == "ACTIVE" else "bold red"),
    )
    second = Text.assemble(
        f"equity {snapshot.equity:,.2f} {snapshot.currency} ",
        (f"{100 * change:+.2f} %", "green" if change >= 0 else "red"),
        f" · drawdown {100 * snapshot.drawdown:.2f} % · gross {100 * snapshot.gross:.0f} % · "
        f"{snapshot.fills} fills · {snapshot.trades_closed} trades closed",
    )
    third = Text.assemble(
        f"gate {snapshot.gate:.2f} · fear {snapshot.fear:.2f} · confidence "
        f"{snapshot.confidence:.2f}",
        ("   Ctrl-C ends it and reports", "dim"),
    )
    closed = _closed(snapshot)
    # A line of its own, cut where it is too long: one that wraps would push the table away.
    why = [Text(closed, style="bold red", no_wrap=True, overflow="ellipsis")] if closed else []
    return [first, second, third, *why, Text("")]


def _table(agents: Sequence[AgentRow]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head, number in _HEADS:
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for agent in agents:
        style = _STATES.get(agent.state, "yellow")
        table.add_row(
            Text(agent.id, style="" if agent.state == "running" else style),
            Text(agent.state, style=style),
            Text(f"{agent.health:.2f}", style=_health(agent.health)),
            f"{agent.calls:,}",
            Text(f"{agent.failures:,}", style="red" if agent.failures else ""),
            Text(f"{agent.restarts:,}", style="red" if agent.restarts else ""),
            _number(agent.confidence, "{:.2f}"),
            _number(agent.lean, "{:+.3f}"),
            _number(None if agent.pnl is None else 100 * agent.pnl, "{:+.2f} %"),
        )
    return table


def _events(snapshot: SwarmSnapshot, out: Console) -> list[Text]:
    """The newest events, as many as the screen has lines left for."""
    from rich.text import Text

    from mirrorcore.report.formatting import printable

    room = max(1, out.height - len(snapshot.agents) - (8 if snapshot.gateway == "active" else 9))
    lines = [
        Text(printable(event), style="yellow", no_wrap=True, overflow="ellipsis")
        for event in snapshot.events[-room:]
    ]
    return [Text(""), *lines] if lines else []


def _clock(snapshot: SwarmSnapshot) -> str:
    return iso(snapshot.ts)[:16].replace("T", " ")


def _number(value: float | None, form: str) -> str:
    """A figure, or a dash where the agent has none."""
    return "–" if value is None else form.format(value)


def _health(health: float) -> str:
    if health >= 0.8:
        return "green"
    return "yellow" if health >= 0.4 else "red"
