"""What Prometheus is told, read off the newest picture and the server's own counters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mirrorcore.clock import MILLISECOND, SECOND, wall_now
from mirrorcore.interfaces.api.metrics import Figure, figure, one
from mirrorcore.interfaces.live.picture import Picture


def of_picture(picture: Picture) -> Iterator[Figure]:
    """The swarm as it is; by kind, for with names a thousand agents were a thousand series."""
    top = picture.top
    yield figure(
        "agents",
        "Agents by status.",
        (
            ((name,), float(count))
            for name, count in zip(picture.enums["st"], top["st"], strict=True)
        ),
        "status",
    )
    yield figure(
        "agents_health",
        "Agents by health: ok from 0.8, warn from 0.4, bad below.",
        (((name,), float(n)) for name, n in zip(("ok", "warn", "bad"), top["hp"], strict=True)),
        "health",
    )
    yield one("equity", "Equity in the currency of the account.", top["eq"])
    yield one("drawdown_ratio", "Loss from the highest equity, as a fraction of it.", top["dd"])
    yield one("gross_ratio", "Sum of absolute positions over equity.", top["gross"])
    yield one("gate_ratio", "Share of the targets the mind lets through.", top["gate"])
    yield one("gateway_active", "1 while the order gateway is active.", top["gw"] == "active")
    yield one("ticks_total", "Ticks decided since the run began.", top["tick"], "counter")
    yield one("orders_total", "Orders since the run began.", top["orders"], "counter")
    yield one("fills_total", "Fills since the run began.", top["fills"], "counter")
    yield one("alerts", "Alerts nobody has acknowledged.", top["alerts"])
    yield figure(
        "emergence_total",
        "Findings of behaviour nobody coded that nothing explained, by type.",
        (((kind,), float(row["n"])) for kind, row in sorted(_watched(picture).items())),
        "type",
        kind="counter",
    )
    yield from _of_agents(picture)
    yield from _of_flow(picture.flow)
    yield from _of_sources(picture.tables.get("src", {}))


def _watched(picture: Picture) -> Mapping[str, Mapping[str, Any]]:
    return picture.tables.get("watch", {})


def _of_agents(picture: Picture) -> Iterator[Figure]:
    columns = picture.agents.columns
    kinds = picture.enums["kind"]
    waiting: dict[str, list[float]] = {}
    latest: dict[str, float] = {}
    for number, mailbox, latency in zip(
        columns["kind"], columns["mb"], columns["lat"], strict=True
    ):
        kind = kinds[int(number)]
        waiting.setdefault(kind, []).append(float(mailbox))
        latest[kind] = max(latest.get(kind, 0.0), _number(latency))
    yield figure(
        "mailbox_depth",
        "What waits in the mailboxes of a kind of agents.",
        (
            ((kind, of), value)
            for kind, all_of in sorted(waiting.items())
            for of, value in (("max", max(all_of)), ("mean", sum(all_of) / len(all_of)))
        ),
        "kind",
        "of",
    )
    yield figure(
        "handler_seconds",
        "Upper bound of the 99th percentile of an agent's calls, the slowest agent of a kind.",
        (((kind, "0.99"), value / 1000) for kind, value in sorted(latest.items())),
        "kind",
        "quantile",
    )
    yield one("restarts_total", "Restarts of agents.", float(sum(columns["rest"])), "counter")
    yield one("failures_total", "Failed calls of agents.", float(sum(columns["fails"])), "counter")


def _number(value: Any) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _of_flow(flow: Mapping[str, Any]) -> Iterator[Figure]:
    if not flow:
        return
    delivered: dict[str, float] = {}
    dropped: dict[str, float] = {}
    for _, to, _, arrived, merged, lost, _ in flow["m"]:
        kind = flow["to"][to]
        delivered[kind] = delivered.get(kind, 0.0) + arrived
        for reason, count in (("merged", merged), ("lost", lost)):
            dropped[reason] = dropped.get(reason, 0.0) + count
    yield figure(
        "bus_messages_total",
        "State changes delivered to agents of a kind.",
        ((("state", kind), count) for kind, count in sorted(delivered.items())),
        "channel",
        "kind",
        kind="counter",
    )
    yield figure(
        "bus_dropped_total",
        "State changes that were merged into a later one, or rejected.",
        (((reason,), count) for reason, count in sorted(dropped.items())),
        "reason",
        kind="counter",
    )


def _of_sources(sources: Mapping[str, Mapping[str, Any]]) -> Iterator[Figure]:
    if not sources:
        return
    now = wall_now() // MILLISECOND
    heard = [(name, row["heard"]) for name, row in sorted(sources.items())]
    yield figure(
        "data_age_seconds",
        "Since anything was heard of a source.",
        (((name,), (now - at) * MILLISECOND / SECOND) for name, at in heard if at is not None),
        "source",
    )
    yield figure(
        "source_ok",
        "1 while a source is live and no symbol of it silent.",
        (((name,), float(row["ok"])) for name, row in sorted(sources.items())),
        "source",
    )


def counted(
    commands: Sequence[tuple[tuple[str, ...], int]], refused: Mapping[str, int]
) -> Iterator[Figure]:
    """What came in over HTTP."""
    yield figure(
        "commands_total",
        "Commands by name, what became of them, and where they came from.",
        ((labels, float(count)) for labels, count in commands),
        "name",
        "result",
        "origin",
        kind="counter",
    )
    yield figure(
        "http_refused_total",
        "Requests that were refused, by code.",
        (((code,), float(count)) for code, count in sorted(refused.items())),
        "code",
        kind="counter",
    )
