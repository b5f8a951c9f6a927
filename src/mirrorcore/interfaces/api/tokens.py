"""Who may do what: one token for each role, kept beside the runs and valid from run to run.

A token is 256 bits of the system's randomness. It is shown to its owner and compared by hash; it
enters no log, no journal and no answer.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mirrorcore.clock import iso, wall_now
from mirrorcore.errors import RefusedError
from mirrorcore.interfaces.api.private_files import read_private, write_private
from mirrorcore.interfaces.commands.calls import ROLES, Role
from mirrorcore.journal import make_folder

FILE = "tokens.json"
_HINT = "'mirrorcore token rotate' makes new ones; 'chmod 600' keeps them, if nobody saw them"
_LONGEST = 512
"""Characters of a token that are looked at; longer ones are nobody's."""


class Tokens:
    """The tokens of one folder of runs, read anew whenever their file has changed.

    Safe from any thread: what is read is replaced as a whole.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._stamp: tuple[int, int, int] | None = None
        self._secrets: Mapping[str, str] = {}
        self._hashes: tuple[tuple[Role, bytes], ...] = ()

    @classmethod
    def open(cls, folder: Path) -> Tokens:
        """Those of ``folder``, made now if there are none.

        Raises
        ------
        RefusedError: the file is damaged, or others may read it.
        MirrorCoreError: the folder cannot be made. OSError: the file cannot be written.
        """
        tokens = cls(folder)
        if not tokens.path.exists():
            make_folder(folder, "the runs")
            write_private(tokens.path, _fresh({}), replace=False)
        tokens._read()
        return tokens

    def secret(self, role: str) -> str:
        """The token of a role, to be shown to whoever owns the file."""
        return self._secrets[role]

    def role_of(self, given: str) -> Role | None:
        """The highest role this token gives, None for a token that gives none.

        Every token is compared, in constant time, whether an earlier one fitted or not.
        """
        self.refresh()
        hashed = _hash(given) if 0 < len(given) <= _LONGEST else b""
        found: Role | None = None
        for role, expected in self._hashes:
            if hmac.compare_digest(hashed, expected):
                found = role
        return found

    def refresh(self) -> bool:
        """Take in a changed file; whether the tokens are others now.

        A file that was deleted is made anew, with other tokens. One that cannot be read is no
        reason to let anybody in or lock anybody out: the tokens stay as they were.
        """
        if self._seen() == self._stamp and self._stamp is not None:
            return False
        before = self._hashes
        try:
            if not self.path.exists():
                write_private(self.path, _fresh({}), replace=False)
            self._read()
        except (RefusedError, OSError):
            return False
        return self._hashes != before

    def _seen(self) -> tuple[int, int, int] | None:
        try:
            about = os.stat(self.path)
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino, about.st_mode

    def _read(self) -> None:
        stamp = self._seen()
        found = _parsed(self.path, read_private(self.path, _HINT))
        self._secrets = found
        self._hashes = tuple((role, _hash(found[role])) for role in ROLES)
        self._stamp = stamp


def rotate(folder: Path, role: str | None = None) -> None:
    """Make new tokens, of one role or of all; the old ones are worthless from here on.

    Raises
    ------
    RefusedError: one role alone, where the others cannot be read.
    """
    kept: dict[str, str] = {}
    path = folder / FILE
    if role is not None and path.exists():
        kept = {name: token for name, token in Tokens.open(folder)._secrets.items() if name != role}
    make_folder(folder, "the runs")
    write_private(path, _fresh(kept), replace=True)


def new_token() -> str:
    """256 bits nobody has seen."""
    return secrets.token_urlsafe(32)


def _fresh(kept: Mapping[str, str]) -> str:
    tokens = {role: kept.get(role) or new_token() for role in ROLES}
    document = {"version": 1, "created": iso(wall_now()), "tokens": tokens}
    return json.dumps(document, indent=2) + "\n"


def _parsed(path: Path, text: str) -> Mapping[str, str]:
    try:
        tokens = json.loads(text)["tokens"]
        found: dict[str, str] = {role: tokens[role] for role in ROLES}
    except (ValueError, KeyError, TypeError):
        raise RefusedError(f"{path} is damaged", hint=_HINT) from None
    short = [role for role, token in found.items() if not _is_strong(token)]
    if short:
        raise RefusedError(f"{path}: the token of {short[0]} is too short to be safe", hint=_HINT)
    if len({*found.values()}) < len(ROLES):
        raise RefusedError(f"{path}: two roles have one token", hint=_HINT)
    return found


def _is_strong(token: object) -> bool:
    return isinstance(token, str) and 32 <= len(token) <= _LONGEST and token.isascii()


def same(given: str, token: str) -> bool:
    """Whether two tokens are one, in constant time."""
    return hmac.compare_digest(_hash(given), _hash(token))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
