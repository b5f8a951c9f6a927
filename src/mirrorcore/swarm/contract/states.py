"""Whether an agent's output is in order, and whether two outputs are the same to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mirrorcore.agents.base import Context, StateField
from mirrorcore.agents.checkpoint import encode_checkpoint
from mirrorcore.market.block import Floats
from mirrorcore.swarm.votes import read_vote

_UNIT = ("confidence", "forecast")
"""Fields that are shares or probabilities also where nobody declared them."""


def faults_of(
    output: Mapping[str, Any],
    schema: Mapping[str, StateField],
    context: Context,
    *,
    rows: int | None = None,
    partial: bool = False,
) -> list[str]:
    """What is wrong with an output, one line a field; empty where nothing is.

    Parameters
    ----------
    output: fields of one call; of a block agent (rows, ...) arrays.
    schema: the declared fields. Without any, numbers have to be finite, NaN but no infinity.
    rows: ticks of the block; None for an agent that works tick by tick.
    partial: whether declared fields may be left out, as in a delta.
    """
    if not schema:
        return list(_free_faults(output, context))
    found = []
    undeclared = [name for name in output if name not in schema]
    missing = [] if partial else [name for name in schema if name not in output]
    found += [f"{name} is written and not declared" for name in undeclared]
    found += [f"{name} is declared and not written" for name in missing]
    for name, value in output.items():
        if name in schema:
            found += _field_faults(name, value, schema[name], context, rows)
    return found


def _field_faults(
    name: str, value: Any, field: StateField, context: Context, rows: int | None
) -> list[str]:
    if field.shape == "text":
        return [] if isinstance(value, str) else [f"{name} is a {type(value).__name__}, not text"]
    sizes = {"scalar": (), "symbols": (len(context.symbols),), "voters": (len(context.voters),)}
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return [f"{name} is a {type(value).__name__}, not numbers"]
    wanted = (() if rows is None else (rows,)) + sizes[field.shape]
    if array.shape != wanted:
        return [f"{name} has the shape {array.shape}, declared is {wanted}"]
    finite = array[np.isfinite(array)]
    found = []
    if np.isinf(array).any():
        found.append(f"{name} is infinite")
    if not field.missing and np.isnan(array).any():
        found.append(f"{name} is NaN, which its schema does not allow")
    outside = finite[(finite < field.low) | (finite > field.high)]
    if outside.size:
        found.append(f"{name} = {outside[0]:g} is outside {field.low:g} … {field.high:g}")
    return found


def _free_faults(output: Mapping[str, Any], context: Context) -> Iterator[str]:
    """Without a schema: nothing infinite, a vote within its range, a share within 0..1."""
    for name, value in output.items():
        for number in _numbers(value):
            if np.isinf(number):
                yield f"{name} is infinite"
                break
    for name in _UNIT:
        numbers = [number for number in _numbers(output.get(name)) if np.isfinite(number)]
        if any(not 0.0 <= number <= 1.0 for number in numbers):
            yield f"{name} leaves 0 … 1"
    signals = [number for number in _numbers(output.get("signal")) if np.isfinite(number)]
    if "forecast" not in output and any(not -1.0 <= number <= 1.0 for number in signals):
        yield "signal leaves -1 … 1"
    named = output.get("forecast", output.get("signal"))
    if isinstance(named, Mapping):
        strange = [str(symbol) for symbol in named if symbol not in context.symbols]
        if strange:
            yield f"it votes on {strange[0]!r}, which is no symbol of the run"


def _numbers(value: Any) -> Iterator[float]:
    """All numbers within a value, however deep."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fiub":
            yield from value.astype(float).ravel().tolist()
    elif isinstance(value, bool | str | bytes) or value is None:
        return
    elif isinstance(value, int | float | np.number):
        yield float(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _numbers(inner)


def conviction(output: Mapping[str, Any], symbols: Sequence[str]) -> tuple[float, float]:
    """(confidence, strength of the opinion): each 0..1, NaN where the agent has none at all.

    The strength is the largest |2p - 1| of its votes, 0 where it says nothing.
    """
    named = output.get("confidence")
    numbers = list(_numbers(named))
    confidence = max(numbers) if numbers else float("nan")
    vote = read_vote(output, symbols)
    if vote is None:
        return confidence, float("nan")
    known = vote[np.isfinite(vote)]
    return confidence, float(np.abs(2 * known - 1).max()) if known.size else 0.0


def digest(outputs: Any) -> str:
    """SHA-256 over everything that was put out."""
    return hashlib.sha256(encode_checkpoint({"outputs": outputs})).hexdigest()


def same_bits(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The fields that differ in any bit, NaN counting as equal."""
    return [
        name
        for name in dict.fromkeys((*one, *other))
        if name not in one or name not in other or not _equal(one[name], other[name])
    ]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return not same_bits(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, np.ndarray | float) and isinstance(other, np.ndarray | float | int):
        first: Floats = np.asarray(one)
        kinds = (first.dtype.kind, np.asarray(other).dtype.kind)
        return bool(np.array_equal(first, other, equal_nan="f" in kinds and "O" not in kinds))
    return bool(one == other)
