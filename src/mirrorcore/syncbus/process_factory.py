"""How an agent is made where it runs: by name or by pickle, the same in the loop and elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from mirrorcore.syncbus.faults import BusError, RegistrationError
from mirrorcore.syncbus.process_frames import pickled
from mirrorcore.syncbus.process_limits import ProcessPolicy

Outgoing = Callable[[str, Any], Any]
"""(handler, argument) -> what is sent in its place: a cut that travels more cheaply."""


class ProcessFactory(msgspec.Struct, frozen=True):
    """How an agent is made in a process of its own.

    ``make(handle, checkpoint, **arguments)`` returns ``Handlers`` or a mapping of their names. It
    is ``"package.module:attribute"``, or a callable that another process can import. ``outgoing``
    runs in the bus's process and may put something smaller in the place of an argument.
    """

    make: str | Callable[..., Any]
    arguments: Mapping[str, Any] = {}
    policy: ProcessPolicy = ProcessPolicy()
    outgoing: Outgoing | None = None

    def here(self) -> Callable[..., Any]:
        """The factory for this process; BusError or ImportError where there is none."""
        make = named(self.make) if isinstance(self.make, str) else self.make
        return partial(make, **self.arguments)

    def elsewhere(self) -> tuple[str | bytes, bytes]:
        """Factory and arguments as they travel; RegistrationError where they cannot."""
        arguments = pickled(dict(self.arguments))
        if isinstance(self.make, str):
            return self.make, arguments
        inner: Any = self.make
        while isinstance(inner, partial):
            inner = inner.func
        if getattr(inner, "__module__", None) == "__main__":
            raise RegistrationError(
                f"{getattr(inner, '__qualname__', inner)} is defined in the script that runs, "
                "which no other process can import",
                hint="put it into a module of its own",
            )
        return pickled(self.make), arguments


def process_of(
    agent_id: str,
    isolation: str,
    factory: Callable[..., Any] | str | None,
    process: ProcessFactory | None,
) -> ProcessFactory | None:
    """How an agent that is registered so is made in a process; None for one of the loop."""
    if isolation == "loop":
        return None
    if isolation != "process":
        raise RegistrationError(
            f"agent {agent_id!r}: isolation was {isolation!r}, is 'loop' or 'process'"
        )
    if process is not None:
        return process
    if factory is None:
        raise RegistrationError(
            f"agent {agent_id!r} is to run in a process, and has no factory",
            hint='give factory="package.module:attribute"',
        )
    return ProcessFactory(factory)


def named(path: str) -> Callable[..., Any]:
    """What ``package.module:attribute`` names; BusError says what is wrong with it."""
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise BusError(f"{path!r} names no factory", hint='write "package.module:attribute"')
    found = importlib.import_module(module)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise BusError(f"the module {module!r} has no {attribute!r}")
        found = getattr(found, part)
    if not callable(found):
        raise BusError(f"{path!r} is a {type(found).__name__} and cannot be called")
    return found
