"""A block agent whose memory is a handful of filters and arrays."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mirrorcore.agents.base import BlockAgent


class FilteredAgent(BlockAgent):
    """Remembers the attributes named in ``parts``: arrays, and filters by their checkpoint."""

    parts: ClassVar[tuple[str, ...]] = ()

    def remember(self) -> dict[str, Any]:
        memory = {}
        for name in self.parts:
            part = getattr(self, name)
            memory[name] = part.copy() if isinstance(part, np.ndarray) else part.checkpoint()
        return memory

    def recall(self, memory: dict[str, Any]) -> None:
        for name in self.parts:
            if isinstance(getattr(self, name), np.ndarray):
                setattr(self, name, memory[name])
            else:
                getattr(self, name).restore(memory[name])
