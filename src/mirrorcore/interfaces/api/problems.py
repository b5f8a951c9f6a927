"""What goes wrong, as RFC 9457 has it: one JSON form for every error of every address."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818  # the name RFC 9457 has for it
    """An answer that says what is wrong; raised anywhere below a route.

    ``more`` are further members of the document, as ``confirm`` or ``outcome``.
    """

    status: int
    code: str
    detail: str
    hint: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "type": f"urn:mirrorcore:error:{self.code}",
            "title": _title(self.status),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **({"hint": self.hint} if self.hint else {}),
            **self.more,
        }

    def body(self) -> bytes:
        return encode(self.document())


def encode(document: Any) -> bytes:
    """Compact JSON in UTF-8; figures that do not exist are null.

    ``<``, ``>`` and ``&`` are escaped, so that no document can be taken for a page.
    """
    text = json.dumps(_plain(document), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character, escaped in _ESCAPED:
        text = text.replace(character, escaped)
    # A lone surrogate has no UTF-8; whoever sent it gets a question mark back.
    return text.encode("utf-8", "replace")


_ESCAPED = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return _plain(value.tolist())
    return str(value)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def too_often(wait: float, what: str) -> Problem:
    """429, with when to come back."""
    seconds = max(1, math.ceil(wait))
    return Problem(
        429,
        "rate_limited",
        f"too many {what}",
        hint=f"try again in {seconds} s; a stop is never limited",
        more={"retry_after": seconds},
        headers={"Retry-After": str(seconds)},
    )
