"""Sends commands to a running swarm over HTTP, with the standard library alone."""

from __future__ import annotations

import http.client
import itertools
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mirrorcore.clock import wall_now
from mirrorcore.errors import MirrorCoreError, RefusedError
from mirrorcore.interfaces.attaching import Attachment

Outcome = dict[str, Any]
"""The answer to a command, as :mod:`mirrorcore.interfaces.commands` gives it behind every door."""

_LARGEST = 32 * 1024 * 1024
_numbers = itertools.count(1)


class UnreachableError(MirrorCoreError):
    """Nobody answered: what was asked for may or may not have been done."""


class CommandClient:
    """Calls commands of one swarm with the token of one role.

    ``door`` is what the journal calls the way the commands came: ``console`` or ``terminal``.
    """

    def __init__(
        self, attachment: Attachment, role: str, *, timeout_s: float = 10.0, door: str = ""
    ) -> None:
        self.attachment = attachment
        self.role = role
        self._timeout_s = timeout_s
        self._door = {"X-MirrorCore-Door": door} if door else {}

    def catalogue(self) -> list[dict[str, Any]]:
        """The commands this role may call, as the registry describes them.

        Raises
        ------
        RefusedError: the token is nobody's.
        UnreachableError: nobody answers, or not as a swarm does.
        """
        answer = self._ask("GET", "/api/v1/commands", None, {})
        found = answer.get("commands")
        if not isinstance(found, list):
            refused = answer.get("status") in (401, 403)
            kind = RefusedError if refused else UnreachableError
            raise kind(_refusal(answer), hint=str(answer.get("hint", "")))
        return [spec for spec in found if isinstance(spec, dict)]

    def call(
        self,
        name: str,
        args: Mapping[str, Any],
        *,
        confirm: str | None = None,
        reason: str = "",
        dry_run: bool = False,
        timeout_s: float | None = None,
    ) -> Outcome:
        """The outcome of a command; a refusal is an outcome with ``error``, never an exception.

        ``timeout_s`` is how long the swarm may take over it, where its own measure is not meant.

        Raises
        ------
        UnreachableError: nobody answers, or not as a swarm does.
        """
        body: dict[str, Any] = {"name": name, "args": dict(args)}
        if confirm is not None:
            body["confirm"] = confirm
        if reason:
            body["reason"] = reason
        if dry_run:
            body["dry_run"] = True
        if timeout_s is not None:
            body["timeout_s"] = timeout_s
        # Unique on this machine; a command that is sent again gets another one on purpose.
        key = f"{os.getpid()}-{wall_now()}-{next(_numbers)}"
        answer = self._ask("POST", "/api/v1/commands", body, {"Idempotency-Key": key})
        if "status" in answer and "code" not in answer:
            return answer
        outcome = answer.get("outcome")
        return outcome if isinstance(outcome, dict) else _refused(name, answer)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        address = urlsplit(self.attachment.url)
        secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        link = connect(address.hostname or "", address.port, timeout=self._timeout_s)
        try:
            link.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={
                    "Authorization": f"Bearer {self.attachment.token(self.role)}",
                    "Content-Type": "application/json",
                    **self._door,
                    **headers,
                },
            )
            answer = json.loads(link.getresponse().read(_LARGEST))
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the swarm does not answer at {self.attachment.url}: "
                f"{str(error)[:120] or type(error).__name__}",
                hint="its run may have ended, or its server hangs",
            ) from None
        except ValueError:
            raise UnreachableError(
                f"what answers at {self.attachment.url} is no swarm", hint="see its control.json"
            ) from None
        finally:
            link.close()
        if not isinstance(answer, dict):
            raise UnreachableError(f"what answers at {self.attachment.url} is no swarm")
        return answer


def _refusal(answer: Mapping[str, Any]) -> str:
    return str(answer.get("detail") or answer.get("title") or "the swarm did not answer")


def _refused(name: str, answer: Mapping[str, Any]) -> Outcome:
    """A refusal of the door itself, in the form of any other outcome."""
    error = {
        "code": str(answer.get("code", "")),
        "message": _refusal(answer),
        "hint": str(answer.get("hint", "")),
        "fields": answer.get("fields") or {},
        "http": answer.get("status"),
    }
    if "retry_after" in answer:
        error["retry_after"] = answer["retry_after"]
    return {"name": name, "status": "rejected", "acked": [], "missing": [], "error": error}
