"""What the server needs of the registry of commands, by shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mirrorcore.interfaces.commands.calls import Call, Outcome, Role
from mirrorcore.interfaces.commands.specs import Spec


class Registry(Protocol):
    """The registry of commands, from any thread and event loop."""

    @property
    def specs(self) -> Mapping[str, Spec]: ...

    def catalogue(self, role: Role) -> list[dict[str, Any]]: ...

    async def execute(self, call: Call) -> Outcome: ...
