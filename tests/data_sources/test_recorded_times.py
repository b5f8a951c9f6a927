"""Times in files that can be read in two ways are read in none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrorcore.data_sources.recorded import RecordedSource
from mirrorcore.errors import DataError


@pytest.mark.parametrize("text", ["04/03/2025 17:{:02}", "1743699900.{:02}", "yesterday {}"])
def test_times_that_are_no_iso_are_refused_with_an_example(tmp_path: Path, text: str) -> None:
    rows = [f"{text.format(minute)},1,2,0.5,1.5,10" for minute in range(0, 60, 5)]
    file = tmp_path / "BTC_USDT-5m.csv"
    file.write_text("date,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError) as caught:
        RecordedSource(tmp_path)
    assert "column date" in caught.value.message
    assert text.format(0)[:8] in caught.value.message
    assert "2025-04-03T17:05:00" in caught.value.hint
