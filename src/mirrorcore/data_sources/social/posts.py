"""What sources of posts that list the newest first have in common."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorcore.clock import DAY
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceSpec
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, GapRecord, Text


class PostsSource(AskedSource):
    """Posts are told by their time; where more came than can be listed, a gap is told first.

    Parameters
    ----------
    most: posts that can be listed in one asking.
    text: what one text is, as people call it.
    """

    def __init__(
        self, *clients: HttpClient, name: str, cadence_ns: int, licence: str, text: str, most: int
    ) -> None:
        spec = SourceSpec(
            name=name,
            category="sentiment",
            kinds=("text", "gap"),
            symbols=(ALL_SYMBOLS,),
            cadence_ns=cadence_ns,
            stale_after_ns=DAY,
            sparse=True,
            units={"text": text},
            licence=licence,
            tested=True,
        )
        super().__init__(spec, *clients)
        self._most = most
        self._newest = 0

    def _in_order(self, posts: Sequence[Text], *, more: bool, now: int) -> list[FeedRecord]:
        """New posts by their time; ``more`` came than were listed, since the newest told before."""
        records: list[FeedRecord] = []
        if more and posts:
            records.append(self._gap(min(post.ts_event for post in posts), now))
        records.extend(sorted(posts, key=lambda post: post.ts_event))
        self._newest = max([self._newest, *(post.ts_event for post in posts)])
        return records

    def _gap(self, end: int, now: int) -> GapRecord:
        return GapRecord(
            source=self.name,
            symbol=ALL_SYMBOLS,
            ts_event=end,
            ts_recv=now,
            ts_avail=now,
            start=min(self._newest, end),
            end=end,
            reason=f"more than {self._most} posts since it was asked last",
        )
