"""web3's requests over one aiohttp session of our own; imported only with web3 at hand.

web3's own provider guards its sessions with a thread's lock. A request that is cancelled while it
waits for that lock leaves it locked, and every later request waits for ever: a source is cancelled
whenever its connection is given up, so here there is no lock.
"""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession, ClientTimeout
from web3.providers.async_base import AsyncJSONBaseProvider


class SessionProvider(AsyncJSONBaseProvider):
    """JSON-RPC over HTTP. Tries nothing again: whoever runs the source decides that."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__()
        self._address = address
        self._timeout = timeout_s
        self._session: ClientSession | None = None

    async def make_request(self, method: Any, params: Any) -> Any:
        if self._session is None:
            self._session = ClientSession(
                timeout=ClientTimeout(total=self._timeout),
                headers={"Content-Type": "application/json"},
            )
        question = self.encode_rpc_request(method, params)
        async with self._session.post(self._address, data=question) as response:
            response.raise_for_status()
            return self.decode_rpc_response(await response.read())

    async def disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
