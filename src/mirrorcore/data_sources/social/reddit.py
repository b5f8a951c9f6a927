"""New posts of a subreddit. Off by default: it needs a client of one's own, and commercial use
needs a contract. Untested against the real service; tried against a local server of the documented
shape.

A token is got with the client's id and secret (OAuth2 client credentials) and renewed when it runs
out. ``GET r/SUB/new?limit=100`` lists the newest first. Paging with ``before`` is not used: it
answers with nothing for ever once the post it names was deleted.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.clock import MINUTE, SECOND, Clock
from mirrorcore.data_sources.answers import Answer, HttpError
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.social.posts import PostsSource
from mirrorcore.data_sources.social.titles import text_record
from mirrorcore.data_sources.values import value_of
from mirrorcore.market.records import FeedRecord, Text

AUTHORITY_URL = "https://www.reddit.com"
BASE_URL = "https://oauth.reddit.com"
PER_MINUTE = 100
LICENCE = "Reddit Data API Terms: commercial use needs a contract; deleted posts must be deleted."
_PAGE, _PAGES = 100, 3
_KEPT = 4096
_RENEW_BEFORE = MINUTE


class RedditSource(PostsSource):
    """Titles of new posts; a PolledSource.

    Parameters
    ----------
    authority, http: clients of ``AUTHORITY_URL`` and ``BASE_URL``, both with a user agent that is
        this program's and its user's own: common ones are refused.
    client, secret: of the registered application.
    """

    def __init__(
        self,
        subreddit: str,
        *,
        authority: HttpClient,
        http: HttpClient,
        client: Secret,
        secret: Secret,
        clock: Clock,
        name: str = "reddit",
        cadence_ns: int = 2 * MINUTE,
    ) -> None:
        self._subreddit = subreddit
        self._authority, self._http, self._clock = authority, http, clock
        pair = base64.b64encode(f"{client.reveal()}:{secret.reveal()}".encode()).decode()
        self._basic = Secret(f"{secret.name} as sent", f"Basic {pair}")
        for hidden in (secret, self._basic):
            authority.hide(hidden)
        self._token: Secret | None = None
        self._expires = 0
        self._told: OrderedDict[str, None] = OrderedDict()
        super().__init__(
            authority,
            http,
            name=name,
            cadence_ns=cadence_ns,
            licence=LICENCE,
            text="title of a post",
            most=_PAGE * _PAGES,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """Posts not told before, by their time; a gap where more came than can be listed."""
        posts: dict[str, Mapping[str, Any]] = {}
        after, met = "", not self._told
        for _ in range(_PAGES if self._told else 1):
            page, after = await self._page(after)
            met = met or any(post["id"] in self._told for post in page)
            posts.update((post["id"], post) for post in page)
            if met or not after:
                break
        now = self._clock.now()
        texts = [text for post in posts.values() if (text := self._text(post, now))]
        for identity in reversed(list(posts)):
            self._told[identity] = None
            self._told.move_to_end(identity)
            if len(self._told) > _KEPT:
                self._told.popitem(last=False)
        return self._in_order(texts, more=not met and bool(after), now=now)

    def _text(self, post: Mapping[str, Any], now: int) -> Text | None:
        if post["id"] in self._told:
            return None
        where = f"{self.name}: post {post['id']}"
        created = value_of(post.get("created_utc"), where)
        return text_record(
            source=self.name,
            title=str(post.get("title") or ""),
            url=f"https://www.reddit.com{post.get('permalink') or ''}",
            event=now if created is None else round(created * SECOND),
            now=now,
        )

    async def _page(self, after: str) -> tuple[list[Mapping[str, Any]], str]:
        params = {"limit": str(_PAGE), "raw_json": "1"}
        if after:
            params["after"] = after
        answer = await self._listed(params)
        self._heed(answer)
        body = answer.json()
        data = body.get("data") if isinstance(body, dict) else None
        children = data.get("children") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(children, list):
            raise SourceError(f"{answer.where}: the answer is no listing")
        posts = [child.get("data") for child in children if isinstance(child, dict)]
        found: list[Mapping[str, Any]] = [
            post for post in posts if isinstance(post, dict) and post.get("id")
        ]
        return found, str(data.get("after") or "")

    async def _listed(self, params: Mapping[str, str]) -> Answer:
        path = f"/r/{self._subreddit}/new"
        try:
            return await self._http.get(
                path, params, headers={"Authorization": await self._bearer()}
            )
        except HttpError as error:
            if error.status != 401:
                raise
        # Withdrawn before its time: one new token, and its refusal counts.
        self._token = None
        return await self._http.get(path, params, headers={"Authorization": await self._bearer()})

    async def _bearer(self) -> Secret:
        now = self._clock.now()
        if self._token is not None and now < self._expires - _RENEW_BEFORE:
            return self._token
        answer = await self._authority.post(
            "/api/v1/access_token",
            form={"grant_type": "client_credentials"},
            headers={"Authorization": self._basic},
        )
        body = answer.json()
        if not isinstance(body, dict) or not body.get("access_token"):
            raise SourceError(f"{answer.where}: the answer has no token")
        token = str(body["access_token"])
        self._http.hide(Secret("REDDIT_TOKEN", token))
        self._token = Secret("REDDIT_TOKEN", f"bearer {token}")
        self._expires = now + int(value_of(body.get("expires_in"), answer.where) or 0) * SECOND
        return self._token

    def _heed(self, answer: Answer) -> None:
        """Wait for the next period where this one is used up, before the service has to refuse."""
        left = value_of(answer.headers.get("x-ratelimit-remaining"), answer.where)
        reset = value_of(answer.headers.get("x-ratelimit-reset"), answer.where)
        if left is not None and left < 1 and reset:
            self._http.pause(round(reset * SECOND))
