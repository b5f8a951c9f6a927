"""Writes the rates of false findings that screens show from what the bench has measured.

``python scripts/measured_rates.py`` makes src/mirrorcore/emergence/measured.py from
docs/evidence/emergence_TYPE.json; a test fails where the two differ.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "src" / "mirrorcore" / "emergence" / "measured.py"
TYPES = ("coordination", "drift", "specialisation", "novelty", "collective", "risk", "regime")
POOLED = "all of them"
_HEAD = '''"""False alarms in quiet worlds; made by scripts/measured_rates.py, do not edit.

By type: runs that alarmed, runs of 10,000 ticks, the upper end of Wilson's 95 % interval of that
share, and the share in the world in which it was largest.
"""

from __future__ import annotations

from collections.abc import Mapping

MEASURED: Mapping[str, tuple[int, int, float, float]] = {'''


def text(folder: Path) -> str:
    """The module for the evidence in a folder; a type without evidence is left out."""
    lines = []
    for kind in TYPES:
        file = folder / f"emergence_{kind}.json"
        if not file.is_file():
            continue
        rows = json.loads(file.read_text(encoding="utf-8"))["figures"]["quiet"]
        (pooled,) = [row for row in rows if row["world"] == POOLED]
        worst = max(row["share"] for row in rows if row["world"] != POOLED)
        numbers = (pooled["alarms"], pooled["runs"], pooled["interval"][1], worst)
        lines.append(f'    "{kind}": {numbers},\n')
    return _HEAD + "".join(["\n", *lines] if lines else []) + "}\n"


if __name__ == "__main__":
    FILE.write_text(text(ROOT / "docs" / "evidence"), encoding="utf-8")
