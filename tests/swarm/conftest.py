"""The servers that sources are tried against serve runs as well."""

from __future__ import annotations

import sys
from pathlib import Path

_SOURCES = Path(__file__).resolve().parent.parent / "data_sources"
sys.path += [str(_SOURCES), str(_SOURCES / "chain")]
