"""Each record of a source on its way in: repeated, missing something before it, or to be passed on.

The cursor keeps the source's own times and numbers; what is passed on has its clock corrected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from mirrorcore.clock import SECOND, Clock
from mirrorcore.data_sources.live import Position, SourceSpec
from mirrorcore.data_sources.running.duplicates import Remembered
from mirrorcore.data_sources.running.freshness import Freshness
from mirrorcore.data_sources.running.gap_detection import GapDetector
from mirrorcore.data_sources.running.health import Counts
from mirrorcore.data_sources.running.kinds import CHAIN, KIND, NEVER_FILLED, NOTICES, ORDERED, TICKS
from mirrorcore.data_sources.running.outbox import Outbox
from mirrorcore.data_sources.running.policy import RunnerPolicy
from mirrorcore.data_sources.running.seams import First, Seams
from mirrorcore.data_sources.running.skew import SkewEstimator
from mirrorcore.market.records import ALL_SYMBOLS, RENUMBERED, FeedRecord, Flag, GapRecord, Status

Key = tuple[str, str]
"""(symbol, kind)."""


@dataclass(slots=True, eq=False)
class OpenGap:
    """Something is missing and is being asked for.

    ``since`` is the last record before it by key, ``until`` the number of the first one after it
    where that is known. ``everything``: after a reconnect, any key may miss something. ``asked`` is
    when it was asked for last. ``brought`` are the numbers that were answered, ``found`` the
    records of them that nobody else had brought.
    """

    reason: str
    start: int
    end: int
    since: dict[Key, Position]
    until: dict[Key, int] = field(default_factory=dict)
    everything: bool = False
    asked: int = 0
    found: list[FeedRecord] = field(default_factory=list)
    brought: dict[Key, dict[int, None]] = field(default_factory=dict)


class Intake:
    """What a runner does with records, without waiting for anything.

    ``ask`` is called with each gap that a backfill may close; records of its keys are held back
    until :meth:`close`.
    """

    def __init__(
        self,
        spec: SourceSpec,
        clock: Clock,
        policy: RunnerPolicy,
        ask: Callable[[OpenGap], None] | None,
    ) -> None:
        self.cursor: dict[Key, Position] = {}
        self.counts = Counts()
        self.outbox = Outbox(spec.name, policy.kept)
        self.skew = SkewEstimator(policy.skew)
        self.freshness = Freshness(spec.symbols, spec.stale_after_ns, clock.now())
        self.heard_at: int | None = None
        self.epoch = 0
        self._spec = spec
        self._clock = clock
        self._policy = policy
        self._ask = ask
        self._detector = GapDetector(spec)
        self._remembered = Remembered(policy.remembered)
        self._reference: dict[Key, Position] = {}
        self._held: dict[Key, list[FeedRecord]] = {}
        self._gaps: list[OpenGap] = []
        self._up = True
        self._down = False
        self._told_stale: dict[str, None] = {}
        self._last_avail: dict[Key, int] = {}
        self._after_gap: dict[Key, None] = {}
        self._seams = Seams()

    def connected(self, epoch: int) -> None:
        """A new connection begins; what it repeats of the old one does not count again."""
        self.epoch = epoch
        self._reference = dict(self.cursor)

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._up = False
        if not self._down:
            self._down = True
            self.status(ALL_SYMBOLS, "down", reason)

    def back(self) -> None:
        """It is there again: ask for everything since the last records, then say so."""
        self._up = True
        if not self._down:
            return
        since = {key: at for key, at in self.cursor.items() if key[1] not in NEVER_FILLED}
        if since and self._ask is not None:
            start = min(position.ts_event for position in since.values())
            now = self._clock.now()
            self._open(OpenGap("reconnect", start, now, since, everything=True))
            self._seams.expect(
                key for key in since if key[1] == "trade" and not self._detector.contiguous("trade")
            )
        self._tell_back()

    def receive(self, record: FeedRecord) -> None:
        """One record from the stream, or an answer of a polled source."""
        now = self._clock.now()
        self.heard_at = now
        if isinstance(record, NOTICES):
            self._notice(record, now)
            return
        kind = KIND[type(record)]
        key = (record.symbol, kind)
        last = self.cursor.get(key)
        if last is not None and self._comes_again(record, kind, key, last):
            return
        if self._remembered.again(record, kind):
            self.counts.duplicates += 1
            return
        if not record.flags & Flag.BACKFILL:
            self._compare_clocks(record, kind, now)
        reason = "" if last is None else self._detector.missing(record, kind, last)
        self._advance(key, record)
        if reason and last is not None:
            self._gap(reason, key, last, record)
        if last is not None and self._seams.open(key):
            self._join(key, last, First(now, record.ts_event))
        held = self._held.get(key)
        if held is None:
            self._pass(record, kind, now)
        else:
            held.append(record)
            if len(held) > self._policy.held:
                self._give_up(key)

    def admit(self, gap: OpenGap, record: FeedRecord) -> None:
        """One record a backfill brought for a gap."""
        kind = KIND[type(record)]
        key = (record.symbol, kind)
        since = gap.since.get(key)
        if kind in NEVER_FILLED or (since is None and not gap.everything):
            return
        before = since is not None and (
            record.seq <= since.seq
            if self._detector.contiguous(kind)
            else record.ts_event < since.ts_event
        )
        if before:
            return
        gap.brought.setdefault(key, {})[record.seq] = None
        if self._remembered.again(record, kind):
            return
        gap.found.append(record)
        self._advance(key, record)

    def complete(self, gap: OpenGap) -> bool:
        """Whether the numbered records of a gap are there without a hole."""
        for key, since in gap.since.items():
            if not self._detector.contiguous(key[1]):
                continue
            # Also those that another way had brought already: a second gap, the connection itself.
            numbers = list(gap.brought.get(key, ()))
            until = gap.until.get(key, max(numbers, default=since.seq) + 1)
            between = sum(since.seq < number < until for number in numbers)
            if between < until - since.seq - 1:
                return False
        return True

    def close(self, gap: OpenGap, filled: bool) -> None:
        """A gap is closed, or given up; what was held back because of it is passed on in order."""
        if gap not in self._gaps:
            return
        self._gaps.remove(gap)
        self._sew(gap, filled)
        now = self._clock.now()
        self._tell(gap, filled, now)
        by_key: dict[Key, list[FeedRecord]] = {key: [] for key in gap.since}
        for record in gap.found:
            flags = record.flags | Flag.BACKFILL | Flag.AFTER_GAP
            by_key.setdefault((record.symbol, KIND[type(record)]), []).append(
                replace(record, flags=flags)
            )
        self.counts.backfilled += len(gap.found)
        for key, found in by_key.items():
            if any(key in other.since for other in self._gaps):
                self._held.setdefault(key, []).extend(found)
                continue
            held = [
                replace(one, flags=one.flags | Flag.AFTER_GAP) for one in self._held.pop(key, [])
            ]
            for record in sorted([*found, *held], key=lambda r: (r.seq, r.ts_event)):
                self._pass(record, key[1], now, late=True)
        for symbol, _ in gap.since:
            self._tell_symbol(symbol, "what was missing is there, or given up")
        self._tell_back()

    def expire(self) -> None:
        """Tell the symbols whose deadline has passed."""
        for symbol in self.freshness.expire(self._clock.now()):
            self.counts.stale += 1
            limit = self._spec.stale_after_ns / SECOND
            self._tell_symbol(symbol, f"nothing new for {limit:g} s")

    def alive(self, symbol: str) -> None:
        """The source answered, whether it had news of the symbol or not."""
        now = self._clock.now()
        if self.freshness.heard(symbol, now, now):
            self._tell_symbol(symbol, "answers again")

    def status(self, symbol: str, state: str, reason: str, *, block: int = 0) -> None:
        """Tell the consumer of a change."""
        now = self._clock.now()
        self.outbox.put(
            Status(
                source=self._spec.name,
                symbol=symbol,
                ts_event=now,
                ts_recv=now,
                ts_avail=now,
                epoch=self.epoch,
                state=state,  # type: ignore[arg-type]
                reason=reason,
                block=block,
            )
        )

    def _notice(self, record: GapRecord | Status, now: int) -> None:
        if isinstance(record, GapRecord):
            self.counts.gaps[record.reason] += 1
            if record.filled:
                self.counts.filled += 1
            else:
                self.counts.unfilled += 1
        elif record.state == "reorg":
            self._remembered.forget_chain()
            for key in [key for key in self.cursor if key[1] in CHAIN]:
                self.cursor.pop(key)
        elif record.state in ("closed", "halted"):
            self.freshness.suspend(record.symbol)
        elif record.state == "live":
            self.freshness.resume(record.symbol, now)
        self.outbox.put(replace(record, epoch=self.epoch))

    def _comes_again(self, record: FeedRecord, kind: str, key: Key, last: Position) -> bool:
        if kind not in ORDERED:
            return False
        if self._detector.contiguous(kind) and last.seq:
            if record.seq > last.seq:
                return False
            if record.ts_event > last.ts_event:
                # Its numbers began anew: not a repetition, and nobody can tell what is missing.
                self._remembered.forget(key)
                self.counts.gaps[RENUMBERED] += 1
                self._unfilled(RENUMBERED, record.symbol, last.ts_event, record.ts_event)
                del self.cursor[key]
                return False
            self.counts.replayed += 1
            return True
        reference = self._reference.get(key)
        again = reference is not None and record.ts_event < reference.ts_event
        self.counts.replayed += again
        return again

    def _compare_clocks(self, record: FeedRecord, kind: str, now: int) -> None:
        instant = record.ts_recv
        if kind in TICKS and record.ts_event != record.ts_recv:
            self.skew.sample(record.ts_recv - record.ts_event, now)
            instant = record.ts_event + self.skew.correction_ns
        if self.freshness.heard(record.symbol, instant, now):
            self._tell_symbol(record.symbol, "heard again")

    def _advance(self, key: Key, record: FeedRecord) -> None:
        last = self.cursor.get(key)
        if key[1] in CHAIN and record.flags & Flag.PROVISIONAL:
            return  # comes again when final: reading on from here would miss that
        if last is None or (record.seq, record.ts_event) > (last.seq, last.ts_event):
            self.cursor[key] = Position(record.seq, record.ts_event)

    def _gap(self, reason: str, key: Key, last: Position, record: FeedRecord) -> None:
        number = record.seq if self._detector.contiguous(key[1]) else 0
        for gap in self._gaps:
            if gap.everything and key in gap.since and key not in gap.until:
                # What was missed while the connection was away reaches to this record.
                gap.end = max(gap.end, record.ts_event + 1)
                if number:
                    gap.until[key] = number
                return
        if key[1] in NEVER_FILLED or self._ask is None:
            self.counts.gaps[reason] += 1
            self._unfilled(reason, record.symbol, last.ts_event, record.ts_event)
            self._after_gap[key] = None
            return
        until = {key: number} if number else {}
        self._open(OpenGap(reason, last.ts_event, record.ts_event + 1, {key: last}, until))

    def _join(self, key: Key, last: Position, first: First) -> None:
        """The new connection brought the first of what is not numbered."""
        if any(gap.everything and key in gap.since for gap in self._gaps):
            self._seams.note(key, first)
            return
        self._seams.closed(key)
        self._ask_until(key, last, first)

    def _sew(self, gap: OpenGap, filled: bool) -> None:
        """What was asked for after a reconnect is there: is it joined to what came since?"""
        if not gap.everything:
            return
        for key, since in gap.since.items():
            first = self._seams.first(key)
            if first is None:
                continue  # nothing came yet: when it does, :meth:`_join` asks
            self._seams.closed(key)
            if filled and not first.joined(gap.asked, gap.end):
                found = (one for one in gap.found if (one.symbol, KIND[type(one)]) == key)
                ends = [Position(one.seq, one.ts_event) for one in found]
                last = max(ends, key=lambda at: at.ts_event, default=since)
                self._ask_until(key, last, first)

    def _ask_until(self, key: Key, last: Position, first: First) -> None:
        if self._ask is not None:
            end = max(last.ts_event, first.event) + 1
            self._open(OpenGap("late subscription", last.ts_event, end, {key: last}))

    def _open(self, gap: OpenGap) -> None:
        assert self._ask is not None
        if not gap.everything:
            self.counts.gaps[gap.reason] += 1
        self._gaps.append(gap)
        for key in gap.since:
            self._held.setdefault(key, [])
        if not gap.everything:
            for symbol, _ in gap.since:
                self._tell_symbol(symbol, f"records are missing ({gap.reason}) and asked for")
        self._ask(gap)

    def _tell_symbol(self, symbol: str, reason: str) -> None:
        """Stale or live, told when it changes: silent, or behind because a gap is being filled."""
        if symbol not in self._spec.symbols and ALL_SYMBOLS in self._spec.symbols:
            symbol = ALL_SYMBOLS
        behind = any(
            symbol in (name, ALL_SYMBOLS)
            for gap in self._gaps
            if not gap.everything
            for name, _ in gap.since
        )
        stale = behind or symbol in self.freshness.stale
        if stale and symbol not in self._told_stale:
            self._told_stale[symbol] = None
            self.status(symbol, "stale", reason)
        elif not stale and symbol in self._told_stale:
            del self._told_stale[symbol]
            self.status(symbol, "live", reason)

    def _tell_back(self) -> None:
        """The source is live again only when what it missed has been asked for."""
        if self._up and self._down and not any(gap.everything for gap in self._gaps):
            self._down = False
            self.status(ALL_SYMBOLS, "live", "connected again")

    def _give_up(self, key: Key) -> None:
        """Too much is held back to wait any longer."""
        for gap in [gap for gap in self._gaps if key in gap.since]:
            self.close(gap, filled=False)

    def _tell(self, gap: OpenGap, filled: bool, now: int) -> None:
        """One gap record a symbol that missed something."""
        missed = {record.symbol: None for record in gap.found}
        if not filled:
            missed.update(dict.fromkeys(symbol for symbol, _ in gap.since))
        if gap.everything:
            self.counts.gaps[gap.reason] += len(missed)
        for symbol in missed:
            since = (at.ts_event for (name, _), at in gap.since.items() if name == symbol)
            start = min(since, default=gap.start)
            if filled:
                self.counts.filled += 1
                self._put_gap(symbol, start, gap.end, gap.reason, filled=True)
            else:
                self._unfilled(gap.reason, symbol, start, gap.end)

    def _unfilled(self, reason: str, symbol: str, start: int, end: int) -> None:
        self.counts.unfilled += 1
        self._put_gap(symbol, start, end, reason, filled=False)

    def _put_gap(self, symbol: str, start: int, end: int, reason: str, *, filled: bool) -> None:
        now = self._clock.now()
        self.outbox.put(
            GapRecord(
                source=self._spec.name,
                symbol=symbol,
                ts_event=start,
                ts_recv=now,
                ts_avail=now,
                epoch=self.epoch,
                start=start,
                end=end,
                reason=reason,
                filled=filled,
            )
        )

    def _pass(self, record: FeedRecord, kind: str, now: int, *, late: bool = False) -> None:
        """On to the consumer: never before its receipt, and never before an earlier one."""
        key = (record.symbol, kind)
        avail = max(record.ts_avail, now if late else record.ts_recv)
        avail = max(avail, self._last_avail.get(key, 0))
        self._last_avail[key] = avail
        flags, event = record.flags, record.ts_event
        if key in self._after_gap:
            del self._after_gap[key]
            flags |= Flag.AFTER_GAP
        if kind in TICKS and (correction := self.skew.correction_ns):
            flags |= Flag.SKEW_CORRECTED
            event += correction
        if (avail, flags, event, self.epoch) != (
            record.ts_avail,
            record.flags,
            record.ts_event,
            record.epoch,
        ):
            record = replace(
                record, ts_avail=avail, flags=int(flags), ts_event=event, epoch=self.epoch
            )
        self.counts.records[kind] += 1
        self.outbox.put(record)
