"""What crosses the pipe: the same on the other side, and no bytes that could do any harm."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorcore.syncbus import Gap, StateError, Update
from mirrorcore.syncbus.process_frames import (
    HEADER,
    PLAIN_LIMIT,
    FrameError,
    FrameSplitter,
    decode,
    encode,
    pack,
    pickled,
    unpack,
)
from mirrorcore.syncbus.process_pending import Pending

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=600),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
ARRAYS = st.sampled_from(["<f8", "<i8", "<u2", "|b1", "<U3", "|S2", "<f4", ">i4"])


def frames(data: bytes, plain: int = PLAIN_LIMIT, blobs: int = 1 << 20) -> list[Any]:
    return [decode(*frame) for frame in FrameSplitter(plain, blobs).feed(data)]


@given(PLAIN)
def test_plain_data_arrives_as_it_was(value: Any) -> None:
    assert frames(encode(value)) == [value]


@given(ARRAYS, st.lists(st.integers(0, 3), max_size=3), st.integers(0, 2**32 - 1))
def test_arrays_arrive_to_the_bit(kind: str, shape: list[int], seed: int) -> None:
    array = np.random.default_rng(seed).integers(0, 2, size=shape).astype(kind)
    (found,) = frames(encode({"a": array, "b": [array]}))
    for one in (found["a"], found["b"][0]):
        assert one.dtype == array.dtype
        assert one.shape == array.shape
        assert one.tobytes() == array.tobytes()


@given(st.lists(PLAIN, min_size=1, max_size=4), st.lists(st.integers(1, 40), min_size=1))
def test_a_stream_may_be_cut_anywhere(values: list[Any], sizes: list[int]) -> None:
    stream = b"".join(encode(value) for value in values)
    splitter = FrameSplitter(PLAIN_LIMIT, 1 << 20)
    found, start, turn = [], 0, 0
    while start < len(stream):
        size = sizes[turn % len(sizes)]
        found += [decode(*frame) for frame in splitter.feed(stream[start : start + size])]
        start, turn = start + size, turn + 1
    assert found == values


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_whatever_comes_is_read_or_refused(plain: bytes, blobs: bytes) -> None:
    with suppress(FrameError):  # anything else would end the bus
        assert decode(plain, blobs) is not Ellipsis


@pytest.mark.parametrize(
    ("plain", "blobs"), [(PLAIN_LIMIT + 1, 0), (0, (1 << 20) + 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_length_beyond_the_bound_is_refused_before_anything_is_kept(
    plain: int, blobs: int
) -> None:
    with pytest.raises(FrameError, match="are read"):
        list(FrameSplitter(PLAIN_LIMIT, 1 << 20).feed(HEADER.pack(plain, blobs)))


def hostile(code: int, *rest: Any) -> bytes:
    told = msgspec.msgpack.encode(list(rest))
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, told))


@pytest.mark.parametrize(
    "plain",
    [
        hostile(1, 0, 8, "|O", [1]),
        hostile(1, 0, 8, "f8,f8", [1]),
        hostile(1, 0, 8, "<f8", [-1]),
        hostile(1, 0, 8, "<f8", [2]),
        hostile(1, 0, 8, "<f8", [1] * 9),
        hostile(1, 0, 0, "<f8", [0, 2**40]),
        hostile(1, 0, 0, "<U0", [0]),
        hostile(1, 4, 8, "<f8", [1]),
        hostile(1, -8, 8, "<f8", [1]),
        hostile(1, 0, 4, "<U1", [1]),
        hostile(2, 0, 9),
        hostile(2, "x", 1),
        hostile(7, 0, 1),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(4, b"9" * 5_000)),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(4, b"nine")),
    ],
)
def test_arrays_and_numbers_there_are_not_are_refused(plain: bytes) -> None:
    with pytest.raises(FrameError):
        decode(plain, b"\xff" * 8)


def test_depth_is_bounded_where_a_library_raised_the_limit_of_recursion() -> None:
    """Twenty thousand levels fit no stack: the process would end."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(FrameError):
            decode(b"\x91" * 60_000 + b"\x00", b"")
        assert sys.getrecursionlimit() == 1_000_000
    finally:
        sys.setrecursionlimit(limit)


def test_depth_is_bounded() -> None:
    with pytest.raises(FrameError):
        decode(b"\x91" * 50_000 + b"\x00", b"")
    nested = msgspec.msgpack.encode(1)
    for _ in range(2_000):
        nested = msgspec.msgpack.encode(msgspec.msgpack.Ext(3, nested))
    with pytest.raises(FrameError):
        decode(nested, b"")


def test_truth_values_are_true_or_false() -> None:
    found = decode(hostile(1, 0, 3, "|b1", [3]), b"\x00\x01\x07")
    assert found.view(np.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "value",
    [object(), {(1, 2): 3}, np.array([object()]), 1j, {"deep": [{"er": print}]}],
    ids=["object", "key", "object array", "complex", "function"],
)
def test_what_cannot_leave_a_process_is_named(value: Any) -> None:
    with pytest.raises(StateError, match="cannot leave a process"):
        encode(value)


def test_too_much_plain_data_is_refused_where_it_is_sent() -> None:
    with pytest.raises(StateError, match="bytes of plain data at once"):
        encode(["x" * 100] * 1_000)
    assert len(encode(np.zeros(100_000))) > 800_000


def test_read_only_states_travel_to_the_child() -> None:
    state = MappingProxyType({"a": 1.0, "b": MappingProxyType({"c": (1, 2)})})
    frame = pack(Update("src", state, 3, 1, False, 5))
    length, blobs = struct.unpack("!II", frame[:8])
    assert (length, blobs) == (len(frame) - 8, 0)
    found = unpack(frame[8:])
    assert found == Update("src", {"a": 1.0, "b": {"c": (1, 2)}}, 3, 1, False, 5)
    with pytest.raises(TypeError):
        found.fields["b"]["c"] = 1


def test_nothing_of_the_script_itself_is_sent() -> None:
    class OfTheScript:
        pass

    OfTheScript.__module__ = "__main__"
    with pytest.raises(StateError, match="defined in the script itself"):
        pickled({"x": OfTheScript()})


def updates(first: int, last: int) -> list[Update]:
    return [Update("src", {f"f{n % 3}": n}, n, 1, False, n) for n in range(first, last + 1)]


def test_what_nobody_collects_is_merged_and_bounded() -> None:
    pending = Pending(merged=True)
    for update in updates(1, 5_000):
        pending.add(pickled(update))
    assert len(pending._waiting) <= 1_024
    assert pending.taken() == [
        Update("src", {"f1": 4_999, "f2": 5_000, "f0": 4_998}, 5_000, 5_000, False, 5_000)
    ]


def test_a_whole_state_among_them_takes_the_place_of_what_was_before() -> None:
    pending = Pending(merged=True)
    for update in (*updates(1, 2), Update("src", {"z": 9}, 9, 7, True, 9), *updates(10, 10)):
        pending.add(pickled(update))
    assert pending.taken() == [Update("src", {"z": 9, "f1": 10}, 10, 10, True, 10)]


def test_a_stream_nobody_collects_tells_its_gap() -> None:
    pending = Pending(merged=False)
    pending.add(pickled(Gap("src", 1, 4, 4)))
    for update in updates(5, 1_100):
        pending.add(pickled(update))
    gap, *rest = pending.taken()
    assert gap == Gap("src", 1, 76, 76)
    assert [update.version for update in rest] == list(range(77, 1_101))
