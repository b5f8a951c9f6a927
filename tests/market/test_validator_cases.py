"""Every trouble of the catalogue, put into clean data: it is told, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from validator_clean import clean_data

from benchmarks.faults import INJECTIONS, Clean, inject, intake
from mirrorcore.market.catalogue import FAULTS, Fault
from mirrorcore.market.intake import Action, Case
from mirrorcore.market.records import FeedRecord


@pytest.fixture(scope="module")
def clean() -> Clean:
    return clean_data()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number}")
def test_the_fault_is_told_wherever_it_is_put(clean: Clean, fault: Fault) -> None:
    found = inject(fault.number, clean, seed=7)
    assert found.injected > 0
    assert found.detected == found.injected
    assert found.collateral == 0


def test_there_is_a_row_for_each_of_the_38_and_a_way_to_do_it() -> None:
    assert [fault.number for fault in FAULTS] == list(range(1, 39))
    assert all(INJECTIONS[fault.number] for fault in FAULTS)


def test_every_case_belongs_to_a_row() -> None:
    told = {case for fault in FAULTS for case in fault.cases}
    assert told == set(Case) - {Case.NONE}


def test_nothing_is_refused_in_clean_data(clean: Clean) -> None:
    everything: Sequence[Sequence[FeedRecord]] = (
        *clean.bars.values(),
        clean.trades,
        clean.quotes,
        clean.depth,
        clean.series,
        clean.texts,
        clean.blocks,
        clean.transfers,
    )
    for records in everything:
        report = intake(records, clean)
        assert report.seen["clean"] == len(records)
        for action in (Action.REJECT, Action.DROP, Action.HOLD):
            assert report.total(action) == 0
