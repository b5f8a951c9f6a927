"""Local servers true to the documented shapes of the services that are asked, errors included.

One aiohttp application serves all of them under one port; ``faults`` are answered first, in turn.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FRED_KEY = "0123456789abcdef0123456789abcdef"
X_TOKEN = "AAAAAAAAAAAAAAAAAAAAAbearer%2Btoken"
REDDIT_ID, REDDIT_SECRET = "client-identity", "client-secret-value"

ECB_COLUMNS = (
    "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS,"
    "OBS_CONF,OBS_PRE_BREAK,OBS_COM,TIME_FORMAT,BREAKS,COLLECTION,COMPILING_ORG,DISS_ORG,"
    "DOM_SER_IDS,PUBL_ECB,PUBL_MU,PUBL_PUBLIC,UNIT_INDEX_BASE,COMPILATION,COVERAGE,DECIMALS,"
    "NAT_TITLE,SOURCE_AGENCY,SOURCE_PUB,TITLE,TITLE_COMPL,UNIT,UNIT_MULT"
)


@dataclass
class Post:
    """A post of Reddit or X."""

    id: str
    title: str
    created: int
    stickied: bool = False


@dataclass
class World:
    """What the services hold, and what they were asked."""

    vintages: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """FRED: by series, (date, released, value)."""
    vintage_limit: int = 2000
    rates: dict[str, dict[str, str]] = field(default_factory=dict)
    """ECB: by currency, rate by day."""
    fear: list[tuple[int, str]] = field(default_factory=list)
    """Fear & Greed: (epoch seconds, value), oldest first."""
    feed: bytes = b""
    feed_type: str = "application/rss+xml; charset=utf-8"
    feed_etag: str = ""
    posts: list[Post] = field(default_factory=list)
    """Oldest first."""
    documents: dict[str, object] = field(default_factory=dict)
    """Any JSON, by path."""
    changed: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    token_life: int = 86_400
    tokens: list[str] = field(default_factory=list)
    remaining: float = 99.0
    faults: deque[Handler | None] = field(default_factory=deque)
    """What the next requests are answered with; None is the true answer."""
    asked: list[web.Request] = field(default_factory=list)
    base: str = ""


@asynccontextmanager
async def served(world: World) -> AsyncIterator[World]:
    """The world on a port of its own; ``world.base`` is its address."""
    app = web.Application(middlewares=[_faults(world)])
    app.router.add_get("/fred/series/observations", _fred(world))
    app.router.add_get("/service/data/EXR/{key}", _ecb(world))
    app.router.add_get("/fng/", _fear(world))
    app.router.add_get("/feed", _feed(world))
    app.router.add_post("/api/v1/access_token", _reddit_token(world))
    app.router.add_get("/r/{sub}/new", _reddit(world))
    app.router.add_get("/2/tweets/search/recent", _x(world))
    app.router.add_get("/json/{name}", _document(world))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    world.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield world
    finally:
        await runner.cleanup()


def _faults(world: World) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        world.asked.append(request)
        fault = world.faults.popleft() if world.faults else None
        if fault is not None:
            return await fault(request)
        return await handler(request)

    return answer


def says(status: int, body: str = "", kind: str = "text/plain", **headers: str) -> Handler:
    """A fault: this answer, whatever was asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, content_type=kind, headers=named)

    return answer


def drops() -> Handler:
    """A fault: the connection is cut."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return answer


def hangs() -> Handler:
    """A fault: half an answer, and then silence until the client gives up."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"half":')
        await asyncio.get_running_loop().create_future()
        return response

    return answer


def _fred_error(code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "error_message": message}, status=code)


def _fred(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("api_key") != FRED_KEY:
            return _fred_error(
                400, "Bad Request.  The value for variable api_key is not registered."
            )
        rows = world.vintages.get(query.get("series_id", ""))
        if rows is None:
            return _fred_error(400, "Bad Request.  The series does not exist.")
        last = max(released for _, released, _ in rows)
        start = query.get("realtime_start", last)
        end = query.get("realtime_end", start if "realtime_start" in query else last)
        dates = {released for _, released, _ in rows if start <= released <= end}
        if len(dates) > world.vintage_limit:
            return _fred_error(
                400,
                f"Bad Request.  The number of vintage dates exceeds the maximum number of vintage "
                f"dates allowed ({world.vintage_limit}).",
            )
        found = []
        by_date: dict[str, list[tuple[str, str]]] = {}
        for day, released, value in sorted(rows):
            by_date.setdefault(day, []).append((released, value))
        for day, values in sorted(by_date.items()):
            if day < query.get("observation_start", "0"):
                continue
            for number, (released, value) in enumerate(values):
                ends = "9999-12-31"
                if number + 1 < len(values):
                    ends = str(date.fromisoformat(values[number + 1][0]) - timedelta(days=1))
                if released <= end and ends >= start:
                    # The period asked for cuts both ends: what was there before begins with it.
                    found.append(
                        {
                            "realtime_start": max(released, start),
                            "realtime_end": min(ends, end),
                            "date": day,
                            "value": value,
                        }
                    )
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100_000))
        return web.json_response(
            {
                "realtime_start": start,
                "realtime_end": end,
                "observation_start": "1600-01-01",
                "observation_end": "9999-12-31",
                "units": query.get("units", "lin"),
                "output_type": 1,
                "file_type": "json",
                "order_by": "observation_date",
                "sort_order": "asc",
                "count": len(found),
                "offset": offset,
                "limit": limit,
                "observations": found[offset : offset + limit],
            }
        )

    return answer


def _ecb(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        frequency, currencies, denominator, kind, variation = request.match_info["key"].split(".")
        stamp = format_datetime(world.changed, usegmt=True)
        if request.headers.get("If-Modified-Since") == stamp:
            return web.Response(status=304)
        first, last = request.query.get("startPeriod", ""), request.query.get("endPeriod", "9")
        lines = []
        for currency in sorted(currencies.split("+")):
            for day, rate in sorted(world.rates.get(currency, {}).items()):
                if first <= day <= last:
                    key = f"EXR.{frequency}.{currency}.{denominator}.{kind}.{variation}"
                    lines.append(
                        f"{key},{frequency},{currency},{denominator},{kind},{variation},{day},"
                        f'{rate},A,F,,,P1D,,A,,,,,,,99Q1=100,,,4,,4F0,,"{currency}/Euro","ECB '
                        f'reference exchange rate, {currency}/Euro, 2:15 pm (C.E.T.)",{currency},0'
                    )
        if not lines:
            return web.Response(status=404, text="No results found.")
        return web.Response(
            text="\r\n".join([ECB_COLUMNS, *lines, ""]),
            content_type="text/csv",
            headers={"Last-Modified": stamp},
        )

    return answer


def _fear(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        limit = int(request.query.get("limit", 1))
        newest = list(reversed(world.fear))
        rows = newest if limit == 0 else newest[:limit]
        data = [
            {"value": value, "value_classification": "Fear", "timestamp": str(at)}
            for at, value in rows
        ]
        if data:
            data[0]["time_until_update"] = "34567"
        return web.json_response(
            {"name": "Fear and Greed Index", "data": data, "metadata": {"error": None}}
        )

    return answer


def _feed(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        if world.feed_etag and request.headers.get("If-None-Match") == world.feed_etag:
            return web.Response(status=304)
        headers = {"Content-Type": world.feed_type}
        if world.feed_etag:
            headers["ETag"] = world.feed_etag
        return web.Response(body=world.feed, headers=headers)

    return answer


def _reddit_token(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        expected = base64.b64encode(f"{REDDIT_ID}:{REDDIT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"})
        world.tokens.append(f"token-number-{len(world.tokens)}")
        return web.json_response(
            {
                "access_token": world.tokens[-1],
                "token_type": "bearer",
                "expires_in": world.token_life,
                "scope": "*",
            }
        )

    return answer


def _reddit(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        token = world.tokens[-1] if world.tokens else None
        if request.headers.get("Authorization") != f"bearer {token}":
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        if request.headers.get("User-Agent", "").startswith(("python", "aiohttp")):
            return web.json_response({"message": "Too Many Requests", "error": 429}, status=429)
        newest = list(reversed(world.posts))
        after = request.query.get("after")
        names = [f"t3_{post.id}" for post in newest]
        start = names.index(after) + 1 if after in names else 0
        page = newest[start : start + int(request.query.get("limit", 25))]
        more = start + len(page) < len(newest)
        children = [
            {
                "kind": "t3",
                "data": {
                    "id": post.id,
                    "name": f"t3_{post.id}",
                    "created_utc": float(post.created),
                    "title": post.title,
                    "selftext": "not to be kept",
                    "author": "somebody",
                    "score": 1,
                    "num_comments": 0,
                    "stickied": post.stickied,
                    "permalink": f"/r/{request.match_info['sub']}/comments/{post.id}/x/",
                },
            }
            for post in page
        ]
        return web.json_response(
            {
                "kind": "Listing",
                "data": {
                    "after": f"t3_{page[-1].id}" if page and more else None,
                    "before": None,
                    "dist": len(page),
                    "children": children,
                },
            },
            headers={
                "X-Ratelimit-Used": "1",
                "X-Ratelimit-Remaining": str(world.remaining),
                "X-Ratelimit-Reset": "300",
            },
        )

    return answer


def _x(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {X_TOKEN}":
            body = {
                "title": "Unauthorized",
                "type": "about:blank",
                "status": 401,
                "detail": "Unauthorized",
            }
            return web.json_response(body, status=401)
        since = int(request.query.get("since_id", 0))
        fresh = [post for post in reversed(world.posts) if int(post.id) > since]
        start = int(request.query.get("next_token", 0))
        page = fresh[start : start + int(request.query.get("max_results", 10))]
        meta: dict[str, object] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if start + len(page) < len(fresh):
            meta["next_token"] = str(start + len(page))
        body = {"meta": meta}
        if page:
            body["data"] = [
                {
                    "id": post.id,
                    "text": post.title,
                    "created_at": datetime.fromtimestamp(post.created, UTC).strftime(
                        "%Y-%m-%dT%H:%M:%S.000Z"
                    ),
                    "edit_history_tweet_ids": [post.id],
                }
                for post in page
            ]
        return web.json_response(body)

    return answer


def _document(world: World) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(world.documents[request.match_info["name"]])

    return answer
