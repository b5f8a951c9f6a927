from __future__ import annotations

from pathlib import Path

import pytest
from command_calls import Caller


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Caller:
    return Caller(capsys, tmp_path / "runs")


@pytest.fixture(autouse=True)
def own_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test runner may announce a screen of its own to its workers; the program has none of it."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
