"""The HTTP client against a real server that misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from polled_servers import World, drops, hangs, says, served

from mirrorcore.clock import MILLISECOND, SECOND, LiveClock, VirtualClock
from mirrorcore.data_sources.answers import HttpError, error_in, retry_after_ns
from mirrorcore.data_sources.http import HttpClient, HttpPolicy
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.secret import Secret, redacted
from mirrorcore.errors import UsageError

KEY = Secret("MY_KEY", "s3cr3t/value+with=signs")
QUICK = HttpPolicy(
    timeout_ns=2 * SECOND,
    first_wait_ns=MILLISECOND,
    longest_wait_ns=MILLISECOND,
    patience_ns=50 * MILLISECOND,
)


T = TypeVar("T")
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """A limit that notes what was taken from it."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.closed: list[int] = []

    async def take(self, weight: float = 1.0) -> None:
        self.taken.append(weight)

    def close_for(self, duration_ns: int) -> None:
        self.closed.append(duration_ns)


def asking(
    world: World,
    ask: Callable[[HttpClient], Awaitable[T]],
    *,
    policy: HttpPolicy = QUICK,
    limit: Gate | None = None,
    follow: bool = False,
) -> T:
    async def main() -> T:
        async with served(world):
            client = HttpClient(
                world.base,
                clock=LiveClock(),
                secrets=[] if follow else [KEY],
                policy=policy,
                limit=limit,
                follow=follow,
            )
            try:
                return await ask(client)
            finally:
                await client.aclose()

    return asyncio.run(main())


def test_an_answer_is_json_with_the_moment_it_came() -> None:
    world = World(documents={"a": {"x": 1}})
    before = LiveClock().now()
    answer = asking(world, lambda client: client.get("/json/a"))
    assert answer.json() == {"x": 1}
    assert answer.received_ns >= before
    assert world.asked[0].headers["User-Agent"].startswith("mirrorcore-x/")


@pytest.mark.parametrize("fault", [says(503, "busy"), says(429), says(500), drops()])
def test_what_is_transient_is_tried_again(fault: Fault) -> None:
    world = World(documents={"a": 1}, faults=deque([fault, fault]))
    gate = Gate()
    assert asking(world, lambda client: client.get("/json/a"), limit=gate).json() == 1
    assert len(world.asked) == 3
    assert gate.taken == [1.0, 1.0, 1.0], "each try waits its turn"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_cannot_get_better_is_not_tried_again(status: int) -> None:
    world = World(documents={"a": 1})
    world.faults.append(says(status, "no such thing"))
    with pytest.raises(HttpError, match=f"HTTP {status} \\(no such thing\\)") as caught:
        asking(world, lambda client: client.get("/json/a"))
    assert caught.value.permanent
    assert (caught.value.status, caught.value.case) == (status, f"http_{status}")
    assert len(world.asked) == 1


def test_a_short_wait_is_kept_and_a_long_one_handed_on() -> None:
    world = World(documents={"a": 1})
    world.faults.append(says(429, Retry_After="0.01"))
    assert asking(world, lambda client: client.get("/json/a")).json() == 1

    world = World(documents={"a": 1})
    world.faults.append(says(429, Retry_After="120"))
    gate = Gate()
    with pytest.raises(SourceError, match="HTTP 429") as caught:
        asking(world, lambda client: client.get("/json/a"), limit=gate)
    assert caught.value.retry_after_ns == 120 * SECOND
    assert not caught.value.permanent
    assert caught.value.case == "rate_limited"
    assert len(world.asked) == 1, "nobody waits two minutes inside a request"
    assert gate.closed == [120 * SECOND], "the others of this account wait as well"


def test_a_date_to_wait_for_is_measured_by_the_servers_clock() -> None:
    server = datetime(2024, 5, 1, 12, tzinfo=UTC)
    headers = {
        "date": format_datetime(server, usegmt=True),
        "retry-after": format_datetime(server + timedelta(seconds=90), usegmt=True),
    }
    ours = round(server.timestamp()) * SECOND + 3600 * SECOND
    assert retry_after_ns(headers, ours) == 90 * SECOND
    assert retry_after_ns({"x-rate-limit-reset": str(ours // SECOND + 7)}, ours) == 7 * SECOND
    assert retry_after_ns({"retry-after": "soon"}, ours) == 0


def test_silence_in_the_middle_of_an_answer_ends_at_the_deadline() -> None:
    world = World(documents={"a": 1})
    world.faults.extend([hangs(), hangs()])
    policy = HttpPolicy(timeout_ns=50 * MILLISECOND, attempts=2, first_wait_ns=MILLISECOND)
    with pytest.raises(SourceError, match=r"no whole answer within 0\.05 s") as caught:
        asking(world, lambda client: client.get("/json/a"), policy=policy)
    assert not caught.value.permanent
    assert caught.value.case == "timeout"


def test_an_answer_larger_than_allowed_is_cut_off_and_not_asked_for_again() -> None:
    world = World(documents={"a": "x" * 3000})
    policy = HttpPolicy(max_bytes=2048)
    with pytest.raises(SourceError, match="larger than 2 KiB"):
        asking(world, lambda client: client.get("/json/a"), policy=policy)
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        says(200, "<!DOCTYPE html><html>please log in</html>", "text/html"),
        says(200, "  <html><body>maintenance", "application/json"),
    ],
)
def test_a_page_with_status_200_is_no_data(fault: Fault) -> None:
    world = World(documents={"a": 1}, faults=deque([fault]))
    answer = asking(world, lambda client: client.get("/json/a"))
    with pytest.raises(SourceError, match="a web page came instead of data"):
        answer.json()


def test_half_a_body_is_no_data() -> None:
    world = World()
    world.faults.append(says(200, '{"data": [1, 2', "application/json"))
    with pytest.raises(SourceError, match="it may be cut off"):
        asking(world, lambda client: client.get("/json/a")).json()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "0", "message": "NOTOK", "result": "Max rate limit reached"}, "Max rate"),
        ({"error_code": 400, "error_message": "The series does not exist."}, "does not exist"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"message": "Forbidden", "error": 403}, "403"),
        ({"metadata": {"error": "limit is wrong"}, "data": []}, "limit is wrong"),
        ({"errors": [{"message": "query is missing"}], "title": "Invalid Request"}, "query is"),
        ({"status": "1", "message": "OK", "result": "17"}, ""),
        ({"error": None, "data": 1}, ""),
        ({"data": [1], "errors": [{"title": "one user is suspended"}]}, ""),
        ([1, 2], ""),
    ],
)
def test_errors_that_come_with_status_200_are_known(body: object, reason: str) -> None:
    assert (reason in error_in(body)) if reason else error_in(body) == ""


def test_an_error_body_with_status_200_is_an_error() -> None:
    world = World(documents={"a": {"status": "0", "message": "NOTOK", "result": "Max rate"}})
    with pytest.raises(SourceError, match="NOTOK: Max rate"):
        asking(world, lambda client: client.get("/json/a")).json()


def test_no_message_and_no_log_line_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    world = World(documents={"a": 1})
    world.faults.append(says(403, f"key {KEY.reveal()} is not known"))

    async def ask(client: HttpClient) -> str:
        with pytest.raises(SourceError) as refused:
            await client.get("/json/a", keys={"api_key": KEY}, headers={"X-Key": KEY})
        return f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"

    with caplog.at_level(logging.DEBUG):
        said = asking(world, ask)
        logged = " ".join(record.getMessage() for record in caplog.records)
    assert world.asked[0].query["api_key"] == KEY.reveal(), "the service itself does get it"
    assert world.asked[0].headers["X-Key"] == KEY.reveal()
    assert "MY_KEY" in said
    assert "HTTP Request" in logged, "the library logs addresses, so there is something to hide"
    for form in (KEY.reveal(), "s3cr3t", "s3cr3t%2Fvalue"):
        assert form not in said
        assert form not in logged


@settings(max_examples=60, deadline=None)
@given(st.text("abc/=+%<> "), st.text("abc/=+%<> "))
def test_whatever_stands_around_a_key_it_is_not_shown(before: str, after: str) -> None:
    shown = redacted(f"{before}{KEY.reveal()}{after}", [KEY])
    assert shown == f"{before}<MY_KEY>{after}"


def test_a_key_comes_from_the_environment_alone() -> None:
    assert Secret.from_environment("A", {"A": "long-enough"}).reveal() == "long-enough"
    assert "long-enough" not in repr(Secret("A", "long-enough"))
    with pytest.raises(UsageError, match="the environment variable A is not set"):
        Secret.from_environment("A", {})
    with pytest.raises(UsageError, match="A holds no usable key"):
        Secret.from_environment("A", {"A": "short"})


def test_what_has_not_changed_is_not_sent_again_once_it_was_understood() -> None:
    world = World(feed=b"<rss/>", feed_etag='"v1"')

    async def ask(client: HttpClient) -> list[bool]:
        first = await client.get("/feed", conditional=True)
        again = await client.get("/feed", conditional=True)
        client.remember("/feed", None, again)
        third = await client.get("/feed", conditional=True)
        return [first.unchanged, again.unchanged, third.unchanged]

    assert asking(world, ask) == [False, False, True]


def test_redirects_are_followed_where_asked_for_and_never_with_keys() -> None:
    world = World(feed=b"<rss/>")
    world.faults.append(says(301, Location="/feed"))
    assert asking(world, lambda client: client.get("/old"), follow=True).content == b"<rss/>"

    world.faults.append(says(301, Location="/feed"))
    with pytest.raises(HttpError, match="it has moved to /feed"):
        asking(world, lambda client: client.get("/old"))
    with pytest.raises(UsageError, match="follows no redirects"):
        HttpClient("http://a", clock=VirtualClock(), secrets=[KEY], follow=True)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="is no address"):
        HttpClient("api.example.org", clock=VirtualClock())


def test_failures_are_counted_by_kind() -> None:
    world = World(documents={"a": 1})
    world.faults.extend([says(503), drops()])

    async def ask(client: HttpClient) -> str:
        await client.get("/json/a")
        counters = client.counters
        return json.dumps([counters.requests, counters.retries, counters.failures])

    assert json.loads(asking(world, ask)) == [3, 2, {"503": 1, "connection": 1}]
