"""RSS and Atom feeds: headlines as they are published.

Asked with the ETag and date of the last answer, a feed that has nothing new says so in a few bytes.
Feeds are written carelessly: an entry without a date counts from its receipt, broken XML is read as
far as it goes and counted, a page that is no feed at all is an error.
"""

from __future__ import annotations

import calendar
import io
from collections.abc import Sequence
from typing import Any

from mirrorcore.clock import DAY, MINUTE, SECOND, Clock
from mirrorcore.data_sources.answers import Answer, shown
from mirrorcore.data_sources.asked import AskedSource
from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceError, SourceSpec
from mirrorcore.data_sources.social.titles import SeenTitles, text_record
from mirrorcore.errors import UsageError
from mirrorcore.market.records import ALL_SYMBOLS, FeedRecord, Text

LICENCE = "Headline and link alone are kept; the text belongs to its publisher, see its terms."


class FeedSource(AskedSource):
    """Headlines of one feed; a PolledSource.

    Parameters
    ----------
    path: of the feed, below the client's base address.
    http: a client that follows redirects, for feeds move.
    titles: shared by several feeds, a headline told by all of them is brought once.
    """

    def __init__(
        self,
        path: str,
        *,
        http: HttpClient,
        clock: Clock,
        name: str,
        cadence_ns: int = 5 * MINUTE,
        stale_after_ns: int = DAY,
        titles: SeenTitles | None = None,
    ) -> None:
        self._parse = _parser()
        self._path, self._http, self._clock = path, http, clock
        self._titles = SeenTitles() if titles is None else titles
        self.broken = 0
        """Answers whose XML was broken and still had entries."""
        self.undated = 0
        """Entries without a date that could be read."""
        self.untitled = 0
        self.repeated = 0
        """Headlines that were told before, here or by a feed with the same memory."""
        super().__init__(
            SourceSpec(
                name=name,
                category="sentiment",
                kinds=("text",),
                symbols=(ALL_SYMBOLS,),
                cadence_ns=cadence_ns,
                stale_after_ns=stale_after_ns,
                sparse=True,
                units={"text": "headline"},
                licence=LICENCE,
                tested=True,
            ),
            http,
        )

    async def collect(self) -> Sequence[FeedRecord]:
        """Headlines not told before, by date of publication; available when received."""
        answer = await self._http.get(self._path, conditional=True)
        if answer.unchanged:
            return []
        entries = self._entries(answer)
        texts = [text for entry in entries if (text := self._text(entry, answer.received_ns))]
        fresh = [text for text in texts if not self._titles.again(text.title, text.ts_event)]
        self.repeated += len(texts) - len(fresh)
        self._http.remember(self._path, None, answer)
        return sorted(fresh, key=lambda text: text.ts_event)

    def _entries(self, answer: Answer) -> Sequence[dict[str, Any]]:
        if b"<!ENTITY" in answer.content:
            # No feed needs any, and entities within entities unfold a kilobyte to a gigabyte.
            raise SourceError(f"{answer.where}: the feed declares entities", case="malformed")
        # As a file: a text that looks like an address would be fetched.
        content_type = answer.headers.get("content-type", "")
        found = self._parse(
            io.BytesIO(answer.content), response_headers={"content-type": content_type}
        )
        entries: Sequence[dict[str, Any]] = found.entries
        if found.bozo and entries:
            self.broken += 1
        elif not entries and (found.bozo or not found.version):
            begins = shown(answer.content[:400].decode("utf-8", errors="replace"))
            raise SourceError(
                f"{answer.where}: this is neither RSS nor Atom ({begins})",
                hint="check the address of the feed",
                case="malformed",
            )
        return entries

    def _text(self, entry: dict[str, Any], now: int) -> Text | None:
        # Past the library's own `get`, which lends one date the other's name and warns of it.
        parsed = dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed")
        if parsed is None:
            self.undated += 1
        event = now if parsed is None else calendar.timegm(parsed) * SECOND
        link = entry.get("link") or entry.get("id") or ""
        text = text_record(
            source=self.name, title=entry.get("title") or "", url=link, event=event, now=now
        )
        if text is None:
            self.untitled += 1
        return text


def _parser() -> Any:
    try:
        import feedparser
    except ImportError:
        raise UsageError(
            "feeds need feedparser", hint="pip install mirrorcore-x[sources]"
        ) from None
    return feedparser.parse
