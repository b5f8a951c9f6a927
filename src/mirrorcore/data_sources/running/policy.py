"""Every number by which a live source is run, in one place, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from mirrorcore.clock import MILLISECOND, MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """When a lost source is tried again.

    Parameters
    ----------
    base_ns, cap_ns: bounds of full jitter: each wait is uniform over 0 .. min(cap, base · 2^k).
    healthy_ns: after so long without a failure k is 0 again.
    trip_after: so many attempts in a row that brought nothing open the breaker.
    open_ns, open_cap_ns: it stays open for half to all of min(cap, open · 2^j), j = how often it
        opened since it last closed.
    """

    base_ns: int = 500 * MILLISECOND
    cap_ns: int = 30 * SECOND
    healthy_ns: int = MINUTE
    trip_after: int = 5
    open_ns: int = MINUTE
    open_cap_ns: int = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class SkewPolicy:
    """How a source's clock is compared with ours.

    Parameters
    ----------
    window_ns, buckets: the sliding window, cut into buckets that fall out one by one.
    share: the percentile of receipt − event taken for the offset, as a fraction.
    tolerance_ns: an offset smaller than this is left alone: networks are no better.
    alarm_ns: a jump larger than this is an alarm.
    ask_every_ns: how often a source that tells its server's time is asked for it.
    ask_again_ns: how soon it is asked again where its answer took too long to be of use.
    """

    window_ns: int = MINUTE
    buckets: int = 12
    share: float = 0.01
    tolerance_ns: int = 100 * MILLISECOND
    alarm_ns: int = 250 * MILLISECOND
    ask_every_ns: int = MINUTE
    ask_again_ns: int = 5 * SECOND


@dataclass(frozen=True, slots=True)
class RunnerPolicy:
    """How one source is run.

    Parameters
    ----------
    restart_after: silence of the whole source, in multiples of its ``stale_after_ns``, after
        which its connection is taken for dead and made anew.
    fill_attempts, fill_timeout_ns: tries of one backfill, and how long one may take.
    remembered: identities kept to drop what comes twice.
    held, kept: most records held back while a gap is filled, and kept for the consumer.
    collect_timeout_ns: how long a polled source may take to answer.
    """

    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    skew: SkewPolicy = field(default_factory=SkewPolicy)
    restart_after: float = 2.0
    fill_attempts: int = 8
    fill_timeout_ns: int = 30 * SECOND
    remembered: int = 65_536
    held: int = 100_000
    kept: int = 100_000
    collect_timeout_ns: int = 30 * SECOND
