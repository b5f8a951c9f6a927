"""MirrorCore-X: a trading swarm of specialised agents over SyncBus.

The public names resolve lazily (PEP 562), so that ``import mirrorcore`` costs next to nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES: dict[str, str] = {}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604  # the keys are the names


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mirrorcore' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
