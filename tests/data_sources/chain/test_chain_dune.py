"""Results of queries over real HTTP, in the shapes that Dune answers in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from mirrorcore.clock import MILLISECOND, SECOND, VirtualClock
from mirrorcore.data_sources.chain.dune import DuneSource
from mirrorcore.data_sources.http import HttpClient, HttpPolicy
from mirrorcore.data_sources.live import PolledSource, SourceError
from mirrorcore.data_sources.secret import Secret
from mirrorcore.market.records import Flag, Observation

KEY = "dune-key-0123456789"
NOW = 1_709_300_000 * SECOND
NOON = 1_709_294_400 * SECOND
QUICK = HttpPolicy(first_wait_ns=MILLISECOND, attempts=1)


@dataclass
class Dune:
    """What the service holds: one query, 42."""

    rows: list[dict[str, Any]]
    page: int = 2
    states: list[str] = field(default_factory=lambda: ["QUERY_STATE_COMPLETED"])
    error: dict[str, Any] = field(default_factory=dict)
    answer: Callable[[], web.Response] | None = None
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def served(dune: Dune) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        dune.asked.append(f"{request.method} {request.path}")
        if request.headers.get("X-Dune-API-Key") != KEY:
            return web.json_response({"error": "invalid API Key"}, status=401)
        if dune.answer is not None:
            return dune.answer()
        if request.path == "/api/v1/query/42/execute" and request.method == "POST":
            body = {"execution_id": "01HKZJ", "state": "QUERY_STATE_PENDING"}
            return web.json_response(body)
        if request.path == "/api/v1/execution/01HKZJ/status":
            state = dune.states.pop(0) if len(dune.states) > 1 else dune.states[0]
            return web.json_response({"execution_id": "01HKZJ", "state": state, **dune.error})
        if request.path not in ("/api/v1/query/42/results", "/api/v1/execution/01HKZJ/results"):
            return web.json_response({"error": "Query not found"}, status=404)
        offset = int(request.query["offset"])
        until = offset + min(dune.page, int(request.query["limit"]))
        body = {"state": dune.states[-1], "result": {"rows": dune.rows[offset:until]}}
        if until < len(dune.rows):
            body["next_offset"] = until
        return web.json_response(body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


Asking = Callable[[DuneSource], Awaitable[Any]]


def ask(dune: Dune, asking: Asking, *, key: str = KEY, **settings: Any) -> Any:
    async def main() -> Any:
        async with served(dune) as base:
            secret, clock = Secret("DUNE_API_KEY", key), VirtualClock(NOW)
            http = HttpClient(base, clock=clock, secrets=[secret], policy=QUICK)
            wanted = {"series": {"active": "onchain.active"}, "wait_ns": MILLISECOND, **settings}
            source = DuneSource(42, http=http, key=secret, clock=clock, **wanted)
            assert isinstance(source, PolledSource)
            try:
                return await asking(source)
            finally:
                await source.aclose()

    return asyncio.run(main())


async def once(source: DuneSource) -> list[Observation]:
    return list(await source.collect())  # type: ignore[arg-type]


def rows(*values: Any) -> list[dict[str, Any]]:
    return [
        {"time": f"2024-03-01 {12 + at}:00:00.000 UTC", "active": value}
        for at, value in enumerate(values)
    ]


def test_pages_are_read_and_only_what_is_new_is_told() -> None:
    dune = Dune(rows(5, 6, "7", 8, 9))

    async def twice(source: DuneSource) -> tuple[Any, Any, Any]:
        first = await once(source)
        again = await once(source)
        dune.rows = rows(5, 6, 7, 80, 9, None, 10**30)
        return first, again, await once(source)

    first, again, third = ask(dune, twice)
    assert [(one.ts_event, one.value) for one in first] == [(NOON + 4 * 3600 * SECOND, 9.0)]
    assert first[0].series == "onchain.active"
    assert first[0].ts_avail == first[0].ts_recv == NOW
    assert again == []
    assert [(one.value, one.flags) for one in third] == [(80.0, Flag.REVISED), (1e30, 0)]
    assert len(dune.asked) == 3 + 3 + 4


def test_an_execution_is_waited_for() -> None:
    states = ["QUERY_STATE_PENDING", "QUERY_STATE_EXECUTING", "QUERY_STATE_COMPLETED"]
    dune = Dune(rows(5), states=states)
    found = ask(dune, once, mode="execute")
    assert [one.value for one in found] == [5.0]
    assert dune.asked[0] == "POST /api/v1/query/42/execute"
    assert dune.asked.count("GET /api/v1/execution/01HKZJ/status") == 3
    assert dune.asked[-1] == "GET /api/v1/execution/01HKZJ/results"


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "EXPIRED", "ELSE"])
def test_an_execution_that_failed_says_why(state: str) -> None:
    dune = Dune(rows(5), states=[f"QUERY_STATE_{state}"])
    with pytest.raises(SourceError, match=f"ended as QUERY_STATE_{state}: no reason given"):
        ask(dune, once, mode="execute")


def test_an_execution_without_end_is_given_up() -> None:
    dune = Dune(rows(5), states=["QUERY_STATE_EXECUTING"])
    with pytest.raises(SourceError, match=r"took longer than 0\.005 s"):
        ask(dune, once, mode="execute", patience_ns=5 * MILLISECOND)
    with pytest.raises(SourceError, match="still being executed"):
        ask(dune, once)


def test_one_table_for_many_symbols() -> None:
    table = [
        {"time": "2024-03-01", "coin": coin, "active": at, "paid": 2.5}
        for at, coin in enumerate(("ETH", "BTC", "SPAM"))
    ]
    found = ask(
        Dune(table, page=10),
        once,
        series={"active": "onchain.active", "paid": "onchain.paid"},
        symbol_column="coin",
        symbols=("ETH", "BTC"),
    )
    assert sorted((one.symbol, one.series, one.value) for one in found) == [
        ("BTC", "onchain.active", 1.0),
        ("BTC", "onchain.paid", 2.5),
        ("ETH", "onchain.active", 0.0),
        ("ETH", "onchain.paid", 2.5),
    ]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: web.json_response({"error": "no credits"}), "no credits"),
        (lambda: web.Response(text="<html>busy</html>", content_type="text/html"), "a web page"),
        (lambda: web.Response(text='{"result":{"ro'), "no JSON"),
        (lambda: web.json_response([1]), "no object"),
        (lambda: web.json_response({"state": "QUERY_STATE_COMPLETED"}), "without rows"),
        (
            lambda: web.json_response(
                {"state": "QUERY_STATE_COMPLETED", "result": {"rows": []}, "next_offset": 0}
            ),
            "the same page again",
        ),
    ],
)
def test_what_is_no_table_is_an_error(answer: Callable[[], web.Response], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        ask(Dune(rows(5), answer=answer), once)


def test_limits_keys_and_columns() -> None:
    busy = Dune(rows(5), answer=lambda: web.Response(status=429, headers={"Retry-After": "30"}))
    with pytest.raises(SourceError) as caught:
        ask(busy, once)
    assert caught.value.retry_after_ns == 30 * SECOND
    with pytest.raises(SourceError, match="check the key") as refused:
        ask(Dune(rows(5)), once, key="wrong-key-0123")
    assert refused.value.permanent
    assert "wrong-key-0123" not in str(refused.value)
    with pytest.raises(SourceError, match="no column cost") as missing:
        ask(Dune(rows(5)), once, series={"cost": "onchain.cost"})
    assert "time, active" in str(missing.value)
    with pytest.raises(SourceError, match="row 1 of query 42, active"):
        ask(Dune(rows("many")), once)
