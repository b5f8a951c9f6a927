"""How a journal's entries are written as bytes: msgpack, one form for one value.

Mappings are written with sorted keys and structures by their field names, so that equal values give
equal bytes and thereby equal hashes. Two extensions: numpy arrays (1), exactly as they lie in
memory, and whole numbers beyond 64 bits (2), which money in small units needs.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.msgpack import Ext

T = TypeVar("T")

_ARRAY = 1
_LARGE = 2
_SMALLEST, _BIGGEST = -(2**63), 2**64 - 1


def encode(value: object) -> bytes:
    """The canonical bytes of ``value``.

    Mappings, sequences, texts, bytes, numbers, Decimal, enums, msgspec structures, numpy arrays and
    scalars; TypeError for anything else.
    """
    try:
        return _encoder.encode(value)
    except OverflowError:
        return _encoder.encode(_with_large_numbers(value))


def decode(data: bytes) -> Any:
    """The value of :func:`encode`: structures as dictionaries, tuples as lists."""
    return _decoder.decode(data)


def decode_as(data: bytes, kind: type[T]) -> T:
    """Like :func:`decode`, as a structure or other type; msgspec.ValidationError if it is none."""
    return msgspec.convert(_decoder.decode(data), kind, builtin_types=(bytes,))


def _encode_other(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        shape = list(value.shape)
        return Ext(_ARRAY, _encoder.encode([value.dtype.str, shape, value.tobytes()]))
    raise TypeError(f"a journal cannot hold a {type(value).__name__}")


def _decode_other(code: int, data: memoryview) -> Any:
    if code == _LARGE:
        return int.from_bytes(data, "big", signed=True)
    if code == _ARRAY:
        import numpy as np

        kind, shape, raw = _decoder.decode(data)
        return np.frombuffer(raw, kind).reshape(shape).copy()
    raise ValueError(f"the journal holds an extension {code} that this version does not know")


def _with_large_numbers(value: Any) -> Any:
    """A copy of ``value`` with numbers beyond 64 bits in a form that msgpack has."""
    if isinstance(value, int):
        if _SMALLEST <= value <= _BIGGEST:
            return value
        return Ext(_LARGE, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if isinstance(value, dict):
        return {key: _with_large_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_large_numbers(item) for item in value]
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        fields: dict[str, Any] = {
            field.encode_name: _with_large_numbers(getattr(value, field.name))
            for field in msgspec.structs.fields(value)
        }
        return {config.tag_field: config.tag, **fields} if config.tag_field else fields
    return value


_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=_encode_other)
_decoder = msgspec.msgpack.Decoder(ext_hook=_decode_other)
