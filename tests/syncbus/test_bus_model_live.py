"""The bus on a loop, in virtual time, against what must hold whatever its agents do.

Handlers raise, wait, hang and refuse to be cancelled; requests time out; signals reach the paused;
agents come, go and come back with other interests; readers take the latest, some fields, every
delta, or are called within the publish. After every step the accounts balance; in the end each
view is its source's state, each stream is whole or says what it lost, and each accepted message
was tried once, in order, or is a dead letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock, VirtualTimeLoop
from mirrorcore.syncbus import (
    ALL,
    AgentDown,
    AgentPolicy,
    BreakerPolicy,
    Expired,
    Gap,
    Interest,
    LaneFull,
    LifeState,
    RequestFailed,
    RestartPolicy,
    SyncBus,
    Update,
)

NAMES = ("a0", "a1", "a2", "b0", "b1")
POLICY = AgentPolicy(
    deadline_ns=100 * MILLISECOND,
    inbox=4,
    stream=80,
    breaker=BreakerPolicy(consecutive=2),
    restart=RestartPolicy(intensity=3),
)
DOWN = (LifeState.ISOLATED, LifeState.FAILED)
BEHAVIOURS = ("fine", "raise", "yield", "wait", "hang", "stubborn")

names = st.sampled_from(NAMES)
interests = st.lists(
    st.builds(
        Interest,
        name=st.sampled_from([*NAMES, "alpha", "beta", ALL]),
        fields=st.sampled_from([None, None, ("x",), ("x", "y")]),
        mode=st.sampled_from(["latest", "latest", "every", "eager"]),
    ).map(lambda i: Interest(i.name, None, i.mode) if i.mode == "eager" else i),
    max_size=3,
)


class Actor:
    """One registration of one agent, and what it was called with."""

    def __init__(self, world: World, name: str, wanted: list[Interest]) -> None:
        self.world = world
        self.name = name
        self.behaviour = "fine"
        self.sync = any(interest.mode == "eager" for interest in wanted)
        self.views: dict[str, dict[str, Any]] = {}
        self.streams: dict[str, list[Update | Gap]] = {}
        self.messages: list[int] = []
        self.answered: list[int] = []
        self.signals: list[int] = []
        self.rejections = False  # it had failed for good: what came then was turned away

    def see(self, update: Update | Gap) -> None:
        self.world.calls.append((self.name, "update"))
        self.streams.setdefault(update.source, []).append(update)
        if isinstance(update, Gap):
            return
        if update.resync:
            self.views[update.source] = dict(update.fields)
        else:
            self.views.setdefault(update.source, {}).update(update.fields)

    def on_update_sync(self, update: Update | Gap) -> None:
        self.see(update)
        if self.behaviour == "raise":
            raise ValueError("broken")

    async def on_update(self, update: Update | Gap) -> None:
        self.see(update)
        await self.act()

    async def on_message(self, message: int) -> int:
        self.world.calls.append((self.name, "message"))
        self.messages.append(message)
        await self.act()
        self.answered.append(message)
        return 2 * message

    def on_signal(self, signal: int) -> None:
        self.world.calls.append((self.name, "signal"))
        self.signals.append(signal)
        if self.behaviour == "raise":
            raise ValueError("broken")

    async def act(self) -> None:
        behaviour = self.behaviour
        if behaviour == "raise":
            raise ValueError("broken")
        if behaviour == "yield":
            await asyncio.sleep(0)
        elif behaviour == "wait":
            await asyncio.sleep(0.05)
        elif behaviour == "hang":
            await asyncio.get_running_loop().create_future()
        elif behaviour == "stubborn":
            await self.refuse_to_end()

    async def refuse_to_end(self) -> None:
        """Swallows its cancellation and acts on: it must not get anywhere."""
        handle = self.world.bus._agent(self.name).handle
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            for act in (lambda: handle.publish({"x": -1}), lambda: handle.send("a0", -1)):
                try:
                    act()
                    self.world.violations.append(f"a zombie of {self.name} got through")
                except AgentDown:
                    continue


class World(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(SECOND)
        self.loop = VirtualTimeLoop(self.clock)
        self.bus = SyncBus(self.clock, seed=9)
        self.actors: dict[str, Actor] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.accepted: dict[str, list[int]] = {}
        self.requests: list[tuple[Actor, int, asyncio.Task[Any]]] = []
        self.calls: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.number = 0

    def within(self, work: Callable[[], Any]) -> Any:
        """Do ``work`` as code of the loop, and let the loop turn once."""

        async def main() -> Any:
            done = work()
            await asyncio.sleep(0)
            return done

        return self.loop.run_until_complete(main())

    def next(self) -> int:
        self.number += 1
        return self.number

    @property
    def dead(self) -> set[int]:
        return {letter.message for letter in self.bus.dead_letters}

    # -- who takes part ---------------------------------------------------------------------------

    @rule(name=names, wanted=interests)
    def register_or_remove(self, name: str, wanted: list[Interest]) -> None:
        if name in self.actors:
            self.within(lambda: self.bus.remove(name))
            del self.actors[name], self.states[name], self.accepted[name]
            for actor in self.actors.values():
                actor.views.pop(name, None)
                actor.streams.pop(name, None)
            return
        actor = self.actors[name] = Actor(self, name, wanted)
        self.states[name] = {}
        self.accepted[name] = []
        self.within(
            lambda: self.bus.register(
                name,
                kind="alpha" if name[0] == "a" else "beta",
                interests=wanted,
                on_update=actor.on_update_sync if actor.sync else actor.on_update,
                on_message=actor.on_message,
                on_signal=actor.on_signal,
                policy=POLICY,
            )
        )

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), behaviour=st.sampled_from(BEHAVIOURS))
    def behave(self, data: Any, behaviour: str) -> None:
        data.draw(self.actor()).behaviour = behaviour

    def actor(self) -> Any:
        return st.sampled_from(list(self.actors.values()))

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), command=st.sampled_from(["pause", "resume", "restart", "isolate"]))
    def command(self, data: Any, command: str) -> None:
        actor = data.draw(self.actor())
        self.within(lambda: getattr(self.bus, command)(actor.name))

    # -- the three lanes --------------------------------------------------------------------------

    @precondition(lambda self: self.actors)
    @rule(
        data=st.data(), times=st.sampled_from([1, 2, 63, 64, 65, 150]), field=st.sampled_from("xyz")
    )
    def publish(self, data: Any, times: int, field: str) -> None:
        """Floods change distinct fields: a delta lost is a field lost."""
        name = data.draw(self.actor()).name

        def flood() -> None:
            for turn in range(times):
                delta = {field if turn % 2 == 0 else f"{field}{turn}": self.next()}
                try:
                    self.bus._agent(name).handle.publish(delta)
                except AgentDown:
                    assert self.bus.status(name) in DOWN
                    return
                self.states[name].update(delta)

        self.within(flood)

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), count=st.integers(1, 6), ttl=st.sampled_from([None, 0, 20 * MILLISECOND]))
    def send(self, data: Any, count: int, ttl: int | None) -> None:
        actor, sender = data.draw(self.actor()), data.draw(self.actor())
        handle = self.bus._agent(sender.name).handle

        def send() -> None:
            for _ in range(count):
                number = self.next()
                try:
                    handle.send(actor.name, number, ttl_ns=ttl)
                except LaneFull:
                    assert self.bus.statistics(actor.name).inbox == POLICY.inbox
                except AgentDown:
                    states = {self.bus.status(actor.name), self.bus.status(sender.name)}
                    assert not states.isdisjoint(DOWN)
                else:
                    self.accepted[actor.name].append(number)

        self.within(send)

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), timeout=st.sampled_from([10 * MILLISECOND, SECOND]))
    def request(self, data: Any, timeout: int) -> None:
        actor, sender = data.draw(self.actor()), data.draw(self.actor())
        number = self.next()
        handle = self.bus._agent(sender.name).handle
        accepted = self.bus.statistics(actor.name).accepted

        async def main() -> None:
            task = asyncio.ensure_future(handle.request(actor.name, number, timeout_ns=timeout))
            self.requests.append((actor, number, task))
            await asyncio.sleep(0)
            if self.bus.statistics(actor.name).accepted > accepted:
                self.accepted[actor.name].append(number)

        self.loop.run_until_complete(main())

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), everybody=st.booleans())
    def signal(self, data: Any, everybody: bool) -> None:
        """Before any other call, of everybody who is up, paused or not."""
        target = ALL if everybody else data.draw(self.actor()).name
        number = self.next()
        asked = list(self.actors) if everybody else [target]
        up = [name for name in asked if self.bus._agent(name).state not in DOWN]

        def send() -> None:
            began = len(self.calls)
            assert self.bus.signal(target, number) == up
            self.bus.settle()
            assert self.calls[began : began + len(up)] == [(name, "signal") for name in up]

        self.within(send)
        for name in up:
            assert self.actors[name].signals[-1] == number

    # -- time -------------------------------------------------------------------------------------

    @rule(wait=st.sampled_from([0, 10, 60, 150, 2_000, 40_000]))
    def pass_time(self, wait: int) -> None:
        self.loop.run_until_complete(self.until(self.clock.now() + wait * MILLISECOND))

    async def until(self, instant: int) -> None:
        await self.bus.wait_quiet(instant)
        left = instant - self.clock.now()
        if left > 0:
            await asyncio.sleep(left / SECOND)
        self.bus.sweep()
        self.bus.settle()

    # -- what always holds ------------------------------------------------------------------------

    @invariant()
    def accounts_balance(self) -> None:
        assert self.bus.accounting_residual() == 0
        assert self.violations == []
        for name, actor in self.actors.items():
            statistics = self.bus.statistics(name)
            assert statistics.inbox <= POLICY.inbox
            assert statistics.calls == (
                statistics.successes + statistics.failures + statistics.waiting
            )
            mailbox = self.bus._agent(name).mailbox
            assert len(mailbox.pending) <= len(mailbox.edges)
            assert len(set(map(id, mailbox.pending))) == len(mailbox.pending)
            actor.rejections |= self.bus.status(name) is LifeState.FAILED

    @invariant()
    def states_are_what_was_published(self) -> None:
        for name, state in self.states.items():
            assert dict(self.bus.read(name).state) == state

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self.finish())
            self.check_messages()
            self.check_views()
            self.accounts_balance()
        finally:
            self.loop.run_until_complete(self.bus.aclose())
            self.loop.close()

    async def finish(self) -> None:
        for _ in range(3):
            for name, actor in self.actors.items():
                actor.behaviour = "fine"
                self.bus.resume(name)
                if self.bus.status(name) in DOWN:
                    self.bus.restart(name)
            await self.until(self.clock.now() + 2 * SECOND)

    def check_messages(self) -> None:
        dead = self.dead
        for name, actor in self.actors.items():
            assert [n for n in self.accepted[name] if n not in dead] == actor.messages
        for actor, number, task in self.requests:
            assert task.done(), "every request has an end"
            error = task.exception()
            if error is None:
                assert task.result() == 2 * number
                assert number in actor.answered
            elif isinstance(error, LaneFull):
                assert number not in actor.messages
            elif isinstance(error, RequestFailed):
                assert number in actor.messages
                assert number not in actor.answered
            else:
                assert isinstance(error, AgentDown | Expired)

    def check_views(self) -> None:
        for name, actor in self.actors.items():
            for source, edge in self.bus._agent(name).mailbox.edges.items():
                wanted = dict(edge.restrict(self.states[source]))
                stream = hasattr(edge, "waiting")
                if stream:
                    self.check_stream(actor, actor.streams.get(source, []), edge)
                if not (stream and edge.lost):
                    assert actor.views.get(source, {}) == wanted, (name, source)

    def check_stream(self, actor: Actor, told: list[Update | Gap], edge: Any) -> None:
        """Versions rise; where no field was left out, each follows the one before."""
        last: int | None = None
        for entry in told:
            first = entry.first if isinstance(entry, Gap) else entry.version
            if last is not None:
                assert first > last or (isinstance(entry, Update) and entry.resync)
                again = isinstance(entry, Update) and entry.resync and actor.rejections
                if edge.mask is None and not again:
                    assert first == last + 1
            if isinstance(entry, Gap):
                assert 1 <= entry.count <= entry.last - entry.first + 1
                assert edge.mask is not None or entry.count == entry.last - entry.first + 1
                last = entry.last
            else:
                assert entry.gap == (0 if entry.resync else 1)
                last = entry.version
        told_lost = sum(entry.count for entry in told if isinstance(entry, Gap))
        assert told_lost == edge.lost or (actor.rejections and told_lost < edge.lost)


World.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBusLiveModel = World.TestCase
