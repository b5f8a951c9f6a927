"""Agents' memories as bytes: nested plain data and numpy arrays, nothing that runs code."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

_ARRAY = "\x00array"
_WIDE = "\x00int"
_TUPLE = "\x00tuple"


def encode_checkpoint(memory: dict[str, Any]) -> bytes:
    """Canonical msgpack; TypeError names what cannot be encoded."""
    return msgspec.msgpack.encode(_plain(memory, "memory"))


def decode_checkpoint(data: bytes) -> dict[str, Any]:
    """The inverse of :func:`encode_checkpoint`; arrays come back writable."""
    memory = _rich(msgspec.msgpack.decode(data))
    if not isinstance(memory, dict):
        raise TypeError("a checkpoint holds a mapping of fields")
    return memory


def _plain(value: Any, path: str) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{path} is an array of Python objects, which a checkpoint cannot hold")
        array = np.ascontiguousarray(value)
        return {_ARRAY: [array.dtype.str, list(value.shape), array.tobytes()]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bool | str | bytes | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else {_WIDE: str(value)}
    if isinstance(value, dict):
        return {_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, tuple):
        return {_TUPLE: [_plain(item, f"{path}[{i}]") for i, item in enumerate(value)]}
    raise TypeError(f"{path} is a {type(value).__name__}, which a checkpoint cannot hold")


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path} has the key {key!r}; keys of a checkpoint are text")
    return key


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            dtype, shape, data = value[_ARRAY]
            return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()
        if _WIDE in value:
            return int(value[_WIDE])
        if _TUPLE in value:
            return tuple(_rich(item) for item in value[_TUPLE])
        return {key: _rich(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rich(item) for item in value]
    return value
