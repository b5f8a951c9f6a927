"""What a command is asked for has its columns where a pipe or a narrow terminal shows them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from mirrorcore.interfaces.console.telling import show_outcome

TRADE = {
    "id": "T2", "symbol": "CCC/USD", "side": 1, "opened": "2025-01-02T00:05:00+00:00",
    "closed": "2025-01-02T16:10:00+00:00", "quantity": 0.72966, "entry_price": 5183.405,
    "exit_price": 5253.7002, "net_result": 43.68, "return": 0.01155, "fees": 7.62,
    "slippage": 3.81, "fills": 6,
}  # fmt: skip
ORDER = {
    "id": "O32", "client_id": "059e8097-32", "decided": "2025-01-05T21:00:00+00:00",
    "updated": "2025-01-05T21:00:00+00:00", "symbol": "CCC/USD", "side": -1, "quantity": 0.02506,
    "filled": 0.02506, "status": "filled", "reason": "target", "outcome": "", "mark": 4608.2,
    "reduce_only": False,
}  # fmt: skip
POSITION = {
    "quantity": 3033.5, "mark": 0.817935, "value": 2492.72, "weight": 0.0249, "target": 0.0438,
    "wanted": 0.0251, "average_price": 0.843073, "unrealised": -64.74,
    "since": "2025-01-02T00:05:00+00:00", "trade": "T3",
}  # fmt: skip
AUDIT = {
    "seq": 7, "id": "20261127-130959-059e8097-12-18ebe8f77b6ce113", "command": "rebalance_weights",
    "args": {"method": "equal"},
    "by": {"name": "operator", "role": "operator", "origin": "http", "address": "127.0.0.1"},
    "reason": "", "key": "k", "status": "error", "error": "bad_args", "acked": [], "missing": [],
    "tick": 1991, "ms": 0.3, "wall": "2026-11-27T13:10:00.263+00:00",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "result", "columns"),
    [
        ("trades", {"closed": 1, "trades": [TRADE]}, ["T2", "43.68", "0.01155", "7.62"]),
        ("orders", {"orders": [ORDER]}, ["O32", "filled", "0.02506", "target"]),
        (
            "positions",
            {"equity": 1.0, "positions": {"AAA/USD": POSITION, "BBB/USD": POSITION}},
            ["3033.5", "2492.72", "-64.74", "0.0249"],
        ),
        (
            "audit",
            {"audit": [AUDIT]},
            ["rebalance_weights", "operator (http)", "error", "bad_args", "2026-11-27 13:10:00"],
        ),
    ],
)
def test_what_one_came_for_is_shown_and_the_way_to_the_rest_is_named(
    name: str, result: dict[str, Any], columns: list[str]
) -> None:
    page = io.StringIO()
    show_outcome({"name": name, "result": result}, Console(file=page, width=80), changes=False)
    said = page.getvalue()
    place = -1
    for cell in columns:
        place = said.find(cell, place + 1)
        assert place >= 0, (cell, said)
    assert "; --json shows all" in " ".join(said.split())
    assert max(map(len, said.split("not shown")[0].splitlines())) <= 80
