"""Who is asking: tokens become callers, and whoever asks too often is told so."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mirrorcore.clock import stamp_ns
from mirrorcore.interfaces.api.allowance import Buckets, Now, Window
from mirrorcore.interfaces.api.problems import Problem, too_often
from mirrorcore.interfaces.commands.calls import ROLES, Role

COMMANDS_A_SECOND, COMMANDS_AT_ONCE = 5.0, 10.0
READS_A_SECOND, READS_AT_ONCE = 50.0, 100.0
FAILURES, FAILURE_SECONDS = 10, 60.0
REFUSALS_WRITTEN = 60
"""Refused attempts that are written into the journal in any minute; more are counted only."""

_LONGEST = 200
"""Characters of a stranger's text that enter the journal."""

Audit = Callable[[Mapping[str, Any]], object]


class Known(Protocol):
    """What is asked of tokens."""

    def role_of(self, given: str) -> Role | None: ...


class Doorkeeper:
    """Decides on tokens and rates; used in the server's loop alone, but for its counters."""

    def __init__(self, tokens: Known, audit: Audit, *, now: Now = stamp_ns) -> None:
        self.refusals: Counter[str] = Counter()
        """Refused attempts by code."""
        self._tokens = tokens
        self._audit = audit
        self._commands = Buckets(COMMANDS_A_SECOND, COMMANDS_AT_ONCE, now=now)
        self._reads = Buckets(READS_A_SECOND, READS_AT_ONCE, now=now)
        self._failures = Window(FAILURES, FAILURE_SECONDS, now=now)
        self._written = Window(REFUSALS_WRITTEN, 60.0, most=1, now=now)

    def role(self, authorization: str, address: str, needed: Role = "viewer") -> Role:
        """The role of a request by its ``Authorization`` header.

        A valid token is taken whatever its address did before: what is limited is guessing.

        Raises
        ------
        Problem: unauthenticated, rate_limited or read_only.
        """
        scheme, _, token = authorization.partition(" ")
        return self.role_of(token.strip() if scheme.lower() == "bearer" else "", address, needed)

    def role_of(self, token: str, address: str, needed: Role = "viewer") -> Role:
        """The same for a token that came in another way."""
        role = self._tokens.role_of(token) if token else None
        if role is None:
            wait = self._failures.admit(address) if token else 0.0
            if wait:
                raise too_often(wait, "attempts with a wrong token")
            raise Problem(
                401,
                "unauthenticated",
                "no valid token" if token else "a token is needed",
                hint="'mirrorcore token show' prints them; send Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if ROLES.index(role) < ROLES.index(needed):
            raise Problem(403, "read_only", f"this needs the role {needed}, not {role}")
        return role

    def knows(self, authorization: str) -> bool:
        """Whether a request has a token, without judging one that has none."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._tokens.role_of(token.strip()) is not None

    def holds(self, token: str, role: str) -> bool:
        """Whether a token that gave ``role`` still does."""
        return self._tokens.role_of(token) == role

    def read(self, role: str) -> None:
        """Count one read of the swarm; Problem where there were too many."""
        wait = self._reads.take(role)
        if wait:
            raise too_often(wait, "requests")

    def command(self, role: str) -> None:
        """Count one command that is no stop; Problem where there were too many."""
        wait = self._commands.take(role)
        if wait:
            raise too_often(wait, "commands")

    def refused(self, address: str, problem: Problem, path: str) -> None:
        """Count a refused attempt, and write it down while there are not too many."""
        self.refusals[problem.code] += 1
        if problem.code not in _WRITTEN or self._written.admit(""):
            return
        self._audit(
            {
                "event": "refused",
                "code": problem.code,
                "path": plain(path),
                "origin": "http",
                "address": plain(address),
            }
        )


_WRITTEN = ("unauthenticated", "read_only", "bad_origin", "bad_host", "wrong_content_type")
"""Refusals that tell of somebody who should not be here."""


def plain(text: str) -> str:
    """A stranger's text, short and without what a terminal would obey."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:_LONGEST])
    return shown.encode("utf-8", "replace").decode()


class Tally:
    """Counters that one thread adds to and others read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, ...]] = Counter()

    def add(self, *key: str) -> None:
        with self._lock:
            self._counts[key] += 1

    def items(self) -> list[tuple[tuple[str, ...], int]]:
        """Sorted, as they are now."""
        with self._lock:
            return sorted(self._counts.items())
