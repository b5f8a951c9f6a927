"""Titles of news and posts: made plain, told apart, and nothing else of the text kept.

Publishers own their text. What is kept is the headline, its link and a hash; bodies, summaries and
authors are dropped where they arrive.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections import OrderedDict
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mirrorcore.market.records import ALL_SYMBOLS, Text
from mirrorcore.market.text_rules import SAME_WITHIN, normalised

_KEPT = 16_384
_LONGEST = 500
_TAG = re.compile(r"<[^<>]{0,500}>")
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|mc_[ce]id|ref|ref_src)$")


def plain(title: str) -> str:
    """One line without markup or control characters, at most 500 characters."""
    text = html.unescape(_TAG.sub(" ", title))
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(visible.split())[:_LONGEST].strip()


def clean_link(url: str) -> str:
    """A link without fragment and tracking parameters; empty for what is no web address."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    query = [(n, v) for n, v in parse_qsl(parts.query) if not _TRACKING.match(n)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


def text_record(*, source: str, title: str, url: str, event: int, now: int) -> Text | None:
    """A text received at ``now``; None where it has no title.

    ``digest`` is over the normalised title and the link: one text, however often it is told.
    """
    headline, link = plain(title), clean_link(url)
    if not normalised(headline):
        return None
    identity = f"{normalised(headline)}\n{link}".encode()
    return Text(
        source=source,
        symbol=ALL_SYMBOLS,
        ts_event=event,
        ts_recv=now,
        ts_avail=now,
        title=headline,
        url=link,
        digest=hashlib.blake2b(identity, digest_size=16).hexdigest(),
    )


class SeenTitles:
    """Which headlines were told lately; one memory may serve many feeds.

    Parameters
    ----------
    within_ns: for how long a title counts as told.
    kept: most titles remembered; the one met first is forgotten first.
    """

    def __init__(self, *, within_ns: int = SAME_WITHIN, kept: int = _KEPT) -> None:
        self._within, self._kept = within_ns, kept
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def again(self, title: str, when: int) -> bool:
        """Whether this headline was told within the time before or after ``when``, ns; from now on
        it was."""
        name = hashlib.blake2b(normalised(title).encode(), digest_size=16).digest()
        before = self._seen.get(name)
        if before is not None and abs(when - before) <= self._within:
            return True
        self._seen[name] = when
        self._seen.move_to_end(name)
        if len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return False
