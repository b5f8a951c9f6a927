"""Agents that run in processes of their own, good and bad; imported by the children."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

Made = dict[str, Callable[..., Any]]


def echo(handle: Any, checkpoint: bytes | None, bias: float = 0.0) -> Made:
    """Counts, remembers, publishes what it reads, answers who it is."""
    held = {"calls": 0 if checkpoint is None else int(checkpoint)}

    def on_update(update: Any) -> None:
        held["calls"] += 1
        handle.publish({"calls": held["calls"], "value": update.fields.get("x", 0.0) + bias})
        handle.save(str(held["calls"]).encode())

    def on_message(message: Any) -> Any:
        if message == "die":
            os._exit(7)
        return {"from": handle.sender, "said": message, "pid": os.getpid()}

    return {"on_update": on_update, "on_message": on_message}


def on_update(fault: Callable[[Any, Any], Any]) -> Callable[..., Made]:
    """A factory whose agent does ``fault(handle, update)`` at each update."""

    def factory(handle: Any, checkpoint: bytes | None) -> Made:
        return {"on_update": lambda update: fault(handle, update)}

    return factory


# -- one for each way to fail -----------------------------------------------------------------


def _pipe() -> int:
    return int(sys.argv[1])


def _rubbish(handle: Any, update: Any) -> None:
    os.write(_pipe(), b"\xff" * 64)


class _Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("echo owned > $MIRRORCORE_TEST_BOMB",)


def _pickled(handle: Any, update: Any) -> None:
    body = pickle.dumps(["done", 1, [], False, _Bomb()])
    os.write(_pipe(), struct.pack("!II", len(body), 0) + body)


def _frame(*parts: Any) -> bytes:
    body = msgspec.msgpack.encode(parts)
    return struct.pack("!II", len(body), 0) + body


def _unasked(handle: Any, update: Any) -> None:
    os.write(_pipe(), _frame("done", 99, [], False, None))


def _impostor(handle: Any, update: Any) -> None:
    os.write(_pipe(), _frame("effects", 1, [["publish", "witness", {"heard": 1}]]))


def _torrent(handle: Any, update: Any) -> None:
    frame = _frame("effects", 1, [])
    while True:
        os.write(_pipe(), frame)


def _eat_memory(handle: Any, update: Any) -> None:
    held = []
    while True:
        held.append(bytes(1 << 24))


def _stopped(handle: Any, update: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _deaf(handle: Any, update: Any) -> None:
    threading.Event().wait()


def _publish_for_ever(handle: Any, update: Any) -> None:
    number = 0
    while True:
        number += 1
        try:
            handle.publish({"x": number})
        except Exception as error:  # goes on all the same
            if number > 5_000:
                raise SystemExit(1) from error


def _lie(handle: Any, update: Any) -> None:
    # Past the check in here: the bus has to see for itself.
    handle.effects.append(["publish", {"fear": "very much"}])


def _flood_unchecked(handle: Any, update: Any) -> None:
    handle.effects.extend(["publish", {"x": float(number)}] for number in range(1_000))


def _print_for_ever(handle: Any, update: Any) -> None:
    while True:
        sys.stdout.write("I have a lot to say\n")


def leaves_a_child(handle: Any, checkpoint: bytes | None, marker: str = "") -> Made:
    def fault(update: Any) -> None:
        handle.publish({"left": 1})  # never seen: the call does not end
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", marker])
        os._exit(4)

    return {"on_update": fault}


async def _await_for_ever(handle: Any, update: Any) -> None:
    await asyncio.get_running_loop().create_future()


async def _exit_after_a_wait(handle: Any, update: Any) -> None:
    await asyncio.sleep(0)
    sys.exit(5)


async def _send_for_ever(handle: Any, update: Any) -> None:
    frame = _frame("effects", 1, [["publish", {"x": b"0" * 200}]] * 200)
    while True:
        os.write(_pipe(), frame)


def _raise(handle: Any, update: Any) -> None:
    raise ValueError("I always do this")


def _huge(handle: Any, update: Any) -> None:
    handle.publish({"x": np.zeros(4_000_000)})


loops_in_c = on_update(lambda handle, update: sum(itertools.repeat(0)))
eats_memory = on_update(_eat_memory)
exits = on_update(lambda handle, update: os._exit(3))
crashes = on_update(lambda handle, update: ctypes.string_at(0))
writes_rubbish = on_update(_rubbish)
sends_a_pickle = on_update(_pickled)
answers_unasked = on_update(_unasked)
writes_anothers_state = on_update(_impostor)
floods_frames = on_update(_torrent)
never_reads = on_update(_stopped)
blocks = on_update(_deaf)
floods = on_update(_publish_for_ever)
floods_unchecked = on_update(_flood_unchecked)
lies = on_update(_lie)
prints = on_update(_print_for_ever)
waits = on_update(_await_for_ever)
system_exit = on_update(_exit_after_a_wait)
raises = on_update(_raise)
sends_for_ever = on_update(_send_for_ever)
publishes_too_much = on_update(_huge)


def exits_at_once(handle: Any, checkpoint: bytes | None) -> Made:
    os._exit(9)


def never_built(handle: Any, checkpoint: bytes | None) -> Made:
    threading.Event().wait()
    return {}


def built_wrong(handle: Any, checkpoint: bytes | None) -> Any:
    return 5


def cannot_be_built(handle: Any, checkpoint: bytes | None) -> Made:
    raise LookupError("the model is not there")


# -- and some that do what they should --------------------------------------------------------


def reader(handle: Any, checkpoint: bytes | None) -> Made:
    """Reads in every way there is, and says what it saw."""

    def on_tick(view: Any) -> None:
        other = handle.read("src")
        refused = ""
        try:
            handle.read("secret")
        except Exception as error:
            refused = type(error).__name__
        updates = handle.collect()
        own = handle.read(handle.agent_id)
        handle.publish(
            {
                "x": other.state.get("x", -1.0),
                "version": other.version,
                "age": other.age,
                "stale": other.stale,
                "relevant": sorted(handle.relevant_states()),
                "refused": refused,
                "nobody": handle.read("nobody") is None,
                "gaps": [[u.source, u.gap, u.resync, u.fields.get("x", -1.0)] for u in updates],
                "own": own.version,
                "now": handle.clock.now(),
            }
        )

    return {"on_tick": on_tick}


def talker(handle: Any, checkpoint: bytes | None) -> Made:
    """Sends and asks, and says what came of it."""

    async def on_message(message: Any) -> Any:
        kind, target = message
        try:
            if kind == "send":
                handle.send(target, {"hello": (1, 2)})
                return "sent"
            return await handle.request(target, np.arange(3.0))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def on_signal(signal: Any) -> None:
        handle.publish({"signal": signal.name})

    return {"on_message": on_message, "on_signal": on_signal}


def patient(handle: Any, checkpoint: bytes | None) -> Made:
    """Publishes, waits, publishes; takes signals meanwhile."""
    gone_on = asyncio.Event()

    async def on_update(update: Any) -> None:
        handle.publish({"stage": 1})
        await gone_on.wait()
        handle.publish({"stage": 2})

    def on_signal(signal: Any) -> None:
        gone_on.set()

    return {"on_update": on_update, "on_signal": on_signal}


class Deterministic:
    """A small model with memory: the same numbers wherever it runs."""

    def __init__(self, handle: Any, checkpoint: bytes | None, weight: float = 0.3) -> None:
        self.handle = handle
        self.weight = weight
        self.level = np.zeros(4) if checkpoint is None else np.frombuffer(checkpoint)

    def on_tick(self, view: Any) -> None:
        state = self.handle.read("src").state
        self.level = (1 - self.weight) * self.level + self.weight * np.sin(state["x"])
        self.handle.publish({"level": self.level, "mean": float(self.level.mean())})
        if view % 3 == 0:
            self.handle.publish({"third": view, "text": f"tick {view}"})
        self.handle.save(self.level.tobytes())

    @classmethod
    def make(cls, handle: Any, checkpoint: bytes | None, weight: float = 0.3) -> Made:
        agent = cls(handle, checkpoint, weight)
        return {"on_tick": agent.on_tick}


def sleeper(handle: Any, checkpoint: bytes | None, home: int = 0) -> Made:
    """Says where it is, and at home blocks in C for a while."""

    def on_update(update: Any) -> None:
        handle.publish({"home": os.getpid() == home, "x": update.fields["x"]})
        if os.getpid() == home:
            time.sleep(0.6)

    return {"on_update": on_update}
