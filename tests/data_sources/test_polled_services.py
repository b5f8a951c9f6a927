"""The list of services: each can be opened by what its entry says, and is documented as it says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from polled_servers import FRED_KEY, REDDIT_ID, REDDIT_SECRET, X_TOKEN, Post, World, served

from mirrorcore.clock import SECOND, VirtualClock
from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries
from mirrorcore.data_sources.live import PolledSource
from mirrorcore.data_sources.running.rate_limits import RateLimits
from mirrorcore.data_sources.services import SERVICES, Opening, Service, open_service
from mirrorcore.errors import UsageError

NOW = round(datetime(2024, 6, 3, tzinfo=UTC).timestamp()) * SECOND
KEYS = {
    "FRED_API_KEY": FRED_KEY,
    "REDDIT_CLIENT_ID": REDDIT_ID,
    "REDDIT_CLIENT_SECRET": REDDIT_SECRET,
    "X_BEARER_TOKEN": X_TOKEN,
    "MY_KEY": "my-own-secret-key",
}
SUPPLY = JsonSeries("fundamental.supply", "supply", "BTC", symbol="BTC/USDT")
AGENT = "linux:org.example.mirrorcore:0.1 (by /u/somebody)"
OPTIONS = {
    "feed": {"url": "http://service.example/feed"},
    "reddit": {"subreddit": "bitcoin", "user_agent": AGENT},
    "x": {"query": "bitcoin"},
    "json": {
        "url": "http://service.example/json/supply?of=btc",
        "name": "supply",
        "series": [SUPPLY],
        "key": "MY_KEY",
        "key_header": "X-Key",
    },
}


def world() -> World:
    series = ("CPIAUCSL", "UNRATE", "DFF", "DGS10", "T10Y2Y", "VIXCLS", "DTWEXBGS")
    return World(
        vintages={one: [("2024-05-01", "2024-05-02", "4.5")] for one in series},
        rates={"USD": {"2024-05-31": "1.08"}, "JPY": {"2024-05-31": "170"}, "GBP": {}},
        fear=[(NOW // SECOND - 86_400, "50")],
        feed=b'<rss version="2.0"><channel><item><title>One</title></item></channel></rss>',
        posts=[Post("1000", "One", NOW // SECOND - 60)],
        documents={"supply": {"supply": 19_700_000}},
    )


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
def test_every_service_answers_a_client_made_as_its_entry_says(service: Service) -> None:
    async def main() -> None:
        async with served(world()) as there:
            clock = VirtualClock(NOW)
            opening = Opening(clock, KEYS, RateLimits(clock), there.base)
            source = open_service(service.name, opening, OPTIONS.get(service.name))
            assert isinstance(source, PolledSource)
            records = await source.collect()
            await source.aclose()
            assert source.spec.category == service.category
            if service.licence != "as of the service asked":
                assert source.spec.licence == service.licence
            kinds = {type(record).__struct_config__.tag for record in records}
            assert kinds
            assert kinds <= set(source.spec.kinds)
            for record in records:
                assert record.source == source.name
                assert getattr(record, "series", "text") in source.spec.units
            if service.name == "json":
                assert there.asked[-1].headers["X-Key"] == KEYS["MY_KEY"]
                assert there.asked[-1].query["of"] == "btc"

    asyncio.run(main())


@pytest.mark.parametrize("service", [one for one in SERVICES if one.keys], ids=lambda one: one.name)
def test_a_service_without_its_key_says_which_one(service: Service) -> None:
    clock = VirtualClock(NOW)
    with pytest.raises(UsageError, match=f"variable {service.keys[0]} is not set"):
        open_service(service.name, Opening(clock, {}, RateLimits(clock)), OPTIONS.get(service.name))


def test_an_option_that_is_none_and_one_that_is_missing_are_named() -> None:
    clock = VirtualClock(NOW)
    opening = Opening(clock, KEYS, RateLimits(clock))
    with pytest.raises(UsageError, match="x has no option querry and needs query"):
        open_service("x", opening, {"querry": "a"})
    with pytest.raises(UsageError, match="there is no service 'twitter'"):
        open_service("twitter", opening)
    with pytest.raises(UsageError, match="a key needs a place"):
        open_service(
            "json", opening, {"url": "http://a/b", "name": "n", "series": [SUPPLY], "key": "MY_KEY"}
        )


def test_two_clients_of_one_host_and_account_share_one_limit() -> None:
    clock = VirtualClock(NOW)
    limits = RateLimits(clock)
    opening = Opening(clock, KEYS, limits)
    one, other = (opening.client("https://a.example/x", 60, opening.secret("MY_KEY")) for _ in "ab")
    stranger = opening.client("https://a.example/x", 60)
    assert one._limit is other._limit
    assert one._limit is not stranger._limit
