"""The frames of docs/wire.md as bytes, and what a client may say."""

from __future__ import annotations

from typing import Any

import msgspec

from mirrorcore.interfaces.live.difference import whole
from mirrorcore.interfaces.live.picture import SCHEMA, Picture

VERSION = 2
RATES = (10, 4, 1)
"""Frames a second of the classes a client may choose from."""
LARGEST_INBOUND = 16 * 1024
"""Bytes; nothing a client has to say is longer."""
HELLO_S = 2.0
"""Seconds a new client has to say who it is."""

VIEW_FAILED = "view failed"
"""The status of an ``end`` after which the run goes on and is not shown; others are the run's."""

GOING_AWAY = 1001
BAD_HELLO = 4400
UNKNOWN_TOKEN = 4401
BAD_ORIGIN = 4403
NO_HELLO = 4408
TOO_MANY = 4429

_encode = msgspec.json.Encoder().encode


class Resume(msgspec.Struct, frozen=True):
    """The last frame that a client applied."""

    epoch: int
    seq: int


class Hello(msgspec.Struct, frozen=True):
    """A client's first frame."""

    op: str
    v: int
    token: str = ""
    rate: int = RATES[0]
    resume: Resume | None = None


class BadHelloError(ValueError):
    """A first frame that is no hello; its text says why, for the reason of the close frame."""


_hello = msgspec.json.Decoder(Hello)
_anything = msgspec.json.Decoder(dict[str, Any])


def read_hello(frame: str | bytes) -> Hello:
    """A client's first frame. BadHelloError where it is another one."""
    if len(frame) > LARGEST_INBOUND:
        raise BadHelloError("larger than 16 KiB")
    try:
        hello = _hello.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadHelloError(f"not a hello: {error}"[:100]) from None
    if hello.op != "hello" or hello.v != VERSION:
        raise BadHelloError(f"the first frame must be a hello of version {VERSION}")
    if hello.rate not in RATES:
        raise BadHelloError(f"rate was {hello.rate}, is one of 10, 4, 1")
    return hello


def asks_for_snapshot(frame: str | bytes) -> bool:
    """Whether a later frame of a client is a resync; anything else it says means nothing."""
    try:
        return _anything.decode(frame).get("op") == "resync"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def hello(epoch: int, rate: int, role: str, wall: int, **facts: str) -> bytes:
    """The server's first frame; ``facts`` are mode and run."""
    return _encode(
        {
            "t": "hello", "v": VERSION, "epoch": epoch, "rate": rate, "role": role, "wall": wall,
            **facts, "schema": SCHEMA,
        }
    )  # fmt: skip


def snapshot(epoch: int, seq: int, picture: Picture, why: str) -> bytes:
    """Everything."""
    head = {"t": "snap", "epoch": epoch, "seq": seq, "ts": picture.ts, "wall": picture.wall}
    return _encode({**head, "why": why, **whole(picture)})


def delta(epoch: int, seq: int, picture: Picture, changed: dict[str, Any]) -> bytes:
    """What changed since frame ``seq`` − 1."""
    head = {"t": "d", "epoch": epoch, "seq": seq, "ts": picture.ts, "wall": picture.wall}
    return _encode({**head, **changed})


def heartbeat(epoch: int, seq: int, ts: int, wall: int) -> bytes:
    """Nothing has changed since frame ``seq``."""
    return _encode({"t": "hb", "epoch": epoch, "seq": seq, "ts": ts, "wall": wall})


def end(epoch: int, seq: int, status: str) -> bytes:
    """The run is over."""
    return _encode({"t": "end", "epoch": epoch, "seq": seq, "status": status})
