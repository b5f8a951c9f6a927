"""What it costs to look at a swarm of 1,000 agents: server, page, terminal, the stop on the page.

Each figure comes from a benchmark of its own (benchmarks/interfaces/); here they stand in the rows
of one budget. What a page shows of a server that is killed is a test (test_web_lost.py).
"""

from __future__ import annotations

from typing import Any

from benchmarks.evidence.record import Finding
from benchmarks.interfaces import live, page, page_stop, terminal

CLAIM = (
    "at 1,000 agents that all change ten times a second: the live wire takes at most 3 % of a core "
    "for its first client and 0.1 % for each further one, at most 200 KB/s (40 where a fifth "
    "changes); the page at most 5 ms of script an update and no long task, 55 frames a second, 300 "
    "KiB in 8 requests, data within a second; a stop on the page is acknowledged within 250 ms "
    "with 32 clients; the terminal takes at most 8 % of a core at 4 Hz and 20 % at 10 Hz and "
    "echoes a key within 50 ms at p95; a client that never reads costs less than 1 MiB"
)
Row = tuple[int, str, float, str, float]
"""Number in the budget, what it is, the figure, ``<=`` or ``>=``, the bar."""


def run(*, quick: bool = False) -> Finding:
    """All four, one after the other."""
    told = {
        "live": live.run(quick=quick),
        "page": page.run(quick=quick),
        "page_stop": page_stop.run(quick=quick),
        "terminal": terminal.run(quick=quick),
    }
    found = rows(told)
    missed = [row for row in found if not met(row)]
    return Finding(
        CLAIM,
        passed=not missed,
        headline=[
            f"{len(found) - len(missed)} of {len(found)} rows of the budget met",
            *(f"missed: {what}, {figure:g} (bar {bar:g})" for _, what, figure, _, bar in missed),
        ],
        figures={
            **told,
            "rows": [
                {"row": number, "what": what, "figure": figure, "bar": f"{sign} {bar:g}",
                 "met": met((number, what, figure, sign, bar))}
                for number, what, figure, sign, bar in found
            ],
        },
    )  # fmt: skip


def met(row: Row) -> bool:
    """Whether a row keeps its bar."""
    _, _, figure, sign, bar = row
    return figure <= bar if sign == "<=" else figure >= bar


def rows(told: dict[str, dict[str, Any]]) -> list[Row]:
    """The rows of the budget from what the benchmarks told."""
    wire, drawn = told["live"], told["page"]["figures"]
    screen, stop = told["terminal"]["figures"], told["page_stop"]["figures"]
    every, fifth = wire["pictures"]
    return [
        (1, "first client of the wire, % of a core", wire["first_client_core_percent"], "<=", 3),
        (1, "each further client, % of a core", wire["further_client_core_percent"], "<=", 0.1),
        (2, "live wire, every agent changes, KB/s", every["kilobytes_a_second"], "<=", 200),
        (2, "live wire, a fifth changes, KB/s", fifth["kilobytes_a_second"], "<=", 40),
        (3, "page: script of an update, mean ms", drawn["update_mean_ms"], "<=", 5),
        (3, "page: an animation frame, p95 ms", drawn["frame_p95_ms"], "<=", 5),
        (3, "page: scripts above 50 ms in a minute", drawn["script_over_50_ms"], "<=", 0),
        (3, "page: frames a second", drawn["frames_a_second"], ">=", 55),
        (3, "page: cost at 1,000 agents to that at 100", drawn["cost_1000_to_100"], "<=", 1.3),
        (4, "page: KiB loaded", drawn["page_kib"], "<=", 300),
        (4, "page: requests", drawn["requests"], "<=", 8),
        (4, "page: requests to anywhere else", drawn["foreign_requests"], "<=", 0),
        (4, "page: first data drawn after, ms", drawn["first_data_ms"], "<=", 1000),
        (6, "stop on the page to the last acknowledgement, median ms", stop["stop_median_ms"], "<=",
         250),
        (6, "the same, longest of 20, ms", stop["stop_max_ms"], "<=", 250),
        (8, "terminal at 4 Hz, % of a core", screen["cpu_percent_4hz"], "<=", 8),
        (8, "terminal at 10 Hz, % of a core", screen["cpu_percent_10hz"], "<=", 20),
        (8, "terminal: echo of a key, p95 ms", screen["echo_p95_ms"], "<=", 50),
        (9, "a client that never reads: KiB waiting", wire["stalled_waiting_bytes"] / 1024, "<=",
         1024),
    ]  # fmt: skip
