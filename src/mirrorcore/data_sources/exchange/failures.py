"""CCXT's exceptions as ours: whether trying again can help, and what to do if not."""

from __future__ import annotations

from typing import Any

from mirrorcore.clock import SECOND
from mirrorcore.data_sources.live import SourceError

# (names of CCXT classes, case, permanent, hint), the more special first.
_CASES: tuple[tuple[tuple[str, ...], str, bool, str], ...] = (
    (("RateLimitExceeded", "DDoSProtection"), "rate_limited", False, ""),
    (("RequestTimeout",), "timeout", False, "check the network, and the address if you gave one"),
    (("OnMaintenance",), "maintenance", False, ""),
    (("ChecksumError",), "sequence", False, ""),
    (
        ("ExchangeNotAvailable", "NetworkError", "InvalidNonce"),
        "connection",
        False,
        "check the network, and the address if you gave one",
    ),
    (("BadSymbol",), "symbol", True, "name a symbol the venue lists, as BTC/USDT"),
    (("AuthenticationError", "PermissionDenied"), "key", True, "public data needs no key"),
    (("NotSupported",), "unsupported", True, "choose a venue that offers it"),
    (("BadResponse", "NullResponse"), "malformed", False, ""),
)


def as_source_error(error: Exception, name: str, client: Any = None) -> SourceError:
    """What a failed call of the client means."""
    if isinstance(error, SourceError):
        return error
    told = " ".join(str(error).split())[:200]
    names = [one.__name__ for one in type(error).__mro__]
    for classes, case, permanent, hint in _CASES:
        if any(one in names for one in classes):
            retry = _retry_after(client) if case == "rate_limited" else 0
            what = "no connection: " if case in ("connection", "timeout") else ""
            return SourceError(
                f"{name}: {what}{told}",
                hint=hint,
                retry_after_ns=retry,
                permanent=permanent,
                case=case,
            )
    case = "exchange" if "BaseError" in names else "malformed"
    return SourceError(f"{name}: {type(error).__name__}: {told}", case=case)


def _retry_after(client: Any) -> int:
    """Seconds the server asked to wait, which CCXT does not heed; 0 where it did not say."""
    headers = getattr(client, "last_response_headers", None) or {}
    told = {str(key).lower(): value for key, value in headers.items()}.get("retry-after", "")
    return int(told) * SECOND if str(told).isdecimal() else 0
