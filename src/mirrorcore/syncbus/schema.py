"""What a state may hold: plain, finite, immutable data, and per field a type and bounds."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import msgspec
import numpy as np

from mirrorcore.syncbus.faults import RegistrationError, StateError

FieldType = Literal["float", "int", "bool", "str", "array", "any"]

_DEEPEST = 64
"""Levels of mappings, lists and Structs: whoever walks a state must not run out of stack."""

_SIMPLE = frozenset({int, str, bool, type(None)})
_IMMUTABLE = (Enum, date, datetime, timedelta)
_PLAINLY: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)
"""How an instance of a subclass becomes one of the type itself, whatever it has overridden."""


class Field(msgspec.Struct, frozen=True):
    """One field of a state.

    ``low`` and ``high`` bound its values (each element of an array). ``event`` marks what counts
    or happens rather than holds: the state lane keeps the latest value alone and would lose some,
    so such a field may not travel on it.
    """

    type: FieldType = "float"
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    nan_ok: bool = False
    event: bool = False


Schema = Mapping[str, Field]


def check_schema(owner: str, schema: Schema | None) -> Schema | None:
    """The schema as a read-only mapping; RegistrationError if an entry is not a Field."""
    if schema is None:
        return None
    for name, field in schema.items():
        if not isinstance(field, Field):
            raise RegistrationError(
                f"schema of {owner!r}: {name!r} is a {type(field).__name__}, not a Field"
            )
    return MappingProxyType(dict(schema))


def freeze_delta(owner: str, delta: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    """A private, immutable copy of ``delta``; StateError names the first field that is wrong."""
    if schema is not None:
        return _by_schema(owner, delta, schema)
    if type(delta) is dict:
        for name, value in delta.items():
            if type(value) is float:
                if value - value != 0.0:  # 0 for every finite number, NaN otherwise
                    break
            elif type(value) not in _SIMPLE:
                break
            if type(name) is not str:
                break
        else:
            return delta.copy()
    return {_name(owner, name): freeze(owner, name, value) for name, value in _items(owner, delta)}


def freeze(owner: str, name: str, value: Any, *, nan_ok: bool = False, depth: int = 0) -> Any:
    """``value`` so that nobody can change it: lists become tuples, arrays read-only copies.

    Types are looked at, not what a value says of itself, and subclasses of plain types become
    plain: a state holds data, never code of the agent that would run where the state is used.
    """
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if issubclass(kind, np.ndarray):
        return _freeze_array(owner, name, value, nan_ok)
    if issubclass(kind, np.generic):
        plain = value.item()
        if isinstance(plain, np.generic):  # wider than anything of Python
            plain = complex(plain) if isinstance(plain, np.complexfloating) else float(plain)
        return freeze(owner, name, plain, nan_ok=nan_ok, depth=depth)
    if issubclass(kind, float | complex | Decimal):
        return _freeze_number(owner, name, value, nan_ok)
    if issubclass(kind, _IMMUTABLE):
        return value
    for plain_kind, plainly in _PLAINLY:
        if issubclass(kind, plain_kind):
            return plainly(value)
    if depth > _DEEPEST:
        raise StateError(
            f"agent {owner!r} published {name!r} with more than {_DEEPEST} levels inside each other"
        )
    inside = partial(freeze, owner, name, nan_ok=nan_ok, depth=depth + 1)
    return _freeze_nested(owner, name, value, inside)


def _freeze_nested(owner: str, name: str, value: Any, inside: Callable[[Any], Any]) -> Any:
    """A value that holds others, each of which ``inside`` freezes."""
    kind = type(value)
    if issubclass(kind, Mapping):
        return MappingProxyType({inside(key): inside(inner) for key, inner in value.items()})
    if issubclass(kind, list | tuple):
        return tuple(map(inside, value))
    if issubclass(kind, set | frozenset):
        # Sorted, so that nobody's iteration depends on the hash seed.
        return tuple(sorted(map(inside, value)))
    if issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen:
        return _freeze_struct(value, inside)
    raise StateError(
        f"agent {owner!r} published {name!r} as a {kind.__name__}; states hold plain data",
        hint="use numbers, strings, lists, dicts, numpy arrays or frozen msgspec Structs",
    )


def _freeze_struct(value: msgspec.Struct, freezes: Callable[[Any], Any]) -> msgspec.Struct:
    """A frozen Struct may still hold a list: its fields are frozen like any other value."""
    changed = {}
    for field in value.__struct_fields__:
        inner = getattr(value, field)
        frozen = freezes(inner)
        if frozen is not inner:
            changed[field] = frozen
    return msgspec.structs.replace(value, **changed) if changed else value


def _freeze_number(owner: str, name: str, value: Any, nan_ok: bool) -> Any:
    finite = Decimal.is_finite(value) if isinstance(value, Decimal) else cmath.isfinite(value)
    if not nan_ok and not finite:
        raise StateError(
            f"agent {owner!r} published {name!r} = {value}; states hold finite numbers",
            hint="leave the field out, or declare it in the schema with nan_ok=True",
        )
    return float.__float__(value) if isinstance(value, float) else value


def thaw(value: Any) -> Any:
    """Plain dicts and lists again, copied, for encoders and for whoever wants to change them."""
    if isinstance(value, Mapping):
        return {key: thaw(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [thaw(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return value.copy()
    return value


def freeze_block(
    owner: str, arrays: Mapping[str, np.ndarray], rows: int, schema: Schema | None
) -> dict[str, np.ndarray]:
    """Columns of ``rows`` states each, checked once for all rows."""
    frozen = {}
    for name, array in arrays.items():
        if array.shape[:1] != (rows,) or array.ndim > 2:
            raise StateError(
                f"agent {owner!r}: block field {name!r} has shape {array.shape}, "
                f"must be ({rows},) or ({rows}, symbols)"
            )
        field = None
        if schema is not None:
            field = _declared(owner, name, schema)
            if array.ndim == 2 and field.type not in ("array", "any"):
                raise _wrong_type(owner, name, "array", field)
            if array.ndim == 1 and not _fits(array.dtype.type(0).item(), field):
                raise _wrong_type(owner, name, array.dtype.name, field)
        frozen[name] = _freeze_array(owner, name, array, field is not None and field.nan_ok)
        if field is not None:
            _check_bounds(owner, name, frozen[name], field)
    return frozen


def _by_schema(owner: str, delta: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    frozen = {}
    for name, value in _items(owner, delta):
        field = schema.get(name)
        # Most of what is published: a finite number within its bounds.
        if type(name) is not str:
            raise _bad_name(owner, name)
        if (
            type(value) is float
            and field is not None
            and field.type == "float"
            and field.low <= value <= field.high
            and value - value == 0.0
            and not field.event
        ):
            frozen[name] = value
            continue
        field = _declared(owner, name, schema)
        value = freeze(owner, name, value, nan_ok=field.nan_ok)
        if not _fits(value, field):
            raise _wrong_type(owner, name, type(value).__name__, field)
        _check_bounds(owner, name, value, field)
        frozen[name] = value
    return frozen


def _declared(owner: str, name: str, schema: Schema) -> Field:
    field = schema.get(name)
    if field is None:
        raise StateError(
            f"agent {owner!r} published {name!r}, which its schema does not declare",
            hint=f"declared are: {', '.join(schema)}",
        )
    if field.event:
        raise StateError(
            f"agent {owner!r} published {name!r}, an event, on the state lane",
            hint="the state lane keeps the latest value alone; send events as messages",
        )
    return field


def _fits(value: Any, field: Field) -> bool:
    match field.type:
        case "float":
            return isinstance(value, float | int) and not isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "array":
            return isinstance(value, np.ndarray)
        case "any":
            return True


def _check_bounds(owner: str, name: str, value: Any, field: Field) -> None:
    if field.low == -math.inf and field.high == math.inf:
        return
    if isinstance(value, np.ndarray):
        # fmin and fmax look past NaN, which is judged elsewhere.
        least = np.fmin.reduce(value, axis=None, initial=np.inf)
        most = np.fmax.reduce(value, axis=None, initial=-np.inf)
        outside = bool(least < field.low or most > field.high)
    elif isinstance(value, float | int):
        outside = value < field.low or value > field.high
    else:
        outside = False
    if outside:
        huge = isinstance(value, int) and value.bit_length() > 64  # as text it may take for ever
        shown = f"{value.bit_length()} bits" if huge else str(value)
        raise StateError(
            f"agent {owner!r} published {name!r} outside {field.low:g} .. {field.high:g}: {shown}"
        )


def _freeze_array(owner: str, name: str, value: np.ndarray, nan_ok: bool) -> np.ndarray:
    if issubclass(type(value), np.ma.MaskedArray):
        raise StateError(
            f"agent {owner!r} published {name!r} as a masked array",
            hint="fill it; declare the field in the schema with nan_ok=True if NaN means masked",
        )
    if type(value) is not np.ndarray:
        value = np.array(value, subok=False)
    if value.dtype.kind not in "fiubUS":
        raise StateError(
            f"agent {owner!r} published {name!r} as an array of {value.dtype}; "
            "arrays hold numbers, booleans or strings"
        )
    if value.dtype.kind == "f" and not nan_ok and not np.isfinite(value).all():
        raise StateError(
            f"agent {owner!r} published {name!r} with NaN or infinity in it",
            hint="declare the field in the schema with nan_ok=True if NaN means no opinion",
        )
    return value if _unchangeable(value) else _copied(value)


def _unchangeable(value: np.ndarray) -> bool:
    """Whether nobody can write to it any more: its memory is that of bytes."""
    owner: Any = value
    while type(owner) is np.ndarray:
        if owner.flags.writeable:
            return False
        owner = owner.base
    return type(owner) is bytes


def _copied(value: np.ndarray) -> np.ndarray:
    """A copy that nobody can write to. Whoever owns an array may lift its write protection."""
    if not value.size:
        value = np.empty(value.shape, value.dtype)
        value.flags.writeable = False
        return value
    return np.frombuffer(value.tobytes(), value.dtype).reshape(value.shape)


def _items(owner: str, delta: Mapping[str, Any]) -> Any:
    if not isinstance(delta, Mapping):
        raise StateError(
            f"agent {owner!r} published a {type(delta).__name__}, not a mapping of fields"
        )
    return delta.items()


def _name(owner: str, name: Any) -> str:
    if type(name) is not str:
        raise _bad_name(owner, name)
    return name


def _bad_name(owner: str, name: Any) -> StateError:
    return StateError(
        f"agent {owner!r} published a field named by a {type(name).__name__}; names are strings"
    )


def _wrong_type(owner: str, name: str, kind: str, field: Field) -> StateError:
    return StateError(f"agent {owner!r} published {name!r} as {kind}, declared as {field.type}")
