"""How a bus and an agent in a process of its own talk: frames with a length and a bound.

A frame is eight bytes of lengths, a *plain* part and *blobs*, the bytes of arrays and checkpoints.

Towards the child the plain part is a pickle: the bus is trusted. What comes from the child is
msgpack of plain data and never runs code: an agent may have overwritten its own worker. Lengths are
checked before anything is read, and the plain part is small, so that decoding it cannot hold the
bus up for long.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MappingProxyType
from typing import Any

import msgspec
import numpy as np

from mirrorcore.syncbus.faults import BusError, StateError, describe

HEADER = struct.Struct("!II")
PLAIN_LIMIT = 64 << 10
"""Bytes of msgpack in one frame of the child; arrays and checkpoints count as blobs."""

_ARRAY, _BYTES, _TUPLE, _WIDE = 1, 2, 3, 4
_SHORT = 256
"""Bytes up to which a byte string stays in the plain part."""
_MOST_DIMENSIONS = 8
_DIGITS = 4_000
_LAST_CHARACTER = 0x10FFFF
_DEEPEST = 1_000
"""Python's own limit of recursion."""


class FrameError(BusError):
    """What came is no frame, or one beyond its bounds."""


class FrameSplitter:
    """Cuts a stream of bytes into frames; FrameError as soon as one announces too much."""

    __slots__ = ("_buffer", "blob_limit", "plain_limit")

    def __init__(self, plain_limit: int, blob_limit: int) -> None:
        self.plain_limit = plain_limit
        self.blob_limit = blob_limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that are complete with ``data``: (plain part, blobs)."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= HEADER.size:
            plain, blobs = HEADER.unpack_from(buffer)
            if plain > self.plain_limit or blobs > self.blob_limit:
                raise FrameError(
                    f"a frame of {plain} + {blobs} bytes, "
                    f"at most {self.plain_limit} + {self.blob_limit} are read"
                )
            middle = HEADER.size + plain
            end = middle + blobs
            if len(buffer) < end:
                return
            frame = bytes(buffer[HEADER.size : middle]), bytes(buffer[middle:end])
            del buffer[:end]
            yield frame


# -- from the child: msgpack and nothing that runs -------------------------------------------------


def encode(value: Any) -> bytes:
    """A frame of plain data and arrays; StateError names what is neither, or too much."""
    blobs = bytearray()
    plain = msgspec.msgpack.encode(_plain(value, blobs))
    if len(plain) > PLAIN_LIMIT:
        raise StateError(
            f"{len(plain)} bytes of plain data at once; {PLAIN_LIMIT} leave a process",
            hint="publish less in one call, and numbers as numpy arrays",
        )
    return HEADER.pack(len(plain), len(blobs)) + plain + blobs


def decode(plain: bytes, blobs: bytes) -> Any:
    """The inverse of :func:`encode`; FrameError for everything that it cannot have made."""
    try:
        with _shallow():
            return _unpacked(plain, blobs)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise FrameError(f"a frame that cannot be read: {error}") from error


@contextmanager
def _shallow() -> Iterator[None]:
    """Nesting ends where the interpreter says so, and libraries raise that limit for themselves:
    beyond what the stack holds, a hostile frame would end the process of the bus."""
    limit = sys.getrecursionlimit()
    if limit <= _DEEPEST:
        yield
        return
    sys.setrecursionlimit(_DEEPEST)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _plain(value: Any, blobs: bytearray) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return int(value)
        return msgspec.msgpack.Ext(_WIDE, str(value).encode())
    if isinstance(value, bytes):
        if len(value) <= _SHORT:
            return value
        return _blob(_BYTES, blobs, value, ())
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiubUS":
            raise StateError(f"an array of {value.dtype} cannot leave a process")
        array = np.ascontiguousarray(value)
        return _blob(_ARRAY, blobs, array.tobytes(), (array.dtype.str, list(value.shape)))
    if isinstance(value, np.generic):
        return _plain(value.item(), blobs)
    if isinstance(value, Mapping):
        return {_key(key): _plain(inner, blobs) for key, inner in value.items()}
    if isinstance(value, tuple):
        inner = [_plain(item, blobs) for item in value]
        return msgspec.msgpack.Ext(_TUPLE, msgspec.msgpack.encode(inner))
    if isinstance(value, list):
        return [_plain(item, blobs) for item in value]
    raise StateError(
        f"a {type(value).__name__} cannot leave a process",
        hint="use numbers, strings, bytes, lists, dicts and numpy arrays",
    )


def _key(key: Any) -> Any:
    if isinstance(key, str | int):
        return key
    raise StateError(f"a mapping with the key {key!r} cannot leave a process; keys are text")


def _blob(code: int, blobs: bytearray, data: bytes, rest: tuple[Any, ...]) -> msgspec.msgpack.Ext:
    told = msgspec.msgpack.encode([len(blobs), len(data), *rest])
    blobs += data
    return msgspec.msgpack.Ext(code, told)


def _unpacked(plain: bytes, blobs: bytes) -> Any:
    def hook(code: int, data: memoryview) -> Any:
        if code == _TUPLE:
            return tuple(decoder.decode(data))
        if code == _WIDE:
            if len(data) > _DIGITS:
                raise ValueError("an integer of too many digits")
            return int(bytes(data))
        start, length, *rest = msgspec.msgpack.decode(data)
        if not 0 <= start <= start + length <= len(blobs):
            raise ValueError("bytes that are not in the frame")
        piece = blobs[start : start + length]
        if code == _BYTES:
            return piece
        if code == _ARRAY:
            return _array(piece, *rest)
        raise ValueError(f"an extension {code}")

    decoder = msgspec.msgpack.Decoder(ext_hook=hook)
    return decoder.decode(plain)


def _array(data: bytes, kind: str, shape: list[int]) -> np.ndarray:
    if len(kind) > 16 or "," in kind or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("an array of a strange kind")
    dtype = np.dtype(kind)
    if dtype.kind not in "fiubUS" or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise ValueError("an array of a strange kind")
    if dtype.itemsize == 0:
        raise ValueError("an array of nothing")
    if dtype.kind == "b":
        # Any other byte than 0 and 1 would be a truth value that is neither.
        truths: np.ndarray = np.frombuffer(data, dtype=np.uint8) != 0
        return truths.reshape(shape)
    if dtype.kind == "U" and len(data):
        codes = np.frombuffer(data, dtype=np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if codes.max() > _LAST_CHARACTER:
            raise ValueError("an array of text with characters there are not")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


# -- towards the child: pickle --------------------------------------------------------------------


def _read_only(fields: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(fields)


class _Pickler(pickle.Pickler):
    """Knows read-only views, which the standard pickle does not, and nothing of ``__main__``,
    which is another module in another process."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is MappingProxyType:
            return _read_only, (dict(obj),)
        named = obj if isinstance(obj, type | FunctionType) else kind
        if named.__module__ == "__main__":
            raise pickle.PicklingError(f"{named.__qualname__} is defined in the script itself")
        return NotImplemented


def pickled(value: Any) -> bytes:
    """``value`` as a pickle; StateError for what none can hold, whatever that raises."""
    stream = io.BytesIO()
    try:
        _Pickler(stream, protocol=5).dump(value)
    except Exception as error:  # a value's own way to be pickled may fail in any way
        raise StateError(
            f"a {type(value).__name__} cannot go to another process: {describe(error)}",
            hint="use numbers, strings, lists, dicts, numpy arrays or classes of a module",
        ) from error
    return stream.getvalue()


def pack(value: Any) -> bytes:
    """A frame for the child; StateError for what no pickle can hold."""
    body = pickled(value)
    return HEADER.pack(len(body), 0) + body


def unpack(plain: bytes) -> Any:
    """What :func:`pack` packed; for the child alone."""
    return pickle.loads(plain)
