"""A detector given its memory back goes on as the one that never stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.emergence.kinds import KINDS
from mirrorcore.emergence.detector import Detector, TickReader
from mirrorcore.emergence.finding import Finding
from mirrorcore.emergence.memory import DetectorMemoryError, decode, encode, layout
from mirrorcore.emergence.textbook import Textbook

CUT = {"coordination": 2000, "drift": 2300, "specialisation": 2500, "novelty": 1100,
       "collective": 150, "risk": 2600, "regime": 1700}  # fmt: skip
"""Ticks after which it stops: in the middle of a block of its own, with stakes under way."""


def going_on(detector: Detector, ticks: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [one for tick in ticks for one in detector.update(tick)]


@pytest.mark.parametrize("kind", KINDS)
def test_findings_are_those_of_the_one_that_went_on(kind: str) -> None:
    scenario, (make, allowed) = next(iter(KINDS[kind].planted.items()))
    world = make(3)
    assert world.onset is not None, scenario
    ticks = [
        dict(tick) for _, tick in zip(range(world.onset + 2 * allowed), world.ticks(), strict=False)
    ]
    cut = CUT[kind] + 3
    went_on = KINDS[kind].detector(world.static)
    going_on(went_on, ticks[:cut])
    memory = encode(went_on)
    restored = decode(memory)
    found = going_on(went_on, ticks[cut:])
    assert found, f"{scenario} is found, or nothing was tried"
    assert going_on(restored, ticks[cut:]) == found
    assert encode(restored) == encode(went_on)
    assert encode(decode(memory)) == memory


def test_what_is_held_in_two_places_is_one_thing_again() -> None:
    array, held = np.zeros(2), deque([(1, "a")], maxlen=3)
    one = decode(encode({"a": array, "b": [array], "c": held, "d": (held, np.float64(2.5), None)}))
    one["a"][0] = 7.0
    assert one["b"][0][0] == 7.0
    assert one["d"][0] is one["c"]
    assert one["c"] == held
    assert one["c"].maxlen == 3
    assert isinstance(one["d"][1], np.float64)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), lambda: 0])
def test_what_cannot_be_kept_is_refused_by_its_place(value: Any) -> None:
    rules = Textbook()
    rules.odd = [value]  # type: ignore[attr-defined]
    with pytest.raises(DetectorMemoryError, match=r"memory\.odd\[0\]"):
        encode(rules)


@pytest.mark.parametrize(
    "told",
    [
        ["object", "subprocess", "Popen", {}],
        ["object", "mirrorcore.emergence.detector", "np", {}],
        ["object", "mirrorcore.emergence.detector", "nothing", {}],
        ["object", "mirrorcore.emergence.nowhere", "Thing", {}],
        ["again", 5],
        ["strange"],
        ["array", "<f8", [3], b"12345678"],
    ],
)
def test_nothing_else_is_read(told: Any) -> None:
    with pytest.raises(DetectorMemoryError, match="no memory of a detector"):
        decode(msgspec.msgpack.encode(told))
    with pytest.raises(DetectorMemoryError):
        decode(b"\xc1")


def test_objects_are_made_without_calling_them() -> None:
    reader = decode(encode(TickReader("Somebody", {"agents": 3})))
    assert isinstance(reader, TickReader)
    with pytest.raises(Exception, match="2 agents instead of 3"):
        reader.array({"votes": np.zeros(2)}, "votes", "agents")


def test_the_layout_names_the_sources() -> None:
    assert layout() == layout()
    assert len(layout()) == 32


def test_the_layout_is_of_all_that_is_kept_and_not_of_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    plainly = Path.read_bytes

    def reading(file: Path) -> bytes:
        read.append(f"{file.parent.parent.name}/{file.parent.name}/{file.name}")
        return plainly(file)

    monkeypatch.setattr(Path, "read_bytes", reading)
    assert layout.__wrapped__() == layout()
    assert {"swarm/emergence/rivals.py", "mirrorcore/emergence/drift.py"} < {*read}
    assert "mirrorcore/emergence/measured.py" not in read
