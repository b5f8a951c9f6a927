"""Looks at a run from within its loop and makes pictures of it.

After each tick it notes what would otherwise be gone; that is all it does while nobody looks. A
picture is made when somebody does, as often as the fastest client may have one, and once a second
while the market is quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from mirrorcore.clock import MILLISECOND, SECOND, Stopwatch, wall_now
from mirrorcore.interfaces.live.book import Book
from mirrorcore.interfaces.live.curves import Candles, Tracing
from mirrorcore.interfaces.live.figures import Scales, ms
from mirrorcore.interfaces.live.findings import Findings
from mirrorcore.interfaces.live.happenings import Happenings, alert_rows
from mirrorcore.interfaces.live.hub import Hub
from mirrorcore.interfaces.live.pacing import Paced
from mirrorcore.interfaces.live.picture import ENUMS, Picture, Row, Table
from mirrorcore.interfaces.live.reasons import Reasons
from mirrorcore.interfaces.live.rules import Clips, risk_rows
from mirrorcore.interfaces.live.table import AgentTable
from mirrorcore.interfaces.live.topline import TopLine
from mirrorcore.interfaces.live.traffic import flow, source_rows
from mirrorcore.interfaces.live.wire import VIEW_FAILED
from mirrorcore.journal.runs import RunStatus
from mirrorcore.swarm.run import Run

_SLOW_S = 1.0
UNSEEN_S = 5.0
"""How often a picture is made while nobody looks."""


class Panel:
    """Makes pictures of one run; a context, in the swarm's thread, from before its first tick.

    Attributes
    ----------
    hub: where the pictures go; hand it to the server's thread.
    """

    def __init__(self, run: Run) -> None:
        swarm = run.swarm
        path = swarm.parts.path
        symbols = swarm.context.symbols
        scales = Scales(path.ledger.units)
        self._run = run
        self._control = run.control
        self._clips = Clips(path.limits.hits, symbols)
        self._clipped: list[Row] = []
        self._candles = Candles(symbols, scales)
        self._eq, self._emo = Tracing(), Tracing()
        self._book = Book(path, symbols, scales)
        self._table = AgentTable(run)
        self._reasons = Reasons(swarm, scales)
        self._happenings = Happenings(run, self._clips)
        self._findings = Findings(run.emergence)
        self._top = TopLine(run, scales)
        self._noted: object = None
        self._last_tick = 0
        self._decisions, self._slow = Paced(_SLOW_S), Paced(_SLOW_S)
        self._told: object = None
        self._dec: Table = {}
        self._risk: Table = {}
        self._src: Table = {}
        self._flow: Row = {}
        self._watch: Table = {}
        self._built, self._unseen = Stopwatch(), Stopwatch()
        self._timer: asyncio.TimerHandle | None = None
        self._soon = self._broken = False
        self.hub = Hub(self._ask, run=run.folder.id, mode=run.mode)
        self.hub.push(self.build())

    def __enter__(self) -> Panel:
        self._control.on_change.append(self.ticked)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(failed=kind is not None)

    def close(self, *, failed: bool = False) -> None:
        """Look no more, show how it ended, and let every client go.

        How it ended is what the run's folder says, so that no screen tells another end than the
        report. ``failed`` counts only where the folder does not say it yet.
        """
        if self.ticked in self._control.on_change:
            self._control.on_change.remove(self.ticked)
        if self._timer is not None:
            self._timer.cancel()
        if not self._broken:
            self._guarded(self._push)
        if not self._broken:
            self.hub.finish(str(self._end(failed=failed)))
        self._table.close()
        self._clips.close()

    def _end(self, *, failed: bool) -> RunStatus:
        status = self._run.folder.status
        if status is not RunStatus.RUNNING:
            return status
        # Left before the books were closed: a run without an end of its own is an interrupted one.
        return RunStatus.FAILED if failed else RunStatus.INTERRUPTED

    # -- when

    def ticked(self) -> None:
        """A tick was decided or a command carried out; to be called in the swarm's loop."""
        if self._broken:
            return
        self._guarded(self._ticked)

    def _guarded(self, work: Callable[[], object]) -> None:
        """What goes wrong in here is told, ends the view, and never the run that is viewed."""
        try:
            work()
        except Exception as error:
            self._broken = True
            self._run.warnings.append(f"the live view has ended: {type(error).__name__}: {error}")
            self.hub.finish(VIEW_FAILED)

    def _ticked(self) -> None:
        self._note()
        rate = self.hub.rate
        if not rate:
            # So that who looks at a swarm that is held up by then does not see its beginning.
            if self._unseen.wall_ns() > UNSEEN_S * SECOND:
                self._unseen = Stopwatch()
                self._push()
            return
        left = 1.0 / rate - self._built.wall_ns() / SECOND
        if left <= 0.1 / rate:
            self._push()
            self._arm(_SLOW_S)
        elif not self._soon:
            self._soon = True
            self._arm(left)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self.hub.rate and not self._broken:
            self._control.ask(lambda _: self._guarded(self._push_again))

    def _push_again(self) -> None:
        self._push()
        self._arm(_SLOW_S)

    def _ask(self) -> Future[Picture]:
        return self._control.ask(lambda _: self.look())

    def look(self) -> Picture:
        """What somebody has asked for is of now in every part."""
        self._note()
        self.hub.push(self.build(_SLOW_S))
        if self.hub.rate:
            self._arm(_SLOW_S)
        return self.hub.latest

    def _push(self) -> None:
        self._note()
        self.hub.push(self.build())

    # -- what

    def _note(self) -> None:
        """Take down what the tick brought, once."""
        latest = self._run.recorder.latest
        if latest is None or latest[1] is self._noted:
            return
        record, drained = latest
        self._noted = drained
        run = self._run
        clips, self._clips.tick = self._clips.tick, []
        if clips or run.swarm.parts.path.planned_at == record.block.ts[-1]:
            self._clipped = clips
        self._book.note(drained)
        ts, n = int(record.block.ts[-1]), run.recorder.ticks
        if n == self._last_tick:
            return  # the end of the run brings the orders it withdraws, and no tick
        self._last_tick = n
        if self._top.begins(record.block) and run.engine.warmed is not None:
            self._candles.note(run.engine.warmed)
        self._candles.note(record.block)
        self._top.note(ts)
        self._eq.note((n, ms(ts), *self._top.worth()))
        self._emo.note((n, ms(ts), *self._top.feelings()))

    def build(self, since_s: float | None = None) -> Picture:
        """The run as it is now; to be called in the swarm's loop.

        ``since_s`` is how long ago the last one is, by default as the wall clock has it.
        """
        run, wall = self._run, wall_now() // MILLISECOND
        since = self._built.wall_ns() / SECOND if since_s is None else since_s
        self._built = Stopwatch()
        self._slow.passed(since)
        self._decisions.passed(since)
        self._soon = False
        now = run.swarm.parts.clock.now()
        agents = self._table.build(since)
        if self._slow.due():
            self._look_around(now, wall)
        self._reason()
        return Picture(
            ts=ms(now),
            wall=wall,
            top=self._top.build(agents, real=bool(self._src), clients=self.hub.connected),
            agents=agents,
            enums={**ENUMS, "kind": self._table.kinds},
            candles=self._candles.build(),
            eq=self._eq.build(),
            emo=self._emo.build(),
            tables={
                "pos": self._positions(),
                "ord": self._book.orders(),
                "dec": self._dec,
                "risk": self._risk,
                "src": self._src,
                "alerts": alert_rows(self._control.alerts.entries),
                "watch": self._watch,
            },
            logs={
                **self._book.logs(),
                "ev": self._happenings.build(now),
                "em": self._findings.log(),
            },
            flow=self._flow,
        )

    def _look_around(self, now: int, wall: int) -> None:
        """What costs more, or changes on its own: once a second."""
        path = self._run.swarm.parts.path
        prices = self._run.recorder.last_prices
        self._risk = risk_rows(path, prices, now, self._top.day.change(), self._clips.counts)
        self._src = source_rows(self._run.sources(), wall)
        self._happenings.sources(now, self._src)
        self._flow = flow(self._table.survey)
        self._watch = self._findings.table()

    def _reason(self) -> None:
        latest = self._run.recorder.latest
        if latest is None or latest[1] is self._told or not self._decisions.due():
            return
        record, drained = latest
        self._told = drained
        self._dec = self._reasons.build(record, drained.orders, self._clipped, self._top.blocked())

    def _positions(self) -> Table:
        run = self._run
        none = [0.0] * len(run.swarm.context.symbols)
        targets, share = none, 0.0
        if run.recorder.latest is not None:
            record = run.recorder.latest[0]
            targets = record.stage.conclusions.targets[-1].tolist()
            share = record.shares[-1]
        wanted = [target * share for target in targets]
        return self._book.positions(run.recorder.last_prices, targets, wanted)
