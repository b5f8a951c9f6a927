"""What a process of an agent may use of the machine, and how it is tied to its parent."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import msgspec

from mirrorcore.clock import SECOND

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None


class ProcessPolicy(msgspec.Struct, frozen=True):
    """The bounds of one agent's process.

    ``start_ns`` of wall time for the interpreter, the imports and the factory. ``memory_bytes``
    of address space, so that an allocation beyond it raises MemoryError in the agent; None for no
    bound. ``cpu_seconds`` of processor time over the whole life of one process, None for no bound.
    ``files`` that may be open at once. ``blob_bytes`` of arrays and checkpoints in one call.
    ``output_bytes`` of what it prints are read for each call; beyond that its printing waits.
    ``threads`` is what the numerical libraries are told to compute on.
    """

    start_ns: int = 30 * SECOND
    memory_bytes: int | None = 2 << 30
    cpu_seconds: int | None = None
    files: int = 256
    blob_bytes: int = 8 << 20
    output_bytes: int = 64 << 10
    threads: int = 1


def confine(policy: ProcessPolicy) -> None:
    """Bound this process for good; no core dump. Nothing where the platform has no such limits."""
    if resource is None:
        return
    _bound("RLIMIT_CORE", 0)
    _bound("RLIMIT_NOFILE", policy.files)
    if policy.memory_bytes is not None:
        _bound("RLIMIT_AS", policy.memory_bytes)
    if policy.cpu_seconds is not None:
        _bound("RLIMIT_CPU", policy.cpu_seconds)


def _bound(name: str, value: int) -> None:
    assert resource is not None
    number = getattr(resource, name, None)
    if number is None:
        return
    _, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(number, (value, value))


_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


def die_with(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends; False if it has ended already.

    On Linux alone. Elsewhere an agent that never reads again outlives a parent that was killed.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    return os.getppid() == parent
