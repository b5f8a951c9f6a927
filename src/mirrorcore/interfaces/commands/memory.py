"""What was asked before: keys of commands that are done once, and tokens that confirm."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from concurrent.futures import Future

from mirrorcore.clock import Stopwatch
from mirrorcore.interfaces.commands.calls import Call, Outcome
from mirrorcore.interfaces.commands.failures import CommandError

CONFIRM_S = 30.0
_MOST_KEYS = 2_000
_MOST_TOKENS = 500


def call_digest(call: Call) -> str:
    """Names what a call asks for: equal digests, equal commands of equal callers."""
    told = [call.name, dict(call.args), call.caller.name, call.caller.role, call.dry_run]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


class Confirmations:
    """Tokens that were handed out; each is for one command, once, within 30 seconds."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[str, Stopwatch]] = OrderedDict()
        self._serial = 0
        self._lock = threading.Lock()

    def give(self, digest: str) -> str:
        """A token for the command of that digest.

        It guards against haste, not against people: whoever may confirm may also ask for one.
        """
        with self._lock:
            self._serial += 1
            token = hashlib.sha256(f"{self._serial} {digest}".encode()).hexdigest()[:16]
            self._given[token] = (digest, Stopwatch())
            while len(self._given) > _MOST_TOKENS:
                self._given.popitem(last=False)
        return token

    def take(self, token: str, digest: str) -> bool:
        """Whether the token confirms that command now; it does so once."""
        with self._lock:
            known, age = self._given.pop(token, ("", None))
        return age is not None and known == digest and age.wall_ns() / 1e9 <= CONFIRM_S


class Remembered:
    """Outcomes by caller and key; a key that is used for something else is refused."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[str, Future[Outcome]]] = OrderedDict()
        self._lock = threading.Lock()

    def claim(self, call: Call) -> tuple[Future[Outcome], bool]:
        """The outcome to come of this key, and whether this call has to bring it about.

        Raises
        ------
        CommandError: idempotency_key_reused.
        """
        place, digest = (call.caller.name, call.key or ""), call_digest(call)
        with self._lock:
            found = self._kept.get(place)
            if found is None:
                future: Future[Outcome] = Future()
                # Not to be cancelled: one of those who wait may give up without the others.
                future.set_running_or_notify_cancel()
                self._kept[place] = digest, future
                while len(self._kept) > _MOST_KEYS:
                    self._kept.popitem(last=False)
                return future, True
        if found[0] != digest:
            raise CommandError(
                "idempotency_key_reused",
                "this key belongs to another command",
                hint="use a new key for each new command",
            )
        return found[1], False

    def settle(self, call: Call, future: Future[Outcome], told: Outcome) -> None:
        """What came of it. What was refused, also for want of a confirmation, and what a swarm that
        was busy did not come to, may be asked again with the same key."""
        future.set_result(told)
        undone = told["error"] is not None and told["error"]["code"] == "busy"
        if told["status"] == "rejected" or undone:
            with self._lock:
                self._kept.pop((call.caller.name, call.key or ""), None)
