"""The services that are asked over HTTP: what each brings, on what terms, and how it is opened.

One entry a service, so that the documentation, the command line and a configuration say the same.
Keys are named by the environment variable that holds them; whoever has none is told which one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from mirrorcore.clock import Clock
from mirrorcore.data_sources.fundamental.json_mapping import JsonSeries
from mirrorcore.data_sources.fundamental.json_source import JsonSource
from mirrorcore.data_sources.http import USER_AGENT, HttpClient
from mirrorcore.data_sources.http_policy import MEBIBYTE, HttpPolicy
from mirrorcore.data_sources.live import PolledSource
from mirrorcore.data_sources.macro import ecb, fred
from mirrorcore.data_sources.running.rate_limits import RateLimits
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.social import fear_greed, feed, reddit, x
from mirrorcore.errors import UsageError
from mirrorcore.market.records import Category

FEED_PER_MINUTE = 10
FEED_POLICY = HttpPolicy(max_bytes=2 * MEBIBYTE)
"""A feed is read within one call: a larger one would hold up everybody else."""
JSON_PER_MINUTE = 30
FRED_SERIES = (
    fred.FredSeries("CPIAUCSL", "macro.us_cpi", "index 1982-84=100"),
    fred.FredSeries("UNRATE", "macro.us_unemployment", "percent"),
    fred.FredSeries("DFF", "macro.us_fed_funds", "percent per year"),
    fred.FredSeries("DGS10", "macro.us_10y", "percent per year"),
    fred.FredSeries("T10Y2Y", "macro.us_10y_2y", "percentage points"),
    fred.FredSeries("VIXCLS", "macro.vix", "index points"),
    fred.FredSeries("DTWEXBGS", "macro.us_dollar", "index January 2006=100"),
)
"""Prices, work, short and long rates, their spread, fear of stocks, the dollar."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What every service needs to be opened.

    Parameters
    ----------
    environment: where keys are looked up.
    limits: shared by everything in the process that asks the same hosts.
    base_url: in place of the service's own: a mirror, or a server of a test.
    """

    clock: Clock
    environment: Mapping[str, str]
    limits: RateLimits
    base_url: str = ""

    def client(
        self,
        url: str,
        per_minute: float,
        *secrets: Secret,
        agent: str = USER_AGENT,
        follow: bool = False,
        policy: HttpPolicy | None = None,
    ) -> HttpClient:
        """A client of ``url``, or of ``base_url`` in its place, under the limit of its host and
        of the first of its keys."""
        base = self.base_url or url
        host = urlsplit(base).netloc
        account = secrets[0].name if secrets else ""
        # A quarter of a minute's requests at once, and no more than the rate after that.
        limit = self.limits.bucket(
            host, account, capacity=max(1.0, per_minute / 4), per_second=per_minute / 60
        )
        return HttpClient(
            base,
            clock=self.clock,
            user_agent=agent,
            secrets=secrets,
            limit=limit,
            follow=follow,
            policy=policy,
        )

    def secret(self, variable: str) -> Secret:
        return Secret.from_environment(variable, self.environment)


def _fred(
    opening: Opening,
    *,
    series: Sequence[fred.FredSeries] = FRED_SERIES,
    key: str = "FRED_API_KEY",
    name: str = "fred",
) -> PolledSource:
    secret = opening.secret(key)
    http = opening.client(fred.BASE_URL, fred.PER_MINUTE, secret)
    return fred.FredSource(series, http=http, key=secret, clock=opening.clock, name=name)


def _ecb(
    opening: Opening, *, currencies: Sequence[str] = ("USD", "JPY", "GBP"), name: str = "ecb"
) -> PolledSource:
    http = opening.client(ecb.BASE_URL, ecb.PER_MINUTE)
    return ecb.EcbSource(currencies, http=http, clock=opening.clock, name=name)


def _fear_greed(opening: Opening, *, name: str = "fear_greed") -> PolledSource:
    http = opening.client(fear_greed.BASE_URL, fear_greed.PER_MINUTE)
    return fear_greed.FearGreedSource(http=http, clock=opening.clock, name=name)


def _parts_of(url: str) -> SplitResult:
    """The parts of a whole address; UsageError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address", hint="write https://host/path")
    return parts


def _feed(opening: Opening, *, url: str, name: str = "") -> PolledSource:
    parts = _parts_of(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    http = opening.client(
        f"{parts.scheme}://{parts.netloc}", FEED_PER_MINUTE, follow=True, policy=FEED_POLICY
    )
    return feed.FeedSource(path, http=http, clock=opening.clock, name=name or parts.netloc)


def _reddit(
    opening: Opening,
    *,
    subreddit: str,
    user_agent: str,
    client: str = "REDDIT_CLIENT_ID",
    secret: str = "REDDIT_CLIENT_SECRET",
    name: str = "reddit",
) -> PolledSource:
    identity, password = opening.secret(client), opening.secret(secret)
    authority = opening.client(
        reddit.AUTHORITY_URL, reddit.PER_MINUTE, identity, password, agent=user_agent
    )
    http = opening.client(reddit.BASE_URL, reddit.PER_MINUTE, identity, agent=user_agent)
    return reddit.RedditSource(
        subreddit,
        authority=authority,
        http=http,
        client=identity,
        secret=password,
        clock=opening.clock,
        name=name,
    )


def _x(
    opening: Opening, *, query: str, token: str = "X_BEARER_TOKEN", name: str = "x"
) -> PolledSource:
    secret = opening.secret(token)
    http = opening.client(x.BASE_URL, x.PER_MINUTE, secret)
    return x.XSource(query, http=http, token=secret, clock=opening.clock, name=name)


def _json(
    opening: Opening,
    *,
    url: str,
    name: str,
    series: Sequence[JsonSeries],
    params: Mapping[str, str] | None = None,
    key: str = "",
    key_parameter: str = "",
    key_header: str = "",
    licence: str = "",
) -> PolledSource:
    if bool(key) != bool(key_parameter or key_header):
        raise UsageError(
            f"{name}: a key needs a place to be sent in, and a place a key",
            hint="give key together with key_parameter or key_header",
        )
    secrets = [opening.secret(key)] if key else []
    parts = _parts_of(url)
    http = opening.client(f"{parts.scheme}://{parts.netloc}", JSON_PER_MINUTE, *secrets)
    return JsonSource(
        parts.path,
        series,
        http=http,
        clock=opening.clock,
        name=name,
        params={**dict(parse_qsl(parts.query)), **(params or {})},
        keys={key_parameter: secrets[0]} if key_parameter else None,
        headers={key_header: secrets[0]} if key_header else None,
        licence=licence,
    )


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    Parameters
    ----------
    brings: what it brings, in a few words with its unit.
    request: what is asked.
    keys: environment variables that hold its keys.
    tried: how its protocol was tried.
    """

    name: str
    category: Category
    brings: str
    request: str
    per_minute: float
    licence: str
    open: Callable[..., PolledSource]
    keys: tuple[str, ...] = ()
    tried: str = "local server of the documented shape"


SERVICES = (
    Service(
        "fred",
        "macro",
        "figures of the United States with every vintage; units by series",
        f"GET {fred.BASE_URL}/fred/series/observations",
        fred.PER_MINUTE,
        fred.LICENCE,
        _fred,
        ("FRED_API_KEY",),
    ),
    Service(
        "ecb",
        "macro",
        "euro reference rates, in units of the currency for one euro",
        f"GET {ecb.BASE_URL}/service/data/EXR/D.USD+JPY.EUR.SP00.A",
        ecb.PER_MINUTE,
        ecb.LICENCE,
        _ecb,
    ),
    Service(
        "fear_greed",
        "sentiment",
        "index of the crowd's mood, 0 fear to 100 greed",
        f"GET {fear_greed.BASE_URL}/fng/",
        fear_greed.PER_MINUTE,
        fear_greed.LICENCE,
        _fear_greed,
    ),
    Service(
        "feed",
        "sentiment",
        "headlines of an RSS or Atom feed",
        "GET the feed, with ETag and If-Modified-Since",
        FEED_PER_MINUTE,
        feed.LICENCE,
        _feed,
    ),
    Service(
        "reddit",
        "sentiment",
        "titles of new posts of a subreddit",
        f"GET {reddit.BASE_URL}/r/SUBREDDIT/new",
        reddit.PER_MINUTE,
        reddit.LICENCE,
        _reddit,
        ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"),
    ),
    Service(
        "x",
        "sentiment",
        "recent posts that match a query",
        f"GET {x.BASE_URL}/2/tweets/search/recent",
        x.PER_MINUTE,
        x.LICENCE,
        _x,
        ("X_BEARER_TOKEN",),
    ),
    Service(
        "json",
        "fundamental",
        "supply, hash rate, addresses, fees and the like, by a declared mapping",
        "GET any address that answers with JSON",
        JSON_PER_MINUTE,
        "as of the service asked",
        _json,
    ),
)


def open_service(
    name: str, opening: Opening, options: Mapping[str, Any] | None = None
) -> PolledSource:
    """A service by its name.

    Raises
    ------
    UsageError
        for a name that is none, an option it does not have or misses, or a key that is not set.
    """
    service = next((one for one in SERVICES if one.name == name), None)
    if service is None:
        known = ", ".join(one.name for one in SERVICES)
        raise UsageError(f"there is no service {name!r}", hint=f"there are {known}")
    given = dict(options or {})
    accepted = {
        key: parameter
        for key, parameter in inspect.signature(service.open).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    unknown = [key for key in given if key not in accepted]
    missing = [
        key
        for key, parameter in accepted.items()
        if parameter.default is inspect.Parameter.empty and key not in given
    ]
    if unknown or missing:
        wrong = [f"has no option {key}" for key in unknown] + [f"needs {key}" for key in missing]
        raise UsageError(
            f"{name} {' and '.join(wrong)}",
            hint=f"its options are {', '.join(accepted)}" if accepted else "it has no options",
        )
    return service.open(opening, **given)
