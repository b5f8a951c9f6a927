from __future__ import annotations

from pathlib import Path

import pytest
from command_calls import Caller


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Caller:
    return Caller(capsys, tmp_path / "runs")
