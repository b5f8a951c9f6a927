"""Fear & Greed, feeds, Reddit and X over real HTTP; titles, and the tone they make."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polled_servers import (
    REDDIT_ID,
    REDDIT_SECRET,
    X_TOKEN,
    Post,
    World,
    says,
    served,
)

from mirrorcore.clock import (
    DAY,
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    Clock,
    LiveClock,
    VirtualClock,
    iso,
)
from mirrorcore.data_sources.http import HttpClient, HttpPolicy
from mirrorcore.data_sources.live import PolledSource, SourceError
from mirrorcore.data_sources.running import RunnerPolicy, SourceHealth, SourceRunner
from mirrorcore.data_sources.running.policy import ReconnectPolicy
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.social.fear_greed import FearGreedSource
from mirrorcore.data_sources.social.feed import FeedSource
from mirrorcore.data_sources.social.reddit import RedditSource
from mirrorcore.data_sources.social.scorer import Score, Scorer
from mirrorcore.data_sources.social.titles import (
    SeenTitles,
    clean_link,
    plain,
    text_record,
)
from mirrorcore.data_sources.social.tone import COUNT, TONE, NewsTone
from mirrorcore.data_sources.social.x import XSource
from mirrorcore.errors import DataError
from mirrorcore.market.records import FeedRecord, Flag, GapRecord, Observation, Text
from mirrorcore.market.text_rules import normalised

T = TypeVar("T")
QUICK = HttpPolicy(first_wait_ns=MILLISECOND, attempts=2, patience_ns=50 * MILLISECOND)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NOW = at("2024-06-03T12:00")

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>News</title>
<item><title>Bitcoin &lt;b&gt;rises&lt;/b&gt; &amp;amp; shines</title>
 <link>https://news.example/a?utm_source=rss&amp;id=1#top</link>
 <description>The whole article, which is not ours to keep.</description>
 <pubDate>Mon, 03 Jun 2024 11:00:00 +0200</pubDate></item>
<item><title>Exchange hacked</title><link>https://news.example/b</link>
 <pubDate>the day before yesterday</pubDate></item>
<item><title> </title><link>https://news.example/c</link></item>
<item><title>BITCOIN rises – shines!</title><link>https://news.example/d</link>
 <pubDate>Mon, 03 Jun 2024 08:00:00 GMT</pubDate></item>
</channel></rss>"""

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><id>urn:x</id>
<updated>2024-06-03T10:30:00Z</updated>
<entry><title>Exchange hacked</title><id>urn:1</id><link href="https://other.example/1"/>
 <updated>2024-06-03T10:30:00Z</updated></entry>
<entry><title>Fund launched</title><id>urn:2</id><link href="https://other.example/2"/>
 <published>2024-06-03T09:30:00Z</published><updated>2024-06-03T10:30:00Z</updated></entry>
</feed>"""


def within(world: World, ask: Callable[[VirtualClock], Awaitable[T]], now: int = NOW) -> T:
    async def main() -> T:
        async with served(world):
            return await ask(VirtualClock(now))

    return asyncio.run(main())


def client(world: World, clock: Clock, *secrets: Secret, follow: bool = False) -> HttpClient:
    return HttpClient(world.base, clock=clock, secrets=secrets, policy=QUICK, follow=follow)


def feed(
    world: World, clock: VirtualClock, name: str = "feed", titles: SeenTitles | None = None
) -> FeedSource:
    http = client(world, clock, follow=True)
    return FeedSource("/feed", http=http, clock=clock, name=name, titles=titles)


def texts(records: Sequence[object]) -> list[Text]:
    return [record for record in records if isinstance(record, Text)]


# --- Fear & Greed ---------------------------------------------------------------------------------


def test_the_index_is_told_when_it_is_new() -> None:
    day = at("2024-06-02") // SECOND
    world = World(fear=[(day - 86_400, "47"), (day, "50")])

    async def ask(clock: VirtualClock) -> list[list[tuple[int, float]]]:
        source = FearGreedSource(http=client(world, clock), clock=clock)
        assert isinstance(source, PolledSource)
        found = [await source.collect(), await source.collect()]
        world.fear.append((day + 86_400, "61"))
        clock.advance_to(NOW + HOUR)
        found.append(await source.collect())
        await source.aclose()
        return [[(r.ts_avail, r.value) for r in one] for one in found]

    assert within(world, ask) == [[(NOW, 50.0)], [], [(NOW + HOUR, 61.0)]]


def test_the_index_of_a_day_is_no_earlier_than_a_day_later_in_its_history() -> None:
    day = at("2024-05-01") // SECOND
    world = World(fear=[(day + 86_400 * number, str(number)) for number in range(30)])

    async def ask(clock: VirtualClock) -> Sequence[Observation]:
        source = FearGreedSource(http=client(world, clock), clock=clock)
        found = await source.history(at("2024-05-11"), at("2024-05-21"))
        await source.aclose()
        return found

    found = within(world, ask)
    assert [record.value for record in found] == [float(number) for number in range(9, 19)]
    assert all(record.ts_avail == record.ts_event + DAY for record in found)
    assert all(record.flags & Flag.BACKFILL for record in found)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"data": [], "metadata": {"error": "limit is wrong"}}', "limit is wrong"),
        ('{"data": [], "metadata": {"error": null}}', "no values"),
        ('{"data": [{"value": "147", "timestamp": "1717286400"}]}', "the index was 147"),
        ('{"data": [{"value": "47", "timestamp": "1970"}]}', "no time from 1990 to 2099"),
    ],
)
def test_an_index_that_cannot_be_is_an_error(body: str, reason: str) -> None:
    world = World()
    world.faults.append(says(200, body, "application/json"))

    async def ask(clock: VirtualClock) -> None:
        source = FearGreedSource(http=client(world, clock), clock=clock)
        try:
            await source.collect()
        finally:
            await source.aclose()

    with pytest.raises(SourceError, match=reason):
        within(world, ask)


# --- Feeds ----------------------------------------------------------------------------------------


def test_of_a_feed_headline_link_and_hash_are_kept() -> None:
    world = World(feed=RSS.encode())

    async def ask(clock: VirtualClock) -> tuple[list[Text], list[int]]:
        source = feed(world, clock)
        assert isinstance(source, PolledSource)
        found = texts(await source.collect())
        counts = [source.broken, source.undated, source.untitled, source.repeated]
        await source.aclose()
        return found, counts

    found, counts = within(world, ask)
    assert [(t.title, t.url, iso(t.ts_event)[:16]) for t in found] == [
        ("Bitcoin rises & shines", "https://news.example/a?id=1", "2024-06-03T09:00"),
        ("Exchange hacked", "https://news.example/b", "2024-06-03T12:00"),
    ]
    assert counts == [0, 2, 1, 1]
    assert all(t.ts_avail == t.ts_recv == NOW and t.author == "" for t in found)
    assert "not ours" not in repr(found)
    assert len({t.digest for t in found}) == 2


def test_a_feed_that_has_not_changed_is_not_read_again() -> None:
    world = World(feed=RSS.encode(), feed_etag='W/"7"')

    async def ask(clock: VirtualClock) -> list[int]:
        source = feed(world, clock)
        found = [len(await source.collect()), len(await source.collect())]
        world.feed, world.feed_etag = ATOM.encode(), 'W/"8"'
        found.append(len(await source.collect()))
        await source.aclose()
        return found

    assert within(world, ask) == [2, 0, 1], "of the new two, one headline was told before"
    assert [r.headers.get("If-None-Match") for r in world.asked] == [None, 'W/"7"', 'W/"7"']


def test_a_feed_that_could_not_be_read_is_asked_for_whole_again() -> None:
    world = World(feed=b"<html><body>soon</body></html>", feed_etag='"1"')

    async def ask(clock: VirtualClock) -> None:
        source = feed(world, clock)
        for _ in range(2):
            with pytest.raises(SourceError, match=r"neither RSS nor Atom \(<html>"):
                await source.collect()
        await source.aclose()

    within(world, ask)
    assert [request.headers.get("If-None-Match") for request in world.asked] == [None, None]


def test_broken_xml_is_read_as_far_as_it_goes_and_counted() -> None:
    world = World(feed=RSS.encode()[: RSS.index("<item><title> </title>")])

    async def ask(clock: VirtualClock) -> tuple[int, int]:
        source = feed(world, clock)
        found = len(await source.collect())
        await source.aclose()
        return found, source.broken

    assert within(world, ask) == (2, 1)


def test_a_feed_that_unfolds_without_end_is_not_read() -> None:
    levels = "".join(f'<!ENTITY e{n + 1} "&e{n};&e{n};&e{n};&e{n};">' for n in range(30))
    bomb = f'<!DOCTYPE rss [<!ENTITY e0 "word">{levels}]>'
    world = World(feed=RSS.replace("<rss", f"{bomb}<rss").replace("Fund", "&e30;").encode())

    async def ask(clock: VirtualClock) -> None:
        source = feed(world, clock)
        try:
            await source.collect()
        finally:
            await source.aclose()

    with pytest.raises(SourceError, match="the feed declares entities"):
        within(world, ask)


def test_a_feed_without_entries_is_quiet_and_no_failure() -> None:
    world = World(feed=b'<rss version="2.0"><channel><title>News</title></channel></rss>')

    async def ask(clock: VirtualClock) -> int:
        source = feed(world, clock)
        found = len(await source.collect())
        await source.aclose()
        return found

    assert within(world, ask) == 0


def test_a_headline_of_several_feeds_is_told_once() -> None:
    world = World(feed=RSS.encode())

    async def ask(clock: VirtualClock) -> list[str]:
        titles = SeenTitles()
        one, other = feed(world, clock, "one", titles), feed(world, clock, "other", titles)
        found = list(texts(await one.collect()))
        world.feed, world.feed_type = ATOM.encode(), "application/atom+xml"
        found += texts(await other.collect())
        await one.aclose()
        await other.aclose()
        assert other.repeated == 1
        return [f"{text.source}: {text.title}" for text in found]

    assert within(world, ask)[-2:] == ["one: Exchange hacked", "other: Fund launched"]


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_whatever_a_title_is_it_becomes_one_visible_line(title: str) -> None:
    shown = plain(title)
    assert len(shown) <= 500
    assert shown == " ".join(shown.split())
    assert all(character.isprintable() for character in shown)
    assert normalised(shown) == normalised(normalised(shown))


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://a.example/x?utm_medium=rss&b=2&fbclid=9#part", "https://a.example/x?b=2"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_only_web_addresses_are_links(url: str, clean: str) -> None:
    assert clean_link(url) == clean


def test_the_same_title_weeks_later_is_a_new_text() -> None:
    seen = SeenTitles(kept=2)
    assert not seen.again("Weekly report", NOW)
    assert seen.again("WEEKLY  report!", NOW + 2 * DAY)
    assert not seen.again("Weekly report", NOW + 7 * DAY)
    for other in ("a", "b"):
        assert not seen.again(other, NOW)
    assert not seen.again("Weekly report", NOW + 7 * DAY), "the memory is bounded"


# --- Reddit ---------------------------------------------------------------------------------------


def reddit(world: World, clock: VirtualClock) -> RedditSource:
    agent = "linux:org.example.mirrorcore:0.1 (by /u/somebody)"
    authority, http = (
        HttpClient(world.base, clock=clock, policy=QUICK, user_agent=agent) for _ in range(2)
    )
    return RedditSource(
        "bitcoin",
        authority=authority,
        http=http,
        client=Secret("REDDIT_CLIENT", REDDIT_ID),
        secret=Secret("REDDIT_SECRET", REDDIT_SECRET),
        clock=clock,
    )


def posts(first: int, stop: int) -> list[Post]:
    start = NOW // SECOND - 100_000
    return [Post(f"{n + 10_000}", f"Post number {n}", start + n) for n in range(first, stop)]


def test_new_posts_are_told_once_with_a_token_that_is_kept() -> None:
    world = World(posts=posts(0, 5))

    async def ask(clock: VirtualClock) -> list[list[str]]:
        source = reddit(world, clock)
        assert isinstance(source, PolledSource)
        found = [await source.collect(), await source.collect()]
        world.posts.extend(posts(5, 7))
        found.append(await source.collect())
        await source.aclose()
        return [[text.title for text in texts(one)] for one in found]

    first, nothing, later = within(world, ask)
    assert first == [f"Post number {n}" for n in range(5)]
    assert nothing == []
    assert later == ["Post number 5", "Post number 6"]
    assert len(world.tokens) == 1


def test_a_token_is_renewed_when_it_runs_out_or_is_withdrawn() -> None:
    world = World(posts=posts(0, 1), token_life=3600)

    async def ask(clock: VirtualClock) -> list[int]:
        source = reddit(world, clock)
        counts = []
        await source.collect()
        counts.append(len(world.tokens))
        clock.advance_to(NOW + 3599 * SECOND)
        await source.collect()
        counts.append(len(world.tokens))
        world.tokens.append("another-one-is-valid-now")
        await source.collect()
        counts.append(len(world.tokens))
        await source.aclose()
        return counts

    assert within(world, ask) == [1, 2, 4]


def test_a_wrong_client_is_refused_for_good_and_shows_no_secret() -> None:
    world = World(posts=posts(0, 1))

    async def ask(clock: VirtualClock) -> SourceError:
        source = reddit(world, clock)
        source._basic = Secret("REDDIT_SECRET", "Basic wrong-secret-value")
        with pytest.raises(SourceError) as caught:
            await source.collect()
        await source.aclose()
        return caught.value

    error = within(world, ask)
    assert error.permanent
    assert "HTTP 401" in str(error)
    assert REDDIT_SECRET not in str(error)


def test_between_two_askings_up_to_three_pages_are_read_and_more_is_a_gap() -> None:
    world = World(posts=posts(0, 1))

    async def ask(clock: VirtualClock) -> list[Sequence[object]]:
        source = reddit(world, clock)
        await source.collect()
        world.posts.extend(posts(1, 251))
        two_pages_and_a_half = await source.collect()
        world.posts.extend(posts(251, 951))
        too_many = await source.collect()
        await source.aclose()
        return [two_pages_and_a_half, too_many]

    whole, cut = within(world, ask)
    assert [t.title for t in texts(whole)] == [f"Post number {n}" for n in range(1, 251)]
    gap, *rest = cut
    assert isinstance(gap, GapRecord)
    assert [t.title for t in texts(rest)] == [f"Post number {n}" for n in range(651, 951)]
    assert (gap.start, gap.end) == (texts(whole)[-1].ts_event, texts(rest)[0].ts_event)


def test_paging_ends_at_the_first_post_that_was_told() -> None:
    world = World(posts=posts(0, 400))

    async def ask(clock: VirtualClock) -> tuple[list[type], int]:
        source = reddit(world, clock)
        await source.collect()
        world.posts.extend(posts(400, 550))
        before = len(world.asked)
        found = await source.collect()
        await source.aclose()
        return [type(record) for record in found], len(world.asked) - before

    assert within(world, ask) == ([Text] * 150, 2)


def test_when_the_period_is_used_up_the_limit_is_closed_before_it_has_to_refuse() -> None:
    world = World(posts=posts(0, 1), remaining=0.0)
    closed: list[int] = []

    class Gate:
        async def take(self, weight: float = 1.0) -> None:
            return None

        def close_for(self, duration_ns: int) -> None:
            closed.append(duration_ns)

    async def ask(clock: VirtualClock) -> None:
        source = reddit(world, clock)
        source._http._limit = Gate()
        await source.collect()
        await source.aclose()

    within(world, ask)
    assert closed == [300 * SECOND]


# --- X --------------------------------------------------------------------------------------------


def x_source(world: World, clock: VirtualClock, token: str = X_TOKEN) -> XSource:
    secret = Secret("X_TOKEN", token)
    return XSource("bitcoin", http=client(world, clock, secret), token=secret, clock=clock)


def test_posts_of_a_query_are_told_once_and_all_pages_are_read() -> None:
    world = World(posts=posts(0, 3))

    async def ask(clock: VirtualClock) -> list[Sequence[object]]:
        source = x_source(world, clock)
        assert isinstance(source, PolledSource)
        found = [await source.collect(), await source.collect()]
        world.posts.extend(posts(3, 253))
        found.append(await source.collect())
        world.posts.extend(posts(253, 953))
        found.append(await source.collect())
        await source.aclose()
        return found

    first, nothing, whole, cut = within(world, ask)
    assert [t.title for t in texts(first)] == [f"Post number {n}" for n in range(3)]
    assert texts(first)[0].url == "https://x.com/i/web/status/10000"
    assert nothing == []
    assert [t.title for t in texts(whole)] == [f"Post number {n}" for n in range(3, 253)]
    assert isinstance(cut[0], GapRecord)
    assert len(texts(cut)) == 500


def test_a_start_that_is_too_old_is_left_out() -> None:
    world = World(posts=posts(0, 3))
    too_old = (
        '{"errors": [{"parameters": {"since_id": ["10002"]}, "message": "\'since_id\' must be a '
        'post id created after 2024"}], "title": "Invalid Request"}'
    )

    async def ask(clock: VirtualClock) -> int:
        source = x_source(world, clock)
        await source.collect()
        world.posts = posts(10, 14)
        world.faults.append(says(400, too_old, "application/json"))
        found = len(await source.collect())
        await source.aclose()
        return found

    assert within(world, ask) == 4
    assert "since_id" not in world.asked[-1].query


def test_a_wrong_token_is_refused_for_good_and_not_shown() -> None:
    async def ask(clock: VirtualClock) -> SourceError:
        source = x_source(world, clock, "wrong-token-value")
        with pytest.raises(SourceError, match="HTTP 401") as caught:
            await source.collect()
        await source.aclose()
        return caught.value

    world = World()
    error = within(world, ask)
    assert error.permanent
    assert "wrong-token" not in str(error)


def test_the_service_says_when_to_come_back() -> None:
    world = World()
    reset = str(NOW // SECOND + 600)
    body = '{"title": "Too Many Requests", "status": 429, "detail": "Too Many Requests"}'
    world.faults.append(says(429, body, "application/json", x_rate_limit_reset=reset))

    async def ask(clock: VirtualClock) -> SourceError:
        source = x_source(world, clock)
        with pytest.raises(SourceError) as caught:
            await source.collect()
        await source.aclose()
        return caught.value

    assert within(world, ask).retry_after_ns == 600 * SECOND


# --- Tone -----------------------------------------------------------------------------------------


class Words:
    """A scorer for tests: ``+3 BTC ETH`` is a score of .3 about BTC and ETH."""

    def score(self, title: str) -> Score:
        value, *symbols = title.split("#", maxsplit=1)[0].split()
        return Score(int(value) / 10, tuple(symbols))


def told(title: str, event: int, avail: int | None = None) -> Text:
    text = text_record(source="s", title=title, url="", event=event, now=avail or event)
    assert text is not None
    return text


def values(records: Sequence[Observation], series: str) -> dict[str, float]:
    """The last value of each symbol."""
    return {r.symbol: r.value for r in records if r.series == series and r.value is not None}


def test_the_tone_of_a_symbol_is_the_decayed_mean_of_what_is_about_it() -> None:
    assert isinstance(Words(), Scorer)
    tone = NewsTone(Words(), ["BTC/USDT", "BTC/USD:USD", "ETH/USDT"], half_life_ns=6 * HOUR)
    found = tone.add([told("8 BTC", NOW), told("-4 BTC DOGE", NOW + 6 * HOUR)])
    after = [r for r in found if r.ts_avail == NOW + 6 * HOUR]
    expected = (0.5 * 0.8 - 0.4) / 1.5
    assert values(after, TONE) == pytest.approx(
        {"*": expected, "BTC/USDT": expected, "BTC/USD:USD": expected}
    )
    assert values(after, COUNT) == pytest.approx(
        dict.fromkeys(("*", "BTC/USDT", "BTC/USD:USD"), 1.5)
    )
    assert "ETH/USDT" not in values(found, TONE), "nothing was said of it: unknown, not neutral"
    assert tone.units[COUNT] == "texts, each halved every 6h"
    last = tone.add([told("-2", NOW + 12 * HOUR)])
    assert values(last, TONE)["*"] == pytest.approx((0.25 * 0.8 - 0.5 * 0.4 - 0.2) / 1.75)
    assert values(last, TONE)["BTC/USDT"] == pytest.approx(expected), "told again, unchanged"


def test_an_old_text_found_late_counts_as_an_old_one() -> None:
    tone = NewsTone(Words(), [], half_life_ns=6 * HOUR)
    found = tone.add([told("8", NOW - 12 * HOUR, NOW), told("-4", NOW)])
    assert values(found, COUNT)["*"] == pytest.approx(1.25)
    assert values(found, TONE)["*"] == pytest.approx((0.25 * 0.8 - 0.4) / 1.25)


def test_a_headline_told_by_many_counts_once() -> None:
    tone = NewsTone(Words(), [])
    assert tone.add([told("8 BTC", NOW), told("8 btc!", NOW + MINUTE)])[-1].value == 1.0
    assert tone.add([told("8 BTC", NOW + HOUR)]) == []


def test_texts_out_of_order_are_refused() -> None:
    tone = NewsTone(Words(), [])
    tone.add([told("8", NOW)])
    with pytest.raises(DataError, match=r"a text of 2024-06-03T11:00:00\S* came after"):
        tone.add([told("7", NOW - HOUR)])


def test_a_score_that_is_no_number_of_the_scale_is_refused() -> None:
    for value in (1.1, -1.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="a score was"):
            Score(value)


text_lists = st.lists(
    st.tuples(
        st.integers(-10, 10),
        st.sampled_from(["", "BTC", "ETH", "BTC ETH"]),
        st.integers(0, 40),
        st.integers(0, 10),
    ),
    max_size=12,
).map(
    lambda rows: sorted(
        (
            told(f"{v} {s} #{i}", NOW + (hour - late) * HOUR, NOW + hour * HOUR)
            for i, (v, s, hour, late) in enumerate(rows)
        ),
        key=lambda text: text.ts_avail,
    )
)


@settings(max_examples=60, deadline=None)
@given(text_lists, st.integers(0, 45))
def test_cutting_the_future_off_changes_no_tone_of_the_past(stream: list[Text], cut: int) -> None:
    symbols = ["BTC/USDT", "ETH/USDT"]
    limit = NOW + cut * HOUR
    whole = NewsTone(Words(), symbols).add(stream)
    early = NewsTone(Words(), symbols).add([t for t in stream if t.ts_avail <= limit])
    assert early == [record for record in whole if record.ts_avail <= limit]


@settings(max_examples=60, deadline=None)
@given(text_lists)
def test_the_tone_is_what_its_definition_says(stream: list[Text]) -> None:
    found = NewsTone(Words(), ["BTC/USDT"], half_life_ns=6 * HOUR).add(stream)
    for record in found:
        about = [
            (Words().score(t.title).value, 2.0 ** (-(record.ts_avail - t.ts_event) / (6 * HOUR)))
            for t in stream
            if t.ts_avail <= record.ts_avail
            and (record.symbol == "*" or "BTC" in t.title.split("#")[0])
        ]
        weight = sum(w for _, w in about)
        if record.series == COUNT:
            assert record.value == pytest.approx(weight)
        else:
            assert -1 <= record.value <= 1
            assert record.value == pytest.approx(sum(v * w for v, w in about) / weight, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(text_lists, st.lists(st.integers(0, 12), max_size=4))
def test_in_any_portions_the_tone_is_the_same(stream: list[Text], cuts: list[int]) -> None:
    whole = NewsTone(Words(), ["BTC/USDT"]).add(stream)
    tone, found = NewsTone(Words(), ["BTC/USDT"]), []
    instants = sorted({t.ts_avail for t in stream})
    edges = sorted({NOW + c * 4 * HOUR for c in cuts})
    for low, high in zip([0, *edges], [*edges, max([0, *instants]) + 1], strict=True):
        found += tone.add([t for t in stream if low <= t.ts_avail < high])
    assert found == whole


def test_the_runner_of_live_sources_runs_them() -> None:
    """The real runner, the real client, a real server that first refuses and then answers."""
    world = World(fear=[(NOW // SECOND - 86_400, "50")])
    world.faults.extend([says(503), says(503)])

    async def main() -> tuple[list[FeedRecord], SourceHealth]:
        async with served(world):
            clock = LiveClock()
            source = FearGreedSource(http=client(world, clock), clock=clock)
            quick = ReconnectPolicy(base_ns=MILLISECOND, cap_ns=MILLISECOND)
            runner = SourceRunner(
                source,
                clock=clock,
                rng=np.random.default_rng(1),
                policy=RunnerPolicy(reconnect=quick),
            )
            task = asyncio.create_task(runner.run())
            found: list[FeedRecord] = []
            async with asyncio.timeout(10):
                while not any(isinstance(one, Observation) for one in found):
                    await asyncio.sleep(0.001)
                    found.extend(await runner.collect())
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return found, runner.health()

    found, health = asyncio.run(main())
    assert [one.value for one in found if isinstance(one, Observation)] == [50.0]
    assert health.faults == {"http_503": 1}
    assert health.connections == 1
