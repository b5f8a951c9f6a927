"""What keeps new risk out of the whole book, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def kept_out(top: Mapping[str, Any]) -> list[str]:
    """Every cause for which no symbol takes new risk now; empty where there is none.

    A gateway that is not active comes first. The wire's ``blocked`` does not name it: that lists
    limits and entries alone, and is empty right after a stop.
    """
    gateway = str(top.get("gw") or "active")
    closed = [] if gateway == "active" else [f"gateway {gateway}"]
    return [*closed, *(str(one) for one in top.get("blocked") or ())]
