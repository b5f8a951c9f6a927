"""The three checks: they pass on the standard swarm, and each catches what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from swarm_world import configured, entries

from mirrorcore.errors import DataError
from mirrorcore.swarm.checks import check_accounting, check_determinism, check_lookahead
from mirrorcore.trading.ledger import Ledger
from mirrorcore.trading.orders import Fill

CHEATS = """
    import random
    import time

    import numpy as np

    from mirrorcore import BlockAgent, StateField, TickAgent


    class NextRow(BlockAgent):
        votes = True
        state = {"forecast": StateField("vote", "probability", 0, 1, "symbols", True)}

        def __init__(self, agent_id):
            super().__init__(agent_id, ("technical",))

        def _analyze(self, block):
            close = block.value("technical", "close")
            later = np.concatenate([close[1:], close[-1:]])
            return {"forecast": np.where(later > close, 0.9, 0.1)}


    class NextRowSpectator(NextRow):
        votes = False


    class PeeksAhead(TickAgent):
        cadence_ns = 3600 * 10**9

        def __init__(self, agent_id):
            super().__init__(agent_id, ("technical",))

        def _analyze(self, tick):
            close = tick.market.values["technical"]["close"]
            row = min(tick.row + 1, len(close) - 1)
            return {"signal": np.sign(close[row] - close[tick.row])}


    class PeeksSpectator(PeeksAhead):
        votes = False


    class Dice(TickAgent):
        votes = False

        def _analyze(self, tick):
            return {"luck": random.random()}


    class Watch(TickAgent):
        votes = False

        def _analyze(self, tick):
            return {"now": time.time()}
"""


def test_the_standard_swarm_does_not_look_ahead(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    report = check_lookahead(
        configured(tmp_path, costs__fee_bps=0, costs__slippage_bps=0),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report.passed, report.lines
    assert len(report.details["cuts"]) == 10
    assert seen[0][0] == 800


@pytest.mark.parametrize("name", ["NextRow", "NextRowSpectator", "PeeksAhead", "PeeksSpectator"])
def test_a_cheating_agent_is_caught(tmp_path: Path, name: str) -> None:
    config = configured(tmp_path, entries([name]), CHEATS, market__bars=300)
    report = check_lookahead(config)
    assert not report.passed
    assert f"agent:{name}" in report.details["differing"]
    if name in ("NextRow", "PeeksAhead"):
        assert "agent:OracleEngine" in report.details["differing"]
    else:
        assert report.details["differing"] == [f"agent:{name}"]
    assert any("differs in" in line for line in report.lines)


def test_a_history_too_short_for_ten_cuts_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few for 10 cuts"):
        check_lookahead(configured(tmp_path, market__bars=15))


def test_the_standard_swarm_is_deterministic(tmp_path: Path) -> None:
    report = check_determinism(configured(tmp_path, market__bars=300))
    assert report.passed, report.lines
    assert len(report.lines) == 2


@pytest.mark.parametrize("name", ["Dice", "Watch"])
def test_what_comes_from_outside_the_run_is_caught(tmp_path: Path, name: str) -> None:
    report = check_determinism(configured(tmp_path, entries([name]), CHEATS, market__bars=60))
    assert not report.passed
    assert report.details["differing"]["blocks of 997 ticks"] == [f"agent:{name}"]


def test_the_books_balance(tmp_path: Path) -> None:
    report = check_accounting(configured(tmp_path, market__bars=1200))
    assert report.passed, report.lines
    assert report.details["fills"] > 5


def test_a_ledger_that_loses_one_unit_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Ledger.book
    seen = [0]

    def losing(self: Ledger, fill: Fill) -> None:
        book(self, fill)
        seen[0] += 1
        if seen[0] == 3:
            self.balances[0] -= 1

    monkeypatch.setattr(Ledger, "book", losing)
    report = check_accounting(configured(tmp_path, market__bars=1200))
    assert not report.passed
    assert "the ledger's two sums agree after every fill, to the last unit: NO" in report.lines


def test_a_ledger_that_forgets_a_fee_is_caught_by_the_second_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Ledger.book

    def generous(self: Ledger, fill: Fill) -> None:
        import msgspec

        book(self, msgspec.structs.replace(fill, fee=0))

    monkeypatch.setattr(Ledger, "book", generous)
    report = check_accounting(configured(tmp_path, market__bars=1200))
    assert not report.passed
    assert "a second bookkeeping from the journal ends at the same equity: NO" in report.lines
