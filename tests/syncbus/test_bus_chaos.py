"""Every way to misbehave on every lane: the others get all, accounts balance, offenders are named.

A thousand agents, and a minute on a real loop: ``python -m benchmarks.evidence bus_chaos``.
"""

from __future__ import annotations

import pytest

from benchmarks.chaos import FAULTS, LANES, virtual


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("fault", FAULTS)
def test_chaos(fault: str, lane: str) -> None:
    found = virtual(fault, lane, size=200, rounds=20, seed=4)
    assert found.wanted > 200 * 20 * 4
    assert found.got == found.wanted
    assert found.worst_residual == 0
    assert found.named == found.offenders
    assert found.innocent == []
    assert found.wrong_states == []
