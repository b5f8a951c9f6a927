"""Recent posts of X that match a query. Off by default: it needs a paid token. Untested against the
real service; tried against a local server of the documented shape.

``GET 2/tweets/search/recent`` with a bearer token lists the newest first, at most seven days back;
``since_id`` asks for what came after the last post seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirrorcore.clock import MINUTE, Clock
from mirrorcore.data_sources.answers import Answer, HttpError
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.secret import Secret
from mirrorcore.data_sources.social.posts import PostsSource
from mirrorcore.data_sources.social.titles import text_record
from mirrorcore.data_sources.values import instant_of
from mirrorcore.market.records import FeedRecord, Text

BASE_URL = "https://api.x.com"
PER_MINUTE = 4
"""60 requests in 15 minutes, the least that a paid plan has."""
LICENCE = "X Developer Agreement: posts deleted there must be deleted; link to the post when shown."
_PATH = "/2/tweets/search/recent"
_PAGE, _PAGES = 100, 5


class XSource(PostsSource):
    """Posts that match ``query``; a PolledSource.

    Parameters
    ----------
    query: in the service's own language, as ``(bitcoin OR $BTC) lang:en -is:retweet``.
    http: a client of ``BASE_URL`` that knows ``token`` as a secret.
    """

    def __init__(
        self,
        query: str,
        *,
        http: HttpClient,
        token: Secret,
        clock: Clock,
        name: str = "x",
        cadence_ns: int = 5 * MINUTE,
    ) -> None:
        self._query, self._http, self._clock = query, http, clock
        self._bearer = Secret(token.name, f"Bearer {token.reveal()}")
        self._since = ""
        super().__init__(
            http,
            name=name,
            cadence_ns=cadence_ns,
            licence=LICENCE,
            text="post",
            most=_PAGE * _PAGES,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """Posts since the last one seen, by their time; a gap where more came than is read."""
        first = not self._since
        posts: list[Text] = []
        newest, more = "", ""
        for _ in range(1 if first else _PAGES):
            answer = await self._page(more)
            body = answer.json()
            meta = body.get("meta") if isinstance(body, dict) else None
            if not isinstance(meta, dict):
                raise SourceError(f"{answer.where}: the answer has no meta")
            newest = newest or str(meta.get("newest_id") or "")
            posts.extend(self._texts(body.get("data") or [], answer))
            more = str(meta.get("next_token") or "")
            if not more:
                break
        self._since = newest or self._since
        return self._in_order(posts, more=bool(more) and not first, now=answer.received_ns)

    async def _page(self, more: str) -> Answer:
        params = {
            "query": self._query,
            "max_results": str(_PAGE),
            "tweet.fields": "created_at",
        }
        if more:
            params["next_token"] = more
        if self._since:
            params["since_id"] = self._since
        headers = {"Authorization": self._bearer}
        try:
            return await self._http.get(_PATH, params, headers=headers)
        except HttpError as error:
            # A post older than a week is no start any more: what is there is read from its newest.
            if error.status != 400 or "since_id" not in error.body or not self._since or more:
                raise
        del params["since_id"]
        return await self._http.get(_PATH, params, headers=headers)

    def _texts(self, data: Sequence[Mapping[str, Any]], answer: Answer) -> list[Text]:
        found = []
        for post in data:
            identity = str(post.get("id") or "")
            text = text_record(
                source=self.name,
                title=str(post.get("text") or ""),
                url=f"https://x.com/i/web/status/{identity}",
                event=instant_of(post.get("created_at"), f"{answer.where}: post {identity}"),
                now=answer.received_ns,
            )
            if text is not None:
                found.append(text)
        return found
