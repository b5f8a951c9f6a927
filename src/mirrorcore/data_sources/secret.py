"""Keys of services: read from the environment, never shown.

A configuration names the *variable* that holds a key, so the key itself is in no file, no journal
and no report.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, quote_plus

from mirrorcore.errors import UsageError

_SHORTEST = 8
"""Anything shorter is no key, and hiding it would tear holes into ordinary words."""


class Secret:
    """A key that prints as its name. ``reveal`` is called where the request is made, only there."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        if len(value) < _SHORTEST or not value.isprintable() or value != value.strip():
            raise UsageError(
                f"{name} holds no usable key: {_SHORTEST} or more visible characters are expected",
                hint=f"check what is in the environment variable {name}",
            )
        self.name = name
        self._value = value

    @classmethod
    def from_environment(cls, variable: str, environment: Mapping[str, str]) -> Secret:
        """The key in ``variable``; UsageError where it is not set."""
        value = environment.get(variable, "")
        if not value:
            raise UsageError(
                f"the environment variable {variable} is not set",
                hint=f"get a key from the service and export {variable}=… before you start",
            )
        return cls(variable, value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"<secret {self.name}>"


def redacted(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every secret, plain or as it stands in a URL, replaced by its name."""
    for secret in secrets:
        value = secret.reveal()
        for form in (value, quote(value, safe=""), quote_plus(value)):
            text = text.replace(form, f"<{secret.name}>")
    return text


class HideSecrets(logging.Filter):
    """Keeps secrets out of a logger of somebody else's: httpx logs every address it asks, with its
    parameters."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Always passes the record on, without the secrets."""
        if self._secrets:
            record.msg, record.args = redacted(record.getMessage(), self._secrets), None
        return True
