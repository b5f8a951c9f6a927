"""Digests: the same however rows come, another for another row, comparable up to any instant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorcore.swarm.digests import Digest, RunDigests, fingerprint

T0 = 1_700_000_000_000_000_000
BAR = 300_000_000_000
FIELDS = ("b", "a", "wide")


def columns(ticks: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = {"b": rng.normal(size=ticks), "a": rng.normal(size=ticks)}
    made["wide"] = rng.normal(size=(ticks, 3))
    made["wide"][0, 0] = np.nan
    return made


def instants(ticks: int) -> np.ndarray:
    return T0 + BAR * np.arange(ticks, dtype=np.int64)


def row_of(table: Mapping[str, np.ndarray], t: int) -> dict[str, Any]:
    return {name: float(c[t]) if c.ndim == 1 else c[t] for name, c in table.items()}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.booleans())
@settings(max_examples=40, deadline=None)
def test_rows_of_blocks_and_single_states_add_up_to_the_same(
    sizes: list[int], single_first: bool
) -> None:
    ticks = sum(sizes)
    table, ts = columns(ticks), instants(ticks)
    cuts = (T0 - 1, T0 + BAR, T0 + (ticks // 2) * BAR + 5, int(ts[-1]))
    whole, mixed = RunDigests(cuts), RunDigests(cuts)
    for digests in (whole, mixed):
        digests.register("one")
    whole.block("one", ts, table)
    first = 0
    for number, size in enumerate(sizes):
        rows = slice(first, first + size)
        if (number % 2 == 0) is single_first:
            for t in range(first, first + size):
                mixed.state("one", int(ts[t]), row_of(table, t))
        else:
            mixed.block("one", ts[rows], {name: c[rows] for name, c in table.items()})
        first += size
    assert mixed.results() == whole.results()
    for cut in cuts:
        assert mixed.at(cut)["agent:one"] == whole.at(cut)["agent:one"]


@pytest.mark.parametrize("known", [1, 5, 20])
def test_a_prefix_is_the_hash_of_a_run_that_ended_there(known: int) -> None:
    table, ts = columns(20), instants(20)
    cut = int(ts[known - 1])
    whole, short = RunDigests([cut]), RunDigests()
    for digests in (whole, short):
        digests.register("one")
    whole.block("one", ts, table)
    short.block("one", ts[:known], {name: c[:known] for name, c in table.items()})
    assert whole.at(cut)["agent:one"] == short.results()["agent:one"]
    assert known == 20 or whole.at(cut) != whole.results()


def test_rows_of_one_instant_fall_on_the_same_side_of_a_cut() -> None:
    one, other = Digest([T0]), Digest()
    for row in (b"x", b"y"):
        one.add(T0, row)
        other.add(T0, row)
    one.add(T0 + 1, b"z")
    assert one.at(T0) == other.hexdigest()
    assert one.hexdigest() != other.hexdigest()


def test_every_value_every_instant_and_every_agent_counts() -> None:
    table, ts = columns(10), instants(10)

    def digest(change: str = "") -> str:
        digests = RunDigests()
        digests.register("one")
        changed = {name: c.copy() for name, c in table.items()}
        moved = ts.copy()
        if change == "value":
            changed["wide"][9, 2] = np.nextafter(changed["wide"][9, 2], 9)
        if change == "instant":
            moved[9] += 1
        if change == "sign of zero":
            changed["a"][3] = -0.0
        if change == "zero":
            changed["a"][3] = 0.0
        digests.block("one", moved, changed)
        return digests.results()["agent:one"]

    seen = [digest(change) for change in ("", "value", "instant", "sign of zero", "zero")]
    assert len(set(seen)) == 5
    assert digest() == digest()


def test_free_fields_count_with_their_names() -> None:
    def digest(named: bool, delta: dict[str, Any]) -> str:
        digests = RunDigests()
        digests.register("one", named=named)
        digests.state("one", T0, delta)
        return digests.results()["agent:one"]

    assert digest(True, {"a": 1.0}) != digest(True, {"b": 1.0})
    assert digest(True, {"a": np.ones(2)}) != digest(True, {"b": np.ones(2)})
    assert digest(True, {"a": 1.0, "b": 2.0}) == digest(True, {"b": 2.0, "a": 1.0})
    assert digest(True, {"a": "text"}) != digest(True, {"a": "other"})
    assert digest(True, {"a": {"x": (1, np.float64(2.0))}}) == digest(True, {"a": {"x": (1, 2.0)}})


def test_states_of_nobody_registered_are_not_hashed() -> None:
    digests = RunDigests()
    before = digests.results()
    digests.state("performance", T0, {"equity": 1.0})
    assert digests.results() == before
    assert set(before) == {"decisions", "orders", "fills"}


def test_many_rows_hash_like_few() -> None:
    many, few = Digest(), Digest()
    for number in range(3_000):
        many.add(T0 + number, number.to_bytes(4, "big"))
    few.add(T0, b"".join(number.to_bytes(4, "big") for number in range(3_000)))
    assert many.hexdigest() == few.hexdigest()
    assert many.hexdigest() == many.hexdigest()


def test_the_fingerprint_is_over_names_and_values_in_any_order() -> None:
    parts = {"decisions": "1", "orders": "2"}
    assert fingerprint(parts) == fingerprint(dict(reversed(parts.items())))
    assert fingerprint(parts) != fingerprint({"decisions": "2", "orders": "1"})
    assert fingerprint(parts) != fingerprint({**parts, "agent:x": "3"})
