"""What every source that is asked has beside its protocol."""

from __future__ import annotations

from mirrorcore.data_sources.http import HttpClient
from mirrorcore.data_sources.live import SourceSpec


class AskedSource:
    """Says what it is, and closes the clients it asks with; with ``collect`` a PolledSource."""

    def __init__(self, spec: SourceSpec, *clients: HttpClient) -> None:
        self._spec = spec
        self._clients = clients

    @property
    def spec(self) -> SourceSpec:
        return self._spec

    @property
    def name(self) -> str:
        return self._spec.name

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()
