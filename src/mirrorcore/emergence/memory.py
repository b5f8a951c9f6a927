"""What a detector has learned, as bytes: plain data, arrays, and objects of this package alone.

Nothing in such bytes is run when they are read: a class is looked up among those of the emergence
monitor by name and given its fields back, without calling it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

OURS = ("mirrorcore.emergence.", "mirrorcore.swarm.emergence.")
"""Where classes may come from."""

_UNREADABLE = (msgspec.DecodeError, LookupError, TypeError, ValueError, ImportError, AttributeError)


class DetectorMemoryError(ValueError):
    """Bytes that hold no memory of ours, or something that cannot be kept."""


def encode(value: Any) -> bytes:
    """Canonical bytes; what is held in two places is one thing again when it is read."""
    return msgspec.msgpack.encode(_Writer().plain(value, "memory"))


def decode(data: bytes) -> Any:
    """The inverse of :func:`encode`; arrays come back writable."""
    try:
        return _Reader().rich(msgspec.msgpack.decode(data))
    except _UNREADABLE as error:
        raise DetectorMemoryError(f"this is no memory of a detector: {error}") from error


@cache
def layout() -> str:
    """Names what the detectors look like inside: a digest of the sources of all that is kept."""
    digest = hashlib.blake2b(digest_size=16)
    for package in OURS:
        folder = Path(str(import_module(package.rstrip(".")).__file__)).parent
        for file in sorted(folder.glob("*.py")):
            if file.name != "measured.py":  # figures for screens: nothing is kept of them
                digest.update(f"{package}{file.name}".encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


class _Writer:
    """Numbers each thing that may be changed, so that it is written once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []

    def plain(self, value: Any, path: str) -> Any:
        if value is None or type(value) in (bool, int, float, str, bytes):
            return value
        if isinstance(value, np.generic):
            return ["number", value.dtype.str, value.tobytes()]
        if type(value) is tuple:
            return ["tuple", self._each(value, path)]
        known = self._numbers.get(id(value))
        if known is not None:
            return ["again", known]
        self._numbers[id(value)] = len(self._kept)
        self._kept.append(value)
        return self._thing(value, path)

    def _thing(self, value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise DetectorMemoryError(f"{path} is an array of Python objects")
            array = np.ascontiguousarray(value)
            return ["array", array.dtype.str, list(value.shape), array.tobytes()]
        if type(value) is list:
            return ["list", self._each(value, path)]
        if type(value) is deque:
            return ["deque", value.maxlen, self._each(value, path)]
        if type(value) is dict:
            return ["dict", [self._each(pair, path) for pair in value.items()]]
        cls = type(value)
        if not cls.__module__.startswith(OURS):
            raise DetectorMemoryError(f"{path} is a {cls.__qualname__}, which cannot be kept")
        fields = {name: self.plain(got, f"{path}.{name}") for name, got in _fields(value).items()}
        return ["object", cls.__module__, cls.__qualname__, fields]

    def _each(self, values: Iterable[Any], path: str) -> list[Any]:
        return [self.plain(value, f"{path}[{number}]") for number, value in enumerate(values)]


class _Reader:
    def __init__(self) -> None:
        self._kept: list[Any] = []

    def rich(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        kind, *rest = value
        match kind:
            case "number":
                return np.frombuffer(rest[1], dtype=np.dtype(rest[0]))[0]
            case "tuple":
                return tuple(self.rich(one) for one in rest[0])
            case "again":
                return self._kept[rest[0]]
        place = len(self._kept)
        self._kept.append(None)
        return self._thing(kind, rest, place)

    def _thing(self, kind: str, rest: list[Any], place: int) -> Any:
        made: Any
        match kind:
            case "array":
                dtype, shape, data = rest
                made = np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()
            case "list":
                made = self._kept[place] = []
                made += [self.rich(one) for one in rest[0]]
            case "deque":
                made = self._kept[place] = deque(maxlen=rest[0])
                made.extend(self.rich(one) for one in rest[1])
            case "dict":
                made = self._kept[place] = {}
                for key, one in rest[0]:
                    made[self.rich(key)] = self.rich(one)
            case "object":
                made = self._kept[place] = _blank(rest[0], rest[1])
                for name, one in rest[2].items():
                    object.__setattr__(made, name, self.rich(one))
            case _:
                raise TypeError(f"nothing is called {kind!r}")
        self._kept[place] = made
        return made


def _fields(value: Any) -> Mapping[str, Any]:
    """What an object holds: a dataclass its fields, another what is in its dictionary."""
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    held: Mapping[str, Any] = vars(value)
    return held


def _blank(module: str, name: str) -> Any:
    """An object without fields, of a class of ours."""
    if not module.startswith(OURS):
        raise TypeError(f"{module}.{name} is no class of the emergence monitor")
    found = getattr(import_module(module), name)
    if not isinstance(found, type) or found.__module__ != module:
        raise TypeError(f"{module}.{name} is no class")
    return object.__new__(found)
