"""What a user may be told went wrong: each error says what, where and what to do.

The command line prints the message without a traceback and ends with ``exit_code``; anything that
is not a :class:`MirrorCoreError` is a defect of ours.
"""

from __future__ import annotations


class MirrorCoreError(Exception):
    """An expected failure. ``message`` says what and where, ``hint`` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class UsageError(MirrorCoreError):
    """The call itself is wrong: an unknown flag value, run or agent."""

    exit_code = 2


class ConfigError(MirrorCoreError):
    """The configuration is not valid; the message lists every mistake found."""

    exit_code = 3


class DataError(MirrorCoreError):
    """Market data is missing, unreadable or too bad to trade on."""

    exit_code = 4


class CheckFailedError(MirrorCoreError):
    """A check (determinism, lookahead, accounting) found a violation."""

    exit_code = 5


class RefusedError(MirrorCoreError):
    """A safety rule forbids what was asked."""

    exit_code = 6
