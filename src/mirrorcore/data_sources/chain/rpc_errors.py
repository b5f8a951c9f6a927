"""What a node's refusals mean: asked for too much at once, too often, or for what it has not.

JSON-RPC leaves codes and words to the provider; the patterns are those of the large ones. An
address of a node often holds the key to it, so no message repeats more than the host.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from mirrorcore import clock
from mirrorcore.data_sources.live import SourceError

_TOO_OFTEN = re.compile(r"rate limit|too many requests|request count|throughput|capacity", re.I)
_TOO_MUCH = re.compile(
    r"range|more than \d+ (results|logs)|(response|result|log)s?( size)? (is )?too (large|big)"
    r"|exceed|limit(ed)? to|too many (logs|results|blocks)|query timeout",
    re.I,
)
_NO_STATE = re.compile(
    r"missing trie node|historical|pruned|archive|state .*not (available|found)", re.I
)
_NO_KEY = re.compile(r"api.?key|unauthori[sz]ed|forbidden|project id|must be authenticated", re.I)

_METHOD_NOT_FOUND = -32601
_TOO_MANY_REQUESTS = 429
_REFUSED = (401, 403)


class RangeTooLargeError(SourceError):
    """The node will not answer for so many blocks at once; fewer may do."""


class StateUnavailableError(SourceError):
    """The node no longer holds the state of an old block; only an archive does."""


class MovedError(Exception):
    """The chain changed between two questions: what was read belongs to no single chain."""


def from_answer(host: str, method: str, code: int, message: str) -> SourceError:
    """The exception for an error that came inside a JSON-RPC answer."""
    said = f"{host} refused {method}: {message.strip()[:200]} (code {code})"
    if _TOO_OFTEN.search(message) or code == _TOO_MANY_REQUESTS:
        return SourceError(said, hint="ask less often, or of a node with a larger allowance")
    if _NO_STATE.search(message):
        return StateUnavailableError(said)
    if method == "eth_getLogs" and _TOO_MUCH.search(message):
        return RangeTooLargeError(said)
    if _NO_KEY.search(message):
        return SourceError(said, hint="check the key in the node's address", permanent=True)
    if code == _METHOD_NOT_FOUND:
        return SourceError(
            said, hint="a node that serves the eth_ methods is needed", permanent=True
        )
    return SourceError(said)


def from_status(host: str, status: int, retry_after: str, now: int) -> SourceError:
    """The exception for an HTTP status, with the wait its server asked for."""
    said = f"{host} answered HTTP {status}"
    if status in _REFUSED:
        return SourceError(said, hint="check the key in the node's address", permanent=True)
    return SourceError(said, retry_after_ns=retry_after_ns(retry_after, now))


def retry_after_ns(text: str, now: int) -> int:
    """A Retry-After header, seconds or an HTTP date, as ns from ``now``; 0 for none."""
    text = text.strip()
    if text.isdecimal():
        return int(text) * clock.SECOND
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0
    return max(0, round(until.timestamp()) * clock.SECOND - now)
