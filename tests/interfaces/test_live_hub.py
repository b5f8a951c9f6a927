"""The hub between two threads: frames to who reads, a snapshot to who does not, nothing to lose."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from driven_run import DrivenRun, configured_run
from made_pictures import Invented, with_top

from mirrorcore.clock import SECOND, Stopwatch
from mirrorcore.interfaces.live import client as client_module
from mirrorcore.interfaces.live import wire
from mirrorcore.interfaces.live.client import QUEUE, QUEUE_BYTES, Client
from mirrorcore.interfaces.live.hub import MOST_CLIENTS, Hub, HubFullError
from mirrorcore.interfaces.live.model import ClientModel, Heard
from mirrorcore.interfaces.live.panel import Panel
from mirrorcore.interfaces.live.picture import Picture
from mirrorcore.swarm.control.actions import By
from mirrorcore.swarm.control.requests import RunEndedError
from mirrorcore.swarm.paper import run_paper
from mirrorcore.swarm.run import Run

LONG_S = 20.0


class Swarm:
    """Stands for a swarm: has a picture whenever it is asked for one."""

    def __init__(self, agents: int = 3) -> None:
        self.world = Invented(Random(1), agents)
        self.tick = 0
        self.asked = 0
        self.error: Exception | None = None
        self.busy = False
        self.unanswered: list[Future[Picture]] = []
        self.hub = Hub(self.ask, run="r", mode="paper", epoch=9)
        self.hub.push(self.picture())

    def picture(self) -> Picture:
        return with_top(self.world.picture(), tick=self.tick)

    def ask(self) -> Future[Picture]:
        self.asked += 1
        answer: Future[Picture] = Future()
        if self.busy:
            self.unanswered.append(answer)
        elif self.error is None:
            self.hub.push(self.picture())
            answer.set_result(self.hub.latest)
        else:
            answer.set_exception(self.error)
        return answer

    def decide(self) -> None:
        self.tick += 1
        self.hub.push(self.picture())


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, LONG_S))


async def until(condition: Callable[[], bool]) -> None:
    watch = Stopwatch()
    while not condition():
        assert watch.wall_ns() < LONG_S * SECOND
        await asyncio.sleep(0.001)


async def heard(client: Client, kind: str = "") -> dict[str, Any]:
    """The next frame, of a kind."""
    while True:
        frame = await client.next()
        assert frame is not None
        plain: dict[str, Any] = json.loads(frame)
        if kind in ("", plain["t"]):
            return plain


def test_a_new_client_is_greeted_and_told_everything_at_once() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        client = await swarm.hub.join(4, "operator")
        hello, snap = await heard(client), await heard(client)
        assert (hello["t"], hello["epoch"], hello["rate"], hello["role"]) == (
            "hello",
            9,
            4,
            "operator",
        )
        assert (snap["t"], snap["seq"], snap["why"]) == ("snap", 0, "hello")
        assert snap["agents"]["n"] == 3
        assert (swarm.hub.rate, swarm.hub.connected) == (4, 1)
        client.close()
        assert (swarm.hub.rate, swarm.hub.connected) == (0, 0)
        assert await client.next() is None

    run(work())


def test_frames_come_at_the_rate_that_was_asked_for_and_end_with_the_newest() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        models = {rate: ClientModel(rate) for rate in wire.RATES}
        counts = dict.fromkeys(wire.RATES, 0)

        async def follow(rate: int) -> None:
            client = await swarm.hub.join(rate, "viewer")
            while (frame := await client.next()) is not None:
                told = models[rate].receive(frame)
                assert told in (Heard.APPLIED, Heard.NOTED)
                counts[rate] += told is Heard.APPLIED

        tasks = [asyncio.ensure_future(follow(rate)) for rate in wire.RATES]
        await until(lambda: all(model.known for model in models.values()))
        watch = Stopwatch()
        while watch.wall_ns() < 1.2 * SECOND:
            swarm.decide()
            await asyncio.sleep(0.005)
        seconds = watch.wall_ns() / SECOND
        await until(lambda: all(m.top["tick"] == swarm.tick for m in models.values()))
        for rate in wire.RATES:
            # The snapshot, and one at the end.
            assert counts[rate] <= rate * seconds * 1.15 + 2
        assert counts[10] > counts[4] > counts[1]
        swarm.hub.finish("finished")
        await asyncio.gather(*tasks)
        assert {model.ended for model in models.values()} == {"finished"}

    run(work())


def test_all_clients_of_a_rate_get_the_same_bytes() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        one, other = await swarm.hub.join(10, "viewer"), await swarm.hub.join(10, "viewer")
        for client in (one, other):
            await heard(client, "snap")
        swarm.decide()
        frames = [await client.next() for client in (one, other)]
        assert frames[0] is frames[1]

    run(work())


def test_who_reads_nothing_gets_one_snapshot_of_now() -> None:
    async def work() -> None:
        swarm = Swarm(agents=200)
        swarm.hub.open()
        reader, stalled = await swarm.hub.join(10, "viewer"), await swarm.hub.join(10, "viewer")
        model = ClientModel()
        for client in (reader, stalled):
            for _ in ("hello", "snap"):
                model.receive(await client.next() or b"")
        one = swarm.hub._classes[10]
        for _ in range(60):
            swarm.world.step()
            swarm.decide()
            one.emit(swarm.hub.latest)
            assert model.receive(await reader.next() or b"") is Heard.APPLIED
            assert stalled.waiting_bytes <= QUEUE_BYTES
        assert (stalled.waiting_bytes, swarm.hub.resyncs) == (0, 1)
        snap = await stalled.next()
        assert json.loads(snap or b"")["why"] == "behind"
        late = ClientModel()
        late.receive(snap or b"")
        assert late.top["tick"] == 60
        assert json.loads(json.dumps(late.state())) == json.loads(json.dumps(model.state()))

    run(work())


def test_a_stalled_client_costs_less_than_a_mebibyte() -> None:
    world = Invented(Random(1), agents=1000)
    pictures = []
    for tick in range(60):
        world.step()
        pictures.append(with_top(world.picture(), tick=tick))

    async def grown(stalled: int) -> int:
        swarm = Swarm()
        swarm.error = RunEndedError("nobody answers")
        swarm.hub.push(pictures[0])
        swarm.hub.open()
        clients = [await swarm.hub.join(10, "viewer") for _ in range(stalled + 1)]
        for client in clients:
            for _ in ("hello", "snap"):
                await client.next()
        one = swarm.hub._classes[10]
        gc.collect()
        tracemalloc.start()
        most = 0
        for picture in pictures:
            one.emit(picture)
            while clients[0].waiting_bytes:
                await clients[0].next()
            most = max(most, tracemalloc.get_traced_memory()[0] - one.channel.ring_bytes)
        tracemalloc.stop()
        return most

    alone, crowded = asyncio.run(grown(0)), asyncio.run(grown(8))
    assert crowded - alone < 8 * 1024 * 1024 / 4  # frames are shared: a quarter is plenty


def test_the_seventeenth_waiting_frame_makes_a_snapshot_of_all() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        client = await swarm.hub.join(10, "viewer")
        await heard(client, "snap")
        one = swarm.hub._classes[10]
        for tick in range(1, QUEUE + 1):
            one.emit(with_top(swarm.picture(), tick=tick))
        assert (await heard(client))["t"] == "d"
        for tick in range(QUEUE + 1, QUEUE + 3):
            one.emit(with_top(swarm.picture(), tick=tick))
        frame = await heard(client)
        assert (frame["t"], frame["why"], frame["top"]["tick"]) == ("snap", "behind", QUEUE + 2)
        assert swarm.hub.resyncs == 1
        one.emit(with_top(swarm.picture(), tick=99))
        after = await heard(client)
        assert (after["t"], after["seq"]) == ("d", frame["seq"] + 1)

    run(work())


def test_who_asks_gets_a_snapshot_and_who_comes_back_what_was_missed() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        client = await swarm.hub.join(10, "viewer")
        snap = await heard(client, "snap")
        client.owe("resync")
        assert (await heard(client))["why"] == "resync"
        client.close()
        for _ in range(3):
            swarm.decide()
        back = await swarm.hub.join(10, "viewer", wire.Resume(9, snap["seq"]))
        assert (await heard(back))["t"] == "hello"
        missed = await heard(back)
        assert (missed["t"], missed["seq"], missed["top"]["tick"]) == ("d", snap["seq"] + 1, 3)
        for resume in (wire.Resume(8, 0), wire.Resume(9, 70)):
            stranger = await swarm.hub.join(10, "viewer", resume)
            assert (await heard(stranger))["t"] == "hello"
            assert (await heard(stranger))["t"] == "snap"

    run(work())


def test_who_comes_back_late_has_room_for_what_was_missed_and_no_more() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.error = RunEndedError("nobody answers")
        swarm.hub.open()
        first = await swarm.hub.join(10, "viewer")
        await heard(first, "snap")
        first.close()
        one = swarm.hub._classes[10]
        for tick in range(1, 2 * QUEUE + 1):
            one.emit(with_top(swarm.picture(), tick=tick))
        swarm.hub.latest = with_top(swarm.picture(), tick=2 * QUEUE)
        back = await swarm.hub.join(10, "viewer", wire.Resume(9, 0))
        assert (await heard(back))["t"] == "hello"
        for seq in range(1, 2 * QUEUE + 1):
            assert (await heard(back))["seq"] == seq
        # From here on it is a client like any other.
        for tick in range(100, 100 + QUEUE + 1):
            one.emit(with_top(swarm.picture(), tick=tick))
        assert (await heard(back))["why"] == "behind"

    run(work())


def test_what_was_missed_is_not_sent_where_a_snapshot_is_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        first = await swarm.hub.join(10, "viewer")
        await heard(first, "snap")
        first.close()
        swarm.decide()
        monkeypatch.setattr(client_module, "QUEUE_BYTES", 400)
        back = await swarm.hub.join(10, "viewer", wire.Resume(9, 0))
        assert [(await heard(back))["t"], (await heard(back))["t"]] == ["hello", "snap"]

    run(work())


def test_who_comes_later_sees_what_came_meanwhile_and_what_is_now() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        first = await swarm.hub.join(10, "viewer")
        await heard(first, "snap")
        first.close()
        swarm.tick = 4
        swarm.hub.push(swarm.picture())
        swarm.tick = 6  # of which nobody has made a picture
        second = await swarm.hub.join(10, "viewer")
        snap = await heard(second, "snap")
        if snap["top"]["tick"] == 4:
            assert (await heard(second, "d"))["top"]["tick"] == 6
        else:
            assert snap["top"]["tick"] == 6
        second.close()
        swarm.error = RunEndedError("the run has ended")
        swarm.tick = 8
        swarm.hub.push(swarm.picture())
        third = await swarm.hub.join(10, "viewer")
        assert (await heard(third, "snap"))["top"]["tick"] == 8

    run(work())


def test_while_nothing_happens_it_says_that_it_is_there() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        client = await swarm.hub.join(10, "viewer")
        await heard(client, "snap")
        watch = Stopwatch()
        beat = await heard(client)
        assert (beat["t"], beat["seq"]) == ("hb", 0)
        assert watch.wall_ns() < 2 * SECOND
        assert (await heard(client))["t"] == "hb"

    run(work())


def test_no_more_than_32_clients() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        clients = [await swarm.hub.join(10, "viewer") for _ in range(MOST_CLIENTS)]
        with pytest.raises(HubFullError) as refused:
            await swarm.hub.join(1, "viewer")
        assert "32" in str(refused.value)
        assert refused.value.hint
        clients[0].close()
        await swarm.hub.join(1, "viewer")

    run(work())


def test_fresh_is_of_now_and_one_question_serves_many() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        swarm.busy = True
        asking = [asyncio.ensure_future(swarm.hub.fresh()) for _ in range(5)]
        await until(lambda: swarm.asked > 0)
        await asyncio.sleep(0)
        swarm.tick = 7
        swarm.hub.push(swarm.picture())
        (question,) = swarm.unanswered
        question.set_result(swarm.hub.latest)
        pictures = await asyncio.gather(*asking)
        assert {picture.top["tick"] for picture in pictures} == {7}
        # Whoever asks after the answer gets another one.
        swarm.busy = False
        swarm.tick = 8
        assert (await swarm.hub.fresh()).top["tick"] == 8
        swarm.tick = 9
        assert (await swarm.hub.fresh()).top["tick"] == 9
        swarm.tick = 7
        swarm.hub.push(swarm.picture())
        swarm.error = RunEndedError("the run has ended")
        assert (await swarm.hub.fresh()).top["tick"] == 7
        swarm.error = RuntimeError("a defect")
        with pytest.raises(RuntimeError, match="a defect"):
            await swarm.hub.fresh()

    run(work())


def test_a_swarm_that_is_too_busy_to_answer_shows_what_it_was() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        swarm.busy = True
        swarm.tick = 3
        watch = Stopwatch()
        assert (await swarm.hub.fresh()).top["tick"] == 0
        assert 0.9 * SECOND < watch.wall_ns() < 5 * SECOND

    run(work())


def test_after_the_end_whoever_comes_sees_how_it_ended() -> None:
    async def work() -> None:
        swarm = Swarm()
        swarm.hub.open()
        swarm.tick = 5
        swarm.hub.push(swarm.picture())
        swarm.hub.finish("finished")
        late = await swarm.hub.join(10, "viewer")
        kinds = []
        while (frame := await late.next()) is not None:
            kinds.append(json.loads(frame)["t"])
        assert kinds == ["hello", "snap", "end"]

    run(work())


def test_a_server_that_is_gone_disturbs_nobody() -> None:
    swarm = Swarm()

    async def work() -> None:
        swarm.hub.open()
        await swarm.hub.join(10, "viewer")

    run(work())
    before = swarm.hub.latest
    swarm.decide()
    swarm.hub.finish("finished")
    assert swarm.hub.latest is not before, "the swarm goes on, and its newest picture is kept"


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "[]", '"hello"', '{"op":"hello"}', '{"op":"hello","v":1}', '{"op":"resync","v":2}',
        '{"op":"hello","v":2,"rate":7}', '{"op":"hello","v":2,"token":5}',
        '{"op":"hello","v":2,"resume":{"epoch":"x","seq":1}}', "\ud800", "[" * 5000,
        '{"op":"hello","v":2,"token":"' + "x" * 20_000 + '"}',
    ],
)  # fmt: skip
def test_what_is_no_hello_is_refused_in_one_line(frame: str) -> None:
    with pytest.raises(wire.BadHelloError) as refused:
        wire.read_hello(frame)
    assert 0 < len(str(refused.value)) <= 120
    assert wire.asks_for_snapshot(frame) is ("resync" in frame)


def test_unknown_keys_of_a_hello_are_ignored() -> None:
    hello = wire.read_hello('{"op":"hello","v":2,"moon":1,"topics":["agents"]}')
    assert (hello.rate, hello.token, hello.resume) == (10, "", None)


# -- with a run, in two threads --------------------------------------------------------------------


@contextmanager
def served(run: Run, work: Callable[[Hub], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Serve a run from a thread and loop of their own; what goes wrong there is raised here."""
    failed: list[BaseException] = []
    with ExitStack() as shown:

        def serve() -> None:
            async def main() -> None:
                panel.hub.open()
                opened.set()
                await asyncio.wait_for(work(panel.hub), LONG_S)

            try:
                asyncio.run(main())
            except BaseException as error:
                failed.append(error)
                opened.set()

        opened = Event()
        thread = Thread(target=serve)
        shown.callback(thread.join, LONG_S)
        panel = shown.enter_context(Panel(run))
        thread.start()
        opened.wait()
        yield
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def test_a_paper_run_is_followed_to_its_end_from_another_thread(tmp_path: Path) -> None:
    config = configured_run(
        tmp_path, market__bars=400, paper__speed=1e6, paper__warmup="1d", seed=3
    )
    models = [ClientModel(10), ClientModel(1)]

    async def work(hub: Hub) -> None:
        async def follow(model: ClientModel) -> None:
            client = await hub.join(model.rate, "viewer")
            while (frame := await client.next()) is not None:
                assert model.receive(frame) in (Heard.APPLIED, Heard.NOTED)

        await asyncio.gather(*map(follow, models))

    outcome = run_paper(config, attach=lambda run: served(run, work))
    for model in models:
        assert model.ended == "finished"
        assert model.top["tick"] == outcome.results.identity.ticks == 112
        assert model.top["eq"] == pytest.approx(float(outcome.results.equity[-1]), abs=0.005)
        assert model.top["fills"] == outcome.results.fills
    one, other = (model.state() for model in models)
    for state in (one, other):
        state.pop("seq")
    assert json.dumps(one) == json.dumps(other)


def test_a_run_that_is_broken_off_is_said_to_be_interrupted(tmp_path: Path) -> None:
    config = configured_run(tmp_path, market__bars=400, paper__speed=1e6, paper__warmup="1d")
    model = ClientModel()

    async def work(hub: Hub) -> None:
        client = await hub.join(10, "viewer")
        while (frame := await client.next()) is not None:
            model.receive(frame)

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        with served(run, work):
            run.stop.set()  # as Ctrl-C does
            yield

    outcome = run_paper(config, attach=attach)
    assert model.ended == outcome.results.identity.status == "interrupted"


@pytest.mark.parametrize(("failed", "said"), [(False, "interrupted"), (True, "failed")])
def test_a_view_left_before_the_books_are_closed(
    tmp_path: Path, *, failed: bool, said: str
) -> None:
    with DrivenRun(tmp_path) as driven:
        panel = Panel(driven.run)
        panel.close(failed=failed)
        assert panel.hub._ended == said


def test_a_run_that_fails_is_said_to_have_failed(tmp_path: Path) -> None:
    config = configured_run(tmp_path, market__bars=400, paper__speed=1e6, paper__warmup="1d")
    model = ClientModel()
    joined = Event()

    async def work(hub: Hub) -> None:
        client = await hub.join(10, "viewer")
        joined.set()
        while (frame := await client.next()) is not None:
            model.receive(frame)

    async def fails(*_: object) -> None:
        raise RuntimeError("a defect elsewhere")

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        with served(run, work):
            assert joined.wait(LONG_S)
            run.engine.run = fails  # type: ignore[method-assign]
            yield

    with pytest.raises(RuntimeError, match="a defect elsewhere"):
        run_paper(config, attach=attach)
    assert model.ended == "failed"


def test_between_ticks_that_are_minutes_apart_all_is_there_at_once(tmp_path: Path) -> None:
    config = configured_run(tmp_path, market__bars=400, paper__speed=1.0, paper__warmup="1d")
    seen: dict[str, Any] = {}

    async def work(hub: Hub) -> None:
        await until(lambda: hub.latest.ts > 0 or seen.get("run") is not None)
        run: Run = seen["run"]
        await until(lambda: run.control._loop is not None)
        watch = Stopwatch()
        client = await hub.join(10, "viewer")
        await heard(client, "snap")
        seen["snap"] = watch.wall_ns() / SECOND
        model = ClientModel()
        client.owe("resync")
        model.receive(await client.next() or b"")
        watch = Stopwatch()
        done = asyncio.wrap_future(run.control.stop("cancel", "enough", By("tester")))
        while model.top.get("gw") != "halted":
            model.receive(await client.next() or b"")
        seen["stop"] = watch.wall_ns() / SECOND
        await done
        run.stop.set() if run.control._loop is None else run.control._loop.call_soon_threadsafe(
            run.stop.set
        )
        while await client.next() is not None:
            pass

    @contextmanager
    def attach(run: Run) -> Iterator[None]:
        seen["run"] = run
        with served(run, work):
            yield

    run_paper(config, attach=attach)
    assert seen["snap"] < 1.0
    assert seen["stop"] < 2.0


def test_a_swarm_that_makes_no_pictures_is_shown_held_up_and_its_gateway_as_it_is() -> None:
    """What is known without the swarm's thread goes to clients all the same, and is taken back."""

    async def work() -> None:
        swarm, known = Swarm(), dict[str, Any]()
        swarm.hub.open()
        swarm.hub.aside = lambda top: known
        client, model = await swarm.hub.join(10, "viewer"), ClientModel()

        async def hear(condition: Callable[[], bool]) -> None:
            while not condition():
                frame = await client.next()
                assert frame is not None
                model.receive(frame)

        await hear(lambda: model.known)
        assert model.top["held"] == 0
        swarm.busy = True
        known.update(held=3, gw="halted", gw_reason="a stop")
        await hear(lambda: model.top["held"] == 3)
        assert (model.top["gw"], model.top["gw_reason"]) == ("halted", "a stop")
        assert swarm.hub.now().top["held"] == 3
        assert swarm.hub.latest.top["held"] == 0
        known.clear()
        swarm.decide()
        await hear(lambda: model.top["tick"] == 1)
        assert (model.top["held"], model.top["gw"]) == (0, "active")
        client.close()

    run(work())
