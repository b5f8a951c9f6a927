"""Whose requests are answered: those sent to this server by name, from its own page or no page.

The check of ``Host`` is what stands against a name that is made to point at this machine; that of
``Origin`` against other pages open in the same browser.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mirrorcore.interfaces.api.problems import Problem

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Names:
    """What a request's ``Host`` may be, and the pages whose requests are taken."""

    hosts: frozenset[str]
    origins: frozenset[str]
    any_port: bool = False

    @classmethod
    def of(cls, host: str, port: int, more: Iterable[str] = ()) -> Names:
        """This machine's own names, the address that is listened on, and ``more``.

        A further name without a port is one that a proxy answers for, at whatever port.
        """
        own = [f"{name}:{port}" for name in _LOOPBACK]
        if _is_one_address(host):
            # A number is what it says; a name could be made to mean another machine.
            own.append(f"{bracketed(host)}:{port}")
        if port == 80:
            own += _LOOPBACK
        further = [name.strip().lower() for name in more]
        origins = [f"http://{name}" for name in own]
        origins += [f"{scheme}://{name}" for name in further for scheme in ("http", "https")]
        return cls(frozenset([*own, *further]), frozenset(origins))

    @classmethod
    def loopback(cls) -> Names:
        """This machine's own names, at whatever port."""
        origins = frozenset(f"http://{name}" for name in _LOOPBACK)
        return cls(frozenset(_LOOPBACK), origins, any_port=True)

    def check(
        self, hosts: Sequence[str], origins: Sequence[str], site: str, *, navigates: bool
    ) -> None:
        """Judge the headers of one request.

        Parameters
        ----------
        hosts, origins: every ``Host`` and ``Origin`` header that was sent.
        site: ``Sec-Fetch-Site``, which a browser sends and a page cannot forge; maybe empty.
        navigates: whether the request merely opens a page, as a link from elsewhere does.

        Raises
        ------
        Problem: bad_host or bad_origin.
        """
        if len(hosts) != 1 or self._name(hosts[0]) not in self.hosts:
            raise Problem(
                421,
                "bad_host",
                "this server does not answer under that name",
                hint="use the address it printed; further names are listed in web.hosts",
            )
        foreign = any(self._name(origin) not in self.origins for origin in origins)
        if foreign or (site in {"cross-site", "same-site"} and not navigates):
            raise Problem(
                403, "bad_origin", "requests of another page are not taken", hint="use its own page"
            )

    def _name(self, text: str) -> str:
        name = text.strip().lower()
        return re.sub(r":\d{1,5}$", "", name) if self.any_port else name


def reached_at(host: str) -> str:
    """How a program on this machine writes an address that is listened on."""
    if host in {"0.0.0.0", "::"}:
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return bracketed(host)


def _is_one_address(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """An address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host
