"""One validated TOML: what a run is told, every default with its reason, every mistake at once.

May import the clock and the errors. Its names resolve when first used, because pydantic comes with
them and a start without a configuration should not pay for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirrorcore.config.load import Loaded, load_config
    from mirrorcore.config.mistakes import InvalidConfigError, Mistake, Origin
    from mirrorcore.config.model import RunConfig
    from mirrorcore.config.render import choice_hash, config_hash, describe, to_toml

_HOMES = {
    "InvalidConfigError": "mistakes",
    "Loaded": "load",
    "Mistake": "mistakes",
    "Origin": "mistakes",
    "RunConfig": "model",
    "choice_hash": "render",
    "config_hash": "render",
    "describe": "render",
    "load_config": "load",
    "to_toml": "render",
}

__all__ = [
    "InvalidConfigError",
    "Loaded",
    "Mistake",
    "Origin",
    "RunConfig",
    "choice_hash",
    "config_hash",
    "describe",
    "load_config",
    "to_toml",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
