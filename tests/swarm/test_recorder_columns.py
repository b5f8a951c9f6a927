"""The results table as it grows: the same however it was cut, and small however it was cut."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorcore.swarm.recorder import COLUMNS, Columns


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_a_table_in_blocks_of_any_size_is_the_whole_table(rows: int) -> None:
    ts = np.arange(3_000, dtype=np.int64)
    whole = {name: np.random.default_rng(i).normal(size=3_000) for i, name in enumerate(COLUMNS)}
    columns = Columns()
    for start in range(0, len(ts), rows):
        part = slice(start, start + rows)
        columns.add(ts[part], {name: values[part] for name, values in whole.items()})
        assert columns.ts[-1][-1] == ts[part][-1]
        assert columns.values["gate"][-1][-1] == whole["gate"][part][-1]
    assert np.array_equal(columns.instants(), ts)
    for name in COLUMNS:
        assert np.array_equal(columns.joined(name), whole[name])


def test_ticks_of_their_own_do_not_stay_arrays_of_their_own() -> None:
    columns = Columns()
    for tick in range(5_000):
        one = np.full(1, float(tick))
        columns.add(np.full(1, tick, np.int64), dict.fromkeys(COLUMNS, one))
    parts = [columns.ts, *columns.values.values()]
    assert all(len(part) <= 256 for part in parts)


def test_a_table_without_rows_is_empty() -> None:
    assert Columns().instants().shape == Columns().joined("equity").shape == (0,)
