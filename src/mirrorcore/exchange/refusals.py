"""How the venue says no: its numbers, its words, its HTTP status."""

from __future__ import annotations


class RefusalError(Exception):
    """A request is refused. ``code`` and ``message`` are what the venue would answer."""

    def __init__(
        self, code: int, message: str, *, status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after

    @property
    def document(self) -> dict[str, object]:
        return {"code": self.code, "msg": self.message}


def too_many_requests(retry_after: int) -> RefusalError:
    return RefusalError(
        -1003,
        "Too much request weight used; current limit is exceeded. Please use WebSocket Streams "
        "for live updates to avoid polling the API.",
        status=429,
        retry_after=retry_after,
    )


def missing(parameter: str) -> RefusalError:
    return RefusalError(
        -1102,
        f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.",
    )


def illegal(parameter: str) -> RefusalError:
    return RefusalError(-1100, f"Illegal characters found in parameter '{parameter}'.")


def filter_failure(name: str) -> RefusalError:
    return RefusalError(-1013, f"Filter failure: {name}")


def invalid_symbol() -> RefusalError:
    return RefusalError(-1121, "Invalid symbol.")


def insufficient_balance() -> RefusalError:
    return RefusalError(-2010, "Account has insufficient balance for requested action.")


def post_only_would_cross() -> RefusalError:
    return RefusalError(-2010, "Order would immediately match and take.")


def duplicate_order() -> RefusalError:
    return RefusalError(-2010, "Duplicate order sent.")


def unknown_order_to_cancel() -> RefusalError:
    return RefusalError(-2011, "Unknown order sent.")


def no_such_order() -> RefusalError:
    return RefusalError(-2013, "Order does not exist.")


def bad_api_key() -> RefusalError:
    return RefusalError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def bad_signature() -> RefusalError:
    return RefusalError(-1022, "Signature for this request is not valid.")


def outside_window() -> RefusalError:
    return RefusalError(-1021, "Timestamp for this request is outside of the recvWindow.")


def ahead_of_time() -> RefusalError:
    return RefusalError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
