"""What a server answered, and whether that is what was asked for.

Services answer an error with status 200, a page of a portal in place of JSON, or half a body. What
is not plainly the data asked for is an error here, so that nobody takes it for an empty market.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.live import SourceError

_SHOWN = 120


class HttpError(SourceError):
    """An answer that says no; ``status`` is its HTTP status, ``body`` what it said."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str = "",
        hint: str = "",
        permanent: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, permanent=permanent, case=f"http_{status}")
        self.status = status
        self.body = body


class TransientError(SourceError):
    """A failure that the next try may not meet: a time-out, a lost connection, a busy server."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer with status 200, or 304 where nothing has changed since.

    Parameters
    ----------
    where: method, host and path, without parameters: what an error message may show.
    received_ns: when it was complete, by our clock.
    """

    where: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    received_ns: int

    @property
    def unchanged(self) -> bool:
        """The server says that nothing is new; ``content`` is empty."""
        return self.status == 304

    def text(self) -> str:
        """The body as text, where it is not a web page; SourceError otherwise."""
        text = self.content.decode("utf-8-sig", errors="replace")
        if is_page(text, self.headers.get("content-type", "")):
            raise SourceError(
                f"{self.where}: a web page came instead of data ({shown(text)})",
                hint="the service may be down or behind a portal; it is tried again",
                case="error_body",
            )
        return text

    def json(self, *, exact: bool = False) -> Any:
        """The body as JSON, where it is no error in disguise; SourceError otherwise.

        With ``exact`` numbers with a point are ``Decimal``: amounts never pass through a float.
        """
        text = self.text()
        try:
            body = json.loads(text, parse_float=Decimal if exact else None)
        except ValueError as error:
            raise SourceError(
                f"{self.where}: the answer is no JSON, it may be cut off ({shown(text)})",
                case="malformed",
            ) from error
        reason = error_in(body)
        if reason:
            raise SourceError(
                f"{self.where}: the service answered with an error: {shown(reason)}",
                case="error_body",
            )
        return body


def is_page(text: str, content_type: str) -> bool:
    """Whether this is HTML, by what is said of it or by how it begins."""
    start = text.lstrip()[:64].lower()
    return content_type.startswith("text/html") or start.startswith(("<!doctype html", "<html"))


def shown(text: str) -> str:
    """The beginning of a text on one line, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def error_in(body: object) -> str:
    """The reason given by an error body that came with status 200; empty where there is none.

    Known are ``{"status": "0", "result": reason}``, ``{"error": …}``, ``{"error_message": …}``,
    ``{"metadata": {"error": …}}`` and ``{"errors": […]}`` without ``data``.
    """
    if not isinstance(body, dict):
        return ""
    if str(body.get("status")) == "0" and "result" in body and "message" in body:
        return f"{body['message']}: {body['result']}"
    metadata = body.get("metadata")
    inner = metadata.get("error") if isinstance(metadata, dict) else None
    for found in (body.get("error_message"), body.get("error"), inner):
        if found:
            return found if isinstance(found, str) else json.dumps(found, default=str)
    errors = body.get("errors")
    return json.dumps(errors, default=str) if errors and "data" not in body else ""


def retry_after_ns(headers: Mapping[str, str], now: int) -> int:
    """How long the server asks us to wait, ns; 0 where it does not say.

    ``Retry-After`` is seconds or a date, which is measured against the server's own ``Date``, for
    our clocks may differ. ``X-Rate-Limit-Reset`` is an instant in epoch seconds.
    """
    said = headers.get("retry-after", "").strip()
    if said:
        if said.replace(".", "", 1).isdigit():
            return round(float(said) * SECOND)
        until = _date_ns(said)
        if until is not None:
            since = _date_ns(headers.get("date", ""))
            return max(0, until - (now if since is None else since))
    reset = headers.get("x-rate-limit-reset", "").strip()
    return max(0, int(reset) * SECOND - now) if reset.isdigit() else 0


def _date_ns(text: str) -> int | None:
    try:
        return round(parsedate_to_datetime(text).timestamp()) * SECOND
    except (TypeError, ValueError):
        return None
