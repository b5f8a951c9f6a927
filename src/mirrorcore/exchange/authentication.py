"""Who asks, and whether they may: keys, HMAC signatures and the window of time they hold in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mirrorcore.exchange.accounts import Account
from mirrorcore.exchange.config import Client
from mirrorcore.exchange.query import Query
from mirrorcore.exchange.refusals import (
    RefusalError,
    ahead_of_time,
    bad_api_key,
    bad_signature,
    missing,
    outside_window,
)

DEFAULT_WINDOW_MS = 5_000
LONGEST_WINDOW_MS = 60_000
AHEAD_MS = 1_000
"""How far a request's time may be ahead of the server's."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers and what is claimed: ``payload`` is the text that was signed."""

    key: str | None
    payload: str
    signature: str | None


class Keyring:
    """The keys that are known, each with its account."""

    def __init__(self, clients: Sequence[tuple[Client, Account]]) -> None:
        self._known = {client.key: (client.secret.encode(), account) for client, account in clients}

    def authenticated(self, signed: Signed, query: Query, shown_ms: int) -> Account:
        """The account that signed a request, checked at the time the server shows.

        Raises
        ------
        RefusalError
            -2014 and -2015 for the key, -1102 for what is missing, -1131 and -1021 for the time,
            -1022 for the signature.
        """
        secret, account = self._of(signed.key)
        _check_time(query, shown_ms)
        if signed.signature is None:
            raise missing("signature")
        expected = hmac.new(secret, signed.payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signed.signature.lower().encode()):
            raise bad_signature()
        return account

    def _of(self, key: str | None) -> tuple[bytes, Account]:
        if not key:
            raise RefusalError(-2014, "API-key format invalid.", status=401)
        found = self._known.get(key)
        if found is None:
            raise bad_api_key()
        return found


def _check_time(query: Query, shown_ms: int) -> None:
    timestamp = query.integer("timestamp")
    if timestamp is None:
        raise missing("timestamp")
    given = query.integer("recvWindow")
    window = DEFAULT_WINDOW_MS if given is None else given
    if window > LONGEST_WINDOW_MS:
        raise RefusalError(-1131, "recvWindow must be less than 60000.")
    if timestamp >= shown_ms + AHEAD_MS:
        raise ahead_of_time()
    if shown_ms - timestamp > window:
        raise outside_window()


def of_http(key: str | None, raw_query: str, body: str) -> Signed:
    """A request over HTTP: query text and body as they came, without the signature itself."""
    kept: list[str] = []
    signature = None
    for text in (raw_query, body):
        parts = text.split("&") if text else []
        kept.append("&".join(part for part in parts if not part.startswith("signature=")))
        for part in parts:
            if part.startswith("signature="):
                signature = part.removeprefix("signature=")
    return Signed(key, "".join(kept), signature)


def of_socket(parameters: Mapping[str, str]) -> Signed:
    """A request over WebSocket: all parameters but the signature, sorted by name."""
    payload = "&".join(
        f"{name}={parameters[name]}" for name in sorted(parameters) if name != "signature"
    )
    return Signed(parameters.get("apiKey"), payload, parameters.get("signature"))
