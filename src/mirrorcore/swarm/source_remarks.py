"""What sources find odd in what people gave them to read, as warnings of the run that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mirrorcore.data_sources.live import MakesRemarks
from mirrorcore.swarm.live_sources import Source


class SourceRemarks:
    """Passes each remark of the sources on once.

    Parameters
    ----------
    tell: told of each, with the name of its source before it.
    """

    def __init__(self, sources: Iterable[Source], tell: Callable[[str], None]) -> None:
        self._sources = [(one, one.spec.name) for one in sources if isinstance(one, MakesRemarks)]
        self._seen = dict.fromkeys((name for _, name in self._sources), 0)
        self._tell = tell

    def pass_on(self) -> None:
        """Tell what is new since the last call."""
        for source, name in self._sources:
            new, self._seen[name] = source.remarks.since(self._seen[name])
            for remark in new:
                self._tell(f"source {name}: {remark}")
