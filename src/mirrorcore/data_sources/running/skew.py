"""How far a source's clock is from ours, from what it sends and from what its server says.

Receipt − event is clock offset plus delay, and delay is never negative: the low end of it bounds
the offset from above. A negative bound is certain, the source's clock runs ahead. A positive one
may be nothing but delay, so it is believed only when the server, asked for its time, agrees: its
answer is as of the middle of the round trip, give or take half of it (Cristian, Probabilistic clock
synchronization, 1989). An answer that took long, as the first one of a connection does, may be all
doubt: what it says is acted on only as far as it lies beyond that.
"""

from __future__ import annotations

from collections import deque

from mirrorcore.clock import MINUTE
from mirrorcore.data_sources.running.policy import SkewPolicy

_MOST = 4096
"""Samples kept of one bucket; beyond that every second is dropped and every second taken."""
_SURE = 5
"""So many records in a row from beyond the bound are a clock that jumped, not a lone bad one."""
_SETTLED = 50
"""From so many records on it is the clock that moves the bound, not that faster ones come."""
_ANSWERS = 8
_ANSWER_LIFE = 10 * MINUTE


class SkewEstimator:
    """Offset of one source: what to add to its times to get ours, ns.

    The first value comes with the first record; the percentile is taken anew when a bucket of the
    sliding window is full, and while there are few samples at each doubling of them.
    """

    def __init__(self, policy: SkewPolicy) -> None:
        self.alarms = 0
        self._policy = policy
        self._bucket_ns = max(1, policy.window_ns // policy.buckets)
        self._buckets: deque[list[int]] = deque([[]], maxlen=policy.buckets)
        self._bucket_end: int | None = None
        self._stride = 1
        self._count = 0
        self._next_look = 1
        self._bound: int | None = None
        self._kept = 0
        self._beyond: list[int] = []
        self._later = 0  # records in a row that came later than delays vary
        self._answers: deque[tuple[int, int, int]] = deque(maxlen=_ANSWERS)
        self._server: int | None = None
        self._doubt = 0

    @property
    def offset_ns(self) -> int | None:
        """The best estimate; None before anything was heard that tells one."""
        server = None if self._says_nothing else self._server
        if server is None:
            return self._bound
        return server if self._bound is None else min(server, self._bound)

    @property
    def correction_ns(self) -> int:
        """What to add to the source's times: the offset where it is certain and large, else 0."""
        tolerance = self._policy.tolerance_ns
        offset = self.offset_ns
        if offset is None:
            return 0
        if self._server is not None and abs(offset) - self._doubt > tolerance:
            return offset
        return self._bound if self._bound is not None and self._bound < -tolerance else 0

    @property
    def in_doubt(self) -> bool:
        """Whether the server's best answer took too long to tell a clock that is right from one
        that has to be corrected."""
        return self._server is not None and self._doubt > self._policy.tolerance_ns

    @property
    def in_question(self) -> bool:
        """Whether everything comes later than before: the source's clock was set back, or the
        network is slow. Its server knows, and is to be asked now."""
        return self._later >= _SURE

    @property
    def _says_nothing(self) -> bool:
        """Whether that answer allows for a clock that is right."""
        return self.in_doubt and abs(self._server or 0) <= self._doubt + self._policy.tolerance_ns

    def sample(self, received_minus_event: int, now: int) -> None:
        """One record of the stream; backfilled ones and bars say nothing and are left out."""
        if self._bucket_end is None:
            self._bucket_end = now + self._bucket_ns
        elif now >= self._bucket_end:
            self._roll(now)
        if self._bound is not None and received_minus_event < self._bound - self._policy.alarm_ns:
            self._jumped_ahead(received_minus_event)
            return
        self._beyond.clear()
        late = (
            self._bound is not None and received_minus_event > self._bound + self._policy.alarm_ns
        )
        self._later = self._later + 1 if late else 0
        self._keep(received_minus_event)

    def answer(self, server_ns: int, sent: int, received: int) -> None:
        """The server said ``server_ns`` to a question sent and answered at these instants."""
        offset = (sent + received) // 2 - server_ns
        doubt = self._policy.alarm_ns + (received - sent) // 2
        moved = self._server is not None and abs(offset - self._server) > doubt
        # It was ahead for a while, as records told that nobody gets before they are sent.
        back = self.in_question and self._bound is not None and offset - self._bound > doubt
        self._later = 0
        if moved or back:
            self.alarms += 1
            self._answers.clear()
            self._forget()
        self._answers.append((received - sent, offset, received))
        fresh = [one for one in self._answers if one[2] > received - _ANSWER_LIFE]
        trip, self._server, _ = min(fresh)
        self._doubt = trip // 2

    @property
    def _settled(self) -> bool:
        return self._kept >= _SETTLED

    def _keep(self, value: int) -> None:
        self._count += 1
        self._kept += 1
        if self._count % self._stride:
            return
        bucket = self._buckets[-1]
        bucket.append(value)
        if len(bucket) > _MOST:
            del bucket[::2]
            self._stride *= 2
        if self._count >= self._next_look:
            self._next_look = 2 * self._count
            self._look()

    def _roll(self, now: int) -> None:
        """The bucket is full; a silence longer than the window empties all of them."""
        assert self._bucket_end is not None
        passed = 1 + (now - self._bucket_end) // self._bucket_ns
        self._look()
        for _ in range(min(passed, self._policy.buckets)):
            self._buckets.append([])
        self._bucket_end += passed * self._bucket_ns
        self._stride, self._count, self._next_look = 1, 0, 1

    def _look(self) -> None:
        samples = sorted(value for bucket in self._buckets for value in bucket)
        if not samples:
            return
        bound = samples[int(self._policy.share * (len(samples) - 1))]
        if self._bound is not None and abs(bound - self._bound) > self._policy.alarm_ns:
            self.alarms += self._settled
        self._bound = bound

    def _jumped_ahead(self, value: int) -> None:
        """Sooner than any delay allows: one is a bad stamp, several are a clock that jumped."""
        self._beyond.append(value)
        if len(self._beyond) >= _SURE:
            beyond, self._beyond = self._beyond, []
            self.alarms += self._settled
            self._forget()
            for one in beyond:
                self._keep(one)

    def _forget(self) -> None:
        """What was measured of the old clock says nothing of the new one."""
        for bucket in self._buckets:
            bucket.clear()
        self._bound, self._kept, self._later = None, 0, 0
        self._stride, self._count, self._next_look = 1, 0, 1
