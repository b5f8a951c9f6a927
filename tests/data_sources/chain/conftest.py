from __future__ import annotations

from collections.abc import Iterator

import pytest
from chain_evm import Evm, running


@pytest.fixture(scope="session")
def machine() -> Iterator[Evm]:
    with running() as address:
        evm = Evm(address)
        try:
            yield evm
        finally:
            evm.close()


@pytest.fixture
def fresh_evm() -> Iterator[Evm]:
    """A machine of its own: after many snapshots the shared one seems to hold back logs."""
    with running() as address:
        evm = Evm(address)
        try:
            yield evm
        finally:
            evm.close()


@pytest.fixture
def evm(machine: Evm) -> Iterator[Evm]:
    """The machine as it was before the test, afterwards too."""
    before = machine.ask("evm_snapshot")
    yield machine
    assert machine.ask("evm_revert", before)
