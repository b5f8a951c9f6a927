"""The rates that screens show are those the bench has measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mirrorcore.emergence.standing import STANDINGS, Rate, rate

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import measured_rates  # noqa: E402


def test_they_are_those_of_the_evidence() -> None:
    told = measured_rates.text(ROOT / "docs" / "evidence")
    assert measured_rates.FILE.read_text(encoding="utf-8") == told, (
        "run python scripts/measured_rates.py"
    )
    assert list(STANDINGS) == list(measured_rates.TYPES)


def test_a_row_is_taken_from_all_worlds_and_from_the_worst(tmp_path: Path) -> None:
    quiet = [
        {"world": "fair", "alarms": 0, "runs": 40, "share": 0.0, "interval": [0.0, 0.09]},
        {"world": "trap", "alarms": 8, "runs": 40, "share": 0.2, "interval": [0.1, 0.35]},
        {"world": "all of them", "alarms": 8, "runs": 80, "share": 0.1, "interval": [0.05, 0.19]},
    ]
    document = json.dumps({"figures": {"quiet": quiet}})
    (tmp_path / "emergence_drift.json").write_text(document, encoding="utf-8")
    made: dict[str, object] = {}
    exec(measured_rates.text(tmp_path), made)
    assert made["MEASURED"] == {"drift": (8, 80, 0.19, 0.2)}


def test_a_rate_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirrorcore.emergence.standing.MEASURED", {"drift": (8, 80, 0.19, 0.2)})
    assert rate("drift") == Rate(8, 80, 0.19, 0.2)
    assert str(rate("drift")) == (
        "8 of 80 quiet runs of 10,000 ticks alarmed (10.0%, up to 19.0% by its 95 % interval; "
        "in the worst world 20.0%)"
    )
    assert rate("novelty") is None
