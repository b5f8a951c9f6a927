"""One small HTTP client for every source that is asked: limits, retries, redaction, once.

Each try waits its turn at the limit of its host, has a deadline for the whole answer and a largest
size. What is transient is tried again, after what the server asks for; longer waits are handed on
to whoever runs the source. No message and no log line shows a key.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mirrorcore.clock import SECOND, Clock
from mirrorcore.data_sources.answers import (
    Answer,
    HttpError,
    TransientError,
    retry_after_ns,
    shown,
)
from mirrorcore.data_sources.http_policy import HttpCounters, HttpPolicy, Limit
from mirrorcore.data_sources.live import SourceError
from mirrorcore.data_sources.secret import HideSecrets, Secret, redacted
from mirrorcore.errors import UsageError

if TYPE_CHECKING:
    import httpx

__all__ = ["USER_AGENT", "HttpClient", "HttpCounters", "HttpPolicy", "Limit"]

USER_AGENT = "mirrorcore-x/0.1 (trading research; one request at a time)"
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_VALIDATORS_KEPT = 256
_UNREACHED = "check the connection, and the address where you gave one, and try again"


class HttpClient:
    """Requests to one service.

    Parameters
    ----------
    base_url: as ``https://api.example.org/v1``; a test or a mirror gives its own.
    clock: says when an answer was received.
    secrets: keys that may never be shown; they are sent where a request names them.
    limit: shared with everybody who uses the same host and account.
    follow: follows up to five redirects, as feeds move. Not together with secrets, which would
        travel to wherever the server points.

    Raises
    ------
    UsageError
        where httpx or stamina are not installed, or the arguments do not go together.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        user_agent: str = USER_AGENT,
        secrets: Sequence[Secret] = (),
        limit: Limit | None = None,
        policy: HttpPolicy | None = None,
        follow: bool = False,
    ) -> None:
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise UsageError(f"{base_url!r} is no address", hint="write https://host/path")
        if follow and secrets:
            raise UsageError("a client with keys follows no redirects", hint="leave out follow")
        self.base_url = base_url.rstrip("/")
        self.counters = HttpCounters()
        self.secrets = list(secrets)
        self._clock = clock
        self._agent = user_agent
        self._limit = limit
        self._policy = policy or HttpPolicy()
        self._follow = follow
        self._httpx, self._stamina = _libraries()
        self._client: httpx.AsyncClient | None = None
        self._validators: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._filter = HideSecrets(self.secrets)
        logging.getLogger("httpx").addFilter(self._filter)

    async def get(
        self,
        path: str = "",
        params: Mapping[str, str] | None = None,
        *,
        keys: Mapping[str, Secret] | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        conditional: bool = False,
        weight: float = 1.0,
    ) -> Answer:
        """GET ``base_url + path``.

        Parameters
        ----------
        keys: parameters whose values are secrets.
        headers: values may be secrets.
        conditional: asks for what has changed since the answer last given to :meth:`remember`.

        Raises
        ------
        SourceError
            for whatever is not an answer with status 200, or 304 where ``conditional``.
        """
        asked = dict(headers or {})
        if conditional:
            asked.update(self._validators.get(_key(path, params), {}))
        return await self._request("GET", path, params, keys or {}, asked, None, weight)

    async def post(
        self,
        path: str = "",
        *,
        form: Mapping[str, str],
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Answer:
        """POST a form; errors as of :meth:`get`."""
        return await self._request("POST", path, None, {}, headers or {}, form, 1.0)

    def remember(self, path: str, params: Mapping[str, str] | None, answer: Answer) -> None:
        """Take an answer as read: the next conditional request asks for what came after it.

        Called once the answer was understood. Earlier, a body that could not be read would be
        answered with *unchanged* from then on, and be lost.
        """
        known = {
            asked: answer.headers[given]
            for asked, given in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
            if answer.headers.get(given)
        }
        if known:
            self._validators[_key(path, params)] = known
            self._validators.move_to_end(_key(path, params))
            if len(self._validators) > _VALIDATORS_KEPT:
                self._validators.popitem(last=False)

    def hide(self, secret: Secret) -> None:
        """Show this one no more than the others: a token just given, in place of the last one."""
        self.secrets[:] = [one for one in self.secrets if one.name != secret.name] + [secret]

    def pause(self, duration_ns: int) -> None:
        """Let nobody with this limit ask for so long: the service said how much is left."""
        if self._limit is not None:
            self._limit.close_for(duration_ns)

    async def aclose(self) -> None:
        """Close connections; the client is not used again."""
        logging.getLogger("httpx").removeFilter(self._filter)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        keys: Mapping[str, Secret],
        headers: Mapping[str, str | Secret],
        form: Mapping[str, str] | None,
        weight: float,
    ) -> Answer:
        policy = self._policy
        sent: dict[str, Any] = {
            "params": {**(params or {}), **{n: k.reveal() for n, k in keys.items()}} or None,
            "headers": {n: v.reveal() if isinstance(v, Secret) else v for n, v in headers.items()},
        }
        if form is not None:
            sent["data"] = dict(form)
        url = self.base_url + path
        where = f"{method} {urlsplit(url).netloc}{urlsplit(url).path}"
        tries = self._stamina.retry_context(
            on=self._wait,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.first_wait_ns / SECOND,
            wait_max=policy.longest_wait_ns / SECOND,
            wait_jitter=0,
        )
        answer: Answer | None = None
        async for attempt in tries:
            with attempt:
                if attempt.num > 1:
                    self.counters.retries += 1
                if self._limit is not None:
                    await self._limit.take(weight)
                answer = await self._once(method, url, where, sent)
        if answer is None:
            raise AssertionError("a request ends with an answer or an error")
        return answer

    def _wait(self, error: Exception) -> bool | float:
        """Whether to try again, and after how many seconds where the server said so."""
        if not isinstance(error, TransientError):
            return False
        asked = error.retry_after_ns
        return asked <= self._policy.patience_ns and (asked / SECOND if asked else True)

    async def _once(self, method: str, url: str, where: str, sent: Mapping[str, Any]) -> Answer:
        self.counters.requests += 1
        try:
            async with asyncio.timeout(self._policy.timeout_ns / SECOND):
                return await self._exchange(method, url, where, sent)
        except TimeoutError:
            self.counters.failed("timeout")
            raise TransientError(
                f"{where}: no whole answer within {self._policy.timeout_ns / SECOND:g} s",
                hint=_UNREACHED,
                case="timeout",
            ) from None
        except self._httpx.HTTPError as error:
            self.counters.failed("connection")
            # The library's own message may show the address with its parameters.
            reason = redacted(str(error), self.secrets) or type(error).__name__
            raise TransientError(f"{where}: {shown(reason)}", hint=_UNREACHED) from None
        except self._httpx.InvalidURL as error:
            raise SourceError(f"{where}: {type(error).__name__}", permanent=True) from None

    async def _exchange(self, method: str, url: str, where: str, sent: Mapping[str, Any]) -> Answer:
        async with self._connected().stream(method, url, **sent) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            content = await self._read(response, where)
        status = response.status_code
        if status == 304:
            self.counters.unchanged += 1
        elif status != 200:
            raise self._refused(where, status, headers, content)
        return Answer(where, status, headers, content, self._clock.now())

    async def _read(self, response: httpx.Response, where: str) -> bytes:
        most, parts, size = self._policy.max_bytes, list[bytes](), 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > most:
                self.counters.failed("too large")
                raise SourceError(
                    f"{where}: the answer is larger than {most // 1024} KiB", case="too_large"
                )
            parts.append(part)
        return b"".join(parts)

    def _refused(
        self, where: str, status: int, headers: Mapping[str, str], content: bytes
    ) -> SourceError:
        self.counters.failed(str(status))
        body = redacted(content.decode("utf-8", errors="replace"), self.secrets)
        message = f"{where}: HTTP {status}" + (f" ({shown(body)})" if body.strip() else "")
        if status not in _BUSY and status < 500:
            hint = "check the key and what it may do" if status in (401, 403) else ""
            if 300 <= status < 400:
                hint = f"it has moved to {redacted(headers.get('location', '?'), self.secrets)}"
            return HttpError(message, status=status, body=body, hint=hint, permanent=True)
        wait = retry_after_ns(headers, self._clock.now())
        if wait and self._limit is not None:
            self._limit.close_for(wait)
        case = "rate_limited" if status == 429 else f"http_{status}"
        return TransientError(message, retry_after_ns=wait, case=case)

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._httpx.AsyncClient(
                headers={"User-Agent": self._agent},
                timeout=self._policy.timeout_ns / SECOND,
                follow_redirects=self._follow,
                max_redirects=5,
            )
        return self._client


def _key(path: str, params: Mapping[str, str] | None) -> str:
    return repr((path, sorted((params or {}).items())))


def _libraries() -> tuple[Any, ModuleType]:
    try:
        import httpx
        import stamina
    except ImportError as error:
        raise UsageError(
            f"sources that are asked over HTTP need {error.name}",
            hint="pip install mirrorcore-x[sources]",
        ) from None
    # Retries are counted here; without a handler Python would print each to standard error.
    logging.getLogger("stamina").addHandler(logging.NullHandler())
    return httpx, stamina
