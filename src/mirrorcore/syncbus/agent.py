"""The bus's own record of an agent: who it is, what it is called with, how it is doing."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from decimal import getcontext, setcontext
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mirrorcore.syncbus.breaker import Breaker
from mirrorcore.syncbus.health import BUCKETS, SuccessRate
from mirrorcore.syncbus.mailbox import Mailbox
from mirrorcore.syncbus.messages import Interest, Stall
from mirrorcore.syncbus.policy import AgentPolicy
from mirrorcore.syncbus.source import StateSource
from mirrorcore.syncbus.supervision import LifeState, RestartWindow
from mirrorcore.syncbus.task import HandlerTask

if TYPE_CHECKING:
    from mirrorcore.syncbus.process_host import Host

Handler = Callable[[Any], Any]


class Handlers(msgspec.Struct, frozen=True):
    """What an agent is called with; each sync or async, each optional."""

    on_tick: Handler | None = None
    on_update: Handler | None = None
    on_message: Handler | None = None
    on_signal: Handler | None = None


def _own(context: Context) -> Context:
    """A copy; also of what the one variable refers to whose value is changed in place."""
    own = context.copy()
    if any(variable.name == "decimal_context" for variable in own):
        own.run(_own_decimals)
    return own


def _own_decimals() -> None:
    setcontext(getcontext().copy())


class Agent:
    """One registered agent. ``token`` is what a handle must hold to act for it; None: nobody."""

    __slots__ = (
        "_latency",
        "_state",
        "agent_id",
        "ahead",
        "blocked",
        "breaker",
        "busy",
        "checkpoint",
        "down",
        "essential",
        "expired",
        "factory",
        "failures",
        "fault",
        "handle",
        "handlers",
        "host",
        "incarnation",
        "index",
        "interests",
        "kind",
        "lossless_accepted",
        "lossless_dead",
        "lossless_failed",
        "lossless_handled",
        "mailbox",
        "native",
        "outcomes",
        "overrun",
        "paused",
        "policy",
        "refused",
        "registered_in",
        "restarts",
        "rng",
        "sender",
        "side_tasks",
        "skipped",
        "source",
        "spare",
        "staged",
        "staged_publishes",
        "staging",
        "stall",
        "success_rate",
        "token",
        "window",
        "zombies",
    )

    def __init__(
        self,
        agent_id: str,
        kind: str,
        index: int,
        incarnation: int,
        source: StateSource,
        ready: deque[Mailbox],
        handlers: Handlers,
        interests: tuple[Interest, ...],
        policy: AgentPolicy,
        factory: Callable[..., Any] | None,
        essential: bool,
        turn: int,
    ) -> None:
        self.agent_id = agent_id
        self.kind = kind
        self.index = index
        self.incarnation = incarnation
        self.source = source
        self.handlers = handlers
        self.interests = interests
        self.policy = policy
        # Its code begins with the context variables of whoever registered it, and what it sets is
        # its own: nobody else sees it, and its next incarnation does not either.
        self.registered_in = copy_context()
        self.factory = factory
        self.essential = essential
        self.mailbox = Mailbox(
            self,
            ready,
            on_update=handlers.on_update,
            turn=turn,
            brisk_ns=policy.deadline_ns // 16,
            context=_own(self.registered_in),
        )
        self.breaker = Breaker(policy.breaker, policy.cadence_ns)
        self.window = RestartWindow(policy.restart, policy.cadence_ns)
        self.state = LifeState.RUNNING
        self.paused = False
        self.token: object | None = object()
        self.handle: Any = None
        self.host: Host | None = None
        self.checkpoint: bytes | None = None
        self.busy: HandlerTask | None = None
        self.side_tasks: list[HandlerTask] = []
        self.staging = False
        self.staged: list[Callable[[], object]] = []
        self.staged_publishes = 0
        self.outcomes: list[HandlerTask] = []
        self.overrun = self.native = False
        # What the call under way must not have done: it has failed, whatever it returns.
        self.fault: Exception | None = None
        self.stall: Stall | None = None
        self.sender = ""
        self.rng: np.random.Generator | None = None
        self._latency = [0] * BUCKETS
        self.spare: HandlerTask | None = None
        self.success_rate = SuccessRate()
        self.failures = self.restarts = self.expired = self.blocked = self.zombies = 0
        self.skipped = self.refused = self.ahead = 0
        self.lossless_accepted = self.lossless_handled = 0
        self.lossless_failed = self.lossless_dead = 0

    @property
    def state(self) -> LifeState:
        return self._state

    @state.setter
    def state(self, state: LifeState) -> None:
        self._state = state
        self.down = state not in (LifeState.RUNNING, LifeState.PROBING)
        self.mailbox.probing = state is LifeState.PROBING

    @property
    def context(self) -> Context:
        """In which its code runs."""
        return self.mailbox.context

    @property
    def latency(self) -> list[int]:
        """How many of its calls took 2^(n-1) .. 2^n ns, by n."""
        mailbox = self.mailbox
        self._latency[mailbox.bucket] += mailbox.in_bucket
        mailbox.in_bucket = 0
        return self._latency

    def fill(self, bucket: int, calls: int) -> None:
        """``calls`` calls of another bucket of its latencies than the last ones."""
        mailbox = self.mailbox
        self._latency[mailbox.bucket] += mailbox.in_bucket
        mailbox.bucket, mailbox.in_bucket = bucket, calls

    @property
    def status(self) -> LifeState:
        """The life state, PAUSED where a pause is all that holds it back."""
        if self.paused and not self.down:
            return LifeState.PAUSED
        return self.state

    @property
    def held_out(self) -> bool:
        """Whether it was isolated by command, so that no time and no probe brings it back."""
        return self.state is LifeState.ISOLATED and self.breaker.retry_at is None

    @property
    def callable(self) -> bool:
        """Whether it may be called now, as far as its life goes."""
        if self.host is not None and not self.host.begun:
            return False
        return not self.paused and not self.down

    @property
    def waiting(self) -> int:
        return (self.busy is not None) + len(self.side_tasks)

    def lossless_residual(self) -> int:
        """Accepted messages that no counter explains."""
        under_way = [task for task in self.side_tasks if task.tag[1] is not None]
        if self.busy is not None and self.busy.tag[1] is not None:
            under_way.append(self.busy)
        explained = self.lossless_handled + self.lossless_failed + self.lossless_dead
        return self.lossless_accepted - explained - self.mailbox.inbox_length - len(under_way)

    def begin_anew(self) -> None:
        """A new incarnation: nothing of the context variables and tasks of the last one."""
        self.mailbox.context = _own(self.registered_in)
        self.spare = None

    def generator(self, seed: int) -> np.random.Generator:
        """Its own stream of random numbers, keyed by seed and id alone."""
        if self.rng is None:
            digest = hashlib.sha256(self.agent_id.encode()).digest()
            self.rng = np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
        return self.rng

    def took(self, ns: int) -> None:
        """A call took ``ns`` of wall time."""
        self._latency[ns.bit_length()] += 1
